import { PersonError } from '../../src/base/errors.js';
import { ROLE_NAMES, ROLES, type Role } from '../../src/base/roles.js';
import { fold } from '../../src/base/vietnamese/text.js';
import { command, type Talk } from '../../src/chat/command.js';
import { accountsOf } from '../../src/store/accounts.js';
import { writeAudit } from '../../src/store/audit.js';
import {
  countChiefs,
  listPeople,
  type Person,
  personById,
  removePerson,
  renamePerson,
  setPersonHamlet,
  setRole,
} from '../../src/store/people.js';
import { channelName } from '../channel-names.js';
import { findPeople } from '../find.js';
import { followRole, leavingWords, settleMembersSoon } from '../group-members.js';
import type { House } from '../house.js';
import { MAY, may } from '../rights.js';
import { readRole } from '../role-words.js';
import { hamletCalled, insists, placeOf, rows, sayInPrivate } from '../saying.js';

type Args =
  | { do: 'list'; role: Role | null }
  | { do: 'show' | 'remove' | 'remove-surely'; id: number }
  | { do: 'role'; id: number; role: Role }
  | { do: 'rename'; id: number; name: string }
  | { do: 'hamlet'; id: number; hamlet: string };

/** What follows the person: "là cán bộ", "vai trò trưởng thôn", "thôn 2", "tên Lê Văn A", "xóa". */
const ACTIONS: [RegExp, (id: number, rest: string) => Args | null][] = [
  [/\s+(?:x[oó]a|x[oó]á|gỡ|go|bỏ)\s+(?:chắc chắn|chac chan)\s*$/iu, (id) => ({ do: 'remove-surely', id })],
  [/\s+(?:x[oó]a|xoá|gỡ|go|bỏ)\s*$/iu, (id) => ({ do: 'remove', id })],
  [
    /\s+(?:là|la|vai trò|vai tro|vai|làm|lam)\s+(.+)$/iu,
    (id, rest) => {
      const role = readRole(rest);
      return role === null ? null : { do: 'role', id, role };
    },
  ],
  [/\s+(?:tên|đổi tên)\s+(.+)$/iu, (id, rest) => ({ do: 'rename', id, name: rest.trim() })],
  [
    /\s+((?:thôn|thon|tiểu khu|tieu khu|khu phố|khu pho|xóm|xom|ấp|bản|làng|khu)\s+.+|không thôn)$/iu,
    (id, rest) => ({ do: 'hamlet', id, hamlet: rest }),
  ],
];

/** `nguoi`: whom the bot knows; role, hamlet and name are changed here, and people are removed. */
export const peopleCommand = (house: House) =>
  command<Args>({
    name: 'nguoi',
    aliases: ['người', 'danh sách người', 'thành viên'],
    summary: 'Danh sách người, đổi vai trò, gỡ người',
    example: 'người',
    may: MAY.people,
    inGroups: true,
    section: 'quản lý',
    async read(words, talk) {
      const folded = fold(words);
      if (folded === '' || folded === 'danh sach') return { kind: 'args', args: { do: 'list', role: null } };
      const role = readRole(words);
      if (role !== null) return { kind: 'args', args: { do: 'list', role } };
      const people = await listPeople(house.db, { guests: true });
      for (const [pattern, make] of ACTIONS) {
        const match = pattern.exec(words);
        if (match === null) continue;
        const found = findPeople(people, words.slice(0, match.index));
        const only = found.exact.length === 1 ? found.exact[0] : undefined;
        if (only !== undefined) {
          const args = make(only.id, match[1] ?? '');
          if (args !== null) return { kind: 'args', args };
        } else if (found.exact.length > 1)
          return { kind: 'answer', reply: (here) => which(here, found.exact, match[0]) };
      }
      const found = findPeople(people, words);
      const only = found.exact[0];
      if (found.exact.length === 1 && only !== undefined)
        return { kind: 'args', args: { do: 'show', id: only.id } };
      if (found.exact.length > 1) return { kind: 'answer', reply: (here) => which(here, found.exact, '') };
      if (found.near.length > 0 && folded.split(' ').length <= 5)
        return { kind: 'answer', reply: (here) => which(here, found.near, '') };
      if (insists(talk))
        return {
          kind: 'answer',
          reply: async (here) =>
            void (await sayInPrivate(here, 'Em chưa tìm thấy người này. Gõ “người” để xem cả danh sách.')),
        };
      return { kind: 'not-mine' };
    },
    async run(talk, args) {
      if (args.do === 'list') return list(house, talk, args.role);
      const person = await personById(house.db, args.id);
      if (person === null) throw new PersonError('Người này không còn trong danh sách.');
      if (args.do === 'show') return show(house, talk, person);
      if (args.do === 'remove') {
        await guardLastChief(house, talk, person, 'guest');
        await sayInPrivate(
          talk,
          `Gỡ ${person.name} (${ROLE_NAMES[person.role]})? Người này sẽ thành khách: không xem, không quản lý được gì nữa.`,
          [
            [
              { label: 'Gỡ', says: `người #${person.id} xóa chắc chắn` },
              { label: 'Thôi', says: `người #${person.id}` },
            ],
          ],
        );
        return;
      }
      await change(house, talk, person, args);
    },
  });

async function which(talk: Talk, people: Person[], rest: string): Promise<void> {
  await sayInPrivate(
    talk,
    'Ý anh/chị là ai ạ?',
    rows(
      people.slice(0, 8).map((person) => ({ label: labelOf(person), says: `người #${person.id}${rest}` })),
    ),
  );
}

const labelOf = (person: Person) =>
  `${person.name} · ${ROLE_NAMES[person.role]}${person.hamletName === null ? '' : ` · ${person.hamletName}`}`;

async function list(house: House, talk: Talk, role: Role | null): Promise<void> {
  const people = (await listPeople(house.db, { guests: role === 'guest' })).filter(
    (person) => role === null || person.role === role,
  );
  const parts: string[] = [];
  for (const one of [...ROLES].reverse()) {
    const those = people.filter((person) => person.role === one);
    if (those.length === 0) continue;
    const lines = those
      .slice(0, 60)
      .map(
        (person) =>
          `• ${person.name}${person.hamletName === null ? '' : ` · ${person.hamletName}`}  (#${person.id})`,
      );
    if (those.length > 60) lines.push(`… và ${those.length - 60} người nữa`);
    parts.push(`${ROLE_NAMES[one].toUpperCase()} (${those.length})\n${lines.join('\n')}`);
  }
  const text =
    parts.length === 0
      ? `Chưa có ai${role === null ? '' : ` là ${ROLE_NAMES[role]}`}. Mời người mới bằng cách gõ: mời`
      : `${parts.join('\n\n')}\n\nXem một người: người <tên>. Đổi vai trò: người <tên> là cán bộ.`;
  await sayInPrivate(talk, text);
}

async function show(house: House, talk: Talk, person: Person): Promise<void> {
  const addresses = await accountsOf(house.db, person.id);
  const lines = addresses.map(
    (address) =>
      `• ${channelName(address.channel)}${address.blocked ? ', đã chặn bot' : address.privateChatId === null ? ', chưa mở chat riêng' : ''}`,
  );
  const others = (['officer', 'hamletHead', 'technician', 'household', 'donor', 'chief'] as const)
    .filter((role) => role !== person.role)
    .map((role) => ({
      label: `Đổi thành ${ROLE_NAMES[role]}`,
      says: `người #${person.id} là ${ROLE_NAMES[role]}`,
    }));
  await sayInPrivate(
    talk,
    `${labelOf(person)}  (#${person.id})\nKênh chat:\n${lines.join('\n') || '• chưa có'}\n\nĐổi thôn: người #${person.id} thôn 1`,
    [...rows(others), [{ label: 'Gỡ người này', says: `người #${person.id} xóa` }]],
  );
}

async function guardLastChief(house: House, talk: Talk, person: Person, role: Role): Promise<void> {
  if (person.role === 'chief' && role !== 'chief' && (await countChiefs(house.db)) <= 1)
    throw new PersonError(
      `${person.id === talk.speaker.personId ? 'Anh/chị' : person.name} là trưởng công an duy nhất, nên chưa gỡ hay đổi được. Hãy mời hoặc đặt một trưởng khác trước.`,
    );
}

async function change(
  house: House,
  talk: Talk,
  person: Person,
  args: Exclude<Args, { do: 'list' | 'show' | 'remove' }>,
): Promise<void> {
  const none = args.do === 'hamlet' && fold(args.hamlet) === 'khong thon';
  const hamlet = args.do === 'hamlet' && !none ? await hamletCalled(house, args.hamlet) : null;
  const said = await talk.once('person', async (tx) => {
    // Read inside: two chiefs who remove each other at once leave one.
    const now = await personById(tx, person.id);
    if (now === null) return null;
    const last = now.role === 'chief' && (await countChiefs(tx)) <= 1;
    const loses = args.do === 'remove-surely' || (args.do === 'role' && args.role !== 'chief');
    if (last && loses) return null;
    const action =
      args.do === 'role'
        ? 'person.role'
        : args.do === 'rename'
          ? 'person.name'
          : args.do === 'hamlet'
            ? 'person.hamlet'
            : 'person.remove';
    let detail = now.name;
    const role = args.do === 'role' ? args.role : args.do === 'remove-surely' ? 'guest' : now.role;
    const groups = await followRole(tx, now, role, talk.nowMs);
    const leaving = may(role, 'clip') ? '' : leavingWords(groups);
    if (args.do === 'role') {
      await setRole(tx, now.id, args.role);
      detail = `${now.name}: ${ROLE_NAMES[now.role]} → ${ROLE_NAMES[args.role]}`;
    } else if (args.do === 'rename') {
      await renamePerson(tx, now.id, args.name.slice(0, 80));
      detail = `${now.name} → ${args.name.slice(0, 80)}`;
    } else if (args.do === 'hamlet') {
      await setPersonHamlet(tx, now.id, hamlet?.id ?? null);
      detail = `${now.name}: ${hamlet?.name ?? 'không thuộc thôn nào'}`;
    } else await removePerson(tx, now.id, talk.nowMs);
    await writeAudit(tx, [
      {
        atMs: talk.nowMs,
        personId: talk.speaker.personId,
        personName: talk.speaker.name,
        action,
        place: placeOf(talk),
        result: 'ok',
        detail,
      },
    ]);
    const done =
      args.do === 'remove-surely' ? `Đã gỡ ${now.name}. Muốn mời lại, gõ: mời` : `Đã đổi. ${detail}.`;
    return `${done}${leaving}`;
  });
  settleMembersSoon(house);
  if (said === null) {
    await guardLastChief(house, talk, person, 'guest');
    throw new PersonError('Người này không còn trong danh sách.');
  }
  const needsHamlet =
    args.do === 'role' && args.role === 'hamletHead' && person.hamletId === null
      ? `\nTrưởng thôn cần có thôn: gõ “người #${person.id} thôn 1”.`
      : '';
  await sayInPrivate(talk, `${said}${needsHamlet}`);
}
