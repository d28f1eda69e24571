import type { RecorderEvent } from '../../media/types.js';
import { DAY_MS } from '../../src/base/clock.js';
import { WorldError } from '../../src/base/errors.js';
import { type Database, inTransaction, type Transaction } from '../../src/store/database.js';
import { dropSetting, readFact, writeFact } from '../../src/store/settings.js';
import type { House } from '../house.js';
import { tellOfficers } from './recipients.js';

/** What the disk showed: recordings had to go for room at this age. */
interface Room {
  /** how old the newest of them were: so much fits */
  days: number;
  /** when that was last so, epoch ms */
  atMs: number;
  /** what people were told; null: nothing yet */
  told: { days: number; atMs: number } | null;
}

const ROOM = 'alerts.room';
/** Nothing went for room this long: it fits again, ms. */
const OVER_MS = 2 * DAY_MS;
/** A little less than was promised is not worth a word. */
const SHORT_SHARE = 0.95;
/** It is told again when so much more or less fits than was told. */
const MUCH = 1.25;

/** "12 ngày", "2,5 ngày", "chưa tới 1 ngày" */
export function sayDays(days: number): string {
  if (days < 1) return 'chưa tới 1 ngày';
  return `khoảng ${days < 3 ? days.toFixed(1).replace('.0', '').replace('.', ',') : Math.floor(days)} ngày`;
}

/** Keeps at which age recordings had to go; what went by age says nothing. */
export async function keepRoom(tx: Transaction, event: RecorderEvent): Promise<void> {
  const { reason, endMs } = event.data;
  if (reason !== 'space' || typeof endMs !== 'number') return;
  const told = (await readFact<Room>(tx, ROOM))?.told ?? null;
  const days = Math.max(0, (event.atMs - endMs) / DAY_MS);
  await writeFact(tx, ROOM, { days, atMs: event.atMs, told } satisfies Room);
}

/** The days that fit on the recordings' disk at present; null where nothing had to go for room lately. */
export async function daysThatFit(db: Database, nowMs: number): Promise<number | null> {
  const room = await readFact<Room>(db, ROOM);
  return room === null || nowMs - room.atMs > OVER_MS ? null : room.days;
}

/** " (ổ ghi hình hiện chỉ đủ khoảng 12 ngày)" beside days that were promised and don't fit; else nothing. */
export const fitWords = (promisedDays: number, fitDays: number | null): string =>
  fitDays === null || fitDays >= promisedDays * SHORT_SHARE
    ? ''
    : ` (ổ ghi hình hiện chỉ đủ ${sayDays(fitDays)}, đoạn cũ hơn bị xóa sớm để lấy chỗ)`;

/** What is to be said of the room now. Pure. */
export function roomNews(
  room: Room,
  promisedDays: number,
  nowMs: number,
): 'short' | 'over' | 'forget' | null {
  const { days, atMs, told } = room;
  if (nowMs - atMs > OVER_MS || days >= promisedDays * SHORT_SHARE) return told === null ? 'forget' : 'over';
  if (told === null) return 'short';
  const changed = days >= told.days * MUCH || days <= told.days / MUCH;
  return changed && Math.abs(nowMs - told.atMs) >= DAY_MS / 2 ? 'short' : null;
}

function shortWords(days: number, promisedDays: number, before: number | null): string {
  const times = Math.ceil((promisedDays / Math.max(days, 0.1)) * 10) / 10;
  const larger = times >= 10 ? 'gấp hơn 10 lần' : `gấp khoảng ${String(times).replace('.', ',')} lần`;
  const head =
    before === null
      ? `🟠 Ổ ghi hình không đủ chỗ giữ ${promisedDays} ngày như đã đặt: hiện chỉ đủ ${sayDays(days)}, đoạn cũ hơn phải xóa sớm để lấy chỗ ghi tiếp.`
      : `🟠 Ổ ghi hình giờ chỉ đủ giữ ${sayDays(days)} (lần trước em báo ${sayDays(before)}, đã đặt ${promisedDays} ngày).`;
  return `${head} Camera vẫn ghi bình thường, đoạn đang giữ thì em không xóa.\nMuốn giữ đủ, nhờ kỹ thuật viên chọn một cách: gắn ổ lớn hơn (${larger} chỗ hiện có); giảm bitrate hoặc đổi sang H.265 trong camera; ghi luồng phụ thay luồng chính; hoặc đặt ít ngày hơn. Đoạn nào đang cần thì anh/chị lấy ra sớm giúp em.`;
}

const OVER_WORDS =
  '🟢 Ổ ghi hình đã đủ chỗ trở lại: hình từ nay được giữ đủ số ngày đã đặt, em không phải xóa sớm đoạn nào nữa.';

/**
 * The most days that a camera's recordings were promised to be kept. Null while the recorder is away, or deletes nothing
 * because it can't read its holds: that nothing goes for room says nothing then.
 */
async function promisedDays({ recorder, settings }: House): Promise<number | null> {
  try {
    if (!(await recorder.health()).holds.readable) return null;
    const cameras = (await recorder.cameras()).filter(({ enabled }) => enabled);
    return Math.max(0, ...cameras.map((camera) => camera.retentionDays ?? settings.retentionDays));
  } catch (error) {
    if (error instanceof WorldError) return null;
    throw error;
  }
}

/** Says once that less fits than was promised, again when that changes much, and once that it is over. */
export async function tellRoom(house: House): Promise<void> {
  const { db, clock } = house;
  const room = await readFact<Room>(db, ROOM);
  if (room === null) return;
  const promised = await promisedDays(house);
  if (promised === null) return;
  const nowMs = clock.now();
  const news = roomNews(room, promised, nowMs);
  // told before it is marked: repeated after a crash, the outbox knows the key
  if (news === 'short') {
    await tellOfficers(house, `room:${room.atMs}`, shortWords(room.days, promised, room.told?.days ?? null));
    await mark(db, { days: room.days, atMs: nowMs });
  } else if (news === 'over') {
    await tellOfficers(house, `room-over:${room.told!.atMs}`, OVER_WORDS);
    await mark(db, null);
  } else if (news === 'forget') await mark(db, null);
}

/** Meanwhile the recorder may have told more: only what people heard is changed. Null: it is all over. */
const mark = (db: Database, told: Room['told']): Promise<void> =>
  inTransaction(db, async (tx) => {
    const room = await readFact<Room>(tx, ROOM);
    if (room === null || told === null) await dropSetting(tx, ROOM);
    else await writeFact(tx, ROOM, { ...room, told } satisfies Room);
  });
