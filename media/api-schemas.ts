import { z } from 'zod';
import { CAMERA_ID } from './recording/names.js';

/** Every body and answer of the API, once: checked by server and client, printed into openapi.json. */
const ms = z.number().describe('epoch milliseconds, UTC');
const streamName = z.enum(['main', 'sub']);
const transport = z.enum(['tcp', 'udp']);
const cause = z.enum([
  'unreachable',
  'refused',
  'not-found',
  'not-video',
  'silent',
  'broken',
  'switched-off',
  'recorder-down',
  'disk',
]);
const range = z.object({ startMs: ms, endMs: ms });
const gap = range.extend({ cause: z.union([cause, z.enum(['deleted', 'unknown'])]) });
const url = z
  .string()
  .min(1)
  .max(2000)
  .describe('rtsp://user:password@host:554/path, rtsps://…, test:street');
const changeable = {
  name: z.string().trim().min(1).max(100),
  url,
  subUrl: url.nullable().optional(),
  transport: transport.optional(),
  audio: z.boolean().optional(),
  enabled: z.boolean().optional(),
  retentionDays: z.number().int().min(1).max(3650).nullable().optional(),
};

export const cameraSettings = z.strictObject({ id: z.string().regex(CAMERA_ID), ...changeable });
export const cameraChange = z.strictObject(changeable).partial();

export const cameraInfo = z.object({
  id: z.string(),
  name: z.string(),
  address: z.string().describe('without user and password'),
  subAddress: z.string().nullable(),
  transport,
  audio: z.boolean(),
  enabled: z.boolean(),
  retentionDays: z.number().nullable(),
  state: z.enum(['starting', 'recording', 'down', 'off']),
  sinceMs: ms,
  cause: cause.nullable(),
  codec: z.string().nullable(),
  width: z.number().nullable(),
  height: z.number().nullable(),
  newestFrameMs: ms.nullable(),
});

export const probeRequest = z.strictObject({ url, transport: transport.optional() });
export const probeResult = z.union([
  z.object({ ok: z.literal(true), codec: z.string(), width: z.number(), height: z.number() }),
  z.object({
    ok: z.literal(false),
    cause: z.enum(['bad-address', 'unreachable', 'refused', 'not-found', 'not-video', 'silent']),
    detail: z.string(),
  }),
]);

export const snapshotQuery = z.object({
  stream: streamName.optional(),
  width: z.coerce.number().int().min(16).max(7680).optional(),
});

export const coverageQuery = z.object({
  startMs: z.coerce.number(),
  endMs: z.coerce.number(),
  stream: streamName.optional(),
});
export const coverage = z.object({
  cameraId: z.string(),
  stream: streamName,
  asked: range,
  recorded: z.array(range),
  gaps: z.array(gap),
});

export const chainHeadsQuery = z.object({ day: z.iso.date().describe('Vietnamese date') });
export const dayHeads = z.object({
  day: z.string(),
  closed: z.boolean().describe('the day is over and its heads stay as they are'),
  segments: z.number(),
  digest: z.string().describe('over all chains, 64 hex digits'),
  chains: z.array(
    z.object({
      cameraId: z.string(),
      stream: streamName,
      n: z.number().describe('records'),
      head: z.string().describe('SHA-256 of the last line, hex'),
      segments: z.number(),
    }),
  ),
});

export const clipRequest = z.strictObject({
  cameraId: z.string(),
  startMs: ms,
  endMs: ms,
  stream: streamName.optional(),
  format: z.enum(['chat', 'original']).optional(),
  maxBytes: z.number().int().min(100_000).optional(),
});
export const clipPart = z.object({
  index: z.number(),
  startMs: ms,
  endMs: ms,
  durationMs: z.number(),
  sizeBytes: z.number(),
  width: z.number(),
  height: z.number(),
  codec: z.string(),
});
export const partPlace = z.object({
  path: z.string().max(4096).describe('absolute, a new file below DATA_DIR'),
});
export const linked = z.object({ sizeBytes: z.number() });
export const clipJob = z.object({
  id: z.string(),
  request: clipRequest,
  state: z.enum(['waiting', 'running', 'done', 'failed', 'cancelled']),
  progress: z.number(),
  parts: z.array(clipPart),
  gaps: z.array(gap),
  error: z.object({ kind: z.string(), message: z.string() }).nullable(),
});
export const clipWait = z.object({
  wait: z.coerce
    .number()
    .min(0)
    .max(60_000)
    .optional()
    .describe('answer later, at the next change, at most after this, ms'),
  seen: z.string().max(60).optional().describe('"<state> <progress>" known already'),
});

export const eventsQuery = z.object({ after: z.coerce.number().int().min(0).optional() });
export const recorderEvent = z.object({
  id: z.number(),
  atMs: ms,
  kind: z.enum([
    'camera-recording',
    'camera-down',
    'camera-off',
    'camera-changed',
    'segment-closed',
    'disk-low',
    'disk-ok',
    'footage-deleted',
    'recorder-started',
  ]),
  cameraId: z.string().nullable(),
  data: z.record(z.string(), z.unknown()),
});

export const health = z.object({
  ok: z.boolean(),
  version: z.string(),
  startedMs: ms,
  ffmpeg: z.object({ version: z.string(), major: z.number(), kind: z.string() }).nullable(),
  cameras: z.object({ total: z.number(), recording: z.number(), down: z.number(), off: z.number() }),
  disk: z.object({ freeBytes: z.number(), totalBytes: z.number(), low: z.boolean() }),
});

export const errorBody = z.object({
  error: z.object({
    kind: z.string(),
    message: z.string(),
    cause: cause.nullable().optional(),
    sinceMs: ms.optional(),
  }),
});

export const schemas = {
  CameraSettings: cameraSettings,
  CameraChange: cameraChange,
  CameraInfo: cameraInfo,
  ProbeRequest: probeRequest,
  ProbeResult: probeResult,
  Coverage: coverage,
  DayHeads: dayHeads,
  ClipRequest: clipRequest,
  ClipJob: clipJob,
  PartPlace: partPlace,
  Linked: linked,
  RecorderEvent: recorderEvent,
  Health: health,
  Error: errorBody,
};
export type SchemaName = keyof typeof schemas;
