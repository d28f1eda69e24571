import fs from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { DAY_MS } from '../src/base/clock.js';
import type { Log } from '../src/base/log.js';
import type { RecorderIndex } from './index/index.js';
import { type DayRecords, readDayRecords } from './integrity/day-records.js';
import { Hashers } from './integrity/hash.js';
import { rowFromFile } from './recording/adopt.js';
import { dayFolders, newestDayFirst } from './recording/folders.js';
import type { Tampering } from './tampering.js';

/** Every recording is read again once in this time, ms. */
const EVERY_MS = 7 * DAY_MS;
/** It begins so long after a start, ms: there is enough to do then. */
const BEGIN_MS = 10 * 60_000;
/** What looks wrong is looked at again so much later, ms: it may just be deleted or recorded anew. */
const AGAIN_MS = 5000;
/** Bytes a ms (kB/s): slower is no use, faster is in the way of the recording on a spinning disk. */
const LEAST_PACE = 1000;
const MOST_PACE = 20_000;
/** In the index: how far it is. */
const STATE = 'content-check';
/** Files that were told as changed are remembered, the newest ones. */
const MOST_TOLD = 1000;

/** Bytes a ms at which so many bytes are read within a round's time. */
export const paceFor = (bytes: number, everyMs = EVERY_MS): number =>
  Math.min(MOST_PACE, Math.max(LEAST_PACE, bytes / everyMs));

interface State {
  /** when the last round began, epoch ms */
  begunMs: number;
  /** the last day's folder that was read whole in the round under way; null: none is under way */
  after: string | null;
  /** found and told */
  told: string[];
}

export interface ContentRound {
  files: number;
  bytes: number;
  changed: number;
  /** false: it was stopped, and goes on there next time */
  whole: boolean;
}

export interface ContentCheckOptions {
  root: string;
  index: RecorderIndex;
  log: Log;
  tampering: Tampering;
  isOurs: (file: string) => boolean;
  /** resolves when recovery is done */
  agreed: () => Promise<void>;
  /** false while the disk can't be read, or is another: nothing is said then */
  readable: () => Promise<boolean>;
  /** bytes on the disk */
  usedBytes: () => number;
  everyMs?: number;
  beginMs?: number;
  againMs?: number;
}

type Recorded = DayRecords['segments'] extends Map<string, infer R> ? R : never;

/**
 * Reads every recording again, slowly, and compares it with its record: finds bytes that somebody or a disk changed while
 * the size stayed the same, before the footage is needed. What it finds is told like all that others did; nothing is
 * changed on the disk. Goes on after a restart where it was.
 */
export class ContentCheck {
  private readonly stopping = new AbortController();
  private running: Promise<void> = Promise.resolve();
  private readonly hashers = new Hashers(1);

  constructor(private readonly options: ContentCheckOptions) {}

  start(): void {
    this.running = this.run();
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
    await this.hashers.close();
  }

  private get aborted(): boolean {
    return this.stopping.signal.aborted;
  }

  private wait(ms: number): Promise<void> {
    return pause(ms, undefined, { signal: this.stopping.signal }).catch(() => {});
  }

  private async run(): Promise<void> {
    const { agreed, beginMs = BEGIN_MS, everyMs = EVERY_MS, log } = this.options;
    await this.wait(beginMs);
    while (!this.aborted) {
      await agreed();
      const { after, begunMs } = await this.state();
      const waitsMs = begunMs + everyMs - Date.now();
      // a clock that was set back is no reason to wait for years
      if (!this.aborted && (after !== null || waitsMs <= 0 || waitsMs > everyMs))
        await this.round().catch((error) =>
          log.error({ err: error }, 'the recordings could not be read again'),
        );
      await this.wait(Math.min(60_000, everyMs));
    }
  }

  /** Goes on with the round under way, or begins one; resolves at its end or when it is stopped. */
  async round(): Promise<ContentRound> {
    const { root, log, tampering } = this.options;
    const round: ContentRound = { files: 0, bytes: 0, changed: 0, whole: false };
    let state = await this.state();
    if (state.after === null) state = await this.keep({ ...state, begunMs: Date.now(), after: '' });
    const { after } = state;
    const folders = (await dayFolders(root, new Set())).filter(
      (folder) => !after || newestDayFirst(folder, after) > 0,
    );
    for (const folder of folders) {
      const { segments } = await readDayRecords(root, folder);
      for (const record of segments.values()) {
        if (this.aborted) break;
        await this.check(folder, record, round);
      }
      await tampering.tell();
      if (this.aborted) return round;
      await this.keep({ ...(await this.state()), after: folder });
    }
    await this.keep({ ...(await this.state()), after: null });
    round.whole = true;
    log.info(round, 'every recording was read again');
    return round;
  }

  private async check(folder: string, record: Recorded, round: ContentRound): Promise<void> {
    const { root, isOurs, usedBytes, everyMs } = this.options;
    const file = path.join(root, record.path);
    if (isOurs(file)) return;
    const begunMs = performance.now();
    const { sha256, code } = await this.hashers.hash(file);
    // one that is gone or has another size is the other check's matter
    if (code === 'ENOENT') return;
    round.files += 1;
    round.bytes += record.sizeBytes;
    if (sha256 !== record.sha256 && (await this.isChanged(folder, record.path))) round.changed += 1;
    await this.wait(record.sizeBytes / paceFor(usedBytes(), everyMs) - (performance.now() - begunMs));
  }

  /** Looks again at a file whose bytes are not those recorded, and says so if it stays so and was not said. */
  private async isChanged(folder: string, relative: string): Promise<boolean> {
    const { root, againMs = AGAIN_MS, agreed, readable, tampering, log } = this.options;
    await this.wait(againMs);
    await agreed();
    if (this.aborted) return false;
    const { sha256, code } = await this.hashers.hash(path.join(root, relative));
    const stat = await fs.stat(path.join(root, relative)).catch(() => null);
    const record = (await readDayRecords(root, folder)).segments.get(relative);
    if (record === undefined || stat?.size !== record.sizeBytes || sha256 === record.sha256) return false;
    if (!(await readable())) return false;
    const state = await this.state();
    if (state.told.includes(relative)) return true;
    log.warn({ path: relative, code }, 'a recording is not as it was recorded');
    const found = sha256 === null ? null : await rowFromFile(root, relative).catch(() => null);
    await tampering.changed(record, found);
    await this.keep({ ...state, told: [...state.told, relative].slice(-MOST_TOLD) });
    return true;
  }

  private async state(): Promise<State> {
    const none: State = { begunMs: 0, after: null, told: [] };
    const text = await this.options.index.settings.read(STATE);
    try {
      return { ...none, ...(JSON.parse(text ?? '{}') as Partial<State>) };
    } catch {
      return none;
    }
  }

  private async keep(state: State): Promise<State> {
    await this.options.index.settings.write(STATE, JSON.stringify(state));
    return state;
  }
}
