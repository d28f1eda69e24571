import { z } from 'zod';
import { CAMERA_ID } from './recording/names.js';

/** Every body and answer of the API, once: checked by server and client, printed into openapi.json. */
const ms = z.number().describe('epoch milliseconds, UTC');
/** A time that is asked for: no clock of ours goes beyond the year 2200, and nothing was recorded before 1970. */
const LATEST_MS = Date.UTC(2200, 0, 1);
const sane = <T extends z.ZodNumber | z.ZodCoercedNumber>(time: T) =>
  time
    .min(0, 'a time is epoch milliseconds, 1970 or later')
    .max(LATEST_MS, 'a time is epoch milliseconds, before the year 2200')
    .describe('epoch milliseconds, UTC');
const asked = sane(z.number());
const askedInQuery = sane(z.coerce.number());
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
  'settings',
]);
const range = z.object({ startMs: ms, endMs: ms });
const clockStep = z.object({ fromMs: ms, toMs: ms });
const gapCause = z.union([
  cause,
  z.enum(['removed-by-others', 'damaged', 'deleted', 'clock-set', 'unknown']),
]);
const gap = range.extend({ cause: gapCause });
const url = z
  .string()
  .min(1)
  .max(2000)
  .describe('rtsp://user:password@host:554/path, rtsps://…, test:street');
const identity = z.object({
  serial: z.string().max(100).nullable(),
  mac: z
    .string()
    .regex(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/)
    .nullable(),
  make: z.string().max(100).nullable(),
  model: z.string().max(100).nullable(),
  endpoint: z.string().max(100).nullable(),
  onvifPort: z.number().int().min(1).max(65535).nullable(),
});
const changeable = {
  name: z.string().trim().min(1).max(100),
  url,
  subUrl: url.nullable().optional(),
  transport: transport.optional(),
  audio: z.boolean().optional(),
  enabled: z.boolean().optional(),
  retentionDays: z.number().int().min(1).max(3650).nullable().optional(),
  identity: identity.nullable().optional(),
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
  identity: identity.nullable(),
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

export const foundDevice = z.object({
  host: z.string(),
  port: z.number(),
  onvif: z.boolean(),
  name: z.string().nullable(),
  make: z.string().nullable(),
  model: z.string().nullable(),
  mac: z.string().nullable(),
  endpoint: z.string().nullable(),
  cameraIds: z.array(z.string()),
});
const HOST = /^(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?|[0-9a-f:]+)$/i;
export const onvifLogin = z.strictObject({
  host: z.string().regex(HOST, 'a host name or an IP address'),
  port: z.number().int().min(1).max(65535).optional(),
  // It stands in XML and in quotes of a header: such signs are in no user's name.
  user: z
    .string()
    .max(100)
    .regex(/^[^<>&"'\\\p{Cc}]*$/u, 'not a user name'),
  password: z.string().max(200),
});
const onvifProfile = z.object({
  name: z.string(),
  source: z.string().nullable(),
  codec: z.string().nullable(),
  width: z.number().nullable(),
  height: z.number().nullable(),
  fps: z.number().nullable(),
  bitrateKbps: z.number().nullable(),
  rtspUrl: z.string().describe('without user and password'),
  snapshotUrl: z.string().nullable(),
});
export const onvifDescription = z.union([
  z.object({
    ok: z.literal(true),
    identity,
    profiles: z.array(onvifProfile),
    timeOffsetS: z.number().nullable().describe('its clock less ours, seconds'),
  }),
  z.object({
    ok: z.literal(false),
    cause: z.enum(['unreachable', 'refused', 'not-onvif']),
    detail: z.string(),
  }),
]);

export const snapshotQuery = z.object({
  stream: streamName.optional(),
  width: z.coerce.number().int().min(16).max(7680).optional(),
});

const MOST_STILLS = 24;
export const stillsRequest = z.strictObject({
  moments: z.array(sane(z.number())).min(1).max(MOST_STILLS),
  frame: z
    .enum(['keyframe', 'exact'])
    .optional()
    .describe('keyframe (default): the nearest that stands alone; exact: the one shown at the moment'),
  stream: streamName.optional(),
  width: z
    .number()
    .int()
    .min(16)
    .max(7680)
    .optional()
    .describe(
      'scaled down to it; default: one picture as it is, several to 640; more than four: 1280 at most',
    ),
});
export const still = z.object({
  atMs: ms.describe('as asked'),
  pictures: z.array(
    z.object({
      jpeg: z.base64(),
      frameMs: ms.describe('wall clock of the pictured frame'),
      width: z.number(),
      height: z.number(),
    }),
  ),
  cause: gapCause.nullable().describe('why there is none; null: there is, or it is still to come'),
  beforeMs: z.number().nullable().describe('where there is none: when recordings end before it'),
  afterMs: z.number().nullable().describe('… and begin again behind it'),
});

export const coverageQuery = z.object({
  startMs: askedInQuery,
  endMs: askedInQuery,
  stream: streamName.optional(),
});
export const coveragesQuery = coverageQuery.extend({
  cameras: z.string().min(1).describe('ids, with commas between'),
});
export const coverage = z.object({
  cameraId: z.string(),
  stream: streamName,
  asked: range,
  begunMs: z.number().nullable(),
  recorded: z.array(range),
  gaps: z.array(gap),
  clockSteps: z.array(clockStep),
  held: z.array(range.extend({ id: z.string(), rank: z.enum(['hold', 'keep']) })),
});

const streams = z.enum(['main', 'sub', 'both']);
const holdRank = z
  .enum(['hold', 'keep'])
  .describe('hold: by an officer, until released; keep: by the system, with an end and a budget');
const wholeMs = z.number().int().describe('epoch milliseconds, UTC');
const askedWhole = sane(z.number().int());
/** Part of the name of a file. */
const holdId = z.string().regex(/^[a-z0-9-]{8,64}$/);
const said = (most: number) => z.string().normalize('NFC').trim().min(1).max(most);
export const hold = z.strictObject({
  id: holdId,
  rank: holdRank,
  cameraId: z.string().regex(CAMERA_ID),
  streams,
  startMs: wholeMs,
  endMs: wholeMs,
  by: z.string(),
  why: z.string(),
  createdMs: wholeMs,
  untilMs: wholeMs.nullable(),
  released: z.object({ atMs: wholeMs, by: z.string(), why: z.string() }).nullable(),
});
export const holdRequest = z.strictObject({
  id: holdId.optional().describe('asked again with the same id it is the same hold'),
  rank: holdRank.optional(),
  cameraId: z.string(),
  streams: streams.optional(),
  startMs: askedWhole,
  endMs: askedWhole,
  by: said(200),
  why: said(1000),
  untilMs: askedWhole.nullable().optional(),
});
export const holdRelease = z.strictObject({ by: said(200), why: said(1000) });
export const holdsQuery = z.object({
  active: z.enum(['true', 'false']).optional().describe('in force, or not'),
  cameraId: z.string().optional(),
});
export const removedCamera = z.object({ id: z.string(), name: z.string(), removedMs: ms });

export const deletionsQuery = z.object({
  cameraId: z.string().optional(),
  startMs: askedInQuery.optional(),
  endMs: askedInQuery.optional(),
  after: z.coerce.number().int().min(0).optional(),
  limit: z.coerce.number().int().min(1).max(1000).optional(),
});
export const deletion = z.object({
  id: z.number(),
  atMs: ms,
  cameraId: z.string(),
  stream: streamName,
  startMs: ms,
  endMs: ms,
  sizeBytes: z.number(),
  reason: z.enum(['age', 'space']),
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
  startMs: asked,
  endMs: asked,
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
  stream: streamName,
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
    'camera-moved',
    'segment-closed',
    'disk-low',
    'disk-ok',
    'disk-failing',
    'disk-full-of-holds',
    'holds-fill-disk',
    'holds-unreadable',
    'holds-readable',
    'hold-made',
    'hold-released',
    'keep-dropped',
    'clock-doubted',
    'clock-trusted',
    'clock-set',
    'footage-deleted',
    'footage-changed',
    'recorder-started',
    'index-rebuilt',
    'hold-file-mended',
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
  disk: z.object({
    ...{ freeBytes: z.number(), totalBytes: z.number(), low: z.boolean() },
    ...{ kind: z.enum(['ssd', 'hdd']), powerCutMs: z.number(), unsyncedMs: z.number() },
  }),
  holds: z.object({
    readable: z.boolean().describe('false: nothing is deleted'),
    fault: z.string().nullable().describe('what can not be read'),
    holds: z.number(),
    keeps: z.number(),
    heldBytes: z.number(),
    keptBytes: z.number(),
    fullAtMs: ms.nullable().describe('at this pace nothing deletable is left then'),
  }),
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
  RemovedCamera: removedCamera,
  ProbeRequest: probeRequest,
  ProbeResult: probeResult,
  FoundDevice: foundDevice,
  OnvifLogin: onvifLogin,
  OnvifDescription: onvifDescription,
  Coverage: coverage,
  StillsRequest: stillsRequest,
  Still: still,
  Hold: hold,
  HoldRequest: holdRequest,
  HoldRelease: holdRelease,
  Deletion: deletion,
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
