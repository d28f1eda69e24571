/** Basic and digest login as cameras ask for it (RFC 2617 without qop, which is what most of them speak). */
import { createHash } from 'node:crypto';

export interface Login {
  user: string;
  password: string;
  /** digest when not said */
  scheme?: 'basic' | 'digest';
}

const REALM = 'IP Camera';
const md5 = (text: string) => createHash('md5').update(text).digest('hex');

/** The WWW-Authenticate header of a 401. */
export function challenge(login: Login, nonce: string): string {
  return login.scheme === 'basic' ? `Basic realm="${REALM}"` : `Digest realm="${REALM}", nonce="${nonce}"`;
}

/** Does the Authorization header of a request prove this login? */
export function admits(login: Login, nonce: string, method: string, header: string | undefined): boolean {
  if (header === undefined) return false;
  if (login.scheme === 'basic') {
    return header === `Basic ${Buffer.from(`${login.user}:${login.password}`).toString('base64')}`;
  }
  const said = Object.fromEntries(
    [...header.matchAll(/(\w+)="([^"]*)"/g)].map((match) => [match[1], match[2]]),
  );
  const secret = md5(`${login.user}:${REALM}:${login.password}`);
  const expected = md5(`${secret}:${nonce}:${md5(`${method}:${said.uri}`)}`);
  return said.username === login.user && said.nonce === nonce && said.response === expected;
}
