/** Finds cameras (or anything with a number and names) by what people call them. */
import { numberAt } from './number-words.js';
import { readWords, type Token } from './text.js';

export interface Named<T> {
  item: T;
  number?: number;
  /** every name it answers to: its own, its site's, its hamlet's */
  names: readonly string[];
}

export type Found<T> =
  | { kind: 'one'; item: T }
  /** best first, at most eight */
  | { kind: 'several'; items: T[] }
  /** at most three that come near */
  | { kind: 'none'; nearest: T[] };

const CAMERA_WORDS = new Set(['cam', 'camera', 'cameras', 'kam', 'mat', 'so', 'c']);
/** Words around a name that say nothing of which camera is meant (folded). */
const FILLERS = new Set(
  'o tai cho cai cua xem voi nhe nha di a ah ad em toi minh giup gui lay chup hinh chiec luc nao'.split(' '),
);
const MOST = 8;
/** A query of more words is a story, not a name. */
const LONGEST = 16;

/** Number words as digits, so that "ngã 3" is "ngã ba". */
const DIGITS: Record<string, string> = {
  mot: '1',
  hai: '2',
  ba: '3',
  bon: '4',
  tu: '4',
  nam: '5',
  sau: '6',
  bay: '7',
  tam: '8',
  chin: '9',
};

interface Piece {
  /** folded, number words as digits */
  key: string;
  lower: string;
}

const pieceOf = (token: Token): Piece => ({
  key: token.kind === 'number' ? String(Number(token.text)) : (DIGITS[token.folded] ?? token.folded),
  lower: token.lower,
});

function piecesOf(text: string): Piece[] {
  return readWords(text)
    .tokens.filter((token) => token.kind !== 'sign')
    .map(pieceOf);
}

/** Insertions, deletions, replacements and swaps of neighbours between two short strings; more than `most` is Infinity. */
export function editDistance(a: string, b: string, most = Number.POSITIVE_INFINITY): number {
  if (Math.abs(a.length - b.length) > most) return Number.POSITIVE_INFINITY;
  let older: number[] = [];
  let old = Array.from({ length: b.length + 1 }, (_, k) => k);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let cost = Math.min(old[j]! + 1, row[j - 1]! + 1, old[j - 1]! + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, older[j - 2]! + 1);
      }
      row.push(cost);
    }
    older = old;
    old = row;
  }
  const distance = old[b.length]!;
  return distance > most ? Number.POSITIVE_INFINITY : distance;
}

/** Mistakes forgiven in one word: none up to three letters, numbers never. */
const forgiven = (key: string) => (/^\d/.test(key) || key.length <= 3 ? 0 : key.length <= 6 ? 1 : 2);
/** … and in a whole name written together. */
const forgivenTogether = (length: number) => (length < 6 ? 0 : length < 10 ? 1 : 2);

/** Lower is better; each tier is looked at only when the ones before hold nothing. */
const TIER = { marks: 0, same: 1, part: 2, scattered: 3, misspelt: 4, misspeltPart: 5 } as const;

interface Match {
  tier: number;
  cost: number;
}

function matchName(query: readonly Piece[], name: readonly Piece[]): Match | undefined {
  if (query.length === 0 || name.length === 0) return undefined;
  const asked = query.map((piece) => piece.key);
  const given = name.map((piece) => piece.key);
  const marked = query.map((piece) => piece.lower).join(' ') === name.map((piece) => piece.lower).join(' ');
  if (marked) return { tier: TIER.marks, cost: 0 };
  if (asked.join(' ') === given.join(' ') || asked.join('') === given.join(''))
    return { tier: TIER.same, cost: 0 };
  if (` ${given.join(' ')} `.includes(` ${asked.join(' ')} `)) return { tier: TIER.part, cost: 0 };
  const cost = matchWords(asked, given);
  if (cost === 0) return { tier: TIER.scattered, cost: 0 };
  const numbers = (keys: string[]) => keys.filter((key) => /^\d/.test(key)).join(' ');
  const together = asked.join('');
  const whole =
    numbers(asked) === numbers(given)
      ? editDistance(together, given.join(''), forgivenTogether(together.length))
      : Number.POSITIVE_INFINITY;
  if (Number.isFinite(whole)) return { tier: TIER.misspelt, cost: whole };
  if (cost === undefined) return undefined;
  return { tier: given.length === asked.length ? TIER.misspelt : TIER.misspeltPart, cost };
}

/** Each asked word needs a word of the name of its own; the mistakes in all, or undefined. */
function matchWords(asked: readonly string[], given: readonly string[]): number | undefined {
  const left = [...given];
  let total = 0;
  for (const word of asked) {
    let best = -1;
    let cost = Number.POSITIVE_INFINITY;
    for (const [k, other] of left.entries()) {
      const loose = !/^\d/.test(other) && (word.length > 4 || word[0] === other[0]);
      const distance = word === other ? 0 : editDistance(word, other, loose ? forgiven(word) : 0);
      if (distance < cost) [best, cost] = [k, distance];
    }
    if (best < 0) return undefined;
    left.splice(best, 1);
    total += cost;
  }
  return total;
}

/** Part of "khu vực" or "vị trí". */
function isAreaWord(pieces: readonly Piece[], k: number): boolean {
  const pair = (at: number) => `${pieces[at]?.key} ${pieces[at + 1]?.key}`;
  return [pair(k), pair(k - 1)].some((words) => words === 'khu vuc' || words === 'vi tri');
}

/** The query without fillers, in the readings worth trying: as written, edges trimmed, every filler off. */
function readings(pieces: readonly Piece[]): Piece[][] {
  const isFiller = (piece: Piece) => FILLERS.has(piece.key) || CAMERA_WORDS.has(piece.key);
  const all: Piece[][] = [[...pieces]];
  const noCamera = pieces.filter((piece) => !CAMERA_WORDS.has(piece.key));
  all.push(noCamera);
  // "cho" may be the mark-less "chợ": taken off last
  const lean = pieces.filter((_, k) => !isAreaWord(pieces, k));
  const notMarket = lean.filter((piece) => !isFiller(piece) || piece.key === 'cho');
  all.push(notMarket);
  const trimmed = notMarket[0]?.key === 'cho' ? notMarket.slice(1) : notMarket;
  all.push(
    trimmed,
    pieces.filter((piece) => !isFiller(piece)),
  );
  return all.filter((reading) => reading.length > 0);
}

function bestMatches<T>(pieces: readonly Piece[], candidates: readonly Named<T>[]): T[] {
  const tries = readings(pieces);
  const found: { item: T; tier: number; cost: number; order: number }[] = [];
  for (const candidate of candidates) {
    let best: { tier: number; cost: number; order: number } | undefined;
    for (const name of candidate.names) {
      const given = piecesOf(name);
      for (const [order, reading] of tries.entries()) {
        const match = matchName(reading, given);
        if (match && (!best || rank(match, order) < rank(best, best.order))) best = { ...match, order };
      }
    }
    if (best) found.push({ item: candidate.item, ...best });
  }
  const top = Math.min(...found.map((match) => rank(match, match.order)));
  return found.filter((match) => rank(match, match.order) === top).map((match) => match.item);
}

/** How a reading was come by counts only among matches of one tier and cost. */
const rank = (match: Match, order: number) => match.tier * 1000 + match.cost * 10 + order;

const CAMERA_NUMBER = /^(cam|camera|cameras|kam|mat|so|c)$/;

/** "cam 5", "camera số 5", "c5", "5", "cam năm": the number and the words left over. */
function numberIn(query: string): { number: number; left: Piece[]; digits: boolean } | undefined {
  const words = readWords(query);
  const tokens = words.tokens.filter((token) => token.kind !== 'sign');
  const lean = { ...words, tokens };
  for (const [i, token] of tokens.entries()) {
    const named = i > 0 && CAMERA_NUMBER.test(tokens[i - 1]!.folded);
    const number = numberAt(lean, i);
    if (
      !number ||
      (!named &&
        i > 0 &&
        !tokens.slice(0, i).every((t) => FILLERS.has(t.folded) || CAMERA_WORDS.has(t.folded)))
    )
      continue;
    if (!named && token.kind !== 'number') continue;
    const left = [...tokens.slice(0, i), ...tokens.slice(number.next)]
      .map(pieceOf)
      .filter((piece) => !CAMERA_WORDS.has(piece.key) && !FILLERS.has(piece.key));
    if (named || left.length === 0) return { number: number.value, left, digits: number.digits };
  }
  return undefined;
}

/**
 * Which one is meant. A number is taken exactly and never guessed at; names are matched without marks, in part, in any
 * order, and with a few mistakes; a name shared by many (a hamlet) gives them all.
 */
export function findByName<T>(query: string, candidates: readonly Named<T>[]): Found<T> {
  const found = find(query, candidates);
  return found.kind === 'several' ? { kind: 'several', items: found.items.slice(0, MOST) } : found;
}

function find<T>(query: string, candidates: readonly Named<T>[]): Found<T> {
  const pieces = piecesOf(query);
  if (pieces.length === 0 || pieces.length > LONGEST) return { kind: 'none', nearest: [] };
  const asked = numberIn(query);
  const inWords = asked && !asked.digits && asked.left.length > 0;
  // "cam hai bà trưng" is a name before it is camera 2
  const named = inWords || !asked ? bestMatches(pieces, candidates) : [];
  if (named.length > 0) return asFound(named);
  if (asked) {
    const { number, left } = asked;
    const hits = candidates.filter((candidate) => candidate.number === number).map((hit) => hit.item);
    if (left.length === 0) {
      return hits.length > 0 ? asFound(hits) : { kind: 'none', nearest: nearestNumbers(number, candidates) };
    }
    const others = bestMatches(left, candidates);
    const agreed = hits.filter((hit) => others.includes(hit));
    if (agreed.length > 0) return asFound(agreed);
    if (hits.length > 0 && others.length > 0) return asFound([...hits, ...others]);
    if (hits.length > 0) return { kind: 'none', nearest: hits };
  }
  const items = bestMatches(pieces, candidates);
  return items.length > 0 ? asFound(items) : { kind: 'none', nearest: nearestNames(pieces, candidates) };
}

function asFound<T>(items: readonly T[]): Found<T> {
  const [first] = items;
  if (items.length === 1 && first !== undefined) return { kind: 'one', item: first };
  return { kind: 'several', items: [...items] };
}

function nearestNumbers<T>(number: number, candidates: readonly Named<T>[]): T[] {
  return candidates
    .filter((candidate) => candidate.number !== undefined)
    .sort((a, b) => Math.abs(a.number! - number) - Math.abs(b.number! - number))
    .slice(0, 3)
    .map((candidate) => candidate.item);
}

/** Share of letters that differ beyond which a name does not come near. */
const FAR = 0.5;

function nearestNames<T>(pieces: readonly Piece[], candidates: readonly Named<T>[]): T[] {
  const asked = (readings(pieces).at(-1) ?? []).map((piece) => piece.key).join(' ');
  const far = (name: string) => {
    const given = piecesOf(name)
      .map((piece) => piece.key)
      .join(' ');
    return editDistance(asked, given) / Math.max(asked.length, given.length, 1);
  };
  return candidates
    .map((candidate) => ({ item: candidate.item, far: Math.min(1, ...candidate.names.map(far)) }))
    .filter((candidate) => candidate.far <= FAR)
    .sort((a, b) => a.far - b.far)
    .slice(0, 3)
    .map((candidate) => candidate.item);
}

export type FoundSeveral<T> =
  | { kind: 'all' }
  | { kind: 'list'; items: T[] }
  /** this part of the query fits several (a hamlet: all its cameras, however many) */
  | { kind: 'several'; part: string; items: T[] }
  /** this part of the query fits none */
  | { kind: 'none'; part: string; nearest: T[] };

const ALL =
  /^(tat ca|het|all|toan bo|ca|moi|het tat ca|tat ca cac|cac)( (cam|camera|cameras|mat|cac cam|cac camera|diem))?$/;

/** A list: "cam 1, 2 và 5", "1 2 5", "1-4", "cổng trường và ngã ba chợ", "tất cả". A range takes the numbers that exist. */
export function findSeveral<T>(query: string, candidates: readonly Named<T>[]): FoundSeveral<T> {
  const folded = readWords(query)
    .tokens.filter((token) => token.kind !== 'sign')
    .map((token) => token.folded)
    .join(' ');
  if (ALL.test(folded)) return { kind: 'all' };
  const numbers = numbersIn(query, candidates);
  if (numbers) return numbers;
  const whole = find(query, candidates);
  if (whole.kind === 'one') return { kind: 'list', items: [whole.item] };
  const parts = query.split(/[,;+&]|\s(?:và|va|với|voi)\s/iu).filter((part) => /[\p{L}\p{N}]/u.test(part));
  if (parts.length < 2) return { ...whole, part: query.trim() };
  const items: T[] = [];
  for (const part of parts.map((piece) => piece.trim())) {
    const found = find(part, candidates);
    if (found.kind !== 'one') return { ...found, part };
    if (!items.includes(found.item)) items.push(found.item);
  }
  return { kind: 'list', items };
}

/** Nothing but numbers, camera words and what joins them. */
function numbersIn<T>(query: string, candidates: readonly Named<T>[]): FoundSeveral<T> | undefined {
  const { tokens } = readWords(query);
  const items: T[] = [];
  let before: number | undefined;
  let joined = false;
  let counted = 0;
  for (const token of tokens) {
    if (token.kind === 'number') {
      const number = Number(token.text);
      const from = joined && before !== undefined ? Math.min(before, number) : number;
      const hits = candidates.filter(
        ({ number: own }) =>
          own !== undefined &&
          own >= from &&
          own <= Math.max(number, before ?? number) &&
          (joined || own === number),
      );
      if (!candidates.some((candidate) => candidate.number === number) && (!joined || hits.length === 0)) {
        return { kind: 'none', part: token.text, nearest: nearestNumbers(number, candidates) };
      }
      for (const hit of hits.sort((a, b) => a.number! - b.number!)) {
        if (!items.includes(hit.item)) items.push(hit.item);
      }
      before = number;
      joined = false;
      counted += 1;
    } else if (before !== undefined && /^([-–]|den|toi)$/.test(token.folded)) joined = true;
    else if (!CAMERA_WORDS.has(token.folded) && !/^([,;.+&#]|va|voi|tu|cac|o|tai|xem)$/.test(token.folded))
      return undefined;
  }
  return counted > 0 && !joined ? { kind: 'list', items } : undefined;
}
