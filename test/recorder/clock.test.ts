import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BenchRecorder, startRecorder, untilRecording } from '../../bench/recorder.js';
import { coverageOf } from '../../media/coverage.js';
import { DAYS_FILE } from '../../media/integrity/record.js';
import { ClockWatch } from '../../media/recording/clock-watch.js';
import { commonGaps, timelines } from '../../media/timelines.js';
import { stepWhileAway } from '../../media/trusted-clock.js';
import type { RecorderEvent } from '../../media/types.js';
import { faketime } from '../support/debian.js';
import { type FakedClock, makeFakedClock } from '../support/faked-clock.js';
import { eventually } from '../support/product.js';
import { quiet } from './stand.js';

const HOUR = 3_600_000;

describe('the clock watch', () => {
  it('notices a step either way, and no slow correction', () => {
    let wall = 1_000_000;
    let monotonic = 0;
    const told: unknown[] = [];
    const watch = new ClockWatch({
      index: { clockSteps: { add: async () => {} } } as never,
      log: quiet,
      tell: (kind, _camera, data) => told.push({ kind, ...data }),
      wall: () => wall,
      monotonic: () => monotonic,
    });
    const pass = (wallMs: number, monotonicMs = wallMs) => {
      wall += wallMs;
      monotonic += monotonicMs;
      return watch.look();
    };
    expect(pass(1000)).toBeNull();
    for (let i = 0; i < 100; i++) expect(pass(1001, 1000)).toBeNull();
    expect(pass(1000 + HOUR, 1000)).toEqual({ fromMs: wall - HOUR, toMs: wall });
    expect(pass(1000)).toBeNull();
    expect(pass(1000 - 25 * HOUR, 1000)).toEqual({ fromMs: wall + 25 * HOUR, toMs: wall });
    expect(told).toHaveLength(2);
    // asleep for an hour: neither clock says otherwise
    expect(pass(HOUR)).toBeNull();
  });
});

describe('a clock set while nobody recorded', () => {
  const memory = { trustedMs: 0, doubt: null, behindSinceMs: null, wallMs: 100 * HOUR };
  const before = { ...memory, uptimeMs: HOUR, bootId: 'a' };
  it('is told within one boot by the uptime, over a boot only where it is behind', () => {
    const at = (wallMs: number, uptimeMs: number, bootId: string | null) =>
      stepWhileAway(before, { wallMs, uptimeMs, bootId });
    expect(at(101 * HOUR, 2 * HOUR, 'a')).toBeNull();
    expect(at(101 * HOUR + 900, 2 * HOUR, 'a')).toBeNull();
    expect(at(104 * HOUR, 2 * HOUR, 'a')).toEqual({ fromMs: 101 * HOUR, toMs: 104 * HOUR });
    expect(at(100.5 * HOUR, 2 * HOUR, 'a')).toEqual({ fromMs: 101 * HOUR, toMs: 100.5 * HOUR });
    for (const boot of ['b', null]) {
      expect(at(104 * HOUR, 60_000, boot)).toBeNull();
      expect(at(3 * HOUR, 60_000, boot)).toEqual({ fromMs: 100 * HOUR, toMs: 3 * HOUR });
    }
    const { wallMs: _unknown, ...older } = before;
    expect(stepWhileAway(older, { wallMs: 3 * HOUR, uptimeMs: 60_000, bootId: 'b' })).toBeNull();
  });
});

describe('lines of time', () => {
  it('hold what was recorded one after the other, though files of both begin at the same times', () => {
    const old = [0, 4000, 8000].map((startMs, i) => ({
      startMs,
      endMs: startMs + 4000,
      order: i,
      of: 'old',
    }));
    const anew = [4000, 8000, 12_000].map((startMs, i) => ({
      ...{ startMs, endMs: startMs + 4000, order: 3 + i, of: 'new' },
    }));
    expect(timelines([...old, ...anew]).map((line) => new Set(line.map((one) => one.of)))).toEqual([
      new Set(['old']),
      new Set(['new']),
    ]);
  });

  const range = fc.record({
    startMs: fc.integer({ min: 0, max: 500 }),
    length: fc.integer({ min: 1, max: 90 }),
  });
  it('hold every segment once, and in none does one overlap another', () => {
    fc.assert(
      fc.property(fc.array(range, { maxLength: 40 }), (given) => {
        const segments = given.map(({ startMs, length }) => ({
          startMs: startMs * 1000,
          endMs: (startMs + length) * 1000,
        }));
        const lines = timelines(segments);
        expect(lines.flat()).toHaveLength(segments.length);
        expect(new Set(lines.flat())).toEqual(new Set(segments));
        for (const line of lines)
          for (let i = 1; i < line.length; i++)
            expect(line[i]!.startMs).toBeGreaterThanOrEqual(line[i - 1]!.endMs - 500);
      }),
    );
  });

  it('are one where the clock was never set back, whatever is missing', () => {
    const minutes = [0, 1, 2, 7, 8].map((m) => ({ startMs: m * 60_000, endMs: (m + 1) * 60_000 + 200 }));
    expect(timelines(minutes)).toEqual([minutes]);
  });

  it('are one where a file was found again later', () => {
    const files = [0, 60_000, 120_000].map((startMs, i) => ({
      startMs,
      endMs: startMs + 60_000,
      order: (i + 2) % 3,
    }));
    expect(timelines(files)).toEqual([files]);
  });

  it('share only the gaps that all of them have', () => {
    expect(commonGaps([[{ startMs: 0, endMs: 50 }], [{ startMs: 30, endMs: 80 }]])).toEqual([
      { startMs: 30, endMs: 50 },
    ]);
    expect(commonGaps([[{ startMs: 0, endMs: 50 }], []])).toEqual([]);
    expect(commonGaps([])).toEqual([]);
  });
});

describe('coverage over a clock that was set', () => {
  const base = { cameraId: 'cam1', stream: 'main' as const, gaps: [], deletions: [], untilMs: 10 * HOUR };
  it('calls the hour that never was by its name, edges included', () => {
    const found = coverageOf({
      ...base,
      asked: { startMs: 0, endMs: 4 * HOUR },
      segments: [
        { startMs: 0, endMs: HOUR + 3000 },
        { startMs: 2 * HOUR + 3000, endMs: 4 * HOUR },
      ],
      clockSteps: [{ fromMs: HOUR, toMs: 2 * HOUR }],
    });
    expect(found.gaps).toEqual([{ startMs: HOUR + 3000, endMs: 2 * HOUR + 3000, cause: 'clock-set' }]);
  });

  it('leaves other causes as they are, and a step back leaves no gap', () => {
    const found = coverageOf({
      ...base,
      asked: { startMs: 0, endMs: 4 * HOUR },
      segments: [{ startMs: HOUR, endMs: 4 * HOUR }],
      gaps: [{ id: 1, cameraId: 'cam1', stream: 'main', startMs: 0, endMs: HOUR, cause: 'unreachable' }],
      clockSteps: [{ fromMs: 3 * HOUR, toMs: 2 * HOUR }],
    });
    expect(found.gaps).toEqual([{ startMs: 0, endMs: HOUR, cause: 'unreachable' }]);
    expect(found.clockSteps).toEqual([{ fromMs: 3 * HOUR, toMs: 2 * HOUR }]);
  });
});

describe.skipIf(!faketime.available)('a recorder whose clock is really set', () => {
  let recorder: BenchRecorder;
  let clock: FakedClock;
  const now = () => clock.now();
  const coverage = (startMs: number) => recorder.client.coverage('cam1', { startMs, endMs: now() });
  const events: RecorderEvent[] = [];
  const enough = new AbortController();

  beforeAll(async () => {
    clock = await makeFakedClock();
    recorder = await startRecorder({
      ...clock.env,
      MAT_THAN_SEGMENT_MS: '4000',
    });
    await recorder.client.addCamera({ id: 'cam1', name: 'Cổng chợ', url: 'test:street' });
    await untilRecording(recorder.client, 1);
    void (async () => {
      for await (const event of recorder.client.events(0, enough.signal)) events.push(event);
    })();
  }, 60_000);
  afterAll(async () => {
    enough.abort();
    await recorder?.stop();
    await clock?.remove();
  });

  it.each([
    ['an hour forward', 3600],
    ['an hour back', 0],
    ['a day forward', 86_400],
    ['a day back', 0],
  ])(
    '%s: told, no minute lost, the time in between explained',
    async (_what, seconds) => {
      const backMs = (clock.offsetS - seconds) * 1000;
      await eventually('some seconds are recorded', async () => {
        const { recorded } = await coverage(now() - 8000);
        return recorded.length === 1 && recorded[0]!.endMs - recorded[0]!.startMs > 6000;
      });
      const before = now();
      const seen = events.length;
      await clock.set(seconds);
      const after = now();
      const set = await eventually('the step is told', () =>
        events.slice(seen).find((event) => event.kind === 'clock-set'),
      );
      expect(Math.abs(Number(set.data.fromMs) - before)).toBeLessThan(3000);
      expect(Math.abs(Number(set.data.toMs) - after)).toBeLessThan(3000);
      // the new clock's footage begins with the next keyframe
      await eventually('recording goes on by the new clock', async () => {
        const { recorded } = await coverage(now() - 6000);
        return (recorded.at(-1)?.endMs ?? 0) > after + 6000;
      });
      if (backMs < 0) {
        const { recorded, gaps } = await coverage(before - 5000);
        expect(new Set(gaps.map(({ cause }) => cause))).toEqual(new Set(['clock-set']));
        expect(recorded[0]!.endMs).toBeGreaterThan(before - 500);
        // all that is missing of what the cameras showed is nothing: the rest is the time that never was
        const toEdgesMs = recorded.at(-1)!.startMs - recorded[0]!.endMs;
        expect(Math.abs(toEdgesMs + backMs)).toBeLessThan(500);
        return;
      }
      // the time before the step back is still there, and a clip of it holds both recordings
      const { clockSteps } = await coverage(after - 1000);
      expect(clockSteps.at(-1)).toEqual({ fromMs: set.data.fromMs, toMs: set.data.toMs });
      const earlier = await recorder.client.coverage('cam1', { startMs: before - 6000, endMs: before - 500 });
      expect(earlier.gaps).toEqual([]);
    },
    60_000,
  );

  it('a stretch recorded twice comes as two clips that each play alone', async () => {
    const twice = await (async () => {
      await eventually('ten seconds are recorded', async () => {
        const { recorded } = await coverage(now() - 12_000);
        return recorded.length === 1 && recorded[0]!.endMs - recorded[0]!.startMs > 10_000;
      });
      // by the new clock there are pictures from the next keyframe on: at most a GOP after the step
      const startMs = now() - 7000;
      await clock.set(-10);
      return { startMs, endMs: startMs + 3000 };
    })();
    await eventually('that time has come again', async () => {
      const { recorded } = await coverage(now() - 4000);
      return now() > twice.endMs + 3000 && recorded.length > 0;
    });
    const job = await recorder.client.clip({ cameraId: 'cam1', ...twice });
    expect(job.parts).toHaveLength(2);
    for (const part of job.parts) {
      expect(part.startMs).toBeLessThanOrEqual(twice.startMs);
      expect(part.endMs).toBeGreaterThanOrEqual(twice.endMs - 100);
      const file = path.join(recorder.folder, `part-${part.index}.mp4`);
      await recorder.client.savePart(job.id, part.index, file);
      expect(existsSync(file)).toBe(true);
    }
    expect(job.gaps).toEqual([]);
  }, 60_000);

  it('a step while the recorder does not run is told at its start, once, and stands beside the recordings', async () => {
    const begun = clock.offsetS;
    await recorder.kill();
    await clock.set(begun + 3600);
    const seen = events.length;
    await recorder.restart();
    const told = () => events.slice(seen).filter((event) => event.kind === 'clock-set');
    const [set] = await eventually('the step is told', () => (told().length > 0 ? told() : null));
    expect(Math.abs(Number(set!.data.toMs) - Number(set!.data.fromMs) - HOUR)).toBeLessThan(3000);
    await eventually('the hour that never was has its cause', async () => {
      const { gaps } = await coverage(Number(set!.data.fromMs) - 60_000);
      return gaps.some(({ cause, startMs, endMs }) => cause === 'clock-set' && endMs - startMs > 0.9 * HOUR);
    });
    await recorder.kill();
    await recorder.restart();
    await untilRecording(recorder.client, 1);
    const chain = await readFile(path.join(recorder.folder, 'recordings', DAYS_FILE), 'utf8');
    const lines = chain.split('\n').filter((line) => line.includes(`"fromMs":${set!.data.fromMs}`));
    expect(lines).toHaveLength(1);
    expect(told()).toHaveLength(1);
  }, 60_000);
});
