/** Builds a progressive MP4 from recorded fragments, without ffmpeg. */

import { fileEntry } from './codec.js';
import { type Source, writeMedia } from './copy.js';
import { Mp4Error } from './error.js';
import { type Leading, leadingOf } from './leading.js';
import { readMoof, type TrackRun } from './moof.js';
import { fileHead, type TrackTables } from './moov.js';
import { movieOf } from './movie.js';
import { type Piece, picturesFrom } from './plan.js';
import { mediaMs } from './prft.js';
import { type SoundChunk, soundOf } from './sound.js';

/** A frame that lasts longer than its fragment says by more than this is a break in the clock, not a slow frame. */
const LONGEST_STRETCH_S = 0.5;

export interface BuiltFile {
  sizeBytes: number;
  /** of the pictures, gaps left out */
  durationMs: number;
  frames: number;
}

export interface BuildOptions {
  /** wall clock of the first frame, written as the file's creation time */
  startMs: number;
  onBytes?: (bytes: number) => void;
  signal?: AbortSignal | undefined;
}

/**
 * Writes `pieces` (of one format, the first a keyframe) as one MP4 at `outPath`: `moov` in front, no edit list,
 * first picture at 0, recorded AAC sound or a silent track. Streams: takes memory for tables, not for pictures.
 */
export async function buildMp4(pieces: Piece[], outPath: string, options: BuildOptions): Promise<BuiltFile> {
  const { tracks, sources, mediaBytes, durationMs } = layOut(pieces);
  const head = fileHead(tracks, mediaBytes, options.startMs);
  await writeMedia(outPath, head, sources, options);
  return { sizeBytes: head.length + mediaBytes, durationMs, frames: tracks[0]!.sizes.length };
}

interface Layout {
  /** pictures first */
  tracks: [TrackTables, TrackTables];
  sources: Source[];
  mediaBytes: number;
  durationMs: number;
}

function layOut(pieces: Piece[]): Layout {
  const init = pieces[0]?.init;
  if (!init || !pieces[0]!.fragment.key) throw new Mp4Error('bad-box', 'a clip must begin with a keyframe');
  const { video, audio } = movieOf(init);
  const pictures: TrackTables & { keys: number[] } = {
    kind: 'video',
    entry: fileEntry(video.entry),
    timescale: video.timescale,
    width: video.width,
    height: video.height,
    sizes: [],
    durations: [],
    offsets: null,
    keys: [],
    chunks: [],
  };
  const offsets: number[] = [];
  const sound = soundOf(audio);
  const soundChunks: TrackTables['chunks'] = [];
  const sources: Source[] = [];
  let mediaBytes = 0;
  let time = 0;
  let earliest = Number.POSITIVE_INFINITY;
  /** part time − media time, seconds, since the last break */
  let shiftS = 0;

  const runsOf = pieces.map((piece) => readMoof(piece.fragment.moof, movieOf(piece.init)));
  const videoOf = (i: number) => runsOf[i]?.find((run) => run.trackId === pieces[i]!.init.videoTrackId);
  /** samples to leave out at the front of the pieces that follow a break */
  let leading: Leading = { dropped: [], ticks: 0 };
  for (const [i, piece] of pieces.entries()) {
    const shown = videoOf(i);
    const heard = runsOf[i]!.find((run) => run.trackId === piece.init.audio?.trackId);
    if (shown) {
      const opens = i === 0 || !piece.joins;
      if (opens) leading = leadingOf(picturesFrom(pieces, i));
      const opening = (shown.offsets?.[0] ?? 0) - leading.ticks;
      if (i === 0) earliest = opening;
      if (opens || jumps(pieces[i - 1]!, piece)) {
        const recordedAt = mediaMs(shown.startTicks, video.timescale) / 1000;
        const delay = shown.offsets?.[0] ?? 0;
        const shownAt = time + (opens ? opening : delay) - earliest;
        shiftS = (shownAt - delay) / video.timescale - recordedAt;
      }
      const drop = leading.dropped.shift() ?? 0;
      const firstDropped = opens ? 1 : 0;
      const left = (sample: number) => sample < firstDropped || sample >= firstDropped + drop;
      const placed = place(shown, piece, mediaBytes, sources, left);
      pictures.chunks.push(...placed.chunks);
      mediaBytes += placed.bytes;
      const durations = [...shown.durations];
      durations[durations.length - 1] = lastDuration(shown, piece, pieces[i + 1], videoOf(i + 1));
      for (const [sample, duration] of durations.entries()) {
        if (!left(sample)) continue;
        const offset = opens && sample === 0 ? opening : (shown.offsets?.[sample] ?? 0);
        earliest = Math.min(earliest, time + offset);
        pictures.sizes.push(shown.sizes[sample]!);
        pictures.durations.push(duration);
        offsets.push(offset);
        if (shown.keys[sample]) pictures.keys.push(pictures.sizes.length);
        time += duration;
      }
    }
    const chunk = sound.upTo(time / video.timescale, heard, shiftS);
    if (chunk) {
      soundChunks.push({ at: mediaBytes, samples: chunk.samples });
      mediaBytes += append(chunk, piece, sources);
    }
  }
  const shifted = offsets.map((offset) => offset - earliest);
  if (shifted.some((offset) => offset !== 0)) pictures.offsets = shifted;
  const heard: TrackTables = {
    kind: 'audio',
    entry: sound.entry,
    timescale: sound.timescale,
    width: 0,
    height: 0,
    sizes: sound.sizes,
    durations: sound.durations,
    offsets: null,
    keys: null,
    chunks: soundChunks,
  };
  return { tracks: [pictures, heard], sources, mediaBytes, durationMs: (time * 1000) / video.timescale };
}

/** One chunk for each run of bytes that lie together, without the samples not `left`. */
function place(
  run: TrackRun,
  piece: Piece,
  mediaBytes: number,
  sources: Source[],
  left: (sample: number) => boolean,
): { chunks: TrackTables['chunks']; bytes: number } {
  const chunks: TrackTables['chunks'] = [];
  let bytes = 0;
  let sample = 0;
  for (const stretch of run.stretches) {
    let at = stretch.at;
    const end = stretch.at + stretch.size;
    let goesOn = false;
    for (; sample < run.sizes.length && at + run.sizes[sample]! <= end; sample++) {
      const size = run.sizes[sample]!;
      const source = sources.at(-1);
      if (!left(sample)) {
        goesOn = false;
      } else if (goesOn && source && 'path' in source) {
        source.size += size;
        chunks.at(-1)!.samples++;
        bytes += size;
      } else {
        sources.push({ path: piece.path, offset: piece.fragment.offset + at, size });
        chunks.push({ at: mediaBytes + bytes, samples: 1 });
        bytes += size;
        goesOn = true;
      }
      at += size;
    }
  }
  return { chunks, bytes };
}

function append(chunk: SoundChunk, piece: Piece, sources: Source[]): number {
  let total = 0;
  for (const part of chunk.bytes) {
    if ('bytes' in part) {
      sources.push(part);
      total += part.bytes.length;
    } else {
      sources.push({ path: piece.path, offset: piece.fragment.offset + part.at, size: part.size });
      total += part.size;
    }
  }
  return total;
}

/** Does the camera's clock jump between two pieces that join on the wall clock (a reconnect)? */
function jumps(before: Piece, piece: Piece): boolean {
  if (before.path === piece.path) return false;
  const ticks =
    Number(piece.fragment.startTicks - before.fragment.startTicks) - before.fragment.durationTicks;
  return Math.abs(ticks) > LONGEST_STRETCH_S * piece.init.timescale;
}

/** The last frame of a fragment lasts until the next fragment begins, if that goes on from it. */
function lastDuration(
  run: TrackRun,
  piece: Piece,
  next: Piece | undefined,
  nextRun: TrackRun | undefined,
): number {
  const own = run.durations.at(-1)! || run.durations.at(-2) || Math.round(piece.init.timescale / 25);
  if (!next?.joins || !nextRun) return own;
  const beforeLast = run.durationTicks - run.durations.at(-1)!;
  const until = Number(nextRun.startTicks - run.startTicks) - beforeLast;
  const longest = own + LONGEST_STRETCH_S * piece.init.timescale;
  return until > 0 && (until <= longest || (next.path === piece.path && !next.fragment.key)) ? until : own;
}
