import { isIP } from 'node:net';
import { redact } from '../../src/base/log.js';

export type Address =
  | { kind: 'rtsp'; url: string; secrets: string[]; shown: string }
  | { kind: 'test'; scene: Scene; shown: string };

export const SCENES = ['street', 'school', 'bridge', 'yard'] as const;
export type Scene = (typeof SCENES)[number];

/** Thrown for an address that can't be one; the message never repeats it. */
export class AddressError extends Error {
  override name = 'AddressError';
}

const plain = (text: string) => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};

/**
 * Reads `rtsp://`, `rtsps://` or `test:<scene>`. A password with raw `@ # / ?` in it is taken as it was typed and
 * encoded. `shown` has neither user nor password; `secrets` are what must never be printed.
 */
export function parseAddress(given: string): Address {
  const text = given.trim();
  const test = /^test:([a-z]+)$/.exec(text);
  if (test) {
    const scene = SCENES.find((name) => name === test[1]);
    if (scene === undefined)
      throw new AddressError(`test: has no such picture; there are ${SCENES.join(', ')}`);
    return { kind: 'test', scene, shown: text };
  }
  const match =
    /^(rtsps?):\/\/(?:(.*)@)?((?:[^\s:/?#@[\]]+|\[[0-9a-f:.]+\])(?::(\d{1,5}))?)([/?]\S*)?$/i.exec(text);
  if (!match) throw new AddressError('an address begins with rtsp://, rtsps:// or test: and names a host');
  const [, scheme, login, host, port, path = '/'] = match;
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65535))
    throw new AddressError('a port is between 1 and 65535');
  if (hasControl(text)) throw new AddressError('an address has no control characters');
  const secrets: string[] = [];
  let encoded = '';
  if (login !== undefined) {
    const colon = login.indexOf(':');
    const user = colon < 0 ? login : login.slice(0, colon);
    const password = colon < 0 ? null : login.slice(colon + 1);
    encoded = encodeURIComponent(plain(user));
    if (password !== null) {
      const safe = encodeURIComponent(plain(password));
      encoded += `:${safe}`;
      secrets.push(password, plain(password), safe);
    }
    encoded += '@';
  }
  const query = /((?:pass(?:word|wd)?|pwd|token)=)([^&_/\s]*)/gi;
  for (const found of path.matchAll(query)) secrets.push(found[2]!, plain(found[2]!));
  const shownPath = path.replace(/((?:user(?:name)?|pass(?:word|wd)?|pwd|token)=)[^&_/\s]*/gi, '$1…');
  const base = scheme!.toLowerCase();
  return {
    kind: 'rtsp',
    url: `${base}://${encoded}${host}${path}`,
    secrets: [...new Set(secrets)].filter((secret) => secret.length > 0),
    shown: `${base}://${host}${shownPath}`,
  };
}

const hasControl = (text: string) => [...text].some((char) => char < ' ' || char === '\u007f');

const HOST = /^(rtsps?:\/\/(?:[^@/]*@)?)([^\s:/?#@[\]]+|\[[0-9a-f:.]+\])/i;

/** The host's name; null where there is no name to resolve. */
export function hostName(address: Address): string | null {
  const host = address.kind === 'rtsp' ? HOST.exec(address.url)?.[2] : undefined;
  return host === undefined || host.startsWith('[') || isIP(host) !== 0 ? null : host;
}

/** Where an RTSP address leads, and the login in it, decoded; null for a test picture or no address. */
export function partsOf(
  given: string,
): { host: string; port: number; user: string; password: string } | null {
  try {
    const address = parseAddress(given);
    if (address.kind !== 'rtsp') return null;
    const url = new URL(address.url.replace(/^rtsps?/, 'http'));
    // "http" takes its own port away, and 80 is none of RTSP's
    const said = /:(\d+)$/.exec(address.url.split('/')[2] ?? '')?.[1];
    const port = Number(said ?? (address.url.startsWith('rtsps') ? 322 : 554));
    return { host: url.hostname, port, user: plain(url.username), password: plain(url.password) };
  } catch {
    return null;
  }
}

/** The same address by number. */
export function atHost(address: Address, ip: string): Address {
  if (address.kind !== 'rtsp') return address;
  const host = isIP(ip) === 6 ? `[${ip}]` : ip;
  return { ...address, url: address.url.replace(HOST, (_all, before: string) => `${before}${host}`) };
}

/** The address without user and password; of a text that is no address nothing. */
export function shownAddress(url: string): string {
  try {
    return parseAddress(url).shown;
  } catch {
    return '';
  }
}

/** Text of ffmpeg without this address's secrets. */
export function withoutSecrets(text: string, address: Address): string {
  let safe = text;
  if (address.kind === 'rtsp') {
    safe = safe.replaceAll(address.url, address.shown);
    // A very short password would take letters out of ordinary words: then only addresses are cleaned.
    for (const secret of address.secrets) if (secret.length >= 4) safe = safe.replaceAll(secret, '…');
  }
  return redact(safe);
}
