import type { OutboxRow } from '../store/outbox.js';
import { type OutPayload, readPayload, wholeKey, wordsOf } from './outgoing.js';
import { manyMessages } from './sentences.js';

/** One message that a digest stands for. */
export interface DigestPart {
  /** what it is called in a digest, else its words */
  text: string;
  /** when it was put */
  atMs: number;
}

/** Messages of one kind that pile up for a chat become one that says them all. */
export interface DigestKind {
  /** the text of a digest; one that is too long is asked for again with fewer parts */
  say(parts: DigestPart[], textLength: number): string;
  /** so many go to a chat in quick succession, then one each `everyMs`; left out: at the pace of the chat */
  pace?: { atOnce: number; everyMs: number };
}

export type Digests = Readonly<Record<string, DigestKind>>;

/** How kinds that are not named are said. */
export const PLAIN_DIGEST: DigestKind = {
  say: (parts) => manyMessages(parts.map(({ text }) => text)),
};

export interface DigestRules {
  /** more than so many of one kind are merged */
  over: number;
  /** longest text the channel takes */
  textLength: number;
  say: DigestKind['say'];
}

/** No digest stands for more: looking at all of a flood each time would cost more than sending one more. */
const MOST = 500;

/** What must be the same in all that go as one. */
const sameOf = ({ topic, only }: OutPayload) => JSON.stringify([topic, only]);

/**
 * The waiting rows that go together with `row` as one message, and its text; null when they are few. Messages go whole: of
 * one whose first part has gone already the rest is left as it is. Where not all fit, the later ones wait for the next
 * digest: nothing is cut off. Pure.
 */
export function digestWith(
  rows: readonly OutboxRow[],
  row: OutboxRow,
  { over, textLength, say }: DigestRules,
): { alike: OutboxRow[]; text: string } | null {
  const same = sameOf(readPayload(row.payload));
  const found: { row: OutboxRow; part: DigestPart }[] = [];
  for (const other of rows) {
    if (found.length >= MOST) break;
    if (other.digest !== row.digest) continue;
    if (other.priority !== row.priority || other.personId !== row.personId) continue;
    const payload = readPayload(other.payload);
    if (sameOf(payload) !== same) continue;
    const text = payload.brief ?? wordsOf(payload.reply);
    found.push({ row: other, part: { text, atMs: other.createdMs } });
  }
  if (found.length <= over) return null;
  const textOf = () =>
    say(
      found.map(({ part }) => part).filter(({ text }) => text !== ''),
      textLength,
    );
  while (found.length > 1 && textOf().length > textLength)
    found.length = Math.max(1, Math.floor(found.length * 0.8));
  if (found.length === 1 || !found.some((one) => one.row === row)) return null;
  const keys = new Set(found.map((one) => one.row.key));
  return { alike: rows.filter((other) => keys.has(wholeKey(other.key))), text: textOf() };
}
