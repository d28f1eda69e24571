import type { Ffmpeg } from '../src/base/ffmpeg.js';
import type { StreamInit } from './fragment.js';
import { type Address, AddressError, parseAddress } from './source/address.js';
import { FfmpegSource } from './source/ffmpeg.js';
import type { LoginGuard } from './source/login-guard.js';
import type { ProbeResult } from './types.js';

const PROBE_MS = 20_000;

/**
 * Tries an address until its first pictures are here, or it is clear why they don't come.
 * @param guard keeps many tries from locking a camera out; default: none, since a person tries this one address
 */
export async function probe(
  ffmpeg: Ffmpeg,
  { url, transport = 'tcp' }: { url: string; transport?: 'tcp' | 'udp' | undefined },
  signal?: AbortSignal,
  guard?: LoginGuard,
): Promise<ProbeResult> {
  let address: Address;
  try {
    address = parseAddress(url);
  } catch (error) {
    if (!(error instanceof AddressError)) throw error;
    return { ok: false, cause: 'bad-address', detail: error.message };
  }
  const enough = new AbortController();
  let init: StreamInit | null = null;
  let seen = false;
  const source = new FfmpegSource({
    ...{ ffmpeg, address, transport, audio: false, name: 'test' },
    ...(guard && { guard }),
  });
  const limits = [enough.signal, AbortSignal.timeout(PROBE_MS), ...(signal ? [signal] : [])];
  const end = await source.run(
    {
      init(found) {
        init = found;
      },
      fragment(fragment) {
        if (fragment.samples === 0) return;
        seen = true;
        enough.abort();
      },
    },
    AbortSignal.any(limits),
  );
  if (seen && init !== null) {
    const { codec, width, height } = init as StreamInit;
    return { ok: true, codec, width, height };
  }
  const words = ['unreachable', 'refused', 'not-found', 'not-video', 'silent'] as const;
  const cause = words.find((one) => one === end.cause) ?? 'unreachable';
  return { ok: false, cause, detail: end.detail };
}
