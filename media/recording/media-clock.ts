import type { Fragment } from '../fragment.js';
import { arrivalLagMs, mediaMs, pauseIn } from '../mp4/prft.js';

/** Long enough to hold a fragment that came without delay, short enough to follow a camera's drifting clock. */
const WINDOW_MS = 120_000;
/** The wall clock moved against the monotonic one by more than this: it was set. */
const STEP_MS = 1000;
/** Media time jumped by more than this between two fragments: the camera set its clock, or pictures are lost. */
const JUMP_MS = 2000;

/**
 * Dates the frames of one connection: media time + the least (arrival − lag − end) within the window.
 * A fragment can come late, never early, so the least is the truest.
 */
export class MediaClock {
  /** candidates for the least, ascending in value: the first is the least */
  private readonly least: { atMs: number; offset: number }[] = [];
  private wallLessMonotonic: number | null = null;
  private previousEnd: number | null = null;
  private usualLagMs: number | null = null;

  constructor(
    readonly timescale: number,
    /** monotonic ms */
    private readonly monotonic: () => number = () => performance.now(),
  ) {}

  /** Takes note of a fragment. True when clock or media time jumped: what came before must be dated by before. */
  add(fragment: Pick<Fragment, 'startTicks' | 'durationTicks' | 'samples' | 'arrivedMs'>): boolean {
    if (fragment.samples === 0) return false;
    const monotonicMs = this.monotonic();
    const difference = fragment.arrivedMs - monotonicMs;
    const startMs = mediaMs(fragment.startTicks, this.timescale);
    const endMs = startMs + (fragment.durationTicks * 1000) / this.timescale;
    const stepped =
      (this.wallLessMonotonic !== null && Math.abs(difference - this.wallLessMonotonic) > STEP_MS) ||
      (this.previousEnd !== null && Math.abs(startMs - this.previousEnd) > JUMP_MS);
    if (stepped) this.least.length = 0;
    if (stepped || this.wallLessMonotonic === null) this.wallLessMonotonic = difference;
    this.previousEnd = endMs;
    const lagMs = arrivalLagMs(fragment, this.timescale);
    const { paused, usualMs } = pauseIn(lagMs, this.usualLagMs);
    this.usualLagMs = usualMs;
    if (paused && this.least.length > 0) return stepped;
    const offset = fragment.arrivedMs - lagMs - endMs;
    while (this.least.length > 0 && this.least.at(-1)!.offset >= offset) this.least.pop();
    this.least.push({ atMs: monotonicMs, offset });
    while (this.least[0]!.atMs < monotonicMs - WINDOW_MS) this.least.shift();
    return stepped;
  }

  /** What to add to media time (ms) for wall-clock time; null before the first fragment. */
  get offset(): number | null {
    return this.least.length === 0 ? null : this.least[0]!.offset;
  }
}
