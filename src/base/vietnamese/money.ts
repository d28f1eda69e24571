/** Amounts of đồng: "167.900.000đ", "500k", "2tr5", "1 triệu rưỡi" · in figures and in words. */
import { doReadNumber, ReadingConfig } from 'read-vietnamese-number';
import { numberAt } from './number-words.js';
import { anyOf, lookUp, readWords, type Words } from './text.js';

const SCALES: readonly (readonly [string, bigint])[] = [
  ['tỷ', 1_000_000_000n],
  ['tỉ', 1_000_000_000n],
  ['triệu', 1_000_000n],
  ['củ', 1_000_000n],
  ['tr', 1_000_000n],
  ['nghìn', 1000n],
  ['ngàn', 1000n],
  ['ng', 1000n],
  ['k', 1000n],
];
const UNITS = ['việt nam đồng', 'đồng', 'vnđ', 'vnd', 'đ', 'd', '₫'];
/** 999.999 tỷ: beyond it a figure is a mistake. */
const LARGEST = 999_999_999_999_999n;

interface Fraction {
  digits: bigint;
  /** power of ten below */
  per: bigint;
  next: number;
}

/** Digits with their signs: "167.900.000", "2,000,000", "2 000 000", "1,5", "1.500,5". */
function figureAt(words: Words, i: number): Fraction | undefined {
  if (words.tokens[i]?.kind !== 'number') return undefined;
  const groups = [words.tokens[i]!.text];
  const signs: string[] = [];
  let at = i + 1;
  for (;;) {
    const token = words.tokens[at];
    const after = words.tokens[at + 1];
    if (token?.glued && /^[.,]$/.test(token.text) && after?.kind === 'number' && after.glued) {
      signs.push(token.text);
      groups.push(after.text);
      at += 2;
    } else if (
      token?.kind === 'number' &&
      !token.glued &&
      token.text.length === 3 &&
      (groups[0]?.length ?? 9) <= 3
    ) {
      signs.push(' ');
      groups.push(token.text);
      at += 1;
    } else break;
  }
  // "tổ 3 300k": blanks group digits of đồng, never of thousands
  if (signs.includes(' ') && lookUp(words, at, SCALES) !== undefined)
    return { digits: BigInt(groups[0] ?? ''), per: 1n, next: i + 1 };
  const scaled = lookUp(words, at, SCALES) !== undefined;
  const last = groups.at(-1) ?? '';
  const lastSign = signs.at(-1);
  const earlier = signs.slice(0, -1);
  const decimal =
    lastSign !== undefined &&
    lastSign !== ' ' &&
    !earlier.includes(lastSign) &&
    (last.length < 3 || (lastSign === ',' && scaled && signs.length === 1) || earlier.length > 0);
  const whole = decimal ? groups.slice(0, -1) : groups;
  const joints = decimal ? earlier : signs;
  if (new Set(joints).size > 1 || whole.slice(1).some((group) => group.length !== 3)) return undefined;
  if (whole.length > 1 && (whole[0]?.length ?? 0) > 3) return undefined;
  if (decimal && !scaled) return undefined;
  const digits = BigInt(whole.join('') + (decimal ? last : ''));
  return { digits, per: decimal ? 10n ** BigInt(last.length) : 1n, next: at };
}

function countAt(words: Words, i: number): Fraction | undefined {
  const half = anyOf(words, i, ['nửa']);
  if (half > 0) return { digits: 5n, per: 10n, next: half };
  const figure = figureAt(words, i);
  const number = figure ?? numberAt(words, i);
  if (!number) return undefined;
  const read = figure ?? { digits: BigInt((number as { value: number }).value), per: 1n, next: number.next };
  const hundred = anyOf(words, read.next, ['trăm']);
  if (hundred < 0) return figure || lookUp(words, read.next, SCALES) ? read : undefined;
  const odd = anyOf(words, hundred, ['lẻ', 'linh']);
  const ones = numberAt(words, odd > 0 ? odd : hundred);
  const rest = ones && lookUp(words, ones.next, SCALES) ? ones : undefined;
  const next = rest?.next ?? hundred;
  if (!lookUp(words, next, SCALES)) return undefined;
  return { digits: read.digits * 100n + BigInt(rest?.value ?? 0) * read.per, per: read.per, next };
}

interface Amount {
  amount: bigint;
  next: number;
  /** a scale or currency word, or grouped digits stood there */
  clear: boolean;
}

function amountAt(words: Words, i: number): Amount | undefined {
  let total = 0n;
  let at = i;
  let smallest = LARGEST;
  while (at < words.tokens.length) {
    const count = countAt(words, at);
    const scale = count ? lookUp(words, count.next, SCALES) : undefined;
    if (!count || (!scale && at !== i) || (scale && scale.value >= smallest)) break;
    const size = scale?.value ?? 1n;
    if ((count.digits * size) % count.per !== 0n) return undefined;
    total += (count.digits * size) / count.per;
    smallest = size;
    at = scale?.next ?? count.next;
    if (!scale) break;
    const half = anyOf(words, at, ['rưỡi', 'rưởi']);
    if (half > 0) {
      total += size / 2n;
      at = half;
      break;
    }
    // "2tr5", "2 triệu 5": tenths; "2tr500": thousandths
    const tail = words.tokens[at];
    if (tail?.kind === 'number' && tail.text.length <= 3 && size > 1n && !figureGoesOn(words, at + 1)) {
      total += (BigInt(tail.text) * size) / 10n ** BigInt(tail.text.length);
      at += 1;
      break;
    }
  }
  if (at === i || total > LARGEST) return undefined;
  const unit = words.tokens[at]?.text === '₫' ? at + 1 : anyOf(words, at, UNITS);
  const written = words.tokens
    .slice(i, at)
    .map((token) => token.text)
    .join('');
  const clear = unit > 0 || smallest > 1n || /^\d{1,3}([.,]\d{3})+$|^\d{5,}$/.test(written);
  return { amount: total, next: unit > 0 ? unit : at, clear };
}

/** Behind a tail there is a scale of its own ("2 triệu 500 nghìn") or more digits: then it is no tail. */
function figureGoesOn(words: Words, i: number): boolean {
  const next = words.tokens[i];
  return (
    lookUp(words, i, SCALES) !== undefined ||
    next?.kind === 'number' ||
    (next?.glued === true && /^[.,]$/.test(next.text) && words.tokens[i + 1]?.kind === 'number')
  );
}

/** The amount a text is, in đồng, or null when it is not (only) an amount. Bare digits are đồng. */
export function readAmount(text: string): bigint | null {
  const words = readWords(text);
  const found = amountAt(words, 0);
  return found && found.next === words.tokens.length ? found.amount : null;
}

/** Longer words are no gift: reading a whole letter for amounts would hold up everybody else. */
const MOST_LETTERS = 500;

/** The last clear amount within a text (with a unit, a scale or grouped digits) and the words around it, or null. */
export function findAmount(text: string): { amount: bigint; rest: string } | null {
  if (text.length > MOST_LETTERS) return null;
  const words = readWords(text);
  let best: { amount: bigint; rest: string } | null = null;
  let i = 0;
  while (i < words.tokens.length) {
    const found = amountAt(words, i);
    const end = words.tokens[(found?.next ?? 0) - 1];
    const whole = !words.tokens[i]?.glued && found && words.tokens[found.next]?.glued !== true;
    const sentence = found && /^[,.;!?)]$/.test(words.tokens[found.next]?.text ?? '');
    if (found?.clear && end && (whole || sentence)) {
      const before = words.text.slice(0, words.tokens[i]!.start);
      const rest = `${before.trim()} ${words.text.slice(end.end).trim()}`;
      best = { amount: found.amount, rest: rest.replace(/^[\s,;:.!?]+|[\s,;:.!?]+$/g, '') };
      i = found.next;
    } else i += 1;
  }
  return best;
}

/** "167.900.000đ" */
export function sayAmount(amount: bigint | number): string {
  return `${String(amount).replace(/\B(?=(\d{3})+$)/g, '.')}đ`;
}

/** "Một trăm sáu mươi bảy triệu chín trăm nghìn đồng": always reckoned from the number. Whole đồng. */
export function amountInWords(amount: bigint | number): string {
  const config = new ReadingConfig();
  config.unit = ['đồng'];
  config.units = [[], ['nghìn'], ['triệu'], ['tỷ']];
  const words = doReadNumber(BigInt(amount).toString(), config).normalize('NFC');
  return words.charAt(0).toUpperCase() + words.slice(1);
}
