import type { z } from 'zod';
import { WorldError } from '../../../base/errors.js';

const CALL_MS = 20_000;

/** How the outside is reached; `fetch` is handed in where a proxy stands between. */
export interface Wire {
  fetch?: typeof fetch;
}

export interface Ask {
  /** for the messages of errors */
  call: string;
  url: string;
  method?: 'GET' | 'POST';
  headers?: Record<string, string>;
  body?: string | URLSearchParams | FormData;
  timeoutMs?: number | undefined;
  signal?: AbortSignal | undefined;
}

export interface Answer {
  status: number;
  text: string;
}

/** An address by its root and path, however the root ends. */
export const under = (root: string, path: string) => `${root.replace(/\/+$/, '')}${path}`;

/** Why a call did not come through. Never the error's own words: they may carry the address or a header. */
function lost(call: string, error: unknown, signal: AbortSignal | undefined): WorldError {
  if (error instanceof WorldError) return error;
  if (signal?.aborted) return new WorldError('cancelled', `the call ${call} of Zalo was given up`);
  const name = error instanceof Error ? error.name : '';
  if (name === 'TimeoutError' || name === 'AbortError')
    return new WorldError('timeout', `Zalo did not answer ${call} in time`);
  const cause = error instanceof Error ? (error.cause as { code?: unknown } | undefined) : undefined;
  const code = typeof cause?.code === 'string' ? cause.code : 'network failure';
  return new WorldError('unreachable', `Zalo could not be reached for ${call}: ${code}`);
}

/**
 * One call over HTTP; any status is an answer.
 * @param onText is told all that has arrived so far, also when the connection breaks later
 * @throws WorldError unreachable, timeout, cancelled
 */
export async function ask(wire: Wire, request: Ask, onText?: (soFar: string) => void): Promise<Answer> {
  const { call, url, method = 'POST', headers, body, timeoutMs = CALL_MS, signal } = request;
  const limit = AbortSignal.timeout(timeoutMs);
  try {
    const response = await (wire.fetch ?? fetch)(url, {
      method,
      redirect: 'error',
      ...(headers === undefined ? {} : { headers }),
      ...(body === undefined ? {} : { body }),
      signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
    });
    if (onText === undefined) return { status: response.status, text: await response.text() };
    let text = '';
    const decoder = new TextDecoder();
    for await (const part of response.body ?? []) {
      text += decoder.decode(part as Uint8Array, { stream: true });
      onText(text);
    }
    return { status: response.status, text };
  } catch (error) {
    throw lost(call, error, signal);
  }
}

/** The JSON of an answer; a page of a network that blocks Zalo is none. @throws WorldError unreachable */
export function readJson(call: string, { status, text }: Answer): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new WorldError('unreachable', `Zalo answered ${call} with HTTP ${status} and no JSON`);
  }
}

/**
 * Holds an answer against what we know of it: unknown fields pass, wrong types don't.
 * @throws WorldError invalid: asking again would do it again, and perhaps send twice
 */
export function readAs<T>(call: string, schema: z.ZodType<T>, value: unknown): T {
  const read = schema.safeParse(value);
  if (read.success) return read.data;
  const where = read.error.issues
    .slice(0, 3)
    .map((issue) => issue.path.join('.') || '(whole)')
    .join(', ');
  throw new WorldError('invalid', `Zalo answered ${call} in a form we don't know: ${where}`);
}
