import { createHash, type KeyObject, sign, verify } from 'node:crypto';
import path from 'node:path';
import { toVietnamTime } from '../../src/base/clock.js';
import { CAMERA_ID } from '../recording/names.js';
import type { Cause, ClockStep, Loss, StreamName } from '../types.js';

/** The file of a chain, in its day's folder. */
export const CHAIN_FILE = 'chain.jsonl';
/** The chain of the finished days and of the machine's clock, in the recordings' folder. */
export const DAYS_FILE = 'chain-heads.jsonl';

/** One chain: the segments of one stream that lie in one day's folder. */
export interface ChainId {
  cameraId: string;
  stream: StreamName;
  /** `2026-11-21`, Vietnamese date */
  day: string;
}

/** written: hashed as it was written · recovered: cut after a crash, hashed from the file · rebuilt: found whole without a record */
export type How = 'written' | 'recovered' | 'rebuilt';

/** What the pictures of a segment are; older records lack it. */
export interface PictureFacts {
  /** avc1.… or hvc1.…, as in the sample entry */
  codec: string;
  width: number;
  height: number;
}

export interface SegmentFacts extends Partial<PictureFacts> {
  /** relative to the recordings' folder, with forward slashes */
  path: string;
  startMs: number;
  endMs: number;
  sizeBytes: number;
  /** hex */
  sha256: string;
  how: How;
}

export interface DeletionFacts {
  path: string;
  startMs: number;
  endMs: number;
  sizeBytes: number;
  /** of what is deleted; null when it had no record */
  sha256: string | null;
  /** age, space … */
  reason: string;
}

/** A stretch without recording begins (`endMs` null) or has ended; a begin without an end lasted until the next record. */
export interface GapFacts {
  cameraId: string;
  stream: StreamName;
  startMs: number;
  endMs: number | null;
  cause: Cause | Loss;
}

/** The head of one chain when its day was closed. */
export interface ChainHead {
  cameraId: string;
  stream: StreamName;
  /** records in the chain */
  n: number;
  /** SHA-256 of its last line, hex */
  head: string;
  /** segments recorded in it */
  segments: number;
}

export interface DayFacts {
  day: string;
  chains: ChainHead[];
  segments: number;
  /** see dayDigest */
  digest: string;
}

export type Facts =
  | ({ kind: 'segment' } & SegmentFacts)
  | ({ kind: 'deleted' } & DeletionFacts)
  | ({ kind: 'gap' } & GapFacts)
  | ({ kind: 'clock-set' } & ClockStep)
  | ({ kind: 'day' } & DayFacts);

interface Link {
  /** 1, 2, 3 … */
  n: number;
  /** SHA-256 of the line before, hex; of the genesis for the first */
  prev: string;
  /** when it was recorded, epoch ms */
  at: number;
  /** id of the key that signed it */
  key: string;
  /** Ed25519 over the line without `sig`, base64 */
  sig: string;
}

export type ChainRecord = Facts & Link;

export const sha256 = (bytes: Buffer | string) => createHash('sha256').update(bytes).digest('hex');

const chainName = ({ cameraId, stream, day }: ChainId) => `${cameraId}/${stream}/${day}`;

/** Whether a record may stand in this chain. */
export function belongsTo(record: ChainRecord, chain: ChainId): boolean {
  if (record.kind === 'gap') return record.cameraId === chain.cameraId && record.stream === chain.stream;
  const of = record.kind === 'segment' || record.kind === 'deleted' ? chainOf(record.path) : null;
  return of !== null && chainName(of) === chainName(chain);
}

/** Relative path of a chain's file. */
export const chainPath = (chain: ChainId) => `${chainName(chain)}/${CHAIN_FILE}`;

/** What the first line follows: names the place, so that a chain copied elsewhere does not fit there. */
export const genesisOf = (chain: ChainId) => sha256(`mat-than chain ${chainName(chain)}\n`);
export const daysGenesis = () => sha256('mat-than days\n');

/** The Vietnamese date of a moment: `2026-11-21`. */
export function dayOf(ms: number): string {
  const { year, month, day } = toVietnamTime(ms);
  return `${year}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}`;
}

/** The chain that a segment's path belongs to; null when the path is none of ours. */
export function chainOf(relative: string): ChainId | null {
  const match = /^([^/]+)\/(main|sub)\/(\d{4}-\d\d-\d\d)\/\d\d\/[^/]+$/.exec(relative);
  if (!match || !CAMERA_ID.test(match[1]!)) return null;
  return { cameraId: match[1]!, stream: match[2] as StreamName, day: match[3]! };
}

/** One text for a whole day, to be kept where the machine's holder can't reach: SHA-256 over every chain's head. */
export function dayDigest(
  day: string,
  chains: readonly Pick<ChainHead, 'cameraId' | 'stream' | 'n' | 'head'>[],
) {
  const lines = chains.map(({ cameraId, stream, n, head }) => `${cameraId}/${stream} ${n} ${head}\n`);
  return sha256(`mat-than day ${day}\n${lines.sort().join('')}`);
}

export interface Signer {
  /** id of the public key */
  id: string;
  privateKey: KeyObject;
}

/** A record as its line, without the newline. */
export function writeRecord(
  facts: Facts,
  link: Omit<Link, 'key' | 'sig'>,
  { id, privateKey }: Signer,
): string {
  const unsigned = JSON.stringify({ n: link.n, ...facts, prev: link.prev, at: link.at, key: id });
  const sig = sign(null, Buffer.from(unsigned), privateKey).toString('base64');
  return `${unsigned.slice(0, -1)},"sig":"${sig}"}`;
}

const SIGNED = /^(.*),"sig":"([A-Za-z0-9+/]{86}==)"\}$/s;
const HASH = /^[0-9a-f]{64}$/;
const count = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const word = (value: unknown) => typeof value === 'string' && value !== '';

function isFacts(record: Record<string, unknown>): boolean {
  if (record.kind === 'day')
    return typeof record.day === 'string' && HASH.test(String(record.digest)) && Array.isArray(record.chains);
  if (record.kind === 'clock-set') return Number.isFinite(record.fromMs) && Number.isFinite(record.toMs);
  if (record.kind === 'gap') {
    const ended = record.endMs === null || Number.isFinite(record.endMs);
    const named = CAMERA_ID.test(String(record.cameraId)) && /^(main|sub)$/.test(String(record.stream));
    return named && ended && Number.isFinite(record.startMs) && word(record.cause);
  }
  if (record.kind !== 'segment' && record.kind !== 'deleted') return false;
  if (record.codec !== undefined && !(word(record.codec) && count(record.width) && count(record.height)))
    return false;
  const named = typeof record.path === 'string' && path.posix.normalize(record.path) === record.path;
  const hashed = HASH.test(String(record.sha256)) || (record.kind === 'deleted' && record.sha256 === null);
  return named && hashed && count(record.sizeBytes) && Number.isFinite(record.startMs);
}

/** Reads a line back; null when it is no record. Its signature is checked by `isSigned`. */
export function readRecord(line: string): ChainRecord | null {
  const [, , sig] = SIGNED.exec(line) ?? [];
  if (sig === undefined) return null;
  try {
    const record = JSON.parse(line) as Record<string, unknown>;
    if (!count(record.n) || record.n < 1 || !HASH.test(String(record.prev))) return null;
    if (typeof record.key !== 'string' || !Number.isFinite(record.at) || !isFacts(record)) return null;
    return record as unknown as ChainRecord;
  } catch {
    return null;
  }
}

/** Whether the line is signed by this key, byte for byte. */
export function isSigned(line: string, publicKey: KeyObject): boolean {
  const [, body, sig] = SIGNED.exec(line) ?? [];
  if (body === undefined || sig === undefined) return false;
  const bytes = Buffer.from(sig, 'base64');
  // base64 has spare bits: only the one way of writing it counts
  if (bytes.toString('base64') !== sig) return false;
  return verify(null, Buffer.from(`${body}}`), publicKey, bytes);
}
