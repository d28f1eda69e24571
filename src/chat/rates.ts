import type { ChannelLimits } from './message.js';

/** Holds up to `capacity` tokens, refilled evenly; time comes in from outside, milliseconds. */
export interface Bucket {
  /** milliseconds until `cost` tokens are there; 0 = now */
  waitMs(cost: number, nowMs: number): number;
  take(cost: number, nowMs: number): void;
}

/** @param everyMs time in which one token comes back */
export function makeBucket(capacity: number, everyMs: number): Bucket {
  let tokens = capacity;
  let atMs = Number.NEGATIVE_INFINITY;
  const refill = (nowMs: number) => {
    if (nowMs > atMs) {
      if (everyMs > 0 && atMs !== Number.NEGATIVE_INFINITY)
        tokens = Math.min(capacity, tokens + (nowMs - atMs) / everyMs);
      else tokens = capacity;
      atMs = nowMs;
    }
  };
  // an album larger than the bucket goes when the bucket is full, and leaves it in debt
  const needed = (cost: number) => Math.min(cost, capacity);
  return {
    waitMs(cost, nowMs) {
      refill(nowMs);
      const missing = needed(cost) - tokens;
      return missing <= 1e-9 ? 0 : Math.ceil(missing * everyMs);
    },
    take(cost, nowMs) {
      refill(nowMs);
      tokens -= cost;
    },
  };
}

/** What a channel may send and when: overall, to one private chat, to one group. */
export interface Rates {
  waitMs(chatId: string, group: boolean, cost: number, nowMs: number): number;
  take(chatId: string, group: boolean, cost: number, nowMs: number): void;
}

/** Makes the buckets that a channel's limits ask for; those of quiet chats are forgotten. */
export function makeRates(rates: ChannelLimits['rates']): Rates {
  const all = makeBucket(Math.max(1, rates.perSecond), 1000 / rates.perSecond);
  const chats = new Map<string, { bucket: Bucket; usedMs: number }>();
  const of = (chatId: string, group: boolean, nowMs: number) => {
    let found = chats.get(chatId);
    if (found === undefined) {
      if (chats.size > 5000)
        for (const [id, chat] of chats) if (nowMs - chat.usedMs > 120_000) chats.delete(id);
      found = {
        bucket: group
          ? makeBucket(Math.max(1, rates.perGroupPerMinute), 60_000 / rates.perGroupPerMinute)
          : makeBucket(1, rates.perChatMs),
        usedMs: nowMs,
      };
      chats.set(chatId, found);
    }
    found.usedMs = nowMs;
    return found.bucket;
  };
  return {
    waitMs: (chatId, group, cost, nowMs) =>
      Math.max(all.waitMs(cost, nowMs), of(chatId, group, nowMs).waitMs(cost, nowMs)),
    take(chatId, group, cost, nowMs) {
      all.take(cost, nowMs);
      of(chatId, group, nowMs).take(cost, nowMs);
    },
  };
}
