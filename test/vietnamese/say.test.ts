import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { sayAgo, sayDuration, sayMoment, sayRange, WEEKDAYS } from '../../src/base/vietnamese/say.js';
import { fold, nfc, readWords, unmark } from '../../src/base/vietnamese/text.js';

const at = (text: string) => Date.parse(`${text}+07:00`);

describe('said to people', () => {
  test('a span within a day, and one across midnight with both days', () => {
    expect(sayRange(at('2026-11-21T14:30:00'), at('2026-11-21T14:30:30'))).toBe(
      '14:30:00–14:30:30, thứ bảy 21/11/2026',
    );
    expect(sayRange(at('2026-11-20T23:59:50'), at('2026-11-21T00:00:20'))).toBe(
      '23:59:50, thứ sáu 20/11/2026 – 00:00:20, thứ bảy 21/11/2026',
    );
  });
  test('a moment, in Việt Nam whatever the zone of the host', () => {
    expect(sayMoment(at('2023-07-31T00:05:09'))).toBe('00:05:09, thứ hai 31/7/2023');
    expect(WEEKDAYS[0]).toBe('chủ nhật');
  });
  test('durations', () => {
    expect([0, 30_000, 125_000, 5_400_000, 3_605_000, 97_200_000].map(sayDuration)).toEqual([
      '0 giây',
      '30 giây',
      '2 phút 5 giây',
      '1 giờ 30 phút',
      '1 giờ 5 giây',
      '1 ngày 3 giờ',
    ]);
  });
  test('how long ago', () => {
    const now = at('2026-11-21T15:00:00');
    expect([3, 45, 600, 7300, 260_000].map((seconds) => sayAgo(now - seconds * 1000, now))).toEqual([
      'vừa xong',
      '45 giây trước',
      '10 phút trước',
      '2 giờ trước',
      '3 ngày trước',
    ]);
  });
});

describe('text', () => {
  test('folds marks, case, composition and signs away', () => {
    expect(fold('  Ngã-ba  CHỢ Đền! ')).toBe('nga ba cho den');
    expect(fold('ngã ba chợ'.normalize('NFD'))).toBe('nga ba cho');
    expect(fold('14h30')).toBe('14h30');
    expect(unmark('Đường Trường')).toBe('Duong Truong');
  });
  test('composes, and drops what cannot be seen', () => {
    expect(nfc('chợ'.normalize('NFD'))).toBe('chợ');
    expect(nfc('a\u200bb\u00a0c')).toBe('ab c');
  });
  test('words keep their places in the text', () => {
    const { text, tokens } = readWords('Cổng trường, 14h30'.normalize('NFD'));
    expect(tokens.map((token) => text.slice(token.start, token.end))).toEqual([
      'Cổng',
      'trường',
      ',',
      '14',
      'h',
      '30',
    ]);
  });
});

test('nothing here asks the host for its zone', () => {
  const folder = new URL('../../src/base/vietnamese/', import.meta.url);
  for (const name of readdirSync(folder)) {
    const source = readFileSync(new URL(name, folder), 'utf8');
    expect([
      name,
      source.match(/\bnew Date\b|Date\.now|\.get(Hours|Date|Day|Month|FullYear|TimezoneOffset)\b/),
    ]).toEqual([name, null]);
  }
});
