import { z } from 'zod';
import {
  chainHeadsQuery,
  clipWait,
  coverageQuery,
  coveragesQuery,
  deletionsQuery,
  eventsQuery,
  holdsQuery,
  type SchemaName,
  schemas,
  snapshotQuery,
} from './api-schemas.js';

export interface Route {
  method: 'get' | 'post' | 'patch' | 'delete';
  /** `{name}` stands for a part of the path */
  path: string;
  summary: string;
  query?: z.ZodObject;
  body?: SchemaName;
  status: number;
  /** a schema, a list of it, another type of content, or nothing */
  answer: { schema: SchemaName; list?: true } | { content: string; headers?: Record<string, string> } | null;
  /** needs no token */
  open?: true;
  errors?: number[];
}

/** The API, once: registered from here, printed into openapi.json from here. */
export const ROUTES = {
  listCameras: {
    method: 'get',
    path: '/v1/cameras',
    summary: 'All cameras and how they are',
    status: 200,
    answer: { schema: 'CameraInfo', list: true },
  },
  removedCameras: {
    method: 'get',
    path: '/v1/removed-cameras',
    summary: 'Cameras that were removed; recordings of theirs may be there still',
    status: 200,
    answer: { schema: 'RemovedCamera', list: true },
  },
  addCamera: {
    method: 'post',
    path: '/v1/cameras',
    summary: 'Add a camera; it records at once. An id is never used twice.',
    body: 'CameraSettings',
    status: 201,
    answer: { schema: 'CameraInfo' },
    errors: [400],
  },
  getCamera: {
    method: 'get',
    path: '/v1/cameras/{id}',
    summary: 'One camera',
    status: 200,
    answer: { schema: 'CameraInfo' },
    errors: [404],
  },
  changeCamera: {
    method: 'patch',
    path: '/v1/cameras/{id}',
    summary:
      'Change what is given; restarts a stream only when its source changes. Its address given again retries at once.',
    body: 'CameraChange',
    status: 200,
    answer: { schema: 'CameraInfo' },
    errors: [400, 404],
  },
  removeCamera: {
    method: 'delete',
    path: '/v1/cameras/{id}',
    summary: 'Stop recording it for good; its recordings stay until they are old',
    status: 204,
    answer: null,
    errors: [404],
  },
  probe: {
    method: 'post',
    path: '/v1/probe',
    summary: 'Try an address before adding it',
    body: 'ProbeRequest',
    status: 200,
    answer: { schema: 'ProbeResult' },
    errors: [400],
  },
  discover: {
    method: 'post',
    path: '/v1/discover',
    summary: 'Look for cameras and recorders on the own nets; up to 12 s',
    status: 200,
    answer: { schema: 'FoundDevice', list: true },
    errors: [429],
  },
  describeOnvif: {
    method: 'post',
    path: '/v1/onvif/describe',
    summary: 'Ask an ONVIF device for its profiles, its identity and its clock; the login is not kept',
    body: 'OnvifLogin',
    status: 200,
    answer: { schema: 'OnvifDescription' },
    errors: [400, 429],
  },
  snapshot: {
    method: 'get',
    path: '/v1/cameras/{id}/snapshot',
    summary: 'The newest frame, from the recording in memory',
    query: snapshotQuery,
    status: 200,
    answer: {
      content: 'image/jpeg',
      headers: {
        'X-Frame-Ms': 'wall clock of the frame, epoch ms',
        'X-Width': 'pixels',
        'X-Height': 'pixels',
      },
    },
    errors: [404, 409, 504],
  },
  stills: {
    method: 'post',
    path: '/v1/cameras/{id}/stills',
    summary: 'Pictures out of the recordings at 1 to 24 moments, or why there is none; in the order asked',
    body: 'StillsRequest',
    status: 200,
    answer: { schema: 'Still', list: true },
    errors: [400, 404, 429, 504],
  },
  coverage: {
    method: 'get',
    path: '/v1/cameras/{id}/coverage',
    summary: 'What is recorded of a range, and each gap with its cause',
    query: coverageQuery,
    status: 200,
    answer: { schema: 'Coverage' },
    errors: [400, 404],
  },
  coverages: {
    method: 'get',
    path: '/v1/coverage',
    summary: 'The same of many cameras at once, in the order asked',
    query: coveragesQuery,
    status: 200,
    answer: { schema: 'Coverage', list: true },
    errors: [400, 404],
  },
  makeHold: {
    method: 'post',
    path: '/v1/holds',
    summary: 'Hold footage: it is not deleted until this is released or over. Durable when answered.',
    body: 'HoldRequest',
    status: 201,
    answer: { schema: 'Hold' },
    errors: [400, 404, 507],
  },
  listHolds: {
    method: 'get',
    path: '/v1/holds',
    summary: 'Holds and keeps, newest first; past ones too',
    query: holdsQuery,
    status: 200,
    answer: { schema: 'Hold', list: true },
    errors: [400],
  },
  releaseHold: {
    method: 'post',
    path: '/v1/holds/{id}/release',
    summary: 'Release a hold, with a reason; the record stays',
    body: 'HoldRelease',
    status: 200,
    answer: { schema: 'Hold' },
    errors: [400, 404, 507],
  },
  deletions: {
    method: 'get',
    path: '/v1/deletions',
    summary: 'What was deleted, when and why, by ascending id (`after`: those with a greater one)',
    query: deletionsQuery,
    status: 200,
    answer: { schema: 'Deletion', list: true },
    errors: [400],
  },
  chainHeads: {
    method: 'get',
    path: '/v1/chain-heads',
    summary: "The ends of all chains of a day, and one digest over them; final once 'closed'",
    query: chainHeadsQuery,
    status: 200,
    answer: { schema: 'DayHeads' },
    errors: [400],
  },
  orderClip: {
    method: 'post',
    path: '/v1/clips',
    summary: 'Order a clip; with `wait` a quick one is answered finished',
    query: clipWait,
    body: 'ClipRequest',
    status: 202,
    answer: { schema: 'ClipJob' },
    errors: [400, 404, 429],
  },
  getClip: {
    method: 'get',
    path: '/v1/clips/{id}',
    summary: 'How a clip is coming along',
    query: clipWait,
    status: 200,
    answer: { schema: 'ClipJob' },
    errors: [404],
  },
  removeClip: {
    method: 'delete',
    path: '/v1/clips/{id}',
    summary: 'Cancel or forget a clip',
    status: 204,
    answer: null,
    errors: [404],
  },
  clipPart: {
    method: 'get',
    path: '/v1/clips/{id}/parts/{n}',
    summary: 'The file of a part (0-based); ranges allowed; kept 15 minutes',
    status: 200,
    answer: { content: 'video/mp4' },
    errors: [404],
  },
  linkPart: {
    method: 'post',
    path: '/v1/clips/{id}/parts/{n}/link',
    summary:
      'Puts a part where a program on this machine wants it, without a copy where the disk is the same',
    body: 'PartPlace',
    status: 201,
    answer: { schema: 'Linked' },
    errors: [400, 404, 507],
  },
  events: {
    method: 'get',
    path: '/v1/events',
    summary: 'Events after an id (`after`, or the header Last-Event-ID), then live, as server-sent events',
    query: eventsQuery,
    status: 200,
    answer: { content: 'text/event-stream' },
  },
  health: {
    method: 'get',
    path: '/healthz',
    summary: 'Is it well',
    status: 200,
    answer: { schema: 'Health' },
    open: true,
  },
  metrics: {
    method: 'get',
    path: '/metrics',
    summary: 'Figures for Prometheus',
    status: 200,
    answer: { content: 'text/plain' },
    open: true,
  },
  openapi: {
    method: 'get',
    path: '/openapi.json',
    summary: 'This description',
    status: 200,
    answer: { content: 'application/json' },
    open: true,
  },
} as const satisfies Record<string, Route>;
export type RouteName = keyof typeof ROUTES;

const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });

function answerOf(route: Route) {
  const { answer } = route;
  if (answer === null) return { description: 'Done' };
  if ('schema' in answer) {
    const schema = answer.list ? { type: 'array', items: ref(answer.schema) } : ref(answer.schema);
    return { description: 'OK', content: { 'application/json': { schema } } };
  }
  const headers = Object.fromEntries(
    Object.entries(answer.headers ?? {}).map(([name, description]) => [
      name,
      { description, schema: { type: 'string' } },
    ]),
  );
  return { description: 'OK', content: { [answer.content]: {} }, ...(answer.headers && { headers }) };
}

function parametersOf(route: Route) {
  const inPath = [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    ...{ name, in: 'path', required: true, schema: { type: 'string' } },
  }));
  if (route.query === undefined) return inPath;
  const schema = z.toJSONSchema(route.query, { io: 'input', unrepresentable: 'any' });
  const inQuery = Object.entries(schema.properties ?? {}).map(([name, one]) => ({
    ...{
      name,
      in: 'query',
      required: (z.toJSONSchema(route.query!, { io: 'output' }).required ?? []).includes(name),
    },
    schema: one,
  }));
  return [...inPath, ...inQuery];
}

/** The OpenAPI 3.1 document of the service. */
export function openapi(): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const [operationId, route] of Object.entries(ROUTES) as [RouteName, Route][]) {
    const faults = [...(route.errors ?? []), ...(route.open ? [] : [401])];
    const failed = { description: 'Error', content: { 'application/json': { schema: ref('Error') } } };
    paths[route.path] = {
      ...paths[route.path],
      [route.method]: {
        ...{ operationId, summary: route.summary, parameters: parametersOf(route) },
        ...(route.body && {
          requestBody: { required: true, content: { 'application/json': { schema: ref(route.body) } } },
        }),
        responses: {
          [route.status]: answerOf(route),
          ...Object.fromEntries(faults.map((status) => [status, failed])),
        },
        ...(route.open && { security: [] }),
      },
    };
  }
  const components = Object.fromEntries(
    Object.entries(schemas).map(([name, schema]) => {
      const { $schema: _, ...json } = z.toJSONSchema(schema, { io: 'input' }) as Record<string, unknown>;
      return [name, json];
    }),
  );
  return {
    openapi: '3.1.0',
    info: {
      title: 'Mắt Thần: the recorder',
      version: '1',
      description:
        'Times are epoch milliseconds (UTC), ends exclusive. Every error is {error: {kind, message}}.',
    },
    servers: [{ url: 'http://127.0.0.1:8601' }],
    security: [{ token: [] }],
    paths,
    components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } }, schemas: components },
  };
}

const WIDTH = 110;

/** JSON as the formatter writes it: lists of plain values on one line where they fit. */
function formatted(value: unknown, indent: string, before: number): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const deeper = `${indent}  `;
  if (Array.isArray(value)) {
    const flat = `[${value.map((item) => JSON.stringify(item)).join(', ')}]`;
    const plain = value.every((item) => typeof item !== 'object' || Object.keys(item ?? {}).length === 0);
    if (plain && before + flat.length <= WIDTH) return flat;
    return `[\n${value.map((item) => deeper + formatted(item, deeper, deeper.length)).join(',\n')}\n${indent}]`;
  }
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  if (entries.length === 0) return '{}';
  const lines = entries.map(([name, item], i) => {
    const head = `${deeper}${JSON.stringify(name)}: `;
    const comma = i < entries.length - 1 ? 1 : 0;
    return head + formatted(item, deeper, head.length + comma);
  });
  return `{\n${lines.join(',\n')}\n${indent}}`;
}

/** The text of media/openapi.json. */
export const openapiText = () => `${formatted(openapi(), '', 0)}\n`;
