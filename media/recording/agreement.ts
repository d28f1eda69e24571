import { backoffMs } from '../../src/base/backoff.js';
import { exists } from '../../src/base/durable.js';
import type { Log } from '../../src/base/log.js';
import { coverageOf } from '../coverage.js';
import type { RecorderIndex } from '../index/index.js';
import type { Integrity } from '../integrity/integrity.js';
import type { Range, StreamName } from '../types.js';
import { namesIn } from './folders.js';
import { GapBook } from './gap-book.js';
import { OPEN_SUFFIX } from './names.js';
import { type RecoveryDoors, recover } from './recover.js';

export interface AgreementOptions {
  root: string;
  index: RecorderIndex;
  integrity?: Integrity | undefined;
  tampering?: RecoveryDoors['tampering'];
  log: Log;
  isOurs: RecoveryDoors['isOurs'];
}

/** What could not be closed yet is tried again after so long, each time twice as long, ms; and at most this, ms. */
const AGAIN_MS = 4000;
const AGAIN_MOST_MS = 60_000;

/** A file that could not be closed, and the pictures it was given. */
export interface LeftFile extends Range {
  /** absolute */
  path: string;
  cameraId: string;
  stream: StreamName;
  /** what comes after is not believed, though it may be read back */
  durableBytes: number;
}

/** Makes index and files agree beside the recording: at the start, and when a failing disk is well again. */
export class Agreement {
  private readonly stopping = new AbortController();
  private readonly gaps: GapBook;
  /** left open by this process */
  private left: LeftFile[] = [];
  /** of those, what is being closed now */
  private inHand: LeftFile[] = [];
  /** how often it was tried in vain, and when it is tried again, monotonic ms; null: there is nothing to do */
  private tries = 0;
  private dueMs: number | null = null;
  /** resolves when index and files agree */
  reached: Promise<void> = Promise.resolve();

  constructor(private readonly options: AgreementOptions) {
    this.gaps = new GapBook(options);
  }

  begin(lastRow: number, doors: Pick<RecoveryDoors, 'lost' | 'lifeMs' | 'onRecovered'>): void {
    this.reached = this.reach({ ...this.options, ...doors }, lastRow);
  }

  /** Takes note of a file that waits for `again`. */
  leftOpen(left: LeftFile): void {
    this.left.push(left);
    this.dueMs ??= 0;
  }

  /** Files left open whose pictures are not accounted for yet. */
  get waiting(): LeftFile[] {
    return [...this.left, ...this.inHand];
  }

  /** Whether `again` has something to do now. */
  get hasWork(): boolean {
    return this.dueMs !== null && performance.now() >= this.dueMs;
  }

  /** Once more, when what is under way is done. */
  again(): void {
    const before = this.reached;
    this.dueMs = null;
    this.reached = (async () => {
      await before;
      const { index, log, root } = this.options;
      const left = this.left.splice(0);
      this.inHand = left;
      try {
        const lastRow = await index.segments.newestId();
        const durableOf = (file: string) => left.find((one) => one.path === file)?.durableBytes;
        await this.reach({ ...this.options, durableOf, onRecovered() {} }, lastRow);
        if (this.stopping.signal.aborted) return;
        // nothing at all: the disk is taken out
        const away = ((await namesIn(root)) ?? []).length === 0;
        for (const one of left)
          if (away || (one.path.endsWith(OPEN_SUFFIX) && (await exists(one.path)))) this.left.push(one);
          else await this.accountFor(one);
      } catch (error) {
        log.error({ err: error }, 'what a failing disk left could not be closed');
        this.left.push(...left.filter((one) => !this.left.includes(one)));
      } finally {
        this.inHand = [];
      }
      this.tries = this.left.length === 0 ? 0 : this.tries + 1;
      if (this.tries > 0) this.dueMs = performance.now() + backoffMs(this.tries, AGAIN_MS, AGAIN_MOST_MS);
    })();
  }

  /** What is not there of the pictures of a file left open is a gap: the disk did not keep it. */
  private async accountFor({ cameraId, stream, ...asked }: LeftFile): Promise<void> {
    const { index } = this.options;
    const [segments, gaps, deletions, clockSteps] = await Promise.all([
      index.segments.within(cameraId, stream, asked),
      index.gaps.within(cameraId, stream, asked),
      index.deletions.deletedIn(cameraId, stream, asked),
      index.clockSteps.within(asked),
    ]);
    const facts = { cameraId, stream, asked, segments, gaps, deletions, clockSteps };
    for (const hole of coverageOf({ ...facts, untilMs: asked.endMs }).gaps)
      if (hole.cause === 'unknown') await this.gaps.past(hole, { cameraId, stream, cause: 'disk' });
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
      if (doors.lost && report.whole) await index.settings.noteLost(null);
      log.info(report, 'index and files agree');
    } catch (error) {
      log.error({ err: error }, 'recovery failed');
    }
  }
}
