import { z } from 'zod';
import { WorldError } from '../../../base/errors.js';
import type { Log } from '../../../base/log.js';
import { refusal, ZaloError } from './errors.js';
import { ask, readAs, readJson, under, type Wire } from './http.js';

/** Where access tokens come from: the token keeper. */
export interface TokenSource {
  /** The token to use now. @throws WorldError refused: a person must consent */
  current(signal?: AbortSignal): Promise<string>;
  /** The token after the one that Zalo refused. @throws WorldError */
  renewed(refused: string, signal?: AbortSignal): Promise<string>;
}

export interface OaOptions extends Wire {
  /** `https://openapi.zalo.me` */
  root: string;
  tokens: TokenSource;
  log: Log;
  /** one call, default 20 s; uploads have 60 s */
  timeoutMs?: number;
}

/** What a call sends: a JSON body, a file, or nothing (then it is a GET). */
export interface Sent {
  json?: unknown;
  form?: FormData;
  timeoutMs?: number;
}

/** A call of the OpenAPI; `schema` is that of `data` in the answer. */
export type Call = <T>(
  name: string,
  path: string,
  schema: z.ZodType<T>,
  sent: Sent,
  signal?: AbortSignal,
) => Promise<T>;

const envelope = z.looseObject({
  error: z.union([
    z.number(),
    z
      .string()
      .regex(/^-?\d+$/)
      .transform(Number),
  ]),
  message: z.string().optional(),
  data: z.unknown().optional(),
});

/** Errors come as HTTP 200; a refused token is renewed and the call made once more. */
export function makeCall(options: OaOptions): Call {
  async function once<T>(
    token: string,
    name: string,
    path: string,
    schema: z.ZodType<T>,
    sent: Sent,
    signal?: AbortSignal,
  ): Promise<T> {
    const body = sent.form ?? (sent.json === undefined ? undefined : JSON.stringify(sent.json));
    const answer = await ask(options, {
      call: name,
      url: under(options.root, path),
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        access_token: token,
        ...(sent.json === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body }),
      timeoutMs: sent.timeoutMs ?? options.timeoutMs,
      signal,
    });
    if (answer.status === 401)
      throw new ZaloError('refused', `Zalo refused ${name}: HTTP 401`, 401, 'refresh');
    if (answer.status === 429) throw refusal('oa', name, -32, '');
    if (answer.status >= 500)
      throw new WorldError('unreachable', `Zalo answered ${name} with HTTP ${answer.status}`);
    const { error, message = '', data } = readAs(name, envelope, readJson(name, answer));
    if (error !== 0) throw refusal('oa', name, error, message, options.log);
    return readAs(name, schema, data);
  }

  return async (name, path, schema, sent, signal) => {
    const token = await options.tokens.current(signal);
    try {
      return await once(token, name, path, schema, sent, signal);
    } catch (error) {
      if (!(error instanceof ZaloError) || error.remedy !== 'refresh') throw error;
      const next = await options.tokens.renewed(token, signal);
      return once(next, name, path, schema, sent, signal);
    }
  };
}

/** `?data={…}`, as the older reads take their arguments. */
export const asData = (path: string, data: object) =>
  `${path}?${new URLSearchParams({ data: JSON.stringify(data) })}`;

export const asQuery = (path: string, about: Record<string, string | number>) =>
  `${path}?${new URLSearchParams(Object.entries(about).map(([name, value]): [string, string] => [name, String(value)]))}`;
