/** What a recorder service holds open: descriptors, processes, files. */
import { readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { OPEN_SUFFIX } from '../media/recording/names.js';
import { costOf } from './processes.js';
import type { BenchRecorder } from './recorder.js';
import { pause } from './scene.js';

/** The least of so many counts, half a second apart: what is open for a moment only is no leak. */
const COUNTS = 20;

/** What a service holds. */
export interface Holdings {
  /** open descriptors of the service by kind: file, pipe, socket, anon */
  descriptors: Record<string, number>;
  /** the service and everything below it */
  processes: number;
  /** `.recording.mp4` */
  openFiles: number;
  /** files in TMPDIR of the service */
  temporary: number;
}

/** Open descriptors of a process by kind. */
export async function descriptorsOf(pid: number): Promise<Record<string, number>> {
  const folder = `/proc/${pid}/fd`;
  const kinds: Record<string, number> = { file: 0, pipe: 0, socket: 0, anon: 0 };
  for (const one of await readdir(folder)) {
    const target = await readlink(join(folder, one)).catch(() => null);
    if (target === null) continue;
    const kind = /^(pipe|socket):/.exec(target)?.[1] ?? (target.startsWith('anon_inode') ? 'anon' : 'file');
    kinds[kind]! += 1;
  }
  return kinds;
}

/** All files below a folder; none when there is no such folder. */
export const filesIn = async (folder: string) =>
  (await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])).filter((entry) =>
    entry.isFile(),
  );

/** What it holds when nothing is under way: the least that was seen of each in ten seconds. `temp`: its TMPDIR. */
export async function holdings({ pid, folder }: BenchRecorder, temp: string): Promise<Holdings> {
  const least: Holdings = {
    descriptors: {},
    processes: Number.POSITIVE_INFINITY,
    openFiles: Number.POSITIVE_INFINITY,
    temporary: Number.POSITIVE_INFINITY,
  };
  for (let i = 0; i < COUNTS; i++) {
    for (const [kind, count] of Object.entries(await descriptorsOf(pid)))
      least.descriptors[kind] = Math.min(least.descriptors[kind] ?? Number.POSITIVE_INFINITY, count);
    least.processes = Math.min(least.processes, (await costOf([pid], { memory: false })).processes);
    const recordings = await filesIn(join(folder, 'recordings'));
    least.openFiles = Math.min(least.openFiles, openFiles(recordings));
    least.temporary = Math.min(least.temporary, (await filesIn(temp)).length);
    await pause(0.5);
  }
  return least;
}

/** Recordings that are not closed. */
export const openFiles = (files: readonly { name: string }[]) =>
  files.filter(({ name }) => name.endsWith(OPEN_SUFFIX)).length;
