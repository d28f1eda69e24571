import { createWriteStream } from 'node:fs';
import fs from 'node:fs/promises';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { WorldError } from '../../../base/errors.js';
import type { Wire } from '../api/http.js';

/** A download may take so long; a stalled one ends sooner by its server. */
const DOWNLOAD_MS = 120_000;
const TRIES = 3;
const PAUSE_MS = 500;

export interface MediaOptions extends Wire {
  /** names of hosts whose names below count too ("zdn.vn"), or whole origins ("http://127.0.0.1:9000") */
  hosts: readonly string[];
}

/**
 * The address to load from, by https; null when its host is none of the platform's own. So no address in a message can
 * make us ask a machine on our own net.
 */
export function mediaAddress(given: string, hosts: readonly string[]): string | null {
  let url: URL;
  try {
    url = new URL(given);
  } catch {
    return null;
  }
  if (hosts.includes(url.origin)) return url.href;
  if (!['http:', 'https:'].includes(url.protocol) || url.username !== '' || url.password !== '') return null;
  if (url.port !== '' && !['80', '443'].includes(url.port)) return null;
  const name = url.hostname.toLowerCase().replace(/\.$/, '');
  if (!hosts.some((host) => name === host || name.endsWith(`.${host}`))) return null;
  url.protocol = 'https:';
  url.port = '';
  return url.href;
}

/** Ends a stream that is longer than allowed. */
function capped(maxBytes: number): Transform {
  let bytes = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      if (bytes > maxBytes) done(new WorldError('too-big', `the file has more than ${maxBytes} bytes`));
      else done(null, chunk);
    },
  });
}

async function load(
  url: string,
  path: string,
  maxBytes: number,
  wire: Wire,
  signal: AbortSignal,
): Promise<void> {
  const response = await (wire.fetch ?? fetch)(url, {
    // a redirect could lead anywhere
    redirect: 'error',
    signal: AbortSignal.any([signal, AbortSignal.timeout(DOWNLOAD_MS)]),
  });
  if (response.status === 404 || response.status === 403 || response.status === 410) {
    await response.body?.cancel();
    throw new WorldError('not-found', 'Zalo no longer has the file');
  }
  if (!response.ok || response.body === null) {
    await response.body?.cancel();
    throw new WorldError('unreachable', `Zalo's file server answered HTTP ${response.status}`);
  }
  if (Number(response.headers.get('content-length') ?? 0) > maxBytes) {
    await response.body.cancel();
    throw new WorldError('too-big', `the file has more than ${maxBytes} bytes`);
  }
  await pipeline(Readable.fromWeb(response.body as never), capped(maxBytes), createWriteStream(path));
}

/**
 * Loads a file somebody sent into `path`; tried again where the network failed, until the signal aborts.
 * @throws WorldError too-big, not-found (its address has died, or is none of Zalo's), unreachable, cancelled
 */
export async function fetchMedia(
  given: string,
  path: string,
  maxBytes: number,
  { hosts, ...wire }: MediaOptions,
  signal: AbortSignal,
): Promise<{ sizeBytes: number }> {
  const url = mediaAddress(given, hosts);
  if (url === null) throw new WorldError('not-found', "the file lies on a host that is none of Zalo's");
  for (let tries = 1; ; tries += 1)
    try {
      await load(url, path, maxBytes, wire, signal);
      return { sizeBytes: (await fs.stat(path)).size };
    } catch (error) {
      await fs.rm(path, { force: true });
      if (signal.aborted) throw new WorldError('cancelled', 'loading a file was given up');
      const known = error instanceof WorldError ? error : null;
      if (known !== null && known.kind !== 'unreachable') throw known;
      // the words of the error may carry the address
      const failed = known ?? new WorldError('unreachable', "a file could not be loaded from Zalo's server");
      if (tries >= TRIES) throw failed;
      await pause(PAUSE_MS * tries, undefined, { signal }).catch(() => {});
    }
}
