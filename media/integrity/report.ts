import type { LineFault } from './walk.js';

/** What was found wrong. */
export type ProblemKind =
  | LineFault
  /** a recorded segment is not there, and no record says that it was deleted */
  | 'missing-file'
  /** another size, or (content check) another content than recorded */
  | 'changed-file'
  /** a file that no record names */
  | 'unknown-file'
  /** a chain that is known to have been is not there */
  | 'chain-missing'
  /** a chain is shorter than it is known to have been */
  | 'cut'
  /** a chain's line is not the one that is known, or the day's digest is not the one given */
  | 'head-differs'
  | 'keys-missing'
  | 'keys-damaged'
  /** the disk could not be read there: not checked */
  | 'unreadable';

export interface Problem {
  kind: ProblemKind;
  /** the file it is about, relative to the recordings' folder */
  path: string;
  /** line of the chain, from 1 */
  line?: number;
  /** the segment that the line names */
  segment?: string;
  /** English, for engineers */
  detail?: string;
}

export interface VerifyReport {
  chains: number;
  /** records of segments */
  segments: number;
  /** files found and as recorded */
  files: number;
  bytes: number;
  hashedBytes: number;
  /** records of deletions */
  deleted: number;
  /** of the segments: hashed after a crash, resp. found without a record */
  recovered: number;
  rebuilt: number;
  /** being written */
  open: number;
  /** their deletion is recorded, but they are still there */
  leftOver: number;
  /** from before the first key: nothing vouches for them */
  unprotected: number;
  keys: { key: string; sinceMs: number }[];
  /** how the digest given was found: closed day, present heads; null: not asked or not found */
  head: 'closed' | 'present' | null;
  /** problems but for what could not be read */
  wrong: number;
  unreadable: number;
}
