/** Pictures of the past: what was recorded at some moments, read from the files with as little else as can be. */
import PQueue from 'p-queue';
import { WorldError } from '../src/base/errors.js';
import type { Ffmpeg } from '../src/base/ffmpeg.js';
import type { SegmentInfo } from './clip.js';
import { SEAM_MS } from './coverage.js';
import type { Footage } from './footage.js';
import { exactFrames, nearestKeyframes, type Shown } from './still-frames.js';
import { type Place, placeIn, type Unread } from './still-places.js';
import { timelines } from './timelines.js';
import type { GapCause, Snapshot, Still, StillsRequest } from './types.js';

/** Askers served at once: what they hold in memory is bounded, and their ffmpegs have turns of their own. */
const AT_ONCE = 2;
const MOST_WAITING = 20;
/** Files looked into at once for one asker. */
const FILES_AT_ONCE = 4;
const TIMEOUT_MS = 20_000;
/** A moment this new is waited for so long. */
const NEW_MS = 5000;
const WAIT_MS = 3000;
const SEVERAL_WIDTH = 640;
const MANY = 4;
const MANY_WIDTH = 1280;
/** Of a gap so much is looked at on either side of the moment, for its cause. */
const AROUND_MS = 60_000;

/** Pictures of recorded moments; two askers at once, the others wait in line. */
export class Stills {
  private readonly queue = new PQueue({ concurrency: AT_ONCE });

  constructor(
    private readonly footage: Pick<Footage, 'segments' | 'coverage' | 'around' | 'untilRecorded'>,
    private readonly ffmpeg: Ffmpeg,
  ) {}

  /** In the order asked. WorldError: rate-limited, timeout, cancelled. */
  async take(request: StillsRequest, signal: AbortSignal): Promise<Still[]> {
    if (this.queue.size >= MOST_WAITING)
      throw new WorldError('rate-limited', 'too many pictures of the past are being made');
    const limit = AbortSignal.timeout(TIMEOUT_MS);
    const stop = AbortSignal.any([signal, limit]);
    try {
      return (await this.queue.add(() => this.takeNow(request, stop), { signal: stop })) as Still[];
    } catch (error) {
      if (signal.aborted)
        throw new WorldError('cancelled', 'nobody waits for the pictures', { cause: error });
      if (limit.aborted)
        throw new WorldError('timeout', `no pictures within ${TIMEOUT_MS} ms`, { cause: error });
      throw error;
    }
  }

  private async takeNow(request: StillsRequest, signal: AbortSignal): Promise<Still[]> {
    const { cameraId, stream = 'main', moments } = request;
    const nowMs = Date.now();
    const newest = Math.max(...moments.filter((ms) => ms <= nowMs));
    if (nowMs - newest < NEW_MS)
      await this.footage.untilRecorded(cameraId, stream, newest + 1, WAIT_MS, signal);
    const shown = await this.shownAt(request, signal);
    return Promise.all(moments.map((atMs, i) => this.tell(request, atMs, shown[i]!)));
  }

  /** What can be shown of each moment. A file that goes or gets its name meanwhile is looked for once more. */
  private async shownAt(request: StillsRequest, signal: AbortSignal): Promise<Shown[][]> {
    const first = await this.look(request, request.moments, signal);
    const again = request.moments.filter((_, i) => first[i]!.includes('gone'));
    if (again.length === 0) return first;
    const second = await this.look(request, again, signal);
    return first.map((one) => (one.includes('gone') ? second.shift()! : one));
  }

  private async look(
    request: StillsRequest,
    moments: readonly number[],
    signal: AbortSignal,
  ): Promise<Shown[][]> {
    const files = new PQueue({ concurrency: FILES_AT_ONCE });
    const found = await files.addAll(moments.map((atMs) => () => this.placesAt(request, atMs, signal)));
    const places = found.flat().filter((one): one is Place => typeof one !== 'string');
    const most = request.moments.length > MANY ? MANY_WIDTH : Number.POSITIVE_INFINITY;
    const wanted = request.width ?? (request.moments.length > 1 ? SEVERAL_WIDTH : undefined);
    const width = wanted === undefined ? undefined : Math.min(wanted, most);
    const options = { width, signal, timeoutMs: TIMEOUT_MS };
    const take = request.frame === 'exact' ? exactFrames : nearestKeyframes;
    const pictures = await take(this.ffmpeg, places, options);
    return found.map((some) => some.map((one) => (typeof one === 'string' ? one : pictures.get(one)!)));
  }

  /** Where the moment is in the recordings: one place a line of time. */
  private async placesAt(
    { cameraId, stream = 'main' }: StillsRequest,
    atMs: number,
    signal: AbortSignal,
  ): Promise<(Place | Unread)[]> {
    const near = { startMs: atMs - SEAM_MS, endMs: atMs + SEAM_MS };
    const lines = timelines(await this.footage.segments(cameraId, stream, near));
    const found: (Place | Unread)[] = [];
    for (const line of lines) {
      signal.throwIfAborted();
      const away = (one: SegmentInfo) => Math.max(one.startMs - atMs, atMs - one.endMs, 0);
      const [nearest] = [...line].sort((a, b) => away(a) - away(b) || b.startMs - a.startMs);
      found.push(await placeIn(nearest!, atMs, signal));
    }
    return found;
  }

  private async tell(
    { cameraId, stream = 'main' }: StillsRequest,
    atMs: number,
    shown: Shown[],
  ): Promise<Still> {
    const pictures = shown.filter((one): one is Snapshot => typeof one !== 'string');
    if (pictures.length > 0) return { atMs, pictures, cause: null, beforeMs: null, afterMs: null };
    const around = await this.footage.around(cameraId, stream, atMs);
    const [unread] = shown as Unread[];
    const cause = unread === undefined ? await this.causeAt(cameraId, stream, atMs) : LOST[unread];
    return { atMs, pictures, cause, ...around };
  }

  /** Why nothing is recorded; null: it is still to come. */
  private async causeAt(cameraId: string, stream: 'main' | 'sub', atMs: number): Promise<GapCause | null> {
    const near = { startMs: atMs - AROUND_MS, endMs: atMs + AROUND_MS };
    const { gaps } = await this.footage.coverage(cameraId, stream, near);
    return gaps.find((gap) => gap.startMs <= atMs + SEAM_MS && gap.endMs > atMs - SEAM_MS)?.cause ?? null;
  }
}

const LOST = { gone: 'removed-by-others', damaged: 'damaged' } as const;
