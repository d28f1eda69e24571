/** The pictures at places in the recorded files. */
import { open } from 'node:fs/promises';
import PQueue from 'p-queue';
import type { Ffmpeg } from '../src/base/ffmpeg.js';
import type { StreamInit } from './fragment.js';
import { inTurn, jpegSize, PAST, type PictureOptions } from './jpegs.js';
import { keyframeJpegs } from './keyframes.js';
import { leadingOf } from './mp4/leading.js';
import { readMoof, type TrackRun } from './mp4/moof.js';
import { movieOf } from './mp4/movie.js';
import { samePictures } from './mp4/plan.js';
import type { FileFragment } from './mp4/scan.js';
import { readFully } from './mp4/window.js';
import { framesShown } from './picture.js';
import { isGone, type Place, type Unread } from './still-places.js';
import type { Snapshot } from './types.js';

/** So many groups of pictures of one asker are in memory. */
const GROUPS_AT_ONCE = 2;
/** No keyframe of a camera is larger. */
const LARGEST_KEYFRAME = 16 * 1024 * 1024;

export type Shown = Snapshot | Unread;

const videoRun = ({ moof }: FileFragment, init: StreamInit): TrackRun | undefined =>
  readMoof(moof, movieOf(init)).find((run) => run.trackId === init.videoTrackId);

interface Keyframe {
  path: string;
  init: StreamInit;
  /** of its one sample in the file */
  offset: number;
  size: number;
  /** wall clock at which it is shown */
  frameMs: number;
}

/** The keyframe of a place that is nearest to its moment. */
function nearestKeyframe({ path, init, fragments, startMs, atMs }: Place): Keyframe | null {
  const { timescale } = init;
  const origin = fragments[0]!.startTicks;
  const keys = fragments.flatMap((fragment, i): Keyframe[] => {
    const run = fragment.key ? videoRun(fragment, init) : undefined;
    const at = run?.stretches[0]?.at;
    if (run === undefined || at === undefined) return [];
    const runs = fragments.slice(i).flatMap((one) => videoRun(one, init) ?? []);
    const ticks = Number(fragment.startTicks - origin) + leadingOf(runs).ticks;
    const frameMs = startMs + (ticks * 1000) / timescale;
    return [{ path, init, frameMs, offset: fragment.offset + at, size: run.sizes[0]! }];
  });
  const [nearest] = keys.sort((a, b) => Math.abs(a.frameMs - atMs) - Math.abs(b.frameMs - atMs));
  return nearest === undefined || nearest.size > LARGEST_KEYFRAME ? null : nearest;
}

/** For each place the keyframe nearest to its moment; one ffmpeg for all that are encoded alike. */
export async function nearestKeyframes(
  ffmpeg: Ffmpeg,
  places: readonly Place[],
  options: PictureOptions,
): Promise<Map<Place, Shown>> {
  const shown = new Map<Place, Shown>();
  const wanted = new Map<string, { key: Keyframe; places: Place[] }>();
  for (const place of places) {
    const key = nearestKeyframe(place);
    if (key === null) shown.set(place, 'damaged');
    else {
      const same = wanted.get(`${key.path} ${key.offset}`);
      if (same) same.places.push(place);
      else wanted.set(`${key.path} ${key.offset}`, { key, places: [place] });
    }
  }
  const alike: { key: Keyframe; places: Place[]; bytes: Buffer }[][] = [];
  for (const one of wanted.values()) {
    const bytes = await read(one.key.path, [one.key]);
    if (typeof bytes === 'string') for (const place of one.places) shown.set(place, bytes);
    else {
      const group = alike.find(([first]) => samePictures(first!.key.init, one.key.init));
      if (group) group.push({ ...one, bytes: bytes[0]! });
      else alike.push([{ ...one, bytes: bytes[0]! }]);
    }
  }
  for (const group of alike) {
    const samples = group.map(({ bytes }) => bytes);
    const jpegs = await inTurn(options, PAST, (within) =>
      keyframeJpegs(ffmpeg, group[0]!.key.init, samples, within),
    );
    for (const [i, { key, places: some }] of group.entries())
      for (const place of some) shown.set(place, asShown(jpegs[i]!, key.frameMs));
  }
  return shown;
}

/** For each place the frame that was shown at its moment; one ffmpeg a group of pictures, two at once. */
export async function exactFrames(
  ffmpeg: Ffmpeg,
  places: readonly Place[],
  options: PictureOptions,
): Promise<Map<Place, Shown>> {
  const groups = new PQueue({ concurrency: GROUPS_AT_ONCE });
  const shown = await groups.addAll(byGop(places).map((group) => () => framesOf(ffmpeg, group, options)));
  return new Map(shown.flat());
}

/** The same for places in one group of pictures. */
async function framesOf(
  ffmpeg: Ffmpeg,
  group: readonly Place[],
  options: PictureOptions,
): Promise<[Place, Shown][]> {
  const { path, init, startMs } = group[0]!;
  const longest = group.reduce((a, b) => (b.fragments.length > a.fragments.length ? b : a));
  const next = longest.fragments.findIndex(({ key }, i) => i > 0 && key);
  const fragments = longest.fragments.slice(0, next < 0 ? undefined : next);
  const bytes = await read(path, fragments);
  if (typeof bytes === 'string') return group.map((place) => [place, bytes]);
  const gop = fragments.map(({ startTicks }, i) => ({ startTicks, bytes: bytes[i]! }));
  const moments = group.map(({ atMs }) => atMs - startMs);
  const pictures = await framesShown(ffmpeg, init, gop, moments, options);
  return group.map((place, i) => {
    const picture = pictures[i] ?? null;
    return [place, asShown(picture?.jpeg ?? null, startMs + (picture?.offsetMs ?? 0))];
  });
}

/** Places whose moments lie in the same group of pictures. */
function byGop(places: readonly Place[]): Place[][] {
  const groups = new Map<string, Place[]>();
  for (const place of places) {
    const name = `${place.path} ${place.fragments[0]!.offset}`;
    groups.set(name, [...(groups.get(name) ?? []), place]);
  }
  return [...groups.values()];
}

/** The bytes of some stretches of a file. */
async function read(
  path: string,
  stretches: readonly { offset: number; size: number }[],
): Promise<Buffer[] | Unread> {
  try {
    const handle = await open(path, 'r');
    try {
      const pieces: Buffer[] = [];
      for (const { offset, size } of stretches) {
        const bytes = Buffer.allocUnsafe(size);
        if ((await readFully(handle, bytes, offset)) < size) return 'damaged';
        pieces.push(bytes);
      }
      return pieces;
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (isGone(error)) return 'gone';
    throw error;
  }
}

const asShown = (jpeg: Buffer | null, frameMs: number): Shown =>
  jpeg === null ? 'damaged' : { jpeg, ...jpegSize(jpeg), frameMs: Math.round(frameMs) };
