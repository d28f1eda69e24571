/** Finds everything in a text that speaks of time, in order; what it leaves is the rest. */
import { toVietnamTime, type VietnamTime } from '../clock.js';
import { clockAt, type Found, lengthAt } from './clock-words.js';
import { dateAt, namesCamera, partAt } from './day-words.js';
import { bareNumber, finishPoint, hourOnly, type Lead, type Point, pointAt, sameTimeAt } from './point.js';
import { anyOf, lookUp, sees, type Words } from './text.js';

export type Said =
  | { kind: 'point'; point: Point }
  | { kind: 'length'; seconds: number }
  /** "10 phút trước"; below 0 "10 phút sau", always before a clock time */
  | { kind: 'ago'; seconds: number }
  /** "5 phút vừa rồi" */
  | { kind: 'last'; seconds: number }
  /** "bây giờ", "vừa rồi" */
  | { kind: 'now'; past: boolean }
  /** "vài phút trước" */
  | { kind: 'few' }
  /** "10 phút nữa" */
  | { kind: 'ahead' };

export interface Item {
  said: Said;
  lead: Lead;
  /** token numbers, end exclusive, the leading words included */
  start: number;
  end: number;
}

const LEADS: readonly (readonly [string, Lead])[] = [
  ['trong khoảng thời gian', {}],
  ['vào khoảng thời gian', {}],
  ['khoảng thời gian', {}],
  ['đoạn', {}],
  ['khúc', {}],
  ['trong khoảng', { within: true, about: true }],
  ['trong vòng', { within: true }],
  ['trong thời gian', { within: true }],
  ['trong', { within: true }],
  ['kéo dài', { within: true }],
  ['độ dài', { within: true }],
  ['dài', { within: true }],
  ['thời lượng', { within: true }],
  ['bắt đầu từ', { from: true }],
  ['từ', { from: true }],
  ['giữa', { from: true }],
  ['cho đến', { to: true }],
  ['cho tới', { to: true }],
  ['đến', { to: true }],
  ['tới', { to: true }],
  ['xung quanh', { about: true }],
  ['quanh', { about: true }],
  ['khoảng chừng', { about: true }],
  ['khoảng', { about: true }],
  ['khoản', { about: true }],
  ['quãng', { about: true }],
  ['tầm', { about: true }],
  ['chừng', { about: true }],
  ['độ', { about: true }],
  ['cỡ', { about: true }],
  ['gần', { about: true }],
  ['thời điểm', { at: true }],
  ['ngay lúc', { at: true }],
  ['lúc', { at: true }],
  ['vào', { at: true }],
  ['hồi', { at: true }],
  ['đúng', { at: true }],
];

const TO_SIGNS = ['- >', '= >', '→', '-', '–', '—', '~'];

const NOW: readonly (readonly [string, boolean])[] = [
  ['ngay bây giờ', false],
  ['bây giờ', false],
  ['bây h', false],
  ['hiện giờ', false],
  ['hiện tại', false],
  ['ngay lúc này', false],
  ['lúc này', false],
  ['vừa mới rồi', true],
  ['vừa rồi', true],
  ['vừa nãy', true],
  ['vừa nảy', true],
  ['vừa xong', true],
  ['vừa qua', true],
  ['mới nãy', true],
  ['mới đây', true],
  ['lúc nãy', true],
  ['khi nãy', true],
  ['hồi nãy', true],
  ['ban nãy', true],
];

const FEW = ['vài phút', 'mấy phút', 'ít phút', 'dăm phút', 'vài ba phút', 'đôi phút'];
const PAST = [
  'vừa rồi',
  'vừa qua',
  'gần đây nhất',
  'gần đây',
  'gần nhất',
  'mới nhất',
  'mới đây',
  'vừa xong',
  'trở lại đây',
];

/** All time words of the text. `nowMs` only serves "giờ này hôm qua". */
export function timeItems(words: Words, nowMs: number): Item[] {
  const now = toVietnamTime(nowMs);
  const items: Item[] = [];
  let i = 0;
  while (i < words.tokens.length) {
    const item = itemAt(words, i, items, now);
    if (item) items.push(item);
    i = item ? item.end : i + 1;
  }
  return items;
}

const endsWithClock = (item: Item) =>
  item.said.kind === 'ago' || (item.said.kind === 'point' && item.said.point.clock !== undefined);

function itemAt(words: Words, start: number, items: readonly Item[], now: VietnamTime): Item | undefined {
  const before = items.at(-1);
  const lead: Lead = {};
  const starts: { at: number; lead: Lead }[] = [{ at: start, lead: {} }];
  let at = start;
  // a dash joins two times only when it stands right between them
  const dash = before && before.end === start ? anyOf(words, start, TO_SIGNS) : -1;
  if (dash > 0) {
    lead.to = true;
    at = dash;
    starts.push({ at, lead: { ...lead } });
  }
  while (starts.length < 5) {
    if (sees(words, at, 'tầm') && sees(words, at - 1, 'trung')) break;
    if (sees(words, at, 'giữa') && sees(words, at + 1, 'trưa')) break;
    // without marks "toi" is "tới" only behind a time it can end
    if (words.tokens[at]?.lower === 'toi' && !items.some(endsWithClock)) break;
    const joined = items.some((item) => item.lead.from) && before?.end === start && sees(words, at, 'và');
    const found = joined ? { value: { to: true }, next: at + 1 } : lookUp(words, at, LEADS);
    if (!found) break;
    Object.assign(lead, found.value);
    at = found.next;
    starts.push({ at, lead: { ...lead } });
  }
  for (const begin of starts.reverse()) {
    const found = saidAt(words, begin.at, begin.lead, before, now);
    if (found) return { said: found.value, lead: begin.lead, start, end: found.next };
  }
  return undefined;
}

function saidAt(
  words: Words,
  i: number,
  lead: Lead,
  before: Item | undefined,
  now: VietnamTime,
): Found<Said> | undefined {
  const known = clockAt(words, i) ? undefined : lookUp(words, i, NOW);
  if (known && !sameTimeAt(words, i, now))
    return { value: { kind: 'now', past: known.value }, next: known.next };
  const tillNow = lead.to ? anyOf(words, i, ['giờ này', 'giờ', 'nay']) : -1;
  if (tillNow > 0 && nothingButTime(words, tillNow)) {
    return { value: { kind: 'now', past: false }, next: tillNow };
  }
  const few = anyOf(words, i, FEW);
  const fewEnd = few > 0 ? anyOf(words, few, ['trước', ...PAST]) : -1;
  if (fewEnd > 0) return { value: { kind: 'few' }, next: fewEnd };
  return (
    agoAt(words, i) ??
    lengthSaid(words, i, lead) ??
    rangeStart(words, i, lead, before) ??
    shortEnd(words, i, lead, before, now) ??
    pointSaid(pointAt(words, i, lead, now))
  );
}

const pointSaid = (found: Found<Point> | undefined): Found<Said> | undefined =>
  found && { value: { kind: 'point', point: found.value }, next: found.next };

/** "cách đây 10 phút", "cách 10 phút trước" */
function agoAt(words: Words, i: number): Found<Said> | undefined {
  const lead = anyOf(words, i, ['cách đây khoảng', 'cách đây', 'cách nay', 'trước đây', 'cách']);
  if (lead < 0) return undefined;
  const length = lengthAt(words, lead);
  if (!length) return undefined;
  const end = anyOf(words, length.next, ['trước đây', 'trước']);
  // "cách 5 phút" alone may be a way to walk
  if (end < 0 && lead === i + 1) return undefined;
  return { value: { kind: 'ago', seconds: length.value.seconds }, next: end > 0 ? end : length.next };
}

/** "10 phút trước", "5 phút vừa rồi", "10 phút nữa", "trong 30 giây". "14h30" and "14h30 trước cổng" are clock times. */
function lengthSaid(words: Words, i: number, lead: Lead): Found<Said> | undefined {
  const days = lengthInDays(words, i);
  if (days) return days;
  const length = lengthAt(words, i);
  if (!length) return undefined;
  const { seconds, likeClock } = length.value;
  const ago = anyOf(words, length.next, ['trước đây', 'trước']);
  if (ago > 0 && (!likeClock || (seconds <= 12 * 3600 && nothingButTime(words, ago)))) {
    return { value: { kind: 'ago', seconds }, next: ago };
  }
  const past = anyOf(words, length.next, [...PAST, 'qua']);
  if (past > 0) return { value: { kind: 'last', seconds }, next: past };
  const ahead = anyOf(words, length.next, ['nữa']);
  if (ahead > 0) return { value: { kind: 'ahead' }, next: ahead };
  const later = anyOf(words, length.next, ['sau lúc', 'sau']);
  if (later > 0 && clockAt(words, later)) {
    return { value: { kind: 'ago', seconds: -seconds }, next: later };
  }
  if (likeClock && !lead.within) return undefined;
  // "trong 14h30" is hardly a length of half a day
  if (likeClock && seconds > 6 * 3600) return undefined;
  return { value: { kind: 'length', seconds }, next: length.next };
}

function lengthInDays(words: Words, i: number): Found<Said> | undefined {
  const token = words.tokens[i];
  if (token?.kind !== 'number' || token.text.length > 3 || !sees(words, i + 1, 'ngày')) return undefined;
  const past = anyOf(words, i + 2, [...PAST, 'qua']);
  return past > 0 ? { value: { kind: 'last', seconds: Number(token.text) * 86_400 }, next: past } : undefined;
}

/** Behind "2h trước" only the end, a sign or a word of asking: otherwise it is "2h" and "trước cổng". */
function nothingButTime(words: Words, i: number): boolean {
  const next = words.tokens[i];
  if (next?.kind !== 'word') return true;
  return ['cam', 'camera', 'trong', 'tai', 'o', 'den', 'cua', 'lay', 'a', 'nhe'].includes(next.folded);
}

/** The first number of "14-15h", "từ 2 đến 3 giờ chiều", "từ 8 đến 9 tối": its unit stands behind the second. */
function rangeStart(words: Words, i: number, lead: Lead, before: Item | undefined): Found<Said> | undefined {
  const hour = bareNumber(words, i);
  if (hour === undefined || hour > 24 || lead.to || namesCamera(words, i)) return undefined;
  const joint = anyOf(words, i + 1, ['đến', 'tới', '-', '–']);
  if (joint < 0) return undefined;
  const dashed = words.tokens[joint - 1]?.kind === 'sign' && words.tokens[joint]?.glued;
  const led = lead.from || lead.at || lead.about;
  if (!led && !dashed && i !== 0 && before?.end !== i) return undefined;
  if (words.tokens[i]?.glued && /[/:.-]/.test(words.tokens[i - 1]?.text ?? '')) return undefined;
  const ends = lead.from && bareNumber(words, joint) !== undefined && partAt(words, joint + 1);
  if (!clockAt(words, joint) && !ends) return undefined;
  return { value: { kind: 'point', point: { clock: hourOnly(hour) } }, next: i + 1 };
}

/** The second number of "14h30 đến 45" (minutes) or "14h đến 15" (an hour). */
function shortEnd(
  words: Words,
  i: number,
  lead: Lead,
  before: Item | undefined,
  now: VietnamTime,
): Found<Said> | undefined {
  const number = bareNumber(words, i);
  const first = before?.said.kind === 'point' ? before.said.point.clock : undefined;
  if (number === undefined || !lead.to || !first || clockAt(words, i) || dateAt(words, i, false))
    return undefined;
  const unit = anyOf(words, i + 1, ['phút', 'p', 'ph']);
  if (unit < 0 && words.tokens[i + 1]?.glued && !/^[,.;!?)]$/.test(words.tokens[i + 1]?.text ?? ''))
    return undefined;
  const part = partAt(words, i + 1);
  if (first.withMinutes && number > first.minute && number < 60 && !part) {
    const clock = { hour: first.hour, minute: number, second: 0, withMinutes: true };
    return { value: { kind: 'point', point: { clock } }, next: unit > 0 ? unit : i + 1 };
  }
  if (unit > 0 || number > 24) return undefined;
  return pointSaid(finishPoint(words, { clock: hourOnly(number) }, i + 1, now));
}

/** The text without its time words, blanks and stray signs at the edges tidied. */
export function restOf(words: Words, items: readonly Item[]): string {
  const pieces: string[] = [];
  let from = 0;
  for (const item of items) {
    const first = words.tokens[item.start];
    const last = words.tokens[item.end - 1];
    if (!first || !last) continue;
    pieces.push(words.text.slice(from, first.start));
    from = last.end;
  }
  pieces.push(words.text.slice(from));
  return pieces
    .map((piece) => piece.replace(/^[\s,.;:!?–—)\]"”-]+(?=\s|$)|^[\s,;)\]]+|[\s,;:–—([“-]+$/g, '').trim())
    .filter((piece) => /[\p{L}\p{N}]/u.test(piece))
    .join(' ')
    .replace(/\s+/g, ' ')
    .replace(/[\s,;:.!?–—([-]+$/, '')
    .trim();
}
