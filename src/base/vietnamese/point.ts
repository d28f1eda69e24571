/** One moment as said: a clock time, a part of the day, a day, in any order, each at most once. */
import type { VietnamTime } from '../clock.js';
import { type Clock, clockAt, type Found, type Part } from './clock-words.js';
import { type DayWord, dateAt, dayAfterPart, partAt, relativeDayAt, weekAt, weekdayAt } from './day-words.js';
import { anyOf, lookUp, sees, type Words } from './text.js';

/** What is said of one moment; whatever is left out is filled in later. */
export interface Point {
  clock?: Clock;
  part?: Part;
  day?: DayWord;
  /** 0 Sunday … 6 Saturday */
  weekday?: number;
  /** weeks back, Monday to Sunday */
  week?: number;
}

/** The words that lead to a time: from, to, about, for (within), at. */
export interface Lead {
  from?: boolean;
  to?: boolean;
  about?: boolean;
  within?: boolean;
  at?: boolean;
}

export const hourOnly = (hour: number): Clock => ({ hour, minute: 0, second: 0, withMinutes: false });

export function bareNumber(words: Words, i: number): number | undefined {
  const token = words.tokens[i];
  return token?.kind === 'number' && token.text.length <= 2 ? Number(token.text) : undefined;
}

/** "lúc 14", "lúc 8 tối": a bare number is an hour only behind such a word and before nothing strange. */
function bareHour(words: Words, i: number, lead: Lead): Found<Clock> | undefined {
  const hour = bareNumber(words, i);
  if (hour === undefined || !(lead.at || lead.about || lead.from)) return undefined;
  const next = words.tokens[i + 1];
  if (sees(words, i - 1, 'vào') || sees(words, i - 1, 'đúng')) return undefined;
  if (
    next?.text === '.' &&
    next.glued &&
    /^[0-5]\d$/.test(words.tokens[i + 2]?.text ?? '') &&
    words.tokens[i + 2]?.glued
  ) {
    const minute = Number(words.tokens[i + 2]?.text);
    return { value: { hour, minute, second: 0, withMinutes: true }, next: i + 3 };
  }
  if (partAt(words, i + 1)) return { value: hourOnly(hour), next: i + 1 };
  const quiet = next === undefined || (next.kind === 'sign' && !/[-–/:]/.test(next.text));
  const day = relativeDayAt(words, i + 1) ?? weekdayAt(words, i + 1, true) ?? dateAt(words, i + 1, true);
  if (!(lead.at && (quiet || day))) return undefined;
  return { value: hourOnly(hour), next: i + 1 };
}

/** "giờ này hôm qua" */
export function sameTimeAt(words: Words, i: number, now: VietnamTime): Found<Clock> | undefined {
  const next = anyOf(words, i, ['giờ này', 'tầm này', 'lúc này']);
  if (next < 0) return undefined;
  if (!(relativeDayAt(words, next) ?? weekdayAt(words, next, true) ?? dateAt(words, next, true)))
    return undefined;
  return { value: { hour: now.hour, minute: now.minute, second: now.second, withMinutes: true }, next };
}

export function pointAt(words: Words, i: number, lead: Lead, now: VietnamTime): Found<Point> | undefined {
  const bare = bareHour(words, i, lead);
  if (bare && !clockAt(words, i)) return finishPoint(words, { clock: bare.value }, bare.next, now);
  return finishPoint(words, {}, i, now);
}

const BETWEEN = [', vào lúc', ', lúc', ',', 'vào lúc', 'vào hồi', 'lúc', 'hồi', 'vào', 'của', 'trong'];

/** Reads on as long as each next word adds something new to the moment. */
export function finishPoint(
  words: Words,
  begun: Point,
  i: number,
  now: VietnamTime,
): Found<Point> | undefined {
  const point = begun;
  let at = i;
  for (;;) {
    let next = addTo(point, words, at, now);
    if (next < 0 && isSomething(point)) {
      const gap = anyOf(words, at, BETWEEN);
      if (gap > 0) {
        next = addTo(point, words, gap, now);
        const hour = /^(lúc|hồi|luc|hoi)$/.test(words.tokens[gap - 1]?.lower ?? '');
        const bare = next < 0 && hour && !point.clock ? bareHour(words, gap, { at: true }) : undefined;
        if (bare) {
          point.clock = bare.value;
          next = bare.next;
        }
      }
    }
    if (next < 0) break;
    at = next;
  }
  const believed = point.clock || point.day || point.weekday !== undefined || point.week !== undefined;
  return believed ? { value: point, next: at } : undefined;
}

const isSomething = (point: Point) => Object.keys(point).length > 0;

/** Adds what begins at i to the point; the index behind it, or -1 when nothing new begins there. */
function addTo(point: Point, words: Words, i: number, now: VietnamTime): number {
  const inTime = isSomething(point);
  const midnight = lookUp(words, i, [
    ['nửa đêm', 'night' as const],
    ['giữa trưa', 'noon' as const],
  ]);
  if (midnight && !point.clock && !point.part) {
    point.clock = hourOnly(12);
    point.part = midnight.value;
    return shortDay(point, words, midnight.next);
  }
  if (point.weekday === undefined) {
    const beside = inTime || clockAt(words, i + 1) !== undefined || clockAt(words, i + 2) !== undefined;
    const weekday = weekdayAt(words, i, beside);
    if (weekday) {
      point.weekday = weekday.value;
      return weekday.next;
    }
  }
  if (!point.clock) {
    const clock = sameTimeAt(words, i, now) ?? (dateAt(words, i, inTime) ? undefined : clockAt(words, i));
    if (clock) {
      const { part, ...plain } = clock.value;
      point.clock = plain;
      if (part) point.part = part;
      return clock.next;
    }
  }
  return addDay(point, words, i, inTime);
}

function addDay(point: Point, words: Words, i: number, inTime: boolean): number {
  if (!point.day) {
    const day = relativeDayAt(words, i) ?? dateAt(words, i, inTime);
    if (day) {
      point.day = day.value;
      return day.next;
    }
    if (point.clock && sees(words, i, 'nay')) {
      point.day = { kind: 'ago', days: 0 };
      return i + 1;
    }
  }
  if (point.week === undefined) {
    const week = weekAt(words, i);
    if (week) {
      point.week = week.value;
      return week.next;
    }
  }
  const part = point.part ? undefined : partAt(words, i);
  if (!part) return -1;
  // "7h toi 8h" without marks: "tới"
  if (point.clock && words.tokens[i]?.lower === 'toi' && clockAt(words, i + 1)) return -1;
  if (!partBelongs(point, words, part.next)) return -1;
  point.part = part.value;
  return shortDay(point, words, part.next);
}

/** A part of the day counts only beside a clock time or a day: "cam sáng tạo" keeps its "sáng". */
function partBelongs(point: Point, words: Words, next: number): boolean {
  if (isSomething(point)) return true;
  if (dayAfterPart(words, next) || relativeDayAt(words, next) || weekdayAt(words, next, true)) return true;
  const gap = anyOf(words, next, BETWEEN);
  const at = gap > 0 ? gap : next;
  return (
    clockAt(words, at) !== undefined ||
    dateAt(words, at, true) !== undefined ||
    (gap > 0 && bareHour(words, gap, { at: true }) !== undefined)
  );
}

function shortDay(point: Point, words: Words, i: number): number {
  const day = point.day ? undefined : dayAfterPart(words, i);
  if (!day) return i;
  // "14h30 tối qua cổng": still "tối qua"
  point.day = day.value;
  return day.next;
}
