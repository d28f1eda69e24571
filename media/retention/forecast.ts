import { DAY_MS } from '../../src/base/clock.js';
import { EDGE_MS } from '../holds/cover.js';
import { fullAt, nextTold, type Room, type Told } from '../holds/room.js';
import type { HoldsHealth } from '../types.js';
import type { Disk, DiskState } from './disk-state.js';
import type { Oldest } from './oldest.js';
import type { RetentionOptions } from './retention.js';
import type { Unreadable } from './unreadable.js';

const HELD_MEASURED_EVERY_MS = 10 * 60_000;
const STUCK_AGAIN_MS = 6 * 3_600_000;
/** Settings of the index: what was told of the forecast. */
const FORECAST = 'holdsForecast';

/** What is held, when that will fill the disk, and that it has. */
export class Forecast {
  private stuckToldMs: number | null = null;
  private measured = { atMs: Number.NEGATIVE_INFINITY, heldBytes: 0, keptBytes: 0, holds: '' };
  private fullAtMs: number | null = null;

  constructor(
    private readonly options: Pick<RetentionOptions, 'index' | 'holds' | 'clock' | 'tell'>,
    private readonly room: Room,
    private readonly oldest: Oldest,
    private readonly state: Pick<DiskState, 'full' | 'rate' | 'isShort'>,
    private readonly unreadable: Pick<Unreadable, 'fullAtMs'>,
  ) {}

  health(): HoldsHealth {
    const { holds } = this.options;
    const { heldBytes, keptBytes } = this.measured;
    return {
      readable: holds.fault === null,
      fault: holds.fault,
      holds: holds.active('hold').length,
      keeps: holds.active('keep').length,
      ...{ heldBytes, keptBytes },
      fullAtMs: holds.fault === null ? this.fullAtMs : this.unreadable.fullAtMs,
    };
  }

  /** Nothing is left but what officers hold: loud, since recording stops. */
  tellStuck(disk: Disk, freed: 'enough' | 'short' | 'nothing-left'): void {
    if (freed !== 'nothing-left' || !this.state.isShort(disk) || this.measured.heldBytes === 0) {
      if (freed === 'enough') this.stuckToldMs = null;
      return;
    }
    const nowMs = performance.now();
    if (this.stuckToldMs !== null && nowMs - this.stuckToldMs < STUCK_AGAIN_MS) return;
    this.stuckToldMs = nowMs;
    const { heldBytes } = this.measured;
    const holds = this.options.holds.active('hold').length;
    this.options.tell('disk-full-of-holds', null, { ...disk, heldBytes, holds });
  }

  /** Sums up what is held, and tells when that will fill the disk. */
  async measure(disk: Disk): Promise<void> {
    const { holds, clock, index } = this.options;
    const nowMs = clock.now();
    const officers = holds.active('hold');
    const names = [...officers, ...holds.active('keep')].map(({ id }) => id).join();
    const age = performance.now() - this.measured.atMs;
    if (names !== this.measured.holds || age > HELD_MEASURED_EVERY_MS || this.state.full)
      this.measured = {
        atMs: performance.now(),
        heldBytes: await this.room.covered(holds.cover('hold')),
        keptBytes: holds.active('keep').length === 0 ? 0 : await this.oldest.keptBytes(),
        holds: names,
      };
    const { heldBytes } = this.measured;
    const before = JSON.parse((await index.settings.read(FORECAST)) ?? '{"level":0,"atMs":0}') as Told;
    this.fullAtMs = heldBytes === 0 ? null : await this.forecast(disk, heldBytes, nowMs);
    const { told, tell } = nextTold(before, this.fullAtMs === null ? null : this.fullAtMs - nowMs, nowMs);
    if (told.level !== before.level || told.atMs !== before.atMs)
      await index.settings.write(FORECAST, JSON.stringify(told));
    if (tell)
      this.options.tell('holds-fill-disk', null, {
        ...disk,
        fullAtMs: this.fullAtMs,
        ...{ heldBytes, holds: officers.length, bytesPerDay: Math.round(this.state.rate * DAY_MS) },
      });
  }

  private async forecast(disk: Disk, heldBytes: number, nowMs: number): Promise<number | null> {
    const cover = this.options.holds.cover('hold');
    const heldSince = async (fromMs: number) => {
      let bytes = 0;
      for (const { cameraId, stream, startMs, endMs } of cover.stretches())
        if (endMs > fromMs - EDGE_MS)
          bytes += await this.options.index.segments.bytesOf(cameraId, stream, {
            startMs: Math.max(startMs, fromMs),
            endMs,
          });
      return bytes;
    };
    const enough = 2 * DAY_MS * this.state.rate - disk.freeBytes;
    const deletableBytes = enough <= 0 ? 0 : await this.room.deletable(nowMs, enough, heldSince);
    return fullAt({ nowMs, freeBytes: disk.freeBytes, deletableBytes, heldBytes, rate: this.state.rate });
  }
}
