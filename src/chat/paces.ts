import type { OutboxRow } from '../store/outbox.js';
import type { Digests } from './digest.js';
import { isLaterPart } from './outgoing.js';
import { type Bucket, makeBucket } from './rates.js';

/** How fast messages of a kind may go to a chat: what waits meanwhile goes in one digest. */
export interface Paces {
  /** Looks at the rows of one chat, in order: milliseconds until each may go; 0 = now. */
  look(chatId: string, nowMs: number): (row: OutboxRow) => number;
  take(chatId: string, row: OutboxRow, nowMs: number): void;
}

/** Makes the buckets that the kinds ask for. The later parts of a message follow its first, and go freely after it. */
export function makePaces(digests: Digests): Paces {
  const buckets = new Map<string, Bucket>();
  function bucketOf(chatId: string, kind: string): Bucket | null {
    const pace = digests[kind]?.pace;
    if (pace === undefined) return null;
    const key = `${kind} ${chatId}`;
    let bucket = buckets.get(key);
    if (bucket === undefined) {
      bucket = makeBucket(pace.atOnce, pace.everyMs);
      buckets.set(key, bucket);
    }
    return bucket;
  }
  return {
    look(chatId, nowMs) {
      // a flood is thousands of rows of one kind
      let kind: string | null = null;
      let kindMs = 0;
      let partsMs = 0;
      return (row) => {
        if (isLaterPart(row)) return partsMs;
        if (row.digest !== null && row.digest !== kind) {
          kind = row.digest;
          kindMs = bucketOf(chatId, kind)?.waitMs(1, nowMs) ?? 0;
        }
        partsMs = row.digest === null ? 0 : kindMs;
        return partsMs;
      };
    },
    take(chatId, row, nowMs) {
      if (row.digest !== null) bucketOf(chatId, row.digest)?.take(1, nowMs);
    },
  };
}
