/** A new version put in the place of the old one, as README "A new version" says: how long nothing is recorded. */
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { S1 } from '../test/support/frame-clock.js';
import { endProducts, type Product, startProduct } from '../test/support/product.js';
import { projectRoot } from '../test/support/project-root.js';
import { percentile, type Section, show } from './figures.js';
import { makeRandom } from './random.js';
import { recordedFiles, untilRecording } from './recorder.js';
import type { BenchOptions } from './run.js';
import { pause, type Served, whileServing } from './scene.js';
import { framesOf } from './torture/frames.js';

const CAMERAS = 4;
const BAR_MS = 10_000;
const run = promisify(execFile);
/** Not of a fresh clone, or large and the same. */
const NOT_COPIED = new Set(['node_modules', '.git', 'dist', 'data']);

/** One update: what it took, ms, and the gap of each camera by the frame clock. */
interface Update {
  migrating: boolean;
  stopMs: number;
  installMs: number;
  /** from the start of the new version until every camera records */
  startMs: number;
  gapsMs: number[];
}

/** The next version in a folder of its own, built while the old one records. */
async function prepareNext(folder: string): Promise<void> {
  await cp(projectRoot, folder, {
    recursive: true,
    filter: (from) => !NOT_COPIED.has(basename(from)),
  });
  await symlink(join(projectRoot, 'node_modules'), join(folder, 'node_modules'));
  await run(process.execPath, [join(folder, 'src', 'bin', 'build.mjs')], { cwd: folder });
}

/** The new version brings one more migration of each database. */
async function addMigrations(folder: string, round: number): Promise<void> {
  for (const name of ['bot', 'recorder']) {
    const migration = join(folder, 'prisma', name, 'migrations', `9${String(round).padStart(3, '0')}_bench`);
    await mkdir(migration);
    const sql = `CREATE TABLE "Bench${round}" ("id" INTEGER NOT NULL PRIMARY KEY);\n`;
    await writeFile(join(migration, 'migration.sql'), sql);
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begunMs = performance.now();
  await work();
  return performance.now() - begunMs;
}

/** Updates `rounds` times while cameras record, every second time with migrations. */
export async function updateOften(options: {
  rounds: number;
  seed: number;
  say?(line: string): void;
}): Promise<Update[]> {
  const random = makeRandom(options.seed);
  const folder = await mkdtemp(join(tmpdir(), 'mat-than-next-'));
  const next = join(folder, 'next');
  try {
    options.say?.('preparing the new version in its folder');
    await prepareNext(next);
    return await whileServing(S1, CAMERAS, async (served) => {
      let product = await startProduct({ env: { DEMO: '0' } });
      const ids = served.paths.map((path) => path.slice(1));
      for (const [i, id] of ids.entries())
        await product.recorder().addCamera({ id, name: id, url: served.server.url(served.paths[i]!) });
      await untilRecording(product.recorder(), CAMERAS);
      const updates: Omit<Update, 'gapsMs'>[] = [];
      const stops: number[] = [];
      for (let round = 1; round <= options.rounds; round += 1) {
        await pause(4 + random() * 4);
        const migrating = round % 2 === 0;
        if (migrating) await addMigrations(next, round);
        stops.push(Date.now());
        const old: Product = product;
        const stopMs = await timed(() => old.stop());
        // what the command costs; systemd itself is not here
        const installMs = await timed(() =>
          run('npm', ['run', '-s', 'service', '--', '--print'], { cwd: next }),
        );
        const startMs = await timed(async () => {
          product = await startProduct({
            ...{ after: old, root: next, prepare: true, env: { DEMO: '0' }, untilReady: false },
          });
          await product.hears(/Ctrl-C/, 60_000);
          await untilRecording(product.recorder(), CAMERAS);
        });
        updates.push({ migrating, stopMs, installMs, startMs });
        options.say?.(`updated ${round} times`);
      }
      await pause(2);
      await product.stop();
      const gaps = await gapsAround(served, join(product.home, 'recordings'), ids, stops);
      return updates.map((update, i) => ({ ...update, gapsMs: gaps[i]! }));
    });
  } finally {
    await endProducts();
    await rm(folder, { recursive: true, force: true });
  }
}

/** From the last picture before each stop to the first one after it, of every camera, ms. */
async function gapsAround(
  served: Served,
  recordings: string,
  ids: string[],
  stops: number[],
): Promise<number[][]> {
  const gaps: number[][] = stops.map(() => []);
  for (const [c, id] of ids.entries()) {
    const path = served.paths[c]!;
    const segments = await recordedFiles(recordings, id);
    for (const [k, stoppedMs] of stops.entries()) {
      const before = segments.findLast((segment) => segment.startMs < stoppedMs);
      const after = segments.find((segment) => segment.startMs > stoppedMs);
      if (before === undefined || after === undefined) throw new Error(`${id}: no file around stop ${k + 1}`);
      const frames = [await framesOf(served, path, before), await framesOf(served, path, after)];
      const [last, first] = [frames[0]?.last, frames[1]?.first];
      if (last === undefined || first === undefined)
        throw new Error(`${id}: no picture around stop ${k + 1}`);
      gaps[k]!.push(served.server.sentMs(path, first) - served.server.sentMs(path, last));
    }
  }
  return gaps;
}

/** The row "an update of the software leaves gaps ≤ 10 s". */
export async function updateGap({ rounds = 10, seed = 1, say }: BenchOptions): Promise<Section[]> {
  const updates = await updateOften({ rounds, seed, say });
  const row = (what: string, values: number[]) => [
    what,
    percentile(values, 0.5),
    percentile(values, 0.95),
    Math.max(...values),
  ];
  const of = (migrating: boolean) => updates.filter((update) => update.migrating === migrating);
  const gaps = updates.flatMap(({ gapsMs }) => gapsMs);
  const most = Math.max(...gaps);
  return [
    {
      title: `Software updated ${rounds} times, ${CAMERAS} cameras recording`,
      how: `720p15 H.264, GOP 2 s; seed ${seed}. The whole product is stopped and started again from another folder that was built before, as README "A new version" says; every second new version brings a migration of both databases. Gap: from the last picture before to the first after, by the numbers in the pictures. \`npm run service\` is run with --print: systemd's own time is not in it.`,
      columns: ['ms', 'p50', 'p95', 'max'],
      rows: [
        row(
          'stopping the old version',
          updates.map(({ stopMs }) => stopMs),
        ),
        row(
          'npm run service',
          updates.map(({ installMs }) => installMs),
        ),
        row(
          'start → every camera records, no migration',
          of(false).map(({ startMs }) => startMs),
        ),
        row(
          'start → every camera records, with migrations',
          of(true).map(({ startMs }) => startMs),
        ),
        row(
          'gap, no migration',
          of(false).flatMap(({ gapsMs }) => gapsMs),
        ),
        row(
          'gap, with migrations',
          of(true).flatMap(({ gapsMs }) => gapsMs),
        ),
      ],
      bars: [{ what: 'gap ≤ 10 s', figure: `max ${show(most)} ms`, reached: most <= BAR_MS }],
    },
  ];
}
