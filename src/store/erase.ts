import type { Transaction } from './database.js';

/** What stays of somebody who wanted to be erased, because others have a claim on it. */
export interface Kept {
  reports: number;
  donations: number;
}

export type Erased =
  | { kind: 'unknown' }
  /** this account alone; the person goes on with others */
  | { kind: 'account'; personId: number }
  | { kind: 'person'; kept: Kept };

export const ERASED_NAME = 'Người đã rút dữ liệu';

/** What was said in this chat, in both directions. What still has to be done or sent there is dropped with it. */
async function eraseChat(
  tx: Transaction,
  channel: string,
  userId: string,
  chatId: string,
  keepInboxId: number,
) {
  const here = { channel, chatId };
  await tx.inbox.deleteMany({ where: { ...here, id: { not: keepInboxId } } });
  await tx.outbox.deleteMany({ where: here });
  await tx.pending.deleteMany({ where: { channel, userId } });
}

/**
 * Erases what we know of the person behind an account: names, phone, address, all that was said. Reports stay, without a
 * name, since they are evidence; gifts stay in the books under the name that was published; the log of who used footage
 * stays. Somebody with further accounts loses this one alone.
 * @param by the inbox message that asks for it; it is not deleted while it is run
 */
export async function eraseAccount(
  tx: Transaction,
  account: { channel: string; userId: string },
  by: number,
  nowMs: number,
): Promise<Erased> {
  const where = { channel_userId: account };
  const row = await tx.address.findUnique({ where });
  if (row === null) return { kind: 'unknown' };
  const { personId } = row;
  await eraseChat(tx, row.channel, row.userId, row.privateChatId ?? row.userId, by);
  await tx.address.delete({ where });
  if ((await tx.address.count({ where: { personId } })) > 0) return { kind: 'account', personId };
  await tx.outbox.deleteMany({ where: { personId, state: { in: ['waiting', 'held'] } } });
  await tx.assignment.deleteMany({ where: { personId } });
  await tx.token.deleteMany({ where: { personId } });
  await tx.session.deleteMany({ where: { personId } });
  await tx.person.update({
    where: { id: personId },
    data: {
      ...{ name: ERASED_NAME, role: 'guest', hamletId: null, phoneSealed: null, preferredChannel: null },
      removedMs: BigInt(nowMs),
    },
  });
  const reports = await tx.report.count({ where: { personId } });
  const { count: donations } = await tx.donation.updateMany({
    where: { donorId: personId },
    data: { donorId: null },
  });
  return { kind: 'person', kept: { reports, donations } };
}
