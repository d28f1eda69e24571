import fs from 'node:fs/promises';
import path from 'node:path';
import { type Clock, DAY_MS } from '../../src/base/clock.js';
import { replaceFile } from '../../src/base/durable.js';
import type { Log } from '../../src/base/log.js';
import type { Head } from './chain.js';
import { KEYS_FILE } from './keys.js';
import { DAYS_FILE, dayOf } from './record.js';

/** The newest heads of the chains that still grow, in DATA_DIR: a chain cut short behind our back shows against it. */
export const HEADS_FILE = 'chain-heads.json';

/** Heads in DATA_DIR are at most so old, ms. */
const EVERY_MS = 30_000;

interface Heads {
  chains: Record<string, Head>;
  days: Head | null;
}

/** The heads kept in DATA_DIR. */
export class KnownHeads {
  private heads: Heads = { chains: {}, days: null };
  private savedMs = 0;
  private dirty = false;

  constructor(private readonly options: { root: string; dataDir: string; log: Log; clock: Clock }) {}

  /** Never throws; on another disk than the heads are of, there are none. */
  async load(): Promise<void> {
    const { root, dataDir, log } = this.options;
    try {
      this.heads = JSON.parse(await fs.readFile(path.join(dataDir, HEADS_FILE), 'utf8')) as Heads;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
        log.warn({ err: error }, 'the chain heads kept can not be read');
    }
    if (!(await isNewDisk(root))) return;
    if (this.heads.days !== null || Object.keys(this.heads.chains).length > 0)
      log.warn({ root }, 'nothing that was ever recorded is here: the chains begin anew');
    this.heads = { chains: {}, days: null };
  }

  /** Of the chain at this path, relative; null: not known. */
  of(chain: string): Head | null {
    return this.heads.chains[chain] ?? null;
  }

  get days(): Head | null {
    return this.heads.days;
  }

  set(chain: string, head: Head | null): void {
    if (head !== null) this.heads.chains[chain] = head;
    this.dirty = true;
  }

  setDays(head: Head | null): void {
    this.heads.days = head;
    this.dirty = true;
  }

  /** Saves them where that is due. */
  async tick(): Promise<void> {
    const now = this.options.clock.now();
    if (now - this.savedMs >= EVERY_MS || now < this.savedMs) await this.save();
  }

  /** Never throws: what could not be kept is kept later. */
  async save(): Promise<void> {
    const { dataDir, clock, log } = this.options;
    if (!this.dirty) return;
    this.dirty = false;
    this.savedMs = clock.now();
    const oldest = dayOf(clock.now() - 2 * DAY_MS);
    for (const key of Object.keys(this.heads.chains))
      if (key.split('/')[2]! < oldest) delete this.heads.chains[key];
    try {
      await replaceFile(path.join(dataDir, HEADS_FILE), `${JSON.stringify(this.heads)}\n`);
    } catch (error) {
      this.dirty = true;
      log.error({ err: error }, 'the chain heads could not be kept');
    }
  }
}

/** Neither keys nor the days' chain nor any stream: another disk, or the first start. */
async function isNewDisk(root: string): Promise<boolean> {
  const names = await fs.readdir(root).catch((error) => (error.code === 'ENOENT' ? [] : [KEYS_FILE]));
  if (names.includes(KEYS_FILE) || names.includes(DAYS_FILE)) return false;
  const streams = names.flatMap((name) => [path.join(root, name, 'main'), path.join(root, name, 'sub')]);
  const found = await Promise.all(streams.map((folder) => fs.stat(folder).catch(() => null)));
  return found.every((one) => one === null);
}
