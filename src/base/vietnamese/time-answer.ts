/** The outcomes of reading a time: settled spans, questions with choices, sentences. */
import { DAY_MS } from '../clock.js';
import type { Part } from './clock-words.js';
import { sayClock, sayDate, sayDay, sayDuration, sayRange, sayShortClock } from './say.js';
import { NOT_YET } from './time-meaning.js';

export interface Choice {
  /** short text for a button */
  label: string;
  /** put in place of the time words it is understood exactly */
  says: string;
}

export type Outcome =
  | { kind: 'span'; startMs: number; endMs: number }
  | { kind: 'moment'; atMs: number; startMs: number; endMs: number }
  | { kind: 'question'; question: string; choices: Choice[] }
  | { kind: 'error'; sentence: string };

/** What bounds an answer: now (whole seconds, epoch ms), the usual clip and the longest one, both in ms. */
export interface Limits {
  nowMs: number;
  clipMs: number;
  maxMs: number;
  wholeDays: boolean;
}

/** How a span was asked for; decides how it is said again. */
export type Shape =
  | { kind: 'moment'; startMs: number }
  | { kind: 'about'; startMs: number }
  | { kind: 'length'; startMs: number; lengthMs: number }
  | { kind: 'range'; startMs: number; endMs: number };

export const error = (sentence: string): Outcome => ({ kind: 'error', sentence });

export const question = (text: string, choices: Choice[]): Outcome => ({
  kind: 'question',
  question: text,
  choices,
});

export const UNCLEAR = error(
  'Chưa hiểu rõ thời gian. Xin ghi như: “14h30 hôm qua trong 30 giây” hoặc “từ 14h đến 14h10 hôm qua”.',
);

/** The exact words for a span, in the form it was asked for. */
export function wordsFor(shape: Shape): string {
  const at = `${sayClock(shape.startMs)} ${sayDate(shape.startMs)}`;
  if (shape.kind === 'moment') return at;
  if (shape.kind === 'about') return `khoảng ${at}`;
  if (shape.kind === 'length') return `${at} trong ${sayDuration(shape.lengthMs)}`;
  const endClock = sayClock(shape.endMs);
  if (sayDate(shape.startMs) === sayDate(shape.endMs)) {
    return `từ ${sayClock(shape.startMs)} đến ${endClock} ${sayDate(shape.endMs)}`;
  }
  return `từ ${at} đến ${endClock} ${sayDate(shape.endMs)}`;
}

export function shifted(shape: Shape, byMs: number): Shape {
  if (shape.kind === 'range') {
    return { ...shape, startMs: shape.startMs + byMs, endMs: shape.endMs + byMs };
  }
  return { ...shape, startMs: shape.startMs + byMs };
}

function boundsOf(shape: Shape, limits: Limits): { startMs: number; endMs: number } {
  const { startMs } = shape;
  if (shape.kind === 'range') return { startMs, endMs: shape.endMs };
  if (shape.kind === 'length') return { startMs, endMs: startMs + shape.lengthMs };
  if (shape.kind === 'moment') return { startMs, endMs: startMs + Math.min(limits.clipMs, limits.maxMs) };
  const half = Math.min(60_000, Math.max(1000, Math.floor(limits.maxMs / 2000) * 1000));
  return { startMs: startMs - half, endMs: Math.min(startMs + half, Math.max(limits.nowMs, startMs)) };
}

/** A shape offered on a button, or none when it could not be fulfilled. */
export function choiceOf(shape: Shape, limits: Limits, label?: string): Choice[] {
  const { startMs, endMs } = boundsOf(shape, limits);
  const lengthMs = endMs - startMs;
  if (shape.startMs > limits.nowMs || endMs > limits.nowMs + limits.clipMs) return [];
  if (lengthMs <= 0 || lengthMs > limits.maxMs) return [];
  return [{ label: label ?? labelOf(shape), says: wordsFor(shape) }];
}

/** "14:30 thứ sáu 20/11/2026", "14:30–14:40 thứ sáu 20/11/2026" */
function labelOf(shape: Shape): string {
  const start = sayShortClock(shape.startMs);
  const clock = shape.kind === 'range' ? `${start}–${sayShortClock(shape.endMs)}` : start;
  return `${clock} ${sayDay(shape.startMs)}`;
}

/**
 * The last check of a span. `daySaid` false: a time later than now is asked about, yesterday's offered.
 * What reaches beyond now by more than a usual clip is not waited for.
 */
export function settle(shape: Shape, limits: Limits, daySaid: boolean): Outcome {
  const { startMs, endMs } = boundsOf(shape, limits);
  const { nowMs } = limits;
  if (shape.startMs > nowMs) {
    if (daySaid) return error(NOT_YET);
    const yesterday = shifted(shape, -DAY_MS);
    return question(
      `${sayShortClock(shape.startMs)} hôm nay chưa đến (bây giờ là ${sayShortClock(nowMs)}). Xem ${sayShortClock(shape.startMs)} hôm qua, ${sayDay(yesterday.startMs)}, được không?`,
      choiceOf(yesterday, limits),
    );
  }
  if (endMs <= startMs) return error('Khoảng thời gian phải dài ít nhất 1 giây, ví dụ: trong 30 giây.');
  if (endMs - startMs > limits.maxMs) {
    const longest = sayDuration(limits.maxMs);
    return error(
      `Khoảng này dài ${sayDuration(endMs - startMs)}, mỗi lần xem được nhiều nhất ${longest}. Xin chọn đoạn ngắn hơn, ví dụ: ${sayShortClock(startMs)} trong ${longest}.`,
    );
  }
  if (endMs > nowMs + limits.clipMs) return reachesAhead(shape, limits, daySaid);
  if (shape.kind === 'moment' || shape.kind === 'about') {
    return { kind: 'moment', atMs: shape.startMs, startMs, endMs };
  }
  return { kind: 'span', startMs, endMs };
}

function reachesAhead(shape: Shape, limits: Limits, daySaid: boolean): Outcome {
  const { nowMs } = limits;
  const soFar: Shape = { kind: 'range', startMs: shape.startMs, endMs: nowMs };
  const choices = choiceOf(soFar, limits, `${sayShortClock(shape.startMs)} đến bây giờ`);
  if (!daySaid) choices.push(...choiceOf(shifted(shape, -DAY_MS), limits));
  if (choices.length === 0) return error(NOT_YET);
  return question(
    `Đoạn này kéo dài quá lúc này (bây giờ là ${sayShortClock(nowMs)}). Xem đoạn nào?`,
    choices,
  );
}

/** Hours offered when only a day, or a part of it, was said. */
const HOURS: Record<Part | 'day', number[]> = {
  day: [7, 12, 17, 21],
  small: [1, 3, 5],
  morning: [7, 9, 11],
  noon: [11, 12, 13],
  afternoon: [14, 16, 17],
  evening: [19, 20, 21],
  night: [22, 23, 24, 26],
};

/** "Thứ sáu 20/11/2026, lúc mấy giờ?" with some hours of that day that are past. */
export function askHour(
  startOfDay: number,
  part: Part | undefined,
  lengthMs: number | undefined,
  limits: Limits,
): Outcome {
  const choices = HOURS[part ?? 'day'].flatMap((hour) => {
    const startMs = startOfDay + hour * 3_600_000;
    const shape: Shape =
      lengthMs === undefined ? { kind: 'moment', startMs } : { kind: 'length', startMs, lengthMs };
    return choiceOf(shape, limits, sayShortClock(startMs));
  });
  const partBegins = startOfDay + (part ? (HOURS[part][0] ?? 0) : 0) * 3_600_000;
  if (choices.length === 0 && partBegins > limits.nowMs && (part || startOfDay > limits.nowMs))
    return error(NOT_YET);
  const day = sayDay(startOfDay);
  return question(
    `${day.charAt(0).toUpperCase()}${day.slice(1)}, lúc mấy giờ? Xin ghi giờ, ví dụ: 14h30, hoặc từ 14h đến 14h10.`,
    choices,
  );
}

/** Start and end stand the wrong way round: offers the swap, and the end in the afternoon where that makes sense. */
export function askReversed(startMs: number, endMs: number, limits: Limits): Outcome {
  const choices: Choice[] = [];
  const later = endMs + 12 * 3_600_000;
  if (startMs < later && sayDate(later) === sayDate(startMs)) {
    choices.push(...choiceOf({ kind: 'range', startMs, endMs: later }, limits));
  }
  if (endMs < startMs) {
    choices.push(...choiceOf({ kind: 'range', startMs: endMs, endMs: startMs }, limits));
  }
  const said =
    endMs === startMs
      ? `Giờ đầu và giờ cuối trùng nhau (${sayShortClock(startMs)}).`
      : `Giờ cuối đứng trước giờ đầu (${sayRange(startMs, endMs)}).`;
  return question(`${said} Xin ghi lại khoảng cần xem, ví dụ: từ 14h đến 14h10.`, choices);
}
