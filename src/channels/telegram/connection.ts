import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { Api } from 'grammy';
import { HttpsProxyAgent } from 'https-proxy-agent';
import { SocksProxyAgent } from 'socks-proxy-agent';
import { isLoopback } from '../../base/config.js';
import { WorldError } from '../../base/errors.js';
import { toWorldError } from './errors.js';

export const PUBLIC_API_ROOT = 'https://api.telegram.org';

const CALL_MS = 30_000;
const SILENCE_MS = 30_000;
/** An upload may be this slow before it is given up: 32 kB/s. */
const SLOWEST_UPLOAD = 32_000;

export interface ConnectionOptions {
  token: string;
  apiRoot: string;
  /** http://, https://, socks4:// or socks5:// */
  proxy?: string | null;
}

/** The Bot API over HTTP: addresses, proxy, time limits, errors in our kinds. */
export interface Connection {
  readonly api: Api;
  /**
   * One call. @param limits timeout in ms, and a signal that ends it early
   * @throws WorldError; GrammyError is seen by `keep` first
   */
  call<T>(
    method: string,
    run: (api: Api, signal: ApiSignal) => Promise<T>,
    limits?: { timeoutMs?: number; signal?: AbortSignal },
  ): Promise<T>;
  /** Loads a file by the path that getFile told. @throws WorldError too-big, not-found, unreachable */
  download(filePath: string, target: string, maxBytes: number, signal: AbortSignal): Promise<number>;
  close(): void;
}

/** grammY types its signals by another package than Node's. */
export type ApiSignal = Parameters<Api['getMe']>[0];

/** @param sizeBytes of all files together */
export const uploadMs = (sizeBytes: number) => CALL_MS + Math.ceil((sizeBytes / SLOWEST_UPLOAD) * 1000);

/** @throws WorldError invalid for a proxy of another kind */
export function makeAgent(apiRoot: string, proxy: string | null | undefined): http.Agent {
  const options = { keepAlive: true };
  if (proxy !== null && proxy !== undefined && proxy !== '') {
    if (/^socks/i.test(proxy)) return new SocksProxyAgent(proxy, options);
    if (/^https?:/i.test(proxy)) return new HttpsProxyAgent(proxy, options);
    throw new WorldError('invalid', 'TELEGRAM_PROXY must begin with http://, https:// or socks5://');
  }
  return apiRoot.startsWith('https:') ? new https.Agent(options) : new http.Agent(options);
}

export function makeConnection({ token, apiRoot, proxy }: ConnectionOptions): Connection {
  const root = apiRoot.replace(/\/+$/, '');
  const onThisMachine = isLoopback(new URL(root).hostname.replace(/^\[|\]$/g, ''));
  const agent = makeAgent(root, proxy);
  const api = new Api(token, {
    apiRoot: root,
    // our own limits are shorter; this one only guards against a forgotten one
    timeoutSeconds: 3600,
    baseFetchConfig: { agent, compress: true } as Record<string, unknown>,
  });

  /** Asks for a file; resolves with the response, or with our kind of error. */
  const request = (address: string, signal: AbortSignal) =>
    new Promise<http.IncomingMessage>((resolve, reject) => {
      const get = address.startsWith('https:') ? https.get : http.get;
      const asked = get(address, { agent, timeout: SILENCE_MS, signal }, resolve);
      asked.on('timeout', () => asked.destroy(Object.assign(new Error('silent'), { code: 'ETIMEDOUT' })));
      asked.on('error', reject);
    });

  return {
    api,
    async call(method, run, { timeoutMs = CALL_MS, signal } = {}) {
      const timeout = AbortSignal.timeout(timeoutMs);
      const ends = signal === undefined ? timeout : AbortSignal.any([timeout, signal]);
      try {
        return await run(api, ends as unknown as ApiSignal);
      } catch (error) {
        throw toWorldError(method, error);
      }
    },
    async download(filePath, target, maxBytes, signal) {
      try {
        if (onThisMachine && path.isAbsolute(filePath)) {
          // an own Bot API server with --local names a file on this disk; a relay elsewhere has none to name
          const { size } = await fs.promises.stat(filePath);
          if (size > maxBytes) throw new WorldError('too-big', `the file has ${size} bytes`);
          await fs.promises.copyFile(filePath, target);
          return size;
        }
        const response = await request(`${root}/file/bot${token}/${encodeURI(filePath)}`, signal);
        if (response.statusCode !== 200) {
          response.destroy();
          const kind =
            response.statusCode === 404 || response.statusCode === 400 ? 'not-found' : 'unreachable';
          throw new WorldError(kind, `Telegram answered ${response.statusCode} to a file`);
        }
        let sizeBytes = 0;
        await pipeline(
          response,
          async function* (parts: AsyncIterable<Buffer>) {
            for await (const part of parts) {
              sizeBytes += part.length;
              if (sizeBytes > maxBytes)
                throw new WorldError('too-big', `the file has more than ${maxBytes} bytes`);
              yield part;
            }
          },
          fs.createWriteStream(target),
          { signal },
        );
        return sizeBytes;
      } catch (error) {
        await fs.promises.rm(target, { force: true });
        if (signal.aborted) throw new WorldError('cancelled', 'loading a file was given up');
        throw toWorldError('a file', error);
      }
    },
    close: () => agent.destroy(),
  };
}
