/** Proves the recorder's promises (media/README.md) on a running recorder after a fault: one checker for every campaign. */
import { readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { SEAM_MS } from '../../media/coverage.js';
import { RecorderIndex } from '../../media/index/index.js';
import type { SegmentRow } from '../../media/index/rows.js';
import { HEADS_FILE } from '../../media/integrity/known-heads.js';
import { verifyRecordings } from '../../media/integrity/verify.js';
import { OPEN_SUFFIX } from '../../media/recording/names.js';
import type { Coverage, Range } from '../../media/types.js';
import { makeKey, makeSeal } from '../../src/base/seal.js';
import { childrenOf, lives } from '../processes.js';
import type { BenchRecorder } from '../recorder.js';
import { compareFiles } from './compare.js';

/** Index and files agree so long after a restart at the latest, ms. */
const AGREE_MS = 5000;
/** A child whose recorder is gone ends by itself so soon, ms. */
const CHILD_ENDS_MS = 15_000;
/** A file that is being written or closed, and the read of a second, may be seen in between; then it is looked at again. */
const SETTLE_MS = 5000;
/** A file's name may be dated so much before its first picture arrived, ms. */
const DATED_MS = 500;
/** What the newest picture may be behind, ms: a GOP to come, a fragment, a loaded machine. */
const NEWEST_MS = 10_000;

/** A recorder under torture. */
export interface Subject {
  recorder: BenchRecorder;
  /** absolute folder of its recordings */
  root: string;
  /** since when each camera is recorded, by the recorder's clock */
  beganMs: ReadonlyMap<string, number>;
  /** the recorder's clock */
  now(): number;
  /** how many times longer than promised everything may take */
  patience: number;
  /** what an officer holds: the files must stay */
  held: { id: string; paths: string[] } | null;
}

export interface Expected {
  /** when the recorder (or its disk) was ready again: nothing older is open any more. Absent: it was not away */
  readyMs?: number;
  /** index and files agree so late at the latest, ms; default as promised after a restart */
  agreeWithinMs?: number;
  /** files that the fault itself damaged or removed, relative: the verification finds these and no others */
  tampered?: readonly string[];
  /** the causes of gaps before this went with the index, epoch ms */
  causesLostMs?: number;
  /** the clock was set back: some time was recorded twice */
  timeTwice?: boolean;
  /** read and hash every byte too */
  content?: boolean;
  /** processes that must not be left */
  ended?: readonly number[];
}

/**
 * Looks until nothing is wrong any more that was wrong from the first look on; what was wrong at every look. What is on its
 * way (a file that was renamed and whose row waits for the disk) is another one at the next look.
 */
async function settled(look: () => Promise<string[]>, withinMs: number): Promise<string[]> {
  const until = performance.now() + withinMs;
  let stays = await look();
  while (stays.length > 0 && performance.now() <= until) {
    await wait(100);
    const wrong = new Set(await look());
    stays = stays.filter((line) => wrong.has(line));
  }
  return stays;
}

/** Looks into a recorder's index beside it. */
async function inIndex<T>(recorder: BenchRecorder, look: (index: RecorderIndex) => Promise<T>): Promise<T> {
  const index = await RecorderIndex.open(join(recorder.folder, 'recorder.db'), makeSeal(makeKey()));
  try {
    return await look(index);
  } finally {
    await index.close();
  }
}

/** Every row of a recorder's index. */
export function rowsOf(recorder: BenchRecorder): Promise<SegmentRow[]> {
  return inIndex(recorder, async (index) => {
    const rows: SegmentRow[] = [];
    for (;;) {
      const page = await index.segments.page(rows.at(-1)?.id ?? 0, 20_000);
      if (page.length === 0) return rows;
      rows.push(...page);
    }
  });
}

/** Looks until index and files agree, at most so long as is promised after a restart; what they don't agree on. */
export async function untilAgreed(subject: Subject, expected: Expected): Promise<string[]> {
  const { readyMs, tampered = [], agreeWithinMs } = expected;
  // by the recorder's clock, as the files' names are
  const openSinceMs =
    readyMs === undefined ? Number.NEGATIVE_INFINITY : subject.now() - (Date.now() - readyMs) - DATED_MS;
  const look = async () => {
    const { wrong } = await compareFiles(
      subject.root,
      await rowsOf(subject.recorder),
      (ms) => ms >= openSinceMs,
    );
    return wrong.filter((line) => !tampered.some((path) => line.startsWith(path)));
  };
  const sinceMs = readyMs === undefined ? 0 : Date.now() - readyMs;
  return settled(look, agreeWithinMs ?? Math.max(subject.patience * AGREE_MS - sinceMs, SETTLE_MS / 5));
}

/** Proves every promise on a recorder that runs, after a fault; gives what is broken, in words. */
export async function checkPromises(subject: Subject, expected: Expected = {}): Promise<string[]> {
  const { recorder } = subject;
  const settleMs = subject.patience * SETTLE_MS;
  const wrong = await untilAgreed(subject, expected);
  const rows = await rowsOf(recorder);
  for (const [id, beganMs] of subject.beganMs) {
    wrong.push(...(await settled(() => accountOf(subject, id, beganMs, expected), settleMs)));
    const of = rows.filter((row) => row.cameraId === id && !row.open);
    // a file that was swapped with a longer one says its name's time with the other's length
    const own = of.filter(({ path }) => !expected.tampered?.includes(path));
    if (!expected.timeTwice) wrong.push(...overlapsOf(own));
  }
  wrong.push(...(await heldStays(subject, rows)));
  wrong.push(...(await verifies(subject, expected)));
  wrong.push(...(await settled(() => leftOf(subject, expected), CHILD_ENDS_MS)));
  return wrong;
}

/** Recordings that say the same time twice though the clock was never set back. */
function overlapsOf(rows: readonly SegmentRow[]): string[] {
  const sorted = [...rows].sort((a, b) => a.startMs - b.startMs);
  return sorted.flatMap((row, i) => {
    const overMs = (sorted[i - 1]?.endMs ?? 0) - row.startMs;
    return overMs > SEAM_MS ? [`${row.path} begins ${overMs} ms before the end of the one before`] : [];
  });
}

/** Every second of a camera since its begin: recorded, or a gap with a cause. */
async function accountOf(
  { recorder, now }: Subject,
  id: string,
  beganMs: number,
  expected: Expected,
): Promise<string[]> {
  const endMs = now();
  const coverage = await recorder.client.coverage(id, { startMs: beganMs, endMs });
  const forgiven = [{ startMs: 0, endMs: expected.causesLostMs ?? 0 }];
  return unaccounted(coverage, endMs, forgiven).map((line) => `${id}: ${line}`);
}

/** Seconds of what was asked that are neither recorded nor a gap with a cause. In `forgiven` gaps may have none. */
export function unaccounted(
  { asked, recorded, gaps }: Coverage,
  nowMs: number,
  forgiven: readonly Range[] = [],
): string[] {
  const wrong: string[] = [];
  const told = [...recorded, ...gaps].sort((a, b) => a.startMs - b.startMs);
  let atMs = asked.startMs;
  for (const { startMs, endMs } of told) {
    if (startMs - atMs > SEAM_MS) wrong.push(`nothing is said of ${startMs - atMs} ms from ${atMs}`);
    if (atMs - startMs > SEAM_MS) wrong.push(`${atMs - startMs} ms from ${startMs} are told twice`);
    atMs = Math.max(atMs, endMs);
  }
  if (Math.min(asked.endMs, nowMs) - atMs > NEWEST_MS) wrong.push(`nothing is said since ${atMs}`);
  for (const { startMs, endMs, cause } of gaps) {
    const known = forgiven.some((one) => startMs >= one.startMs - SEAM_MS && endMs <= one.endMs + SEAM_MS);
    if (cause === 'unknown' && !known)
      wrong.push(`a gap of ${endMs - startMs} ms from ${startMs} has no cause`);
  }
  return wrong;
}

async function heldStays(
  { recorder, held }: Pick<Subject, 'recorder' | 'held'>,
  rows: readonly SegmentRow[],
): Promise<string[]> {
  if (held === null) return [];
  const active = await recorder.client.holds({ active: true });
  const there = new Set(rows.map((row) => row.path));
  return [
    ...(active.some(({ id }) => id === held.id) ? [] : [`the hold ${held.id} is gone`]),
    ...held.paths.filter((path) => !there.has(path)).map((path) => `${path} was held and is gone`),
  ];
}

/** The chains are whole; what was tampered with is found, and nothing else. */
async function verifies(subject: Subject, expected: Expected): Promise<string[]> {
  const tampered = new Set(expected.tampered);
  const look = async () => {
    const found = new Map<string, string>();
    const report = await verifyRecordings({
      root: subject.root,
      headsFile: join(subject.recorder.folder, HEADS_FILE),
      content: expected.content === true || tampered.size > 0,
      ...{ workers: 2, nowMs: subject.now() },
      onProblem: ({ kind, path, segment }) => found.set(segment ?? path, kind),
    });
    return [
      ...[...found].filter(([path]) => !tampered.has(path)).map(([path, kind]) => `verify: ${kind} ${path}`),
      ...[...tampered].filter((path) => !found.has(path)).map((path) => `verify does not see ${path}`),
      ...(report.keys.length === 0 ? ['verify: no key'] : []),
    ];
  };
  return settled(look, SETTLE_MS);
}

/** Processes, temporary files and descriptors that should not be there any more. */
async function leftOf({ recorder, root, beganMs }: Subject, { ended = [] }: Expected): Promise<string[]> {
  const left = ended.filter(lives).map((pid) => `process ${pid} is left`);
  const children = await ffmpegsOf(recorder.pid);
  if (children.length > beganMs.size) left.push(`${children.length} ffmpegs record ${beganMs.size} cameras`);
  for (const folder of [root, recorder.folder])
    for (const name of await readdir(folder, { recursive: true }))
      if (/\.(new|tmp)$/.test(name)) left.push(`${name} is left`);
  const open = await descriptorsBelow(recorder.pid, root);
  const stray = open.filter((path) => !path.endsWith(OPEN_SUFFIX) && path.includes('.mp4'));
  left.push(...stray.map((path) => `${path} is held open`));
  if (open.length > beganMs.size) left.push(`${open.length} descriptors for ${beganMs.size} cameras`);
  return left;
}

/** The recorder's own ffmpeg children. */
export async function ffmpegsOf(pid: number): Promise<number[]> {
  const named = await Promise.all(
    (await childrenOf(pid)).map(async (child) => {
      const name = await readFile(`/proc/${child}/comm`, 'utf8').catch(() => '');
      return name.trim().startsWith('ffmpeg') ? [child] : [];
    }),
  );
  return named.flat();
}

/** What a process holds open below a folder, absolute. */
async function descriptorsBelow(pid: number, root: string): Promise<string[]> {
  const fds = await readdir(`/proc/${pid}/fd`).catch(() => []);
  const paths = await Promise.all(fds.map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')));
  return paths.filter((path) => path.startsWith(`${root}/`));
}
