import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readSpan, type SpanReading } from '../../src/base/vietnamese/moment.js';
import { sayRange } from '../../src/base/vietnamese/say.js';
import { unmark } from '../../src/base/vietnamese/text.js';
import { AFTER_MIDNIGHT, MONDAY, type Phrase, SATURDAY } from './phrases.js';

const LIMITS = { clipSeconds: 30, maxSpanS: 900 };
const SATURDAY_MS = Date.parse('2026-11-21T15:00:00+07:00');

/** Vietnam time by Intl, independent of the product's own calendar. */
const clock = new Intl.DateTimeFormat('sv-SE', {
  timeZone: 'Asia/Ho_Chi_Minh',
  dateStyle: 'short',
  timeStyle: 'medium',
});

function shown(reading: SpanReading): string {
  if (reading.kind === 'none') return 'N';
  if (reading.kind === 'error') return `E ${reading.sentence}`;
  if (reading.kind === 'question')
    return `Q ${reading.choices.map((choice) => choice.says).join(' | ')}`.trim();
  const start = clock.format(reading.startMs).replace(/^2026-11-0?/, '');
  const letter = reading.kind === 'moment' ? 'M' : 'S';
  return `${letter} ${start} +${(reading.endMs - reading.startMs) / 1000}`;
}

function check(text: string, nowMs: number, expected: string, rest: string) {
  const reading = readSpan(text, { nowMs, ...LIMITS });
  if (expected.startsWith('E ')) {
    expect(reading.kind).toBe('error');
    expect(shown(reading)).toContain(expected.slice(2));
  } else expect(shown(reading)).toBe(expected);
  expect(reading.rest).toBe(rest);
}

describe('a day without a clock, where whole days can be looked at', () => {
  test.each([
    ['hôm qua', 'S 20 00:00:00 +86400'],
    ['hôm nay', 'S 21 00:00:00 +54000'],
    ['tối qua', 'S 20 18:00:00 +21600'],
    ['đêm qua', 'S 20 18:00:00 +39600'],
    ['sáng nay', 'S 21 05:00:00 +21600'],
    ['chiều nay', 'S 21 12:00:00 +10800'],
    ['tối nay', 'E Lúc đó chưa đến'],
    ['thứ tư', 'S 18 00:00:00 +86400'],
    ['ngày 15/11', 'S 15 00:00:00 +86400'],
    ['rạng sáng nay', 'S 21 00:00:00 +21600'],
    ['14h hôm qua', 'M 20 14:00:00 +30'],
    ['từ 22h đến 23h đêm qua', 'S 20 22:00:00 +3600'],
  ])('%s → %s', (text, expected) => {
    const reading = readSpan(text, {
      nowMs: SATURDAY_MS,
      clipSeconds: 30,
      maxSpanS: 7 * 86_400,
      wholeDays: true,
    });
    expect(shown(reading).startsWith(expected)).toBe(true);
    expect(reading.rest).toBe('');
  });
});

function table(name: string, phrases: readonly Phrase[], nowMs: number) {
  const rows = phrases.map(([text, expected, rest = '', marksDecide = false]) => ({
    text,
    expected,
    rest,
    marksDecide,
  }));
  describe(name, () => {
    test.each(rows)('$text → $expected', ({ text, expected, rest }) => check(text, nowMs, expected, rest));

    test.each(rows)('decomposed: $text', ({ text, expected, rest }) =>
      check(text.normalize('NFD'), nowMs, expected, rest),
    );

    test.each(rows)('in capitals: $text', ({ text, expected, rest }) =>
      check(text.toUpperCase(), nowMs, expected, rest.toUpperCase()),
    );

    test.each(rows.filter(({ marksDecide }) => !marksDecide))(
      'without marks: $text',
      ({ text, expected, rest }) => check(unmark(text), nowMs, expected, unmark(rest)),
    );
  });
}

table('on Saturday at 15:00', SATURDAY, SATURDAY_MS);
table('on Saturday at 00:30', AFTER_MIDNIGHT, Date.parse('2026-11-21T00:30:00+07:00'));
table('on Monday at 08:00', MONDAY, Date.parse('2026-11-23T08:00:00+07:00'));

test('the table holds at least 150 phrases', () => {
  expect(SATURDAY.length + AFTER_MIDNIGHT.length + MONDAY.length).toBeGreaterThanOrEqual(150);
});

test('a time later than now is refused in words that name both days', () => {
  const reading = readSpan('cam 2 lúc 16h', { nowMs: SATURDAY_MS, ...LIMITS });
  expect(reading).toMatchObject({
    kind: 'question',
    question: '16:00 hôm nay chưa đến (bây giờ là 15:00). Xem 16:00 hôm qua, thứ sáu 20/11/2026, được không?',
    choices: [{ label: '16:00 thứ sáu 20/11/2026', says: '16:00:00 20/11/2026' }],
  });
});

test('a span too long is told the longest allowed', () => {
  const reading = readSpan('từ 14h đến 14h20', { nowMs: SATURDAY_MS, ...LIMITS });
  expect(reading).toMatchObject({ kind: 'error', sentence: expect.stringContaining('nhiều nhất 15 phút') });
});

test('a moment counts in whole seconds and is the one meant, "quanh" lies around it', () => {
  const reading = readSpan('quanh 14h30', { nowMs: SATURDAY_MS + 789, ...LIMITS });
  expect(reading).toMatchObject({ kind: 'moment', atMs: Date.parse('2026-11-21T14:30:00+07:00') });
});

const anyNow = fc.integer({
  min: Date.parse('2024-01-01T00:00:00Z'),
  max: Date.parse('2030-01-01T00:00:00Z'),
});
const words = fc.constantFrom(
  ...'lúc từ đến - – : / , 14h30 14 30 2 0 7h 23h 25 2024 99 giờ phút giây h g p s rưỡi kém nửa sáng trưa chiều tối đêm khuya nay qua hôm kia mai thứ hai ba tư năm bảy chủ nhật tuần trước này sau ngày tháng mùng trong khoảng quanh vừa rồi bây cách đây cam 31/2 31-7 20/11 tiếng vài nữa và giữa rạng'.split(
    ' ',
  ),
);
const sentences = fc.array(words, { maxLength: 9 }).map((list) => list.join(' '));

function holds(text: string, nowMs: number, clipSeconds = 30, maxSpanS = 900) {
  const reading = readSpan(text, { nowMs, clipSeconds, maxSpanS });
  if (reading.kind === 'span' || reading.kind === 'moment') {
    expect(reading.startMs).toBeLessThan(reading.endMs);
    expect(reading.startMs % 1000).toBe(0);
    expect(reading.endMs).toBeLessThanOrEqual(nowMs + clipSeconds * 1000);
    expect(reading.endMs - reading.startMs).toBeLessThanOrEqual(maxSpanS * 1000);
  }
  return reading;
}

describe('whatever is written', () => {
  test('it never throws, and a span is never empty, to come or too long', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), anyNow, (text, now) => void holds(text, now)),
    );
    fc.assert(
      fc.property(sentences, anyNow, (text, now) => void holds(text, now)),
      { numRuns: 3000 },
    );
  });

  test('what is shown before the work reads back as the same span', () => {
    fc.assert(
      fc.property(
        anyNow,
        fc.integer({ min: 1, max: 2_000_000 }),
        fc.integer({ min: 1, max: 900 }),
        (now, ago, length) => {
          const startMs = Math.floor(now / 1000) * 1000 - (ago + length) * 1000;
          const endMs = startMs + length * 1000;
          const reading = readSpan(sayRange(startMs, endMs), { nowMs: now, ...LIMITS });
          expect(reading).toMatchObject({ kind: 'span', startMs, endMs, rest: '' });
        },
      ),
    );
  });

  test("every button's words are understood, exactly and alone", () => {
    fc.assert(
      fc.property(sentences, anyNow, (text, now) => {
        const reading = holds(text, now);
        if (reading.kind !== 'question') return;
        for (const choice of reading.choices) {
          const chosen = holds(choice.says, now);
          expect([choice.says, chosen.kind, chosen.rest]).toEqual([
            choice.says,
            expect.stringMatching(/span|moment/),
            '',
          ]);
        }
      }),
      { numRuns: 3000 },
    );
  });

  test('the words left over are words of the text, in their order', () => {
    fc.assert(
      fc.property(sentences, anyNow, (text, now) => {
        const left = holds(text, now).rest.split(' ').filter(Boolean);
        let from = 0;
        for (const word of left) {
          const at = text.indexOf(word, from);
          expect(at).toBeGreaterThanOrEqual(0);
          from = at + word.length;
        }
      }),
    );
  });
});
