import type { Fragment, StreamInit } from '../fragment.js';
import { fullBox } from './box.js';

/**
 * ffmpeg gives a fragment away when the second frame behind it comes in: one frame's time after its end. Measured
 * against a camera with numbered frames (ffmpeg 4 and 5, H.264 and H.265): 100 ms at 10 frames a second, 67 at 15,
 * 40 at 25, ± 2. With sound the same, if it is encoded at 44.1 kHz; AAC at 8 kHz adds 330 ms.
 */
export function arrivalLagMs(
  fragment: { durationTicks: number; samples: number },
  timescale: number,
): number {
  return fragment.samples > 0 ? (fragment.durationTicks * 1000) / (fragment.samples * timescale) : 0;
}

/**
 * Whether a camera paused within a fragment, judged by the lag that was usual before: then its frames' times say nothing
 * of how late ffmpeg gave it away, and it dates nothing. `usualMs`: what is usual from now on, for a camera may also
 * send fewer frames and stay at that.
 */
export function pauseIn(lagMs: number, usualMs: number | null): { paused: boolean; usualMs: number } {
  const paused = usualMs !== null && lagMs > 2 * usualMs;
  return { paused, usualMs: paused ? 2 * usualMs : lagMs };
}

/** "written to file": the flag under which a time of arrival is closest to what the standard says. */
const WRITTEN_TO_FILE = 4;
/** Seconds from 1900 (NTP) to 1970. */
const NTP_TO_UNIX_S = 2_208_988_800;
const ERA_S = 2 ** 32;

/**
 * The box written before each fragment of a segment file: ISO/IEC 14496-12 producer reference time, version 1,
 * flags 4 ("written to file"): NTP time at which the fragment's last byte arrived, media_time = its start ticks.
 * @param box where to put it, from an earlier call
 */
export function prftFor(
  fragment: Pick<Fragment, 'arrivedMs' | 'startTicks'>,
  init: Pick<StreamInit, 'videoTrackId'>,
  box = emptyPrft(),
): Buffer {
  const seconds = Math.floor(fragment.arrivedMs / 1000);
  const ntp = (seconds + NTP_TO_UNIX_S) % ERA_S;
  const fraction = Math.round(((fragment.arrivedMs - seconds * 1000) / 1000) * ERA_S) % ERA_S;
  box.writeUInt32BE(init.videoTrackId, 12);
  box.writeUInt32BE(ntp, 16);
  box.writeUInt32BE(fraction, 20);
  box.writeBigUInt64BE(fragment.startTicks, 24);
  return box;
}

const emptyPrft = () => fullBox('prft', 1, WRITTEN_TO_FILE, Buffer.alloc(20));

/** Arrival (epoch ms) told by the body of a `prft` box; null when it is too short to tell. */
export function readPrft(body: Buffer): number | null {
  if (body.length < 16) return null;
  const ntp = body.readUInt32BE(8);
  // NTP's second era begins in February 2036; no recording is older than 1968
  const seconds = (ntp < ERA_S / 2 ? ntp + ERA_S : ntp) - NTP_TO_UNIX_S;
  return seconds * 1000 + Math.round((body.readUInt32BE(12) * 1000) / ERA_S);
}

export interface DatedFragment {
  startTicks: bigint;
  durationTicks: number;
  samples: number;
  arrivedMs: number | null;
}

/**
 * What to add to media time (ms) to get wall-clock time: the least (arrival − lag − end of fragment).
 * Fragments must come from one connection, in order. Null when none of them tells an arrival.
 */
export function wallClockOf(fragments: Iterable<DatedFragment>, timescale: number): number | null {
  let least: number | null = null;
  let usualMs: number | null = null;
  for (const fragment of fragments) {
    if (fragment.arrivedMs === null || fragment.samples === 0) continue;
    const lagMs = arrivalLagMs(fragment, timescale);
    const judged = pauseIn(lagMs, usualMs);
    usualMs = judged.usualMs;
    if (judged.paused) continue;
    const offset =
      fragment.arrivedMs - lagMs - mediaMs(fragment.startTicks + BigInt(fragment.durationTicks), timescale);
    if (least === null || offset < least) least = offset;
  }
  return least;
}

/** Media time in ms, exact beyond 2^53 ticks. */
export function mediaMs(ticks: bigint, timescale: number): number {
  const scale = BigInt(timescale);
  return Number(ticks / scale) * 1000 + (Number(ticks % scale) * 1000) / timescale;
}
