import { OaFailure } from './types.js';

const PER_MINUTE = 100;

/** A hundred calls a minute, counted by the clock's minutes. */
export class Rates {
  on = true;
  private minute = 0;
  private used = 0;

  constructor(private readonly now: () => number) {}

  /** Counts a call. @returns the headers of its answer, and whether it is one too many */
  take(): { headers: Record<string, string>; over: OaFailure | null } {
    const minute = Math.floor(this.now() / 60_000);
    if (minute !== this.minute) {
      this.minute = minute;
      this.used = 0;
    }
    this.used += 1;
    const remain = Math.max(0, PER_MINUTE - this.used);
    return {
      headers: { 'X-RateLimit-Limit': String(PER_MINUTE), 'X-RateLimit-Remain': String(remain) },
      over: this.on && this.used > PER_MINUTE ? new OaFailure(-32, 'Out of rate limit') : null,
    };
  }
}
