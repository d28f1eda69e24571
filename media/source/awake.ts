/** So often it is looked at whether we run, ms. A hold-up shorter than twice this is not noticed. */
const EVERY_MS = 200;

/** Monotonic time, less that in which this process did not run: a write that hung, a stopped process, no CPU. */
export class AwakeClock {
  private seenMs: number | null = null;
  private heldMs = 0;

  constructor(private readonly monotonicMs: () => number = () => performance.now()) {}

  /** ms; begins to run with the first call */
  now(): number {
    if (this.seenMs === null) setInterval(() => this.look(), EVERY_MS).unref();
    return this.look();
  }

  private look(): number {
    const nowMs = this.monotonicMs();
    const lateMs = nowMs - (this.seenMs ?? nowMs) - EVERY_MS;
    if (lateMs > EVERY_MS) this.heldMs += lateMs;
    this.seenMs = nowMs;
    return nowMs - this.heldMs;
  }
}
