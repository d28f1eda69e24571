import fs from 'node:fs/promises';
import path from 'node:path';
import { type Clock, DAY_MS, fromVietnamTime } from '../../src/base/clock.js';
import { CAMERA_ID } from '../recording/names.js';
import type { DayHeads } from '../types.js';
import { type ChainFile, linesOf } from './chain.js';
import type { ChainText } from './chain-text.js';
import {
  CHAIN_FILE,
  type ChainHead,
  type ChainId,
  chainPath,
  type DayFacts,
  dayDigest,
  dayOf,
  type Facts,
} from './record.js';

/** The last file of a day closes within a minute or so; then the day's heads are final. */
const DAY_CLOSES_MS = 5 * 60_000;
/** Days that passed while the machine was off are closed too, at most so many. */
const DAYS_BACK = 31;

export interface DaysOptions {
  root: string;
  clock: Clock;
  text: ChainText;
  chain: (id: ChainId) => ChainFile;
  /** nothing is owed to any chain */
  settled: () => boolean;
  /** appends to the days' chain */
  append: (facts: Facts & { kind: 'day' }) => Promise<void>;
}

/** The heads of each day's chains, written down once the day is over. */
export class Days {
  private closing: Promise<unknown> = Promise.resolve();
  private readonly closed = new Set<string>();

  constructor(private readonly options: DaysOptions) {}

  /** The heads of a day. Once the day is over they are written down and stay as they are. */
  heads(day: string): Promise<DayHeads> {
    const done = this.closing.then(() => this.headsNow(day));
    this.closing = done.catch(() => {});
    return done;
  }

  /** Closes every day that is over, back to the last one closed. */
  async close(): Promise<void> {
    const lastOver = this.options.clock.now() - DAY_CLOSES_MS - DAY_MS;
    const open: string[] = [];
    for (let back = 0; back < DAYS_BACK; back++) {
      const day = dayOf(lastOver - back * DAY_MS);
      if (this.closed.has(day)) break;
      if ((await this.options.text.closedDay(day)) !== null) {
        this.closed.add(day);
        break;
      }
      open.push(day);
    }
    for (const day of open.reverse()) if ((await this.heads(day)).closed) this.closed.add(day);
  }

  /** Resolves when no day is being closed. */
  async idle(): Promise<void> {
    await this.closing;
  }

  private async headsNow(day: string): Promise<DayHeads> {
    const { clock, text, settled, append } = this.options;
    const written = await text.closedDay(day);
    if (written !== null) return { ...written, closed: true };
    const facts = await this.read(day);
    const closed = clock.now() >= endOfDay(day) + DAY_CLOSES_MS && settled();
    if (closed && facts.chains.length > 0) await append({ kind: 'day', ...facts });
    return { ...facts, closed };
  }

  private async read(day: string): Promise<DayFacts> {
    const { root, chain } = this.options;
    const chains: ChainHead[] = [];
    for (const id of await chainsOf(root, day)) {
      const head = await chain(id).head();
      if (head === null) continue;
      const { lines } = linesOf(await fs.readFile(path.join(root, chainPath(id)), 'utf8'));
      const segments = lines.filter((line) => line.includes('"kind":"segment"')).length;
      chains.push({ cameraId: id.cameraId, stream: id.stream, ...head, segments });
    }
    const segments = chains.reduce((sum, one) => sum + one.segments, 0);
    return { day, chains, segments, digest: dayDigest(day, chains) };
  }
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
