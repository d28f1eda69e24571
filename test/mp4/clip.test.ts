import { mkdtemp, readdir, readFile, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { type ClipOrder, makeClip, type SegmentInfo } from '../../media/clip.js';
import { scanFile } from '../../media/mp4/scan.js';
import {
  ffmpeg,
  frameHashes,
  loudness,
  oldFfmpeg,
  packetHashes,
  probe,
  record,
  shoot,
  tempFolder,
} from './footage.js';

const START = Date.UTC(2026, 10, 21, 7, 30, 0);

let folder: string;
let plain: Buffer;
let segments: SegmentInfo[];
let hashes: string[];

beforeAll(async () => {
  folder = await tempFolder();
  plain = await shoot({ seconds: 24 });
  segments = await record(folder, 'plain', plain, START, 8);
  hashes = await frameHashes(plain);
});

const order = async (change: Partial<ClipOrder>): Promise<ClipOrder> => ({
  segments,
  startMs: START,
  endMs: START + 1000,
  format: 'chat',
  outDir: await mkdtemp(join(folder, 'clip-')),
  ffmpeg: null,
  ...change,
});

describe('a clip of H.264', () => {
  it('over a segment border holds exactly the recorded pictures, from the keyframe before the start', async () => {
    const clip = await makeClip(await order({ startMs: START + 5300, endMs: START + 11_000 }));
    expect(clip.gaps).toEqual([]);
    expect(clip.parts).toHaveLength(1);
    const part = clip.parts[0]!;
    expect(part.startMs).toBeCloseTo(START + 4000, 0);
    expect(part.endMs).toBeGreaterThanOrEqual(START + 11_000);
    expect(part.endMs).toBeLessThan(START + 11_600);
    expect(part.durationMs).toBeCloseTo(part.endMs - part.startMs, 0);
    expect(part.sizeBytes).toBe((await stat(part.path)).size);
    expect(await probe(part.path)).toMatchObject({
      codec: 'h264',
      tag: 'avc1',
      startS: 0,
      firstIsKey: true,
      editList: false,
      audio: { codec: 'aac' },
    });
    const frames = Math.round((part.durationMs * 15) / 1000);
    expect(await frameHashes(part.path)).toEqual(hashes.slice(60, 60 + frames));
  });

  it('starts with a keyframe surely before the moment asked: dates are good to some milliseconds', async () => {
    const sure = await makeClip(await order({ startMs: START + 6010, endMs: START + 7000 }));
    expect(sure.parts[0]!.startMs).toBeCloseTo(START + 6000, 0);
    const unsure = await makeClip(await order({ startMs: START + 6002, endMs: START + 7000 }));
    expect(unsure.parts[0]!.startMs).toBeCloseTo(START + 4000, 0);
  });

  it('carries a silent sound track as long as the pictures', async () => {
    const { parts } = await makeClip(await order({ startMs: START, endMs: START + 10_000 }));
    const { audio, durationS } = await probe(parts[0]!.path);
    expect(audio!.durationS).toBeCloseTo(durationS, 1);
    expect(await loudness(parts[0]!.path)).toBeLessThan(-90);
    await expect(frameHashes(parts[0]!.path, '0:a:0')).resolves.not.toHaveLength(0);
  });

  it('of the whole recording is every recorded picture in order', async () => {
    const { parts } = await makeClip(await order({ startMs: START - 5000, endMs: START + 60_000 }));
    expect(await frameHashes(parts[0]!.path)).toEqual(hashes);
  });

  it('keeps the order of B-frames and begins at 0', async () => {
    const stream = await shoot({ seconds: 8, bFrames: 2 });
    const own = await record(folder, 'bframes', stream, START, 4);
    const { parts } = await makeClip(
      await order({ segments: own, startMs: START + 2500, endMs: START + 7900 }),
    );
    expect(await probe(parts[0]!.path)).toMatchObject({ startS: 0, firstIsKey: true, editList: false });
    expect(await frameHashes(parts[0]!.path)).toEqual((await frameHashes(stream)).slice(30));
  });

  it.each(['libx264', 'libx265'] as const)(
    'of open GOPs (%s) begins with the keyframe it can show',
    async (codec) => {
      const stream = await shoot({ seconds: 8, codec, bFrames: 3, openGop: true, audio: 'aac' });
      const source = await frameHashes(stream);
      const own = await record(folder, `open-${codec}`, stream, START, 60);
      const range = { startMs: START + 4900, endMs: START + 6500 };
      const { parts } = await makeClip(await order({ segments: own, format: 'original', ...range }));
      const part = parts[0]!;
      const shown = await frameHashes(part.path);
      const first = source.indexOf(shown[0]!);
      // a cut in decoding order leaves out pictures shown just before the last one
      const sure = shown.length - 4;
      expect(source.slice(first, first + sure)).toEqual(shown.slice(0, sure));
      expect(first).toBe(60);
      expect(part.startMs).toBeLessThanOrEqual(range.startMs);
      // the stream's own start is delayed by the head of its sound
      expect(Math.abs(part.startMs - START - (first * 1000) / 15)).toBeLessThan(100);
      expect(await probe(part.path)).toMatchObject({ startS: 0, firstIsKey: true, frames: shown.length });
    },
  );

  it('says what is missing and goes on behind it', async () => {
    const later = await record(folder, 'later', plain, START + 30_000, 8);
    const clip = await makeClip(
      await order({ segments: [...later, ...segments], startMs: START + 20_010, endMs: START + 34_000 }),
    );
    expect(clip.gaps).toHaveLength(1);
    expect(clip.gaps[0]!.startMs).toBeCloseTo(START + 24_000, 0);
    expect(clip.gaps[0]!.endMs).toBeCloseTo(START + 30_000, 0);
    expect(clip.parts).toHaveLength(1);
    expect(clip.parts[0]!.durationMs).toBeCloseTo(8000, 0);
    expect(await frameHashes(clip.parts[0]!.path)).toEqual([...hashes.slice(300), ...hashes.slice(0, 60)]);
  });

  it('begins later when footage begins later, and says so', async () => {
    const clip = await makeClip(await order({ startMs: START - 4000, endMs: START + 2000 }));
    expect(clip.parts[0]!.startMs).toBe(START);
    expect(clip.gaps).toEqual([{ startMs: START - 4000, endMs: START }]);
  });

  it('does not begin with footage that ended before the start', async () => {
    const later = await record(folder, 'after-break', plain, START + 30_000, 8);
    const clip = await makeClip(
      await order({ segments: [...segments, ...later], startMs: START + 26_000, endMs: START + 31_000 }),
    );
    expect(clip.parts[0]!.startMs).toBeCloseTo(START + 30_000, 0);
  });

  it('comes in parts that play alone and fit, when it is too large for one', async () => {
    const maxBytes = 400_000;
    const clip = await makeClip(await order({ startMs: START, endMs: START + 24_000, maxBytes }));
    expect(clip.parts.length).toBeGreaterThan(2);
    const seen: string[] = [];
    for (const [i, part] of clip.parts.entries()) {
      expect(part.index).toBe(i);
      expect((await stat(part.path)).size).toBeLessThanOrEqual(maxBytes);
      if (i > 0) expect(part.startMs).toBeCloseTo(clip.parts[i - 1]!.endMs, 0);
      seen.push(...(await frameHashes(part.path)));
    }
    expect(seen).toEqual(hashes);
  });

  it('comes in parts when the camera changes its picture size', async () => {
    const small = await shoot({ seconds: 4, size: '160x120' });
    const changed = await record(folder, 'changed', small, START + 24_000, 8);
    const clip = await makeClip(
      await order({ segments: [...segments, ...changed], startMs: START + 22_000, endMs: START + 28_000 }),
    );
    expect(clip.gaps).toEqual([]);
    expect(clip.parts.map(({ width, height }) => [width, height])).toEqual([
      [320, 180],
      [160, 120],
    ]);
    expect(await frameHashes(clip.parts[1]!.path)).toEqual(await frameHashes(small));
  });

  it('reads a file that is still being written up to its last whole fragment', async () => {
    const live = await record(folder, 'live', plain, START, 60);
    const { init, fragments } = (await scanFile(live[0]!.path))!;
    const cut = fragments[20]!;
    await truncate(live[0]!.path, cut.offset + cut.size - 5);
    const scanned = await makeClip(await order({ segments: live, startMs: START, endMs: START + 24_000 }));
    expect(await frameHashes(scanned.parts[0]!.path)).toEqual(
      hashes.slice(
        0,
        fragments.slice(0, 20).reduce((sum, { samples }) => sum + samples, 0),
      ),
    );
    const known = { init, fragments: fragments.slice(0, 20) };
    const fromMemory = await makeClip(
      await order({ segments: [{ ...live[0]!, known }], startMs: START, endMs: START + 24_000 }),
    );
    const [one, other] = [await readFile(fromMemory.parts[0]!.path), await readFile(scanned.parts[0]!.path)];
    expect(one.equals(other)).toBe(true);
  });

  it('of nothing is refused, and a segment that has gone is a gap', async () => {
    await expect(
      makeClip(await order({ startMs: START + 60_000, endMs: START + 61_000 })),
    ).rejects.toMatchObject({ kind: 'no-footage' });
    const gone = segments.map((one, i) => (i === 1 ? { ...one, path: join(folder, 'gone.mp4') } : one));
    const clip = await makeClip(
      await order({ segments: gone, startMs: START + 6000, endMs: START + 18_000 }),
    );
    expect(clip.gaps).toHaveLength(1);
  });

  it('leaves nothing behind when it is cancelled between two parts', async () => {
    const cancel = new AbortController();
    const range = { startMs: START, endMs: START + 24_000, maxBytes: 400_000, signal: cancel.signal };
    const mine = await order({ ...range, onProgress: (done) => done > 0.5 && cancel.abort() });
    await expect(makeClip(mine)).rejects.toMatchObject({ kind: 'cancelled' });
    expect(await readdir(mine.outDir)).toEqual([]);
  });

  it('leaves nothing behind when it is cancelled', async () => {
    const cancel = new AbortController();
    const mine = await order({ startMs: START, endMs: START + 24_000, signal: cancel.signal });
    const clip = makeClip(mine);
    cancel.abort();
    await expect(clip).rejects.toMatchObject({ kind: 'cancelled' });
    expect(await readdir(mine.outDir)).toEqual([]);
  });
});

describe('the sound of a clip', () => {
  it('is the recorded AAC, beside its pictures', async () => {
    const stream = await shoot({ seconds: 12, audio: 'aac' });
    const own = await record(folder, 'aac', stream, START, 4);
    const { parts } = await makeClip(
      await order({ segments: own, startMs: START + 3000, endMs: START + 10_000 }),
    );
    const { audio, durationS } = await probe(parts[0]!.path);
    expect(audio!.durationS).toBeCloseTo(durationS, 0);
    expect(await loudness(parts[0]!.path)).toBeGreaterThan(-30);
    const sound = await packetHashes(stream);
    const cut = await packetHashes(parts[0]!.path);
    expect(cut.length).toBeGreaterThan(100);
    expect(sound.join(' ')).toContain(cut.join(' '));
    const skipped = sound.indexOf(cut[0]!);
    // sound skipped at the front is as long as the pictures skipped, to a frame of sound
    expect(Math.abs((skipped * 1024) / 16_000 - (parts[0]!.startMs - START) / 1000)).toBeLessThan(0.065);
  });

  it('stays beside its pictures behind a gap', async () => {
    const stream = await shoot({ seconds: 8, audio: 'aac' });
    const own = [
      ...(await record(folder, 'sound-before', stream, START, 60)),
      ...(await record(folder, 'sound-after', stream, START + 30_000, 60)),
    ];
    const range = { startMs: START + 4500, endMs: START + 33_000 };
    const { parts, gaps } = await makeClip(await order({ segments: own, ...range }));
    expect(gaps).toHaveLength(1);
    const beforeMs = gaps[0]!.startMs - parts[0]!.startMs;
    const sound = await packetHashes(stream);
    const cut = await packetHashes(parts[0]!.path);
    // the second recording's sound begins where its pictures do, to two frames of sound (64 ms each)
    const again = cut.indexOf(sound[5]!);
    expect(Math.abs((again - 5) * 64 - beforeMs)).toBeLessThan(130);
    expect(cut.length * 64).toBeLessThan(parts[0]!.durationMs + 130);
  });

  it('is silence where the camera speaks G.711, which no MP4 carries', async () => {
    const stream = await shoot({ seconds: 4, audio: 'alaw' });
    const own = await record(folder, 'alaw', stream, START, 4);
    const { parts } = await makeClip(await order({ segments: own, startMs: START, endMs: START + 4000 }));
    expect(await loudness(parts[0]!.path)).toBeLessThan(-90);
    expect(await frameHashes(parts[0]!.path)).toEqual(await frameHashes(stream));
  });
});

describe('a clip of H.265', () => {
  let own: SegmentInfo[];
  let stream: Buffer;
  beforeAll(async () => {
    stream = await shoot({ seconds: 8, codec: 'libx265' });
    own = await record(folder, 'h265', stream, START, 4);
  });

  it('as original is copied, named so that Apple plays it', async () => {
    const { parts } = await makeClip(
      await order({ segments: own, startMs: START + 1000, endMs: START + 6000, format: 'original' }),
    );
    expect(await probe(parts[0]!.path)).toMatchObject({
      codec: 'hevc',
      tag: 'hvc1',
      startS: 0,
      firstIsKey: true,
    });
    expect(parts[0]!.codec).toMatch(/^hvc1\./);
    const frames = Math.round((parts[0]!.durationMs * 15) / 1000);
    expect(await frameHashes(parts[0]!.path)).toEqual((await frameHashes(stream)).slice(0, frames));
  });

  it.each([
    ['system', ffmpeg],
    ['2018', oldFfmpeg],
  ])('for chat becomes H.264 with every picture, with the %s ffmpeg', async (_, which) => {
    const progress: number[] = [];
    const mine = await order({
      segments: own,
      endMs: START + 8000,
      ffmpeg: await which(),
      onProgress: (done) => progress.push(done),
    });
    const { parts } = await makeClip(mine);
    expect(parts[0]).toMatchObject({ width: 320, height: 180, codec: expect.stringMatching(/^avc1\./) });
    expect(await probe(parts[0]!.path)).toMatchObject({
      codec: 'h264',
      frames: 120,
      startS: 0,
      editList: false,
      audio: { codec: 'aac' },
    });
    expect(await frameHashes(parts[0]!.path)).toHaveLength(120);
    expect(progress.at(-1)).toBe(1);
    expect(progress).toEqual([...progress].sort((a, b) => a - b));
    expect(await readdir(mine.outDir)).toEqual(['part-0.mp4']);
  });

  it('for chat fits the limit', async () => {
    const maxBytes = 150_000;
    const { parts } = await makeClip(
      await order({ segments: own, endMs: START + 8000, ffmpeg: await ffmpeg(), maxBytes }),
    );
    for (const part of parts) expect((await stat(part.path)).size).toBeLessThanOrEqual(maxBytes);
    let frames = 0;
    for (const part of parts) frames += (await probe(part.path)).frames;
    expect(frames).toBe(120);
  });

  it('leaves nothing behind when it is cancelled, at work or in the queue', async () => {
    const cancel = new AbortController();
    const long = await record(
      folder,
      'h265-long',
      await shoot({ seconds: 12, codec: 'libx265', size: '1280x720' }),
      START,
      60,
    );
    const range = { segments: long, endMs: START + 12_000, ffmpeg: await ffmpeg(), signal: cancel.signal };
    // whichever has its turn first is cancelled at work, the other one in the queue
    const onProgress = (done: number) => done > 0.05 && cancel.abort();
    const orders = [await order({ ...range, onProgress }), await order({ ...range, onProgress })];
    const clips = await Promise.allSettled(orders.map(makeClip));
    for (const clip of clips)
      expect(clip).toMatchObject({ status: 'rejected', reason: { kind: 'cancelled' } });
    for (const { outDir } of orders) expect(await readdir(outDir)).toEqual([]);
  });

  it('without ffmpeg is refused for chat', async () => {
    await expect(makeClip(await order({ segments: own }))).rejects.toMatchObject({ kind: 'invalid' });
  });
});
