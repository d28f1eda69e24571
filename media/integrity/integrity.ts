import fs from 'node:fs/promises';
import path from 'node:path';
import type { Clock } from '../../src/base/clock.js';
import type { Log } from '../../src/base/log.js';
import type { Seal } from '../../src/base/seal.js';
import type { ClockStep, DayHeads } from '../types.js';
import { ChainFile } from './chain.js';
import { ChainText } from './chain-text.js';
import { Days } from './days.js';
import { hashFile } from './hash.js';
import { type Keys, openKeys } from './keys.js';
import { KnownHeads } from './known-heads.js';
import { Owed } from './owed.js';
import {
  type ChainId,
  chainOf,
  chainPath,
  DAYS_FILE,
  type DeletionFacts,
  dayOf,
  daysGenesis,
  type Facts,
  type GapFacts,
  genesisOf,
  type SegmentFacts,
} from './record.js';

/** Chains whose end is remembered; more than a day's of 150 streams. */
const REMEMBERED = 400;
const TICK_MS = 10_000;

export interface IntegrityOptions {
  /** absolute folder of all recordings */
  root: string;
  dataDir: string;
  seal: Seal;
  log: Log;
  clock: Clock;
}

interface Remembered {
  chain: ChainFile;
  /** appends under way */
  busy: number;
}

/** What is to be appended; without a chain: to the days' chain. */
interface Entry {
  facts: Facts;
  id: ChainId | null;
}

/**
 * Writes down what was recorded, what was not and why, and what was deleted, in one signed chain per camera, stream and
 * day (README, "Integrity"). Never stands in the way of recording or deleting: what can't be written now is owed and
 * written later.
 */
export class Integrity {
  private keys: Keys | null = null;
  private readonly chains = new Map<string, Remembered>();
  private readonly known: KnownHeads;
  private readonly text: ChainText;
  private readonly days: Days;
  private readonly owed: Owed<Entry>;
  private daysChain: ChainFile;
  private timer: NodeJS.Timeout | undefined;
  private complained = false;
  private busy: Promise<void> = Promise.resolve();

  constructor(private readonly options: IntegrityOptions) {
    const { root, clock, log } = options;
    this.known = new KnownHeads(options);
    this.text = new ChainText(root);
    this.owed = new Owed((entry) => this.append(entry), log);
    this.daysChain = new ChainFile(path.join(root, DAYS_FILE), daysGenesis());
    this.days = new Days({
      ...{ root, clock, text: this.text, chain: (id) => this.chain(id).chain },
      settled: () => this.owed.list.length === 0,
      append: (facts) => this.append({ facts, id: null }),
    });
  }

  /** Opens or makes the keys; never throws: without keys everything is owed until they can be made. */
  async start(): Promise<void> {
    const { root, log } = this.options;
    await this.known.load();
    this.daysChain = new ChainFile(path.join(root, DAYS_FILE), daysGenesis(), this.known.days);
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
    await this.owed.flush();
    await this.days.idle();
    await this.known.save();
  }

  private async tick(): Promise<void> {
    await this.owed.flush();
    await this.known.tick();
    try {
      await this.days.close();
      this.complained = false;
    } catch (error) {
      // said once of what is tried again and again
      if (!this.complained) this.options.log.error({ err: error }, 'a day could not be closed');
      this.complained = true;
    }
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
  async recordSegment(facts: SegmentFacts): Promise<void> {
    const id = chainOf(facts.path);
    if (id !== null) await this.owed.put({ facts: { kind: 'segment', ...facts }, id });
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
    const id = chainOf(facts.path);
    if (id === null) return;
    const last =
      this.owed.list.map((one) => one.facts).findLast((one) => 'path' in one && one.path === facts.path) ??
      (await this.text.lastOf(facts.path).catch(() => null));
    if (last?.kind === 'deleted') return;
    const { path, startMs, endMs, sizeBytes, reason } = facts;
    const hash = last?.kind === 'segment' ? last.sha256 : null;
    const deleted = { path, startMs, endMs, sizeBytes, sha256: hash, reason };
    await this.owed.put({ facts: { kind: 'deleted', ...deleted }, id });
  }

  /** Records that a gap begins or has ended, in the chain of the present day. Resolves when that is durable, or owed. */
  async recordGap({ cameraId, stream, startMs, endMs, cause }: GapFacts): Promise<void> {
    const day = dayOf(this.options.clock.now());
    const span = { startMs: Math.round(startMs), endMs: endMs === null ? null : Math.round(endMs) };
    const facts = { kind: 'gap' as const, cameraId, stream, ...span, cause };
    await this.owed.put({ facts, id: { cameraId, stream, day } });
  }

  /** Records that the machine's clock was set, beside the finished days. Resolves when that is durable, or owed. */
  async recordClockStep({ fromMs, toMs }: ClockStep): Promise<void> {
    await this.owed.put({ facts: { kind: 'clock-set', fromMs, toMs }, id: null });
  }

  private async append({ facts, id }: Entry): Promise<void> {
    const signer = await this.signer();
    const now = this.options.clock.now();
    if (id === null) {
      await this.daysChain.append(facts, signer, now);
      this.known.setDays(await this.daysChain.head());
      return;
    }
    const remembered = this.chain(id);
    remembered.busy++;
    try {
      await remembered.chain.append(facts, signer, now);
      this.known.set(chainPath(id), await remembered.chain.head());
    } finally {
      remembered.busy--;
    }
  }

  private chain(id: ChainId): Remembered {
    const key = chainPath(id);
    let found = this.chains.get(key);
    if (found === undefined) {
      const file = path.join(this.options.root, key);
      found = { chain: new ChainFile(file, genesisOf(id), this.known.of(key)), busy: 0 };
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

  /** Whether a file has a record that is not one of its deletion. */
  async isRecorded(relative: string): Promise<boolean> {
    const owed = this.owed.list.some(({ facts }) => facts.kind === 'segment' && facts.path === relative);
    return owed || (await this.text.lastOf(relative))?.kind === 'segment';
  }

  /** The heads of a day. Once the day is over they are written down and stay as they are. */
  heads(day: string): Promise<DayHeads> {
    return this.days.heads(day);
  }
}
