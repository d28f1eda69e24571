import type { Log } from '../../src/base/log.js';
import type { RecorderIndex } from '../index/index.js';
import type { Integrity } from '../integrity/integrity.js';
import type { ClockStep, RecorderEventKind } from '../types.js';

/** Looked at so often, ms. */
const EVERY_MS = 1000;
/** The wall clock moved against the monotonic one by more than this: it was set. Slower corrections are no step. */
const STEP_MS = 1000;

export interface ClockWatchOptions {
  index: { clockSteps: Pick<RecorderIndex['clockSteps'], 'add'> };
  /** absent: nothing is written beside the recordings */
  integrity?: Pick<Integrity, 'recordClockStep'> | undefined;
  log: Log;
  tell: (kind: RecorderEventKind, cameraId: string | null, data: Record<string, unknown>) => void;
  /** a step is written down */
  onStep?: () => Promise<unknown>;
  /** wall clock, epoch ms */
  wall?: () => number;
  /** monotonic ms */
  monotonic?: () => number;
}

/**
 * Notices when the machine's clock is set while we run: by hand, or by NTP on a machine whose own clock was wrong. The
 * step is written down, so that the hour that never was, or was twice, is told as that.
 */
export class ClockWatch {
  private timer: NodeJS.Timeout | undefined;
  private difference: number;
  private work: Promise<void> = Promise.resolve();

  constructor(private readonly options: ClockWatchOptions) {
    this.difference = this.wall() - this.monotonic();
  }

  start(): void {
    this.timer = setInterval(() => this.look(), EVERY_MS);
  }

  /** Resolves when every step noticed is written down. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.work;
  }

  /** One look; gives back the step if there was one since the last. */
  look(): ClockStep | null {
    const wallMs = this.wall();
    const difference = wallMs - this.monotonic();
    const stepMs = difference - this.difference;
    this.difference = difference;
    if (Math.abs(stepMs) < STEP_MS) return null;
    const step = { fromMs: Math.round(wallMs - stepMs), toMs: Math.round(wallMs) };
    this.note(step);
    return step;
  }

  /** Writes a step down, beside the recordings and then in the index, and tells it. */
  note(step: ClockStep): void {
    const { index, integrity, log, tell, onStep } = this.options;
    log.warn(step, 'the clock of this machine was set');
    this.work = this.work
      .then(async () => {
        await integrity?.recordClockStep(step);
        await index.clockSteps.add(step);
        await onStep?.();
      })
      .catch((error) => {
        log.error({ err: error }, 'the index took no clock step');
      });
    tell('clock-set', null, { ...step });
  }

  private wall(): number {
    return (this.options.wall ?? Date.now)();
  }

  private monotonic(): number {
    return (this.options.monotonic ?? (() => performance.now()))();
  }
}
