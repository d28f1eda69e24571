import { execFile } from 'node:child_process';
import fs from 'node:fs/promises';
import os from 'node:os';
import { promisify } from 'node:util';
import type { ClockStep } from './types.js';

/** The wall clock may gain this much between two looks without being doubted, ms. */
const SLACK_MS = 5000;
/** After a time that nobody measured (the machine was off) the clock may be ahead by this much, ms. */
const OFF_MS = 12 * 3_600_000;
/** A clock set back for so long is the right one: what was before is forgotten, ms. */
const BACK_MS = 24 * 3_600_000;

/** Recordings around the begin and end of a stretch in which the clock was behind count to it, ms. */
const EDGE_MS = 15 * 60_000;
/** A clock behind by less does no harm, ms. */
const LATE_MS = 3_600_000;
const MOST_LATE = 50;
/** The wall clock moved against the machine's uptime by more than this: it was set, ms. */
const STEP_MS = 1000;

/** A stretch of the wall clock in which it was behind: what it dated is younger than it looks. */
export interface Late {
  fromMs: number;
  toMs: number;
  byMs: number;
}

/** What is kept over restarts. */
export interface ClockMemory {
  /** the time it should be, as far as it was measured, epoch ms */
  trustedMs: number;
  /** what the wall clock said; kept by older versions: not */
  wallMs?: number;
  /** of the machine, ms; with the boot it belongs to: measures time on whatever the wall clock says */
  uptimeMs: number;
  bootId: string | null;
  /** while the wall clock is ahead: by how much, since when (by the trusted time), and whether that was measured */
  doubt: { aheadMs: number; sinceMs: number; measured: boolean } | null;
  /** since when (by the trusted time) the wall clock is behind */
  behindSinceMs: number | null;
  /** oldest first */
  late?: Late[];
}

export interface ClockFacts {
  wallMs: number;
  uptimeMs: number;
  bootId: string | null;
  /** the system says that its clock is kept right by network time */
  synchronised: boolean;
}

/**
 * What to believe of the wall clock. Ages and ends of holds go by `min(wall, trusted)`, so that a clock that is wrong in
 * either direction deletes nothing. The rule stands in README, "The clock".
 */
export function judgeClock(memory: ClockMemory, facts: ClockFacts): ClockMemory {
  const { wallMs, uptimeMs, bootId } = facts;
  const measured = bootId !== null && bootId === memory.bootId && uptimeMs >= memory.uptimeMs;
  const expectedMs = memory.trustedMs + (measured ? uptimeMs - memory.uptimeMs : 0);
  const aheadMs = wallMs - expectedMs;
  const late = memory.late ?? [];
  const at = { wallMs, uptimeMs, bootId, late };
  const believed = { ...at, trustedMs: wallMs, doubt: null, behindSinceMs: null };
  if (Math.abs(aheadMs) <= SLACK_MS || (facts.synchronised && aheadMs > 0)) return believed;
  if (aheadMs < 0) {
    const behindSinceMs = memory.behindSinceMs ?? expectedMs;
    // it was right all the time
    if (facts.synchronised || expectedMs - behindSinceMs >= BACK_MS)
      return { ...believed, late: late.filter((one) => one.toMs + one.byMs < behindSinceMs) };
    const sinceLookMs = measured ? uptimeMs - memory.uptimeMs : uptimeMs;
    const fromMs = wallMs - sinceLookMs - EDGE_MS;
    const stretch = { fromMs, toMs: wallMs + EDGE_MS, byMs: -aheadMs };
    return { ...at, trustedMs: expectedMs, doubt: null, behindSinceMs, late: withLate(late, stretch) };
  }
  if (!measured && aheadMs <= OFF_MS) return believed;
  const before = memory.doubt;
  const same = before !== null && measured && Math.abs(before.aheadMs - aheadMs) <= SLACK_MS;
  const doubt = same ? { ...before, aheadMs } : { aheadMs, sinceMs: expectedMs, measured };
  // Nothing speaks against it but that the machine was off for long: as much time as it claims must pass first.
  if (!doubt.measured && expectedMs - doubt.sinceMs >= Math.max(BACK_MS, aheadMs)) return believed;
  return { ...at, trustedMs: expectedMs, doubt, behindSinceMs: null };
}

/**
 * How the clock was set while nobody looked; null: it was not, as far as that can be told. Within one boot by the uptime;
 * over a boot only a clock that is behind what it said before (a battery that died).
 */
export function stepWhileAway(
  { wallMs: beforeMs, uptimeMs: beforeUptimeMs, bootId: boot }: ClockMemory,
  { wallMs, uptimeMs, bootId }: Omit<ClockFacts, 'synchronised'>,
): ClockStep | null {
  if (beforeMs === undefined) return null;
  const measured = bootId !== null && bootId === boot && uptimeMs >= beforeUptimeMs;
  const expectedMs = beforeMs + (measured ? uptimeMs - beforeUptimeMs : 0);
  const stepMs = wallMs - expectedMs;
  if (Math.abs(stepMs) <= STEP_MS || (!measured && stepMs > 0)) return null;
  return { fromMs: Math.round(expectedMs), toMs: Math.round(wallMs) };
}

/** Adds a stretch, or lengthens the last one where it goes on. */
function withLate(late: Late[], stretch: Late): Late[] {
  if (stretch.byMs < LATE_MS) return late;
  const last = late.at(-1);
  if (last !== undefined && Math.abs(last.byMs - stretch.byMs) < EDGE_MS && stretch.fromMs <= last.toMs)
    return [...late.slice(0, -1), { ...last, toMs: Math.max(last.toMs, stretch.toMs) }];
  return [...late, stretch].slice(-MOST_LATE);
}

export interface TrustedClockOptions {
  /** epoch ms */
  wall: () => number;
  load: () => Promise<string | null>;
  save: (text: string) => Promise<void>;
  /** the last sign of life where nothing was saved: an index from before, or the newest recording; null: none */
  lastLife: () => Promise<number | null>;
  /** default: the machine's own */
  machine?: () => Promise<{ uptimeMs: number; bootId: string | null }>;
  synchronised?: () => Promise<boolean>;
}

/** The time that may be used to delete by. */
export class TrustedClock {
  private memory: ClockMemory | null = null;
  /** monotonic ms of the last look */
  private readAtMs = 0;

  constructor(private readonly options: TrustedClockOptions) {}

  /** What was kept by the last run: what the clock said then, epoch ms, and how it was set since. Before the first look. */
  async away(): Promise<{ lastWallMs: number | null; step: ClockStep | null }> {
    const { wall, load, machine = theMachine } = this.options;
    const memory = readMemory(await load());
    if (memory === null) return { lastWallMs: null, step: null };
    const step = stepWhileAway(memory, { ...(await machine()), wallMs: wall() });
    return { lastWallMs: memory.wallMs ?? null, step };
  }

  /** Looks at the clock. Gives back whether it is doubted, and by how much it is ahead, ms. */
  async look(): Promise<{ nowMs: number; aheadMs: number | null }> {
    const { wall, load, save, lastLife, machine = theMachine, synchronised = networkTime } = this.options;
    const before = this.memory ?? readMemory(await load());
    const here = await machine();
    const wallMs = wall();
    const facts = { wallMs, ...here };
    const life = before ?? {
      ...{ trustedMs: (await lastLife()) ?? wallMs, uptimeMs: here.uptimeMs, bootId: null },
      ...{ doubt: null, behindSinceMs: null },
    };
    let after = judgeClock(life, { ...facts, synchronised: false });
    if ((after.doubt !== null || after.behindSinceMs !== null) && (await synchronised()))
      after = judgeClock(life, { ...facts, synchronised: true });
    this.memory = after;
    this.readAtMs = performance.now();
    // a full disk may take no note of it: then the note is older
    await save(JSON.stringify(after)).catch(() => {});
    return { nowMs: this.now(), aheadMs: after.doubt?.aheadMs ?? null };
  }

  /** The stretch in which the clock was behind and dated a recording that begins then; null: its date is right. */
  late(startMs: number): Late | null {
    return this.memory?.late?.find((one) => startMs >= one.fromMs && startMs <= one.toMs) ?? null;
  }

  /** Epoch ms: never ahead of the wall clock, nor of what was measured. Before the first look it is 1970: nothing is over. */
  now(): number {
    if (this.memory === null) return 0;
    return Math.min(this.options.wall(), this.memory.trustedMs + (performance.now() - this.readAtMs));
  }
}

/** Kept in a file of its own: it outlives the index. */
export const clockFile = (file: string): Pick<TrustedClockOptions, 'load' | 'save'> => ({
  load: () => fs.readFile(file, 'utf8').catch(() => null),
  async save(text) {
    await fs.writeFile(`${file}.tmp`, text);
    await fs.rename(`${file}.tmp`, file);
  },
});

function readMemory(text: string | null): ClockMemory | null {
  try {
    const memory = JSON.parse(text ?? 'null') as ClockMemory | null;
    return typeof memory?.trustedMs === 'number' && typeof memory.uptimeMs === 'number' ? memory : null;
  } catch {
    return null;
  }
}

async function theMachine(): Promise<{ uptimeMs: number; bootId: string | null }> {
  const bootId = await fs.readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => null);
  return { uptimeMs: Math.round(os.uptime() * 1000), bootId: bootId?.trim() ?? null };
}

/** The kernel forgets that it is synchronised as soon as somebody sets the clock by hand. */
async function networkTime(): Promise<boolean> {
  try {
    const { stdout } = await promisify(execFile)(
      'timedatectl',
      ['show', '-p', 'NTPSynchronized', '--value'],
      {
        timeout: 5000,
      },
    );
    return stdout.trim() === 'yes';
  } catch {
    return false;
  }
}
