import { type Database, lax } from './database.js';

/** A message as it waits to be answered; `payload` is its JSON. */
export interface InboxRow {
  id: number;
  channel: string;
  chatId: string;
  payload: string;
  receivedMs: number;
  /** how often answering it has begun and got no further than the time before */
  attempts: number;
  /** answering it has begun in an earlier life of the process */
  rerun: boolean;
  /** effects and replies made for it so far */
  progress: number;
}

export interface NewIncoming {
  channel: string;
  chatId: string;
  externalId: string;
  payload: string;
  receivedMs: number;
}

const sameMessage = ({ channel, externalId }: { channel: string; externalId: string }) =>
  JSON.stringify([channel, externalId]);

/**
 * Writes messages down, each once, all in one statement: they are durable together, at the price of one.
 * @returns of each, in order; `fresh` is false when it was there before (the channel delivered it again)
 */
export async function putIncoming(
  database: Database,
  messages: readonly NewIncoming[],
): Promise<{ inboxId: number; fresh: boolean }[]> {
  // both at once: what is not fresh was there before, whichever is done first
  const [made, there] = await Promise.all([
    database.$queryRawUnsafe<Known[]>(
      `INSERT INTO "Inbox" ("channel", "chatId", "externalId", "payload", "receivedMs")
       VALUES ${messages.map(() => '(?, ?, ?, ?, ?)').join(', ')}
       ON CONFLICT ("channel", "externalId") DO NOTHING RETURNING "id", "channel", "externalId"`,
      ...messages.flatMap(({ channel, chatId, externalId, payload, receivedMs }) => [
        ...[channel, chatId, externalId, payload, BigInt(receivedMs)],
      ]),
    ),
    findKnown(database, messages),
  ]);
  const idOf = (rows: Known[]) => new Map(rows.map((row) => [sameMessage(row), Number(row.id)]));
  const fresh = idOf(made);
  const known = idOf(there);
  const claimed = new Set<string>();
  return messages.map((message) => {
    const key = sameMessage(message);
    const inboxId = fresh.get(key) ?? known.get(key);
    if (inboxId === undefined) throw new Error('a message vanished while it was written down');
    const first = fresh.has(key) && !claimed.has(key);
    claimed.add(key);
    return { inboxId, fresh: first };
  });
}

interface Known {
  id: bigint | number;
  channel: string;
  externalId: string;
}

/** All with one question: a platform that tells everything again must not cost more than what is new. */
const findKnown = (database: Database, messages: readonly NewIncoming[]) =>
  database.$queryRawUnsafe<Known[]>(
    `SELECT "id", "channel", "externalId" FROM "Inbox"
     WHERE ("channel", "externalId") IN (VALUES ${messages.map(() => '(?, ?)').join(', ')})`,
    ...messages.flatMap(({ channel, externalId }) => [channel, externalId]),
  );

/**
 * Everything not answered yet, oldest first. A run that got further than the one before it does not count as an
 * attempt: whatever ended it, it was not the same spot in the same message again.
 */
export async function waitingIncoming(database: Database): Promise<InboxRow[]> {
  const rows = await database.inbox.findMany({ where: { state: 'waiting' }, orderBy: { id: 'asc' } });
  const found: InboxRow[] = [];
  for (const row of rows) {
    const { id, attempts } = row;
    const made =
      attempts === 0
        ? 0
        : (await database.effect.count({ where: { inboxId: id } })) +
          (await database.outbox.count({ where: { inboxId: id } }));
    found.push({
      id,
      channel: row.channel,
      chatId: row.chatId,
      payload: row.payload,
      receivedMs: Number(row.receivedMs),
      attempts: made > row.progress ? 0 : attempts,
      rerun: attempts > 0,
      progress: made,
    });
  }
  return found;
}

/** Payloads of a channel's messages that were taken since then, at most so many of the newest. */
export async function incomingSince(
  database: Database,
  channel: string,
  sinceMs: number,
  most = 10_000,
): Promise<string[]> {
  const where = { channel, receivedMs: { gte: BigInt(sinceMs) } };
  const rows = await database.inbox.findMany({
    ...{ where, orderBy: { id: 'desc' as const }, take: most, select: { payload: true } },
  });
  return rows.map(({ payload }) => payload);
}

/** Notes that answering begins. Written before the work, so that a crash is counted. */
export async function beginAttempt(database: Database, { id, attempts, progress }: InboxRow): Promise<void> {
  const sql = 'UPDATE "Inbox" SET "attempts" = ?, "progress" = ? WHERE "id" = ?';
  await lax(database, sql, attempts + 1, progress, id);
}

/** A run that was stopped in order is no crash; but some of its effects may be there: it stays marked as begun. */
export async function withdrawAttempt(database: Database, { id, attempts }: InboxRow): Promise<void> {
  await database.inbox.updateMany({ where: { id }, data: { attempts: Math.max(1, attempts) } });
}

/** Who sent a message, an account of its channel; null when it is forgotten, or nobody's. */
export async function senderOf(database: Database, id: number): Promise<string | null> {
  const row = await database.inbox.findUnique({ where: { id }, select: { payload: true } });
  if (row === null) return null;
  return (JSON.parse(row.payload) as { sender?: { userId?: string } }).sender?.userId ?? null;
}

/** A power cut may take this back: then it is answered again, and what was done and said for it stays done once. */
export async function finishIncoming(database: Database, id: number, nowMs: number): Promise<void> {
  const sql = `UPDATE "Inbox" SET "state" = 'done', "doneMs" = ? WHERE "id" = ?`;
  await lax(database, sql, BigInt(nowMs), id);
}

export async function isIncomingDone(database: Database, id: number): Promise<boolean> {
  const row = await database.inbox.findUnique({ where: { id }, select: { state: true } });
  return row === null || row.state === 'done';
}

/**
 * Forgets what was answered before `beforeMs`, with its sent messages. A platform must not deliver older ones again.
 * @returns how many messages went
 */
export async function pruneQueues(database: Database, beforeMs: number): Promise<number> {
  const old = { lt: BigInt(beforeMs) };
  await database.outbox.deleteMany({ where: { state: { notIn: ['waiting', 'held'] }, doneMs: old } });
  const gone = await database.inbox.deleteMany({ where: { state: 'done', doneMs: old } });
  await database.pending.deleteMany({ where: { expiresMs: old } });
  return gone.count;
}
