import { anyOf, sees, type Words } from './text.js';

const DIGITS: readonly (readonly [string, number])[] = [
  ['không', 0],
  ['một', 1],
  ['mốt', 1],
  ['hai', 2],
  ['ba', 3],
  ['bốn', 4],
  ['tư', 4],
  ['năm', 5],
  ['lăm', 5],
  ['nhăm', 5],
  ['sáu', 6],
  ['bảy', 7],
  ['bẩy', 7],
  ['tám', 8],
  ['chín', 9],
];

function digitAt(words: Words, i: number): number | undefined {
  return DIGITS.find(([word]) => sees(words, i, word))?.[1];
}

export interface NumberRead {
  value: number;
  next: number;
  /** written in digits, not in words */
  digits: boolean;
}

/** A whole number at i: digits (up to four), or words from không to chín mươi chín. */
export function numberAt(words: Words, i: number): NumberRead | undefined {
  const token = words.tokens[i];
  if (token?.kind === 'number') {
    return token.text.length <= 4 ? { value: Number(token.text), next: i + 1, digits: true } : undefined;
  }
  return wordNumberAt(words, i);
}

const NAMED_BY_NUMBER = ['ngã', 'ông', 'bà', 'chị', 'cô', 'chú', 'bác', 'cậu', 'dì', 'thím', 'mợ'];

function wordNumberAt(words: Words, i: number): NumberRead | undefined {
  // "ngã ba", "ngã tư" are junctions, "ông Năm", "bà Bảy" people
  if (NAMED_BY_NUMBER.some((word) => sees(words, i - 1, word))) return undefined;
  if (sees(words, i, 'hăm')) {
    const ones = digitAt(words, i + 1);
    return ones === undefined ? undefined : { value: 20 + ones, next: i + 2, digits: false };
  }
  const first = digitAt(words, i);
  if (first !== undefined) {
    if (first >= 2 && sees(words, i + 1, 'mươi')) {
      const ones = digitAt(words, i + 2);
      return ones
        ? { value: first * 10 + ones, next: i + 3, digits: false }
        : { value: first * 10, next: i + 2, digits: false };
    }
    if (first >= 2 && anyOf(words, i + 1, ['mốt', 'lăm', 'nhăm']) > 0) {
      return { value: first * 10 + (digitAt(words, i + 1) ?? 0), next: i + 2, digits: false };
    }
    return { value: first, next: i + 1, digits: false };
  }
  if (sees(words, i, 'mười')) {
    const ones = digitAt(words, i + 1);
    return ones
      ? { value: 10 + ones, next: i + 2, digits: false }
      : { value: 10, next: i + 1, digits: false };
  }
  return undefined;
}
