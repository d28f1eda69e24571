import { type Database, inTransaction, lax, type Transaction } from './database.js';

type Store = Database | Transaction;

/** One account of a person, as far as reaching them goes. */
export interface Account {
  id: number;
  personId: number;
  channel: string;
  userId: string;
  displayName: string;
  /** null until the person has opened a private chat */
  privateChatId: string | null;
  blocked: boolean;
  /** when they last wrote there, epoch ms; null when not known or too long ago for the platform */
  heardMs: number | null;
}

interface Row {
  id: number;
  personId: number;
  channel: string;
  userId: string;
  displayName: string;
  privateChatId: string | null;
  blockedMs: bigint | null;
  heardMs: bigint | null;
}

const toAccount = ({ blockedMs, heardMs, ...row }: Row): Account => ({
  id: row.id,
  personId: row.personId,
  channel: row.channel,
  userId: row.userId,
  displayName: row.displayName,
  privateChatId: row.privateChatId,
  blocked: blockedMs !== null,
  heardMs: heardMs === null ? null : Number(heardMs),
});

/** Every account of a person, the oldest first. */
export async function accountsOf(db: Store, personId: number): Promise<Account[]> {
  const rows = await db.address.findMany({ where: { personId }, orderBy: { id: 'asc' } });
  return rows.map(toAccount);
}

/** The channel a person chose to be written to on; null when they chose none. */
export async function preferredChannelOf(db: Store, personId: number): Promise<string | null> {
  const row = await db.person.findUnique({ where: { id: personId }, select: { preferredChannel: true } });
  return row?.preferredChannel ?? null;
}

export async function setPreferredChannel(
  db: Store,
  personId: number,
  channel: string | null,
): Promise<void> {
  await db.person.update({ where: { id: personId }, data: { preferredChannel: channel } });
}

/** The platform says that this person wrote too long ago to be written to: what we believed was wrong. */
export async function noteWindowClosed(db: Store, channel: string, chatId: string): Promise<void> {
  await db.address.updateMany({ where: { channel, privateChatId: chatId }, data: { heardMs: null } });
}

/**
 * Makes two people one: accounts, gifts, reports, cameras and what waits for them go from `goneId` to `keepId`, who
 * keeps the own role; phone and hamlet are filled in where there was none.
 */
export async function joinPeople(tx: Transaction, keepId: number, goneId: number, nowMs: number) {
  const [keep, gone] = await Promise.all(
    [keepId, goneId].map((id) => tx.person.findUniqueOrThrow({ where: { id } })),
  );
  const toKeep = { data: { personId: keepId } };
  await tx.address.updateMany({ where: { personId: goneId }, ...toKeep });
  await tx.report.updateMany({ where: { personId: goneId }, ...toKeep });
  await tx.outbox.updateMany({ where: { personId: goneId, state: { in: ['waiting', 'held'] } }, ...toKeep });
  await tx.token.updateMany({ where: { personId: goneId }, ...toKeep });
  await tx.session.updateMany({
    where: { personId: goneId, endedMs: null },
    data: { endedMs: BigInt(nowMs) },
  });
  await tx.donation.updateMany({ where: { donorId: goneId }, data: { donorId: keepId } });
  for (const { cameraId } of await tx.assignment.findMany({ where: { personId: goneId } })) {
    const both = { personId: keepId, cameraId };
    await tx.assignment.upsert({ where: { personId_cameraId: both }, create: both, update: {} });
  }
  await tx.assignment.deleteMany({ where: { personId: goneId } });
  await tx.person.update({
    where: { id: keepId },
    data: {
      phoneSealed: keep!.phoneSealed ?? gone!.phoneSealed,
      hamletId: keep!.hamletId ?? gone!.hamletId,
    },
  });
  await tx.person.update({
    where: { id: goneId },
    data: { role: 'guest', hamletId: null, phoneSealed: null, removedMs: BigInt(nowMs) },
  });
}

/** Takes an account away from its person: whoever writes from it is a guest from now on. Null when it is not theirs. */
export async function cutAccount(
  tx: Transaction,
  personId: number,
  addressId: number,
  nowMs: number,
): Promise<Account | null> {
  const row = await tx.address.findFirst({ where: { id: addressId, personId } });
  if (row === null) return null;
  const guest = await tx.person.create({ data: { name: row.displayName, createdMs: BigInt(nowMs) } });
  await tx.address.update({ where: { id: addressId }, data: { personId: guest.id } });
  await tx.person.updateMany({
    where: { id: personId, preferredChannel: row.channel },
    data: { preferredChannel: null },
  });
  return toAccount(row);
}

const ACCOUNT = 'account';

/** Keeps the hash of a code that joins another account to this one; an earlier one of that account ends. */
export async function keepJoinCode(
  db: Database,
  made: { hash: string; personId: number; addressId: number; nowMs: number; ttlMs: number },
): Promise<void> {
  await inTransaction(db, async (tx) => {
    await tx.token.updateMany({
      where: { kind: ACCOUNT, personId: made.personId, usedMs: null, revokedMs: null },
      data: { revokedMs: BigInt(made.nowMs) },
    });
    await tx.token.create({
      data: {
        hash: made.hash,
        kind: ACCOUNT,
        personId: made.personId,
        payload: JSON.stringify({ addressId: made.addressId }),
        createdMs: BigInt(made.nowMs),
        expiresMs: BigInt(made.nowMs + made.ttlMs),
      },
    });
  });
}

/** The account behind a code that is still good; null for every other. */
export async function accountOfCode(db: Store, hash: string, nowMs: number): Promise<Account | null> {
  const token = await db.token.findFirst({
    where: { hash, kind: ACCOUNT, usedMs: null, revokedMs: null, expiresMs: { gt: BigInt(nowMs) } },
  });
  if (token === null) return null;
  const { addressId } = JSON.parse(token.payload) as { addressId: number };
  const row = await db.address.findUnique({ where: { id: addressId } });
  // moved to somebody else since: the code was of the one who made it
  return row === null || row.personId !== token.personId ? null : toAccount(row);
}

/** Uses the code up; false when it was used or has ended. */
export async function useJoinCode(tx: Transaction, hash: string, nowMs: number): Promise<boolean> {
  const { count } = await tx.token.updateMany({
    where: { hash, kind: ACCOUNT, usedMs: null, revokedMs: null, expiresMs: { gt: BigInt(nowMs) } },
    data: { usedMs: BigInt(nowMs) },
  });
  return count === 1;
}

/** The platform told how somebody is called; a person without another name is called so too. @returns false: not known */
export async function nameAccount(
  db: Database,
  channel: string,
  userId: string,
  name: string,
): Promise<boolean> {
  return inTransaction(db, async (tx) => {
    const where = { channel_userId: { channel, userId } };
    const row = await tx.address.findUnique({ where, include: { person: true } });
    if (row === null) return false;
    if (row.displayName === name) return true;
    await tx.address.update({ where, data: { displayName: name } });
    if (row.person.name === row.displayName)
      await tx.person.update({ where: { id: row.personId }, data: { name } });
    return true;
  });
}

/** The platform told how a group is called. @returns false: we know no such group */
export async function nameGroup(db: Store, channel: string, chatId: string, title: string): Promise<boolean> {
  return (await db.group.updateMany({ where: { channel, chatId }, data: { title } })).count > 0;
}

/** Something was heard of this account that is no message; the window of its platform begins anew. */
export async function noteHeard(db: Database, channel: string, userId: string, atMs: number): Promise<void> {
  const sql = `UPDATE "Address" SET "heardMs" = ? WHERE "channel" = ? AND "userId" = ?
    AND ("heardMs" IS NULL OR "heardMs" < ?)`;
  await lax(db, sql, BigInt(atMs), channel, userId, BigInt(atMs));
}
