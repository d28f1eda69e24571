import { PersonError } from '../src/base/errors.js';
import { fold } from '../src/base/vietnamese/text.js';
import type { Talk } from '../src/chat/command.js';
import type { Button, Reply } from '../src/chat/message.js';
import { type AuditEntry, writeAudit } from '../src/store/audit.js';
import { type Hamlet, listHamlets } from '../src/store/places.js';
import { NO_NAME } from '../src/store/speakers.js';
import type { House } from './house.js';

/** How somebody is spoken to whose name the platform may not have told. */
export const calling = (name: string): string => (name === NO_NAME ? 'anh/chị' : name);

/** Said with a slash or by a button: surely meant for the bot, whatever the words. */
export const insists = (talk: Talk): boolean =>
  talk.message.pressed === true || talk.message.text.trimStart().startsWith('/');

/** Where an answer went, for the log. */
export const placeOf = (talk: Talk, privately = talk.group === null): string =>
  privately
    ? `${talk.message.channel}:private`
    : `${talk.message.channel}:group:${talk.group?.purpose ?? 'unbound'}`;

/** Writes the log's lines for a message, once however often the message is run. */
export async function log(
  talk: Talk,
  entries: (Omit<AuditEntry, 'atMs' | 'personId' | 'personName' | 'place'> & { place?: string })[],
): Promise<void> {
  await talk.once('log', async (tx) => {
    await writeAudit(
      tx,
      entries.map((entry) => ({
        atMs: talk.nowMs,
        personId: talk.speaker.personId,
        personName: talk.speaker.name,
        place: placeOf(talk),
        ...entry,
      })),
    );
    return null;
  });
}

/** Says it here when the chat is private, else privately. False: not delivered, and the group has a button. */
export async function sayInPrivate(talk: Talk, text: string, buttons?: Button[][]): Promise<boolean> {
  const reply = { kind: 'text' as const, text, ...(buttons === undefined ? {} : { buttons }) };
  if (talk.group !== null) return privately(talk, reply);
  await talk.reply(reply);
  return true;
}

const pointed = new WeakSet<Talk>();

/** Says it in private; the group hears once where the answer went. False: not delivered, the group has a button. */
export async function privately(talk: Talk, reply: Reply | string): Promise<boolean> {
  const delivered = await talk.replyPrivately(reply);
  if (delivered && talk.group !== null && !pointed.has(talk)) {
    pointed.add(talk);
    await talk.reply('Em đã gửi riêng cho anh/chị rồi ạ.');
  }
  return delivered;
}

/** Buttons in rows of `width`. */
export function rows(buttons: Button[], width = 2): Button[][] {
  const out: Button[][] = [];
  for (let i = 0; i < buttons.length; i += width) out.push(buttons.slice(i, i + width));
  return out;
}

const HAMLET_KINDS = /^(thon|tieu khu|khu pho|khu|xom|ap|ban|lang|to dan pho|to)\s+/;

/** Do the words begin as the name of a hamlet does ("thôn …", "tiểu khu …")? */
export const namesHamlet = (words: string): boolean => HAMLET_KINDS.test(`${fold(words)} `);

/** The hamlet called so, or null: "thôn 1", "1", "Thôn Đông", "đông" all find theirs. */
export function findHamlet(hamlets: Hamlet[], words: string): Hamlet | null {
  const asked = fold(words);
  if (asked === '') return null;
  const bare = asked.replace(HAMLET_KINDS, '');
  if (namesHamlet(bare)) return findHamlet(hamlets, bare);
  return (
    hamlets.find((hamlet) => fold(hamlet.name) === asked) ??
    hamlets.find((hamlet) => fold(hamlet.name).replace(HAMLET_KINDS, '') === bare) ??
    null
  );
}

/** The hamlet called so, or a sentence that lists those there are. */
export async function hamletCalled(house: House, words: string): Promise<Hamlet> {
  const hamlets = await listHamlets(house.db);
  const found = findHamlet(hamlets, words);
  if (found !== null) return found;
  const known =
    hamlets.length === 0
      ? 'Hiện chưa có thôn nào.'
      : `Đang có: ${hamlets.map((hamlet) => hamlet.name).join(', ')}.`;
  throw new PersonError(
    `Em chưa thấy thôn nào tên “${words.trim()}”. ${known} Trưởng công an thêm thôn bằng cách gõ: thôn thêm ${words.trim().replace(/^(?:thôn|thon)\s+(?=(?:thôn|thon)\s)/iu, '') || 'Thôn 1'}`,
  );
}
