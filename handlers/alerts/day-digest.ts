import { DAY_MS, fromVietnamTime, toVietnamTime } from '../../src/base/clock.js';
import { sayDate } from '../../src/base/vietnamese/say.js';
import { readFact, writeFact } from '../../src/store/settings.js';
import type { House } from '../house.js';
import { officersChats, recipientName } from './recipients.js';

/** The last day told, `2026-11-21`. */
const TOLD = 'day-digest.told';
/** Days missed while the machine was off are told too, at most so many. */
const DAYS_BACK = 3;

const two = (value: number) => String(value).padStart(2, '0');

/** Noon of a Vietnamese day, so many days before the one of `ms`; epoch ms. */
function noonBefore(ms: number, days: number): number {
  const { year, month, day } = toVietnamTime(ms);
  return fromVietnamTime(year, month, day, 12) - days * DAY_MS;
}

function nameOf(noonMs: number): string {
  const { year, month, day } = toVietnamTime(noonMs);
  return `${year}-${two(month)}-${two(day)}`;
}

const dots = (value: number) => String(value).replace(/\B(?=(\d{3})+(?!\d))/g, '.');

export const digestWords = (noonMs: number, segments: number, digest: string) =>
  `🔏 Mã niêm phong bản ghi hình ngày ${sayDate(noonMs)}, ${dots(segments)} đoạn:\n${digest}\nXin giữ tin này. Có mã thì kiểm tra được bản ghi ngày đó có bị sửa hay xóa không: npm run verify-recordings -- --day ${nameOf(noonMs)} --head <mã trên>`;

/**
 * Sends each finished day's digest of the recordings to the officers, once: kept in the group, it can't be made anew
 * by whoever holds the machine. A day without recordings is not told.
 */
export async function tellDayDigest(house: House): Promise<void> {
  const { db, recorder, clock, log } = house;
  const told = (await readFact<string>(db, TOLD)) ?? '';
  const days = Array.from({ length: DAYS_BACK }, (_, at) => noonBefore(clock.now(), DAYS_BACK - at));
  const due = days.filter((noonMs) => nameOf(noonMs) > told);
  if (due.length === 0) return;
  const { chats } = await officersChats(db);
  if (chats.length === 0) {
    log.warn('nobody to send the digest of the day to');
    return;
  }
  for (const noonMs of due) {
    const day = nameOf(noonMs);
    const { closed, segments, digest } = await recorder.chainHeads(day);
    if (!closed) return;
    if (segments > 0)
      for (const chat of chats)
        await house.tell(chat, digestWords(noonMs, segments, digest), {
          key: `day-digest:${day}:${recipientName(chat)}`,
          priority: 'notice',
        });
    await writeFact(db, TOLD, day);
  }
}
