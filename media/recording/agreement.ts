import type { Log } from '../../src/base/log.js';
import type { RecorderIndex } from '../index/index.js';
import type { Integrity } from '../integrity/integrity.js';
import { type RecoveryDoors, recover } from './recover.js';

export interface AgreementOptions {
  root: string;
  index: RecorderIndex;
  integrity?: Integrity | undefined;
  log: Log;
  isOurs: RecoveryDoors['isOurs'];
}

/** Makes index and files agree beside the recording: at the start, and when a failing disk is well again. */
export class Agreement {
  private readonly stopping = new AbortController();
  /** resolves when index and files agree */
  reached: Promise<void> = Promise.resolve();

  constructor(private readonly options: AgreementOptions) {}

  /** Whether this index knows nothing of what was before, or has not been told all of it yet. Asked before anything is written. */
  async isLost(aliveMs: number | null): Promise<boolean> {
    const { settings } = this.options.index;
    if (aliveMs !== null) return settings.isLost();
    await settings.noteLost(true);
    return true;
  }

  begin(lastRow: number, lost: RecoveryDoors['lost'], onRecovered: RecoveryDoors['onRecovered']): void {
    this.reached = this.reach({ ...this.options, lost, onRecovered }, lastRow);
  }

  /** Once more, when what is under way is done. */
  again(): void {
    const last = this.reached;
    this.reached = (async () => {
      await last;
      const lastRow = await this.options.index.segments.newestId();
      await this.reach({ ...this.options, onRecovered() {} }, lastRow);
    })();
  }

  /** Ends what is under way. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.reached;
  }

  private async reach(doors: Omit<RecoveryDoors, 'signal'>, lastRow: number): Promise<void> {
    const { index, log } = this.options;
    try {
      const report = await recover({ ...doors, signal: this.stopping.signal }, lastRow);
      if (doors.lost && report.whole) await index.settings.noteLost(false);
      log.info(report, 'index and files agree');
    } catch (error) {
      log.error({ err: error }, 'recovery failed');
    }
  }
}
