/** Vietnamese text as people type it: composed or decomposed, with or without marks, in any case. */

/** One word, number or sign of a text. Positions are those in the NFC text. */
export interface Token {
  kind: 'word' | 'number' | 'sign';
  /** as written (NFC) */
  text: string;
  lower: string;
  /** lower case without marks, đ as d */
  folded: string;
  start: number;
  end: number;
  /** nothing stands between it and the token before */
  glued: boolean;
}

export interface Words {
  /** the NFC text the positions refer to */
  text: string;
  tokens: Token[];
  /** at least one letter carries a Vietnamese mark: then a bare "sang" is hardly "sáng" */
  marked: boolean;
}

/** Composes the text, drops invisible characters, turns every kind of blank into a plain space. */
export function nfc(text: string): string {
  return text
    .normalize('NFC')
    .replace(/[\u200b-\u200d\u2060\ufeff\u00ad]/g, '')
    .replace(/\s/g, ' ');
}

/** Takes the marks off and turns đ into d; case and everything else stay. */
export function unmark(text: string): string {
  return text
    .normalize('NFD')
    .replace(/\p{M}/gu, '')
    .replaceAll('đ', 'd')
    .replaceAll('Đ', 'D')
    .normalize('NFC');
}

/** For comparing: lower case, no marks, đ as d, all but letters and digits as single spaces, trimmed. */
export function fold(text: string): string {
  return unmark(nfc(text).toLowerCase())
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim();
}

/** True when a letter carries a mark or is đ. */
export function hasMarks(text: string): boolean {
  return /[\p{M}đĐ]/u.test(text.normalize('NFD'));
}

/** Splits a text into words, numbers (digits 0–9) and single signs: "14h30" is three tokens, glued. */
export function readWords(text: string): Words {
  const whole = nfc(text);
  const tokens: Token[] = [];
  let last = -1;
  for (const found of whole.matchAll(/\p{L}[\p{L}\p{M}]*|[0-9]+|\S/gu)) {
    const piece = found[0];
    const start = found.index;
    const lower = piece.toLowerCase().normalize('NFC');
    const kind = /^[0-9]/.test(piece) ? 'number' : /^\p{L}/u.test(piece) ? 'word' : 'sign';
    const end = start + piece.length;
    tokens.push({ kind, text: piece, lower, folded: unmark(lower), start, end, glued: start === last });
    last = end;
  }
  return { text: whole, tokens, marked: hasMarks(whole) };
}

/** Unmarked words that mean something themselves: in a text with marks they are not taken for a marked word. */
const WORDS_OF_THEIR_OWN = new Set(['sang', 'sau', 'nam', 'bay', 'kem', 'tam', 'tu', 'chung']);

/** A word typed with only some of its marks is still recognised, except where that is another word. */
const OTHER_WORDS: Record<string, readonly string[]> = {
  tối: ['tôi'],
  đêm: ['đem'],
  bảy: ['bây'],
  bẩy: ['bây'],
  đến: ['đen'],
  từ: ['tư'],
  giờ: ['giơ'],
  tầm: ['tâm'],
  chừng: ['chưng'],
};

/** Words believed only with all their marks: without them they are too common as something else. */
const NEEDS_MARKS = new Set(['độ', 'cỡ', 'kìa', 'khoản']);

interface Letter {
  base: string;
  marks: string;
}

const spelt = new Map<string, Letter[]>();

function lettersOf(word: string): Letter[] {
  const letters: Letter[] = [];
  for (const sign of word.normalize('NFD')) {
    if (/\p{M}/u.test(sign)) {
      const last = letters.at(-1);
      if (last) last.marks += sign;
    } else letters.push(sign === 'đ' ? { base: 'd', marks: '-' } : { base: sign, marks: '' });
  }
  return letters;
}

function spelling(word: string): Letter[] {
  let letters = spelt.get(word);
  if (!letters) {
    letters = lettersOf(word);
    spelt.set(word, letters);
  }
  return letters;
}

/** Does the token at i stand for this (lower-case, fully marked) word? Missing marks are forgiven, wrong ones are not. */
export function sees(words: Words, i: number, word: string): boolean {
  const token = words.tokens[i];
  if (token?.kind !== 'word') return false;
  if (token.lower === word) return true;
  const letters = spelling(word);
  if (token.folded.length !== letters.length || token.folded[0] !== letters[0]?.base) return false;
  if (NEEDS_MARKS.has(word)) return false;
  if (token.folded !== letters.map((letter) => letter.base).join('')) return false;
  if (OTHER_WORDS[word]?.includes(token.lower)) return false;
  if (words.marked && WORDS_OF_THEIR_OWN.has(token.lower)) return false;
  const typed = lettersOf(token.lower);
  return typed.every((letter, k) => [...letter.marks].every((mark) => letters[k]?.marks.includes(mark)));
}

const phrases = new Map<string, string[]>();

/** The index after the phrase (words and signs parted by spaces) that begins at i, or -1. */
export function after(words: Words, i: number, phrase: string): number {
  let at = i;
  let parts = phrases.get(phrase);
  if (!parts) {
    parts = phrase.split(' ');
    phrases.set(phrase, parts);
  }
  for (const word of parts) {
    if (words.tokens[at]?.text !== word && !sees(words, at, word)) return -1;
    at += 1;
  }
  return at;
}

/** The first row of the table whose phrase begins at i (put longer phrases first). */
export function lookUp<V>(
  words: Words,
  i: number,
  table: readonly (readonly [string, V])[],
): { value: V; next: number } | undefined {
  for (const [phrase, value] of table) {
    const next = after(words, i, phrase);
    if (next >= 0) return { value, next };
  }
  return undefined;
}

/** The index after the first of these phrases that begins at i, or -1. */
export function anyOf(words: Words, i: number, phrases: readonly string[]): number {
  for (const phrase of phrases) {
    const next = after(words, i, phrase);
    if (next >= 0) return next;
  }
  return -1;
}
