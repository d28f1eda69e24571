/** Where a moment lies in the recorded files. */
import { open } from 'node:fs/promises';
import { loadSegments, type SegmentInfo } from './clip.js';
import { SEAM_MS } from './coverage.js';
import type { StreamInit } from './fragment.js';
import type { FileFragment } from './mp4/scan.js';
import { cutAround, type Stretch, seekAround } from './mp4/seek.js';

/** Where a moment lies in one file. */
export interface Place extends Omit<Stretch, 'firstTicks'> {
  path: string;
  /** wall clock of the first of `fragments` */
  startMs: number;
  /** of the moment, moved to the file's edge where it lies in the seam beside it */
  atMs: number;
}

/** Why what is there by the index can't be shown: its file is not there, or can't be read there. */
export type Unread = 'gone' | 'damaged';

export const isGone = (error: unknown) => (error as NodeJS.ErrnoException).code === 'ENOENT';

/** The place of a moment in a segment. */
export async function placeIn(
  segment: SegmentInfo,
  askedMs: number,
  signal: AbortSignal,
): Promise<Place | Unread> {
  const { path } = segment;
  const atMs = Math.max(segment.startMs, Math.min(askedMs, segment.endMs - 1));
  const place = ({ firstTicks, ...stretch }: Stretch, startMs: number): Place => {
    const after = Number(stretch.fragments[0]!.startTicks - firstTicks);
    return { ...stretch, path, atMs, startMs: startMs + (after * 1000) / stretch.init.timescale };
  };
  try {
    const found = segment.known === undefined ? await seek(segment, atMs) : null;
    if (found !== null) return place(found, segment.startMs);
    const [loaded] = await loadSegments([segment], signal, false);
    const first = loaded?.fragments.find(({ samples }) => samples > 0);
    if (loaded === undefined || first === undefined) return 'damaged';
    const { init, startMs } = loaded;
    const at = first.startTicks + BigInt(Math.floor(((atMs - startMs) * init.timescale) / 1000));
    const fragments = cutAround(loaded.fragments, at, init);
    if (fragments === null || isBehind(fragments, at, init)) return 'damaged';
    return place({ init, fragments, firstTicks: first.startTicks }, startMs);
  } catch (error) {
    if (isGone(error)) return 'gone';
    throw error;
  }
}

async function seek({ path, startMs, endMs }: SegmentInfo, atMs: number): Promise<Stretch | null> {
  const handle = await open(path, 'r');
  try {
    return await seekAround(handle, atMs - startMs, endMs - startMs);
  } finally {
    await handle.close();
  }
}

/** Does the moment lie in a hole behind what there is before it? */
function isBehind(fragments: FileFragment[], at: bigint, init: StreamInit): boolean {
  const last = fragments.findLast(({ startTicks }) => startTicks <= at)!;
  const seam = BigInt(Math.floor((SEAM_MS * init.timescale) / 1000));
  return last.startTicks + BigInt(last.durationTicks) + seam <= at;
}
