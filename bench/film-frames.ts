/**
 * Which frames a recording holds, told by the sizes of its pictures: exact, and a hundred times quicker than decoding,
 * so that every frame of every camera can be looked at. The film's sizes come from its elementary stream.
 */

import { basename } from 'node:path';
import { readMoof } from '../media/mp4/moof.js';
import { movieOf } from '../media/mp4/movie.js';
import { scanFile } from '../media/mp4/scan.js';
import { readElementaryStream } from '../test/support/annexb.js';
import { type PreparedStream, streamBytes, trueFrame } from '../test/support/frame-clock.js';
import type { GstServer } from '../test/support/gst/gst-server.js';
import type { RecordedFile } from './recorder.js';

/** One picture of a recording. */
export interface Picture {
  /** bytes */
  size: number;
  key: boolean;
}

/** So many pictures in a row tell the place in the film, where one size alone may be there twice. */
const SURE = 4;

/** The film that a camera shows again and again. */
export class Film {
  /** `sizes`: of each frame in an MP4; a keyframe is told by being one, since parameter sets may be added to it */
  constructor(
    private readonly sizes: readonly number[],
    private readonly keys: readonly boolean[],
  ) {}

  static async of(stream: PreparedStream): Promise<Film> {
    const { units } = readElementaryStream(await streamBytes(stream), stream.codec);
    // In an MP4 each NAL unit stands behind its length, four bytes.
    const sizes = units.map(({ nals }) => nals.reduce((sum, nal) => sum + 4 + nal.length, 0));
    return new Film(
      sizes,
      units.map(({ key }) => key),
    );
  }

  private shows(number: number, picture: Picture): boolean {
    const at = number % this.sizes.length;
    if (this.keys[at] !== picture.key) return false;
    return picture.key ? picture.size >= this.sizes[at]! : picture.size === this.sizes[at];
  }

  /** Whether a picture is the beginning of the frame after this one: a connection that breaks takes the rest of it along. */
  isCutShort(before: number, picture: Picture): boolean {
    const next = (before + 1) % this.sizes.length;
    return picture.size < this.sizes[next]! && picture.key === this.keys[next];
  }

  /** The number of the first picture: where most of them in a row fit, if that is one place only. */
  private find(pictures: readonly Picture[]): number | null {
    const fits = this.sizes.map((_, number) => {
      const wrong = pictures.findIndex((picture, i) => !this.shows(number + i, picture));
      return wrong < 0 ? pictures.length : wrong;
    });
    const most = Math.max(...fits);
    const at = fits.indexOf(most);
    return most > 0 && fits.lastIndexOf(most) === at ? at : null;
  }

  /** The number of each picture in the film, null for one that can't be told (a frame unlike any of the film). */
  numbers(pictures: readonly Picture[]): (number | null)[] {
    const numbers: (number | null)[] = [];
    for (const [i, picture] of pictures.entries()) {
      const before = numbers.at(-1);
      const next = before === undefined || before === null ? null : (before + 1) % this.sizes.length;
      numbers.push(
        next !== null && this.shows(next, picture) ? next : this.find(pictures.slice(i, i + SURE)),
      );
    }
    return numbers;
  }
}

/** Frames since the server's start, first and last, with none missing between them. */
export interface Run {
  first: number;
  last: number;
}

export interface Frames {
  /** ascending; what is not in them is missing */
  runs: Run[];
  /** pictures that show no frame of the film, or one that was there before, in words */
  strange: string[];
  /** last pictures of a file that are shorter than the frame that was due: the connection broke in the middle of them */
  cut: number;
}

/** The pictures of a file in the order recorded; none when not even its head is whole. */
export async function picturesOf(file: string): Promise<Picture[]> {
  const scanned = await scanFile(file);
  if (scanned === null) return [];
  const movie = movieOf(scanned.init);
  return scanned.fragments.flatMap(({ moof }) => {
    const video = readMoof(moof, movie).find(({ trackId }) => trackId === scanned.init.videoTrackId);
    return video === undefined ? [] : video.sizes.map((size, i) => ({ size, key: video.keys[i]! }));
  });
}

/** Every frame that the files of one camera hold; files in order. */
export async function framesOf(
  files: readonly RecordedFile[],
  film: Film,
  server: Pick<GstServer, 'frameAt' | 'frames'>,
  path: string,
): Promise<Frames> {
  const runs: Run[] = [];
  const strange: string[] = [];
  let cut = 0;
  for (const { file, startMs } of files) {
    const loop = server.frames(path);
    let near = server.frameAt(path, startMs);
    const pictures = await picturesOf(file);
    const numbers = film.numbers(pictures);
    for (const [i, number] of numbers.entries()) {
      const { size, key } = pictures[i]!;
      const words = `${basename(file)}, ${key ? 'key ' : ''}picture ${i + 1} of ${pictures.length}, ${size} bytes`;
      if (number === null) {
        const before = numbers[i - 1] ?? null;
        if (before !== null && i === pictures.length - 1 && film.isCutShort(before, pictures[i]!)) cut++;
        else strange.push(`no frame of the film: ${words}, behind frame ${before}`);
        continue;
      }
      const frame = trueFrame(number, loop, near);
      near = frame + 1;
      const last = runs.at(-1);
      if (last !== undefined && frame <= last.last) strange.push(`frame ${frame} again: ${words}`);
      else if (frame - 1 === last?.last) last.last = frame;
      else runs.push({ first: frame, last: frame });
    }
  }
  return { runs, strange, cut };
}

/** Frames from `first` to `last` that are in none of the runs. */
export function missingOf(runs: readonly Run[], { first, last }: Run): number {
  const there = runs.reduce(
    (sum, run) => sum + Math.max(0, Math.min(run.last, last) - Math.max(run.first, first) + 1),
    0,
  );
  return last - first + 1 - there;
}
