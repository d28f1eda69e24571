import { describe, expect, it } from 'vitest';
import { coverageOf, explainLacking } from '../../media/coverage.js';
import { GopMemory } from '../../media/recording/gop-memory.js';
import { MediaClock } from '../../media/recording/media-clock.js';
import { hourFolder, readSegmentName, segmentName } from '../../media/recording/names.js';
import { restartWait } from '../../media/recording/restart.js';
import { gapsOf } from '../../media/recording/restore.js';
import { WritePace } from '../../media/recording/write-pace.js';

describe('names of files', () => {
  it('tell camera, stream and start in Vietnamese time, and are read back', () => {
    const startMs = Date.UTC(2026, 10, 21, 17, 3, 12, 345);
    expect(hourFolder('cam1', 'sub', startMs)).toBe('cam1/sub/2026-11-22/00');
    const name = segmentName('cam1', 'sub', startMs);
    expect(name).toBe('cam1_sub_2026-11-22T00-03-12.345+0700');
    expect(readSegmentName(`x/${name}.mp4`)).toEqual({
      cameraId: 'cam1',
      stream: 'sub',
      startMs,
      open: false,
    });
    expect(readSegmentName(`${name}-2.mp4`)).toMatchObject({ startMs, open: false });
    expect(readSegmentName(`${name}.recording.mp4`)).toMatchObject({ startMs, open: true });
    for (const other of ['notes.txt', `${name}.mp4.part`, `Cam_${name}.mp4`])
      expect(readSegmentName(other)).toBe(null);
  });
});

describe('waiting before connecting again', () => {
  const wait = (tries: number, random = 0.5) =>
    restartWait({ cause: 'unreachable', streamedMs: 0 }, tries, random);
  it('doubles from 1 s to 60 s, with jitter', () => {
    expect([1, 2, 3, 4, 5, 6, 7, 50].map((tries) => wait(tries) / 1000)).toEqual([
      1, 2, 4, 8, 16, 32, 60, 60,
    ]);
    expect([wait(1, 0), wait(1, 0.9999)].map(Math.round)).toEqual([800, 1200]);
  });
  it('never waits long for a disk: it may be well again at any moment', () => {
    const disk = (tries: number) => restartWait({ cause: 'disk', streamedMs: 0 }, tries, 0.9999) / 1000;
    expect(Math.max(...[1, 3, 5, 9, 50].map(disk))).toBeLessThanOrEqual(18);
  });
  it('tries a refused password once more, then waits half an hour', () => {
    const refused = (tries: number) => restartWait({ cause: 'refused', streamedMs: 0 }, tries, 0.5);
    expect([refused(1), refused(2), refused(9)]).toEqual([10_000, 1_800_000, 1_800_000]);
  });
});

describe('dating', () => {
  /** Half-second fragments of a camera whose clock runs `drift` wrong, arriving `late` ms after the truth. */
  function run(seconds: number, late: (i: number) => number, drift = 0, step = (_i: number) => 0) {
    let monotonic = 0;
    const clock = new MediaClock(90_000, () => monotonic);
    const errors: number[] = [];
    const jumps: number[] = [];
    for (let i = 0; i < seconds * 2; i++) {
      const trueEnd = (i + 1) * 500;
      // ffmpeg gives a fragment away one frame's time after its end
      monotonic = trueEnd + late(i) + 500 / 8;
      const ticks = (ms: number) => BigInt(Math.round(ms * 90 * (1 + drift)));
      const startTicks = ticks(i * 500);
      const fragment = {
        startTicks,
        durationTicks: Number(ticks(trueEnd) - startTicks),
        samples: 8,
        arrivedMs: 1_000_000 + step(i) + monotonic,
      };
      if (clock.add(fragment)) jumps.push(i);
      errors.push(clock.offset! + Number(startTicks) / 90 - (1_000_000 + step(i) + i * 500));
    }
    return { errors, jumps };
  }

  it('is exact as soon as one fragment came without delay', () => {
    const { errors, jumps } = run(60, (i) => (i < 4 ? 1800 - i * 450 : (i * 37) % 91));
    expect(Math.max(...errors.slice(6).map(Math.abs))).toBeLessThan(100);
    expect(Math.max(...errors.slice(30).map(Math.abs))).toBeLessThan(5);
    expect(jumps).toEqual([]);
  });

  it('is not misled by a pause of the camera within a fragment', () => {
    let monotonic = 0;
    let mediaMs = 0;
    const clock = new MediaClock(90_000, () => monotonic);
    const add = (lengthMs: number, samples: number) => {
      const startTicks = BigInt(mediaMs * 90);
      mediaMs += lengthMs;
      monotonic = mediaMs + 100;
      clock.add({ startTicks, durationTicks: lengthMs * 90, samples, arrivedMs: 1_000_000 + monotonic });
      return clock.offset;
    };
    expect([add(500, 5), add(500, 5), add(3000, 2), add(500, 5)]).toEqual([1, 1, 1, 1].map(() => 1_000_000));
  });

  it('follows a camera whose clock drifts by 200 parts per million', () => {
    for (const drift of [0.0002, -0.0002]) {
      const { errors } = run(3600, (i) => (i * 37) % 40, drift);
      expect(Math.max(...errors.slice(20).map(Math.abs))).toBeLessThan(60);
    }
  });

  it('notices that the clock was set, and dates anew', () => {
    const { errors, jumps } = run(
      60,
      () => 5,
      0,
      (i) => (i >= 60 ? -3_600_000 : 0),
    );
    expect(jumps).toEqual([60]);
    expect(Math.max(...errors.map(Math.abs))).toBeLessThan(10);
  });
});

describe('coverage', () => {
  const base = { cameraId: 'cam1', stream: 'main' as const, deletions: [], clockSteps: [], untilMs: 100_000 };
  const gap = (startMs: number, endMs: number | null, cause: 'silent' | 'unreachable' | 'recorder-down') => ({
    ...{ id: 1, cameraId: 'cam1', stream: 'main' as const, startMs, endMs, cause },
  });

  it('explains a film by what is known, and by what can not be there otherwise', () => {
    const at = (startMs: number, endMs: number) => ({ startMs, endMs });
    const found = explainLacking({
      lacking: [at(10_000.4, 30_000), at(50_000, 51_000), at(60_000, 80_000), at(95_000, 99_000)],
      recorded: [at(0, 20_200), at(30_000, 90_000)],
      gaps: [{ ...at(20_200, 30_000), cause: 'unreachable' }],
      gone: [at(60_000, 75_000)],
    });
    expect(found).toEqual([
      { ...at(10_000, 20_200), cause: 'damaged' },
      { ...at(20_200, 30_000), cause: 'unreachable' },
      { ...at(50_000, 51_000), cause: 'damaged' },
      { ...at(60_000, 75_000), cause: 'removed-by-others' },
      { ...at(75_000, 80_000), cause: 'damaged' },
    ]);
  });

  it('says of what was recorded and lost what became of it, whatever else is known', () => {
    const lost = { ...gap(10_000, 30_000, 'silent'), cause: 'removed-by-others' as const };
    const open = {
      cameraId: 'cam1',
      stream: 'main' as const,
      n: 1,
      prev: '',
      key: '',
      sig: '',
      kind: 'gap' as const,
    };
    const { gaps } = coverageOf({
      ...{ cameraId: 'cam1', stream: 'main', asked: { startMs: 0, endMs: 40_000 }, untilMs: 40_000 },
      ...{ segments: [], gaps: [gap(0, null, 'recorder-down'), lost], deletions: [], clockSteps: [] },
    });
    expect(gaps).toEqual([
      { startMs: 0, endMs: 10_000, cause: 'recorder-down' },
      { startMs: 10_000, endMs: 30_000, cause: 'removed-by-others' },
      { startMs: 30_000, endMs: 40_000, cause: 'recorder-down' },
    ]);
    // noted while the camera is away, which it stays
    const records = [
      { ...open, startMs: 50_000, endMs: null, cause: 'silent' as const, at: 50_000 },
      { ...open, startMs: 10_000, endMs: 50_500, cause: 'removed-by-others' as const, at: 60_000 },
    ];
    expect(gapsOf(records, 90_000).map(({ startMs, endMs, cause }) => [startMs, endMs, cause])).toEqual([
      [10_000, 50_500, 'removed-by-others'],
      [50_000, 90_000, 'silent'],
    ]);
  });

  it('joins files and gives each hole its cause', () => {
    const found = coverageOf({
      ...base,
      asked: { startMs: 0, endMs: 90_000 },
      segments: [
        { startMs: -5000, endMs: 20_000 },
        { startMs: 20_010, endMs: 40_000 },
        { startMs: 60_000, endMs: 80_000 },
      ],
      gaps: [
        gap(40_200, 50_000, 'silent'),
        gap(50_000, 59_800, 'unreachable'),
        gap(80_000, null, 'recorder-down'),
      ],
    });
    expect(found.recorded).toEqual([
      { startMs: 0, endMs: 40_000 },
      { startMs: 60_000, endMs: 80_000 },
    ]);
    expect(found.gaps).toEqual([
      { startMs: 40_000, endMs: 50_000, cause: 'silent' },
      { startMs: 50_000, endMs: 60_000, cause: 'unreachable' },
      { startMs: 80_000, endMs: 90_000, cause: 'recorder-down' },
    ]);
  });

  it('says deleted, and unknown where nothing is known; nothing beyond now', () => {
    const asked = { startMs: 0, endMs: 200_000 };
    const deletion = {
      ...base,
      atMs: 0,
      startMs: 10_000,
      endMs: 30_000,
      sizeBytes: 1,
      reason: 'age' as const,
    };
    expect(coverageOf({ ...base, asked, segments: [], gaps: [], deletions: [deletion] }).gaps).toEqual([
      { startMs: 0, endMs: 10_000, cause: 'unknown' },
      { startMs: 10_000, endMs: 30_000, cause: 'deleted' },
      { startMs: 30_000, endMs: 100_000, cause: 'unknown' },
    ]);
  });
});

describe('writing at once', () => {
  it('ends for a minute when the disk was slow once, and never begins while it is', () => {
    let nowMs = 1000;
    const pace = new WritePace(() => nowMs);
    const write = (tookMs: number) =>
      pace.measure(() => {
        nowMs += tookMs;
        return tookMs;
      });
    expect(write(0.2)).toBe(0.2);
    expect(pace.atOnce).toBe(true);
    write(40);
    expect(pace.atOnce).toBe(false);
    nowMs += 59_000;
    expect(pace.atOnce).toBe(false);
    nowMs += 1_001;
    expect(pace.atOnce).toBe(true);
    write(3000);
    nowMs += 3_599_000;
    expect(pace.atOnce).toBe(false);
    nowMs += 1_001;
    expect(pace.atOnce).toBe(true);
  });

  it('ends when many writes together take a fifth of the time, none of them long', () => {
    let nowMs = 0;
    const pace = new WritePace(() => nowMs);
    const writes = (count: number, tookMs: number, everyMs: number) => {
      for (let n = 0; n < count && pace.atOnce; n++) {
        pace.measure(() => {
          nowMs += tookMs;
        });
        nowMs += everyMs - tookMs;
      }
    };
    writes(300, 1, 10);
    expect(pace.atOnce).toBe(true);
    writes(100, 12, 15);
    expect(pace.atOnce).toBe(false);
  });

  it('counts a write that failed slowly as slow', () => {
    let nowMs = 0;
    const pace = new WritePace(() => nowMs);
    const failing = () =>
      pace.measure(() => {
        nowMs += 5000;
        throw new Error('EIO');
      });
    expect(failing).toThrow('EIO');
    expect(pace.atOnce).toBe(false);
  });
});

describe('the newest GOP in memory', () => {
  const fragment = (text: string, key = false) => ({
    ...{ bytes: Buffer.from(text), key, startTicks: BigInt(text.length), durationTicks: 1, samples: 1 },
    arrivedMs: 0,
  });
  const told = (memory: GopMemory) => memory.fragments().map(({ bytes }) => bytes.toString());

  it('is everything since the last keyframe, and nothing before the first', () => {
    const memory = new GopMemory();
    memory.add(fragment('lost'));
    expect(told(memory)).toEqual([]);
    for (const [text, key] of [['K1', true], ['a'], ['b'], ['KEY2', true], ['c']] as [string, boolean?][])
      memory.add(fragment(text, key));
    expect(told(memory)).toEqual(['KEY2', 'c']);
    expect(memory.startTicks).toBe(4n);
  });

  it('given away stays as it was while the memory goes on', () => {
    const memory = new GopMemory();
    memory.add(fragment('first', true));
    const given = memory.fragments();
    memory.add(fragment('other', true));
    memory.add(fragment('x'.repeat(2_000_000)));
    expect(given.map(({ bytes }) => bytes.toString())).toEqual(['first']);
    expect(told(memory)[1]).toHaveLength(2_000_000);
  });

  it('that is too large is not kept, and the next one is', () => {
    const memory = new GopMemory();
    memory.add({ ...fragment('K', true), bytes: Buffer.alloc(40_000_000) });
    memory.add({ ...fragment('a'), bytes: Buffer.alloc(20_000_000) });
    memory.add(fragment('b'));
    expect(told(memory)).toEqual([]);
    memory.add(fragment('K', true));
    expect(told(memory)).toEqual(['K']);
  });
});
