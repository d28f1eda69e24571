import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fit as fitReply, splitText } from '../../src/chat/fit.js';
import type { ChannelLimits, OutFile, PhotoReply, Reply, VideoReply } from '../../src/chat/message.js';
import { wordsOf } from '../../src/chat/outgoing.js';
import { WIDE_LIMITS } from '../support/channel.js';

const limits = (change: Partial<ChannelLimits>): ChannelLimits => ({ ...WIDE_LIMITS, ...change });
const file = (sizeBytes = 1000): OutFile => ({ path: `/spool/${sizeBytes}`, sizeBytes, fileName: 'a.bin' });
const photo = (change: Partial<PhotoReply> = {}): PhotoReply => ({
  kind: 'photo',
  file: file(),
  width: 640,
  height: 360,
  ...change,
});
const video = (change: Partial<VideoReply> = {}): VideoReply => ({
  kind: 'video',
  file: file(),
  width: 640,
  height: 360,
  durationMs: 1000,
  ...change,
});
const graphemes = (text: string) =>
  [...new Intl.Segmenter('vi', { granularity: 'grapheme' }).segment(text)].map(({ segment }) => segment);

/** Vietnamese words, emoji of several code points, decomposed letters, blanks and line ends. */
const text = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        'cổng chợ',
        'ngã ba',
        'ẩm',
        'e\u0302\u0301',
        'a\u0323\u0306',
        '👮‍♀️',
        '🇻🇳',
        '👨‍👩‍👧‍👦',
        '📷',
      ),
      fc.constantFrom(' ', '\n', '\n\n', '\r\n', '. ', '\t'),
      fc.string({ unit: 'grapheme', maxLength: 12 }),
    ),
    { maxLength: 120 },
  )
  .map((parts) => parts.join(''));

describe('splitting a text', () => {
  it('loses nothing, passes no limit, breaks no character', () => {
    fc.assert(
      fc.property(text, fc.integer({ min: 24, max: 200 }), (whole, max) => {
        const parts = splitText(whole, max);
        expect(parts.join('')).toBe(whole);
        for (const part of parts) expect(part.length).toBeLessThanOrEqual(max);
        const longest = Math.max(0, ...graphemes(whole).map((one) => one.length));
        if (longest <= max) expect(parts.flatMap(graphemes)).toEqual(graphemes(whole));
      }),
      { numRuns: 300 },
    );
  });

  it('never cuts a surrogate pair, even of a character longer than the limit', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 9 }), fc.integer({ min: 1, max: 30 }), (max, count) => {
        const parts = splitText(`👨${'\u200d👩'.repeat(count)}`, max);
        for (const part of parts) expect(part).not.toMatch(/\p{Surrogate}/u);
      }),
    );
  });

  it('prefers the end of a paragraph, then of a line, then of a word', () => {
    expect(splitText('đoạn một\n\nđoạn hai dài hơn', 20)).toEqual(['đoạn một\n\n', 'đoạn hai dài hơn']);
    expect(splitText('dòng một\ndòng hai dài hơn', 20)).toEqual(['dòng một\n', 'dòng hai dài hơn']);
    expect(splitText('một hai ba bốn năm', 9)).toEqual(['một hai ', 'ba bốn ', 'năm']);
  });
});

describe('fitting a reply', () => {
  it('puts the buttons under the last part', () => {
    const parts = fitReply(
      { kind: 'text', text: 'a '.repeat(30), buttons: [[{ label: 'Có', says: 'có' }]] },
      limits({ textLength: 25 }),
    );
    expect(parts.length).toBeGreaterThan(1);
    expect(parts.map((part) => part.kind === 'text' && part.buttons?.length)).toEqual([
      ...parts.slice(1).map(() => undefined),
      1,
    ]);
  });

  it('says what does not fit under a picture in a text of its own', () => {
    const caption = 'Camera 2 cổng chợ. '.repeat(10).trim();
    const parts = fitReply(photo({ caption }), limits({ captionLength: 50 }));
    expect(parts.map((part) => part.kind)).toEqual(['photo', 'text']);
    expect(wordsOf(parts[0]!).length).toBeLessThanOrEqual(50);
    expect(`${wordsOf(parts[0]!)} ${wordsOf(parts[1]!)}`).toBe(caption);
  });

  it('prints a numbered menu where there are no buttons', () => {
    const buttons = [
      [{ label: 'Cổng chợ', says: 'ảnh cổng chợ' }],
      [{ label: 'Trang', url: 'https://a.vn' }],
    ];
    expect(fitReply({ kind: 'text', text: 'Chọn', buttons }, limits({ buttons: false }))).toEqual([
      { kind: 'text', text: 'Chọn\n\n1. Cổng chợ\nTrang: https://a.vn\nTrả lời 1 để chọn.' },
    ]);
  });

  it.each([
    ['a video where there is none, with a link', video(), { video: false }, 'https://l', ['text']],
    ['a video where there is none, without', video(), { video: false }, null, ['document']],
    ['a file too big, with a link', video({ file: file(99) }), { fileBytes: 10 }, 'https://l', ['text']],
    ['a file too big, without', video({ file: file(99) }), { fileBytes: 10 }, null, ['text']],
    ['a photo too heavy', photo({ file: file(99) }), { photoBytes: 10 }, null, ['document']],
    ['a photo stretched too far', photo({ width: 4000, height: 100 }), {}, null, ['document']],
  ])('%s', (_, reply, change, link, kinds) => {
    const parts = fitReply(reply as Reply, limits(change as Partial<ChannelLimits>), { linkFor: () => link });
    expect(parts.map((part) => part.kind)).toEqual(kinds);
    if (link !== null) expect(wordsOf(parts[0]!)).toContain(link);
    else if (kinds[0] === 'text') expect(wordsOf(parts[0]!)).toMatch(/nặng/);
  });

  it('parts albums evenly, never leaving an album of one', () => {
    for (let count = 1; count <= 31; count += 1) {
      const items = Array.from({ length: count }, () => photo());
      const parts = fitReply({ kind: 'album', items, caption: 'Tất cả' }, limits({}));
      const sizes = parts.map((part) => (part.kind === 'album' ? part.items.length : 1));
      expect(sizes.reduce((a, b) => a + b)).toBe(count);
      expect(Math.max(...sizes)).toBeLessThanOrEqual(10);
      for (const part of parts) if (part.kind === 'album') expect(part.items.length).toBeGreaterThan(1);
      expect(wordsOf(parts[0]!)).toBe('Tất cả');
    }
  });

  it('keeps every reply within the limits, whatever it is', () => {
    const button = fc.record({ label: fc.string({ minLength: 1, maxLength: 20 }), says: fc.string() });
    const buttons = fc.option(fc.array(fc.array(button, { maxLength: 3 }), { maxLength: 3 }), {
      nil: undefined,
    });
    const size = fc.integer({ min: 0, max: 200 });
    const side = fc.integer({ min: 1, max: 300 });
    const anyPhoto = fc
      .record({ size, width: side, height: side, caption: text })
      .map((one) =>
        photo({ file: file(one.size), width: one.width, height: one.height, caption: one.caption }),
      );
    const anyVideo = fc
      .record({ size, caption: text })
      .map((one) => video({ file: file(one.size), caption: one.caption }));
    const reply: fc.Arbitrary<Reply> = fc.oneof(
      fc.record({ text, buttons }).map((one) => ({
        kind: 'text' as const,
        text: one.text,
        ...(one.buttons ? { buttons: one.buttons } : {}),
      })),
      anyPhoto,
      anyVideo,
      fc
        .record({
          items: fc.array(fc.oneof(anyPhoto, anyVideo), { minLength: 1, maxLength: 25 }),
          caption: text,
        })
        .map((one) => ({ kind: 'album' as const, ...one })),
    );
    const anyLimits = fc.record({
      textLength: fc.integer({ min: 80, max: 300 }),
      captionLength: fc.integer({ min: 0, max: 120 }),
      photoBytes: size,
      photoSides: fc.integer({ min: 10, max: 600 }),
      fileBytes: size,
      video: fc.boolean(),
      albumItems: fc.integer({ min: 0, max: 10 }),
      buttons: fc.boolean(),
    });
    fc.assert(
      fc.property(reply, anyLimits, (given, change) => {
        const l = limits(change);
        for (const part of fitReply(given, l)) {
          if (part.kind === 'text') {
            expect(part.text.trim()).not.toBe('');
            expect(part.text.length).toBeLessThanOrEqual(l.textLength);
          } else {
            expect((part.caption ?? '').length).toBeLessThanOrEqual(l.captionLength);
            const items = part.kind === 'album' ? part.items : [part];
            if (part.kind === 'album') expect(items.length).toBeLessThanOrEqual(l.albumItems);
            for (const item of items) {
              expect((item.caption ?? '').length).toBeLessThanOrEqual(l.captionLength);
              if (item.kind === 'photo') expect(item.file.sizeBytes).toBeLessThanOrEqual(l.photoBytes);
              else expect(item.file.sizeBytes).toBeLessThanOrEqual(l.fileBytes);
              if (item.kind === 'video') expect(l.video).toBe(true);
            }
          }
          if (!l.buttons && part.kind !== 'album') expect(part.buttons ?? []).toEqual([]);
        }
      }),
      { numRuns: 400 },
    );
  });
});
