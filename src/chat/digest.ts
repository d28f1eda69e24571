import type { OutboxRow } from '../store/outbox.js';
import { readPayload, wordsOf } from './outgoing.js';

export interface DigestRules {
  /** more than so many of one kind are merged */
  over: number;
  /** longest text the channel takes */
  textLength: number;
  /** the text of a digest, from the texts it stands for */
  say: (texts: string[]) => string;
}

/**
 * What of a chat's waiting messages becomes one with `row`, and the words of that one; null: it goes alone. What does not
 * fit into one message stays for the next: nothing is cut off. Pure.
 */
export function digestWith(
  rows: readonly OutboxRow[],
  row: OutboxRow,
  { over, textLength, say }: DigestRules,
): { alike: OutboxRow[]; text: string } | null {
  const { topic } = readPayload(row.payload);
  let alike = rows.filter(
    (other) =>
      other.digest === row.digest &&
      other.priority === row.priority &&
      readPayload(other.payload).topic === topic,
  );
  if (alike.length <= over) return null;
  const textOf = () =>
    say(alike.map((other) => wordsOf(readPayload(other.payload).reply)).filter((text) => text !== ''));
  while (alike.length > 1 && textOf().length > textLength)
    alike = alike.slice(0, Math.max(1, Math.floor(alike.length * 0.8)));
  if (alike.length === 1 || !alike.includes(row)) return null;
  return { alike, text: textOf() };
}
