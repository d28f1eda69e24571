/**
 * Reads the moment or span a Vietnamese sentence speaks of. Pure: the same text and now give the same answer.
 *
 * Decided, where the words leave it open:
 * - A bare clock is taken on the 24-hour clock: "2h" is 02:00, "2h chiều" 14:00. "8 rưỡi" is 08:30.
 * - Nothing is taken on trust as time: a bare number is one only behind "lúc", "hồi", "từ … đến"; a part of the day
 *   only beside a clock or a day ("cam sáng tạo" keeps "sáng"); marks may be missing but not wrong ("tôi" is not "tối").
 * - "d-m" could be a list of cameras: see dateAt. A number behind "cam", "số", "thôn", "đường" … is no date.
 * - "đêm qua": 18–24h is yesterday, 0–5h this morning. "12h đêm", "12h tối" is the midnight that ends that day. With a
 *   weekday or date ("2h đêm 20/11") the calendar day counts.
 * - A weekday, a date without a year, a day without a month: the latest whose moment is past.
 *   "tuần trước" is the last Monday-to-Sunday week.
 * - "10 phút trước" is a moment; "5 phút vừa rồi", a bare "30s" and "vừa rồi", "bây giờ" end now (the newest such
 *   length, a clip's length if none is said), so that they can be answered at once. "từ bây giờ" begins now.
 * - "2h trước" is two hours ago at the end of a text, and two o'clock in "2h trước cổng chợ".
 * - From 18h or later to 6h or earlier crosses midnight; otherwise an end before its start is asked about.
 * - "14h30 đến 45" is 14:45, "14h đến 15" 15:00; "2h đến 3h chiều" is 14–15h, "8h tối đến 9h" 20–21h.
 * - A moment that begins by now may reach up to clipSeconds beyond it (the clip waits); longer spans are asked about.
 */
import { DAY_MS } from '../clock.js';
import type { Point } from './point.js';
import { readWords } from './text.js';
import {
  askHour,
  type Choice,
  choiceOf,
  error,
  type Limits,
  type Outcome,
  question,
  type Shape,
  settle,
  UNCLEAR,
} from './time-answer.js';
import { type Item, restOf, timeItems } from './time-items.js';
import {
  type Days,
  dayStart,
  daysOf,
  impossible,
  NOT_YET,
  nightDays,
  partHours,
  secondsOf,
} from './time-meaning.js';
import { rangeOf } from './time-range.js';

export type { Choice };

/** `rest`: the words that were not time, in order (NFC). Times are epoch ms, whole seconds. */
export type SpanReading =
  | { kind: 'span'; startMs: number; endMs: number; rest: string }
  /** atMs is the moment meant; startMs–endMs what is shown of it */
  | { kind: 'moment'; atMs: number; startMs: number; endMs: number; rest: string }
  /** ask it; a choice's `says`, put in place of the time words, is understood */
  | { kind: 'question'; question: string; choices: Choice[]; rest: string }
  /** cannot be: a Vietnamese sentence that says what to do */
  | { kind: 'error'; sentence: string; rest: string }
  /** no time at all in the text */
  | { kind: 'none'; rest: string };

export interface SpanOptions {
  /** epoch ms */
  nowMs: number;
  /** length of a clip when none is said */
  clipSeconds: number;
  /** the longest span allowed, seconds */
  maxSpanS: number;
  /** a day or a part of it without a clock is that whole time up to now, rather than a question; default false */
  wholeDays?: boolean;
}

const HOUR_MS = 3_600_000;
/** Nobody says a time in more: reading a whole letter for times would hold up everybody else. */
const MOST_LETTERS = 500;

/** Reads the time words of a text. Never throws; a span has start < end ≤ now + clipSeconds and is no longer than maxSpanS. */
export function readSpan(text: string, options: SpanOptions): SpanReading {
  if (text.length > MOST_LETTERS) return { kind: 'none', rest: text };
  const limits: Limits = {
    nowMs: Math.floor(options.nowMs / 1000) * 1000,
    clipMs: options.clipSeconds * 1000,
    maxMs: options.maxSpanS * 1000,
    wholeDays: options.wholeDays ?? false,
  };
  const words = readWords(text);
  const items = timeItems(words, limits.nowMs);
  const rest = restOf(words, items);
  if (items.length === 0) return { kind: 'none', rest };
  return { ...meaningOf(items, limits), rest };
}

type PointItem = Item & { said: { kind: 'point'; point: Point } };
const isPoint = (item: Item): item is PointItem => item.said.kind === 'point';
const hasClock = (item: Item) => item.said.kind !== 'point' || item.said.point.clock !== undefined;

function meaningOf(items: Item[], limits: Limits): Outcome {
  if (items.some((item) => item.said.kind === 'ahead')) return error(NOT_YET);
  if (items.some((item) => item.said.kind === 'few')) return askFew();
  for (const item of items) {
    const sentence = isPoint(item) ? impossible(item.said.point) : undefined;
    if (sentence) return error(sentence);
  }
  const lengths = items.flatMap((item) => (item.said.kind === 'length' ? [item.said.seconds * 1000] : []));
  const ends = items.filter((item) => item.said.kind !== 'length');
  if (lengths.length > 1) return UNCLEAR;
  const [lengthMs] = lengths;
  if (lengthMs !== undefined && lengthMs < 1000) {
    return error('Khoảng thời gian phải dài ít nhất 1 giây, ví dụ: trong 30 giây.');
  }
  if (ends.length === 0) return newest(lengthMs ?? limits.clipMs, limits);

  const to = ends.findIndex((item) => item.lead.to);
  const first = to > 0 ? ends[to - 1] : undefined;
  const last = ends[to];
  if (first && last && (hasClock(first) || first.lead.from || first.end === last.start)) {
    const others = ends.filter((item) => item !== first && item !== last);
    const context = others.every((item) => isPoint(item) && !hasClock(item)) ? merged(others) : undefined;
    if (lengthMs !== undefined || !context) return UNCLEAR;
    return rangeOf(first, last, context, limits);
  }
  return single(ends, lengthMs, limits);
}

function askFew(): Outcome {
  const choices = [2, 5, 10].map((minutes) => {
    const says = `${minutes} phút trước`;
    return { label: says, says };
  });
  return question('Khoảng mấy phút trước? Xin ghi số phút, ví dụ: 5 phút trước.', choices);
}

/** The newest so many ms, up to now. */
function newest(lengthMs: number, limits: Limits): Outcome {
  const { nowMs } = limits;
  return settle({ kind: 'range', startMs: nowMs - lengthMs, endMs: nowMs }, limits, true);
}

/** Several points that complete each other as one, or undefined when they contradict. */
function merged(items: Item[]): Point | undefined {
  const point: Point = {};
  for (const item of items) {
    if (!isPoint(item)) return undefined;
    for (const key of Object.keys(item.said.point) as (keyof Point)[]) {
      if (point[key] !== undefined) return undefined;
      Object.assign(point, { [key]: item.said.point[key] });
    }
  }
  return point;
}

function single(ends: Item[], lengthMs: number | undefined, limits: Limits): Outcome {
  const [only, second] = ends;
  const about = ends.some((item) => item.lead.about);
  const until = ends.some((item) => item.lead.to);
  if (only && ends.length === 1 && !isPoint(only)) return fromNow(only, lengthMs, limits);
  if (only?.said.kind === 'ago' && second && isPoint(second) && second.start === only.end) {
    // "2 phút trước 14h30"
    const point = merged(ends.slice(1));
    if (!point?.clock) return UNCLEAR;
    return pointMeans(point, limits, lengthMs, -only.said.seconds * 1000, about, false);
  }
  const point = merged(ends);
  if (point) {
    const sentence = impossible(point);
    return sentence ? error(sentence) : pointMeans(point, limits, lengthMs, 0, about, until);
  }
  return severalMoments(ends, limits);
}

function fromNow(item: Item, lengthMs: number | undefined, limits: Limits): Outcome {
  const { nowMs, clipMs } = limits;
  const { said, lead } = item;
  if (said.kind === 'last') {
    return lengthMs === undefined && said.seconds > 0 ? newest(said.seconds * 1000, limits) : UNCLEAR;
  }
  if (said.kind === 'ago') {
    return settle(shapeAt(nowMs - said.seconds * 1000, lengthMs, lead.about ?? false), limits, true);
  }
  if (said.kind !== 'now') return UNCLEAR;
  if (lead.from && !said.past) return settle(shapeAt(nowMs, lengthMs, false), limits, true);
  if (lengthMs !== undefined) return newest(lengthMs, limits);
  const length = Math.min(clipMs, limits.maxMs);
  return { kind: 'moment', atMs: said.past ? nowMs - length : nowMs, startMs: nowMs - length, endMs: nowMs };
}

function shapeAt(startMs: number, lengthMs: number | undefined, about: boolean): Shape {
  if (lengthMs !== undefined) return { kind: 'length', startMs, lengthMs };
  return about ? { kind: 'about', startMs } : { kind: 'moment', startMs };
}

/** One point in full: resolved to a moment, or asked about. */
function pointMeans(
  point: Point,
  limits: Limits,
  lengthMs: number | undefined,
  shiftMs: number,
  about: boolean,
  until: boolean,
): Outcome {
  const { nowMs } = limits;
  const days = daysOf(point, nowMs);
  if (days.kind === 'error') return error(days.sentence);
  if (!point.clock) return bareDay(days, point, lengthMs, limits);
  const seconds = secondsOf(point.clock, point.part);
  if (seconds === undefined) return UNCLEAR;
  const shapeFor = (start: number): Shape => {
    const atMs = start + seconds * 1000 + shiftMs;
    if (!until) return shapeAt(atMs, lengthMs, about);
    return { kind: 'range', startMs: atMs - (lengthMs ?? limits.clipMs), endMs: atMs };
  };
  if (days.kind === 'choose') {
    return question(
      days.question,
      days.starts.flatMap((start) => choiceOf(shapeFor(start), limits)),
    );
  }
  if (days.kind === 'unsaid') {
    const today = dayStart(nowMs);
    return settle(shapeFor(seconds >= 86_400 ? today - DAY_MS : today), limits, false);
  }
  const shapes = nightDays(point, days.starts, seconds).map(shapeFor);
  const past = shapes.find((shape) => shape.startMs <= nowMs);
  return past ? settle(past, limits, true) : error(NOT_YET);
}

function bareDay(days: Days, point: Point, lengthMs: number | undefined, limits: Limits): Outcome {
  if (days.kind === 'days') {
    const start = days.starts.find((day) => day <= limits.nowMs);
    if (start === undefined) return error(NOT_YET);
    if (limits.wholeDays && lengthMs === undefined) return wholeDay(start, point, limits);
    return askHour(start, point.part, lengthMs, limits);
  }
  const text = days.kind === 'choose' ? `${days.question} ` : '';
  return question(`${text}Xin ghi cả ngày và giờ, ví dụ: 14h30 hôm qua.`, []);
}

/** "hôm qua", "tối qua": all of it, as far as it is past. */
function wholeDay(start: number, point: Point, limits: Limits): Outcome {
  const [from, to] = partHours(point);
  const startMs = start + from * HOUR_MS;
  if (startMs >= limits.nowMs) return error(NOT_YET);
  const endMs = Math.min(start + to * HOUR_MS, limits.nowMs);
  return settle({ kind: 'range', startMs, endMs }, limits, true);
}

/** "14h30 14h45": one of them, or all between? */
function severalMoments(ends: Item[], limits: Limits): Outcome {
  const [first, second] = ends.filter(isPoint).filter(hasClock);
  if (!first || !second || !ends.every(isPoint)) return UNCLEAR;
  const context = merged(ends.filter((item) => !hasClock(item)));
  if (!context || ends.filter(hasClock).length > 2) return UNCLEAR;
  const between = rangeOf(first, second, context, limits);
  const choices =
    between.kind === 'span'
      ? choiceOf({ kind: 'range', startMs: between.startMs, endMs: between.endMs }, limits)
      : [];
  for (const item of [first, second]) {
    const point = dayless(item) ? { ...context, ...item.said.point } : item.said.point;
    const meant = pointMeans(point, limits, undefined, 0, false, false);
    if (meant.kind === 'moment') choices.push(...choiceOf({ kind: 'moment', startMs: meant.atMs }, limits));
  }
  return choices.length > 0 ? question('Cần xem một lúc, hay cả đoạn ở giữa?', choices) : UNCLEAR;
}

const dayless = ({ said: { point } }: PointItem) =>
  point.day === undefined && point.weekday === undefined && point.week === undefined;
