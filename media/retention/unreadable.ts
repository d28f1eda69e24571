import { DAY_MS } from '../../src/base/clock.js';
import type { Disk, DiskState } from './disk-state.js';
import type { RetentionOptions } from './retention.js';

/** Settings of the index: when it was told, so that a restart neither repeats it nor forgets to tell the end. */
const TOLD = 'holdsUnreadable';
const AGAIN_MS = DAY_MS;
/** … while recording stands still for it, ms */
const STOPPED_AGAIN_MS = 6 * 3_600_000;

interface Told {
  atMs: number;
  stopped: boolean;
}

/** While the holds can't be read nothing is deleted: that is told, daily again, and how long the disk lasts. */
export class Unreadable {
  /** when the disk is full at the present pace, since nothing is deleted; null: not known */
  fullAtMs: number | null = null;
  /** undefined: not read from the index yet */
  private told: Told | null | undefined = undefined;

  constructor(
    private readonly options: Pick<RetentionOptions, 'index' | 'clock' | 'tell'>,
    private readonly state: Pick<DiskState, 'rate' | 'isShort'>,
  ) {}

  /** @param fault why they can't be read; null: they can */
  async judge(fault: string | null, disk: Disk): Promise<void> {
    if (this.told === undefined) this.told = await this.kept();
    const { tell, clock } = this.options;
    if (fault === null) {
      this.fullAtMs = null;
      if (this.told === null) return;
      await this.keep(null);
      tell('holds-readable', null, {});
      return;
    }
    const nowMs = clock.now();
    const { rate } = this.state;
    this.fullAtMs = rate > 0 ? Math.round(nowMs + disk.freeBytes / rate) : null;
    const stopped = this.state.isShort(disk);
    const { told } = this;
    const quietMs = told?.stopped ? STOPPED_AGAIN_MS : AGAIN_MS;
    if (told !== null && (told.stopped || !stopped) && Math.abs(nowMs - told.atMs) < quietMs) return;
    await this.keep({ atMs: nowMs, stopped });
    tell('holds-unreadable', null, { detail: fault, ...disk, fullAtMs: this.fullAtMs, stopped });
  }

  private async kept(): Promise<Told | null> {
    try {
      return JSON.parse((await this.options.index.settings.read(TOLD)) || 'null') as Told | null;
    } catch {
      return null;
    }
  }

  /** An index that takes nothing now is told no more often for it. */
  private async keep(told: Told | null): Promise<void> {
    this.told = told;
    await this.options.index.settings.write(TOLD, told === null ? '' : JSON.stringify(told)).catch(() => {});
  }
}
