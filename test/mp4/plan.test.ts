import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { cutByTime } from '../../media/clip.js';
import type { StreamInit } from '../../media/fragment.js';
import { box, boxesIn, find } from '../../media/mp4/box.js';
import { fileHead, type TrackTables } from '../../media/mp4/moov.js';
import { readInit } from '../../media/mp4/movie.js';
import { type LoadedSegment, planClip } from '../../media/mp4/plan.js';
import { describeFragment, type FileFragment } from '../../media/mp4/scan.js';
import { silentEntry } from '../../media/mp4/silence.js';
import { pictureBits, secondsThatFit } from '../../media/transcode.js';
import { readStream, shoot } from './footage.js';

const START = 1_795_246_200_000;
const GOP_MS = 2000;
/** a GOP in this footage is 4 fragments of half a second */
let init: StreamInit;
let gop: FileFragment[];

beforeAll(async () => {
  const stream = readStream(await shoot({ seconds: 2, fps: 10, gop: 20 }));
  init = stream.init;
  let offset = init.bytes.length;
  gop = stream.fragments.map((fragment) => {
    const described = describeFragment(fragment, offset);
    offset += fragment.bytes.length;
    return described;
  });
});

/** A segment of `gops` GOPs beginning at `startMs`. */
const segment = (path: string, startMs: number, gops: number, like = init): LoadedSegment => ({
  path,
  startMs,
  init: like,
  fragments: Array.from({ length: gops }, (_, i) =>
    gop.map((fragment) => ({
      ...fragment,
      startTicks: fragment.startTicks + BigInt((i * GOP_MS * init.timescale) / 1000),
    })),
  ).flat(),
});

const minutes = (count: number) =>
  Array.from({ length: count }, (_, i) => segment(`${i}.mp4`, START + i * 60_000, 30));

/** how far a date may be off */
const DATING_MS = 5;

describe('the plan of a clip', () => {
  it('never begins after what was asked, nor more than a GOP before; never ends before it', () => {
    const segments = minutes(3);
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 179_000 }),
        fc.integer({ min: 1, max: 60_000 }),
        (from, length) => {
          const startMs = START + from;
          const endMs = Math.min(startMs + length, START + 180_000);
          const { parts, gaps } = planClip(segments, { startMs, endMs });
          expect(gaps).toEqual([]);
          expect(parts).toHaveLength(1);
          const first = from < DATING_MS;
          expect(parts[0]!.startMs).toBeLessThanOrEqual(first ? startMs : startMs - DATING_MS);
          expect(parts[0]!.startMs).toBeGreaterThan(startMs - GOP_MS - DATING_MS - 1);
          expect(parts[0]!.endMs).toBeGreaterThanOrEqual(endMs - 1);
          expect(parts[0]!.pieces[0]!.fragment.key).toBe(true);
        },
      ),
    );
  });

  it('loses nothing and doubles nothing however small the parts are', () => {
    const segments = minutes(2);
    const whole = planClip(segments, { startMs: START, endMs: START + 120_000 }).parts[0]!;
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3_000_000 }), (maxBytes) => {
        const { parts } = planClip(segments, { startMs: START, endMs: START + 120_000, maxBytes });
        expect(parts.flatMap((part) => part.pieces)).toEqual(whole.pieces);
        for (const part of parts) {
          expect(part.pieces[0]!.fragment.key).toBe(true);
          expect(part.mostBytes <= maxBytes || part.oversize).toBe(true);
          if (part.oversize) expect(part.pieces.filter((piece) => piece.fragment.key)).toHaveLength(1);
        }
      }),
      { numRuns: 30 },
    );
  });

  it('leaves out pictures without their keyframe behind a break, and says so', () => {
    const headless = segment('b.mp4', START + 60_000, 3);
    headless.fragments.splice(0, 2);
    headless.startMs += 1000;
    const { parts, gaps } = planClip([...minutes(1), headless], {
      startMs: START + 58_000,
      endMs: START + 66_000,
    });
    expect(gaps).toEqual([{ startMs: START + 60_000, endMs: START + 62_000 }]);
    expect(parts).toHaveLength(1);
    expect(parts[0]!.gaps).toEqual(gaps);
  });

  it('takes a jitter of dating for no gap, and goes on from another clock', () => {
    const { parts, gaps } = planClip([...minutes(1), segment('b.mp4', START + 60_120, 5)], {
      startMs: START + 50_000,
      endMs: START + 70_000,
    });
    expect(gaps).toEqual([]);
    expect(parts).toHaveLength(1);
  });

  it('begins a new part where the codec data changes', () => {
    const bytes = Buffer.from(init.bytes);
    const avcC = bytes.indexOf('avcC');
    bytes[avcC + 7]! ^= 0x01;
    const { parts, gaps } = planClip([...minutes(1), segment('b.mp4', START + 60_000, 5, readInit(bytes))], {
      startMs: START + 50_000,
      endMs: START + 70_000,
    });
    expect(parts).toHaveLength(2);
    expect(gaps).toEqual([]);
    expect(parts[1]!.startMs).toBe(START + 60_000);
  });

  it('of nothing is empty, the whole range a gap', () => {
    const range = { startMs: START - 10_000, endMs: START - 5000 };
    expect(planClip(minutes(1), range)).toEqual({ parts: [], gaps: [range] });
    expect(planClip([], range)).toEqual({ parts: [], gaps: [range] });
  });

  it('of a whole day is made in a moment', () => {
    const day = minutes(1440);
    const began = performance.now();
    expect(planClip(day, { startMs: START, endMs: START + 86_400_000 }).parts[0]!.pieces).toHaveLength(
      1440 * 120,
    );
    expect(performance.now() - began).toBeLessThan(5000);
  });
});

describe('parts to be transcoded', () => {
  it('are of about equal length, cut at keyframes, none over the limit', () => {
    const whole = planClip(minutes(3), { startMs: START, endMs: START + 180_000 }).parts[0]!;
    for (const mostMs of [3000, 10_000, 45_000, 100_000, 200_000]) {
      const parts = cutByTime(whole, mostMs);
      expect(parts.flatMap((part) => part.pieces)).toEqual(whole.pieces);
      for (const part of parts) {
        expect(part.pieces[0]!.fragment.key).toBe(true);
        expect(part.endMs - part.startMs).toBeLessThanOrEqual(mostMs);
      }
      expect(parts.length).toBeLessThanOrEqual(Math.ceil(180_000 / (mostMs - GOP_MS)) + 1);
    }
  });

  it('get the rate that fills the limit, and no more than is worth it', () => {
    expect(pictureBits(30_000, undefined)).toBe(2_500_000);
    expect(pictureBits(30_000, 50_000_000)).toBe(2_500_000);
    const tight = pictureBits(300_000, 50_000_000);
    expect((tight * 300) / 8).toBeLessThan(50_000_000);
    expect(tight).toBeGreaterThan(1_000_000);
    expect(secondsThatFit(50_000_000)).toBeGreaterThan(300);
  });
});

describe('the head of a file', () => {
  const track = (kind: 'video' | 'audio', at: number[]): TrackTables => ({
    kind,
    entry: kind === 'audio' ? silentEntry() : box('avc1', Buffer.alloc(78)),
    timescale: 1000,
    width: 16,
    height: 16,
    sizes: at.map(() => 10),
    durations: at.map(() => 40),
    offsets: null,
    keys: kind === 'video' ? [1] : null,
    chunks: at.map((offset) => ({ at: offset, samples: 1 })),
  });

  it('points at the media behind it, beyond 4 GB too', () => {
    for (const [mediaBytes, table] of [
      [1000, 'stco'],
      [6_000_000_000, 'co64'],
    ] as const) {
      const last = mediaBytes - 10;
      const head = fileHead([track('video', [0, last]), track('audio', [10])], mediaBytes, START);
      const moov = boxesIn(head.subarray(0, head.lastIndexOf('mdat') - 4)).find(
        ({ type }) => type === 'moov',
      )!;
      const offsets = find(moov.body, 'trak', 'mdia', 'minf', 'stbl', table)!.body;
      const wide = table === 'co64';
      expect(wide ? Number(offsets.readBigUInt64BE(8)) : offsets.readUInt32BE(8)).toBe(head.length);
      expect(wide ? Number(offsets.readBigUInt64BE(16)) : offsets.readUInt32BE(12)).toBe(head.length + last);
    }
  });
});
