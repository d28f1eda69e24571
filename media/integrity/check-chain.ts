import { readSegmentName } from '../recording/names.js';
import type { Head } from './chain.js';
import type { PublicKeys } from './keys.js';
import { belongsTo, type ChainId, type ChainRecord, chainPath, genesisOf } from './record.js';
import type { Problem, ProblemKind, VerifyReport } from './report.js';
import { walkChain } from './walk.js';

interface Entry {
  record: ChainRecord & { kind: 'segment' | 'deleted' };
  deleted: boolean;
}

/** What one look at a chain gave. */
export interface ChainLook {
  problems: Problem[];
  /** the last word on each file, by its path */
  entries: Map<string, Entry>;
  counts: Pick<
    VerifyReport,
    'segments' | 'deleted' | 'recovered' | 'rebuilt' | 'open' | 'leftOver' | 'unprotected' | 'files' | 'bytes'
  >;
  /** to be hashed: path and what was recorded */
  there: { path: string; sha256: string; sizeBytes: number }[];
  end: Head;
  /** the end without the deletions behind the last other record */
  undeleted: Head;
}

/** A look that has seen nothing yet. */
export const emptyLook = (id: ChainId): ChainLook => ({
  problems: [],
  entries: new Map(),
  counts: {
    ...{ segments: 0, deleted: 0, recovered: 0, rebuilt: 0, open: 0, leftOver: 0, unprotected: 0 },
    ...{ files: 0, bytes: 0 },
  },
  there: [],
  end: { n: 0, head: genesisOf(id) },
  undeleted: { n: 0, head: genesisOf(id) },
});

export interface ChainFacts {
  /** null: signatures can't be checked */
  keys: PublicKeys | null;
  everySignature: boolean;
  /** heads that the chain is known to have had */
  wanted: readonly Head[];
}

/** Reads a chain's text into the look: every break, every record that does not belong or does not fit. */
export function checkLines(id: ChainId, text: string, facts: ChainFacts, look: ChainLook): void {
  const chain = chainPath(id);
  const { keys, everySignature, wanted } = facts;
  const hashes = new Map<number, string>();
  let misplaced = false;
  const segmentOf = (record: ChainRecord | null) =>
    record !== null && 'path' in record ? { segment: record.path } : {};
  const fault = (kind: ProblemKind, line: number, record: ChainRecord | null, detail?: string) =>
    look.problems.push({ kind, path: chain, line, ...segmentOf(record), ...(detail && { detail }) });
  walkChain(text, {
    ...{ genesis: genesisOf(id), keys, everySignature },
    onFault: (kind, line, record, more) =>
      fault(kind, line, record, more && `records ${more.from}–${more.to} are not there`),
    onRecord: (record, line, hash) => {
      if (wanted.some(({ n }) => n === record.n)) hashes.set(record.n, hash);
      look.end = { n: record.n, head: hash };
      if (!belongsTo(record, id)) {
        if (!misplaced) fault('foreign-chain', line, record, 'a record of another place');
        misplaced = true;
        return;
      }
      if (record.kind !== 'deleted') look.undeleted = look.end;
      if (!takeRecord(record, look)) fault('order', line, record, 'does not fit the records before');
    },
  });
  for (const { n, head } of wanted) {
    if (hashes.get(n) === head || text === '') continue;
    if (look.end.n < n) fault('cut', n, null, `it had ${n} records`);
    else if (look.problems.every((one) => one.path !== chain)) fault('head-differs', n, null);
  }
}

/** False when the record contradicts what came before. */
function takeRecord(record: ChainRecord, { entries, counts }: ChainLook): boolean {
  if (record.kind !== 'segment' && record.kind !== 'deleted') return true;
  const before = entries.get(record.path);
  entries.set(record.path, { record, deleted: record.kind === 'deleted' });
  if (record.kind === 'deleted') {
    counts.deleted++;
    const known = before?.deleted === false ? before.record.sha256 : null;
    // null: the chain could not be read when the deletion was recorded
    return record.sha256 === null || record.sha256 === known;
  }
  counts.segments++;
  if (record.how === 'recovered') counts.recovered++;
  if (record.how === 'rebuilt') counts.rebuilt++;
  return before === undefined || before.deleted || before.record.sha256 === record.sha256;
}

/** Files that no record names. `sinceMs`: when the first key was made. */
export function checkNames(files: ReadonlySet<string>, sinceMs: number, look: ChainLook): void {
  for (const file of files) {
    if (look.entries.has(file)) continue;
    const named = readSegmentName(file);
    if (named?.open) look.counts.open++;
    else if (named !== null && named.startMs < sinceMs) look.counts.unprotected++;
    else look.problems.push({ kind: 'unknown-file', path: file });
  }
}

/** A recorded file against what is there: null: nothing. */
export function checkFile(
  file: string,
  { record, deleted }: Entry,
  found: { sizeBytes: number; isFile: boolean } | null,
  { counts, problems, there }: ChainLook,
): void {
  const { sizeBytes, sha256, at } = record;
  if (found === null) {
    const detail = `recorded ${new Date(at).toISOString()}`;
    if (!deleted) problems.push({ kind: 'missing-file', path: file, detail });
    return;
  }
  if (deleted) counts.leftOver++;
  if (sha256 === null) return;
  if (found.sizeBytes !== sizeBytes || !found.isFile) {
    const detail = `${found.sizeBytes} bytes instead of ${sizeBytes}`;
    problems.push({ kind: 'changed-file', path: file, detail });
    return;
  }
  if (!deleted) {
    counts.files++;
    counts.bytes += sizeBytes;
  }
  there.push({ path: file, sha256, sizeBytes });
}
