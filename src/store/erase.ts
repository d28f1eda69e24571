import type { Transaction } from './database.js';
import { forgetLateFiles } from './reports.js';

/** What stays of somebody who wanted to be erased, because others have a claim on it. */
export interface Kept {
  reports: number;
  donations: number;
  /** lines of the log of who did what, with the name */
  logged: number;
}

export type Erased =
  | { kind: 'unknown' }
  /** this account alone; the person goes on with others */
  | { kind: 'account'; personId: number }
  | { kind: 'person'; kept: Kept };

export const ERASED_NAME = 'Người đã rút dữ liệu';

/** Whose message or event an inbox row is. */
const OF_THEM = `("chatId" = ? OR ? IN (json_extract("payload", '$.sender.userId'),
  json_extract("payload", '$.event.userId'), json_extract("payload", '$.event.toUserId'),
  json_extract("payload", '$.event.by.userId')))`;

/**
 * What they said to us wherever it was, groups too, and what was said in their chat. What still has to be done or sent there
 * is dropped with it. Of the wish itself only its own id stays, so that it is not taken twice.
 */
async function eraseWords(
  tx: Transaction,
  channel: string,
  userId: string,
  chatId: string,
  wishInboxId: number,
) {
  const theirs = [channel, wishInboxId, chatId, userId];
  const which = `"channel" = ? AND "id" <> ? AND ${OF_THEM}`;
  // what went to others because of it is theirs: a report is on its way to the officers
  await tx.$executeRawUnsafe(
    `DELETE FROM "Outbox" WHERE "inboxId" IN (SELECT "id" FROM "Inbox" WHERE ${which})
       AND "key" NOT LIKE "inboxId" || ':to:%'`,
    ...theirs,
  );
  await tx.$executeRawUnsafe(`DELETE FROM "Inbox" WHERE ${which}`, ...theirs);
  await tx.outbox.deleteMany({ where: { channel, chatId } });
  await tx.pending.deleteMany({ where: { channel, userId } });
  const wish = await tx.inbox.findUnique({ where: { id: wishInboxId } });
  if (wish === null) return;
  const { event, ...about } = JSON.parse(wish.payload) as { event?: object };
  const payload = JSON.stringify({ ...about, chatId: '', event: { ...event, userId: '' } });
  await tx.inbox.update({ where: { id: wishInboxId }, data: { chatId: '', payload } });
}

/**
 * Erases what we know of the person behind an account: names, phone, address, all that was said. Reports stay, without a
 * name, since they are evidence; gifts stay in the books under the name that was published; the log of who used footage
 * stays as it was written. Somebody with further accounts loses this one alone.
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
  if (row === null) {
    // they may have been heard in a group without a word to us
    await eraseWords(tx, account.channel, account.userId, account.userId, by);
    return { kind: 'unknown' };
  }
  const { personId } = row;
  await eraseWords(tx, row.channel, row.userId, row.privateChatId ?? row.userId, by);
  await tx.address.delete({ where });
  if ((await tx.address.count({ where: { personId } })) > 0) return { kind: 'account', personId };
  await tx.outbox.deleteMany({ where: { personId, state: { in: ['waiting', 'held'] } } });
  await tx.assignment.deleteMany({ where: { personId } });
  await tx.token.deleteMany({ where: { personId } });
  await tx.session.deleteMany({ where: { personId } });
  // the chiefs were asked to call them, by name
  await tx.outbox.deleteMany({
    where: { AND: [{ key: { startsWith: 'unreached:' } }, { key: { contains: `:${personId}:` } }] },
  });
  await forgetLateFiles(tx, personId);
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
  const logged = await tx.audit.count({ where: { personId } });
  return { kind: 'person', kept: { reports, donations, logged } };
}
