/** From what was said to instants: which hour "8h tối" is, which day "thứ hai" or "31/7" is. */
import { DAY_MS, fromVietnamTime, toVietnamTime } from '../clock.js';
import type { Clock, Part } from './clock-words.js';
import type { DayWord } from './day-words.js';
import type { Point } from './point.js';
import { sayDay, WEEKDAYS } from './say.js';

const PART_NAMES: Record<Part, string> = {
  small: 'rạng sáng',
  morning: 'buổi sáng',
  noon: 'buổi trưa',
  afternoon: 'buổi chiều',
  evening: 'buổi tối',
  night: 'ban đêm',
};

/**
 * Hours of each part of the day: those taken as written, and those (of the twelve-hour clock) that get 12 added.
 * 12 in the evening or at night is the midnight that ends the day.
 */
const PART_HOURS: Record<Part, { plain: [number, number]; added?: [number, number] }> = {
  small: { plain: [0, 6] },
  morning: { plain: [0, 11] },
  noon: { plain: [10, 14], added: [1, 2] },
  afternoon: { plain: [12, 19], added: [1, 7] },
  evening: { plain: [17, 24], added: [5, 12] },
  night: { plain: [18, 24], added: [6, 12] },
};

const within = (range: readonly [number, number] | undefined, hour: number) =>
  range !== undefined && hour >= range[0] && hour <= range[1];

/** Seconds from the day's start (86 400 and more: past its midnight), or undefined when hour and part contradict. */
export function secondsOf(clock: Clock, part: Part | undefined): number | undefined {
  const rest = clock.minute * 60 + clock.second;
  const asSeconds = (hour: number) => hour * 3600 + rest;
  if (!part) return asSeconds(clock.hour);
  const hours = PART_HOURS[part];
  if (within(hours.plain, clock.hour)) return asSeconds(clock.hour);
  if (within(hours.added, clock.hour)) return asSeconds(clock.hour + 12);
  if (part === 'night' && clock.hour <= 5) return asSeconds(clock.hour);
  if (part === 'evening' && clock.hour === 0) return asSeconds(24);
  return undefined;
}

/** The sentence for a time or date that cannot be, or undefined. */
export function impossible(point: Point): string | undefined {
  const { clock, day, part } = point;
  if (clock) {
    const { hour, minute, second } = clock;
    const written = `${hour}h${clock.withMinutes ? String(minute).padStart(2, '0') : ''}`;
    if (hour > 24 || (hour === 24 && (minute > 0 || second > 0))) {
      return `Không có giờ nào là ${written}. Giờ trong ngày đi từ 0h đến 23h59, xin ghi lại, ví dụ: 14h30.`;
    }
    if (minute > 59)
      return `Không có giờ nào là ${written}. Phút đi từ 00 đến 59, xin ghi lại, ví dụ: 14h30.`;
    if (second > 59) return 'Giây đi từ 00 đến 59, xin ghi lại, ví dụ: 14:30:05.';
    if (part && secondsOf(clock, part) === undefined) {
      return `${written} không phải ${PART_NAMES[part]}. Xin ghi lại giờ, ví dụ: 14h30 hoặc 2 giờ chiều.`;
    }
  }
  if (day?.kind === 'date') {
    const { month, year } = day;
    const written = [day.day, month, year].filter((piece) => piece !== undefined).join('/');
    const sentence = `Không có ngày ${written}. Xin xem lại ngày, ví dụ: 31/7/2023.`;
    if (day.day < 1 || day.day > 31) return sentence;
    if (month !== undefined && !exists(year ?? 2024, month, day.day)) return sentence;
    if (year !== undefined && (year < 2000 || year > 2100)) {
      return `Năm ${year} không có trong máy. Xin xem lại ngày, ví dụ: 31/7/2023.`;
    }
  }
  return undefined;
}

function exists(year: number, month: number, day: number): boolean {
  const at = toVietnamTime(fromVietnamTime(year, month, day));
  return month >= 1 && month <= 12 && at.month === month && at.day === day;
}

export const dayStart = (ms: number): number => {
  const at = toVietnamTime(ms);
  return fromVietnamTime(at.year, at.month, at.day);
};

/** Days a point can mean, the likeliest first; the first whose moment is past counts. */
export type Days =
  | { kind: 'unsaid' }
  | { kind: 'days'; starts: number[] }
  | { kind: 'choose'; starts: number[]; question: string }
  | { kind: 'error'; sentence: string };

/** Which days (epoch ms of 0:00) the point may mean, seen from now. */
export function daysOf(point: Point, nowMs: number): Days {
  const today = dayStart(nowMs);
  if (point.weekday !== undefined) return weekdayDays(point, point.weekday, today, nowMs);
  if (point.day) return dayWordDays(point.day, today);
  if (point.week !== undefined) {
    const monday = mondayOf(today) - point.week * 7 * DAY_MS;
    const starts = Array.from({ length: 7 }, (_, k) => monday + k * DAY_MS).filter((start) => start <= nowMs);
    if (starts.length === 0) return { kind: 'error', sentence: NOT_YET };
    return { kind: 'choose', starts, question: 'Ngày nào trong tuần đó?' };
  }
  return { kind: 'unsaid' };
}

export const NOT_YET =
  'Lúc đó chưa đến. Chỉ xem lại được những gì đã ghi, xin ghi một lúc đã qua, ví dụ: 14h30 hôm qua.';

const mondayOf = (today: number) => today - ((toVietnamTime(today).weekday + 6) % 7) * DAY_MS;

function weekdayDays(point: Point, weekday: number, today: number, nowMs: number): Days {
  const latest = today - ((toVietnamTime(today).weekday - weekday + 7) % 7) * DAY_MS;
  if (point.week !== undefined) {
    const start = mondayOf(today) - point.week * 7 * DAY_MS + ((weekday + 6) % 7) * DAY_MS;
    return { kind: 'days', starts: [start] };
  }
  if (!point.day || point.day.kind === 'vague')
    return { kind: 'days', starts: [latest, latest - 7 * DAY_MS] };
  // both a weekday and a date: they must agree
  const dated = dayWordDays(point.day, today);
  if (dated.kind !== 'days') return dated;
  const agreeing = dated.starts.filter((start) => toVietnamTime(start).weekday === weekday);
  const first = dated.starts.find((start) => start <= nowMs) ?? dated.starts[0] ?? today;
  const open = point.day.kind === 'date' && point.day.month === undefined;
  if (toVietnamTime(first).weekday === weekday) return { kind: 'days', starts: [first] };
  if (open && agreeing.length > 0) return { kind: 'days', starts: agreeing };
  if (first > nowMs) return { kind: 'error', sentence: NOT_YET };
  return {
    kind: 'choose',
    starts: [first, latest],
    question: `Ngày đó là ${sayDay(first)}, không phải ${WEEKDAYS[weekday]}. Xem ngày nào?`,
  };
}

function dayWordDays(day: DayWord, today: number): Days {
  if (day.kind === 'ago' && day.days > 3660) {
    return { kind: 'error', sentence: 'Ngày đó đã quá lâu. Xin ghi một ngày gần hơn, ví dụ: 14h30 hôm qua.' };
  }
  if (day.kind === 'ago') return { kind: 'days', starts: [today - day.days * DAY_MS] };
  if (day.kind === 'vague') {
    const starts = [1, 2, 3, 4].map((days) => today - days * DAY_MS);
    return { kind: 'choose', starts, question: `“${day.said}” là ngày nào?` };
  }
  const now = toVietnamTime(today);
  const starts: number[] = [];
  const take = (year: number, month: number) => {
    if (exists(year, month, day.day)) starts.push(fromVietnamTime(year, month, day.day));
  };
  if (day.monthsAgo !== undefined || day.month === undefined) {
    const first = day.monthsAgo ?? 0;
    const last = day.monthsAgo ?? 3;
    for (let back = first; back <= last; back += 1) {
      const months = now.year * 12 + (now.month - 1) - back;
      take(Math.floor(months / 12), (months % 12) + 1);
    }
  } else if (day.year !== undefined) take(day.year, day.month);
  else if (day.yearsAgo !== undefined) take(now.year - day.yearsAgo, day.month);
  else for (let back = 0; back <= 8; back += 1) take(now.year - back, day.month);
  if (starts.length > 0) return { kind: 'days', starts };
  const written = `${day.day}${day.month === undefined ? '' : `/${day.month}`}`;
  return { kind: 'error', sentence: `Không có ngày ${written} đó. Xin xem lại ngày, ví dụ: 31/7/2023.` };
}

const PART_SPANS: Record<Part, [from: number, to: number]> = {
  small: [0, 6],
  morning: [5, 11],
  noon: [10, 14],
  afternoon: [12, 18],
  evening: [18, 24],
  night: [18, 29],
};

/** From which to which hour of its day a part of the day is looked at; without one the whole day. A night ends next morning. */
export const partHours = (point: Point): [from: number, to: number] =>
  point.part === undefined ? [0, 24] : PART_SPANS[point.part];

/**
 * The days on which a clock time said "at night" may fall. The small hours (0–5h) of "đêm qua" are this morning's;
 * where that is still to come, the night before. With a weekday or a date the calendar day counts.
 */
export function nightDays(point: Point, starts: number[], seconds: number): number[] {
  const small = point.part === 'night' && seconds < 6 * 3600;
  if (!small || point.day?.kind !== 'ago' || point.weekday !== undefined) return starts;
  return starts.flatMap((start) => [start + DAY_MS, start]);
}
