import { describe, expect, it } from 'vitest';
import { Film, framesOf, missingOf } from '../../bench/film-frames.js';

/** Eight frames in two groups; sizes 4 and 6 are the same. */
const sizes = [900, 110, 120, 130, 920, 150, 120, 170];
const film = new Film(
  sizes,
  sizes.map((_, i) => i % 4 === 0),
);
const shown = (...numbers: number[]) => numbers.map((n) => ({ size: sizes[n]!, key: n % 4 === 0 }));

describe('frames told by their sizes', () => {
  it('numbers them from the first on, over the loop and over a hole', () => {
    expect(film.numbers(shown(5, 6, 7, 0, 1))).toEqual([5, 6, 7, 0, 1]);
    expect(film.numbers(shown(1, 2, 5, 6, 7, 0))).toEqual([1, 2, 5, 6, 7, 0]);
  });

  it('takes a keyframe with parameter sets added, and no frame of another size', () => {
    expect(film.numbers([{ size: 950, key: true }, ...shown(5, 6, 7)])).toEqual([4, 5, 6, 7]);
    const cut = shown(4, 5, 6, 7, 0);
    cut[2]!.size -= 1;
    expect(film.numbers(cut)).toEqual([4, 5, null, 7, 0]);
    expect(film.numbers([{ size: 999, key: false }])).toEqual([null]);
  });

  it('knows the beginning of the frame that was due, and takes no other for it', () => {
    expect(film.isCutShort(4, { size: 149, key: false })).toBe(true);
    expect(film.isCutShort(4, { size: 151, key: false })).toBe(false);
    expect(film.isCutShort(4, { size: 149, key: true })).toBe(false);
    expect(film.isCutShort(7, { size: 899, key: true })).toBe(true);
  });

  it('counts what is missing of a stretch', () => {
    const runs = [
      { first: 0, last: 9 },
      { first: 12, last: 20 },
    ];
    expect(missingOf(runs, { first: 5, last: 15 })).toBe(2);
    expect(missingOf(runs, { first: 15, last: 25 })).toBe(5);
    expect(missingOf([], { first: 1, last: 4 })).toBe(4);
  });

  it('finds none in no files', async () => {
    const server = { frameAt: () => 0, frames: () => 8 };
    expect(await framesOf([], film, server, '/cam')).toEqual({ runs: [], strange: [], cut: 0 });
  });
});
