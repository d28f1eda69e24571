import { createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import { backoffMs } from '../src/base/backoff.js';
import { WorldError, type WorldKind } from '../src/base/errors.js';
import * as schema from './api-schemas.js';
import type { ClipJob, RecorderClient, RecorderEvent } from './types.js';

export interface ClientOptions {
  /** `http://127.0.0.1:8601` */
  url: string;
  token: string;
  /** default 15 s; pictures, probes and clips have their own */
  timeoutMs?: number;
}

const KINDS: ReadonlySet<string> = new Set<WorldKind>([
  'unreachable',
  'disk-full',
  'too-big',
  'rate-limited',
  'not-found',
  'no-footage',
  'timeout',
  'cancelled',
  'invalid',
]);

/** How long one long poll for a clip lasts, ms. */
const POLL_MS = 20_000;
/** A short clip is finished within the first answer. */
const FIRST_WAIT_MS = 1000;
/** The recorder gives up pictures of the past itself by then. */
const STILLS_MS = 20_000;
/** The event stream says something every 15 s; silence longer than this is a broken line. */
const SILENCE_MS = 40_000;

interface Call {
  method?: string;
  body?: unknown;
  timeoutMs?: number | undefined;
  signal?: AbortSignal | undefined;
  headers?: Record<string, string>;
}

/** The typed way to the recorder's API. Calls throw WorldError; `unreachable` when the service is away. */
export function makeRecorderClient({ url, token, timeoutMs = 15_000 }: ClientOptions): RecorderClient {
  const base = url.replace(/\/$/, '');

  async function call(
    path: string,
    { method = 'GET', body, signal, headers, ...rest }: Call = {},
  ): Promise<Response> {
    const limit = AbortSignal.timeout(rest.timeoutMs ?? timeoutMs);
    let response: Response;
    try {
      response = await fetch(`${base}${path}`, {
        method,
        headers: {
          Authorization: `Bearer ${token}`,
          ...(body !== undefined && { 'Content-Type': 'application/json' }),
          ...headers,
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        signal: signal ? AbortSignal.any([signal, limit]) : limit,
      });
    } catch (error) {
      throw away(error, signal);
    }
    if (response.ok) return response;
    throw await faultOf(response);
  }

  async function ask<T>(path: string, answer: z.ZodType<T>, options?: Call): Promise<T> {
    const response = await call(path, options);
    try {
      return answer.parse(await response.json());
    } catch (error) {
      if (error instanceof z.ZodError)
        throw new WorldError('unreachable', 'the recorder answered something unknown', { cause: error });
      throw away(error, options?.signal);
    }
  }

  const at = (id: string) => `/v1/cameras/${encodeURIComponent(id)}`;
  const jobAt = (id: string) => `/v1/clips/${encodeURIComponent(id)}`;
  const clipJob = schema.clipJob as unknown as z.ZodType<ClipJob>;

  async function followJob(
    first: ClipJob,
    onProgress: ((job: ClipJob) => void) | undefined,
    signal?: AbortSignal,
  ) {
    let job = first;
    while (job.state === 'waiting' || job.state === 'running') {
      onProgress?.(job);
      const seen = encodeURIComponent(`${job.state} ${job.progress}`);
      try {
        job = await ask(`${jobAt(job.id)}?wait=${POLL_MS}&seen=${seen}`, clipJob, {
          timeoutMs: POLL_MS + timeoutMs,
          signal,
        });
      } catch (error) {
        if (error instanceof WorldError && error.kind === 'not-found')
          throw new WorldError('unreachable', 'the recorder was restarted while it made the clip');
        throw error;
      }
    }
    return job;
  }

  return {
    health: () => ask('/healthz', schema.health),
    cameras: () => ask('/v1/cameras', z.array(schema.cameraInfo)),
    camera: (id) => ask(at(id), schema.cameraInfo),
    removedCameras: () => ask('/v1/removed-cameras', z.array(schema.removedCamera)),
    addCamera: (settings) => ask('/v1/cameras', schema.cameraInfo, { method: 'POST', body: settings }),
    discover: () =>
      ask('/v1/discover', z.array(schema.foundDevice), { method: 'POST', timeoutMs: 2 * timeoutMs }),
    describe: (login) =>
      ask('/v1/onvif/describe', schema.onvifDescription, {
        ...{ method: 'POST', body: login },
        timeoutMs: 2 * timeoutMs,
      }),
    changeCamera: (id, change) => ask(at(id), schema.cameraInfo, { method: 'PATCH', body: change }),
    async removeCamera(id) {
      await call(at(id), { method: 'DELETE' });
    },
    probe: (address) =>
      ask('/v1/probe', schema.probeResult, { method: 'POST', body: address, timeoutMs: timeoutMs + 25_000 }),

    async snapshot(id, { stream, width, signal } = {}) {
      const query = new URLSearchParams();
      if (stream) query.set('stream', stream);
      if (width) query.set('width', String(width));
      const response = await call(`${at(id)}/snapshot?${query}`, { signal });
      try {
        return {
          jpeg: new Uint8Array(await response.arrayBuffer()),
          frameMs: Number(response.headers.get('x-frame-ms')),
          width: Number(response.headers.get('x-width')),
          height: Number(response.headers.get('x-height')),
        };
      } catch (error) {
        throw away(error, signal);
      }
    },

    async stills({ cameraId, ...request }, signal) {
      const stills = await ask(`${at(cameraId)}/stills`, z.array(schema.still), {
        ...{ method: 'POST', body: request, timeoutMs: timeoutMs + STILLS_MS, signal },
      });
      return stills.map((still) => ({
        ...still,
        pictures: still.pictures.map((one) => ({ ...one, jpeg: Buffer.from(one.jpeg, 'base64') })),
      }));
    },

    coverage: (id, { startMs, endMs }, stream = 'main') =>
      ask(`${at(id)}/coverage?startMs=${startMs}&endMs=${endMs}&stream=${stream}`, schema.coverage),

    coverages: async (ids, { startMs, endMs }, stream = 'main') =>
      ids.length === 0
        ? []
        : ask(
            `/v1/coverage?startMs=${startMs}&endMs=${endMs}&stream=${stream}&cameras=${ids.map(encodeURIComponent).join(',')}`,
            z.array(schema.coverage),
          ),

    hold: (request) => ask('/v1/holds', schema.hold, { method: 'POST', body: request }),
    holds: ({ active, cameraId } = {}) =>
      ask(`/v1/holds?${given({ active, cameraId })}`, z.array(schema.hold)),
    releaseHold: (id, release) =>
      ask(`/v1/holds/${encodeURIComponent(id)}/release`, schema.hold, { method: 'POST', body: release }),
    deletions: (query = {}) => ask(`/v1/deletions?${given({ ...query })}`, z.array(schema.deletion)),

    async clip(request, { onProgress, signal } = {}) {
      if (signal?.aborted) throw new WorldError('cancelled', 'the clip was cancelled');
      const first = await ask(`/v1/clips?wait=${FIRST_WAIT_MS}`, clipJob, { method: 'POST', body: request });
      try {
        const job = await followJob(first, onProgress, signal);
        if (job.state === 'done') {
          onProgress?.(job);
          return job;
        }
        const { kind, message } = job.error ?? { kind: 'failed', message: 'the clip failed' };
        if (KINDS.has(kind)) throw new WorldError(kind as WorldKind, message);
        throw new Error(`the recorder could not make the clip: ${message}`);
      } catch (error) {
        if (signal?.aborted) {
          await call(jobAt(first.id), { method: 'DELETE' }).catch(() => {});
          throw new WorldError('cancelled', 'the clip was cancelled', { cause: error });
        }
        throw error;
      }
    },

    async savePart(jobId, index, path) {
      try {
        const body = { path: resolve(path) };
        const linked = await ask(`${jobAt(jobId)}/parts/${index}/link`, schema.linked, {
          method: 'POST',
          body,
        });
        if ((await stat(path).catch(() => null))?.size === linked.sizeBytes) return linked;
      } catch (error) {
        // a folder that is not shared: it is downloaded, as from another machine
        if (!(error instanceof WorldError && error.kind === 'invalid')) throw error;
      }
      const response = await call(`${jobAt(jobId)}/parts/${index}`, { timeoutMs: 10 * 60_000 });
      try {
        await pipeline(
          Readable.fromWeb(response.body as ReadableStream<Uint8Array>),
          createWriteStream(path),
        );
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOSPC')
          throw new WorldError('disk-full', 'no space for the clip', { cause: error });
        throw away(error);
      }
      const { size } = await stat(path);
      const wanted = Number(response.headers.get('content-length') ?? size);
      if (size !== wanted) throw new WorldError('unreachable', 'the clip broke off');
      return { sizeBytes: size };
    },

    chainHeads: (day) => ask(`/v1/chain-heads?day=${encodeURIComponent(day)}`, schema.dayHeads),

    async *events(afterId, signal) {
      let last = afterId;
      for (let failures = 0; !signal.aborted; ) {
        try {
          for await (const event of listen(`${base}/v1/events?after=${last}`, token, last, signal)) {
            failures = 0;
            last = event.id;
            yield event;
          }
        } catch (error) {
          // A wrong token stays wrong; everything else passes.
          if (error instanceof WorldError && error.kind === 'refused') throw error;
          failures++;
        }
        await pause(backoffMs(failures + 1, 250, 10_000), undefined, { signal }).catch(() => {});
      }
    },
  };
}

/** The query of what is given. */
const given = (values: Record<string, string | number | boolean | undefined>) =>
  new URLSearchParams(
    Object.entries(values).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, String(value)] as [string, string]],
    ),
  );

/** One connection to the event stream. */
async function* listen(
  url: string,
  token: string,
  last: number,
  signal: AbortSignal,
): AsyncGenerator<RecorderEvent> {
  const broken = new AbortController();
  let silence = setTimeout(() => broken.abort(), SILENCE_MS);
  try {
    const response = await fetch(url, {
      headers: {
        Authorization: `Bearer ${token}`,
        Accept: 'text/event-stream',
        'Last-Event-ID': String(last),
      },
      signal: AbortSignal.any([signal, broken.signal]),
    });
    if (!response.ok) throw await faultOf(response);
    let text = '';
    for await (const piece of (response.body as ReadableStream<Uint8Array>).pipeThrough(
      new TextDecoderStream(),
    )) {
      clearTimeout(silence);
      silence = setTimeout(() => broken.abort(), SILENCE_MS);
      text += piece;
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const data = /^data: (.*)$/m.exec(text.slice(0, end))?.[1];
        text = text.slice(end + 2);
        if (data !== undefined) yield schema.recorderEvent.parse(JSON.parse(data));
      }
    }
  } finally {
    clearTimeout(silence);
    broken.abort();
  }
}

function away(error: unknown, signal?: AbortSignal): WorldError {
  if (error instanceof WorldError) return error;
  if (signal?.aborted) return new WorldError('cancelled', 'the call was cancelled', { cause: error });
  if (error instanceof Error && error.name === 'TimeoutError')
    return new WorldError('timeout', 'the recorder did not answer in time', { cause: error });
  return new WorldError('unreachable', 'the recorder is away', { cause: error });
}

async function faultOf(response: Response): Promise<Error> {
  const body = schema.errorBody.safeParse(await response.json().catch(() => null));
  const { kind, message } = body.data?.error ?? {
    kind: '',
    message: `the recorder answered ${response.status}`,
  };
  if (kind === 'unauthorized') return new WorldError('refused', 'the recorder refused our token');
  if (KINDS.has(kind)) return new WorldError(kind as WorldKind, message);
  return response.status >= 502
    ? new WorldError('unreachable', message)
    : new Error(`the recorder failed: ${message}`);
}
