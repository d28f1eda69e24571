import fs from 'node:fs/promises';
import path from 'node:path';
import type { Head } from './chain.js';
import { KEYS_FILE, type PublicKeys, readPublicKeys } from './keys.js';
import { chainPath, DAYS_FILE, type DayFacts, dayDigest, daysGenesis } from './record.js';
import type { Problem, ProblemKind } from './report.js';
import { walkChain } from './walk.js';

/** Says what is wrong. */
export type Tell = (kind: ProblemKind, path: string, more?: Omit<Problem, 'kind' | 'path'>) => void;

/** What chains are checked against. */
export interface Known {
  /** null: signatures can't be checked */
  keys: PublicKeys | null;
  /** when the first key was made */
  sinceMs: number;
  /** heads that are known, by chain path */
  heads: Map<string, Head[]>;
  closedDays: Map<string, DayFacts>;
}

export const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code ?? String(error);
export const gone = (error: unknown) => codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR';

/**
 * Reads keys and heads: of closed days from beside the recordings, of growing chains from DATA_DIR (`headsFile`; null:
 * there is none). Tells what is wrong with them.
 */
export async function readKnown(root: string, headsFile: string | null, tell: Tell): Promise<Known> {
  const keys = await readKeys(root, tell);
  const sinceMs = Math.min(...[...(keys?.values() ?? [])].map((one) => one.sinceMs));
  const known: Known = {
    ...{ keys, heads: new Map(), closedDays: new Map() },
    sinceMs: Number.isFinite(sinceMs) ? sinceMs : Number.NEGATIVE_INFINITY,
  };
  const daysHead = headsFile === null ? null : await readHeads(headsFile, known, tell);
  await readDays(root, daysHead, known, tell);
  return known;
}

async function readKeys(root: string, tell: Tell): Promise<PublicKeys | null> {
  try {
    const keys = readPublicKeys(await fs.readFile(path.join(root, KEYS_FILE), 'utf8'));
    if (keys === null) tell('keys-damaged', KEYS_FILE);
    return keys;
  } catch (error) {
    if (gone(error)) tell('keys-missing', KEYS_FILE);
    else tell('unreadable', KEYS_FILE, { detail: codeOf(error) });
    return null;
  }
}

function addHead({ heads }: Known, chain: string, head: Head): void {
  const list = heads.get(chain);
  if (list) list.push(head);
  else heads.set(chain, [head]);
}

/** Gives back the head of the days' chain. */
async function readHeads(headsFile: string, known: Known, tell: Tell): Promise<Head | null> {
  try {
    const text = await fs.readFile(headsFile, 'utf8');
    const kept = JSON.parse(text) as { chains: Record<string, Head>; days: Head | null };
    for (const [chain, head] of Object.entries(kept.chains)) addHead(known, chain, head);
    return kept.days;
  } catch (error) {
    if (!gone(error)) tell('unreadable', path.basename(headsFile), { detail: codeOf(error) });
    return null;
  }
}

async function readDays(root: string, daysHead: Head | null, known: Known, tell: Tell): Promise<void> {
  let text = '';
  try {
    text = await fs.readFile(path.join(root, DAYS_FILE), 'utf8');
  } catch (error) {
    if (!gone(error)) tell('unreadable', DAYS_FILE, { detail: codeOf(error) });
    else if (daysHead !== null) tell('chain-missing', DAYS_FILE);
    if (!gone(error) || daysHead !== null) return;
  }
  const hashes = new Map<number, string>();
  walkChain(text, {
    ...{ genesis: daysGenesis(), keys: known.keys, everySignature: true },
    onFault: (kind, line) => tell(kind, DAYS_FILE, { line }),
    onRecord: (record, line, hash) => {
      hashes.set(record.n, hash);
      if (record.kind !== 'day') return;
      const { day, chains, digest } = record;
      if (dayDigest(day, chains) !== digest) tell('edited', DAYS_FILE, { line });
      if (!known.closedDays.has(day)) known.closedDays.set(day, record);
      for (const { cameraId, stream, n, head } of chains)
        addHead(known, chainPath({ cameraId, stream, day }), { n, head });
    },
  });
  if (daysHead !== null && hashes.get(daysHead.n) !== daysHead.head)
    tell(hashes.size < daysHead.n ? 'cut' : 'head-differs', DAYS_FILE, { line: daysHead.n });
}
