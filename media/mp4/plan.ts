/** Which fragments of which files become which part of a clip. Pure: no file is touched. */
import type { StreamInit } from '../fragment.js';
import type { Range } from '../types.js';
import { isAac } from './codec.js';
import { leadingOf } from './leading.js';
import { readMoof, type TrackRun } from './moof.js';
import { movieOf } from './movie.js';
import type { FileFragment } from './scan.js';

/** A segment whose fragments are known. Frames are dated `startMs` + media time since its first picture. */
export interface LoadedSegment {
  path: string;
  startMs: number;
  init: StreamInit;
  fragments: FileFragment[];
}

/** One fragment in its place on the wall clock. */
export interface Piece extends Range {
  path: string;
  init: StreamInit;
  fragment: FileFragment;
  /** when the first picture is shown if the clip is cut here; later than startMs only in open GOPs */
  opensMs: number;
  /** goes on where the piece before ended: no footage is missing between them */
  joins: boolean;
}

export interface PlannedPart extends Range {
  /** begins with a keyframe; all of one codec configuration */
  pieces: Piece[];
  /** stretches missing inside this part; its timeline goes on without them */
  gaps: Range[];
  /** never less than the size of the file made */
  mostBytes: number;
  /** a single GOP that is over the limit by itself */
  oversize: boolean;
}

export interface ClipPlan {
  parts: PlannedPart[];
  /** missing between start and end of what was asked, ascending */
  gaps: Range[];
}

/** A shorter hole is jitter of dating, not missing footage. */
export const GAP_TOLERANCE_MS = 500;
/** A frame may be dated this much too early (measured: 2), never more; too late does no harm. So no clip begins too late. */
const DATING_MS = 5;
/** Head of a file, sample descriptions included. */
const FIXED_BYTES = 8 * 1024;
/** What tables take in the worst case. */
const SAMPLE_TABLE_BYTES = 24;
const PIECE_TABLE_BYTES = 128;
/** The silent track with its tables. */
const SILENCE_BYTES_A_SECOND = 400;

/**
 * Parts start with the last keyframe at or before `startMs` (the first one after it when footage begins later),
 * and end with the fragment that reaches `endMs`. A part never is over `maxBytes` unless marked `oversize`.
 */
export function planClip(segments: LoadedSegment[], request: Range & { maxBytes?: number }): ClipPlan {
  const pieces = wanted(placed(segments), request);
  const parts: PlannedPart[] = [];
  const gaps: Range[] = [];
  let seenUntil = request.startMs;
  let previous: Piece | null = null;
  for (const gop of gopsOf(pieces)) {
    const bytes = gop.reduce((sum, piece) => sum + pieceBytes(piece), 0);
    const first = gop[0]!;
    const limit = request.maxBytes ?? Number.POSITIVE_INFINITY;
    let part = parts.at(-1);
    if (!part || !sameFormat(previous!.init, first.init) || part.mostBytes + bytes > limit) {
      part = {
        startMs: first.opensMs,
        endMs: first.startMs,
        pieces: [],
        gaps: [],
        mostBytes: FIXED_BYTES,
        oversize: false,
      };
      parts.push(part);
    }
    part.mostBytes += bytes;
    part.oversize = part.mostBytes > limit;
    for (const piece of gop) {
      const seenFrom = piece.joins && part.pieces.length > 0 ? piece.startMs : piece.opensMs;
      if (seenFrom - seenUntil > GAP_TOLERANCE_MS) {
        const gap = { startMs: seenUntil, endMs: seenFrom };
        gaps.push(gap);
        if (part.pieces.length > 0) part.gaps.push(gap);
      }
      seenUntil = Math.max(seenUntil, piece.endMs);
      part.pieces.push(piece);
      part.endMs = Math.max(part.endMs, piece.endMs);
      previous = piece;
    }
  }
  if (request.endMs - seenUntil > GAP_TOLERANCE_MS) gaps.push({ startMs: seenUntil, endMs: request.endMs });
  return { parts, gaps };
}

/** All pieces in order of the wall clock, each knowing whether it joins the one before. */
export function placed(segments: LoadedSegment[]): Piece[] {
  const pieces: Piece[] = [];
  for (const segment of [...segments].sort((a, b) => a.startMs - b.startMs)) {
    const first = segment.fragments.find((fragment) => fragment.samples > 0);
    if (!first) continue;
    const { timescale } = segment.init;
    for (const fragment of segment.fragments) {
      const startMs = segment.startMs + (Number(fragment.startTicks - first.startTicks) * 1000) / timescale;
      const piece: Piece = {
        path: segment.path,
        init: segment.init,
        fragment,
        startMs,
        opensMs: startMs,
        endMs: startMs + (fragment.durationTicks * 1000) / timescale,
        joins: false,
      };
      const before = pieces.at(-1);
      piece.joins = before !== undefined && follows(before, piece);
      pieces.push(piece);
    }
  }
  for (const [i, piece] of pieces.entries()) {
    if (!piece.fragment.key) continue;
    piece.opensMs += (leadingOf(picturesFrom(pieces, i)).ticks * 1000) / piece.init.timescale;
  }
  return pieces;
}

/** The recorded pictures of each piece from `from` on. */
export function* picturesFrom(pieces: Piece[], from: number): Generator<TrackRun> {
  for (let i = from; i < pieces.length && (i === from || pieces[i]!.joins); i++) {
    const { fragment, init } = pieces[i]!;
    const run = readMoof(fragment.moof, movieOf(init)).find((one) => one.trackId === init.videoTrackId);
    if (run) yield run;
  }
}

function follows(before: Piece, piece: Piece): boolean {
  // sound alone, and pictures that need the ones before them, never begin anything
  if (before.path === piece.path && !piece.fragment.key) return !piece.fragment.afterHole;
  if (!sameFormat(before.init, piece.init)) return false;
  return Math.abs(piece.startMs - before.endMs) <= GAP_TOLERANCE_MS;
}

/** From the keyframe to begin with to the piece that reaches the end. */
function wanted(pieces: Piece[], { startMs, endMs }: Range): Piece[] {
  const inTime = pieces.filter((piece) => piece.startMs < endMs);
  const opening = (from: number) => inTime.findIndex((piece, i) => i >= from && piece.fragment.key);
  let begin = inTime.findLastIndex((piece) => piece.fragment.key && piece.opensMs <= startMs - DATING_MS);
  if (begin < 0) begin = opening(0);
  if (begin < 0) return [];
  let end = begin + 1;
  while (end < inTime.length && inTime[end]!.joins) end++;
  const reached = inTime.slice(begin, end).reduce((latest, piece) => Math.max(latest, piece.endMs), 0);
  // what was recorded before the start ended before it too: begin behind the gap
  if (reached <= startMs) begin = opening(end);
  return begin < 0 ? [] : inTime.slice(begin);
}

/** Runs of pieces that begin with a keyframe; what comes before the first keyframe after a break is left out. */
function gopsOf(pieces: Piece[]): Piece[][] {
  const gops: Piece[][] = [];
  let broken = true;
  for (const piece of pieces) {
    if (piece.fragment.key) {
      gops.push([piece]);
      broken = false;
    } else if (broken || !piece.joins) {
      broken = true;
    } else {
      gops.at(-1)!.push(piece);
    }
  }
  return gops;
}

function pieceBytes({ fragment, endMs, startMs }: Piece): number {
  const silence = Math.ceil(((endMs - startMs) / 1000) * SILENCE_BYTES_A_SECOND);
  return fragment.size + fragment.samples * SAMPLE_TABLE_BYTES + PIECE_TABLE_BYTES + silence;
}

/** Are the pictures encoded the same way, so that one decoder takes both? */
export const samePictures = (a: StreamInit, b: StreamInit): boolean =>
  a === b || movieOf(a).video.entry.whole.equals(movieOf(b).video.entry.whole);

/** Can both stand in one file: same pictures, same sound? */
function sameFormat(a: StreamInit, b: StreamInit): boolean {
  if (a === b) return true;
  const one = movieOf(a);
  const other = movieOf(b);
  const sound = (movie: typeof one) => (movie.audio && isAac(movie.audio.codec) ? movie.audio : null);
  return (
    one.video.timescale === other.video.timescale &&
    samePictures(a, b) &&
    sound(one)?.timescale === sound(other)?.timescale &&
    (sound(one)?.entry.whole ?? Buffer.alloc(0)).equals(sound(other)?.entry.whole ?? Buffer.alloc(0))
  );
}
