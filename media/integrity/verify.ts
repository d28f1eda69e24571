import type { KeyObject } from 'node:crypto';
import type { Dirent } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { CAMERA_ID, readSegmentName } from '../recording/names.js';
import type { StreamName } from '../types.js';
import type { Head } from './chain.js';
import { Hashers } from './hash.js';
import { KEYS_FILE, readPublicKeys } from './keys.js';
import {
  CHAIN_FILE,
  type ChainId,
  type ChainRecord,
  chainOf,
  chainPath,
  DAYS_FILE,
  type DayFacts,
  dayDigest,
  daysGenesis,
  genesisOf,
} from './record.js';
import { type LineFault, walkChain } from './walk.js';

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

export interface VerifyOptions {
  /** absolute folder of the recordings, or a copy of it */
  root: string;
  camera?: string;
  /** Vietnamese dates, both included */
  from?: string;
  to?: string;
  /** read and hash every file, not only look at its size */
  content?: boolean;
  /** with `from` and `to` the same day: the digest that was sent to the officers */
  head?: string;
  /** heads kept in DATA_DIR (chain-heads.json); null: there are none */
  headsFile?: string | null;
  /** files hashed at a time */
  workers: number;
  /** epoch ms; what changed just before is looked at again before it is called wrong */
  nowMs: number;
  onProblem?: (problem: Problem) => void;
  onProgress?: (report: VerifyReport) => void;
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

type PublicKeys = Map<string, { publicKey: KeyObject; sinceMs: number }>;

interface Entry {
  record: ChainRecord & { kind: 'segment' | 'deleted' };
  deleted: boolean;
}

/** What one look at a chain gave. */
interface ChainLook {
  problems: Problem[];
  entries: Map<string, Entry>;
  counts: Pick<
    VerifyReport,
    'segments' | 'deleted' | 'recovered' | 'rebuilt' | 'open' | 'leftOver' | 'unprotected' | 'files' | 'bytes'
  >;
  /** to be hashed: path and what was recorded */
  there: { path: string; sha256: string; sizeBytes: number }[];
  end: Head;
  /** the end without the deletions behind the last segment */
  lastSegment: Head;
}

/** Chains looked at side by side. */
const SIDE_BY_SIDE = 4;
const STATS_AT_ONCE = 64;
/** What a running recorder changed so lately may be half done, ms. */
const FRESH_MS = 120_000;
const LOOKS = 4;
const LOOK_AGAIN_MS = 700;
/** No day's chain is as long as this. */
const LARGEST_CHAIN = 128 * 1024 * 1024;

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code ?? String(error);
const gone = (error: unknown) => codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR';

/**
 * Checks recordings against their chains: needs nothing but the folder. Reads one chain a time and what it names;
 * memory does not grow with the archive. Throws when the folder itself can't be read.
 */
export function verifyRecordings(options: VerifyOptions): Promise<VerifyReport> {
  return new Verifier(options).run();
}

class Verifier {
  private readonly report: VerifyReport = {
    ...{ chains: 0, segments: 0, files: 0, bytes: 0, hashedBytes: 0, deleted: 0, recovered: 0, rebuilt: 0 },
    ...{ open: 0, leftOver: 0, unprotected: 0, keys: [], head: null, wrong: 0, unreadable: 0 },
  };
  private keys: PublicKeys | null = null;
  private sinceMs = Number.NEGATIVE_INFINITY;
  /** heads that are known, by chain path */
  private readonly known = new Map<string, Head[]>();
  private readonly closedDays = new Map<string, DayFacts>();
  private readonly hashers: Hashers;
  /** for a digest that no closed day has */
  private readonly ends: (ChainId & { end: Head; lastSegment: Head })[] = [];

  constructor(private readonly options: VerifyOptions) {
    this.hashers = new Hashers(options.workers);
  }

  async run(): Promise<VerifyReport> {
    const { root, head } = this.options;
    const names = await fs.readdir(root, { withFileTypes: true });
    try {
      await this.readKeys();
      await this.readHeads();
      for (const one of names)
        if (one.isFile() && one.name.endsWith('.mp4')) this.tell('unknown-file', one.name);
      const chains = await this.findChains(names);
      const next = chains.values();
      const work = async () => {
        for (const id of next) await this.verifyChain(id);
      };
      await Promise.all(Array.from({ length: SIDE_BY_SIDE }, work));
      if (head !== undefined) this.compareHead(head);
    } finally {
      await this.hashers.close();
    }
    return this.report;
  }

  private tell(kind: ProblemKind, path: string, more: Omit<Problem, 'kind' | 'path'> = {}): void {
    if (kind === 'unreadable') this.report.unreadable++;
    else this.report.wrong++;
    this.options.onProblem?.({ kind, path, ...more });
  }

  private async readKeys(): Promise<void> {
    try {
      const text = await fs.readFile(path.join(this.options.root, KEYS_FILE), 'utf8');
      this.keys = readPublicKeys(text);
      if (this.keys === null) this.tell('keys-damaged', KEYS_FILE);
    } catch (error) {
      if (gone(error)) this.tell('keys-missing', KEYS_FILE);
      else this.tell('unreadable', KEYS_FILE, { detail: codeOf(error) });
    }
    if (this.keys === null) return;
    this.report.keys = [...this.keys].map(([key, { sinceMs }]) => ({ key, sinceMs }));
    this.sinceMs = Math.min(...this.report.keys.map((one) => one.sinceMs));
  }

  private addHead(chain: string, head: Head): void {
    const heads = this.known.get(chain);
    if (heads) heads.push(head);
    else this.known.set(chain, [head]);
  }

  /** Heads of closed days, from beside the recordings, and of growing chains, from DATA_DIR. */
  private async readHeads(): Promise<void> {
    const { headsFile, root } = this.options;
    let daysHead: Head | null = null;
    if (headsFile != null)
      try {
        const text = await fs.readFile(headsFile, 'utf8');
        const kept = JSON.parse(text) as { chains: Record<string, Head>; days: Head | null };
        for (const [chain, head] of Object.entries(kept.chains)) this.addHead(chain, head);
        daysHead = kept.days;
      } catch (error) {
        if (!gone(error)) this.tell('unreadable', path.basename(headsFile), { detail: codeOf(error) });
      }
    let text = '';
    try {
      text = await fs.readFile(path.join(root, DAYS_FILE), 'utf8');
    } catch (error) {
      if (!gone(error)) this.tell('unreadable', DAYS_FILE, { detail: codeOf(error) });
      else if (daysHead !== null) this.tell('chain-missing', DAYS_FILE);
      if (!gone(error) || daysHead !== null) return;
    }
    const hashes = new Map<number, string>();
    walkChain(text, {
      ...{ genesis: daysGenesis(), keys: this.keys, everySignature: true },
      onFault: (kind, line) => this.tell(kind, DAYS_FILE, { line }),
      onRecord: (record, line, hash) => {
        hashes.set(record.n, hash);
        if (record.kind !== 'day') return;
        const { day, chains, digest } = record;
        if (dayDigest(day, chains) !== digest) this.tell('edited', DAYS_FILE, { line });
        if (!this.closedDays.has(day)) this.closedDays.set(day, record);
        for (const { cameraId, stream, n, head } of chains)
          this.addHead(chainPath({ cameraId, stream, day }), { n, head });
      },
    });
    if (daysHead !== null && hashes.get(daysHead.n) !== daysHead.head)
      this.tell(hashes.size < daysHead.n ? 'cut' : 'head-differs', DAYS_FILE, { line: daysHead.n });
  }

  private inRange({ cameraId, day }: ChainId): boolean {
    const { camera, from, to } = this.options;
    return (
      (camera === undefined || cameraId === camera) &&
      (from === undefined || day >= from) &&
      (to === undefined || day <= to)
    );
  }

  /** Every day's folder there is, and every one that should be, oldest first within a stream. */
  private async findChains(cameras: Dirent[]): Promise<ChainId[]> {
    const found = new Map<string, ChainId>();
    for (const { name: cameraId } of cameras.filter((one) => one.isDirectory() && CAMERA_ID.test(one.name))) {
      if (this.options.camera !== undefined && cameraId !== this.options.camera) continue;
      const streams = await this.list(cameraId);
      if (!streams.some((one) => one.name === 'main' || one.name === 'sub')) continue;
      for (const one of streams) {
        if (!one.isDirectory() || (one.name !== 'main' && one.name !== 'sub')) {
          this.tell('unknown-file', `${cameraId}/${one.name}`);
          continue;
        }
        const stream: StreamName = one.name;
        for (const { name: day } of await this.list(`${cameraId}/${stream}`)) {
          const id = { cameraId, stream, day };
          if (!/^\d{4}-\d\d-\d\d$/.test(day)) this.tell('unknown-file', `${cameraId}/${stream}/${day}`);
          else if (this.inRange(id)) found.set(chainPath(id), id);
        }
      }
    }
    for (const chain of this.known.keys()) {
      const [cameraId, stream, day] = chain.split('/');
      const id = { cameraId: cameraId!, stream: stream as StreamName, day: day! };
      if (this.inRange(id)) found.set(chain, id);
    }
    return [...found.keys()].sort().map((key) => found.get(key)!);
  }

  /** What is in a folder, by name; nothing where there is none. */
  private async list(relative: string): Promise<Dirent[]> {
    try {
      const found = await fs.readdir(path.join(this.options.root, relative), { withFileTypes: true });
      return found.sort((a, b) => (a.name < b.name ? -1 : 1));
    } catch (error) {
      if (!gone(error)) this.tell('unreadable', relative, { detail: codeOf(error) });
      return [];
    }
  }

  private async verifyChain(id: ChainId): Promise<void> {
    let look = await this.lookAt(id);
    for (
      let looks = 1;
      look.problems.length > 0 && looks < LOOKS && (await this.isFresh(id, look));
      looks++
    ) {
      await pause(LOOK_AGAIN_MS);
      look = await this.lookAt(id);
    }
    const { report } = this;
    report.chains++;
    for (const [name, value] of Object.entries(look.counts))
      report[name as keyof ChainLook['counts']] += value as number;
    for (const { kind, path, ...more } of look.problems) this.tell(kind, path, more);
    if (this.options.head !== undefined)
      this.ends.push({ ...id, end: look.end, lastSegment: look.lastSegment });
    if (this.options.content) await Promise.all(look.there.map((one) => this.hashOne(id, one)));
    this.options.onProgress?.(report);
  }

  /** Whether a running recorder may just be at work on what looks wrong. */
  private async isFresh(id: ChainId, { problems }: ChainLook): Promise<boolean> {
    for (const file of new Set([chainPath(id), ...problems.map((one) => one.path)])) {
      const stat = await fs.stat(path.join(this.options.root, file)).catch(() => null);
      if (stat !== null && Math.abs(this.options.nowMs - stat.mtimeMs) < FRESH_MS) return true;
    }
    return false;
  }

  /** The files of a day's folder, relative, and what does not belong there. */
  private async filesOf(folder: string, problems: Problem[]): Promise<Set<string>> {
    const files = new Set<string>();
    for (const hour of await this.list(folder)) {
      const relative = `${folder}/${hour.name}`;
      if (hour.isDirectory() && /^\d\d$/.test(hour.name))
        for (const one of await this.list(relative)) files.add(`${relative}/${one.name}`);
      else if (hour.name !== CHAIN_FILE) problems.push({ kind: 'unknown-file', path: relative });
    }
    return files;
  }

  private async lookAt(id: ChainId): Promise<ChainLook> {
    const { root } = this.options;
    const chain = chainPath(id);
    const look: ChainLook = {
      problems: [],
      entries: new Map(),
      counts: {
        ...{ segments: 0, deleted: 0, recovered: 0, rebuilt: 0, open: 0, leftOver: 0, unprotected: 0 },
        ...{ files: 0, bytes: 0 },
      },
      there: [],
      end: { n: 0, head: genesisOf(id) },
      lastSegment: { n: 0, head: genesisOf(id) },
    };
    // files before the chain: what is recorded in between is then known
    const files = await this.filesOf(path.posix.dirname(chain), look.problems);
    let text = '';
    try {
      const { size } = await fs.stat(path.join(root, chain));
      if (size > LARGEST_CHAIN) throw Object.assign(new Error('too big'), { code: 'EFBIG' });
      text = await fs.readFile(path.join(root, chain), 'utf8');
    } catch (error) {
      if (!gone(error)) {
        look.problems.push({ kind: 'unreadable', path: chain, detail: codeOf(error) });
        return look;
      }
      if (this.known.has(chain)) look.problems.push({ kind: 'chain-missing', path: chain });
    }
    this.readChain(id, text, look);
    await this.compareFiles(files, look);
    return look;
  }

  private readChain(id: ChainId, text: string, look: ChainLook): void {
    const chain = chainPath(id);
    const wanted = this.known.get(chain) ?? [];
    const hashes = new Map<number, string>();
    let misplaced = false;
    const segmentOf = (record: ChainRecord | null) =>
      record !== null && record.kind !== 'day' ? { segment: record.path } : {};
    const fault = (kind: ProblemKind, line: number, record: ChainRecord | null, detail?: string) =>
      look.problems.push({ kind, path: chain, line, ...segmentOf(record), ...(detail && { detail }) });
    walkChain(text, {
      ...{ genesis: genesisOf(id), keys: this.keys, everySignature: this.options.content === true },
      onFault: (kind, line, record, more) =>
        fault(kind, line, record, more && `records ${more.from}–${more.to} are not there`),
      onRecord: (record, line, hash) => {
        if (wanted.some(({ n }) => n === record.n)) hashes.set(record.n, hash);
        look.end = { n: record.n, head: hash };
        const of = record.kind === 'day' ? null : chainOf(record.path);
        if (record.kind === 'day' || of === null || chainPath(of) !== chain) {
          if (!misplaced) fault('foreign-chain', line, record, 'a record of another place');
          misplaced = true;
          return;
        }
        if (record.kind === 'segment') look.lastSegment = look.end;
        if (!this.takeRecord(record, look)) fault('order', line, record, 'does not fit the records before');
      },
    });
    for (const { n, head } of wanted) {
      if (hashes.get(n) === head || text === '') continue;
      if (look.end.n < n) fault('cut', n, null, `it had ${n} records`);
      else if (look.problems.every((one) => one.path !== chain)) fault('head-differs', n, null);
    }
  }

  /** False when the record contradicts what came before. */
  private takeRecord(record: Entry['record'], { entries, counts }: ChainLook): boolean {
    const before = entries.get(record.path);
    if (record.kind === 'deleted') {
      counts.deleted++;
      const known = before?.deleted === false ? before.record.sha256 : null;
      // null: the chain could not be read when the deletion was recorded
      const fits = record.sha256 === null || record.sha256 === known;
      entries.set(record.path, { record, deleted: true });
      return fits;
    }
    counts.segments++;
    if (record.how === 'recovered') counts.recovered++;
    if (record.how === 'rebuilt') counts.rebuilt++;
    entries.set(record.path, { record, deleted: false });
    return before === undefined || before.deleted || before.record.sha256 === record.sha256;
  }

  private async compareFiles(files: Set<string>, look: ChainLook): Promise<void> {
    const { counts, problems } = look;
    for (const file of files) {
      if (look.entries.has(file)) continue;
      const named = readSegmentName(file);
      if (named?.open) counts.open++;
      else if (named !== null && named.startMs < this.sinceMs) counts.unprotected++;
      else problems.push({ kind: 'unknown-file', path: file });
    }
    const entries = [...look.entries];
    for (let at = 0; at < entries.length; at += STATS_AT_ONCE)
      await Promise.all(
        entries
          .slice(at, at + STATS_AT_ONCE)
          .map(([file, entry]) => this.compareFile(file, entry, files.has(file), look)),
      );
  }

  private async compareFile(file: string, entry: Entry, listed: boolean, look: ChainLook): Promise<void> {
    const { counts, problems } = look;
    const { sizeBytes, sha256, at } = entry.record;
    if (!listed) {
      const facts = { detail: `recorded ${new Date(at).toISOString()}` };
      if (!entry.deleted) problems.push({ kind: 'missing-file', path: file, ...facts });
      return;
    }
    try {
      const stat = await fs.stat(path.join(this.options.root, file));
      if (entry.deleted) counts.leftOver++;
      if (sha256 === null) return;
      if (stat.size !== sizeBytes || !stat.isFile()) {
        const detail = `${stat.size} bytes instead of ${sizeBytes}`;
        problems.push({ kind: 'changed-file', path: file, detail });
        return;
      }
      if (!entry.deleted) {
        counts.files++;
        counts.bytes += sizeBytes;
      }
      look.there.push({ path: file, sha256, sizeBytes });
    } catch (error) {
      if (!gone(error)) problems.push({ kind: 'unreadable', path: file, detail: codeOf(error) });
      else if (!entry.deleted) problems.push({ kind: 'missing-file', path: file });
    }
  }

  private async hashOne(
    id: ChainId,
    { path: file, sha256, sizeBytes }: ChainLook['there'][number],
  ): Promise<void> {
    const answer = await this.hashers.hash(path.join(this.options.root, file));
    if (answer.code === 'ENOENT') {
      // the retention may have been here since
      const look = await this.lookAt(id);
      if (look.entries.get(file)?.deleted !== true) this.tell('missing-file', file);
    } else if (answer.code !== null) this.tell('unreadable', file, { detail: answer.code });
    else {
      this.report.hashedBytes += sizeBytes;
      if (answer.sha256 !== sha256) this.tell('changed-file', file, { detail: 'another content' });
    }
  }

  /** The digest from the chat against the closed day's, else against the chains as they are. */
  private compareHead(head: string): void {
    const day = this.options.from!;
    const closed = this.closedDays.get(day);
    if (closed !== undefined && dayDigest(day, closed.chains) === head) {
      this.report.head = 'closed';
      return;
    }
    for (const kind of ['end', 'lastSegment'] as const) {
      const chains = this.ends.filter((one) => one[kind].n > 0).map((one) => ({ ...one, ...one[kind] }));
      if (dayDigest(day, chains) === head) this.report.head = 'present';
    }
    if (this.report.head === null)
      this.tell('head-differs', DAYS_FILE, { detail: `no state of ${day} has the digest given` });
  }
}
