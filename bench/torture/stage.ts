/** A real recorder that records some cameras of a real RTSP server, with something held: what faults are done to. */
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { CameraInfo, RecorderEvent } from '../../media/types.js';
import {
  type PreparedStream,
  prepareStream,
  type StreamSettings,
  TINY,
} from '../../test/support/frame-clock.js';
import { type GstServer, startGstServer } from '../../test/support/gst/gst-server.js';
import { eventually } from '../../test/support/product.js';
import { startRtspServer } from '../../test/support/rtsp-server.js';
import { type BenchRecorder, startRecorder, untilRecording } from '../recorder.js';
import { checkPromises, type Expected, type Subject } from './checker.js';

/** Short files, so that faults hit the moments of making, closing and renaming one. */
export const SEGMENT_MS = 3000;
/** A camera that was away is tried again up to a minute later (the recorder's longest wait). */
export const BACK_MS = 90_000;

/** Cameras, and which frame each had sent when. */
export type Cameras = Pick<GstServer, 'port' | 'url' | 'frameAt' | 'sentMs' | 'stop'>;

export interface StageOptions {
  cameras?: number;
  /** default 1 */
  patience?: number;
  /** default cam1, cam2 … */
  ids?: string[];
  /** a server in a process of its own, which can be stopped; default ours, in this process */
  gst?: (server: GstServer) => void;
  settings?: StreamSettings;
  /** whether an officer holds the first file; default true */
  holding?: boolean;
  /** more settings of the recorder */
  env?: Record<string, string>;
  /** recordings lie here instead of in the recorder's folder */
  root?: string;
  /** the recorder's clock; default ours */
  now?: () => number;
  /** where the recorder finds the server, for a line in between */
  port?: (server: Cameras, camera: number) => Promise<number>;
}

export interface Stage extends Subject {
  server: Cameras;
  stream: PreparedStream;
  /** "cam1" …: the camera, and with a slash before it its mount */
  ids: string[];
  /** everything told so far, over restarts */
  events: readonly RecorderEvent[];
  /** waits until every camera records */
  recording(): Promise<void>;
  camera(id: string): Promise<CameraInfo>;
  /** waits for an event told after the `seen` first ones */
  told(
    kind: RecorderEvent['kind'],
    seen: number,
    withinMs?: number,
    cameraId?: string,
  ): Promise<RecorderEvent>;
  check(expected?: Expected): Promise<string[]>;
  close(keepIn?: string): Promise<void>;
}

/** Our own server: what it says it sent is what went out. */
async function ourCameras(stream: PreparedStream, paths: string[]): Promise<Cameras> {
  const server = await startRtspServer({ streams: Object.fromEntries(paths.map((path) => [path, stream])) });
  return {
    ...{ port: server.port, url: server.url, stop: server.stop },
    frameAt(path, ms) {
      const sent = server.sent(path);
      let frame = server.frameDue(path) - 1;
      while (frame > 0 && !((sent.get(frame) ?? Number.POSITIVE_INFINITY) <= ms)) frame -= 1;
      return frame;
    },
    sentMs: (path, frame) => server.sent(path).get(frame) ?? Number.NaN,
  };
}

async function gstCameras(stream: PreparedStream, paths: string[]): Promise<GstServer> {
  const { file, codec, fps } = stream;
  return startGstServer({ mounts: paths.map((path) => ({ path, file, codec, fps })) });
}

const clean = async (recorder: BenchRecorder | undefined, server: Cameras, keepIn?: string) => {
  await recorder?.end();
  if (recorder !== undefined && keepIn !== undefined)
    await cp(join(recorder.folder, 'logs'), keepIn, { recursive: true }).catch(() => {});
  if (recorder !== undefined)
    await rm(recorder.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  await server.stop();
};

/** Starts everything; resolves when every camera records and the first file of the first is held. */
export async function openStage(options: StageOptions = {}): Promise<Stage> {
  const { cameras = 3, settings = TINY, env = {}, now = Date.now } = options;
  const stream = await prepareStream(settings);
  const ids = options.ids ?? Array.from({ length: cameras }, (_, i) => `cam${i + 1}`);
  const paths = ids.map((id) => `/${id}`);
  let server: Cameras;
  if (options.gst === undefined) server = await ourCameras(stream, paths);
  else {
    const gst = await gstCameras(stream, paths);
    options.gst(gst);
    server = gst;
  }
  let recorder: BenchRecorder | undefined;
  try {
    recorder = await startRecorder({
      ...{ MAT_THAN_SEGMENT_MS: String(SEGMENT_MS), MIN_FREE_PERCENT: '0', MIN_FREE_GB: '0' },
      ...(options.root !== undefined && { RECORDINGS_DIR: options.root }),
      ...env,
    });
    return await prepared(options, recorder, { server, stream, ids, now });
  } catch (error) {
    await clean(recorder, server);
    throw error;
  }
}

async function prepared(
  options: StageOptions,
  recorder: BenchRecorder,
  base: Pick<Stage, 'server' | 'stream' | 'ids' | 'now'>,
): Promise<Stage> {
  const { server, ids } = base;
  const events: RecorderEvent[] = [];
  const enough = new AbortController();
  void (async () => {
    for await (const event of recorder.client.events(0, enough.signal)) events.push(event);
  })();
  for (const [i, id] of ids.entries()) {
    const url = new URL(server.url(`/${id}`));
    url.port = String((await options.port?.(server, i)) ?? server.port);
    await recorder.client.addCamera({ id, name: id, url: url.href });
  }
  await untilRecording(recorder.client, ids.length);
  const beganMs = new Map<string, number>();
  for (const { id, sinceMs } of await recorder.client.cameras()) beganMs.set(id, Math.ceil(sinceMs));
  const stage: Stage = {
    ...base,
    ...{ recorder, beganMs, events, held: null, patience: options.patience ?? 1 },
    root: options.root ?? join(recorder.folder, 'recordings'),
    recording: () => untilRecording(recorder.client, ids.length, BACK_MS / 1000),
    camera: (id) => recorder.client.camera(id),
    told: (kind, seen, withinMs = 30_000, cameraId) =>
      eventually(
        `${kind} is told`,
        () =>
          events
            .slice(seen)
            .find((event) => event.kind === kind && (cameraId ?? event.cameraId) === event.cameraId),
        withinMs,
      ),
    check: (expected) => checkPromises(stage, expected),
    async close(keepIn) {
      enough.abort();
      await clean(recorder, server, keepIn);
    },
  };
  if (options.holding === false) return stage;
  const closed = await stage.told('segment-closed', 0, 30_000, ids[0]);
  const range = { startMs: Number(closed.data.startMs), endMs: Number(closed.data.endMs) };
  const hold = await recorder.client.hold({ cameraId: ids[0]!, ...range, by: 'Đại úy An', why: 'vụ trộm' });
  stage.held = { id: hold.id, paths: [String(closed.data.path)] };
  return stage;
}
