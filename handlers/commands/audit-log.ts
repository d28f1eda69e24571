import { DAY_MS, fromVietnamTime, toVietnamTime } from '../../src/base/clock.js';
import { sayClock, sayDate, sayDay, sayMoment, sayRange } from '../../src/base/vietnamese/say.js';
import { fold } from '../../src/base/vietnamese/text.js';
import { command } from '../../src/chat/command.js';
import { type AuditEntry, type AuditQuery, readAudit } from '../../src/store/audit.js';
import { cameraNames, listCameras } from '../../src/store/cameras.js';
import { listPeople } from '../../src/store/people.js';
import { findCameras, findPeople } from '../find.js';
import type { House } from '../house.js';
import { MAY } from '../rights.js';
import { insists, log, rows, sayInPrivate } from '../saying.js';

interface Args {
  query: AuditQuery;
  /** "camera 5, hôm qua" */
  about: string;
}

const FOOTAGE = ['snapshot', 'still', 'storyboard', 'clip', 'link.open'] as const;
/** Those of which the log tells what stretch of time was seen. */
const OF_THE_PAST: readonly string[] = ['still', 'storyboard', 'clip', 'link.open'];
const USUAL = 20;
const MOST = 100;

const ACTIONS: Record<string, string> = {
  snapshot: 'xem ảnh',
  still: 'xem ảnh đã ghi',
  storyboard: 'xem bảng hình',
  clip: 'lấy clip',
  'camera.show': 'xem camera',
  'camera.add': 'thêm camera',
  'camera.change': 'sửa camera',
  'camera.found': 'nhận lại camera từ máy ghi',
  'camera.on': 'bật camera',
  'camera.off': 'tắt camera',
  'camera.remove': 'xóa camera',
  'person.role': 'đổi vai trò',
  'person.name': 'đổi tên',
  'person.hamlet': 'đổi thôn',
  'person.remove': 'gỡ người',
  'person.erase': 'xóa dữ liệu của người rút đồng ý',
  'account.code': 'lấy mã nối tài khoản',
  'zalo.consent': 'lấy đường dẫn cấp quyền Zalo OA',
  'zalo.consent-other': 'lấy đường dẫn đổi Zalo OA',
  'zalo.consented': 'Zalo OA cấp quyền',
  'account.join': 'nối tài khoản',
  'account.cut': 'bỏ tài khoản',
  'chat.by-hand': 'trả lời tay',
  'invitation.add': 'mời',
  'invitation.revoke': 'thu lời mời',
  'invitation.redeem': 'dùng lời mời',
  'group.bind': 'giao việc nhóm',
  'group.unbind': 'bỏ nhóm',
  'group.make': 'tạo nhóm',
  'group.let-in': 'cho vào nhóm',
  'group.turn-away': 'không cho vào nhóm',
  'report.read': 'đọc tin báo',
  tin: 'đọc tin báo',
  'hamlet.add': 'thêm thôn',
  'donation.add': 'ghi nhận ủng hộ',
  'first-chief': 'nhận quyền trưởng',
  'link.open': 'mở đường dẫn',
  'link.revoke': 'thu đường dẫn',
  lienket: 'thu đường dẫn',
  'log.read': 'xem nhật ký',
  moi: 'mời',
  nhom: 'giao việc nhóm',
  nguoi: 'danh sách người',
  nhatky: 'xem nhật ký',
  thon: 'danh sách thôn',
  ghinhan: 'ghi nhận ủng hộ',
  dangnhap: 'lấy đường dẫn đăng nhập',
  'login.link': 'lấy đường dẫn đăng nhập',
};

const RESULTS: Record<string, string> = {
  ok: '',
  'not-allowed': 'không được phép',
  'no-footage': 'không có hình',
  'no-private-chat': 'chưa mở chat riêng',
  unreachable: 'không kết nối được',
  'wrong-code': 'sai mã',
  unknown: 'sai mã',
  locked: 'sai mã nhiều lần, đã khóa',
};

const PURPOSES: Record<string, string> = {
  officers: 'nhóm cán bộ',
  hamlet: 'nhóm thôn',
  public: 'nhóm chung',
};

const CHANNELS: Record<string, string> = { telegram: 'Telegram', zalo: 'Zalo', console: 'trang web' };

const placeWords = (place: string): string => {
  const [channel, kind, purpose] = place.split(':');
  if (kind === 'link') return 'trang xem';
  if (place === 'recorder') return 'máy ghi';
  const on = CHANNELS[channel ?? ''] ?? channel;
  return kind === 'group' ? `${PURPOSES[purpose ?? ''] ?? 'nhóm khác'} (${on})` : `chat riêng (${on})`;
};

/** A day named in the words, and the words without it. */
function dayIn(words: string, nowMs: number): { fromMs: number; rest: string } | null {
  const now = toVietnamTime(nowMs);
  const today = fromVietnamTime(now.year, now.month, now.day);
  const back: [RegExp, number][] = [
    [/h[ôo]m nay/iu, 0],
    [/h[ôo]m qua/iu, 1],
    [/h[ôo]m kia/iu, 2],
  ];
  for (const [pattern, days] of back)
    if (pattern.test(words)) return { fromMs: today - days * DAY_MS, rest: words.replace(pattern, ' ') };
  const date = /(?:ngày\s+|ngay\s+)?(\d{1,2})[/-](\d{1,2})(?:[/-](\d{4}))?/iu.exec(words);
  if (date === null) return null;
  const [day, month] = [Number(date[1]), Number(date[2])];
  let year = date[3] === undefined ? now.year : Number(date[3]);
  if (date[3] === undefined && fromVietnamTime(year, month, day) > nowMs) year -= 1;
  const fromMs = fromVietnamTime(year, month, day);
  const real = toVietnamTime(fromMs);
  if (real.day !== day || real.month !== month) return null;
  return { fromMs, rest: words.replace(date[0], ' ') };
}

/** `nhatky`: who looked at what; the last ones, of a camera, a person or a day. */
export const logCommand = (house: House) =>
  command<Args>({
    name: 'nhatky',
    aliases: ['nhật ký', 'nhật kí', 'ai đã xem', 'lịch sử xem'],
    summary: 'Ai đã xem camera nào, lúc nào',
    example: 'nhật ký hôm nay',
    may: MAY.log,
    inGroups: true,
    section: 'quản lý',
    async read(words, talk) {
      const query: AuditQuery = { limit: USUAL, actions: FOOTAGE };
      const about: string[] = [];
      let rest = words;
      const day = dayIn(rest, talk.nowMs);
      if (day !== null) {
        query.fromMs = day.fromMs;
        query.toMs = day.fromMs + DAY_MS;
        query.limit = MOST;
        about.push(sayDay(day.fromMs));
        rest = day.rest;
      }
      if (/(^|\s)(tất cả|tat ca|đầy đủ|day du)(\s|$)/iu.test(rest)) {
        delete query.actions;
        about.push('mọi việc');
        rest = rest.replace(/(tất cả|tat ca|đầy đủ|day du)/iu, ' ');
      }
      const folded = fold(rest);
      const count = /^(\d{1,3})(?: (?:dong|lan|muc))?$/.exec(folded);
      if (count !== null) query.limit = Math.min(MOST, Math.max(1, Number(count[1])));
      else if (folded !== '') {
        const cameras = findCameras(await listCameras(house.db), rest);
        const people = findPeople(await listPeople(house.db, { guests: true }), rest);
        const camera =
          cameras.kind === 'some' && cameras.cameras.length === 1 ? cameras.cameras[0] : undefined;
        const person = people.exact.length === 1 ? people.exact[0] : undefined;
        if (camera !== undefined) {
          query.cameraId = camera.id;
          about.push(`camera ${camera.number} ${camera.name}`);
        } else if (person !== undefined) {
          query.personId = person.id;
          about.push(person.name);
        } else if (people.exact.length > 1)
          return {
            kind: 'answer',
            reply: async (here) =>
              void (await sayInPrivate(
                here,
                'Nhật ký của ai ạ?',
                rows(
                  people.exact.slice(0, 8).map((one) => ({ label: one.name, says: `nhật ký #${one.id}` })),
                ),
              )),
          };
        else if (
          insists(talk) ||
          cameras.kind === 'ambiguous' ||
          (cameras.kind === 'unknown' && cameras.certain)
        )
          return {
            kind: 'answer',
            reply: async (here) =>
              void (await sayInPrivate(
                here,
                'Em chưa rõ anh/chị muốn xem nhật ký nào. Ví dụ: nhật ký · nhật ký 50 · nhật ký cam 5 · nhật ký hôm qua · nhật ký tất cả',
              )),
          };
        else return { kind: 'not-mine' };
      }
      return { kind: 'args', args: { query, about: about.join(', ') } };
    },
    async run(talk, { query, about }) {
      const entries = await readAudit(house.db, query);
      const names = await cameraNames(house.db);
      const title = `Nhật ký ${query.actions === undefined ? '' : 'xem hình '}${about}`.trim();
      const text =
        entries.length === 0
          ? `${title}: chưa có gì.`
          : `${title}\n${linesOf(entries, names, talk.nowMs).join('\n')}${entries.length === query.limit ? `\n(chỉ ${query.limit} lượt mới nhất)` : ''}`;
      await sayInPrivate(talk, text);
      await log(talk, [
        { action: 'log.read', result: 'ok', detail: about, place: `${talk.message.channel}:private` },
      ]);
    },
  });

/** Pictures taken by one wish ("ảnh tất cả") share one line: same person, place and outcome within these ms. */
const TOGETHER_MS = 3000;

/** Lines of the log, newest first; `names` are those of cameras. */
export function linesOf(entries: AuditEntry[], names: Map<number, string>, nowMs: number): string[] {
  const groups: AuditEntry[][] = [];
  for (const entry of entries) {
    const last = groups.at(-1);
    const first = last?.[0];
    const joins =
      first !== undefined &&
      entry.action === 'snapshot' &&
      first.action === 'snapshot' &&
      entry.cameraId != null &&
      !last?.some((one) => one.cameraId === entry.cameraId) &&
      first.personName === entry.personName &&
      first.place === entry.place &&
      first.result === entry.result &&
      Math.abs(first.atMs - entry.atMs) <= TOGETHER_MS;
    if (joins) last?.push(entry);
    else groups.push([entry]);
  }
  return groups.map((group) => line(group, names, nowMs));
}

function line(group: AuditEntry[], names: Map<number, string>, nowMs: number): string {
  const entry = group[0] as AuditEntry;
  const what = ACTIONS[entry.action] ?? entry.action;
  const called = group
    .flatMap((one) => (one.cameraId == null ? [] : [names.get(one.cameraId) ?? 'camera đã xóa']))
    .reverse();
  const camera = called.length === 0 ? '' : ` · ${called.join(', ').replaceAll(', camera ', ', ')}`;
  const range =
    OF_THE_PAST.includes(entry.action) && entry.startMs != null && entry.endMs != null
      ? ` · ${entry.endMs > entry.startMs ? sayRange(entry.startMs, entry.endMs) : sayMoment(entry.startMs)}`
      : '';
  const result = RESULTS[entry.result] ?? entry.result;
  const detail = entry.detail == null || entry.detail === '' ? '' : ` · ${entry.detail}`;
  const day = sayDate(entry.atMs) === sayDate(nowMs) ? '' : ` ${sayDate(entry.atMs)}`;
  return `• ${sayClock(entry.atMs)}${day} · ${entry.personName} · ${what}${camera}${range}${detail} · ${placeWords(entry.place)}${result === '' ? '' : ` · ${result}`}`;
}
