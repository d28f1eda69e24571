import { copyFile, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import type { SegmentInfo } from '../../media/clip.js';
import type { Fragment, StreamInit } from '../../media/fragment.js';
import { boxesIn } from '../../media/mp4/box.js';
import { Mp4Error } from '../../media/mp4/error.js';
import { prftFor, readPrft, wallClockOf } from '../../media/mp4/prft.js';
import { datesOf, describeFragment, recoverFile, scanFile } from '../../media/mp4/scan.js';
import { frameHashes, readStream, record, shoot, tempFolder } from './footage.js';

const START = Date.UTC(2026, 10, 21, 7, 30, 0, 250);

let folder: string;
let stream: Buffer;
let segments: SegmentInfo[];
let bytes: Buffer;
let read: { init: StreamInit; fragments: Fragment[] };

beforeAll(async () => {
  folder = await tempFolder();
  stream = await shoot({ seconds: 8, audio: 'aac' });
  read = readStream(stream);
  segments = await record(folder, 'scan', stream, START, 4);
  bytes = await readFile(segments[1]!.path);
});

const copied = async (name: string, upTo = bytes.length) => {
  const path = join(folder, name);
  await writeFile(path, bytes.subarray(0, upTo));
  return path;
};

describe('a segment file', () => {
  it('plays in ffmpeg as it is, prft boxes and late start included', async () => {
    expect(await frameHashes(segments[1]!.path)).toEqual((await frameHashes(stream)).slice(60));
  });

  it('read back says the same as the stream it was written from', async () => {
    const scanned = (await scanFile(segments[0]!.path))!;
    expect(scanned.init).toEqual(read.init);
    for (const [i, fragment] of scanned.fragments.entries()) {
      const { bytes: _, arrivedMs: __, ...told } = read.fragments[i]!;
      expect(fragment).toMatchObject(told);
      const onDisk = (await readFile(segments[0]!.path)).subarray(
        fragment.offset,
        fragment.offset + fragment.size,
      );
      expect(onDisk.equals(read.fragments[i]!.bytes)).toBe(true);
      expect(
        describeFragment({ ...read.fragments[i]!, arrivedMs: fragment.arrivedMs! }, fragment.offset),
      ).toEqual(fragment);
    }
    expect(scanned.wholeBytes).toBe(scanned.sizeBytes);
  });

  it('tells its own wall clock', async () => {
    const { fragments, init } = (await scanFile(segments[1]!.path))!;
    const { startMs, endMs } = datesOf(fragments, init);
    expect(startMs).toBeCloseTo(segments[1]!.startMs, -1);
    expect(endMs).toBeCloseTo(segments[1]!.endMs, -1);
  });

  it('that is no recording is refused, an empty or cut one is nothing yet', async () => {
    const path = join(folder, 'letter.txt');
    await writeFile(path, 'Kính gửi đồng chí trưởng công an xã');
    await expect(scanFile(path)).rejects.toThrow(Mp4Error);
    expect(await scanFile(await copied('empty.mp4', 0))).toBeNull();
    expect(await scanFile(await copied('head.mp4', 300))).toBeNull();
  });

  it('cut at or beside any box border gives the whole fragments before the cut', async () => {
    const whole = (await scanFile(segments[1]!.path))!.fragments;
    let border = 0;
    for (const box of boxesIn(bytes)) {
      border += box.whole.length;
      for (const cut of [border - 1, border, border + 1, border + 9]) {
        const scanned = await scanFile(await copied('cut.mp4', cut));
        const expected = whole.filter(({ offset, size }) => offset + size <= cut);
        expect(scanned?.fragments ?? []).toEqual(expected);
      }
    }
  });
});

describe('a segment file with a hole in it', () => {
  /** The file with some bytes zeroed. */
  const holed = async (at: number, size: number) => {
    const path = await copied('holed.mp4');
    const damaged = Buffer.from(bytes);
    damaged.fill(0, at, at + size);
    await writeFile(path, damaged);
    return (await scanFile(path))!;
  };

  it('costs the fragment that was hit; its pictures end there, and wholeBytes too', async () => {
    const whole = (await scanFile(segments[1]!.path))!.fragments;
    expect(whole.length).toBeGreaterThan(6);
    for (const [hit, { offset }] of whole.entries()) {
      const found = await holed(offset - 40, 60);
      const left = whole.filter(
        (_, i) => i !== hit && !(i === hit - 1 && whole[i]!.offset + whole[i]!.size > offset - 32),
      );
      expect(found.fragments.map((one) => one.offset)).toEqual(left.map((one) => one.offset));
      const next = found.fragments.findIndex((one) => one.offset > offset && one.samples > 0);
      if (next >= 0)
        expect(found.fragments[next]!.afterHole).toBe(whole[hit]!.samples > 0 ? true : undefined);
      expect(found.fragments.filter((one) => one.afterHole).length).toBeLessThanOrEqual(1);
      expect(found.wholeBytes).toBeLessThanOrEqual(offset - 32);
      expect(found.startLost).toBe(hit === 0);
    }
  });

  it('loses no fragment with its time of arrival, and only one with a false size', async () => {
    const whole = (await scanFile(segments[1]!.path))!.fragments;
    const { offset, moof } = whole[3]!;
    const undated = await holed(offset - 32, 32);
    expect(undated.fragments).toHaveLength(whole.length);
    expect(undated.fragments.some((one) => one.afterHole)).toBe(false);
    expect(undated.fragments[3]!.arrivedMs).toBeNull();
    // an mdat that claims all that follows
    const path = await copied('swollen.mp4');
    const swollen = Buffer.from(bytes);
    swollen.writeUInt32BE(bytes.length - offset - moof.length, offset + moof.length);
    await writeFile(path, swollen);
    expect((await scanFile(path))!.fragments).toHaveLength(whole.length);
  });
});

describe('recovery after a crash', () => {
  it('cuts behind the last whole fragment; what is left plays', async () => {
    const path = await copied('crashed.mp4');
    const whole = (await scanFile(path))!.fragments;
    const last = whole.at(-1)!;
    await truncate(path, last.offset + last.size - 100);
    const recovered = (await recoverFile(path))!;
    const kept = whole.at(-2)!;
    expect(recovered.keptBytes).toBe(kept.offset + kept.size);
    expect(recovered.droppedBytes).toBe(last.offset + last.size - 100 - recovered.keptBytes);
    expect((await stat(path)).size).toBe(recovered.keptBytes);
    expect(recovered.startMs).toBeCloseTo(segments[1]!.startMs, -1);
    const keptTicks = Number(kept.startTicks - whole[0]!.startTicks) + kept.durationTicks;
    expect(recovered.endMs! - recovered.startMs!).toBeCloseTo((keptTicks * 1000) / read.init.timescale, 3);
    const frames = recovered.fragments.reduce((sum, { samples }) => sum + samples, 0);
    expect(await frameHashes(path)).toHaveLength(frames);
  });

  it('leaves a whole file as it is, and gives nothing for one without a whole fragment', async () => {
    const path = await copied('whole.mp4');
    expect(await recoverFile(path)).toMatchObject({ keptBytes: bytes.length, droppedBytes: 0 });
    expect((await readFile(path)).equals(bytes)).toBe(true);
    const [, , third] = boxesIn(bytes).map(({ whole }) => whole.length);
    expect(
      await recoverFile(
        await copied(
          'nothing.mp4',
          boxesIn(bytes)[0]!.whole.length + boxesIn(bytes)[1]!.whole.length + third!,
        ),
      ),
    ).toBeNull();
    const garbage = join(folder, 'garbage.mp4');
    await writeFile(garbage, Buffer.alloc(5000, 'not an mp4 '));
    expect(await recoverFile(garbage)).toBeNull();
  });

  it('survives damage anywhere: something whole, or nothing', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 6 }),
        async (damage) => {
          const damaged = Buffer.from(bytes);
          for (const [at, value] of damage) damaged[at % damaged.length] = value;
          const path = join(folder, 'damaged.mp4');
          await writeFile(path, damaged);
          const recovered = await recoverFile(path);
          if (!recovered) return;
          const again = (await scanFile(path))!;
          expect(again.fragments).toEqual(recovered.fragments);
          expect(again.wholeBytes).toBe(again.sizeBytes);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('of a copy does not touch the original', async () => {
    const path = join(folder, 'copy.mp4');
    await copyFile(segments[0]!.path, path);
    await truncate(path, 40_000);
    await recoverFile(path);
    expect((await scanFile(segments[0]!.path))!.wholeBytes).toBe((await stat(segments[0]!.path)).size);
  });
});

describe('the clock in the file', () => {
  it('keeps a moment to the millisecond, beyond 2036 too', () => {
    for (const arrivedMs of [
      START,
      START + 1,
      Date.UTC(2036, 1, 7, 6, 28, 15, 999),
      Date.UTC(2051, 5, 1, 1, 2, 3, 4),
    ]) {
      const box = prftFor({ arrivedMs, startTicks: 2n ** 40n }, { videoTrackId: 1 });
      expect(readPrft(box.subarray(8))).toBe(arrivedMs);
      expect(box.readBigUInt64BE(24)).toBe(2n ** 40n);
    }
  });

  it('goes by the fragment that was least delayed', () => {
    const fragments = [300, 90, 50, 2000].map((late, i) => ({
      startTicks: BigInt(i * 45_000),
      durationTicks: 45_000,
      samples: 10,
      arrivedMs: START + (i + 1) * 500 + late,
    }));
    expect(wallClockOf(fragments, 90_000)).toBe(START);
    expect(wallClockOf([], 90_000)).toBeNull();
    expect(wallClockOf([{ ...fragments[0]!, arrivedMs: null }], 90_000)).toBeNull();
  });

  it('is not misled by a camera that paused within a fragment, or sends fewer frames from then on', () => {
    let at = 0;
    const fragment = (lengthMs: number, samples: number, frameMs: number) => {
      at += lengthMs;
      const [startTicks, durationTicks] = [BigInt((at - lengthMs) * 90), lengthMs * 90];
      return { startTicks, durationTicks, samples, arrivedMs: START + at + frameMs };
    };
    const usual = [fragment(500, 5, 100), fragment(500, 5, 100)];
    // two frames and three seconds: the second one's time is a tenth of a second as ever
    const paused = [fragment(3000, 2, 100), fragment(3000, 2, 100), fragment(500, 5, 100)];
    expect(wallClockOf([...usual, ...paused], 90_000)).toBe(START);
    const slow = [1, 2, 3, 4].map(() => fragment(1000, 1, 900));
    expect(wallClockOf([...usual, ...slow], 90_000)).toBe(START - 100);
  });
});
