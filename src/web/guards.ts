import { isIPv4 } from 'node:net';
import type { NextFunction, Request, Response } from 'express';

/** This machine itself, as an address or name; "127.evil.example" is none. */
const isLoopback = (name: string): boolean =>
  name === 'localhost' || name === '::1' || (isIPv4(name) && name.startsWith('127.'));

/** The name in a Host header, without its port: "[::1]:8600" → "::1". Null when it is no host. */
export function hostName(header: string | undefined): string | null {
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9.-]+))(?::\d{1,5})?$/i.exec(header ?? '');
  return match ? (match[1] ?? match[2]!).toLowerCase() : null;
}

/** The name in PUBLIC_URL, as a Host header says it. */
export const publicName = (publicUrl: string | null): string | null =>
  publicUrl === null ? null : new URL(publicUrl).hostname.replace(/^\[|\]$/g, '');

/**
 * Bound to loopback, only names of loopback (and of PUBLIC_URL, whose proxy stands before us) are answered: a page of
 * somebody else's whose name was pointed at 127.0.0.1 gets nothing.
 */
export function checkHost(boundTo: string, publicUrl: string | null) {
  const publicHost = publicName(publicUrl);
  return (request: Request, response: Response, next: NextFunction) => {
    const name = hostName(request.headers.host);
    const known = name !== null && (isLoopback(name) || name === publicHost);
    if (isLoopback(boundTo) ? known : name !== null) return next();
    response.status(421).type('text').send('Địa chỉ này không thuộc về máy chủ này.');
  };
}

/** Every request that changes something must say that it comes from a page of ours. */
export function checkOrigin(publicUrl: string | null) {
  const publicOrigin = publicUrl === null ? null : new URL(publicUrl).origin;
  return (request: Request, response: Response, next: NextFunction) => {
    if (request.method === 'GET' || request.method === 'HEAD') return next();
    const { origin, host } = request.headers;
    const own = host !== undefined && (origin === `http://${host}` || origin === `https://${host}`);
    const site = request.headers['sec-fetch-site'];
    const sameSite = site === undefined || site === 'same-origin';
    if (origin !== undefined && sameSite && (own || origin === publicOrigin)) return next();
    response.status(403).type('text').send('Yêu cầu này không đến từ trang của Mắt Thần.');
  };
}

/** What proxies and tunnels add. Anybody may write them: they only ever take rights away. */
const FORWARDED = [
  ...['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-real-ip'],
  ...['cf-connecting-ip', 'true-client-ip', 'via'],
];
/**
 * For rate limits: without TRUST_PROXY a forwarding header is a stranger's word that is not listened to, and no reason
 * to complain in the log.
 */
export const NOT_FORWARDED = { xForwardedForHeader: false, forwardedHeader: false } as const;

const isForwarded = (request: Request) => FORWARDED.some((name) => request.headers[name] !== undefined);

/** Comes straight from this machine under a name of its own, through no proxy. */
export const isLocal = (request: Request): boolean =>
  isLoopback((request.socket.remoteAddress ?? '').replace(/^::ffff:/, '')) &&
  isLoopback(hostName(request.headers.host) ?? '') &&
  !isForwarded(request);

/** Lets nothing further that comes by the public name or through a proxy. */
export function keepInside(publicUrl: string | null) {
  const publicHost = publicName(publicUrl);
  return (request: Request, _response: Response, next: NextFunction) => {
    const outside =
      publicHost !== null && (hostName(request.headers.host) === publicHost || isForwarded(request));
    next(outside ? 'router' : undefined);
  };
}

/** The value of a cookie, or null. */
export function cookie(request: Request, name: string): string | null {
  for (const part of (request.headers.cookie ?? '').split(';')) {
    const at = part.indexOf('=');
    if (at > 0 && part.slice(0, at).trim() === name) return part.slice(at + 1).trim();
  }
  return null;
}
