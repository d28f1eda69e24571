import fs from 'node:fs/promises';
import QRCode from 'qrcode';
import { DAY_MS } from '../../src/base/clock.js';
import { PersonError } from '../../src/base/errors.js';
import { ROLE_NAMES, type Role } from '../../src/base/roles.js';
import { sayDay } from '../../src/base/vietnamese/say.js';
import { fold } from '../../src/base/vietnamese/text.js';
import { command, type Talk } from '../../src/chat/command.js';
import { writeAudit } from '../../src/store/audit.js';
import { addInvitation, openInvitations, revokeInvitation } from '../../src/store/invitations.js';
import { type Hamlet, listHamlets } from '../../src/store/places.js';
import { channelName, MESSENGERS } from '../channel-names.js';
import { makeInvitationCode, readCode } from '../codes.js';
import type { House } from '../house.js';
import { redeem } from '../redeem.js';
import { invitable, MAY } from '../rights.js';
import { readRoleAt } from '../role-words.js';
import { findHamlet, hamletCalled, insists, placeOf, privately, rows, sayInPrivate } from '../saying.js';

interface Wish {
  role: Role;
  hamlet: Hamlet | null;
  uses: number;
  days: number;
}

type Args =
  | { do: 'menu' }
  | { do: 'list' }
  | { do: 'revoke'; id: number }
  | { do: 'redeem'; code: string }
  | { do: 'invite'; wish: Wish };

const DEFAULT_DAYS = 7;
const MOST_DAYS = 90;
const MOST_USES = 500;

/** Reads "hộ thôn 2 30 lượt 14 ngày": a role first, the rest in any order, nothing left over; else null. */
export function readWish(words: string, hamlets: Hamlet[]): Wish | null {
  let rest = fold(words).split(' ');
  const role = readRoleAt(rest);
  if (role === null) return null;
  rest = rest.slice(role.taken);
  const wish: Wish = {
    role: role.role,
    hamlet: null,
    uses: role.role === 'household' ? 20 : 1,
    days: DEFAULT_DAYS,
  };
  const count = (units: string[]): number | null => {
    const at = rest.findIndex((word, i) => /^\d+$/.test(word) && units.includes(rest[i + 1] ?? ''));
    if (at < 0) return null;
    const value = Number(rest[at]);
    rest.splice(at, 2);
    return value;
  };
  const days = count(['ngay']);
  const weeks = count(['tuan']);
  const uses = count(['luot', 'nguoi', 'lan', 'ho']);
  if (days !== null) wish.days = days;
  else if (weeks !== null) wish.days = weeks * 7;
  if (uses !== null) wish.uses = uses;
  if (rest.length > 0) {
    wish.hamlet = findHamlet(hamlets, rest.join(' '));
    if (wish.hamlet === null) return null;
  }
  return wish;
}

/** `moi`: lets people in. An invitation has a role, a number of uses and an end; it can be taken back. */
export const inviteCommand = (house: House) =>
  command<Args>({
    name: 'moi',
    aliases: ['mời', 'lời mời'],
    summary: 'Mời người vào, kèm mã QR',
    example: 'mời hộ thôn 1 20 lượt 7 ngày',
    may: MAY.invite,
    inGroups: true,
    section: 'quản lý',
    async read(words, talk) {
      const folded = fold(words);
      if (folded === '') return { kind: 'args', args: { do: 'menu' } };
      if (folded === 'danh sach') return { kind: 'args', args: { do: 'list' } };
      const revoke = /^(?:huy|thu hoi|xoa) (\d{1,9})$/.exec(folded);
      if (revoke !== null) return { kind: 'args', args: { do: 'revoke', id: Number(revoke[1]) } };
      if (readCode(words) !== null) return { kind: 'args', args: { do: 'redeem', code: words } };
      const wish = readWish(words, await listHamlets(house.db));
      if (wish !== null) return { kind: 'args', args: { do: 'invite', wish } };
      const place =
        /^(?:hộ|ho|hộ dân|người dân|trưởng thôn|truong thon)\s+((?:thôn|thon|tiểu khu|tieu khu|khu phố|xóm|xom)\s+[\p{L}\p{M}\d]+)(?:\s+\d.*)?$/iu.exec(
          words.normalize('NFC'),
        );
      if (place !== null)
        return { kind: 'answer', reply: async () => void (await hamletCalled(house, place[1] ?? '')) };
      return insists(talk) ? { kind: 'args', args: { do: 'menu' } } : { kind: 'not-mine' };
    },
    async run(talk, args) {
      if (args.do === 'redeem') return redeem(house, talk, args.code);
      if (args.do === 'menu') return menu(talk);
      if (args.do === 'list') return list(house, talk);
      if (args.do === 'revoke') return revoke(talk, args.id);
      await invite(house, talk, args.wish);
    },
  });

async function menu(talk: Talk): Promise<void> {
  const buttons = invitable(talk.speaker.role).map((role) => ({
    label: ROLE_NAMES[role],
    says: `mời ${ROLE_NAMES[role]}`,
  }));
  await sayInPrivate(talk, 'Anh/chị muốn mời ai? Có thể gõ đủ: “mời hộ thôn 1 20 lượt 7 ngày”.', [
    ...rows(buttons),
    [{ label: 'Các lời mời còn hạn', says: 'mời danh sách' }],
  ]);
}

async function list(house: House, talk: Talk): Promise<void> {
  const names = new Map((await listHamlets(house.db)).map((hamlet) => [hamlet.id, hamlet.name]));
  const open = (await openInvitations(house.db, talk.nowMs)).filter((one) =>
    invitable(talk.speaker.role).includes(one.role),
  );
  const lines = open.map(
    (one) =>
      `• Số ${one.id}: ${ROLE_NAMES[one.role]}${one.hamletId === null ? '' : `, ${names.get(one.hamletId) ?? ''}`}, đã dùng ${one.used}/${one.maxUses} lượt, hết hạn ${sayDay(one.expiresMs)}`,
  );
  await sayInPrivate(
    talk,
    lines.length === 0
      ? 'Không có lời mời nào còn hạn. Mời người mới: gõ “mời”.'
      : `Lời mời còn hạn:\n${lines.join('\n')}`,
    rows(open.slice(0, 8).map((one) => ({ label: `Thu lại số ${one.id}`, says: `mời hủy ${one.id}` }))),
  );
}

async function revoke(talk: Talk, id: number): Promise<void> {
  const done = await talk.once('revoke', async (tx) => {
    const open = (await openInvitations(tx, talk.nowMs)).find((one) => one.id === id);
    if (open === undefined || !invitable(talk.speaker.role).includes(open.role)) return false;
    const revoked = await revokeInvitation(tx, id, talk.nowMs);
    if (revoked)
      await writeAudit(tx, [
        {
          atMs: talk.nowMs,
          personId: talk.speaker.personId,
          personName: talk.speaker.name,
          action: 'invitation.revoke',
          place: placeOf(talk),
          result: 'ok',
          detail: `lời mời ${id}`,
        },
      ]);
    return revoked;
  });
  await sayInPrivate(
    talk,
    done
      ? `Đã thu lại lời mời số ${id}, mã không còn dùng được.`
      : `Không có lời mời số ${id} còn hạn. Gõ “mời danh sách” để xem.`,
  );
}

/** How the invited come in, on each messenger there is; a link that carries the code needs no typing. */
function waysIn(house: House, code: string): string[] {
  return MESSENGERS.flatMap((name) => {
    const link = house.channelOf(name)?.privateChatLink(code) ?? null;
    if (link === null) return [];
    return link.includes(code)
      ? [`${channelName(name)}: bấm vào ${link}`]
      : [`${channelName(name)}: mở ${link} rồi nhắn mã ở dưới`];
  });
}

async function invite(house: House, talk: Talk, wish: Wish): Promise<void> {
  if (!invitable(talk.speaker.role).includes(wish.role))
    throw new PersonError(
      talk.speaker.role === 'officer'
        ? 'Anh/chị mời được hộ thành viên. Mời cán bộ, kỹ thuật viên, trưởng thôn thì nhờ trưởng công an nhé.'
        : `Không mời ai làm ${ROLE_NAMES[wish.role]} được: ai nhắn cho em cũng là khách rồi.`,
    );
  if (wish.uses < 1 || wish.uses > MOST_USES)
    throw new PersonError(`Số lượt cần từ 1 đến ${MOST_USES}. Ví dụ: mời hộ 20 lượt.`);
  if (wish.days < 1 || wish.days > MOST_DAYS)
    throw new PersonError(`Lời mời giữ được từ 1 đến ${MOST_DAYS} ngày. Ví dụ: mời hộ 7 ngày.`);
  if (wish.role === 'hamletHead' && wish.hamlet === null) {
    const hamlets = await listHamlets(house.db);
    await sayInPrivate(
      talk,
      hamlets.length === 0
        ? 'Mời trưởng thôn cần có thôn trước. Gõ: thôn thêm Thôn 1'
        : 'Trưởng của thôn nào ạ?',
      rows(
        hamlets.slice(0, 12).map((hamlet) => ({
          label: hamlet.name,
          says: `mời trưởng thôn ${hamlet.name} ${wish.uses} lượt ${wish.days} ngày`,
        })),
      ),
    );
    return;
  }
  const expiresMs = talk.nowMs + wish.days * DAY_MS;
  const code = await talk.once('invite', async (tx) => {
    const fresh = makeInvitationCode();
    const id = await addInvitation(tx, {
      code: fresh,
      role: wish.role,
      hamletId: wish.hamlet?.id ?? null,
      maxUses: wish.uses,
      expiresMs,
      createdById: talk.speaker.personId,
      nowMs: talk.nowMs,
    });
    await writeAudit(tx, [
      {
        atMs: talk.nowMs,
        personId: talk.speaker.personId,
        personName: talk.speaker.name,
        action: 'invitation.add',
        place: placeOf(talk),
        result: 'ok',
        detail: `lời mời ${id}: ${ROLE_NAMES[wish.role]}, ${wish.uses} lượt, ${wish.days} ngày`,
      },
    ]);
    return fresh;
  });
  const link = house.channelOf(talk.message.channel)?.privateChatLink(code) ?? null;
  const caption = [
    `Lời mời ${ROLE_NAMES[wish.role]}${wish.hamlet === null ? '' : ` · ${wish.hamlet.name}`}`,
    `Dùng được ${wish.uses} lượt, đến hết ${sayDay(expiresMs)}.`,
    ...waysIn(house, code),
    `Hoặc nhắn riêng cho bot mã: ${code}`,
    'Chỉ gửi cho đúng người được mời. Thu lại: mời danh sách',
  ].join('\n');
  const png = await QRCode.toBuffer(link ?? code, { width: 640, margin: 3, errorCorrectionLevel: 'M' });
  const file = await talk.spool('loi-moi.png');
  await fs.writeFile(file, png);
  const photo = {
    kind: 'photo' as const,
    file: { path: file, sizeBytes: png.length, fileName: 'loi-moi.png' },
    caption,
    width: 640,
    height: 640,
  };
  if (talk.group === null) await talk.reply(photo);
  else await privately(talk, photo);
}
