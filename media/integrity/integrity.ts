import fs from 'node:fs/promises';
import path from 'node:path';
import { type Clock, DAY_MS, fromVietnamTime } from '../../src/base/clock.js';
import { replaceFile } from '../../src/base/durable.js';
import type { Log } from '../../src/base/log.js';
import type { Seal } from '../../src/base/seal.js';
import { CAMERA_ID } from '../recording/names.js';
import type { DayHeads } from '../types.js';
import { ChainFile, type Head, linesOf } from './chain.js';
import { hashFile } from './hash.js';
import { KEYS_FILE, type Keys, openKeys } from './keys.js';
import {
  CHAIN_FILE,
  type ChainHead,
  type ChainId,
  type ChainRecord,
  chainOf,
  chainPath,
  DAYS_FILE,
  type DayFacts,
  type DeletionFacts,
  dayDigest,
  dayOf,
  daysGenesis,
  type Facts,
  genesisOf,
  readRecord,
  type SegmentFacts,
} from './record.js';

/** The newest heads of the chains that still grow, in DATA_DIR: a chain cut short behind our back shows against it. */
export const HEADS_FILE = 'chain-heads.json';

/** Chains whose end is remembered; more than a day's of 150 streams. */
const REMEMBERED = 400;
const TICK_MS = 10_000;
/** Heads in DATA_DIR are at most so old, ms. */
const HEADS_EVERY_MS = 30_000;
/** The last file of a day closes within a minute or so; then the day's heads are final. */
const DAY_CLOSES_MS = 5 * 60_000;
/** Days that passed while the machine was off are closed too, at most so many. */
const DAYS_BACK = 31;

export interface IntegrityOptions {
  /** absolute folder of all recordings */
  root: string;
  dataDir: string;
  seal: Seal;
  log: Log;
  clock: Clock;
}

interface KnownHeads {
  chains: Record<string, Head>;
  days: Head | null;
}

interface Remembered {
  chain: ChainFile;
  /** appends under way */
  busy: number;
}

/**
 * Writes down what was recorded and what was deleted, in one signed chain per camera, stream and day (README,
 * "Integrity"). Never stands in the way of recording or deleting: what can't be written now is owed and written later.
 */
export class Integrity {
  private keys: Keys | null = null;
  private readonly chains = new Map<string, Remembered>();
  private known: KnownHeads = { chains: {}, days: null };
  private owed: { facts: Facts; id: ChainId }[] = [];
  private flushing: Promise<void> | null = null;
  private days: ChainFile;
  private closing: Promise<unknown> = Promise.resolve();
  private timer: NodeJS.Timeout | undefined;
  private savedMs = 0;
  private complained = false;
  private dirty = false;
  private busy: Promise<void> = Promise.resolve();
  /** a chain's text, asked again and again while a folder is walked */
  private read: { file: string; size: number; text: Buffer } | null = null;

  constructor(private readonly options: IntegrityOptions) {
    this.days = new ChainFile(path.join(options.root, DAYS_FILE), daysGenesis());
  }

  /** Opens or makes the keys; never throws: without keys everything is owed until they can be made. */
  async start(): Promise<void> {
    const { root, dataDir, log } = this.options;
    try {
      const text = await fs.readFile(path.join(dataDir, HEADS_FILE), 'utf8');
      this.known = JSON.parse(text) as KnownHeads;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
        log.warn({ err: error }, 'the chain heads kept can not be read');
    }
    if (await isNewDisk(root)) {
      if (this.known.days !== null || Object.keys(this.known.chains).length > 0)
        log.warn({ root }, 'nothing that was ever recorded is here: the chains begin anew');
      this.known = { chains: {}, days: null };
    }
    this.days = new ChainFile(path.join(root, DAYS_FILE), daysGenesis(), this.known.days);
    await this.signer().catch((error) => log.error({ err: error }, 'no key to sign recordings with yet'));
    this.busy = this.tick();
    this.timer = setInterval(() => {
      this.busy = this.busy.then(() => this.tick());
    }, TICK_MS);
    this.timer.unref();
  }

  /** Writes what is owed and the heads. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.busy;
    await this.flush();
    await this.closing.catch(() => {});
    await this.saveHeads();
  }

  private async tick(): Promise<void> {
    const { clock } = this.options;
    await this.flush();
    if (clock.now() - this.savedMs >= HEADS_EVERY_MS || clock.now() < this.savedMs) await this.saveHeads();
    await this.closeDays().then(
      () => {
        if (this.owed.length === 0) this.complained = false;
      },
      (error) => this.complain(error, 'a day could not be closed'),
    );
  }

  /** Says once what is tried again and again. */
  private complain(error: unknown, message: string): void {
    if (!this.complained) this.options.log.error({ err: error, owed: this.owed.length }, message);
    this.complained = true;
  }

  private async signer(): Promise<Keys> {
    if (this.keys === null) {
      const { root, dataDir, seal, log, clock } = this.options;
      await fs.mkdir(root, { recursive: true });
      this.keys = await openKeys(root, dataDir, seal, clock.now());
      if (this.keys.renewed)
        log.warn({ key: this.keys.id }, 'the key of the recordings was lost: a new one signs');
    }
    return this.keys;
  }

  /** When the first key was made, epoch ms: recordings from before have no record. */
  async sinceMs(): Promise<number> {
    return (await this.signer()).all[0]!.sinceMs;
  }

  /** Records a file that has its final name. Resolves when that is durable, or owed. */
  recordSegment(facts: SegmentFacts): Promise<void> {
    return this.record({ kind: 'segment', ...facts });
  }

  /** Hashes and records a closed file that has no record; not one from before the first key. Never throws. */
  async recordFound(facts: Omit<SegmentFacts, 'sha256' | 'sizeBytes'>): Promise<void> {
    try {
      if (facts.endMs < (await this.sinceMs()) || (await this.isRecorded(facts.path))) return;
      const hashed = await hashFile(path.join(this.options.root, facts.path));
      await this.recordSegment({ ...facts, ...hashed });
    } catch (error) {
      this.options.log.error({ err: error, path: facts.path }, 'a file found could not be recorded');
    }
  }

  /** Records that a file is about to be deleted, with the hash it was recorded with; once. Call it before the file goes. */
  async recordDeletion(facts: Omit<DeletionFacts, 'sha256'>): Promise<void> {
    const owed = this.owed
      .map((one) => one.facts)
      .filter((one) => one.kind !== 'day' && one.path === facts.path);
    const last = owed.at(-1) ?? (await this.lastRecordOf(facts.path).catch(() => null));
    if (last?.kind === 'deleted') return;
    const { path, startMs, endMs, sizeBytes, reason } = facts;
    const hash = last?.kind === 'segment' ? last.sha256 : null;
    await this.record({ kind: 'deleted', path, startMs, endMs, sizeBytes, sha256: hash, reason });
  }

  private async record(facts: Facts & { kind: 'segment' | 'deleted' }): Promise<void> {
    const id = chainOf(facts.path);
    if (id === null) return;
    if (this.owed.length === 0) {
      try {
        await this.append(facts, id);
        return;
      } catch (error) {
        this.options.log.error({ err: error, path: facts.path }, 'a chain takes no record; it is owed');
      }
    }
    this.owed.push({ facts, id });
  }

  private async append(facts: Facts, id: ChainId): Promise<void> {
    const signer = await this.signer();
    const remembered = this.chain(id);
    remembered.busy++;
    try {
      const { chain } = remembered;
      await chain.append(facts, signer, this.options.clock.now());
      const head = await chain.head();
      if (head !== null) this.known.chains[chainPath(id)] = head;
      this.dirty = true;
    } finally {
      remembered.busy--;
    }
  }

  private chain(id: ChainId): Remembered {
    const key = chainPath(id);
    let found = this.chains.get(key);
    if (found === undefined) {
      const file = path.join(this.options.root, key);
      found = { chain: new ChainFile(file, genesisOf(id), this.known.chains[key] ?? null), busy: 0 };
    }
    // the one used last stands last
    this.chains.delete(key);
    this.chains.set(key, found);
    if (this.chains.size > REMEMBERED)
      for (const [old, { busy }] of this.chains) {
        if (this.chains.size <= REMEMBERED) break;
        if (busy === 0) this.chains.delete(old);
      }
    return found;
  }

  /** Writes what is owed; what still can't be written stays owed. */
  private flush(): Promise<void> {
    this.flushing ??= this.flushNow().finally(() => {
      this.flushing = null;
    });
    return this.flushing;
  }

  private async flushNow(): Promise<void> {
    while (this.owed.length > 0) {
      const { facts, id } = this.owed[0]!;
      try {
        await this.append(facts, id);
      } catch (error) {
        this.complain(error, 'the chains still take no record');
        return;
      }
      this.owed.shift();
    }
  }

  private async saveHeads(): Promise<void> {
    const { dataDir, clock, log } = this.options;
    if (!this.dirty) return;
    this.dirty = false;
    this.savedMs = clock.now();
    const oldest = dayOf(clock.now() - 2 * DAY_MS);
    for (const key of Object.keys(this.known.chains))
      if (key.split('/')[2]! < oldest) delete this.known.chains[key];
    try {
      await replaceFile(path.join(dataDir, HEADS_FILE), `${JSON.stringify(this.known)}\n`);
    } catch (error) {
      this.dirty = true;
      log.error({ err: error }, 'the chain heads could not be kept');
    }
  }

  /** Whether a file has a record that is not one of its deletion. */
  async isRecorded(relative: string): Promise<boolean> {
    const owed = this.owed.some(({ facts }) => facts.kind === 'segment' && facts.path === relative);
    return owed || (await this.lastRecordOf(relative))?.kind === 'segment';
  }

  /** The last record that names a file. The text is searched, not read: retention asks for each file it deletes. */
  private async lastRecordOf(relative: string): Promise<ChainRecord | null> {
    const id = chainOf(relative);
    if (id === null) return null;
    const text = await this.textOf(path.join(this.options.root, chainPath(id)));
    const at = text.lastIndexOf(`"path":${JSON.stringify(relative)}`);
    if (at < 0) return null;
    const end = text.indexOf('\n', at);
    if (end < 0) return null;
    return readRecord(text.toString('utf8', text.lastIndexOf('\n', at) + 1, end));
  }

  private async textOf(file: string): Promise<Buffer> {
    try {
      const { size } = await fs.stat(file);
      if (this.read?.file !== file || this.read.size !== size)
        this.read = { file, size, text: await fs.readFile(file) };
      return this.read.text;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0);
      throw error;
    }
  }

  /** The heads of a day. Once the day is over they are written down and stay as they are. */
  heads(day: string): Promise<DayHeads> {
    const done = this.closing.then(() => this.headsNow(day));
    this.closing = done.catch(() => {});
    return done;
  }

  private async headsNow(day: string): Promise<DayHeads> {
    const { clock } = this.options;
    const written = await this.closedDay(day);
    if (written !== null) return { ...written, closed: true };
    const facts = await this.readDay(day);
    const closed = clock.now() >= endOfDay(day) + DAY_CLOSES_MS && this.owed.length === 0;
    if (closed && facts.chains.length > 0) {
      await this.days.append({ kind: 'day', ...facts }, await this.signer(), clock.now());
      this.known.days = await this.days.head();
      this.dirty = true;
    }
    return { ...facts, closed };
  }

  private async closedDay(day: string): Promise<DayFacts | null> {
    const text = await this.textOf(path.join(this.options.root, DAYS_FILE));
    const at = text.indexOf(`"kind":"day","day":"${day}"`);
    const end = at < 0 ? -1 : text.indexOf('\n', at);
    if (end < 0) return null;
    const record = readRecord(text.toString('utf8', text.lastIndexOf('\n', at) + 1, end));
    if (record?.kind !== 'day') return null;
    const { chains, segments, digest } = record;
    return { day, chains, segments, digest };
  }

  private async readDay(day: string): Promise<DayFacts> {
    const chains: ChainHead[] = [];
    for (const id of await chainsOf(this.options.root, day)) {
      const head = await this.chain(id).chain.head();
      if (head === null) continue;
      const { lines } = linesOf(await fs.readFile(path.join(this.options.root, chainPath(id)), 'utf8'));
      const segments = lines.filter((line) => line.includes('"kind":"segment"')).length;
      chains.push({ cameraId: id.cameraId, stream: id.stream, ...head, segments });
    }
    const segments = chains.reduce((sum, one) => sum + one.segments, 0);
    return { day, chains, segments, digest: dayDigest(day, chains) };
  }

  /** Closes every day that is over, back to the last one closed. */
  private async closeDays(): Promise<void> {
    const { clock } = this.options;
    const lastOver = clock.now() - DAY_CLOSES_MS - DAY_MS;
    const open: string[] = [];
    for (let back = 0; back < DAYS_BACK; back++) {
      const day = dayOf(lastOver - back * DAY_MS);
      if (this.seenClosed.has(day)) break;
      if ((await this.closedDay(day)) !== null) {
        this.seenClosed.add(day);
        break;
      }
      open.push(day);
    }
    for (const day of open.reverse()) if ((await this.heads(day)).closed) this.seenClosed.add(day);
  }

  private readonly seenClosed = new Set<string>();
}

/** Neither keys nor the days' chain nor any stream: another disk, or the first start. */
async function isNewDisk(root: string): Promise<boolean> {
  const names = await fs.readdir(root).catch((error) => (error.code === 'ENOENT' ? [] : [KEYS_FILE]));
  if (names.includes(KEYS_FILE) || names.includes(DAYS_FILE)) return false;
  const streams = names.flatMap((name) => [path.join(root, name, 'main'), path.join(root, name, 'sub')]);
  const found = await Promise.all(streams.map((folder) => fs.stat(folder).catch(() => null)));
  return found.every((one) => one === null);
}

/** The end of a Vietnamese day, epoch ms. */
function endOfDay(day: string): number {
  const [year, month, date] = day.split('-').map(Number);
  return fromVietnamTime(year!, month!, date! + 1);
}

/** Every chain there is of a day, by camera and stream. */
async function chainsOf(root: string, day: string): Promise<ChainId[]> {
  const found: ChainId[] = [];
  const cameras = await fs.readdir(root, { withFileTypes: true });
  const names = cameras
    .filter((one) => one.isDirectory() && CAMERA_ID.test(one.name))
    .map(({ name }) => name);
  for (const cameraId of names.sort())
    for (const stream of ['main', 'sub'] as const) {
      const file = path.join(root, cameraId, stream, day, CHAIN_FILE);
      if (await fs.stat(file).catch(() => null)) found.push({ cameraId, stream, day });
    }
  return found;
}
