import type { KeyObject } from 'node:crypto';
import { linesOf } from './chain.js';
import { type ChainRecord, isSigned, readRecord, sha256 } from './record.js';

/** What can be wrong with a chain's lines. */
export type LineFault =
  /** not a record any more */
  | 'bad-record'
  /** its signature is not over what it says */
  | 'edited'
  /** signed by a key that keys.json does not name */
  | 'unknown-key'
  /** lines are missing before it */
  | 'removed'
  /** it does not follow the line before it */
  | 'order'
  /** the first line follows another camera's, stream's or day's beginning */
  | 'foreign-chain'
  /** the last line is torn: a power cut, or cut */
  | 'torn';

export interface ChainWalk {
  genesis: string;
  /** null: there is no list of keys, signatures can't be checked */
  keys: Map<string, { publicKey: KeyObject }> | null;
  /** true: each signature; false: those that vouch for all lines before them, and those around a break */
  everySignature: boolean;
  /** in order; `line` counts from 1, `hash` is the line's */
  onRecord: (record: ChainRecord, line: number, hash: string) => void;
  onFault: (
    fault: LineFault,
    line: number,
    record: ChainRecord | null,
    more?: { from: number; to: number },
  ) => void;
}

interface Seen {
  text: string;
  line: number;
  record: ChainRecord;
  /** whether its signature holds; null: not looked at yet */
  signed: boolean | null;
}

/**
 * Reads a chain's lines and tells every break. Since each line names the hash of the one before, the signature of the
 * last line of each key vouches for all before it.
 */
export function walkChain(text: string, walk: ChainWalk): void {
  const { lines, torn } = linesOf(text);
  let prev = walk.genesis;
  let before: Seen | null = null;
  let nextN = 1;
  const check = (seen: Seen | null): boolean => {
    if (seen === null || walk.keys === null) return true;
    seen.signed ??= signed(seen, walk);
    return seen.signed;
  };
  lines.forEach((text, index) => {
    const record = readRecord(text);
    const hash = sha256(text);
    const line = index + 1;
    if (record === null) {
      check(before);
      walk.onFault('bad-record', line, null);
      nextN++;
      before = null;
    } else {
      const seen: Seen = { text, line, record, signed: null };
      const follows = record.prev === prev && record.n === nextN;
      if (!follows) {
        const whole = check(before);
        const unbroken = before !== null || index === 0;
        if (record.n > nextN) walk.onFault('removed', line, record, { from: nextN, to: record.n - 1 });
        else if (index === 0 && record.n === 1) walk.onFault('foreign-chain', line, record);
        else if (whole && unbroken) walk.onFault('order', line, record);
      }
      if (before !== null && before.record.key !== record.key) check(before);
      if (!follows || walk.everySignature) check(seen);
      walk.onRecord(record, line, hash);
      nextN = record.n + 1;
      before = seen;
    }
    prev = hash;
  });
  check(before);
  if (torn !== '') walk.onFault('torn', lines.length + 1, null);
}

function signed({ text, line, record }: Seen, { keys, onFault }: ChainWalk): boolean {
  const key = keys!.get(record.key);
  if (key === undefined) onFault('unknown-key', line, record);
  else if (isSigned(text, key.publicKey)) return true;
  else onFault('edited', line, record);
  return false;
}
