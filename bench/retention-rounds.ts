/** Retention in random rounds on real files, the real SQLite index and real holds, against the little a checker knows. */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { holdFiles } from '../media/holds/files.js';
import { Holds } from '../media/holds/holds.js';
import { RecorderIndex } from '../media/index/index.js';
import { datesOf, scanFile } from '../media/mp4/scan.js';
import { hourFolder, readSegmentName, segmentName } from '../media/recording/names.js';
import { recover } from '../media/recording/recover.js';
import { Retention } from '../media/retention/retention.js';
import type { Hold, StreamName } from '../media/types.js';
import { DAY_MS } from '../src/base/clock.js';
import { makeLog } from '../src/base/log.js';
import { makeKey, makeSeal } from '../src/base/seal.js';
import { runFfmpeg } from '../test/support/ffmpeg.js';
import { migrate } from '../test/support/recorder-index.js';
import { makeRandom } from './random.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAYS = 3;
const CAMERAS = ['cam1', 'cam2'];
const STREAMS: StreamName[] = ['main', 'sub'];
/** Room for so many films, and free shall be so many. */
const ROOM = 120;
const FREE = 15;
/** Files of one stream that go by age in one round at most (media/README.md, promise 7). */
const OLD_PER_ROUND = 30;
const quiet = makeLog({ name: 'retention-rounds', level: 'silent', dir: null });
const seal = makeSeal(makeKey());

export interface RoundsDone {
  rounds: number;
  recorded: number;
  deleted: number;
  holds: number;
  keepsDropped: number;
  indexesLost: number;
}

interface Film {
  bytes: Buffer;
  lengthMs: number;
}

async function makeFilm(): Promise<Film> {
  const folder = await mkdtemp(join(tmpdir(), 'mat-than-film-'));
  try {
    const file = join(folder, 'film.mp4');
    await runFfmpeg([
      ...['-f', 'lavfi', '-i', 'testsrc2=size=96x64:rate=5', '-t', '2', '-c:v', 'libx264', '-g', '5'],
      ...['-movflags', '+empty_moov+default_base_moof+frag_keyframe+skip_trailer', '-f', 'mp4', file],
    ]);
    const { fragments, init } = (await scanFile(file))!;
    const { startMs, endMs } = datesOf(
      fragments.map((one) => ({ ...one, arrivedMs: 0 })),
      init,
    );
    return { bytes: await readFile(file), lengthMs: Math.max(1, (endMs ?? 0) - (startMs ?? 0)) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The recordings of a made-up time on a real disk whose size is made up. */
class Archive {
  nowMs = Date.UTC(2026, 10, 1);
  /** films that others fill the disk with */
  filler = 0;
  index!: RecorderIndex;
  holds!: Holds;
  retention!: Retention;
  readonly dropped = new Set<string>();
  readonly done: RoundsDone = {
    ...{ rounds: 0, recorded: 0, deleted: 0, holds: 0, keepsDropped: 0, indexesLost: 0 },
  };

  constructor(
    readonly folder: string,
    readonly film: Film,
  ) {}

  get root(): string {
    return join(this.folder, 'recordings');
  }

  async films(): Promise<string[]> {
    const all = await readdir(this.root, { recursive: true, withFileTypes: true });
    return all
      .filter((one) => one.isFile() && one.name.endsWith('.mp4'))
      .map((one) => relative(this.root, join(one.parentPath, one.name)).replaceAll('\\', '/'));
  }

  async free(): Promise<number> {
    return ROOM - this.filler - (await this.films()).length;
  }

  /** A new process over the same folder. */
  start(): void {
    const now = () => this.nowMs;
    const tell = (kind: string, _camera: string | null, data: Record<string, unknown>) => {
      if (kind === 'keep-dropped') this.dropped.add(String(data.id));
    };
    const { root, index } = this;
    this.holds = new Holds({ files: holdFiles(root), index, log: quiet, tell, wall: now, now });
    this.retention = new Retention({
      ...{ root, index, holds: this.holds, log: quiet, clock: { now }, tell },
      trusted: { now, look: async () => ({ nowMs: now(), aheadMs: null }) },
      ...{ retentionDays: DAYS, minFreeBytes: FREE * this.film.bytes.length, minFreePercent: 0 },
      readDisk: async () => ({
        freeBytes: (await this.free()) * this.film.bytes.length,
        totalBytes: ROOM * this.film.bytes.length,
      }),
    });
  }

  async open(): Promise<void> {
    this.index = await RecorderIndex.open(await migrate(this.folder), seal);
    this.start();
  }

  async loseIndex(): Promise<void> {
    await this.index.close();
    for (const end of ['', '-wal', '-shm']) await rm(join(this.folder, `recorder.db${end}`), { force: true });
    await this.open();
    const doors = { root: this.root, index: this.index, log: quiet, isOurs: () => false, onRecovered() {} };
    await recover(doors, 0);
    this.done.indexesLost++;
  }

  async record(cameraId: string, stream: StreamName, count: number): Promise<void> {
    for (let n = 0; n < count; n++) {
      const startMs = this.nowMs;
      this.nowMs += MINUTE;
      if ((await this.free()) < 1) continue;
      const path = `${hourFolder(cameraId, stream, startMs)}/${segmentName(cameraId, stream, startMs)}.mp4`;
      await mkdir(dirname(join(this.root, path)), { recursive: true });
      await writeFile(join(this.root, path), this.film.bytes);
      const endMs = startMs + this.film.lengthMs;
      await this.index.segments.add({
        ...{ cameraId, stream, startMs, endMs, path, sizeBytes: this.film.bytes.length, open: false },
        ...{ codec: 'avc1', width: 96, height: 64 },
      });
      this.done.recorded++;
    }
  }
}

const touches = (hold: Hold, path: string, lengthMs: number, edgeMs = 0): boolean => {
  const { cameraId, stream, startMs } = readSegmentName(path)!;
  return (
    hold.cameraId === cameraId &&
    (hold.streams === 'both' || hold.streams === stream) &&
    hold.startMs - edgeMs < startMs + lengthMs &&
    hold.endMs + edgeMs > startMs
  );
};

/** What people asked for and did not take back: all that the checker knows. */
class Model {
  readonly holds = new Map<string, Hold>();
  /** a file among the holds that nobody can read */
  unreadable = false;

  /** Whether it must be protected now. */
  inForce(hold: Hold, archive: Archive): boolean {
    return (
      hold.released === null &&
      !archive.dropped.has(hold.id) &&
      (hold.untilMs === null || hold.untilMs > archive.nowMs)
    );
  }
}

/** One round, and everything that must be true after it; throws with what is not. */
async function round(archive: Archive, model: Model): Promise<void> {
  const { film, index, nowMs } = archive;
  const before = await archive.films();
  const freeBefore = await archive.free();
  const lastDeletion = (await index.deletions.page({ limit: 100_000 })).at(-1)?.id ?? 0;
  await archive.retention.run();
  archive.done.rounds++;
  const after = await archive.films();
  const there = new Set(after);
  const gone = before.filter((path) => !there.has(path));
  archive.done.deleted += gone.length;
  const must = (what: string, holds: boolean, facts: unknown = '') => {
    if (!holds) throw new Error(`${what}: ${JSON.stringify(facts)}`);
  };
  const active = [...model.holds.values()].filter((hold) => model.inForce(hold, archive));
  for (const path of gone)
    for (const hold of active)
      must('held footage is lost', !touches(hold, path, film.lengthMs), { path, hold });
  const deletions = await index.deletions.page({ after: lastDeletion, limit: 100_000 });
  must('each deletion is on record, once', deletions.length === gone.length, { deletions, gone });
  const rows = (await index.segments.page(0, 100_000)).map((row) => row.path);
  must('index and files agree', rows.length === after.length && rows.every((path) => there.has(path)), {
    rows: rows.length,
    files: after.length,
  });
  if (model.unreadable) {
    must('nothing goes while a hold can not be read', gone.length === 0, gone);
    return;
  }
  const ageOf = (path: string) => nowMs - readSegmentName(path)!.startMs - film.lengthMs;
  if (freeBefore >= FREE)
    must(
      'what is not old stays while there is room',
      gone.every((path) => ageOf(path) > DAYS * DAY_MS),
      gone,
    );
  const isHeld = (path: string) => active.some((hold) => touches(hold, path, film.lengthMs, 1000));
  const loose = after.filter((path) => !isHeld(path));
  for (const cameraId of CAMERAS)
    for (const stream of STREAMS) {
      const mine = (path: string) => path.startsWith(`${cameraId}/${stream}/`);
      if (before.filter(mine).length > OLD_PER_ROUND) continue;
      const late = loose.filter((path) => mine(path) && ageOf(path) > DAYS * DAY_MS);
      must('what is beyond its days is gone', late.length === 0, late);
    }
  if ((await archive.free()) < FREE) {
    const deletable = loose.filter((path) => ageOf(path) >= 10 * MINUTE);
    must('nothing that may go stays while room is short', deletable.length === 0, deletable);
    const keeps = active.filter((hold) => hold.rank === 'keep');
    must('no keep stands in the way', keeps.length === 0, keeps);
  }
}

type Draw = { chance(): number; one<T>(of: readonly T[]): T; upTo(most: number): number };

async function makeHold({ one, upTo, chance }: Draw, archive: Archive, model: Model): Promise<void> {
  const rank = one(['hold', 'hold', 'keep'] as const);
  const films = await archive.films();
  const someMs = films.length > 0 ? readSegmentName(one(films))!.startMs : archive.nowMs;
  const startMs = someMs - upTo(5 * MINUTE);
  const until = rank === 'keep' || chance() < 0.5 ? archive.nowMs + (1 + upTo(90)) * HOUR : null;
  const made = await archive.holds.make({
    ...{ rank, cameraId: one(CAMERAS), streams: one(['main', 'sub', 'both'] as const) },
    ...{ startMs, endMs: startMs + 1 + upTo(20 * MINUTE), untilMs: until, by: 'an', why: 'thử' },
  });
  model.holds.set(made.id, made);
  archive.done.holds++;
}

async function setUnreadable(archive: Archive, model: Model, unreadable: boolean): Promise<void> {
  const stray = join(archive.root, 'holds', 'not-a-hold.json');
  await mkdir(dirname(stray), { recursive: true });
  if (unreadable) await writeFile(stray, '{');
  else await rm(stray, { force: true });
  model.unreadable = unreadable;
}

/** What may happen between two rounds; those that stand twice come twice as often. */
const STEPS: ((draw: Draw, archive: Archive, model: Model) => Promise<unknown> | unknown)[] = [
  ({ one, upTo }, archive) => archive.record(one(CAMERAS), one(STREAMS), 1 + upTo(12)),
  ({ one, upTo }, archive) => archive.record(one(CAMERAS), one(STREAMS), 1 + upTo(12)),
  ({ one, upTo }, archive) => archive.record(one(CAMERAS), one(STREAMS), 1 + upTo(12)),
  ({ upTo }, archive) => {
    archive.nowMs += upTo(20) * HOUR;
  },
  ({ one }, archive) => {
    archive.filler = one([0, 0, 20, 60, 110]);
  },
  makeHold,
  makeHold,
  async ({ one }, archive, model) => {
    const open = [...model.holds.values()].filter((hold) => model.inForce(hold, archive));
    if (open.length === 0 || model.unreadable) return;
    const { id } = one(open);
    model.holds.set(id, await archive.holds.release(id, { by: 'an', why: 'xong' }));
  },
  (_draw, archive) => archive.start(),
  async ({ chance }, archive) => {
    if (chance() < 0.5) await archive.loseIndex();
  },
  // the file of a hold is taken away behind our back
  async ({ one }, archive, model) => {
    const open = [...model.holds.values()].filter((hold) => model.inForce(hold, archive));
    if (open.length > 0 && !model.unreadable)
      await rm(join(archive.root, 'holds', `${one(open).id}.json`), { force: true });
  },
  (_draw, archive, model) => setUnreadable(archive, model, true),
];

/**
 * `rounds` random rounds in a folder of their own, which goes away. Throws with seed, round and fault when anything that
 * is held is lost or anything else that is promised does not hold.
 */
export async function retentionRounds({
  seed,
  rounds,
}: {
  seed: number;
  rounds: number;
}): Promise<RoundsDone> {
  const chance = makeRandom(seed);
  const upTo = (most: number) => Math.floor(chance() * (most + 1));
  const draw: Draw = { chance, upTo, one: (of) => of[Math.floor(chance() * of.length)]! };
  const folder = await mkdtemp(join(tmpdir(), 'mat-than-rounds-'));
  const archive = new Archive(folder, await makeFilm());
  const model = new Model();
  try {
    await mkdir(archive.root);
    await archive.open();
    await archive.holds.agree();
    for (let n = 1; n <= rounds; n++) {
      const step = draw.one(STEPS);
      try {
        if (model.unreadable && chance() < 0.5) await setUnreadable(archive, model, false);
        await step(draw, archive, model);
        await round(archive, model);
      } catch (error) {
        throw new Error(`seed ${seed}, round ${n}: ${error instanceof Error ? error.message : error}`, {
          cause: error,
        });
      }
    }
    return { ...archive.done, keepsDropped: archive.dropped.size };
  } finally {
    await archive.index?.close();
    await rm(folder, { recursive: true, force: true });
  }
}
