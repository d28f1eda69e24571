/** From … to …: shares day and part of the day between the two ends and settles the span. */
import { DAY_MS } from '../clock.js';
import type { Clock, Part } from './clock-words.js';
import type { Point } from './point.js';
import { askReversed, error, type Limits, type Outcome, question, settle, UNCLEAR } from './time-answer.js';
import type { Item } from './time-items.js';
import { dayStart, daysOf, NOT_YET, nightDays, secondsOf } from './time-meaning.js';

const HOUR_S = 3600;
const dayIsSaid = (point: Point) =>
  point.day !== undefined || point.weekday !== undefined || point.week !== undefined;
/** From the evening into the small hours: the next day is meant. */
const overMidnight = (from: number, to: number) => from >= 18 * HOUR_S && to <= 6 * HOUR_S;

/** The span between two ends; `context` is a day or part of the day said apart from both ("tối qua từ 8h đến 9h"). */
export function rangeOf(first: Item, last: Item, context: Point, limits: Limits): Outcome {
  if (first.said.kind !== 'point' || last.said.kind !== 'point') return withNow(first, last, context, limits);
  const a = first.said.point;
  const b = last.said.point;
  if (!a.clock || !b.clock) {
    return question('Cần xem từ mấy giờ đến mấy giờ? Ví dụ: từ 14h đến 14h10 hôm qua.', []);
  }
  const [start, end] = seconds(a, a.clock, b, b.clock, context.part);
  return place(withContext(start, context), withContext(end, context), limits);
}

/** A point with its part of the day decided. */
interface Timed {
  point: Point;
  seconds: number;
}

const withContext = (timed: Timed, context: Point): Timed =>
  dayIsSaid(timed.point) || !dayIsSaid(context) ? timed : { ...timed, point: { ...context, ...timed.point } };

/**
 * The parts of the day that fit: an end's own one holds; otherwise the start borrows from the end ("2h đến 3h chiều"),
 * the end from the start ("8h tối đến 9h"), whichever first puts the start before the end.
 */
function seconds(
  a: Point,
  aClock: Clock,
  b: Point,
  bClock: Clock,
  context: Part | undefined,
): [Timed, Timed] {
  const parts = (own: Part | undefined, others: (Part | undefined)[]) => (own ? [own] : others);
  const timed = (point: Point, clock: Clock, options: (Part | undefined)[]): Timed[] =>
    options.flatMap((part) => {
      const at = secondsOf(clock, part);
      return at === undefined ? [] : [{ point: part ? { ...point, part } : point, seconds: at }];
    });
  const starts = timed(a, aClock, parts(a.part, context ? [context, undefined] : [b.part, undefined]));
  const ends = timed(b, bClock, parts(b.part, context ? [context, undefined] : [undefined, a.part]));
  const pairs = starts.flatMap((start) => ends.map((end): [Timed, Timed] => [start, end]));
  const literal: [Timed, Timed] = [
    { point: a, seconds: secondsOf(aClock, a.part) ?? 0 },
    { point: b, seconds: secondsOf(bClock, b.part) ?? 0 },
  ];
  return (
    pairs.find(([start, end]) => start.seconds < end.seconds) ??
    pairs.find(([start, end]) => overMidnight(start.seconds, end.seconds)) ??
    literal
  );
}

/** The instants (epoch ms) a timed point may mean, likeliest first; undefined when its day can't be told. */
function instants(timed: Timed, limits: Limits): number[] | Outcome {
  const days = daysOf(timed.point, limits.nowMs);
  if (days.kind === 'error') return error(days.sentence);
  if (days.kind === 'choose') return question(`${days.question} Xin ghi rõ ngày, ví dụ: 20/11.`, []);
  const starts = days.kind === 'days' ? days.starts : [dayStart(limits.nowMs)];
  return nightDays(timed.point, starts, timed.seconds).map((start) => start + timed.seconds * 1000);
}

function place(start: Timed, end: Timed, limits: Limits): Outcome {
  const aSaid = dayIsSaid(start.point);
  const bSaid = dayIsSaid(end.point);
  // the end that names the day leads; the other follows it
  if (bSaid && !aSaid) {
    const found = instants(end, limits);
    if (!Array.isArray(found)) return found;
    const endMs = found.find((at) => at <= limits.nowMs + limits.clipMs) ?? found[0];
    if (endMs === undefined) return UNCLEAR;
    let startMs = dayStart(endMs - (end.seconds === 86_400 ? 1 : 0)) + start.seconds * 1000;
    if (startMs >= endMs && overMidnight(start.seconds, end.seconds % 86_400)) startMs -= DAY_MS;
    return close(startMs, endMs, limits, true);
  }
  const found = instants(start, limits);
  if (!Array.isArray(found)) return found;
  const past = found.find((at) => at <= limits.nowMs);
  const startMs = past ?? found[0];
  if (startMs === undefined || (past === undefined && aSaid)) return error(NOT_YET);
  if (aSaid && bSaid && !sameDayWords(start.point, end.point)) {
    const ends = instants(end, limits);
    if (!Array.isArray(ends)) return ends;
    const endMs =
      ends.find((at) => at > startMs && at <= limits.nowMs + limits.clipMs) ??
      ends.find((at) => at <= limits.nowMs) ??
      ends[0];
    return endMs === undefined ? UNCLEAR : close(startMs, endMs, limits, true);
  }
  let endMs = startMs + (end.seconds - start.seconds) * 1000;
  if (endMs <= startMs && overMidnight(start.seconds, end.seconds)) endMs += DAY_MS;
  return close(startMs, endMs, limits, aSaid);
}

const sameDayWords = (a: Point, b: Point) =>
  JSON.stringify([a.day, a.weekday, a.week]) === JSON.stringify([b.day, b.weekday, b.week]);

function close(startMs: number, endMs: number, limits: Limits, daySaid: boolean): Outcome {
  if (endMs <= startMs) {
    const late = startMs > limits.nowMs && !daySaid ? DAY_MS : 0;
    return askReversed(startMs - late, endMs - late, limits);
  }
  return settle({ kind: 'range', startMs, endMs }, limits, daySaid);
}

/** One end is reckoned from now: "từ 14h đến bây giờ", "10 phút trước đến 5 phút trước". */
function withNow(first: Item, last: Item, context: Point, limits: Limits): Outcome {
  const start = endOf(first, context, limits);
  const end = endOf(last, context, limits);
  if (typeof start !== 'number') return start;
  if (typeof end !== 'number') return end;
  return close(start, end, limits, true);
}

function endOf(item: Item, context: Point, limits: Limits): number | Outcome {
  const { said } = item;
  if (said.kind === 'now') return limits.nowMs;
  if (said.kind === 'ago') return limits.nowMs - said.seconds * 1000;
  if (said.kind !== 'point' || !said.point.clock) return UNCLEAR;
  const at = secondsOf(said.point.clock, said.point.part ?? context.part);
  if (at === undefined) return UNCLEAR;
  const found = instants(withContext({ point: said.point, seconds: at }, context), limits);
  if (!Array.isArray(found)) return found;
  return found.find((ms) => ms <= limits.nowMs) ?? error(NOT_YET);
}
