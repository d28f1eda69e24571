import { createHash } from 'node:crypto';
import type { Incoming, Message } from '../../../chat/message.js';

/** Zalo repeats an event for two hours. Source: chat-apis.md §1.8. */
const REPEATS_MS = 2 * 3_600_000;

/** What an address ends in: the host and the query may differ from one telling to the next. */
function pathOf(url: string): string {
  try {
    return new URL(url).pathname;
  } catch {
    return url;
  }
}

/**
 * What a message is beside its id: who wrote it, where, in which millisecond, and which files or words. Two messages of
 * one moment with different files are two.
 */
export function likenessOf({ chatId, sender, sentMs, text, attachments, place }: Message): string {
  const what =
    attachments.length > 0
      ? attachments.map(({ ref }) => pathOf(ref))
      : [text.normalize('NFC').replace(/\s+/g, ' ').trim(), place?.latitude, place?.longitude];
  return createHash('sha256')
    .update(JSON.stringify([chatId, sender.userId, sentMs, what]))
    .digest('base64url');
}

/** Only so many are remembered, the newest. */
const MOST = 50_000;

export interface Once {
  /** The other id under which a message is there already; null: it is not, and is remembered. */
  knownAs(incoming: Incoming): string | null;
  /** It was not taken after all, and comes again. */
  forget(incoming: Incoming): void;
  /** What was taken before then comes no more, epoch ms. */
  forgetBefore(ms: number): void;
}

/**
 * Whether a conversation names a message as its webhook did is not documented [?]: what a round found and what the webhook
 * brings must be one message all the same.
 * @param known what was taken before this start
 */
export function makeOnce(known: readonly Message[], { now }: { now: () => number }): Once {
  const seen = new Map<string, { id: string; atMs: number }>();
  const concerns = (incoming: Incoming): incoming is Message => incoming.kind === 'message';
  const remember = (likeness: string, id: string, atMs: number) => {
    seen.set(likeness, { id, atMs });
    for (const oldest of seen.keys()) {
      if (seen.size <= MOST) break;
      seen.delete(oldest);
    }
  };
  for (const message of [...known].sort((a, b) => a.sentMs - b.sentMs))
    if (concerns(message)) remember(likenessOf(message), message.externalId, message.sentMs);
  return {
    knownAs(incoming) {
      if (!concerns(incoming)) return null;
      const likeness = likenessOf(incoming);
      const before = seen.get(likeness);
      if (before !== undefined) return before.id === incoming.externalId ? null : before.id;
      remember(likeness, incoming.externalId, now());
      return null;
    },
    forget(incoming) {
      if (!concerns(incoming)) return;
      const likeness = likenessOf(incoming);
      if (seen.get(likeness)?.id === incoming.externalId) seen.delete(likeness);
    },
    forgetBefore(ms) {
      for (const [likeness, { atMs }] of seen) {
        if (atMs >= ms) break;
        seen.delete(likeness);
      }
    },
  };
}

/** What was taken since then may come again under another id, epoch ms. @param sinceMs catching up goes back to here */
export const mayComeAgainSince = (sinceMs: number, nowMs: number): number =>
  Math.min(sinceMs, nowMs - REPEATS_MS);
