import path from 'node:path';
import { setImmediate as breathe } from 'node:timers/promises';
import { WorldError } from '../src/base/errors.js';
import type { SegmentInfo } from './clip.js';
import { coverageOf } from './coverage.js';
import type { Holds } from './holds/holds.js';
import type { RecorderIndex } from './index/index.js';
import type { Recorder } from './recording/recorder.js';
import type { Coverage, Range, StreamName } from './types.js';

/** What is recorded: closed files from the index, open ones from memory. */
export class Footage {
  constructor(
    private readonly root: string,
    private readonly index: RecorderIndex,
    private readonly recorder: Recorder,
    private readonly holds: Pick<Holds, 'heldIn'>,
  ) {}

  /** WorldError('not-found') for a camera that never was; a removed one still has its recordings. */
  async mustExist(cameraId: string): Promise<void> {
    if ((await this.index.cameras.find(cameraId)) === null)
      throw new WorldError('not-found', `there is no camera ${cameraId}`);
  }

  /** Every segment that overlaps the range, open ones with what is written of them. */
  async segments(cameraId: string, stream: StreamName, range: Range): Promise<SegmentInfo[]> {
    // Memory first: a file that closes in between is then seen twice, never missed.
    const live = this.recorder
      .liveSegments(cameraId, stream)
      .filter((one) => one.endMs > range.startMs && one.startMs < range.endMs);
    const closed = await this.index.segments.within(cameraId, stream, range);
    // By row: after the clock was set back another file may begin at the same time.
    const rows = new Set(live.map(({ rowId }) => rowId));
    const paths = new Set(live.map((one) => one.path));
    return [
      ...closed
        .filter((row) => !rows.has(row.id) && !paths.has(path.join(this.root, row.path)))
        .map(({ id, startMs, endMs, path: relative, codec, width, height }) => {
          const file = path.join(this.root, relative);
          const known = this.recorder.stream(cameraId, stream)?.knownOf(file);
          const pictures = { codec, width, height };
          return {
            order: id,
            startMs,
            endMs,
            path: file,
            pictures,
            ...(known === undefined ? {} : { known }),
          };
        }),
      ...live.map((one) => ({ ...one, order: one.rowId ?? Number.POSITIVE_INFINITY })),
    ];
  }

  /** Where recordings end before a moment at which there are none, and begin again behind it; null: nowhere. */
  async around(
    cameraId: string,
    stream: StreamName,
    atMs: number,
  ): Promise<{ beforeMs: number | null; afterMs: number | null }> {
    const live = this.recorder.liveSegments(cameraId, stream);
    const { beforeMs, afterMs } = await this.index.segments.around(cameraId, stream, atMs);
    const ends = live.map(({ endMs }) => endMs).filter((ms) => ms <= atMs);
    const starts = live.map(({ startMs }) => startMs).filter((ms) => ms > atMs);
    const before = Math.max(...ends, beforeMs ?? Number.NEGATIVE_INFINITY);
    const after = Math.min(...starts, afterMs ?? Number.POSITIVE_INFINITY);
    return {
      beforeMs: Number.isFinite(before) ? Math.round(before) : null,
      afterMs: Number.isFinite(after) ? Math.round(after) : null,
    };
  }

  /** What is recorded of the range and what is missing, with causes. */
  async coverage(cameraId: string, stream: StreamName, asked: Range): Promise<Coverage> {
    // Memory first: a file that closes in between is then seen twice, never missed.
    const live = this.recorder.liveSegments(cameraId, stream);
    const waiting = this.recorder.waitingForDisk(cameraId, stream);
    const [closed, gaps, deletions, clockSteps, begunMs] = await Promise.all([
      this.index.recordedDays.recordedIn(cameraId, stream, asked),
      this.index.gaps.within(cameraId, stream, asked),
      this.index.deletions.deletedIn(cameraId, stream, asked),
      this.index.clockSteps.within(asked),
      this.index.begunMs(cameraId, stream),
    ]);
    const recorder = this.recorder.stream(cameraId, stream);
    const now = Date.now();
    // While it records, what is not written yet is not missing.
    const untilMs = recorder?.status.state === 'recording' ? Math.min(now, recorder.newestMs ?? now) : now;
    const held = this.holds.heldIn(cameraId, stream, asked);
    const segments = [...closed, ...live].filter(
      (one) => one.endMs > asked.startMs && one.startMs < asked.endMs,
    );
    const facts = { cameraId, stream, asked, segments, gaps, deletions, waiting, clockSteps, held, untilMs };
    return { ...coverageOf(facts), begunMs };
  }

  /** The same for many cameras, in the order given. */
  async coverages(cameraIds: string[], stream: StreamName, asked: Range): Promise<Coverage[]> {
    const all: Coverage[] = [];
    for (const cameraId of cameraIds) {
      // the recording has its turn
      await breathe();
      all.push(await this.coverage(cameraId, stream, asked));
    }
    return all;
  }

  /** Waits until the range is recorded, or the camera is not recording, or `timeoutMs` have passed. */
  async untilRecorded(
    cameraId: string,
    stream: StreamName,
    endMs: number,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (!signal.aborted && performance.now() < deadline) {
      const recorder = this.recorder.stream(cameraId, stream);
      if (recorder === null || (recorder.status.state !== 'recording' && Date.now() >= endMs)) return;
      const written = recorder.liveSegments().at(-1)?.endMs ?? 0;
      if (written >= endMs) return;
      await recorder.nextWrite(250);
    }
  }
}
