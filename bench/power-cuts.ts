/** Power cuts, replayed from a recorder's own write log: what an un-synced write may lose is lost. */
import { copyFile, mkdir, mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { RecorderIndex } from '../media/index/index.js';
import { type ScannedFile, scanFile } from '../media/mp4/scan.js';
import { POWER_CUT_MS } from '../media/recording/disk.js';
import type { DiskKind } from '../media/recording/disk-kind.js';
import { readSegmentName } from '../media/recording/names.js';
import { recover } from '../media/recording/recover.js';
import { makeLog } from '../src/base/log.js';
import { makeKey, makeSeal } from '../src/base/seal.js';
import { S1 } from '../test/support/frame-clock.js';
import { percentile, type Section, show } from './figures.js';
import { makeRandom } from './random.js';
import { startRecorder, untilRecording } from './recorder.js';
import type { BenchOptions } from './run.js';
import { pause, whileServing } from './scene.js';
import { compareFiles, recordingsIn } from './torture/compare.js';
import { type Logged, readLog, traceWrites } from './write-log.js';

const CAMERAS = 4;
/** Short files, so that many cuts hit the moments of making, closing and renaming one. */
const SEGMENT_MS = 4000;
const quiet = makeLog({ name: 'power-cuts', level: 'silent', dir: null });

export interface Recorded {
  /** where the recordings lie, whole */
  root: string;
  log: Logged[];
  /** the index as the recorder left it, and one that knows nothing */
  indexFile: string;
  emptyIndexFile: string;
  remove(): Promise<void>;
}

/** Records some cameras while every write is logged. */
export async function recordWithLog(seconds: number, kind: DiskKind): Promise<Recorded> {
  return whileServing(S1, CAMERAS, async ({ server, paths }) => {
    const recorder = await startRecorder({ MAT_THAN_SEGMENT_MS: String(SEGMENT_MS), DISK_KIND: kind });
    const folder = recorder.folder;
    const root = join(folder, 'recordings');
    const emptyIndexFile = join(folder, 'empty.db');
    await copyFile(join(folder, 'recorder.db'), emptyIndexFile);
    const tracing = await traceWrites(recorder.pid, join(folder, 'strace'));
    for (const [i, path] of paths.entries())
      await recorder.client.addCamera({ id: `cam${i + 1}`, name: path, url: server.url(path) });
    await untilRecording(recorder.client, CAMERAS);
    await pause(seconds);
    await recorder.end();
    await tracing.stop();
    return {
      root,
      log: await readLog(join(folder, 'strace'), root),
      ...{ indexFile: join(folder, 'recorder.db'), emptyIndexFile },
      remove: () => rm(folder, { recursive: true, force: true }),
    };
  });
}

interface File {
  /** its last name, where its bytes can be read */
  whole: string;
  /** every name it had */
  names: Set<string>;
  /** bytes written, and of these durable */
  written: number;
  durable: number;
}

/** A folder's entry: its name now, and the name that a cut may bring back. */
interface Entry {
  file: File | null;
  path: string;
  /** the name under which it was durable before; null: none */
  before: string | null;
  durable: boolean;
}

/** What was on its way at `cutMs`: every file and folder, with what of it was durable. */
function stateAt(log: Logged[], cutMs: number, root: string): Entry[] {
  const names = new Map<string, string>();
  for (const { op } of log) if (op.kind === 'rename') names.set(op.from, op.to);
  const entries = new Map<string, Entry>([[root, { file: null, path: root, before: root, durable: true }]]);
  for (const [i, { op, endedMs, beganMs }] of log.entries()) {
    if (endedMs > cutMs) break;
    const entry = op.kind === 'rename' ? entries.get(op.from) : entries.get(op.path);
    if (op.kind === 'create' || op.kind === 'mkdir') {
      if (entry !== undefined) continue;
      const whole = names.get(op.path) ?? op.path;
      const file = op.kind === 'create' ? { whole, names: new Set([op.path]), written: 0, durable: 0 } : null;
      entries.set(op.path, { file, path: op.path, before: null, durable: false });
    } else if (op.kind === 'write' && entry?.file) entry.file.written += op.bytes;
    else if (op.kind === 'unlink') entries.delete(op.path);
    else if (op.kind === 'rename' && entry !== undefined) {
      entries.delete(op.from);
      entry.file?.names.add(op.to);
      entries.set(op.to, { ...entry, path: op.to, before: entry.durable ? op.from : null, durable: false });
    } else if (op.kind === 'sync-all')
      for (const one of entries.values()) {
        if (one.file !== null) one.file.durable = writtenAt(log, i, one.file.names, beganMs);
        if (madeBefore(log, one.path, beganMs)) one.durable = true;
      }
    else if (op.kind === 'sync' && entry?.file)
      entry.file.durable = writtenAt(log, i, entry.file.names, beganMs);
    else if (op.kind === 'sync')
      for (const one of entries.values())
        if (dirname(one.path) === op.path && madeBefore(log, one.path, beganMs)) one.durable = true;
  }
  return [...entries.values()];
}

/** Bytes of a file that were written when a call began. */
function writtenAt(log: Logged[], upTo: number, names: Set<string>, beganMs: number): number {
  let bytes = 0;
  for (let i = 0; i < upTo; i++) {
    const { op, endedMs } = log[i]!;
    if (op.kind === 'write' && names.has(op.path) && endedMs <= beganMs) bytes += op.bytes;
  }
  return bytes;
}

function madeBefore(log: Logged[], path: string, beganMs: number): boolean {
  return log.some(
    ({ op, endedMs }) =>
      endedMs <= beganMs &&
      ((op.kind === 'rename' && op.to === path) ||
        ((op.kind === 'create' || op.kind === 'mkdir') && op.path === path)),
  );
}

/** Makes `target` look as the cut may have left the recordings. */
async function makeRemains(
  entries: Entry[],
  root: string,
  target: string,
  random: () => number,
): Promise<void> {
  const survives = new Map<string, string>();
  for (const entry of entries) {
    const kept = entry.durable || random() < 0.5 ? entry.path : entry.before;
    if (kept !== null) survives.set(entry.path, kept);
  }
  const folders = new Set(entries.filter(({ file }) => file === null).map(({ path }) => path));
  const reachable = (path: string): boolean =>
    path === root || (folders.has(path) && survives.has(path) && reachable(dirname(path)));
  for (const { file, path } of entries) {
    const kept = survives.get(path);
    if (file === null || kept === undefined || !reachable(dirname(kept))) continue;
    const to = join(target, relative(root, kept));
    await mkdir(dirname(to), { recursive: true });
    const size = file.durable + Math.floor(random() * (file.written - file.durable + 1));
    const bytes = (await readFile(file.whole)).subarray(0, size);
    const handle = await open(to, 'w');
    await handle.write(bytes);
    await handle.close();
  }
}

export interface Cut {
  /** from the end of what is there until the cut, the worst camera, ms: what ffmpeg had not given away yet included */
  lostMs: number;
  /** what a checker found wrong; empty: nothing */
  wrong: string[];
}

/** One power cut at `cutMs`, the recovery after it, and what a checker says. */
export async function replayCut(
  recorded: Recorded,
  cutMs: number,
  random: () => number,
  indexKnows: boolean,
): Promise<Cut> {
  const folder = await mkdtemp(join(tmpdir(), 'mat-than-cut-'));
  const root = join(folder, 'recordings');
  await mkdir(root);
  const indexFile = join(folder, 'recorder.db');
  await copyFile(indexKnows ? recorded.indexFile : recorded.emptyIndexFile, indexFile);
  await makeRemains(stateAt(recorded.log, cutMs, recorded.root), recorded.root, root, random);
  const index = await RecorderIndex.open(indexFile, makeSeal(makeKey()));
  try {
    const lastRow = await index.segments.newestId();
    const doors = { root, index, log: quiet, isOurs: () => false, onRecovered: () => {} };
    await recover(doors, lastRow);
    return await check(recorded, root, index, cutMs);
  } finally {
    await index.close();
    await rm(folder, { recursive: true, force: true });
  }
}

const arrivals = ({ fragments }: ScannedFile) =>
  fragments.flatMap(({ arrivedMs }) => (arrivedMs === null ? [] : [arrivedMs]));

async function check(recorded: Recorded, root: string, index: RecorderIndex, cutMs: number): Promise<Cut> {
  const { wrong, scanned } = await compareFiles(root, await index.segments.page(0, 100_000));
  const kept = new Map<string, number[]>();
  for (const [path, found] of scanned) {
    const camera = readSegmentName(path)?.cameraId ?? '?';
    kept.set(camera, [...(kept.get(camera) ?? []), ...arrivals(found)]);
  }
  let lostMs = 0;
  const all = new Map<string, number[]>();
  for (const path of await recordingsIn(recorded.root)) {
    const camera = readSegmentName(path)?.cameraId ?? '?';
    const found = await scanFile(join(recorded.root, path));
    if (found !== null) all.set(camera, [...(all.get(camera) ?? []), ...arrivals(found)]);
  }
  for (const [camera, whole] of all) {
    const due = whole.filter((arrivedMs) => arrivedMs <= cutMs).sort((a, b) => a - b);
    const there = new Set(kept.get(camera));
    const missing = due.findIndex((arrivedMs) => !there.has(arrivedMs));
    const last = due[(missing < 0 ? due.length : missing) - 1];
    // a fragment arrives one frame's time after its last picture
    const endMs = last === undefined ? due[0] : last - 1000 / S1.fps;
    if (endMs !== undefined) lostMs = Math.max(lostMs, cutMs - endMs);
  }
  return { lostMs, wrong };
}

/** The row "power cuts": `rounds` (200) cuts for each kind of disk, at random moments of recordings of `seconds` (40). */
export async function powerCuts({
  rounds = 200,
  seconds = 40,
  seed = 1,
  say,
}: BenchOptions): Promise<Section[]> {
  const rows: Section['rows'] = [];
  const bars: Section['bars'] = [];
  for (const kind of ['ssd', 'hdd'] as const) {
    say(`recording ${CAMERAS} cameras for ${seconds} s (DISK_KIND=${kind}), every write logged`);
    const recorded = await recordWithLog(seconds, kind);
    try {
      const cuts = await cutOften(recorded, rounds, seed, say);
      const lost = cuts.map(({ lostMs }) => lostMs);
      const wrong = cuts.flatMap((cut) => cut.wrong);
      const worst = Math.max(...lost);
      const syncs = recorded.log.filter(({ op }) => op.kind === 'sync' || op.kind === 'sync-all').length;
      rows.push([
        ...[kind, String(cuts.length), String(syncs), percentile(lost, 0.5), percentile(lost, 0.95), worst],
        String(wrong.length),
      ]);
      bars.push(
        {
          what: `${kind}: a power cut costs ≤ ${POWER_CUT_MS[kind] / 1000} s`,
          figure: `${show(worst)} ms`,
          reached: worst <= POWER_CUT_MS[kind],
        },
        {
          what: `${kind}: index and files agree, every file whole`,
          figure: wrong.length === 0 ? 'always' : wrong.slice(0, 3).join('; '),
          reached: wrong.length === 0,
        },
      );
    } finally {
      await recorded.remove();
    }
  }
  return [
    {
      title: `Power cuts, ${CAMERAS} cameras (720p15, 2 Mbps)`,
      how: `${rounds} cuts (seed ${seed}) for each DISK_KIND, replayed from the file-system calls of a real recorder with ${SEGMENT_MS / 1000} s files (strace, so slowed down): what was not synced is lost to a random length, an entry or a new name of a folder not synced is there or not; then the real recovery, half of the times with an index that knows nothing. Lost: from the last picture before the first one missing until the cut, the worst camera; what ffmpeg had not given away yet counts.`,
      columns: ['DISK_KIND', 'cuts', 'syncs', 'lost ms p50', 'lost ms p95', 'lost ms max', 'found wrong'],
      rows,
      bars,
    },
  ];
}

/** A cut at a random moment while all cameras recorded; half of them find an index that knows nothing. */
export async function replayAnyCut(recorded: Recorded, random: () => number): Promise<Cut> {
  const writes = recorded.log.filter(({ op }) => op.kind === 'write');
  const [fromMs, toMs] = [writes[0]!.endedMs, writes.at(-1)!.endedMs];
  return replayCut(recorded, fromMs + random() * (toMs - fromMs), random, random() < 0.5);
}

/** Cuts one after the other. */
export async function cutOften(
  recorded: Recorded,
  cuts: number,
  seed: number,
  say: BenchOptions['say'] = () => {},
): Promise<Cut[]> {
  const random = makeRandom(seed);
  const results: Cut[] = [];
  for (let cut = 0; cut < cuts; cut++) {
    results.push(await replayAnyCut(recorded, random));
    if ((cut + 1) % 50 === 0) say(`cut ${cut + 1} times`);
  }
  return results;
}
