import type { Dirent } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { CAMERA_ID } from '../recording/names.js';
import type { StreamName } from '../types.js';
import type { Head } from './chain.js';
import { type ChainLook, checkFile, checkLines, checkNames, emptyLook } from './check-chain.js';
import { Hashers } from './hash.js';
import { codeOf, gone, type Known, readKnown } from './known.js';
import { CHAIN_FILE, type ChainId, chainPath, DAYS_FILE, dayDigest } from './record.js';
import type { Problem, ProblemKind, VerifyReport } from './report.js';

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

/** Chains looked at side by side. */
const SIDE_BY_SIDE = 4;
const STATS_AT_ONCE = 64;
/** What a running recorder changed so lately may be half done, ms. */
const FRESH_MS = 120_000;
const LOOKS = 4;
const LOOK_AGAIN_MS = 700;
/** No day's chain is as long as this. */
const LARGEST_CHAIN = 128 * 1024 * 1024;

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
  private known!: Known;
  private readonly hashers: Hashers;
  /** for a digest that no closed day has */
  private readonly ends: (ChainId & { end: Head; undeleted: Head })[] = [];

  constructor(private readonly options: VerifyOptions) {
    this.hashers = new Hashers(options.workers);
  }

  async run(): Promise<VerifyReport> {
    const { root, head, headsFile = null } = this.options;
    const names = await fs.readdir(root, { withFileTypes: true });
    try {
      this.known = await readKnown(root, headsFile, (kind, at, more) => this.tell(kind, at, more));
      this.report.keys = [...(this.known.keys ?? [])].map(([key, { sinceMs }]) => ({ key, sinceMs }));
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
    for (const chain of this.known.heads.keys()) {
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
    if (this.options.head !== undefined) this.ends.push({ ...id, end: look.end, undeleted: look.undeleted });
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
    const look = emptyLook(id);
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
      if (this.known.heads.has(chain)) look.problems.push({ kind: 'chain-missing', path: chain });
    }
    const { keys, heads, sinceMs } = this.known;
    const everySignature = this.options.content === true;
    checkLines(id, text, { keys, everySignature, wanted: heads.get(chain) ?? [] }, look);
    checkNames(files, sinceMs, look);
    await this.compareFiles(files, look);
    return look;
  }

  private async compareFiles(files: Set<string>, look: ChainLook): Promise<void> {
    const entries = [...look.entries];
    const compare = async ([file, entry]: (typeof entries)[number]) => {
      try {
        const stat = files.has(file) ? await fs.stat(path.join(this.options.root, file)) : null;
        checkFile(file, entry, stat && { sizeBytes: stat.size, isFile: stat.isFile() }, look);
      } catch (error) {
        if (gone(error)) checkFile(file, entry, null, look);
        else look.problems.push({ kind: 'unreadable', path: file, detail: codeOf(error) });
      }
    };
    for (let at = 0; at < entries.length; at += STATS_AT_ONCE)
      await Promise.all(entries.slice(at, at + STATS_AT_ONCE).map(compare));
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
    const closed = this.known.closedDays.get(day);
    if (closed !== undefined && dayDigest(day, closed.chains) === head) {
      this.report.head = 'closed';
      return;
    }
    for (const kind of ['end', 'undeleted'] as const) {
      const chains = this.ends.filter((one) => one[kind].n > 0).map((one) => ({ ...one, ...one[kind] }));
      if (dayDigest(day, chains) === head) this.report.head = 'present';
    }
    if (this.report.head === null)
      this.tell('head-differs', DAYS_FILE, { detail: `no state of ${day} has the digest given` });
  }
}
