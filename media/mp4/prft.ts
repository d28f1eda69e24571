import type { Fragment, StreamInit } from '../fragment.js';

/**
 * How much later than the truth the least (arrival − end of fragment) dates a frame, ms: what an ffmpeg child adds
 * between the last packet of a frame and the fragment that carries it.
 */
export const ARRIVAL_LAG_MS = 67;

/**
 * The box written before each fragment of a segment file: ISO/IEC 14496-12 producer reference time, version 1,
 * flags 4 ("written to file"): NTP time at which the fragment's last byte arrived, media_time = its start ticks.
 */
export function prftFor(_fragment: Fragment, _init: StreamInit): Buffer {
  throw new Error('being built');
}

/**
 * What to add to media time (ms) to get wall-clock time: the least (arrival − end of fragment) less ARRIVAL_LAG_MS.
 * Fragments must come from one connection. Null when none of them tells an arrival.
 */
export function wallClockOf(
  _fragments: Iterable<{
    startTicks: bigint;
    durationTicks: number;
    samples: number;
    arrivedMs: number | null;
  }>,
  _timescale: number,
): number | null {
  throw new Error('being built');
}
