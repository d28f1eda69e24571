import { randomUUID } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import PQueue from 'p-queue';
import { exists } from '../src/base/durable.js';
import { WorldError } from '../src/base/errors.js';
import type { Ffmpeg } from '../src/base/ffmpeg.js';
import type { Log } from '../src/base/log.js';
import { type MadeClip, type MadePart, makeClip, needsTranscoding, type SegmentInfo } from './clip.js';
import { explainLacking } from './coverage.js';
import type { Footage } from './footage.js';
import { CutShort } from './mp4/copy.js';
import type { Recorder } from './recording/recorder.js';
import type { ClipJob, ClipRequest, Coverage, Range, StreamName } from './types.js';

export interface ClipsOptions {
  /** folder of finished clips; emptied at start */
  folder: string;
  /** parts may be linked to new files below this folder … */
  shared: string;
  /** … but not here, where the recordings are */
  recordings: string;
  footage: Footage;
  recorder: Recorder;
  ffmpeg: Ffmpeg;
  log: Log;
  /** finished clips are kept this long, ms; default 15 min */
  keepMs?: number;
  /** longest clip, ms; default 2 h */
  longestMs?: number;
}

interface Job {
  view: ClipJob;
  made: MadePart[];
  abort: AbortController;
  done: Promise<void>;
  changed: Set<() => void>;
  endedMs: number | null;
}

/** An end later than now by more than this is refused rather than waited for. */
const LATEST_AHEAD_MS = 10 * 60_000;
/** Pictures arrive this long after they were taken, at most. */
const ARRIVAL_MS = 10_000;
const MOST_JOBS = 200;
const MOST_TRIES = 4;
const AGAIN_MS = 50;

/** Clips as jobs: made side by side, transcodes one after the other, kept for a while, then removed. */
export class Clips {
  private readonly jobs = new Map<string, Job>();
  private readonly copies = new PQueue({ concurrency: 4 });
  private readonly transcodes = new PQueue({ concurrency: 1 });
  private sweeper: NodeJS.Timeout | undefined;

  constructor(private readonly options: ClipsOptions) {}

  async start(): Promise<void> {
    await fs.rm(this.options.folder, { recursive: true, force: true });
    await fs.mkdir(this.options.folder, { recursive: true });
    this.sweeper = setInterval(() => void this.sweep(), 30_000);
  }

  async stop(): Promise<void> {
    clearInterval(this.sweeper);
    for (const { abort } of this.jobs.values()) abort.abort();
    await Promise.all([...this.jobs.values()].map(({ done }) => done));
    await fs.rm(this.options.folder, { recursive: true, force: true });
  }

  /** Takes an order. WorldError: invalid (range), not-found (camera), rate-limited (too many). */
  async order(request: ClipRequest): Promise<ClipJob> {
    const { startMs, endMs, cameraId } = request;
    const longestMs = this.options.longestMs ?? 2 * 3_600_000;
    if (!(endMs > startMs)) throw new WorldError('invalid', 'a clip ends after it begins');
    if (endMs - startMs > longestMs)
      throw new WorldError('invalid', `a clip is at most ${longestMs / 1000} s long`);
    if (startMs > Date.now() || endMs > Date.now() + LATEST_AHEAD_MS)
      throw new WorldError('invalid', 'a clip can not begin in the future');
    await this.options.footage.mustExist(cameraId);
    const stream = request.stream ?? 'main';
    const running = [...this.jobs.values()].filter((job) => job.endedMs === null).length;
    if (running >= MOST_JOBS) throw new WorldError('rate-limited', 'too many clips are being made');
    const view: ClipJob = {
      ...{ id: randomUUID(), request, stream, state: 'waiting', progress: 0 },
      ...{ parts: [], gaps: [], error: null },
    };
    const job: Job = {
      view,
      made: [],
      abort: new AbortController(),
      done: Promise.resolve(),
      changed: new Set(),
      endedMs: null,
    };
    this.jobs.set(view.id, job);
    job.done = this.run(job);
    return view;
  }

  /** WorldError('not-found') when it never was or has expired. */
  get(id: string): ClipJob {
    return this.job(id).view;
  }

  private job(id: string): Job {
    const job = this.jobs.get(id);
    if (job === undefined) throw new WorldError('not-found', 'there is no such clip, or it has expired');
    return job;
  }

  /** The job at its next change, or as it is after `ms`. One that has ended comes at once. */
  async next(id: string, ms: number, seen?: string): Promise<ClipJob> {
    const job = this.job(id);
    if (job.endedMs !== null || (seen !== undefined && seen !== versionOf(job.view))) return job.view;
    await new Promise<void>((resolve) => {
      const finish = () => {
        clearTimeout(timer);
        job.changed.delete(finish);
        resolve();
      };
      const timer = setTimeout(finish, ms);
      job.changed.add(finish);
    });
    return job.view;
  }

  /** Waits for the end of a job, at most `ms`. */
  async ended(id: string, ms: number): Promise<ClipJob> {
    const job = this.job(id);
    const until = performance.now() + ms;
    while (job.endedMs === null && performance.now() < until) await this.next(id, until - performance.now());
    return job.view;
  }

  /** Cancels what runs, forgets what is finished. */
  async remove(id: string): Promise<void> {
    const job = this.job(id);
    job.abort.abort();
    await job.done;
    this.jobs.delete(id);
    await fs.rm(path.join(this.options.folder, id), { recursive: true, force: true });
  }

  /** The file of a part of a finished clip. */
  partFile(id: string, index: number): string {
    const part = this.job(id).made[index];
    if (part === undefined) throw new WorldError('not-found', 'the clip has no such part');
    return part.path;
  }

  /**
   * Makes a part appear at `target`, a new file below the shared folder.
   * WorldError: not-found, invalid (another place, or something is there), disk-full.
   */
  async linkPart(id: string, index: number, target: string): Promise<{ sizeBytes: number }> {
    const file = this.partFile(id, index);
    const { shared, recordings } = this.options;
    // The folder it is in, as it really is: a link must not lead out.
    const folder = await fs.realpath(path.dirname(target)).catch(() => null);
    const real = await Promise.all([shared, recordings].map((one) => fs.realpath(one)));
    if (
      folder === null ||
      !path.isAbsolute(target) ||
      !isWithin(real[0]!, folder) ||
      isWithin(real[1]!, folder)
    )
      throw new WorldError(
        'invalid',
        'a part is linked only to a folder below DATA_DIR, not among the recordings',
      );
    try {
      await fs.link(file, target).catch(async (error: NodeJS.ErrnoException) => {
        if (error.code === 'EEXIST') throw error;
        await fs.copyFile(file, target, fs.constants.COPYFILE_EXCL);
      });
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EEXIST') throw new WorldError('invalid', 'there is a file already', { cause: error });
      if (code === 'ENOSPC') throw new WorldError('disk-full', 'no space for the clip', { cause: error });
      throw error;
    }
    return { sizeBytes: (await fs.stat(target)).size };
  }

  private set(job: Job, change: Partial<ClipJob>): void {
    job.view = { ...job.view, ...change };
    for (const tell of [...job.changed]) tell();
  }

  private async run(job: Job): Promise<void> {
    const { signal } = job.abort;
    const { request, id } = job.view;
    const folder = path.join(this.options.folder, id);
    try {
      await this.untilRecorded(request, request.stream ?? 'main', signal);
      const stream = await this.chooseStream(request, signal);
      if (stream !== job.view.stream) this.set(job, { stream });
      const made = await (await this.queueFor(request, stream)).add(async () => {
        if (signal.aborted) throw new WorldError('cancelled', 'the clip was cancelled');
        this.set(job, { state: 'running' });
        await fs.mkdir(folder, { recursive: true });
        // before it is made: what comes meanwhile is not missing
        const before = await this.options.footage.coverage(request.cameraId, stream, request);
        const { parts, gaps } = await this.make(job, folder);
        return { parts, gaps: await this.whyLacking(request, stream, gaps, before) };
      });
      job.made = made!.parts;
      job.endedMs = Date.now();
      const parts = made!.parts.map(({ path: _path, ...part }) => part);
      this.set(job, { state: 'done', progress: 1, parts, gaps: made!.gaps });
    } catch (error) {
      await fs.rm(folder, { recursive: true, force: true }).catch(() => {});
      job.endedMs = Date.now();
      await this.tellFailure(job, error, job.view.stream);
    }
  }

  /** What a film lacks, with causes; `before`: what was known before it was made. */
  private async whyLacking(
    { cameraId, startMs, endMs }: ClipRequest,
    stream: StreamName,
    lacking: Range[],
    before: Pick<Coverage, 'recorded' | 'gaps'>,
  ): Promise<ClipJob['gaps']> {
    if (lacking.length === 0) return [];
    const { footage } = this.options;
    // what was deleted meanwhile is known by now
    const now = await footage.coverage(cameraId, stream, { startMs, endMs });
    const there = await footage.segments(cameraId, stream, { startMs, endMs });
    const gone: Range[] = [];
    for (const segment of there) if (!(await exists(segment.path))) gone.push(segment);
    return explainLacking({ lacking, recorded: before.recorded, gaps: [...now.gaps, ...before.gaps], gone });
  }

  private untilRecorded(request: ClipRequest, stream: StreamName, signal: AbortSignal): Promise<void> {
    const { cameraId, endMs } = request;
    const limitMs = Math.max(0, endMs - Date.now()) + ARRIVAL_MS;
    return this.options.footage.untilRecorded(cameraId, stream, endMs, limitMs, signal);
  }

  /**
   * A chat clip whose main stream would have to be transcoded, or has nothing, comes from the sub stream when that can
   * be copied and lacks nothing that the main one has; otherwise what is missing counts more than what is slow.
   */
  private async chooseStream(request: ClipRequest, signal: AbortSignal): Promise<StreamName> {
    const { cameraId, format = 'chat' } = request;
    const { footage, recorder } = this.options;
    if (request.stream !== undefined || format !== 'chat') return request.stream ?? 'main';
    const main = await footage.segments(cameraId, 'main', request);
    if (main.length > 0 && !(await someNeedTranscoding(main))) return 'main';
    if (recorder.stream(cameraId, 'sub') !== null) await this.untilRecorded(request, 'sub', signal);
    const sub = await footage.segments(cameraId, 'sub', request);
    if (sub.length === 0 || lacks(sub, main, request) || (await someNeedTranscoding(sub))) return 'main';
    return 'sub';
  }

  /** Pictures that must be changed wait for each other, copies don't wait for them. */
  private async queueFor({ cameraId, format }: ClipRequest, stream: StreamName): Promise<PQueue> {
    if (format === 'original') return this.copies;
    const codec = this.options.recorder.stream(cameraId, stream)?.streamInfo?.codec;
    return codec === undefined || codec.startsWith('avc1') ? this.copies : this.transcodes;
  }

  private async make(job: Job, folder: string): Promise<MadeClip> {
    const { request } = job.view;
    const { cameraId, startMs, endMs, format = 'chat', maxBytes } = request;
    const { stream } = job.view;
    for (let tries = 1; ; tries++) {
      try {
        return await makeClip({
          ...{ startMs, endMs, format, outDir: folder, ffmpeg: this.options.ffmpeg },
          // One GOP before: the clip begins at the keyframe before what was asked.
          segments: await this.options.footage.segments(cameraId, stream, { startMs, endMs }),
          ...(maxBytes !== undefined && { maxBytes }),
          skipMissing: tries === MOST_TRIES,
          signal: job.abort.signal,
          onProgress: (progress) => {
            const rounded = Math.round(progress * 100) / 100;
            if (rounded > job.view.progress) this.set(job, { progress: rounded });
          },
        });
      } catch (error) {
        // A file was renamed (closed) or cut between finding and copying it; what it is now is known in a moment.
        if (!isGone(error) || tries === MOST_TRIES) throw error;
        await pause(AGAIN_MS * tries, undefined, { signal: job.abort.signal });
      }
    }
  }

  private async tellFailure(job: Job, error: unknown, stream: 'main' | 'sub'): Promise<void> {
    const { request } = job.view;
    if (job.abort.signal.aborted) {
      this.set(job, { state: 'cancelled', error: { kind: 'cancelled', message: 'the clip was cancelled' } });
      return;
    }
    const known = error instanceof WorldError;
    if (!known) this.options.log.error({ err: error, camera: request.cameraId }, 'a clip failed');
    const { footage } = this.options;
    const gaps = await footage
      .coverage(request.cameraId, stream, request)
      .then((now) =>
        known && error.kind === 'no-footage' ? this.whyLacking(request, stream, [request], now) : now.gaps,
      )
      .catch(() => []);
    this.set(job, {
      state: 'failed',
      gaps,
      error: known
        ? { kind: error.kind, message: error.message }
        : { kind: 'failed', message: 'the clip failed' },
    });
  }

  /** Removes what has expired. */
  async sweep(now = Date.now()): Promise<void> {
    const keepMs = this.options.keepMs ?? 15 * 60_000;
    for (const [id, job] of this.jobs)
      if (job.endedMs !== null && now - job.endedMs > keepMs) await this.remove(id).catch(() => {});
  }
}

/** A stream that begins later or breaks off earlier by less than this lacks nothing worth a transcode, ms. */
const LACK_MS = 1000;

/** Is there a stretch of the range that `whole` has and `part` has not? */
function lacks(part: Range[], whole: Range[], { startMs, endMs }: Range): boolean {
  const ascending = [...part].sort((a, b) => a.startMs - b.startMs);
  return whole.some((one) => {
    let at = Math.max(one.startMs, startMs);
    const until = Math.min(one.endMs, endMs);
    for (const piece of ascending) if (piece.startMs <= at + LACK_MS && piece.endMs > at) at = piece.endMs;
    return until - at > LACK_MS;
  });
}

/** Are there pictures that a chat can't show as they are? Told by the first and the last file. */
async function someNeedTranscoding(segments: SegmentInfo[]): Promise<boolean> {
  const ends = [segments[0]!, segments.at(-1)!];
  return (await Promise.all(ends.map(needsTranscoding))).some((needs) => needs);
}

/** A file was not where it should be, or not what it was, when it was looked at or when it was copied. */
const isGone = (error: unknown): boolean =>
  error instanceof CutShort ||
  (error as NodeJS.ErrnoException).code === 'ENOENT' ||
  (error instanceof WorldError && error.cause !== undefined && isGone(error.cause));

const isWithin = (folder: string, inside: string) => {
  const way = path.relative(folder, inside);
  return way !== '..' && !way.startsWith(`..${path.sep}`) && !path.isAbsolute(way);
};

/** Tells two states of a job apart. */
export const versionOf = (job: ClipJob) => `${job.state} ${job.progress}`;
