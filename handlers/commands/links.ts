import { PersonError } from '../../src/base/errors.js';
import { sayDate, sayRange, sayShortClock } from '../../src/base/vietnamese/say.js';
import { fold } from '../../src/base/vietnamese/text.js';
import { command, type Talk } from '../../src/chat/command.js';
import type { Shown } from '../../src/chat/message.js';
import { writeAudit } from '../../src/store/audit.js';
import { type LinkFacts, openLinks, revokeLinks } from '../../src/store/links.js';
import { listPeople } from '../../src/store/people.js';
import type { House } from '../house.js';
import { MAY, may } from '../rights.js';
import { insists, placeOf, rows, sayInPrivate } from '../saying.js';

/** `everybodys`: not only the asker's own; for the chief. */
type Args =
  | { do: 'list'; everybodys: boolean }
  | { do: 'revoke'; which: number[] | 'all'; everybodys: boolean };

const MOST = 20;
/** Buttons under the list. */
const BUTTONS = 8;

const ALL_OF_US = /^(?:tat ca|cua moi nguoi|moi nguoi|toan bo)$/;
const REVOKE = /^(?:thu(?: hoi| lai)?|huy|xoa|dong) (.+)$/;

/** Reads "", "tất cả", "thu 3", "thu 3, 5", "thu hết", "thu hết của mọi người"; null when it is none of them. */
export function readLinksWish(words: string): Args | null {
  const folded = fold(words);
  if (/^(?:|danh sach|cua toi|con han)$/.test(folded)) return { do: 'list', everybodys: false };
  if (ALL_OF_US.test(folded)) return { do: 'list', everybodys: true };
  const what = REVOKE.exec(folded)?.[1]?.replace(/^so /, '');
  if (what === undefined) return null;
  if (/^(?:het|tat ca)$/.test(what)) return { do: 'revoke', which: 'all', everybodys: false };
  if (/^(?:het|tat ca) (?:cua )?(?:moi nguoi|ca xa)$/.test(what))
    return { do: 'revoke', which: 'all', everybodys: true };
  const numbers = what.split(/ (?:va )?/);
  // one's own number or, for the chief, anybody's
  return numbers.every((number) => /^\d{1,9}$/.test(number))
    ? { do: 'revoke', which: numbers.map(Number), everybodys: true }
    : null;
}

/** `lienket`: links that still open, one's own or (for the chief) everybody's, and taking them back. */
export const linksCommand = (house: House) =>
  command<Args>({
    name: 'lienket',
    aliases: ['liên kết', 'link', 'đường dẫn'],
    summary: 'Đường dẫn xem hình còn mở được, thu lại đường dẫn',
    example: 'liên kết',
    may: MAY.links,
    inGroups: true,
    section: 'xem',
    async read(words, talk) {
      const wish = readLinksWish(words);
      if (wish !== null) return { kind: 'args', args: wish };
      return insists(talk) ? { kind: 'args', args: { do: 'list', everybodys: false } } : { kind: 'not-mine' };
    },
    async run(talk, args) {
      if (args.do === 'list') return list(house, talk, args.everybodys);
      await revoke(talk, args.which, args.everybodys);
    },
  });

/** Whose links this person may list and take back: undefined = everybody's. */
const scopeOf = (talk: Talk, everybodys: boolean) =>
  everybodys && may(talk.speaker.role, 'allLinks') ? undefined : talk.speaker.personId;

/** What is behind a link, in a line. */
function contentOf({ payload }: LinkFacts): string {
  const { files } = payload as { files: { fileName: string; shows?: Shown }[] };
  const first = files[0];
  if (first === undefined) return 'không có tệp';
  const what =
    first.shows === undefined
      ? first.fileName
      : `camera ${first.shows.camera}, ${sayRange(first.shows.startMs, first.shows.endMs)}`;
  return files.length === 1 ? what : `${what} (${files.length} tệp)`;
}

const NOT_YOURS = 'Đường dẫn của mọi người chỉ trưởng công an xem và thu lại được. Của mình thì gõ: liên kết';

async function list(house: House, talk: Talk, everybodys: boolean): Promise<void> {
  const scope = scopeOf(talk, everybodys);
  if (everybodys && scope !== undefined) throw new PersonError(NOT_YOURS);
  const links = await openLinks(house.db, talk.nowMs, scope);
  const names = new Map(
    (await listPeople(house.db, { guests: true })).map((person) => [person.id, person.name]),
  );
  const lines = links.slice(0, MOST).map((link) => {
    const of = scope === undefined ? `${names.get(link.personId ?? 0) ?? 'gửi nhóm'} · ` : '';
    const opened = link.locked
      ? 'đã khóa vì sai mã'
      : link.viewers === 0
        ? 'chưa mở'
        : `đã mở trên ${link.viewers} máy`;
    const until = `${sayShortClock(Math.floor(link.expiresMs / 60_000) * 60_000)} ${sayDate(link.expiresMs)}`;
    return `• Số ${link.number}: ${of}${contentOf(link)} · ${opened} · đến ${until}`;
  });
  const title =
    scope === undefined ? 'Đường dẫn còn mở được của mọi người' : 'Đường dẫn còn mở được của anh/chị';
  const more = links.length > MOST ? `\n(và ${links.length - MOST} đường dẫn cũ hơn)` : '';
  const buttons = links
    .slice(0, BUTTONS)
    .map((link) => ({ label: `Thu số ${link.number}`, says: `liên kết thu ${link.number}` }));
  if (links.length > 1)
    buttons.push({
      label: 'Thu hết',
      says: `liên kết thu hết${scope === undefined ? ' của mọi người' : ''}`,
    });
  if (scope !== undefined && may(talk.speaker.role, 'allLinks'))
    buttons.push({ label: 'Của mọi người', says: 'liên kết tất cả' });
  await sayInPrivate(
    talk,
    links.length === 0 ? `${title}: không có.` : `${title}:\n${lines.join('\n')}${more}`,
    rows(buttons),
  );
}

async function revoke(talk: Talk, which: number[] | 'all', everybodys: boolean): Promise<void> {
  if (which === 'all' && everybodys && scopeOf(talk, true) !== undefined) throw new PersonError(NOT_YOURS);
  const revoked = await talk.once('revoke', async (tx) => {
    const numbers = await revokeLinks(tx, which, talk.nowMs, scopeOf(talk, everybodys));
    if (numbers.length > 0)
      await writeAudit(tx, [
        {
          atMs: talk.nowMs,
          personId: talk.speaker.personId,
          personName: talk.speaker.name,
          action: 'link.revoke',
          place: placeOf(talk),
          result: 'ok',
          detail: `số ${numbers.join(', ')}`,
        },
      ]);
    return numbers;
  });
  await sayInPrivate(
    talk,
    revoked.length > 0
      ? `Đã thu lại đường dẫn số ${revoked.join(', ')}: từ giờ không ai mở được nữa, máy nào đang xem cũng dừng.`
      : 'Không có đường dẫn nào như vậy còn mở được. Gõ “liên kết” để xem danh sách.',
  );
}
