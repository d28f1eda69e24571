import { setTimeout as pause } from 'node:timers/promises';
import type { SegmentInfo } from '../clip.js';
import type { FragmentSource } from '../fragment.js';
import type { CameraState, Cause, Range, StreamName } from '../types.js';
import { Connection, type LivePictures, type RecordingDoors } from './connection.js';
import { GapBook, type OpenGap } from './gap-book.js';
import { withoutLosses } from './losses.js';
import { HEALTHY_MS, restartWait } from './restart.js';

export interface StreamStatus {
  state: CameraState;
  sinceMs: number;
  cause: Cause | null;
  /** English, for engineers, without secrets */
  detail: string | null;
}

export interface StreamOptions {
  cameraId: string;
  stream: StreamName;
  /** a new connection each time: host names are resolved again */
  source: () => FragmentSource;
  /** a gap that is open already, from before */
  gap?: OpenGap | null;
  /** default restartWait */
  wait?: typeof restartWait;
  /** resolves when a refused password need not be waited for any longer, or when the signal aborts; default: never */
  admitted?: (signal: AbortSignal) => Promise<void>;
  onDiskFault?: () => void;
}

/** Keeps one stream recording: connects, waits, connects again. Its faults stay its own. */
export class StreamRecorder {
  status: StreamStatus;
  private connection: Connection | null = null;
  /** the one that ended, while its files are closed */
  private closing: Connection | null = null;
  private abort = new AbortController();
  private running: Promise<void> | null = null;
  private gap: { opened: Promise<OpenGap>; cause: Cause } | null;
  private readonly gaps: GapBook;
  private gapWork: Promise<void> = Promise.resolve();
  private attemptMs = 0;

  constructor(
    readonly options: StreamOptions,
    private readonly doors: RecordingDoors,
  ) {
    this.status = { state: 'starting', sinceMs: Date.now(), cause: null, detail: null };
    this.gap = options.gap ? { opened: Promise.resolve(options.gap), cause: options.gap.cause } : null;
    this.gaps = new GapBook(doors);
  }

  start(): void {
    this.running ??= this.keepRecording(this.abort.signal);
  }

  /**
   * Ends the connection and closes its file. A gap with this cause begins at the last picture; `settings` only where
   * none lasts already: a camera that was away is not there because it is set otherwise.
   */
  async stop(cause: 'switched-off' | 'settings' | null = null): Promise<void> {
    const { connection } = this;
    const askedMs = Date.now();
    this.abort.abort();
    await this.running;
    if (cause === 'switched-off' || (cause === 'settings' && this.gap === null))
      this.openGap(cause, connection?.newestMs ?? askedMs);
    await this.gapWork;
  }

  private async keepRecording(signal: AbortSignal): Promise<void> {
    const { cameraId, stream, source, wait = restartWait, onDiskFault } = this.options;
    for (let tries = 0; !signal.aborted; ) {
      this.attemptMs = Date.now();
      const connection = new Connection(cameraId, stream, this.doors, (startMs) => this.wentUp(startMs));
      this.connection = connection;
      const either = AbortSignal.any([signal, connection.diskFault.signal]);
      const end = await this.runSource(source, connection, either);
      this.connection = null;
      this.closing = connection;
      // a disk that takes its time to close the file holds up neither the news nor the wait
      const finished = connection.finish().finally(() => {
        this.closing = null;
      });
      if (signal.aborted || connection.diskError !== null) await finished;
      if (signal.aborted) {
        this.tellLosses(connection.losses);
        return;
      }
      const streamedMs = connection.firstMs === null ? 0 : (connection.newestMs ?? 0) - connection.firstMs;
      const full = connection.diskError !== null;
      if (full) onDiskFault?.();
      const cause = full ? 'disk' : end.cause;
      // Refusals are counted by themselves: the first after other faults is still the first.
      const anew = streamedMs >= HEALTHY_MS || (cause === 'refused') !== (this.status.cause === 'refused');
      tries = anew ? 1 : tries + 1;
      const detail = full ? String((connection.diskError as Error).message) : end.detail;
      const newestMs = connection.newestMs ?? this.attemptMs;
      const kept = withoutLosses(newestMs, full ? connection.losses : []);
      this.tellLosses(kept.holes);
      this.wentDown(cause, detail, kept.endMs);
      const waitMs = wait({ cause, streamedMs }, tries, Math.random());
      this.doors.log.info(
        { camera: cameraId, stream, cause, detail, tries, waitMs: Math.round(waitMs) },
        'stream ended',
      );
      await this.waitOut(waitMs, cause, signal);
      await finished;
      if (full || connection.diskError === null) continue;
      onDiskFault?.();
      this.tellLosses(connection.losses);
    }
  }

  private async waitOut(ms: number, cause: Cause, signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    const either = AbortSignal.any([signal, over.signal]);
    const sooner = cause === 'refused' ? this.options.admitted?.(either) : undefined;
    const waited = pause(ms, undefined, { signal: either }).catch(() => {});
    await Promise.race([waited, ...(sooner ? [sooner] : [])]);
    over.abort();
  }

  private async runSource(source: () => FragmentSource, connection: Connection, signal: AbortSignal) {
    try {
      return await source().run(connection, signal);
    } catch (error) {
      this.doors.log.error({ err: error, camera: this.options.cameraId }, 'a source failed');
      return { cause: 'broken' as const, detail: 'the source failed' };
    }
  }

  private wentUp(startMs: number): void {
    const { state, sinceMs } = this.status;
    this.closeGap(startMs);
    this.status = { state: 'recording', sinceMs: startMs, cause: null, detail: null };
    if (this.options.stream === 'main')
      this.doors.tell('camera-recording', this.options.cameraId, {
        sinceMs: Math.round(startMs),
        downMs: state === 'down' ? Math.max(0, Math.round(startMs - sinceMs)) : 0,
      });
  }

  private wentDown(cause: Cause, detail: string, atMs: number): void {
    const before = this.status;
    const wasDown = before.state === 'down';
    this.openGap(cause, atMs);
    const sinceMs = wasDown ? before.sinceMs : atMs;
    this.status = { state: 'down', sinceMs, cause, detail };
    // Told once an outage; and again when the password turns out to be wrong, since then waiting is of no use.
    const news = !wasDown || (cause === 'refused' && before.cause !== 'refused');
    if (news && this.options.stream === 'main')
      this.doors.tell('camera-down', this.options.cameraId, { cause, sinceMs: Math.round(sinceMs), detail });
  }

  private openGap(cause: Cause, startMs: number): void {
    if (this.gap?.cause === cause) return;
    this.closeGap(startMs);
    const { cameraId, stream } = this.options;
    // in order: beside the recordings the next begins when the last has ended
    const opened = this.gapWork.then(() => this.gaps.begin({ cameraId, stream, startMs, cause }));
    this.gap = { opened, cause };
    this.gapWork = opened.then(() => {});
  }

  /** What the disk did not keep is a gap of its own where pictures came after it. */
  private tellLosses(losses: readonly Range[]): void {
    const { cameraId, stream } = this.options;
    for (const loss of losses)
      this.gapWork = this.gapWork.then(() => this.gaps.past(loss, { cameraId, stream, cause: 'disk' }));
  }

  private closeGap(endMs: number): void {
    const { gap } = this;
    if (gap === null) return;
    this.gap = null;
    this.gapWork = this.gapWork.then(async () => this.gaps.end(await gap.opened, endMs));
  }

  /** The gap that lasts; for the next recorder of this stream. */
  async openGapNow(): Promise<OpenGap | null> {
    await this.gapWork;
    return (await this.gap?.opened) ?? null;
  }

  liveSegments(): SegmentInfo[] {
    return [this.closing, this.connection].flatMap((one) => one?.liveSegments() ?? []);
  }

  knownOf(file: string): SegmentInfo['known'] {
    return this.closing?.knownOf(file) ?? this.connection?.knownOf(file);
  }

  openPaths(): string[] {
    return [this.closing, this.connection].flatMap((one) => one?.openPaths() ?? []);
  }

  /** Something was written, or `ms` have passed. */
  async nextWrite(ms: number): Promise<void> {
    const stop = new AbortController();
    const tick = pause(ms, undefined, { signal: stop.signal }).catch(() => {});
    await Promise.race([this.connection?.nextWrite() ?? tick, tick]);
    stop.abort();
  }

  get newestMs(): number | null {
    return this.connection?.newestMs ?? null;
  }

  pictures(): LivePictures | null {
    return this.connection?.pictures() ?? null;
  }

  get streamInfo() {
    return this.connection?.streamInfo ?? null;
  }
}
