/** A write that took longer than this says that the disk, or the system's cache before it, is busy, ms. */
const SLOW_MS = 20;
/** After a slow write the disk is not trusted for this long, ms. */
const DISTRUST_MS = 60_000;

/**
 * Decides whether a write may be made at once, on the main thread. Into the system's cache that takes some 0.1 ms,
 * less than handing it to another thread and back (a quarter of our own CPU); but a busy disk must never hold up the other cameras.
 */
export class WritePace {
  private trustAgainMs = 0;

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
      if (this.now() - begunMs > SLOW_MS) this.trustAgainMs = this.now() + DISTRUST_MS;
    }
  }
}

/** The recordings of a process lie on one disk. */
export const writePace = new WritePace();
