import type { Database, Transaction } from './database.js';

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
  const place = { channel, chatId, userId };
  const question = { payload, expiresMs: BigInt(expiresMs) };
  await database.pending.upsert({
    where: { channel_chatId_userId: place },
    create: { ...place, ...question },
    update: question,
  });
}

/** The open question's JSON, or null when none is open at `nowMs`. */
export async function findPending(
  database: Database,
  { channel, chatId, userId }: PendingPlace,
  nowMs: number,
): Promise<string | null> {
  const row = await database.pending.findUnique({
    where: { channel_chatId_userId: { channel, chatId, userId } },
  });
  return row === null || Number(row.expiresMs) < nowMs ? null : row.payload;
}

export async function closePending(
  database: Database | Transaction,
  { channel, chatId, userId }: PendingPlace,
): Promise<void> {
  await database.pending.deleteMany({ where: { channel, chatId, userId } });
}
