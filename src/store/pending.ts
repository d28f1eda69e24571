import { type Database, lax, type Transaction } from './database.js';

/** Whose open question it is, and where. */
export interface PendingPlace {
  channel: string;
  chatId: string;
  userId: string;
}

/** Opens a question (JSON), in place of the one that was open there. */
export async function openPending(
  database: Database,
  { channel, chatId, userId }: PendingPlace,
  payload: string,
  expiresMs: number,
): Promise<void> {
  await lax(
    database,
    `INSERT INTO "Pending" ("channel", "chatId", "userId", "payload", "expiresMs") VALUES (?, ?, ?, ?, ?)
     ON CONFLICT ("channel", "chatId", "userId")
     DO UPDATE SET "payload" = excluded."payload", "expiresMs" = excluded."expiresMs"`,
    ...[channel, chatId, userId, payload, BigInt(expiresMs)],
  );
}

/** The open question's JSON, or null when none is open at `nowMs`. */
export async function findPending(
  database: Database,
  { channel, chatId, userId }: PendingPlace,
  nowMs: number,
): Promise<string | null> {
  const [row] = await database.$queryRawUnsafe<{ payload: string; expiresMs: bigint }[]>(
    `SELECT "payload", "expiresMs" FROM "Pending" WHERE "channel" = ? AND "chatId" = ? AND "userId" = ?`,
    ...[channel, chatId, userId],
  );
  return row === undefined || Number(row.expiresMs) < nowMs ? null : row.payload;
}

export async function closePending(
  database: Database | Transaction,
  { channel, chatId, userId }: PendingPlace,
): Promise<void> {
  await database.pending.deleteMany({ where: { channel, chatId, userId } });
}
