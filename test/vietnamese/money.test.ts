import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { amountInWords, findAmount, readAmount, sayAmount } from '../../src/base/vietnamese/money.js';
import { unmark } from '../../src/base/vietnamese/text.js';

const AMOUNTS: readonly (readonly [string, bigint | null])[] = [
  ['167.900.000đ', 167_900_000n],
  ['167.900.000 đ', 167_900_000n],
  ['167,900,000', 167_900_000n],
  ['167 900 000 đồng', 167_900_000n],
  ['2.000.000 đồng', 2_000_000n],
  ['2000000', 2_000_000n],
  ['2000000 VNĐ', 2_000_000n],
  ['500k', 500_000n],
  ['500 K', 500_000n],
  ['500 nghìn', 500_000n],
  ['500 ngàn đồng', 500_000n],
  ['500.000', 500_000n],
  ['2 triệu', 2_000_000n],
  ['2tr', 2_000_000n],
  ['2tr5', 2_500_000n],
  ['2 triệu 5', 2_500_000n],
  ['2tr500', 2_500_000n],
  ['2tr050', 2_050_000n],
  ['2 triệu 500 nghìn', 2_500_000n],
  ['2 triệu 500k', 2_500_000n],
  ['1 triệu rưỡi', 1_500_000n],
  ['1,5 triệu', 1_500_000n],
  ['1.5 triệu', 1_500_000n],
  ['1,25 tỷ', 1_250_000_000n],
  ['1,250 tỷ', 1_250_000_000n],
  ['1.500 triệu', 1_500_000_000n],
  ['1 tỷ 200 triệu', 1_200_000_000n],
  ['1 tỷ 2', 1_200_000_000n],
  ['nửa triệu', 500_000n],
  ['hai triệu đồng', 2_000_000n],
  ['hai triệu rưỡi', 2_500_000n],
  ['năm trăm nghìn đồng', 500_000n],
  ['một trăm hai mươi triệu', 120_000_000n],
  ['0đ', 0n],
  ['2.00.000', null],
  ['1,5đ', null],
  ['2 triệu ạ', null],
  ['ông Ba', null],
  ['-500k', null],
  ['', null],
  ['đ', null],
  ['9999999 tỷ', null],
];

describe('an amount as people write it', () => {
  test.each(AMOUNTS)('%s → %s', (text, amount) => expect(readAmount(text)).toBe(amount));
  test.each(AMOUNTS)('%s, without marks, in capitals, decomposed', (text, amount) => {
    expect(readAmount(unmark(text))).toBe(amount);
    expect(readAmount(text.toUpperCase().normalize('NFD'))).toBe(amount);
  });
  test('it is found among other words, and they are given back', () => {
    expect(findAmount('bác Nguyễn Văn Ba 500k')).toEqual({ amount: 500_000n, rest: 'bác Nguyễn Văn Ba' });
    expect(findAmount('ông Năm, 2.000.000đ.')).toEqual({ amount: 2_000_000n, rest: 'ông Năm' });
    expect(findAmount('1 triệu rưỡi của hội phụ nữ thôn 3')).toEqual({
      amount: 1_500_000n,
      rest: 'của hội phụ nữ thôn 3',
    });
    expect(findAmount('ông Ba thôn 5')).toBeNull();
    expect(findAmount('cam 2')).toBeNull();
  });
  test('what is said in figures reads back', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 999_999_999_999n }), (n) => {
        expect(readAmount(sayAmount(n))).toBe(n);
      }),
    );
  });
  test('it never throws', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => void [readAmount(text), findAmount(text)]),
    );
  });
});

/** Reads Vietnamese number words back: written for this test, knows nothing of the product or its library. */
function fromWords(text: string): bigint {
  const ones = ['không', 'một', 'hai', 'ba', 'bốn', 'năm', 'sáu', 'bảy', 'tám', 'chín'];
  const digit = (word: string) => ({ mốt: 1, tư: 4, lăm: 5 })[word] ?? ones.indexOf(word);
  let total = 0n;
  let group = 0;
  let pending = 0;
  for (const word of text.toLowerCase().split(' ')) {
    if (word === 'đồng') continue;
    const scale = { tỷ: 1_000_000_000n, triệu: 1_000_000n, nghìn: 1000n }[word];
    if (scale) {
      total += BigInt(group + pending) * scale;
      group = 0;
      pending = 0;
    } else if (word === 'trăm') {
      group += pending * 100;
      pending = 0;
    } else if (word === 'mươi') {
      group += pending * 10;
      pending = 0;
    } else if (word === 'mười') group += 10;
    else if (word !== 'lẻ') {
      if (digit(word) < 0) throw new Error(`not a number word: ${word}`);
      pending = digit(word);
    }
  }
  return total + BigInt(group + pending);
}

describe('an amount in words', () => {
  test('begins with a capital and ends in đồng', () => {
    expect(amountInWords(167_900_000n)).toBe('Một trăm sáu mươi bảy triệu chín trăm nghìn đồng');
    expect(amountInWords(160_544_000)).toBe('Một trăm sáu mươi triệu năm trăm bốn mươi tư nghìn đồng');
    expect(amountInWords(97_695_985_000n)).toBe(
      'Chín mươi bảy tỷ sáu trăm chín mươi lăm triệu chín trăm tám mươi lăm nghìn đồng',
    );
    expect(amountInWords(0)).toBe('Không đồng');
  });
  test('reads back to the number, up to 999 tỷ', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 999_999_999_999n }), (n) => {
        expect(fromWords(amountInWords(n))).toBe(n);
      }),
      { numRuns: 2000 },
    );
    for (let n = 0n; n < 3000n; n += 1n) expect(fromWords(amountInWords(n * 1001n))).toBe(n * 1001n);
  });
});

test('an amount in figures has dots', () => {
  expect(sayAmount(167_900_000n)).toBe('167.900.000đ');
  expect(sayAmount(500)).toBe('500đ');
  expect(sayAmount(0)).toBe('0đ');
});
