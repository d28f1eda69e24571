import type { Database, Transaction } from './database.js';

/** Takes a secret out of what is kept of an accepted message: the inbox, and the console's own conversation. */
export async function scrubMessage(
  db: Database | Transaction,
  inboxId: number,
  secret: string,
  instead: string,
): Promise<void> {
  // the secret as it stands inside a JSON text
  const needle = JSON.stringify(secret).slice(1, -1);
  const clean = (payload: string) => payload.replaceAll(needle, instead);
  const row = await db.inbox.findUnique({ where: { id: inboxId } });
  if (row?.payload.includes(needle))
    await db.inbox.update({ where: { id: inboxId }, data: { payload: clean(row.payload) } });
  // an answer to a question stands in the note of what it meant, too
  const notes = await db.effect.findMany({ where: { inboxId, result: { contains: needle } } });
  for (const { name, result } of notes)
    await db.effect.update({ where: { inboxId_name: { inboxId, name } }, data: { result: clean(result) } });
  const shown = await db.consoleMessage.findMany({
    where: { payload: { contains: needle } },
    orderBy: { id: 'desc' },
    take: 20,
  });
  for (const message of shown)
    await db.consoleMessage.update({ where: { id: message.id }, data: { payload: clean(message.payload) } });
  if ('$connect' in db) await forgetOldPages(db);
}

/** Keeps the words of an accepted message only as `clean` leaves them; what was taken out of them before stays out. */
export async function cleanMessage(
  db: Database,
  inboxId: number,
  clean: (text: string) => string,
): Promise<void> {
  const row = await db.inbox.findUnique({ where: { id: inboxId } });
  const kept = JSON.parse(row?.payload ?? '{}') as { text?: string };
  const text = clean(kept.text ?? '');
  if (text === (kept.text ?? '')) return;
  await db.inbox.update({ where: { id: inboxId }, data: { payload: JSON.stringify({ ...kept, text }) } });
  await forgetOldPages(db);
}

/** What was overwritten still stands in the write-ahead log until that is written back and cut to nothing. */
async function forgetOldPages(db: Database): Promise<void> {
  await db.$queryRawUnsafe('PRAGMA wal_checkpoint(TRUNCATE)');
}
