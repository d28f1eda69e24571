import fs from 'node:fs/promises';
import path from 'node:path';
import type { Log } from '../../src/base/log.js';
import type { RecorderIndex } from '../index/index.js';
import { newestFile } from './folders.js';

/** The index takes a sign of life every few seconds: what is newer than it by more was not told to it, ms. */
const BEHIND_MS = 10_000;
/** No file is written for longer after it was begun, ms: one changed later was changed by somebody else. */
const LONGEST_FILE_MS = 5 * 60_000;

export interface LastLife {
  /** the last sign of life of a recorder at this place, epoch ms; null: not known */
  lifeMs: number | null;
  /** from when on the index is to learn from the records, see `Settings.lostSince`; null: it knows all */
  lostSinceMs: number | null;
}

/**
 * When a recorder last ran here, and whether the index was there then. One from a backup, or one whose newest rows a power cut
 * took, knows nothing of the recordings since: it is told so, durably, before anything is written.
 * @param clockMs the last sign of life kept outside of the index, epoch ms; null: none
 */
export async function lastLife(
  { index, root, log }: { index: RecorderIndex; root: string; log: Log },
  clockMs: number | null,
  startedMs: number,
): Promise<LastLife> {
  const { settings } = index;
  const aliveMs = await settings.lastLife();
  const noted = await settings.lostSince();
  if (aliveMs === null) {
    await settings.noteLost(1);
    return { lifeMs: clockMs, lostSinceMs: 1 };
  }
  // looking at the disk takes a while, and an ordinary restart does not need it
  if (clockMs !== null && clockMs <= aliveMs + BEHIND_MS) return { lifeMs: aliveMs, lostSinceMs: noted };
  const newest = await newestFile(root, startedMs);
  const known = newest === null || (await index.rebuilding.pathFrom(newest.path)) === newest.path;
  if (known || newest.startMs <= aliveMs + BEHIND_MS) return { lifeMs: aliveMs, lostSinceMs: noted };
  const changedMs = (await fs.stat(path.join(root, newest.path)).catch(() => null))?.mtimeMs ?? 0;
  const writtenMs = Math.max(newest.startMs, Math.min(changedMs, newest.startMs + LONGEST_FILE_MS));
  const lifeMs = Math.min(startedMs, Math.round(Math.max(aliveMs, clockMs ?? 0, writtenMs)));
  const lostSinceMs = Math.min(noted ?? aliveMs, aliveMs);
  log.warn(
    { behindMs: lifeMs - aliveMs },
    'the index is older than the recordings: it learns from their records',
  );
  await settings.noteLost(lostSinceMs);
  return { lifeMs, lostSinceMs };
}
