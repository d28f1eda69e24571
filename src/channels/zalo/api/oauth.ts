import { createHash, randomBytes } from 'node:crypto';
import { z } from 'zod';
import { WorldError } from '../../../base/errors.js';
import { CONSENT_NEEDED, refusal, ZaloError } from './errors.js';
import { ask, readAs, readJson, under, type Wire } from './http.js';

/** Both tokens of an OA, as OAuth gives them. */
export interface GivenPair {
  accessToken: string;
  refreshToken: string;
  /** how long the access token lives, ms */
  lifetimeMs: number;
}

export interface OauthOptions extends Wire {
  /** `https://oauth.zaloapp.com` */
  root: string;
  appId: string;
  appSecret: string;
}

/** A new PKCE verifier, 43 characters. */
export const makeVerifier = () => randomBytes(32).toString('base64url');

/** Zalo's code_challenge: base64url of SHA-256, without padding. */
export const challengeOf = (verifier: string) => createHash('sha256').update(verifier).digest('base64url');

/** The page on which the OA's administrator consents. */
export function consentUrl(
  { root, appId }: Pick<OauthOptions, 'root' | 'appId'>,
  about: { redirectUri: string; verifier: string; state: string },
): string {
  const url = new URL(under(root, '/v4/oa/permission'));
  url.search = new URLSearchParams({
    app_id: appId,
    redirect_uri: about.redirectUri,
    code_challenge: challengeOf(about.verifier),
    state: about.state,
  }).toString();
  return url.href;
}

/** 25 hours, what Zalo says today; for an answer that does not say it. */
const USUAL_LIFETIME_S = 90_000;
const TOKEN = /^[\x21-\x7e]+$/;

/** A pair that a person pasted, as the API Explorer shows it. @throws WorldError invalid, without showing it */
export function readPasted(accessToken: string, refreshToken: string): GivenPair {
  const [access, refresh] = [accessToken.trim(), refreshToken.trim()];
  if (!TOKEN.test(access) || !TOKEN.test(refresh) || access === refresh)
    throw new WorldError('invalid', 'what was pasted is no pair of tokens');
  return { accessToken: access, refreshToken: refresh, lifetimeMs: USUAL_LIFETIME_S * 1000 };
}

const pairAnswer = z.looseObject({
  access_token: z.string().optional(),
  refresh_token: z.string().min(1),
  /** a text of digits */
  expires_in: z.coerce.number().positive().optional().catch(undefined),
});

/** What can be made out of an answer that broke off: whole fields only. */
function readTorn(text: string): unknown {
  const field = (name: string) => new RegExp(`"${name}"\\s*:\\s*("(?:[^"\\\\]|\\\\.)*")`).exec(text)?.[1];
  const names = ['access_token', 'refresh_token', 'expires_in'];
  return Object.fromEntries(
    names
      .map((name) => [name, field(name)])
      .flatMap(([name, value]) => (value === undefined ? [] : [[name, JSON.parse(value) as unknown]])),
  );
}

/**
 * The pair in an answer, also when the connection broke within it: the refresh token in it may be the only one that
 * is still good. Null when there is none.
 */
export function findPair(text: string): GivenPair | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    try {
      value = readTorn(text);
    } catch {
      return null;
    }
  }
  const read = pairAnswer.safeParse(value);
  if (!read.success) return null;
  const { access_token: accessToken, refresh_token: refreshToken, expires_in: seconds } = read.data;
  // without an access token it is old at once, and is renewed
  if (accessToken === undefined || accessToken === '')
    return { accessToken: '(none)', refreshToken, lifetimeMs: 0 };
  return { accessToken, refreshToken, lifetimeMs: (seconds ?? USUAL_LIFETIME_S) * 1000 };
}

const failure = z.looseObject({
  error: z.coerce.number(),
  error_name: z.string().optional(),
  error_description: z.string().optional(),
});

async function askForPair(
  options: OauthOptions,
  call: string,
  form: Record<string, string>,
  { timeoutMs, signal }: { timeoutMs?: number; signal?: AbortSignal },
): Promise<GivenPair> {
  let arrived = '';
  try {
    const answer = await ask(
      options,
      {
        call,
        url: under(options.root, '/v4/oa/access_token'),
        headers: { secret_key: options.appSecret },
        body: new URLSearchParams({ ...form, app_id: options.appId }),
        timeoutMs,
        signal,
      },
      (soFar) => {
        arrived = soFar;
      },
    );
    const pair = findPair(answer.text);
    if (pair !== null) return pair;
    if (answer.status >= 500)
      throw new WorldError('unreachable', `Zalo answered ${call} with HTTP ${answer.status}`);
    const { error, error_name, error_description } = readAs(call, failure, readJson(call, answer));
    throw refusal('oauth', call, error, error_description ?? error_name ?? '');
  } catch (error) {
    const pair = error instanceof ZaloError ? null : findPair(arrived);
    if (pair !== null) return pair;
    throw error;
  }
}

/** The code of a consent (10 minutes, single use) for a pair. @throws ZaloError, WorldError */
export const exchangeCode = (
  options: OauthOptions,
  about: { code: string; verifier: string },
  limits: { timeoutMs?: number; signal?: AbortSignal } = {},
) =>
  askForPair(
    options,
    'the exchange of a consent',
    { code: about.code, grant_type: 'authorization_code', code_verifier: about.verifier },
    limits,
  );

/**
 * Do the app's id and its secret fit? Asked with a refresh token that is none: an app that Zalo lets in is told so
 * (-14020) [?], and nothing is used up. Resolves when they fit.
 * @throws ZaloError what is wrong instead; any other WorldError: nobody answered
 */
export async function tryApp(
  options: OauthOptions,
  limits: { timeoutMs?: number; signal?: AbortSignal } = {},
): Promise<void> {
  try {
    await refreshPair(options, makeVerifier(), limits);
  } catch (error) {
    if (!(error instanceof ZaloError) || error.code !== CONSENT_NEEDED) throw error;
  }
}

/**
 * A refresh token (single use) for a new pair. For the token keeper alone: whoever else calls it burns the token.
 * @throws ZaloError when Zalo refuses; any other WorldError: it is not known whether the token is used up
 */
export const refreshPair = (
  options: OauthOptions,
  refreshToken: string,
  limits: { timeoutMs?: number; signal?: AbortSignal } = {},
) =>
  askForPair(
    options,
    'the refresh of a token',
    { refresh_token: refreshToken, grant_type: 'refresh_token' },
    limits,
  );
