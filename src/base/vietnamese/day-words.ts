/** Days and parts of days as written: "hôm kia", "31/7", "ngày 31 tháng 7", "thứ 2 tuần trước", "rạng sáng". */
import type { Found, Part } from './clock-words.js';
import { lengthAt } from './clock-words.js';
import { numberAt } from './number-words.js';
import { anyOf, lookUp, sees, type Words } from './text.js';

export type DayWord =
  /** so many days before today; below 0 is to come */
  | { kind: 'ago'; days: number }
  /** year or month may be left out; monthsAgo 0 this month, 1 last month */
  | { kind: 'date'; day: number; month?: number; year?: number; yearsAgo?: number; monthsAgo?: number }
  /** "hôm nọ": some day, nobody knows which */
  | { kind: 'vague'; said: string };

const PARTS: readonly (readonly [string, Part])[] = [
  ['rạng sáng', 'small'],
  ['tờ mờ sáng', 'small'],
  ['mờ sáng', 'small'],
  ['gần sáng', 'small'],
  ['sáng sớm', 'morning'],
  ['buổi sáng', 'morning'],
  ['buổi trưa', 'noon'],
  ['buổi chiều', 'afternoon'],
  ['buổi tối', 'evening'],
  ['ban đêm', 'night'],
  ['đêm khuya', 'night'],
  ['sáng', 'morning'],
  ['trưa', 'noon'],
  ['chiều tối', 'evening'],
  ['chiều', 'afternoon'],
  ['tối', 'evening'],
  ['đêm', 'night'],
  ['khuya', 'night'],
];

export const partAt = (words: Words, i: number) => lookUp(words, i, PARTS);

const DAYS_AGO: readonly (readonly [string, number])[] = [
  ['ngày hôm nay', 0],
  ['ngày hôm qua', 1],
  ['ngày hôm kia', 2],
  ['hôm nay', 0],
  ['hnay', 0],
  ['bữa nay', 0],
  ['hôm qua', 1],
  ['hôm wa', 1],
  ['hum qua', 1],
  ['hqua', 1],
  ['bữa qua', 1],
  ['hôm kìa', 3],
  ['hôm kia', 2],
  ['bữa kia', 2],
  ['ngày hôm sau', -1],
  ['ngày mai', -1],
  ['ngày mốt', -2],
  ['ngày kia', -2],
];

/** Short day words that are believed only right behind a part of the day: "sáng nay", "tối qua", "chiều mai". */
const DAYS_AFTER_PART: readonly (readonly [string, number])[] = [
  ['nay', 0],
  ['qua', 1],
  ['wa', 1],
  ['kia', 2],
  ['mai', -1],
];

const VAGUE = ['mấy hôm trước', 'hôm trước', 'hôm nọ', 'hôm bữa', 'bữa trước', 'bữa nọ', 'bữa hổm'];

export function dayAfterPart(words: Words, i: number): Found<DayWord> | undefined {
  const found = lookUp(words, i, DAYS_AFTER_PART);
  return found && { value: { kind: 'ago', days: found.value }, next: found.next };
}

/** Whole days back: "hôm qua", "3 ngày trước", "cách đây 2 hôm", and the vague ones. */
export function relativeDayAt(words: Words, i: number): Found<DayWord> | undefined {
  const known = lookUp(words, i, DAYS_AGO);
  if (known) return { value: { kind: 'ago', days: known.value }, next: known.next };
  const vague = anyOf(words, i, VAGUE);
  if (vague > 0) {
    const said = words.text.slice(words.tokens[i]?.start, words.tokens[vague - 1]?.end);
    return { value: { kind: 'vague', said }, next: vague };
  }
  const lead = anyOf(words, i, ['cách đây', 'cách nay', 'trước đây']);
  const number = numberAt(words, lead > 0 ? lead : i);
  const unit =
    number && lookUp(words, number.next, [['ngày', 1] as const, ['hôm', 1], ['bữa', 1], ['tuần', 7]]);
  if (!number || !unit) return undefined;
  const end = anyOf(words, unit.next, ['trước đây', 'trước']);
  if (lead < 0 && end < 0) return undefined;
  return { value: { kind: 'ago', days: number.value * unit.value }, next: end > 0 ? end : unit.next };
}

/** After these words a number names a camera … */
const CAMERA_WORDS = new Set(['cam', 'camera', 'cameras', 'kam', 'mat', 'so', 'c', 'diem']);
/** … or a place: after these a pair of numbers is a street or a house ("đường 30/4", "ngõ 12/5"), not a date. */
const PLACE_WORDS = new Set(
  'duong pho cau ngo ngach hem kiet nha thon to xom ap khu cum lo km ql'.split(' '),
);

const follows = (words: Words, i: number, set: ReadonlySet<string>) => {
  const before = words.tokens[i - 1];
  return before?.kind === 'word' && set.has(before.folded);
};

/** The number at i belongs to a camera or a place: "cam 2", "camera số 5", "thôn 3", also later in a list ("cam 1, 2"). */
export function namesCamera(words: Words, i: number): boolean {
  let at = i;
  while (
    at >= 2 &&
    words.tokens[at - 2]?.kind === 'number' &&
    /^[,\-–]$|^và$|^va$/.test(words.tokens[at - 1]?.text ?? '')
  ) {
    at -= 2;
  }
  return follows(words, at, CAMERA_WORDS) || follows(words, at, PLACE_WORDS);
}

function shortNumber(words: Words, i: number, longest = 2): number | undefined {
  const token = words.tokens[i];
  return token?.kind === 'number' && token.text.length <= longest ? Number(token.text) : undefined;
}

/** The year behind a date: "/2023", "/23", "năm 2023", "năm ngoái". `sign` is what parts the numbers. */
function yearAt(words: Words, i: number, sign: string): Found<{ year?: number; yearsAgo?: number }> {
  if (sign && words.tokens[i]?.text === sign) {
    const text = words.tokens[i + 1]?.kind === 'number' ? words.tokens[i + 1]!.text : '';
    if (text.length === 4) return { value: { year: Number(text) }, next: i + 2 };
    if (text.length === 2) return { value: { year: 2000 + Number(text) }, next: i + 2 };
  }
  const last = lookUp(words, i, [['năm ngoái', 1] as const, ['năm nay', 0], ['năm trước', 1]]);
  if (last) return { value: { yearsAgo: last.value }, next: last.next };
  const written = words.tokens[i + 1];
  if (sees(words, i, 'năm') && written?.kind === 'number' && written.text.length === 4) {
    return { value: { year: Number(written.text) }, next: i + 2 };
  }
  return { value: {}, next: i };
}

/** "2026-11-20" */
function isoDate(words: Words, i: number): Found<DayWord> | undefined {
  const year = words.tokens[i]?.text ?? '';
  const month = shortNumber(words, i + 2);
  const day = shortNumber(words, i + 4);
  if (!/^20\d\d$/.test(year) || month === undefined || day === undefined) return undefined;
  if (words.tokens[i + 1]?.text !== '-' || words.tokens[i + 3]?.text !== '-') return undefined;
  return { value: { kind: 'date', day, month, year: Number(year) }, next: i + 5 };
}

/**
 * A date at i. "d/m" is one unless a camera or street word stands before it. "d-m" could be a list of cameras:
 * without "ngày" it is a date when the day is the greater number ("31-7"), a year follows, or `afterTime`.
 */
export function dateAt(words: Words, i: number, afterTime: boolean): Found<DayWord> | undefined {
  let lead = anyOf(words, i, ['ngày mùng', 'ngày mồng', 'ngày', 'mùng', 'mồng', 'hôm']);
  const named = lead > 0;
  if (!named) lead = i;
  const iso = isoDate(words, lead);
  if (iso) return iso;
  const number = numberAt(words, lead);
  if (!number || (number.digits && words.tokens[lead]!.text.length > 2)) return undefined;
  const day = number.value;
  const month = monthAt(words, number.next);
  if (month) {
    const year = yearAt(words, month.next, '/');
    return { value: { kind: 'date', day, ...month.value, ...year.value }, next: year.next };
  }
  const pair = number.digits ? pairAt(words, lead, named, afterTime) : undefined;
  if (pair) return pair;
  if (!named || day > 31 || clockLike(words, lead) || followedByNumberSign(words, number.next))
    return undefined;
  if (!number.digits && !['ngày mùng', 'ngày mồng', 'mùng', 'mồng'].some((w) => anyOf(words, i, [w]) > 0))
    return undefined;
  return { value: { kind: 'date', day }, next: number.next };
}

const clockLike = (words: Words, i: number) => lengthAt(words, i) !== undefined;
const followedByNumberSign = (words: Words, i: number) =>
  words.tokens[i]?.glued === true && /^[/:.-]$/.test(words.tokens[i]?.text ?? '');

/** "tháng 7", "tháng bảy", "tháng này", "tháng trước" */
function monthAt(words: Words, i: number): Found<{ month?: number; monthsAgo?: number }> | undefined {
  if (!sees(words, i, 'tháng')) return undefined;
  const relative = lookUp(words, i + 1, [['này', 0] as const, ['trước', 1], ['rồi', 1]]);
  if (relative) return { value: { monthsAgo: relative.value }, next: relative.next };
  const number = numberAt(words, i + 1);
  return number && { value: { month: number.value }, next: number.next };
}

function pairAt(words: Words, i: number, named: boolean, afterTime: boolean): Found<DayWord> | undefined {
  const sign = words.tokens[i + 1]?.text ?? '';
  const month = shortNumber(words, i + 2);
  const day = shortNumber(words, i);
  if (day === undefined || month === undefined || !/^[/\-.]$/.test(sign)) return undefined;
  if (!named && namesCamera(words, i)) return undefined;
  if (words.tokens[i]?.glued && /^[/\-.:]$/.test(words.tokens[i - 1]?.text ?? '') && !afterTime)
    return undefined;
  const year = yearAt(words, i + 3, sign);
  const full = year.value.year !== undefined;
  if (sign === '.' && !(full && (year.value.year ?? 0) > 2000)) return undefined;
  if (sign === '-' && !named && !full) {
    const possible = day >= 1 && day <= 31 && month >= 1 && month <= 12;
    if (!possible || !words.tokens[i + 2]?.glued || !(day > month || afterTime)) return undefined;
    const next = words.tokens[i + 3]?.lower ?? '';
    if (/^(h|g|giờ|gio|:)$/.test(next)) return undefined;
  }
  return { value: { kind: 'date', day, month, ...year.value }, next: year.next };
}

const WEEKDAY_WORDS: readonly (readonly [string, number])[] = [
  ['chủ nhật', 0],
  ['chúa nhật', 0],
  ['thứ hai', 1],
  ['thứ ba', 2],
  ['thứ tư', 3],
  ['thứ năm', 4],
  ['thứ sáu', 5],
  ['thứ bảy', 6],
  ['thứ bẩy', 6],
];

/** 0 Sunday … 6. `inTime`: other time words stand beside, so that "t2", "cn" are believed. "cam thứ hai" is a camera. */
export function weekdayAt(words: Words, i: number, inTime: boolean): Found<number> | undefined {
  if (follows(words, i, CAMERA_WORDS)) return undefined;
  const lead = sees(words, i, 'hôm') || sees(words, i, 'ngày') ? i + 1 : i;
  const known = lookUp(words, lead, WEEKDAY_WORDS);
  if (known) return known;
  const first = words.tokens[lead];
  const number = words.tokens[lead + 1];
  const value = number?.kind === 'number' && number.text.length === 1 ? Number(number.text) : 0;
  if (sees(words, lead, 'thứ') && value >= 2 && value <= 7) return { value: value - 1, next: lead + 2 };
  const believed = inTime || weekAt(words, lead + (first?.lower === 'cn' ? 1 : 2)) !== undefined;
  if (!believed) return undefined;
  if (first?.lower === 'cn') return { value: 0, next: lead + 1 };
  if (first?.lower === 't' && number?.glued && value >= 2 && value <= 7) {
    return { value: value - 1, next: lead + 2 };
  }
  return undefined;
}

/** Weeks back from this one (Monday to Sunday): "tuần trước" 1, "tuần này" 0, "tuần sau" -1. */
export const weekAt = (words: Words, i: number) =>
  lookUp(words, i, [
    ['tuần trước nữa', 2] as const,
    ['tuần trước', 1],
    ['tuần vừa rồi', 1],
    ['tuần vừa qua', 1],
    ['tuần rồi', 1],
    ['tuần qua', 1],
    ['tuần này', 0],
    ['tuần sau', -1],
    ['tuần tới', -1],
  ]);
