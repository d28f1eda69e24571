/** Clock times and lengths as written: "14h30", "14g30", "14:30:05", "3 giờ kém 15", "8 rưỡi" · "2 phút", "1 tiếng rưỡi". */
import { type NumberRead, numberAt } from './number-words.js';
import { anyOf, lookUp, sees, type Words } from './text.js';

export type Part = 'small' | 'morning' | 'noon' | 'afternoon' | 'evening' | 'night';

export interface Clock {
  hour: number;
  minute: number;
  second: number;
  /** minutes were written (so that "14h30 đến 45" can mean 14:45) */
  withMinutes: boolean;
  /** am or pm stood right behind */
  part?: Part;
}

export interface Found<T> {
  value: T;
  next: number;
}

const HALF = ['rưỡi', 'rưởi'];
const MINUTE = ['phút', 'fút', 'ph', 'p', "'", '’', '′'];
const SECOND = ['giây', 's', 'sec', '"', '”', '″'];

function hourSignAt(words: Words, i: number): number {
  if (sees(words, i, 'giờ') || words.tokens[i]?.lower === 'h') return i + 1;
  return words.tokens[i]?.lower === 'g' && words.tokens[i]?.glued ? i + 1 : -1;
}

const isSign = (words: Words, i: number, text: string, glued = true) =>
  words.tokens[i]?.text === text && (!glued || words.tokens[i]?.glued === true);

function digits(words: Words, i: number, least = 1): number | undefined {
  const token = words.tokens[i];
  const fits =
    token?.kind === 'number' && token.glued && token.text.length >= least && token.text.length <= 2;
  return fits ? Number(token.text) : undefined;
}

/** "14:30", "14:30:05" */
function colonClock(words: Words, i: number): Found<Clock> | undefined {
  const before = words.tokens[i - 1];
  if (words.tokens[i]?.glued && before && /[.:/,]/.test(before.text)) return undefined;
  if (!isSign(words, i + 1, ':')) return undefined;
  const minute = digits(words, i + 2, 2);
  if (minute === undefined) return undefined;
  const second = isSign(words, i + 3, ':') ? digits(words, i + 4) : undefined;
  const clock = { hour: Number(words.tokens[i]?.text), minute, second: second ?? 0, withMinutes: true };
  return { value: clock, next: second === undefined ? i + 3 : i + 5 };
}

/** What may not follow a minute standing apart from its hour: then the number belongs to what follows. */
function claimsNumber(words: Words, i: number): boolean {
  if (anyOf(words, i, [...SECOND, ...HALF, 'tiếng', 'ngày', 'hôm', 'tuần', 'tháng', '/', ':', '-', '–']) > 0)
    return true;
  const dotted =
    isSign(words, i, '.') && words.tokens[i + 1]?.kind === 'number' && words.tokens[i + 1]?.glued;
  return dotted === true || hourSignAt(words, i) > 0;
}

/** The minutes behind "14h": glued ("14h30"), apart ("14 giờ 30"), with their unit or without. */
function minutesAt(words: Words, i: number, spoken: boolean): Found<number> | undefined {
  const at = isSign(words, i, ':') ? i + 1 : i;
  const number = numberAt(words, at);
  if (!number) return undefined;
  const glued = words.tokens[at]?.glued === true;
  if (number.digits && glued) {
    if (anyOf(words, number.next, ['/', 'tháng']) > 0) return undefined;
    const unit = anyOf(words, number.next, [...MINUTE, 'm']);
    return { value: number.value, next: unit > 0 ? unit : number.next };
  }
  const unit = anyOf(words, number.next, MINUTE);
  const ago = unit > 0 && anyOf(words, unit, ['trước', 'qua', 'vừa', 'gần đây', 'nữa']) > 0;
  if (ago) return undefined;
  if (unit > 0) return { value: number.value, next: unit };
  if (claimsNumber(words, number.next)) return undefined;
  const long = number.digits ? words.tokens[at]?.text.length === 2 : number.value >= 10;
  if (!(long || (spoken && number.digits)) || (number.value > 59 && !(long && spoken))) return undefined;
  return { value: number.value, next: number.next };
}

/** Seconds behind minutes: "30 phút 5 giây", "14h30:05", "14h30p05s". */
function secondsAt(words: Words, i: number, afterUnit: boolean): Found<number> | undefined {
  if (isSign(words, i, ':')) {
    const second = digits(words, i + 1);
    return second === undefined ? undefined : { value: second, next: i + 2 };
  }
  if (!afterUnit) return undefined;
  const number = numberAt(words, i);
  if (!number) return undefined;
  const unit = anyOf(words, number.next, SECOND);
  if (unit > 0) return { value: number.value, next: unit };
  const short = digits(words, i);
  return short === undefined ? undefined : { value: short, next: i + 1 };
}

/** "kém 15 [phút]" behind an hour. */
function lessAt(words: Words, i: number): Found<number> | undefined {
  if (!sees(words, i, 'kém')) return undefined;
  const number = numberAt(words, i + 1);
  if (!number || number.value > 59) return undefined;
  const unit = anyOf(words, number.next, MINUTE);
  return { value: number.value, next: unit > 0 ? unit : number.next };
}

function lessenedBy(hour: number, minutes: number): Clock {
  const total = ((hour === 0 ? 24 : hour) * 60 - minutes + 1440) % 1440;
  return { hour: Math.floor(total / 60), minute: total % 60, second: 0, withMinutes: true };
}

const whole = (hour: number): Clock => ({ hour, minute: 0, second: 0, withMinutes: false });

/** Right behind a number without any unit: "8 rưỡi", "3 kém 15", "2pm". */
function unitless(words: Words, number: NumberRead): Found<Clock> | undefined {
  const half = anyOf(words, number.next, HALF);
  if (half > 0 && number.value <= 24) {
    return { value: { hour: number.value, minute: 30, second: 0, withMinutes: true }, next: half };
  }
  const less = number.value <= 24 ? lessAt(words, number.next) : undefined;
  return less && { value: lessenedBy(number.value, less.value), next: less.next };
}

function hourClock(words: Words, number: NumberRead, sign: number): Found<Clock> {
  const spoken = sees(words, sign - 1, 'giờ');
  const half = anyOf(words, sign, HALF);
  if (half > 0) {
    return { value: { hour: number.value, minute: 30, second: 0, withMinutes: true }, next: half };
  }
  const less = lessAt(words, sign);
  if (less && number.value <= 24) return { value: lessenedBy(number.value, less.value), next: less.next };
  const minutes = minutesAt(words, sign, spoken);
  if (!minutes) {
    const sharp = anyOf(words, sign, ['đúng']);
    return { value: whole(number.value), next: sharp > 0 ? sharp : sign };
  }
  const second = secondsAt(words, minutes.next, words.tokens[minutes.next - 1]?.kind !== 'number');
  return {
    value: { hour: number.value, minute: minutes.value, second: second?.value ?? 0, withMinutes: true },
    next: second?.next ?? minutes.next,
  };
}

/** Unmarked "bay gio" is "bây giờ" unless it goes on like a clock. */
function meansNow(words: Words, i: number): boolean {
  if (words.tokens[i]?.lower !== 'bay') return false;
  const goesOn = ['sáng', 'trưa', 'chiều', 'tối', 'kém', 'rưỡi', 'đúng', 'hôm', 'đêm'];
  return anyOf(words, i + 2, goesOn) < 0 && !numberAt(words, i + 2);
}

/** A clock time that begins at i and is clearly one. Hours and minutes may be impossible (25h, 14h75): the caller says so. */
export function clockAt(words: Words, i: number): Found<Clock> | undefined {
  const number = numberAt(words, i);
  if (!number || (number.digits && (words.tokens[i]?.text.length ?? 0) > 2)) return undefined;
  const found = readClock(words, i, number);
  if (!found) return undefined;
  const half = lookUp<Part>(words, found.next, [
    ['am', 'morning'],
    ['pm', 'afternoon'],
  ]);
  return half ? { value: { ...found.value, part: half.value }, next: half.next } : found;
}

function readClock(words: Words, i: number, number: NumberRead): Found<Clock> | undefined {
  const sign = hourSignAt(words, number.next);
  if (sign > 0) return meansNow(words, i) ? undefined : hourClock(words, number, sign);
  const colon = number.digits ? colonClock(words, i) : undefined;
  if (colon) return colon;
  if (number.digits && anyOf(words, number.next, ['am', 'pm']) > 0) {
    return { value: whole(number.value), next: number.next };
  }
  return unitless(words, number);
}

const UNITS: readonly (readonly [string, number])[] = [
  ['tiếng đồng hồ', 3600],
  ['giờ đồng hồ', 3600],
  ['tiếng', 3600],
  ['giờ', 3600],
  ['h', 3600],
  ...MINUTE.map((word) => [word, 60] as const),
  ['phut', 60],
  ...SECOND.map((word) => [word, 1] as const),
];

export interface Length {
  seconds: number;
  /** begins with "h" or "giờ" ("2h", "1h30", "14 giờ 30 phút"), so it may as well be a clock time */
  likeClock: boolean;
}

function amountAt(words: Words, i: number): Found<number> | undefined {
  if (sees(words, i, 'nửa')) return { value: 0.5, next: i + 1 };
  const number = numberAt(words, i);
  if (!number) return undefined;
  const point = words.tokens[number.next];
  const decimals = words.tokens[number.next + 1];
  if (number.digits && point?.glued && /^[.,]$/.test(point.text) && decimals?.kind === 'number') {
    if (decimals.glued && decimals.text.length <= 2) {
      return { value: Number(`${number.value}.${decimals.text}`), next: number.next + 2 };
    }
  }
  return { value: number.value, next: number.next };
}

/** A length at i: "30s", "2 phút 5 giây", "nửa tiếng", "1 tiếng rưỡi", "1,5 phút", "1h30". */
export function lengthAt(words: Words, i: number): Found<Length> | undefined {
  let at = i;
  let seconds = 0;
  let smallest = Number.POSITIVE_INFINITY;
  let likeClock = false;
  while (at < words.tokens.length) {
    const amount = amountAt(words, at);
    if (!amount) break;
    const unit = lookUp(words, amount.next, UNITS);
    if (!unit || unit.value >= smallest) {
      // "1h30", "1 tiếng 30", "2p30": the next smaller unit is understood
      const tail = words.tokens[at];
      const fits = tail?.kind === 'number' && tail.text.length <= 2 && amount.value < 60;
      if (fits && (tail.glued || sees(words, at - 1, 'tiếng')) && smallest > 1 && smallest <= 3600) {
        seconds += amount.value * (smallest / 60);
        at = amount.next;
      }
      break;
    }
    if (at === i && amount.value !== 0.5) likeClock = hourSignAt(words, amount.next) === unit.next;
    seconds += amount.value * unit.value;
    smallest = unit.value;
    at = unit.next;
    const half = anyOf(words, at, HALF);
    if (half > 0) {
      seconds += unit.value / 2;
      at = half;
      break;
    }
  }
  if (at === i || !Number.isFinite(smallest)) return undefined;
  return { value: { seconds: Math.round(seconds), likeClock }, next: at };
}
