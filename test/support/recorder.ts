import { createHash } from 'node:crypto';
import fs from 'node:fs/promises';
import sharp from 'sharp';
import type {
  CameraInfo,
  CameraSettings,
  Cause,
  ClipJob,
  ClipRequest,
  Coverage,
  FoundDevice,
  GapCause,
  Hold,
  OnvifDescription,
  OnvifLogin,
  ProbeResult,
  Range,
  RecorderClient,
  RecorderEvent,
  RecorderEventKind,
  RemovedCamera,
  Still,
  StillsRequest,
} from '../../media/types.js';
import { type Clock, DAY_MS, fromVietnamTime } from '../../src/base/clock.js';
import { WorldError } from '../../src/base/errors.js';

/** A recorder in memory: real rules (gaps, keyframes, parts, events), made-up pictures. Its clock is the test's. */
export interface TestRecorder extends RecorderClient {
  /** The camera drops now (or at `sinceMs`); says so in an event. */
  drop(id: string, cause?: Cause, sinceMs?: number): void;
  /** It is gone with an index that was lost: nobody removed it. */
  lose(id: string): void;
  /** It records again. */
  bring(id: string): void;
  /** Takes footage of a range away. */
  cut(id: string, range: Range, cause: GapCause): void;
  /** The whole service is away. */
  away: boolean;
  /** What `discover` finds. */
  devices: FoundDevice[];
  /** What `describe` answers, by host; others are unreachable. */
  described: Map<string, OnvifDescription>;
  /** logins given to `describe` */
  logins: OnvifLogin[];
  /** What `probe` answers for an address that contains the key. */
  probes: Map<string, ProbeResult>;
  emit(kind: RecorderEventKind, cameraId: string | null, data?: Record<string, unknown>): void;
  readonly emitted: RecorderEvent[];
  /** every address that was ever given, to look for secrets elsewhere */
  readonly urls: Map<string, string>;
  clips: ClipRequest[];
  /** which stream a chat clip of a camera comes from, when not from the main one */
  chatStreams: Map<string, 'main' | 'sub'>;
  snapshots: string[];
  /** what `stills` was asked for */
  stillsAsked: StillsRequest[];
  /** moments whose pictures can't be read though they are listed */
  damaged: Set<number>;
}

/** Keyframes of the made-up stream stand at multiples of this, ms. */
const GOP = 2000;

interface Held {
  info: CameraInfo;
  fromMs: number;
  gaps: (Range & { cause: GapCause })[];
}

const withoutSecret = (url: string) => url.replace(/\/\/[^/@]*@/, '//');

export function makeTestRecorder(clock: Clock): TestRecorder {
  const held = new Map<string, Held>();
  const removed = new Map<string, RemovedCamera>();
  const holds = new Map<string, Hold>();
  const emitted: RecorderEvent[] = [];
  const urls = new Map<string, string>();
  const jobs = new Map<string, ClipJob>();
  let listeners: (() => void)[] = [];

  const here = () => {
    if (recorder.away) throw new WorldError('unreachable', 'the recorder does not answer');
  };
  const get = (id: string): Held => {
    here();
    const one = held.get(id);
    if (one === undefined) throw new WorldError('not-found', `no camera ${id}`);
    return one;
  };
  const fresh = (one: Held) => {
    if (one.info.state === 'recording') one.info.newestFrameMs = clock.now() - 300;
    return { ...one.info };
  };
  const gapsIn = (one: Held, range: Range) =>
    [
      ...one.gaps,
      ...(one.info.state === 'recording'
        ? []
        : [
            {
              startMs: one.info.sinceMs,
              endMs: Math.max(clock.now(), range.endMs),
              cause: one.info.cause ?? ('unknown' as const),
            },
          ]),
      { startMs: 0, endMs: one.fromMs, cause: 'unknown' as const },
    ]
      .map((gap) => ({
        ...gap,
        startMs: Math.max(gap.startMs, range.startMs),
        endMs: Math.min(gap.endMs, range.endMs),
      }))
      .filter((gap) => gap.endMs > gap.startMs)
      .sort((a, b) => a.startMs - b.startMs);

  const recorder: TestRecorder = {
    away: false,
    probes: new Map(),
    devices: [],
    described: new Map(),
    logins: [],
    emitted,
    urls,
    clips: [],
    chatStreams: new Map(),
    snapshots: [],
    stillsAsked: [],
    damaged: new Set(),
    emit(kind, cameraId, data = {}) {
      emitted.push({ id: emitted.length + 1, atMs: clock.now(), kind, cameraId, data });
      const waiting = listeners;
      listeners = [];
      for (const wake of waiting) wake();
    },
    drop(id, cause = 'unreachable', sinceMs = clock.now()) {
      const one = held.get(id);
      if (one === undefined) throw new Error(`no camera ${id}`);
      Object.assign(one.info, { state: 'down', cause, sinceMs });
      recorder.emit('camera-down', id, { cause, sinceMs, detail: 'test' });
    },
    bring(id) {
      const one = held.get(id);
      if (one === undefined) throw new Error(`no camera ${id}`);
      const { sinceMs, cause } = one.info;
      one.gaps.push({ startMs: sinceMs, endMs: clock.now(), cause: cause ?? 'unknown' });
      Object.assign(one.info, { state: 'recording', cause: null, sinceMs: clock.now() });
      recorder.emit('camera-recording', id, { sinceMs: clock.now(), downMs: clock.now() - sinceMs });
    },
    cut(id, range, cause) {
      get(id).gaps.push({ ...range, cause });
    },
    async health() {
      here();
      const states = [...held.values()].map((one) => one.info.state);
      return {
        ok: true,
        version: 'test',
        startedMs: 0,
        ffmpeg: null,
        cameras: {
          total: states.length,
          recording: states.filter((state) => state === 'recording').length,
          down: states.filter((state) => state === 'down').length,
          off: states.filter((state) => state === 'off').length,
        },
        disk: {
          ...{ freeBytes: 500e9, totalBytes: 1000e9, low: false },
          ...{ kind: 'ssd', powerCutMs: 2000, unsyncedMs: 0 },
        },
        holds: {
          readable: true,
          fault: null,
          holds: 0,
          keeps: 0,
          heldBytes: 0,
          keptBytes: 0,
          fullAtMs: null,
        },
      };
    },
    async cameras() {
      here();
      return [...held.values()].map(fresh);
    },
    async camera(id) {
      return fresh(get(id));
    },
    async removedCameras() {
      here();
      return [...removed.values()];
    },
    async addCamera(settings: CameraSettings) {
      here();
      if (held.has(settings.id) || removed.has(settings.id))
        throw new WorldError('invalid', 'the id is taken');
      urls.set(settings.id, settings.url);
      const info: CameraInfo = {
        id: settings.id,
        name: settings.name,
        address: withoutSecret(settings.url),
        subAddress: settings.subUrl == null ? null : withoutSecret(settings.subUrl),
        transport: settings.transport ?? 'tcp',
        audio: settings.audio ?? false,
        enabled: settings.enabled ?? true,
        retentionDays: settings.retentionDays ?? null,
        state: 'recording',
        sinceMs: clock.now(),
        cause: null,
        codec: 'avc1.64001f',
        width: 1280,
        height: 720,
        newestFrameMs: clock.now() - 300,
        identity: settings.identity ?? null,
      };
      held.set(settings.id, { info, fromMs: clock.now() - 30 * 86_400_000, gaps: [] });
      return { ...info };
    },
    async changeCamera(id, change) {
      const one = get(id);
      const { url, subUrl, enabled, ...rest } = change;
      Object.assign(one.info, rest);
      if (url !== undefined) {
        urls.set(id, url);
        one.info.address = withoutSecret(url);
      }
      if (subUrl !== undefined) one.info.subAddress = subUrl === null ? null : withoutSecret(subUrl);
      if (enabled === false)
        Object.assign(one.info, { enabled, state: 'off', sinceMs: clock.now(), cause: 'switched-off' });
      if (enabled === true)
        Object.assign(one.info, { enabled, state: 'recording', sinceMs: clock.now(), cause: null });
      return { ...one.info };
    },
    lose: (id) => void held.delete(id),
    async removeCamera(id) {
      removed.set(id, { id, name: get(id).info.name, removedMs: clock.now() });
      held.delete(id);
    },
    async probe({ url }) {
      here();
      for (const [part, result] of recorder.probes) if (url.includes(part)) return result;
      return { ok: true, codec: 'avc1.64001f', width: 1280, height: 720 };
    },
    async discover() {
      here();
      return recorder.devices;
    },
    async describe(login) {
      here();
      recorder.logins.push(login);
      return (
        recorder.described.get(login.host) ?? { ok: false, cause: 'unreachable', detail: 'ECONNREFUSED' }
      );
    },
    async snapshot(id, options = {}) {
      const one = get(id);
      recorder.snapshots.push(id);
      if (one.info.state !== 'recording') throw new WorldError('no-footage', 'no fresh frame');
      const width = options.width ?? 1280;
      const height = Math.round((width * 9) / 16);
      const jpeg = await sharp({ create: { width, height, channels: 3, background: '#35506b' } })
        .jpeg()
        .toBuffer();
      return { jpeg, frameMs: clock.now() - 300, width, height };
    },
    async stills(request): Promise<Still[]> {
      const one = get(request.cameraId);
      recorder.stillsAsked.push(request);
      const width = request.width ?? 1280;
      const height = Math.round((width * 9) / 16);
      const jpeg = await sharp({ create: { width, height, channels: 3, background: '#35506b' } })
        .jpeg()
        .toBuffer();
      return request.moments.map((atMs) => {
        const around = gapsIn(one, { startMs: 0, endMs: Math.max(clock.now(), atMs + 1) });
        const gap = around.find((each) => each.startMs <= atMs && each.endMs > atMs);
        const none = { pictures: [], beforeMs: gap?.startMs || null, afterMs: gap?.endMs ?? null };
        if (recorder.damaged.has(atMs)) return { ...none, atMs, cause: 'damaged' };
        if (gap !== undefined || atMs > clock.now()) return { ...none, atMs, cause: gap?.cause ?? null };
        const frameMs = request.frame === 'exact' ? Math.floor(atMs / 40) * 40 : Math.round(atMs / GOP) * GOP;
        const pictures = [{ jpeg, frameMs, width, height }];
        return { atMs, pictures, cause: null, beforeMs: null, afterMs: null };
      });
    },
    async coverage(id, range): Promise<Coverage> {
      const one = get(id);
      const gaps = gapsIn(one, range);
      const recorded: Range[] = [];
      let at = range.startMs;
      for (const gap of gaps) {
        if (gap.startMs > at) recorded.push({ startMs: at, endMs: gap.startMs });
        at = Math.max(at, gap.endMs);
      }
      if (at < range.endMs) recorded.push({ startMs: at, endMs: range.endMs });
      const whole = { cameraId: id, stream: 'main' as const, asked: range, begunMs: one.fromMs };
      return { ...whole, recorded, gaps, clockSteps: [], held: [] };
    },
    coverages: (ids, range) => Promise.all(ids.map((id) => recorder.coverage(id, range))),
    async clip(request, options = {}) {
      recorder.clips.push(request);
      const { recorded, gaps } = await recorder.coverage(request.cameraId, request);
      const first = recorded[0];
      const last = recorded.at(-1);
      if (first === undefined || last === undefined) throw new WorldError('no-footage', 'nothing recorded');
      // starts at the keyframe before what was asked
      const startMs =
        first.startMs === request.startMs ? Math.floor(first.startMs / GOP) * GOP : first.startMs;
      const bytesPerMs = 250;
      const most = Math.max(
        GOP,
        Math.floor((request.maxBytes ?? Number.POSITIVE_INFINITY) / bytesPerMs / GOP) * GOP,
      );
      const parts: ClipJob['parts'] = [];
      for (let at = startMs; at < last.endMs; at += most) {
        const endMs = Math.min(last.endMs, at + most);
        parts.push({
          index: parts.length,
          startMs: at,
          endMs,
          durationMs: endMs - at,
          sizeBytes: 64,
          width: 1280,
          height: 720,
          codec: 'avc1.64001f',
        });
      }
      const job: ClipJob = {
        id: `job${jobs.size + 1}`,
        request,
        stream:
          request.stream ??
          (request.format === 'original' ? 'main' : (recorder.chatStreams.get(request.cameraId) ?? 'main')),
        state: 'running',
        progress: 0.5,
        parts: [],
        gaps,
        error: null,
      };
      options.onProgress?.({ ...job });
      const done: ClipJob = { ...job, state: 'done', progress: 1, parts };
      jobs.set(job.id, done);
      options.onProgress?.(done);
      return done;
    },
    async hold(request) {
      get(request.cameraId);
      const found = holds.get(request.id ?? '');
      if (found !== undefined) return found;
      const made: Hold = {
        ...{
          rank: 'hold',
          streams: 'both',
          untilMs: null,
          ...request,
          id: request.id ?? `hold-${holds.size + 1}`,
        },
        ...{ createdMs: clock.now(), released: null },
      };
      holds.set(made.id, made);
      return made;
    },
    async holds({ active, cameraId } = {}) {
      here();
      const isActive = (hold: Hold) =>
        hold.released === null && (hold.untilMs === null || hold.untilMs > clock.now());
      return [...holds.values()]
        .filter((hold) => active === undefined || isActive(hold) === active)
        .filter((hold) => cameraId === undefined || hold.cameraId === cameraId)
        .reverse();
    },
    async releaseHold(id, release) {
      here();
      const found = holds.get(id);
      if (found === undefined) throw new WorldError('not-found', 'there is no such hold');
      if (found.released !== null) throw new WorldError('invalid', 'it is released already');
      const released = { ...found, released: { atMs: clock.now(), ...release } };
      holds.set(id, released);
      return released;
    },
    async deletions() {
      here();
      return [];
    },
    async chainHeads(day) {
      here();
      const [year, month, date] = day.split('-').map(Number);
      const startMs = fromVietnamTime(year!, month!, date!);
      const closed = clock.now() >= startMs + DAY_MS + 300_000;
      const seen = [...held].filter(([, { fromMs }]) => fromMs < startMs + DAY_MS);
      const chains = seen.map(([cameraId]) => {
        const head = createHash('sha256').update(`${cameraId} ${day}`).digest('hex');
        return { cameraId, stream: 'main' as const, n: 1440, head, segments: 1440 };
      });
      const digest = createHash('sha256').update(JSON.stringify(chains)).digest('hex');
      return { day, closed, segments: 1440 * chains.length, digest, chains };
    },
    async savePart(jobId, index, path) {
      here();
      if (jobs.get(jobId)?.parts[index] === undefined) throw new WorldError('not-found', 'no such part');
      await fs.writeFile(path, Buffer.alloc(64, index));
      return { sizeBytes: 64 };
    },
    async *events(afterId, signal) {
      let next = afterId;
      while (!signal.aborted) {
        const event = emitted.find((one) => one.id > next);
        if (event !== undefined) {
          next = event.id;
          yield event;
          continue;
        }
        await new Promise<void>((resolve) => {
          listeners.push(resolve);
          signal.addEventListener('abort', () => resolve(), { once: true });
        });
      }
    },
  };
  return recorder;
}
