/** Which frames of a camera are in its files: what was lost is judged by the numbers in the pictures. */
import { setTimeout as wait } from 'node:timers/promises';
import { scanFile } from '../../media/mp4/scan.js';
import { type PreparedStream, readFrameNumbers, trueFrame } from '../../test/support/frame-clock.js';
import { type RecordedFile, recordedFiles } from '../recorder.js';
import type { Cameras } from './stage.js';

/** Resolves with the moment at which the camera has a whole fragment in a file begun after `afterMs`. */
export async function untilFragment(
  root: string,
  id: string,
  afterMs: number,
  withinMs: number,
): Promise<number> {
  const until = Date.now() + withinMs;
  while (Date.now() < until) {
    const newest = (await recordedFiles(root, id)).at(-1);
    if (newest !== undefined && newest.startMs > afterMs) {
      const scanned = await scanFile(newest.file).catch(() => null);
      if (scanned !== null && scanned.fragments.length > 0) return Date.now();
    }
    await wait(25);
  }
  throw new Error(`${id} does not record again`);
}

export interface Frames {
  /** numbers since the server's start */
  first: number;
  last: number;
  /** none is missing or unreadable in between */
  whole: boolean;
}

/** The frames of a file; its name's date is within half a loop of the truth. Null: not one can be read. */
export async function framesOf(
  { server, stream }: { server: Cameras; stream: PreparedStream },
  path: string,
  segment: RecordedFile,
): Promise<Frames | null> {
  const numbers = await readFrameNumbers(segment.file);
  const from = numbers[0];
  if (from == null) return null;
  const whole = numbers.every(
    (number, i) => number !== null && (i === 0 || number === (numbers[i - 1]! + 1) % stream.frames),
  );
  const first = trueFrame(from, stream.frames, server.frameAt(path, segment.startMs));
  return { first, last: first + numbers.length - 1, whole };
}
