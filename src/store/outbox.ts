import { type Database, inTransaction, isDuplicate } from './database.js';

export interface OutboxRow {
  id: number;
  key: string;
  channel: string;
  chatId: string;
  /** JSON of what to send */
  payload: string;
  /** smaller goes first: 0 alert, 1 report, 2 answer to the staff, 3 stranger's report, 4 answer, 5 notice */
  priority: number;
  inboxId: number | null;
  /** whom it is meant for, wherever they can be reached; null: for this chat alone */
  personId: number | null;
  digest: string | null;
  attempts: number;
  createdMs: number;
  nextMs: number;
}

export type NewOutgoing = Omit<OutboxRow, 'id' | 'attempts' | 'nextMs'> & { state?: 'held' };

const toRow = <R extends { createdMs: bigint; nextMs: bigint }>(row: R) => ({
  ...row,
  createdMs: Number(row.createdMs),
  nextMs: Number(row.nextMs),
});

const COLUMNS = {
  id: true,
  key: true,
  channel: true,
  chatId: true,
  payload: true,
  priority: true,
  inboxId: true,
  personId: true,
  digest: true,
  attempts: true,
  createdMs: true,
  nextMs: true,
} as const;

const createData = (message: NewOutgoing) => ({
  ...message,
  createdMs: BigInt(message.createdMs),
  nextMs: BigInt(message.createdMs),
});

/**
 * Writes the parts of one message down together. Put twice (same keys), it is written once.
 * @returns the new rows, or null when they were there already
 */
export async function putOutgoing(database: Database, parts: NewOutgoing[]): Promise<OutboxRow[] | null> {
  try {
    if (parts.length === 1)
      return [toRow(await database.outbox.create({ data: createData(parts[0]!), select: COLUMNS }))];
    return await inTransaction(database, async (tx) => {
      const rows: OutboxRow[] = [];
      for (const part of parts)
        rows.push(toRow(await tx.outbox.create({ data: createData(part), select: COLUMNS })));
      return rows;
    });
  } catch (error) {
    if (isDuplicate(error)) return null;
    throw error;
  }
}

/**
 * Writes messages of one part each down, all in one statement: they are durable together, at the price of one.
 * @returns of each, in order: its row, or null when its key was there already
 */
export async function putEach(
  database: Database,
  messages: readonly NewOutgoing[],
): Promise<(OutboxRow | null)[]> {
  const made = await database.$queryRawUnsafe<{ id: bigint | number; key: string }[]>(
    `INSERT INTO "Outbox" ("key", "channel", "chatId", "payload", "priority", "state", "inboxId", "personId", "digest",
       "createdMs", "nextMs")
     VALUES ${messages.map(() => '(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)').join(', ')}
     ON CONFLICT ("key") DO NOTHING RETURNING "id", "key"`,
    ...messages.flatMap((message) => [
      ...[message.key, message.channel, message.chatId, message.payload, message.priority],
      ...[message.state ?? 'waiting', message.inboxId, message.personId, message.digest],
      ...[BigInt(message.createdMs), BigInt(message.createdMs)],
    ]),
  );
  const ids = new Map(made.map(({ id, key }) => [key, Number(id)]));
  return messages.map(({ state: _, ...message }) => {
    const id = ids.get(message.key);
    if (id === undefined) return null;
    // the same key twice in one go: the first has it
    ids.delete(message.key);
    return { id, ...message, attempts: 0, nextMs: message.createdMs };
  });
}

/** Everything that still has to go to these channels, in the order of sending. */
export async function waitingOutgoing(database: Database, channels: string[]): Promise<OutboxRow[]> {
  const rows = await database.outbox.findMany({
    where: { state: 'waiting', channel: { in: channels } },
    orderBy: [{ priority: 'asc' }, { id: 'asc' }],
    select: COLUMNS,
  });
  return rows.map(toRow);
}

export async function countWaitingElsewhere(database: Database, channels: string[]): Promise<number> {
  return database.outbox.count({ where: { state: 'waiting', channel: { notIn: channels } } });
}

/** @param payload what is kept of it */
export async function markSent(
  database: Database,
  id: number,
  sentIds: string[],
  payload: string,
  nowMs: number,
) {
  await database.outbox.update({
    where: { id },
    data: {
      state: 'sent',
      sentIds: JSON.stringify(sentIds),
      payload,
      doneMs: BigInt(nowMs),
      attempts: { increment: 1 },
    },
  });
}

export async function markFailed(database: Database, id: number, error: string, nowMs: number) {
  await database.outbox.update({
    where: { id },
    data: { state: 'failed', error, doneMs: BigInt(nowMs), attempts: { increment: 1 } },
  });
}

/** It did not go this time; `nextMs` is when it is worth another try. */
export async function markRetry(database: Database, id: number, error: string, nextMs: number) {
  await database.outbox.update({
    where: { id },
    data: { error, nextMs: BigInt(nextMs), attempts: { increment: 1 } },
  });
}

/** Sends what is meant for a person to another chat of theirs, or on its way again after it was held. False: it was done meanwhile. */
export async function readdress(
  database: Database,
  id: number,
  to: { channel: string; chatId: string; payload: string; digest: string | null },
  from: 'waiting' | 'held',
): Promise<boolean> {
  const { count } = await database.outbox.updateMany({
    where: { id, state: from },
    data: { ...to, state: 'waiting' },
  });
  return count === 1;
}

/** Nobody can be reached: it waits until the person writes. */
export async function hold(database: Database, id: number, error: string) {
  await database.outbox.update({ where: { id }, data: { state: 'held', error } });
}

/** Is anything held for this person? Asked for every message. */
export async function holdsFor(database: Database, personId: number): Promise<boolean> {
  const sql = `SELECT 1 FROM "Outbox" WHERE "state" = 'held' AND "personId" = ? LIMIT 1`;
  return (await database.$queryRawUnsafe<unknown[]>(sql, personId)).length > 0;
}

/** What waits for people who can't be reached, of one person or of all, oldest first. */
export async function heldOutgoing(database: Database, personId?: number): Promise<OutboxRow[]> {
  const rows = await database.outbox.findMany({
    where: { state: 'held', ...(personId === undefined ? {} : { personId }) },
    orderBy: { id: 'asc' },
    select: COLUMNS,
  });
  return rows.map(toRow);
}

/** Gives up what was held since before `beforeMs`. @returns the keys */
export async function expireHeld(database: Database, beforeMs: number, nowMs: number): Promise<string[]> {
  const where = { state: 'held', createdMs: { lt: BigInt(beforeMs) } };
  const rows = await database.outbox.findMany({ where, select: { key: true } });
  await database.outbox.updateMany({
    where,
    data: { state: 'failed', error: 'the person could not be reached', doneMs: BigInt(nowMs) },
  });
  return rows.map((row) => row.key);
}

export async function rewritePayload(database: Database, id: number, payload: string) {
  await database.outbox.update({ where: { id }, data: { payload } });
}

/** Puts one message in place of many, in one step. Null when the digest is there already. */
export async function mergeOutgoing(
  database: Database,
  mergedIds: number[],
  digest: NewOutgoing,
  nowMs: number,
): Promise<OutboxRow | null> {
  try {
    return await inTransaction(database, async (tx) => {
      await tx.outbox.updateMany({
        where: { id: { in: mergedIds } },
        data: { state: 'merged', doneMs: BigInt(nowMs) },
      });
      return toRow(await tx.outbox.create({ data: createData(digest), select: COLUMNS }));
    });
  } catch (error) {
    if (isDuplicate(error)) return null;
    throw error;
  }
}

/** How many messages that answer this inbox message still have to go. */
export async function countWaitingFor(database: Database, inboxId: number): Promise<number> {
  return database.outbox.count({ where: { inboxId, state: 'waiting' } });
}

/** The key of a message that was put once; null when it is forgotten. */
export async function keyOfOutgoing(database: Database, id: number): Promise<string | null> {
  return (await database.outbox.findUnique({ where: { id }, select: { key: true } }))?.key ?? null;
}

/** Has this key been put? */
export async function isOutgoingKnown(database: Database, key: string): Promise<boolean> {
  return (await database.outbox.findUnique({ where: { key }, select: { id: true } })) !== null;
}

/** The platform's ids of the newest messages that were sent there, the oldest first; at most about so many. */
export async function sentIdsOf(database: Database, channel: string, most: number): Promise<string[]> {
  const rows = await database.outbox.findMany({
    where: { channel, state: 'sent', sentIds: { not: null } },
    orderBy: { id: 'desc' },
    take: most,
    select: { sentIds: true },
  });
  return rows.reverse().flatMap(({ sentIds }) => JSON.parse(sentIds!) as string[]);
}
