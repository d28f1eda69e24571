/** What a recordings folder and its index say of each other, judged from outside the recorder. */
import { readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { SegmentRow } from '../../media/index/rows.js';
import { type ScannedFile, scanFile } from '../../media/mp4/scan.js';
import { OPEN_SUFFIX, readSegmentName } from '../../media/recording/names.js';

/** Every recording there is, open ones too: relative, with forward slashes, oldest names first. */
export async function recordingsIn(root: string): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  return entries
    .filter((one) => one.isFile() && one.name.endsWith('.mp4'))
    .map((one) => relative(root, join(one.parentPath, one.name)).replaceAll('\\', '/'))
    .sort();
}

export interface Compared {
  /** in words; empty: index and files agree, and every file is whole */
  wrong: string[];
  /** closed files */
  scanned: Map<string, ScannedFile>;
}

/** Looks at every file and row. `mayBeOpen`: whether a file of that start may still be written; default none may. */
export async function compareFiles(
  root: string,
  rows: readonly SegmentRow[],
  mayBeOpen: (startMs: number) => boolean = () => false,
): Promise<Compared> {
  const wrong: string[] = [];
  const scanned = new Map<string, ScannedFile>();
  const rowOf = new Map(rows.map((row) => [row.path, row]));
  for (const path of await recordingsIn(root)) {
    const row = rowOf.get(path);
    rowOf.delete(path);
    if (path.endsWith(OPEN_SUFFIX) && mayBeOpen(readSegmentName(path)?.startMs ?? 0)) continue;
    if (path.endsWith(OPEN_SUFFIX)) wrong.push(`${path} is still open`);
    const found = await scanFile(join(root, path)).catch(() => null);
    if (found === null || found.wholeBytes !== found.sizeBytes) {
      wrong.push(`${path} is not whole`);
      continue;
    }
    scanned.set(path, found);
    if (row === undefined) wrong.push(`${path} has no row`);
    else if (row.open || row.sizeBytes !== found.sizeBytes) wrong.push(`${path} and its row do not agree`);
  }
  for (const [path, row] of rowOf)
    if (!(row.open && mayBeOpen(row.startMs))) wrong.push(`${path} is a row without a file`);
  return { wrong, scanned };
}
