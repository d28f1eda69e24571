/** Recorded files of a camera and the frames in them, by the numbers in the pictures. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readSegmentName } from '../media/recording/names.js';
import { readFrameNumbers, trueFrame } from '../test/support/frame-clock.js';
import type { Served } from './scene.js';

export interface Segment {
  file: string;
  startMs: number;
}

/** Files of a camera, oldest first. */
export async function segmentsOf(recordings: string, id: string): Promise<Segment[]> {
  const folder = join(recordings, id);
  const entries = await readdir(folder, { recursive: true }).catch(() => []);
  return entries
    .flatMap((entry) => {
      const named = readSegmentName(entry.replaceAll('\\', '/'));
      return named === null ? [] : [{ file: join(folder, entry), startMs: named.startMs }];
    })
    .sort((a, b) => a.startMs - b.startMs);
}

/** Frame numbers since the server's start, first and last, of a file that begins at about `startMs`. */
export async function framesOf(served: Served, path: string, segment: Segment) {
  const numbers = await readFrameNumbers(segment.file);
  const whole = numbers.every(
    (number, i) => number !== null && (i === 0 || number === (numbers[i - 1]! + 1) % served.stream.frames),
  );
  const first = trueFrame(numbers[0]!, served.stream.frames, served.server.frameAt(path, segment.startMs));
  return { first, last: first + numbers.length - 1, whole };
}
