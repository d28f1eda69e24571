import { ApiFailure } from './types.js';

/** Fills up at `perSecond` up to `size`; each message takes one. */
class Bucket {
  private level: number;
  private atMs: number;

  constructor(
    private readonly size: number,
    private readonly perSecond: number,
    now: number,
  ) {
    this.level = size;
    this.atMs = now;
  }

  /** Seconds to wait for `count` more, 0 = there is room. An album larger than the bucket passes a full one. */
  wait(now: number, count: number): number {
    this.level = Math.min(this.size, this.level + ((now - this.atMs) / 1000) * this.perSecond);
    this.atMs = now;
    const needed = Math.min(count, this.size) - this.level;
    return needed <= 0 ? 0 : needed / this.perSecond;
  }

  take(count: number) {
    this.level -= count;
  }
}

/** Telegram's flood limits: 30 messages/s overall, 1/s per chat after a small burst, 20/min per group. */
export class Rates {
  private readonly overall: Bucket;
  private readonly chats = new Map<number, Bucket>();
  private readonly groups = new Map<number, Bucket>();

  constructor(private readonly now: () => number) {
    this.overall = new Bucket(30, 30, now());
  }

  /** Takes room for `count` messages, or throws 429 with `retry_after`. */
  take(chatId: number, count: number) {
    const now = this.now();
    const buckets = [this.overall, this.bucket(this.chats, chatId, 4, 1)];
    if (chatId < 0) buckets.push(this.bucket(this.groups, chatId, 20, 20 / 60));
    const wait = Math.ceil(Math.max(...buckets.map((bucket) => bucket.wait(now, count))));
    if (wait > 0) throw new ApiFailure(429, `Too Many Requests: retry after ${wait}`, { retry_after: wait });
    for (const bucket of buckets) bucket.take(count);
  }

  private bucket(among: Map<number, Bucket>, chatId: number, size: number, perSecond: number): Bucket {
    let found = among.get(chatId);
    if (found === undefined) {
      found = new Bucket(size, perSecond, this.now());
      among.set(chatId, found);
    }
    return found;
  }
}
