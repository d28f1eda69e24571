import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Holds } from '../../media/holds/holds.js';
import type { SegmentRow } from '../../media/index/rows.js';
import { Retention, type RetentionIndex } from '../../media/retention/retention.js';
import { TrustedClock } from '../../media/trusted-clock.js';
import type { Hold, HoldRank, RecorderEventKind, StreamName } from '../../media/types.js';
import { holdsFor, memoryFiles } from './holds-stand.js';
import { quiet } from './stand.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const START = Date.UTC(2026, 10, 1);
const DAYS = 7;
const TOTAL = 1000;
const WANTED = 100;
const CAMERAS = ['cam1', 'cam2'];
const STREAMS: StreamName[] = ['main', 'sub'];
/** Steps of the clock that nothing can disprove after the machine was off; ages may be wrong by so much, not by more. */
const UNSURE = 26 * HOUR;

const bytesOfAll = (rows: SegmentRow[]) => rows.reduce((sum, row) => sum + row.sizeBytes, 0);

/** The index, as simple as it can be: an unsorted list. */
class ListIndex implements RetentionIndex {
  rows: SegmentRow[] = [];
  private readonly copies = new Map<string, Hold>();
  private readonly values = new Map<string, string>();
  private nextId = 1;

  add(row: Omit<SegmentRow, 'id'>): void {
    this.rows.push({ ...row, id: this.nextId++ });
  }

  readonly segments: RetentionIndex['segments'] = {
    recordedSince: async () => {
      const since = new Map<string, number>();
      for (const { cameraId, startMs } of this.rows)
        since.set(cameraId, Math.min(startMs, since.get(cameraId) ?? startMs));
      return since;
    },
    oldestOf: async (cameraId, stream, after, beforeMs, limit) =>
      this.rows
        .filter((row) => row.cameraId === cameraId && row.stream === stream && row.endMs < beforeMs)
        .filter((row) => row.startMs > after.startMs || (row.startMs === after.startMs && row.id > after.id))
        .sort((a, b) => a.startMs - b.startMs || a.id - b.id)
        .slice(0, limit),
    bytesOf: async (cameraId, stream, { startMs, endMs }) =>
      bytesOfAll(
        this.rows.filter(
          (row) =>
            row.cameraId === cameraId && row.stream === stream && row.startMs < endMs && row.endMs > startMs,
        ),
      ),
    bytesBegunIn: async ({ startMs, endMs }) =>
      bytesOfAll(this.rows.filter((row) => row.startMs >= startMs && row.startMs < endMs)),
    newestBefore: async (beforeMs) =>
      this.rows.filter((row) => row.startMs < beforeMs).sort((a, b) => b.startMs - a.startMs)[0] ?? null,
    drop: async (ids) => {
      this.rows = this.rows.filter((row) => !ids.includes(row.id));
    },
  };
  readonly cameras = { retentionDays: async () => new Map(CAMERAS.map((id) => [id, DAYS as number | null])) };
  readonly deletions = { add: async () => 0, withdraw: async () => {} };
  readonly events = { forget: async () => {} };
  readonly settings = {
    read: async (key: string) => this.values.get(key) ?? null,
    write: async (key: string, value: string) => void this.values.set(key, value),
  };
  readonly holds = {
    list: async () => [...this.copies.values()],
    put: async (hold: Hold) => void this.copies.set(hold.id, hold),
  };
}

interface Gone {
  row: SegmentRow;
  reason: string;
}

/** The real retention, holds and clock between a made-up disk, machine and time. */
class World {
  trueMs = START;
  offsetMs = 0;
  filler = 0;
  readonly disk = new Map<string, SegmentRow>();
  readonly files = memoryFiles();
  index = new ListIndex();
  dropped = new Set<string>();
  gone: Gone[] = [];
  rounds = 0;
  private clockNote: string | null = null;
  private boot = { id: 'boot-1', sinceMs: START };
  holds!: Holds;
  retention!: Retention;
  clock!: TrustedClock;

  constructor() {
    this.start();
  }

  wall = () => this.trueMs + this.offsetMs;
  free = () => TOTAL - this.filler - [...this.disk.values()].reduce((sum, row) => sum + row.sizeBytes, 0);

  start(): void {
    const tell = (kind: RecorderEventKind, _camera: string | null, data: Record<string, unknown>) => {
      if (kind === 'keep-dropped') this.dropped.add(data.id as string);
    };
    // between looks no real time matters: the made-up one stands still
    this.clock = new TrustedClock({
      wall: this.wall,
      load: async () => this.clockNote,
      save: async (text) => {
        this.clockNote = text;
      },
      lastLife: async () => null,
      machine: async () => ({ uptimeMs: this.trueMs - this.boot.sinceMs, bootId: this.boot.id }),
      synchronised: async () => false,
    });
    this.holds = holdsFor(this.index, () => this.clock.now(), { files: this.files, tell, wall: this.wall });
    this.retention = new Retention({
      ...{ root: '/', index: this.index, holds: this.holds, trusted: this.clock, log: quiet, tell },
      clock: { now: this.wall },
      ...{ retentionDays: DAYS, minFreeBytes: WANTED, minFreePercent: 0 },
      readDisk: async () => ({ freeBytes: this.free(), totalBytes: TOTAL }),
      tryDisk: async () => {},
      removeFile: async (file) => {
        const name = file.slice(1);
        const row = this.disk.get(name);
        if (row !== undefined) this.gone.push({ row, reason: 'deleted' });
        this.disk.delete(name);
      },
    });
  }

  reboot(offMs: number): void {
    this.trueMs += offMs;
    this.boot = { id: `${this.boot.id}x`, sinceMs: this.trueMs };
    this.start();
  }

  loseIndex(): void {
    this.index = new ListIndex();
    for (const row of this.disk.values()) this.index.add(row);
    this.start();
  }

  record(cameraId: string, stream: StreamName, files: number, sizeBytes: number): void {
    for (let n = 0; n < files; n++) {
      const startMs = this.wall();
      this.trueMs += MINUTE;
      if (this.free() < sizeBytes) continue;
      const path = `${cameraId}/${stream}/${startMs}-${this.trueMs}`;
      const row = { cameraId, stream, startMs, endMs: startMs + MINUTE, path, sizeBytes, open: false };
      const whole = { ...row, id: 0, codec: 'avc1', width: 1, height: 1 };
      this.disk.set(path, whole);
      this.index.add(whole);
    }
  }
}

/** What people made and did not release: all the model knows. */
interface Model {
  holds: Map<string, Hold>;
}

const touches = (hold: Hold, row: SegmentRow, edgeMs = 0) =>
  hold.cameraId === row.cameraId &&
  (hold.streams === 'both' || hold.streams === row.stream) &&
  hold.startMs - edgeMs < row.endMs &&
  hold.endMs + edgeMs > row.startMs;

/** When it really ended, whatever the clock said. */
const trueEnd = (row: SegmentRow) => Number(row.path.split('-').at(-1));

/** One round of the real thing, and everything that must be true after it. */
async function round(model: Model, world: World): Promise<void> {
  const before = [...world.disk.values()];
  const freeBefore = world.free();
  world.gone = [];
  world.rounds += 1;
  await world.retention.run();
  const gone = world.gone.map(({ row }) => row);
  const surely = [...model.holds.values()].filter(
    (hold) =>
      hold.released === null &&
      !world.dropped.has(hold.id) &&
      (hold.untilMs === null || hold.untilMs > world.trueMs + UNSURE),
  );
  for (const row of gone)
    for (const hold of surely)
      if (touches(hold, row)) throw new Error(`lost held footage: ${JSON.stringify({ hold, row })}`);
  for (const hold of surely) if (hold.rank === 'hold') expect(world.dropped.has(hold.id)).toBe(false);
  if (world.files.broken) {
    expect(gone).toEqual([]);
    return;
  }
  // too young, and there was space: a wrong clock must have done it
  if (freeBefore >= WANTED)
    for (const row of gone) expect(world.trueMs - trueEnd(row)).toBeGreaterThan(DAYS * DAY - UNSURE);
  const active = world.holds.list().filter((hold) => world.holds.isActive(hold));
  const isHeld = (row: SegmentRow) => active.some((hold) => touches(hold, row, 1000));
  const rest = [...world.disk.values()];
  const deletable = rest.filter((row) => !isHeld(row) && Math.abs(world.wall() - row.endMs) >= 10 * MINUTE);
  if (world.free() < WANTED) {
    expect(deletable).toEqual([]);
    const useful = active.filter((hold) => hold.rank === 'keep');
    expect(useful).toEqual([]);
  } else if (freeBefore < WANTED) {
    // no more than needed, but for what was too old anyway
    const young = gone.filter(
      (row) => world.wall() - row.endMs < (DAYS - 2) * DAY && row.endMs <= world.wall(),
    );
    const last = Math.max(0, ...young.map((row) => row.sizeBytes));
    if (young.length === gone.length && gone.length > 0) expect(world.free() - last).toBeLessThan(WANTED);
  }
  const old = (row: SegmentRow) =>
    !isHeld(row) &&
    world.clock.late(row.startMs) === null &&
    // at the very millisecond it may stay or go
    !world.holds.isActive({ ...dated, untilMs: row.endMs + DAYS * DAY + 1 });
  for (const cameraId of CAMERAS)
    for (const stream of STREAMS) {
      const mine = (row: SegmentRow) => row.cameraId === cameraId && row.stream === stream;
      if (before.filter(mine).length <= 30) expect(rest.filter((row) => mine(row) && old(row))).toEqual([]);
    }
  const kept = rest.filter(
    (row) =>
      active.some((hold) => hold.rank === 'keep' && touches(hold, row, 1000)) &&
      !active.some((hold) => hold.rank === 'hold' && touches(hold, row, 1000)),
  );
  expect(kept.reduce((sum, row) => sum + row.sizeBytes, 0)).toBeLessThanOrEqual(TOTAL / 10);
  expect(new Set(world.index.rows.map((row) => row.path))).toEqual(new Set(world.disk.keys()));
}

/** A hold only to ask the same clock. */
const dated: Hold = {
  ...{
    id: 'dated-to-ask',
    rank: 'hold',
    cameraId: 'x',
    streams: 'both',
    startMs: 0,
    endMs: 1,
    by: '',
    why: '',
  },
  ...{ createdMs: 0, untilMs: null, released: null },
};

type Step = fc.AsyncCommand<Model, World>;

const step = (name: string, act: (model: Model, world: World) => Promise<void> | void): Step => ({
  check: () => true,
  async run(model, world) {
    await act(model, world);
    await round(model, world);
  },
  toString: () => name,
});

const camera = fc.constantFrom(...CAMERAS);
const stream = fc.constantFrom(...STREAMS);
const steps = [
  fc
    .tuple(camera, stream, fc.integer({ min: 1, max: 12 }), fc.integer({ min: 3, max: 20 }))
    .map(([id, line, files, size]) =>
      step(`record ${id} ${line} ${files}×${size}`, (_m, w) => w.record(id, line, files, size)),
    ),
  fc
    .tuple(camera, stream, fc.integer({ min: 1, max: 12 }), fc.integer({ min: 3, max: 20 }))
    .map(([id, line, files, size]) =>
      step(`record ${id} ${line} ${files}×${size}`, (_m, w) => w.record(id, line, files, size)),
    ),
  fc.integer({ min: 1, max: 60 }).map((hours) =>
    step(`wait ${hours} h`, (_m, w) => {
      w.trueMs += hours * HOUR;
    }),
  ),
  fc.constantFrom(0, 0, HOUR, -HOUR, DAY, -DAY, 365 * DAY).map((offsetMs) =>
    step(`clock ${offsetMs / HOUR} h`, (_m, w) => {
      w.offsetMs = offsetMs;
    }),
  ),
  fc.constantFrom(0, 0, 100, 400, 950).map((bytes) =>
    step(`others fill ${bytes}`, (_m, w) => {
      w.filler = bytes;
    }),
  ),
  fc
    .record({
      rank: fc.constantFrom<HoldRank>('hold', 'keep'),
      cameraId: camera,
      streams: fc.constantFrom('main' as const, 'sub' as const, 'both' as const),
      agoMs: fc.integer({ min: -HOUR, max: 3 * HOUR }),
      lengthMs: fc.integer({ min: 1, max: 40 * MINUTE }),
      untilHours: fc.option(fc.integer({ min: 1, max: 400 })),
    })
    .map(({ agoMs, lengthMs, untilHours, ...rest }) =>
      step(`${rest.rank} ${rest.cameraId} ${rest.streams}`, async (model, world) => {
        const startMs = world.wall() - agoMs;
        const hours = untilHours ?? (rest.rank === 'keep' ? 48 : null);
        const untilMs = hours === null ? null : world.wall() + hours * HOUR;
        const range = { startMs, endMs: startMs + lengthMs };
        const made = await world.holds.make({ ...rest, ...range, untilMs, by: 'an', why: 'thử' });
        model.holds.set(made.id, made);
      }),
    ),
  fc.nat().map((pick) =>
    step('release', async (model, world) => {
      const open = [...model.holds.values()].filter(
        (hold) => hold.released === null && !world.dropped.has(hold.id) && hold.rank === 'hold',
      );
      const chosen = open[pick % Math.max(1, open.length)];
      if (chosen === undefined || world.files.broken) return;
      model.holds.set(chosen.id, await world.holds.release(chosen.id, { by: 'an', why: 'xong' }));
    }),
  ),
  fc.boolean().map((broken) =>
    step(broken ? 'holds unreadable' : 'holds readable', (_m, w) => {
      w.files.broken = broken;
    }),
  ),
  fc.constant(step('restart', (_m, w) => w.start())),
  fc.integer({ min: 0, max: 200 }).map((hours) => step(`off ${hours} h`, (_m, w) => w.reboot(hours * HOUR))),
  fc.constant(step('index lost', (_m, w) => w.loseIndex())),
];

it('10,000 random rounds: no held second is lost, no wrong clock deletes, nothing deletable stays while space is short', async () => {
  let rounds = 0;
  await fc.assert(
    fc.asyncProperty(fc.commands(steps, { maxCommands: 120, size: 'max' }), async (commands) => {
      const world = new World();
      const model: Model = { holds: new Map() };
      await fc.asyncModelRun(() => ({ model, real: world }), commands);
      rounds += world.rounds;
    }),
    { numRuns: 250 },
  );
  expect(rounds).toBeGreaterThanOrEqual(10_000);
}, 120_000);
