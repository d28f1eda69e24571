import type http from 'node:http';
import { readBody } from '../telegram/body.js';
import { BotFailure, type BotPlatform } from './bot.js';
import { METHODS } from './methods.js';
import type { Tokens } from './oauth.js';
import type { Rates } from './rates.js';
import { OaFailure, type ZaloCall } from './types.js';
import type { World } from './world.js';

export interface Platform {
  world: World;
  tokens: Tokens;
  bot: BotPlatform;
  rates: Rates;
  /** where uploads are saved */
  dir: string;
}

export interface Answered {
  status: number;
  headers?: Record<string, string>;
  body: unknown;
}

const UPLOAD_BYTES = 50_000_000;

/** Reads take their arguments as `?data={…}`. */
function readData(params: Record<string, unknown>): Record<string, unknown> {
  const { data } = params;
  return typeof data === 'object' && data !== null ? (data as Record<string, unknown>) : params;
}

interface Asked {
  call: ZaloCall;
  request: http.IncomingMessage;
  url: URL;
  botToken: string | undefined;
  fault: OaFailure | undefined;
  /** the caller hung up */
  gone: AbortSignal;
}

/** Does a call and writes into it what became of it. */
export async function answerCall(platform: Platform, asked: Asked): Promise<Answered> {
  const { call, request, url, fault } = asked;
  const headers: Record<string, string> = {};
  try {
    const { params, files } = await readBody(request, url.searchParams, platform.dir, UPLOAD_BYTES);
    call.params = readData(params);
    if (fault !== undefined) throw fault;
    if (call.api === 'bot') return await answerBot(platform, asked);
    if (call.api === 'oauth') return answerOauth(platform, call, request);
    const rate = platform.rates.take();
    Object.assign(headers, rate.headers);
    if (rate.over !== null) throw rate.over;
    platform.tokens.check(request.headers.access_token);
    const method = METHODS[`${request.method} ${url.pathname}`];
    if (method === undefined) throw new OaFailure(404, 'Empty api', 404);
    const { data, message } = await method({ world: platform.world, params: call.params, files });
    call.ok = true;
    if (message !== undefined) call.message = message;
    return { status: 200, headers, body: { data, error: 0, message: 'Success' } };
  } catch (error) {
    return { headers, ...refuse(call, error) };
  }
}

async function answerBot({ bot }: Platform, { call, botToken, gone }: Asked): Promise<Answered> {
  if (botToken !== bot.token) throw new BotFailure(401, 'Unauthorized');
  const result = await bot.call(call.name, call.params, gone);
  call.ok = true;
  return { status: 200, body: { ok: true, result } };
}

function answerOauth({ tokens }: Platform, call: ZaloCall, request: http.IncomingMessage): Answered {
  if (!request.headers['content-type']?.startsWith('application/x-www-form-urlencoded'))
    throw new OaFailure(-14006, 'Invalid content type');
  const given = tokens.exchange(call.params, request.headers.secret_key);
  call.ok = true;
  return { status: 200, body: given };
}

function refuse(call: ZaloCall, error: unknown): Answered {
  if (error instanceof BotFailure) {
    call.error = error.code;
    return { status: 200, body: { ok: false, error_code: error.code, description: error.words } };
  }
  if (!(error instanceof OaFailure)) throw error;
  const { code, words, http: status } = error;
  call.error = code;
  if (call.api === 'bot') return { status, body: { ok: false, error_code: code, description: words } };
  if (call.api === 'oa') return { status, body: { error: code, message: words } };
  const ref = 'https://developers.zalo.me/docs';
  const body = {
    error: code,
    error_name: words,
    error_description: words,
    error_reason: words,
    ref_doc: ref,
  };
  return { status, body };
}
