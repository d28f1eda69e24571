import { createHash, randomBytes } from 'node:crypto';
import { OaFailure } from './types.js';

const REFRESH_MS = 90 * 86_400_000;
const CODE_MS = 600_000;

interface Code {
  challenge: string;
  madeMs: number;
}

/** The tokens of one OA: a refresh token serves once, and everything dies by the clock. */
export class Tokens {
  accessToken = '';
  refreshToken = '';
  /** pairs given until now */
  given = 0;
  /** what happens to the access token before, when a new one is given; the facts don't say */
  oldAccessDies = true;
  lifetimeS = 90_000;
  active = true;
  private accessFromMs = 0;
  private refreshFromMs = 0;
  private readonly known = new Map<string, number>();
  private readonly codes = new Map<string, Code>();

  constructor(
    readonly app: { appId: string; appSecret: string; callback: string },
    private readonly now: () => number,
  ) {
    this.give();
  }

  /** A new pair, as after a consent or from the API Explorer. */
  give(): { accessToken: string; refreshToken: string } {
    if (this.oldAccessDies) this.known.clear();
    this.given += 1;
    this.accessToken = `at-${this.given}-${randomBytes(90).toString('base64url')}`;
    this.refreshToken = `rt-${this.given}-${randomBytes(90).toString('base64url')}`;
    this.accessFromMs = this.refreshFromMs = this.now();
    this.known.set(this.accessToken, this.accessFromMs);
    return { accessToken: this.accessToken, refreshToken: this.refreshToken };
  }

  /** Ends every access token. */
  expireAccess() {
    for (const token of this.known.keys()) this.known.set(token, Number.NEGATIVE_INFINITY);
  }

  check(token: unknown): void {
    const from = typeof token === 'string' ? this.known.get(token) : undefined;
    if (from === undefined) throw new OaFailure(-216, 'Access token is invalid');
    if (this.now() - from >= this.lifetimeS * 1000) throw new OaFailure(-220, 'Access token has expired');
  }

  /** The administrator consents on the page. @returns the address of the callback with the code */
  consent(query: URLSearchParams): string {
    if (query.get('app_id') !== this.app.appId) throw new OaFailure(-14001, 'Invalid app id');
    if (!this.active) throw new OaFailure(-14002, 'App is inactive');
    const redirect = query.get('redirect_uri');
    if (redirect !== this.app.callback) throw new OaFailure(-14003, 'Invalid redirect uri');
    const challenge = query.get('code_challenge') ?? '';
    if (challenge.length !== 43) throw new OaFailure(-14010, 'Invalid code challenge');
    const code = randomBytes(24).toString('base64url');
    this.codes.set(code, { challenge, madeMs: this.now() });
    const url = new URL(redirect);
    url.searchParams.set('code', code);
    url.searchParams.set('state', query.get('state') ?? '');
    return url.href;
  }

  /** The token endpoint. */
  exchange(form: Record<string, unknown>, secret: unknown): Record<string, string> {
    if (secret !== this.app.appSecret) throw new OaFailure(-14004, 'Invalid secret key');
    if (form.app_id !== this.app.appId) throw new OaFailure(-14001, 'Invalid app id');
    if (!this.active) throw new OaFailure(-14002, 'App is inactive');
    if (form.grant_type === 'refresh_token') this.takeRefresh(form.refresh_token);
    else if (form.grant_type === 'authorization_code') this.takeCode(form.code, form.code_verifier);
    else throw new OaFailure(-14005, 'Invalid grant type');
    const { accessToken, refreshToken } = this.give();
    return { access_token: accessToken, refresh_token: refreshToken, expires_in: String(this.lifetimeS) };
  }

  private takeRefresh(token: unknown) {
    if (token !== this.refreshToken || this.now() - this.refreshFromMs > REFRESH_MS)
      throw new OaFailure(-14020, 'Invalid refresh token');
  }

  private takeCode(code: unknown, verifier: unknown) {
    const found = this.codes.get(String(code));
    this.codes.delete(String(code));
    if (found === undefined || this.now() - found.madeMs > CODE_MS)
      throw new OaFailure(-14011, 'Invalid authorization code');
    if (createHash('sha256').update(String(verifier)).digest('base64url') !== found.challenge)
      throw new OaFailure(-14012, 'Invalid code verifier');
  }
}
