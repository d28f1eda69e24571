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
 * What a message is beside its id: who wrote it, in which millisecond, and which files or words. Two messages of one
 * moment with different files are two.
 */
export function likenessOf({ sender, sentMs, text, attachments, place }: Message): string {
  const what =
    attachments.length > 0
      ? attachments.map(({ ref }) => pathOf(ref))
      : [text.normalize('NFC').replace(/\s+/g, ' ').trim(), place?.latitude, place?.longitude];
  return createHash('sha256')
    .update(JSON.stringify([sender.userId, sentMs, what]))
    .digest('base64url');
}

export interface Once {
  /** Is it a message that is there already under another id? Else it is remembered. */
  isTwice(incoming: Incoming): boolean;
  /** It was not taken after all, and comes again. */
  forget(incoming: Incoming): void;
}

/**
 * Whether a conversation names a message as its webhook did is not documented [?]: after an outage what was caught up and
 * what the webhook brings again must be one message all the same. Looked at until the webhook repeats nothing any more.
 * @param known what was taken before this start
 */
export function makeOnce(known: readonly Message[], { now }: { now: () => number }): Once {
  const seen = new Map<string, string>();
  const untilMs = now() + REPEATS_MS;
  // groups are never caught up
  const concerns = (incoming: Incoming): incoming is Message =>
    incoming.kind === 'message' && incoming.chatKind === 'private';
  for (const message of known) if (concerns(message)) seen.set(likenessOf(message), message.externalId);
  return {
    isTwice(incoming) {
      if (now() > untilMs) seen.clear();
      else if (concerns(incoming)) {
        const likeness = likenessOf(incoming);
        const before = seen.get(likeness);
        if (before !== undefined) return before !== incoming.externalId;
        seen.set(likeness, incoming.externalId);
      }
      return false;
    },
    forget(incoming) {
      if (!concerns(incoming)) return;
      const likeness = likenessOf(incoming);
      if (seen.get(likeness) === incoming.externalId) seen.delete(likeness);
    },
  };
}

/** What was taken since then may come again under another id, epoch ms. @param sinceMs catching up goes back to here */
export const mayComeAgainSince = (sinceMs: number, nowMs: number): number =>
  Math.min(sinceMs, nowMs - REPEATS_MS);
