import type { Log } from '../../src/base/log.js';
import type { RecorderIndex } from '../index/index.js';
import type { CameraRow, GapRow } from '../index/rows.js';
import type { Integrity } from '../integrity/integrity.js';
import type { Cause, Range, StreamName } from '../types.js';

/** A gap as it is written down. */
interface KnownGap extends Omit<GapRow, 'id' | 'endMs'> {
  /** its row; null: the index took none */
  row: number | null;
}

/** A gap that lasts. */
export interface OpenGap extends KnownGap {
  cause: Cause;
}

export type StreamGaps = Partial<Record<StreamName, OpenGap>>;

export interface GapDoors {
  index: RecorderIndex;
  /** absent: nothing is written beside the recordings */
  integrity?: Integrity | undefined;
  log: Log;
}

/** Writes gaps down, beside the recordings and then in the index: one that is lost with its index comes back. Never throws. */
export class GapBook {
  constructor(private readonly doors: GapDoors) {}

  async begin(gap: Omit<OpenGap, 'row'>): Promise<OpenGap> {
    await this.doors.integrity?.recordGap({ ...gap, endMs: null });
    return { ...gap, row: await this.add(gap, null) };
  }

  /** A gap that is over already. */
  async past({ startMs, endMs }: Range, of: Pick<KnownGap, 'cameraId' | 'stream' | 'cause'>): Promise<void> {
    await this.end({ ...of, startMs, row: null }, endMs);
  }

  /** Begins the gaps of a camera of which nothing was recorded since then, for we did not run. */
  async away({ id: cameraId, subUrl, enabled }: CameraRow, sinceMs: number): Promise<StreamGaps> {
    const cause = enabled ? 'recorder-down' : 'switched-off';
    const begin = (stream: StreamName) => this.begin({ cameraId, stream, startMs: sinceMs, cause });
    return { main: await begin('main'), ...(subUrl !== null && { sub: await begin('sub') }) };
  }

  /** Ends every gap left open, at the last sign of life. */
  async endAll(atMs: number): Promise<void> {
    const open = await this.doors.index.gaps.open();
    await Promise.all(open.map((gap) => this.end({ ...gap, row: gap.id }, atMs)));
  }

  /** Ends a gap, never before its start. */
  async end(gap: KnownGap, atMs: number): Promise<void> {
    const { row, ...facts } = gap;
    const endMs = Math.max(facts.startMs, atMs);
    await this.doors.integrity?.recordGap({ ...facts, endMs });
    if (row === null) await this.add(facts, endMs);
    else
      await this.doors.index.gaps
        .end(row, endMs)
        .catch((error) => this.doors.log.error({ err: error }, 'the index could not end a gap'));
  }

  /** The gap began at another moment than was thought; beside the recordings that is told with its end. */
  async moveStart(gap: OpenGap, startMs: number): Promise<void> {
    gap.startMs = startMs;
    if (gap.row !== null)
      await this.doors.index.gaps
        .moveStart(gap.row, startMs)
        .catch((error) => this.doors.log.error({ err: error }, 'the index could not move a gap'));
  }

  private add(gap: Omit<KnownGap, 'row'>, endMs: number | null): Promise<number | null> {
    const { cameraId, stream, startMs, cause } = gap;
    return this.doors.index.gaps.add({ cameraId, stream, startMs, endMs, cause }).catch((error) => {
      this.doors.log.error({ err: error, camera: cameraId }, 'the index took no gap');
      return null;
    });
  }
}
