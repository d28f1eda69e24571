import { createHash, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import express, { type ErrorRequestHandler, type Request, type RequestHandler, type Response } from 'express';
import { z } from 'zod';
import { WorldError, type WorldKind } from '../src/base/errors.js';
import type { Ffmpeg } from '../src/base/ffmpeg.js';
import type { Log } from '../src/base/log.js';
import { openapi, ROUTES, type Route, type RouteName } from './api-routes.js';
import * as schema from './api-schemas.js';
import type { Clips } from './clips.js';
import type { EventHub } from './events.js';
import type { Footage } from './footage.js';
import type { Holds } from './holds/holds.js';
import type { RecorderIndex } from './index/index.js';
import type { Integrity } from './integrity/integrity.js';
import type { Metrics } from './metrics.js';
import { describeDevice } from './onvif/describe.js';
import { type DevicesOptions, findDevices } from './onvif/devices.js';
import { newestFrame } from './picture.js';
import { probe } from './probe.js';
import type { Recorder } from './recording/recorder.js';
import type { Retention } from './retention/retention.js';
import { partsOf } from './source/address.js';
import type { Stills } from './stills.js';
import type {
  CameraSettings,
  ClipJob,
  ClipRequest,
  DeletionQuery,
  Health,
  HoldRequest,
  RecorderEvent,
  StillsRequest,
  StreamName,
} from './types.js';

export interface ApiOptions {
  /** bearer token */
  token: string;
  recorder: Recorder;
  footage: Footage;
  clips: Clips;
  stills: Stills;
  integrity: Integrity;
  hub: EventHub;
  holds: Holds;
  retention: Pick<Retention, 'run' | 'settled'>;
  index: {
    segments: Pick<RecorderIndex['segments'], 'recordedSince'>;
    deletions: Pick<RecorderIndex['deletions'], 'page'>;
    cameras: Pick<RecorderIndex['cameras'], 'removed'>;
  };
  ffmpeg: Ffmpeg;
  /** where and how devices are looked for */
  nets: { subnets: () => DevicesOptions['subnets'] } & Omit<DevicesOptions, 'subnets' | 'recorded'>;
  metrics: Metrics;
  log: Log;
  health: () => Health;
}

const STATUS: Partial<Record<WorldKind, number>> = {
  invalid: 400,
  'not-found': 404,
  'no-footage': 409,
  cancelled: 409,
  'rate-limited': 429,
  timeout: 504,
  'disk-full': 507,
};

/** The newest picture may be this old; then the camera counts as down. */
const FRESH_MS = 6000;
/** A camera that is just connecting gets this long to show its first picture. */
const FIRST_PICTURE_MS = 5000;
const HEARTBEAT_MS = 15_000;
/** A listener that takes nothing for so long that this piles up is cut off; it resumes. */
const LISTENER_BYTES = 4 * 1024 * 1024;

/** A camera that is not recording, with what the client may tell. */
class CameraDown extends WorldError {
  constructor(
    message: string,
    readonly facts: { cause: string | null; sinceMs: number },
  ) {
    super('no-footage', message);
  }
}

const digest = (text: string) => createHash('sha256').update(text).digest();

function checkToken(token: string): RequestHandler {
  const wanted = digest(`Bearer ${token}`);
  return (request, response, next) => {
    if (timingSafeEqual(digest(request.headers.authorization ?? ''), wanted)) next();
    else
      response
        .status(401)
        .json({ error: { kind: 'unauthorized', message: 'a valid bearer token is needed' } });
  };
}

type Handler = (request: Request, response: Response) => Promise<unknown> | unknown;

/** The HTTP API (openapi.json). */
export function makeApi(options: ApiOptions): express.Express {
  const app = express();
  app.disable('x-powered-by');
  app.set('etag', false);
  const handlers = makeHandlers(options);
  const guard = checkToken(options.token);
  const json = express.json({ limit: '64kb' });
  for (const [name, route] of Object.entries(ROUTES) as [RouteName, Route][]) {
    const run: RequestHandler = async (request, response) => {
      const answer = await handlers[name](request, response);
      if (response.headersSent || response.writableEnded) return;
      if (answer === undefined) response.status(route.status).end();
      else response.status(route.status).json(answer);
    };
    const steps = [...(route.open ? [] : [guard]), ...(route.body ? [json] : []), run];
    app[route.method](route.path.replace(/\{(\w+)\}/g, ':$1'), ...steps);
  }
  app.use((_request, response) => {
    response.status(404).json({ error: { kind: 'not-found', message: 'there is no such place' } });
  });
  app.use(answerError(options.log));
  return app;
}

const answerError =
  (log: Log): ErrorRequestHandler =>
  (error: unknown, request, response, _next) => {
    if (response.headersSent) {
      response.destroy();
      return;
    }
    if (error instanceof z.ZodError) {
      const said = error.issues
        .map((issue) => `${issue.path.join('.') || 'body'}: ${issue.message}`)
        .join('; ');
      response.status(400).json({ error: { kind: 'invalid', message: said } });
    } else if (error instanceof WorldError) {
      const facts = error instanceof CameraDown ? error.facts : {};
      response
        .status(STATUS[error.kind] ?? 502)
        .json({ error: { kind: error.kind, message: error.message, ...facts } });
    } else if (isBodyError(error)) {
      response.status(400).json({ error: { kind: 'invalid', message: 'the body is not the JSON expected' } });
    } else {
      log.error({ err: error, method: request.method, route: request.path }, 'a request failed');
      response.status(500).json({ error: { kind: 'failed', message: 'the recorder failed; see its log' } });
    }
  };

/** Express's body parser: a fault of the sender, whose text may repeat the body. */
const isBodyError = (error: unknown) =>
  error instanceof Error && 'status' in error && typeof error.status === 'number' && error.status < 500;

/** What was asked for; what was left empty was not. */
const queryOf = ({ query }: Request) =>
  Object.fromEntries(Object.entries(query).filter(([, value]) => value !== ''));

function mustEndLater(startMs: number, endMs: number): void {
  if (!(endMs > startMs)) throw new WorldError('invalid', 'a range ends after it begins');
}

function makeHandlers(options: ApiOptions): Record<RouteName, Handler> {
  const { recorder, footage, clips, stills, integrity, hub, ffmpeg, metrics } = options;
  const idOf = (request: Request) => String(request.params.id);
  const partOf = (request: Request) => z.coerce.number().int().min(0).parse(request.params.n);
  return {
    listCameras: () => recorder.all(),
    removedCameras: () => options.index.cameras.removed(),
    addCamera: (request) => recorder.add(schema.cameraSettings.parse(request.body) as CameraSettings),
    getCamera: (request) => recorder.info(idOf(request)),
    changeCamera: (request) =>
      recorder.change(
        idOf(request),
        schema.cameraChange.parse(request.body) as Partial<Omit<CameraSettings, 'id'>>,
      ),
    removeCamera: (request) => recorder.remove(idOf(request)),
    probe: (request, response) => {
      const body = schema.probeRequest.parse(request.body);
      return probe(ffmpeg, body, whenGone(response));
    },
    discover: (_request, response) => {
      const recorded = new Map<string, string[]>();
      for (const { id, address } of recorder.all()) {
        const host = partsOf(address)?.host;
        if (host !== undefined) recorded.set(host, [...(recorded.get(host) ?? []), id]);
      }
      return lookAround(() =>
        findDevices({ ...options.nets, subnets: options.nets.subnets(), recorded }, whenGone(response)),
      );
    },
    describeOnvif: (request, response) => {
      const { port, ...login } = schema.onvifLogin.parse(request.body);
      return lookAround(() =>
        describeDevice({ ...login, ...(port !== undefined && { port }) }, { signal: whenGone(response) }),
      );
    },
    async snapshot(request, response) {
      const query = schema.snapshotQuery.parse(request.query);
      const end = metrics.snapshot.startTimer();
      const picture = await snapshot(options, idOf(request), query, whenGone(response));
      end();
      response
        .status(200)
        .set({
          'Content-Type': 'image/jpeg',
          'Cache-Control': 'no-store',
          'X-Frame-Ms': String(picture.frameMs),
          'X-Width': String(picture.width),
          'X-Height': String(picture.height),
        })
        .end(picture.jpeg);
    },
    async stills(request, response) {
      const asked = schema.stillsRequest.parse(request.body) as Omit<StillsRequest, 'cameraId'>;
      await footage.mustExist(idOf(request));
      const end = metrics.stills.startTimer({ frame: asked.frame ?? 'keyframe' });
      const taken = await stills.take({ ...asked, cameraId: idOf(request) }, whenGone(response));
      end();
      return taken.map((still) => ({
        ...still,
        pictures: still.pictures.map((one) => ({ ...one, jpeg: asBase64(one.jpeg) })),
      }));
    },
    async coverage(request) {
      const { startMs, endMs, stream = 'main' } = schema.coverageQuery.parse(queryOf(request));
      mustEndLater(startMs, endMs);
      await footage.mustExist(idOf(request));
      return footage.coverage(idOf(request), stream, { startMs, endMs });
    },
    async coverages(request) {
      const { startMs, endMs, stream = 'main', cameras } = schema.coveragesQuery.parse(queryOf(request));
      mustEndLater(startMs, endMs);
      const ids = cameras.split(',');
      for (const id of ids) await footage.mustExist(id);
      return footage.coverages(ids, stream, { startMs, endMs });
    },
    chainHeads: (request) => integrity.heads(schema.chainHeadsQuery.parse(request.query).day),
    makeHold: (request) => makeHold(options, schema.holdRequest.parse(request.body) as HoldRequest),
    listHolds(request) {
      const { active, cameraId } = schema.holdsQuery.parse(request.query);
      return options.holds
        .list()
        .filter(
          (hold) =>
            (active === undefined || options.holds.isActive(hold) === (active === 'true')) &&
            (cameraId === undefined || hold.cameraId === cameraId),
        );
    },
    async releaseHold(request) {
      const hold = await options.holds.release(idOf(request), schema.holdRelease.parse(request.body));
      void options.retention.run();
      return hold;
    },
    deletions(request) {
      const query = schema.deletionsQuery.parse(queryOf(request)) as DeletionQuery;
      mustEndLater(query.startMs ?? Number.NEGATIVE_INFINITY, query.endMs ?? Number.POSITIVE_INFINITY);
      return options.index.deletions.page(query);
    },
    async orderClip(request) {
      const { wait = 0 } = schema.clipWait.parse(request.query);
      const end = metrics.clip.startTimer();
      const job = await clips.order(schema.clipRequest.parse(request.body) as ClipRequest);
      const now = wait > 0 ? await clips.ended(job.id, wait) : job;
      if (now.state === 'done') end();
      return now;
    },
    getClip(request): Promise<ClipJob> | ClipJob {
      const { wait, seen } = schema.clipWait.parse(request.query);
      return wait ? clips.next(idOf(request), wait, seen) : clips.get(idOf(request));
    },
    removeClip: (request) => clips.remove(idOf(request)),
    linkPart: (request) =>
      clips.linkPart(idOf(request), partOf(request), schema.partPlace.parse(request.body).path),
    async clipPart(request, response) {
      const file = clips.partFile(idOf(request), partOf(request));
      await new Promise<void>((resolve, reject) =>
        response.sendFile(file, { dotfiles: 'allow', etag: false, cacheControl: false }, (error) =>
          error && !response.headersSent ? reject(error) : resolve(),
        ),
      );
    },
    events(request, response) {
      const { after } = schema.eventsQuery.parse(request.query);
      const last = z.coerce.number().int().min(0).safeParse(request.headers['last-event-id']);
      return sendEvents(hub, last.success ? last.data : (after ?? 0), response);
    },
    health: (_request, response) => {
      const health = options.health();
      response.status(health.ok ? 200 : 503).json(health);
    },
    async metrics(_request, response) {
      response.set('Content-Type', metrics.registry.contentType).end(await metrics.registry.metrics());
    },
    openapi: () => openapi(),
  };
}

const asBase64 = ({ buffer, byteOffset, byteLength }: Uint8Array) =>
  Buffer.from(buffer, byteOffset, byteLength).toString('base64');

/** Devices are asked one or two at a time: each costs a thread, or many connections. */
const MOST_LOOKING = 2;
let looking = 0;

async function lookAround<T>(look: () => Promise<T>): Promise<T> {
  if (looking >= MOST_LOOKING) throw new WorldError('rate-limited', 'devices are being looked for already');
  looking += 1;
  try {
    return await look();
  } finally {
    looking -= 1;
  }
}

/** Answered when it is durable and nothing of it is being removed any more. */
async function makeHold({ footage, holds, retention, index }: ApiOptions, request: HoldRequest) {
  const recorded = await index.segments.recordedSince();
  if (!recorded.has(request.cameraId)) await footage.mustExist(request.cameraId);
  const hold = await holds.make(request);
  await retention.settled();
  if (hold.rank === 'keep') void retention.run();
  return hold;
}

/** Aborts when the asker has gone away. */
function whenGone(response: Response): AbortSignal {
  const gone = new AbortController();
  response.on('close', () => {
    if (!response.writableFinished) gone.abort();
  });
  return gone.signal;
}

async function snapshot(
  { recorder, ffmpeg }: ApiOptions,
  id: string,
  query: { stream?: StreamName | undefined; width?: number | undefined },
  signal: AbortSignal,
) {
  const info = recorder.info(id);
  const stream = recorder.stream(id, query.stream ?? 'main');
  if (stream === null) {
    const cause = info.state === 'off' ? info.cause : null;
    throw new CameraDown('the camera is off, or has no such stream', { cause, sinceMs: info.sinceMs });
  }
  const until = performance.now() + FIRST_PICTURE_MS;
  while (stream.status.state === 'starting' && stream.newestMs === null && performance.now() < until)
    await stream.nextWrite(100);
  const live = stream.pictures();
  const newest = live?.gop.at(-1)?.arrivedMs ?? 0;
  if (live === null || Date.now() - newest > FRESH_MS) {
    const { cause, sinceMs } = stream.status;
    const since = Math.round(sinceMs);
    const message = `no fresh picture since ${new Date(since).toISOString()} (${cause ?? 'connecting'})`;
    throw new CameraDown(message, { cause, sinceMs: since });
  }
  const picture = await newestFrame(ffmpeg, live.init, live.gop, {
    ...(query.width !== undefined && { width: query.width }),
    signal,
  });
  return { ...picture, frameMs: Math.round(live.startMs + picture.offsetMs) };
}

/** First what is written down after `after`, then what happens, without a hole between. */
async function sendEvents(hub: EventHub, after: number, response: Response): Promise<void> {
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
  response.write(': the recorder\n\n');
  let last = after;
  let waiting: RecorderEvent[] | null = [];
  const send = (event: RecorderEvent) => {
    if (event.id <= last || response.destroyed) return;
    last = event.id;
    response.write(`id: ${event.id}\nevent: ${event.kind}\ndata: ${JSON.stringify(event)}\n\n`);
    if (response.writableLength > LISTENER_BYTES) response.destroy();
  };
  const stopListening = hub.listen((event) => (waiting === null ? send(event) : waiting.push(event)));
  const heartbeat = setInterval(() => response.write(': still here\n\n'), HEARTBEAT_MS);
  try {
    for (;;) {
      const page = await hub.after(last, 500);
      for (const event of page) send(event);
      if (page.length < 500 || response.destroyed) break;
      if (response.writableNeedDrain) await Promise.race([once(response, 'drain'), once(response, 'close')]);
    }
    for (const event of waiting) send(event);
    waiting = null;
    if (!response.destroyed) await once(response, 'close');
  } finally {
    clearInterval(heartbeat);
    stopListening();
  }
}
