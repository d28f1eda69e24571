/** A write that took longer than this says that the disk, or the system's cache before it, is busy, ms. */
const SLOW_MS = 20;
/** So do writes that together took longer than this of a second, ms. */
const SLOW_IN_A_SECOND_MS = 200;
/** After a slow write the disk is not trusted for at least this long, ms … */
const DISTRUST_MS = 60_000;
/** … and so many times as long as that write took: one that stood still for 3 s is not tried again for an hour. */
const DISTRUST_TIMES = 1200;

/**
 * Decides whether a write may be made at once, on the main thread. Into the system's cache that takes some 0.1 ms,
 * less than handing it to another thread and back (a quarter of our own CPU); but a busy disk must never hold up the other cameras.
 */
export class WritePace {
  private trustAgainMs = 0;
  private secondBegunMs = 0;
  private tookMs = 0;

  constructor(
    /** monotonic ms */
    private readonly now: () => number = () => performance.now(),
  ) {}

  get atOnce(): boolean {
    return this.now() >= this.trustAgainMs;
  }

  /** Makes a write at once, and notes how long that took. */
  measure<T>(write: () => T): T {
    const begunMs = this.now();
    try {
      return write();
    } finally {
      this.took(begunMs, this.now());
    }
  }

  private took(begunMs: number, endedMs: number): void {
    if (endedMs - this.secondBegunMs > 1000) {
      this.secondBegunMs = begunMs;
      this.tookMs = 0;
    }
    this.tookMs += endedMs - begunMs;
    if (endedMs - begunMs > SLOW_MS || this.tookMs > SLOW_IN_A_SECOND_MS)
      this.trustAgainMs = endedMs + Math.max(DISTRUST_MS, DISTRUST_TIMES * (endedMs - begunMs));
  }
}
