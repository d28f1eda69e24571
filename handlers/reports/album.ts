import type { Talk } from '../../src/chat/command.js';
import { inTransaction } from '../../src/store/database.js';
import { dropSetting, readFact, settingsUnder, writeFact } from '../../src/store/settings.js';
import type { House } from '../house.js';
import { type ForwardedFile, forwardFiles } from './forwarding.js';

/** Photos of an album come as messages of their own: what waits to go on together. Kept until it has gone. */
interface Held {
  code: string;
  words: string;
  /** when nothing more has come for a while */
  dueMs: number;
  /** the message that began it, and how many files are gone already: for the key */
  inboxId: number;
  sent: number;
  files: ForwardedFile[];
  /** how many of `files` are on their way: fixed before they go, so that a crash repeats the same */
  batch: number | null;
}

const UNDER = 'report.held:';
/** An album is complete when nothing has come for this long, ms. */
const QUIET_MS = 2500;

/** Keeps the files of one message of an album until the album is complete, then they go on as one. */
export async function holdAlbum(
  house: House,
  talk: Talk,
  part: { reportId: number; code: string; words: string; files: ForwardedFile[] },
): Promise<void> {
  const key = `${UNDER}${part.reportId}`;
  const dueMs = house.clock.now() + QUIET_MS;
  await talk.once('hold', async (tx) => {
    const held = await readFact<Held>(tx, key);
    const files = part.files.map(({ path, shown }) => ({ path, shown }));
    await writeFact(
      tx,
      key,
      held === null
        ? ({
            code: part.code,
            words: part.words,
            dueMs,
            inboxId: talk.inboxId,
            sent: 0,
            files,
            batch: null,
          } satisfies Held)
        : ({ ...held, dueMs, files: [...held.files, ...files] } satisfies Held),
    );
    return null;
  });
  setTimeout(() => {
    forwardAlbums(house).catch((error: unknown) => house.log.warn({ err: error }, 'an album waits'));
  }, QUIET_MS + 50).unref();
}

/** Sends on every album that is complete; also those that an earlier run of the service left. */
export async function forwardAlbums(house: House): Promise<void> {
  for (const { key } of await settingsUnder(house.db, UNDER)) {
    const held = await inTransaction(house.db, async (tx) => {
      const now = await readFact<Held>(tx, key);
      if (now === null || (now.batch === null && now.dueMs > house.clock.now())) return null;
      const fixed: Held = { ...now, batch: now.batch ?? now.files.length };
      await writeFact(tx, key, fixed);
      return fixed;
    });
    if (held !== null) await send(house, key, held);
  }
}

async function send(house: House, key: string, held: Held): Promise<void> {
  if (house.spoolFor === undefined) return;
  const batch = held.batch ?? 0;
  await forwardFiles(house, {
    ...{ key: `${key}:${held.inboxId}:${held.sent}`, code: held.code },
    words: held.sent === 0 ? held.words : `Tin báo ${held.code} (tiếp)`,
    files: held.files.slice(0, batch),
  });
  await inTransaction(house.db, async (tx) => {
    const now = await readFact<Held>(tx, key);
    // another pass may have been quicker
    if (now === null || now.inboxId !== held.inboxId || now.sent !== held.sent || now.batch !== batch) return;
    const left = now.files.slice(batch);
    if (left.length === 0) await dropSetting(tx, key);
    else
      await writeFact(tx, key, { ...now, files: left, sent: now.sent + batch, batch: null } satisfies Held);
  });
}
