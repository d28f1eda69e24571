import { Worker } from 'node:worker_threads';
import { z } from 'zod';
import { isPrivateAddress } from '../../src/base/subnets.js';
import type { OnvifDescription, OnvifLogin, OnvifProfile } from '../types.js';
import { askEndpoint } from './endpoint.js';
import { readMac } from './identity.js';
import { shortText } from './xml.js';

export interface DescribeLimits {
  /** everything together, ms */
  limitMs: number;
  /** bytes of all its answers together */
  mostBytes: number;
}

const LIMITS: DescribeLimits = { limitMs: 12_000, mostBytes: 4_000_000 };
/** A recorder of 32 channels has two or three a channel. */
const MOST_PROFILES = 100;

interface Order extends Required<OnvifLogin> {
  /** this module: packages are found from here */
  from: string;
  mostBytes: number;
  mostProfiles: number;
}

const text = z.unknown().transform(shortText);
const figure = z.unknown().transform((value) => {
  const number = Number(value);
  return value !== null && value !== '' && Number.isFinite(number) && number > 0 && number < 1e9
    ? number
    : null;
});
const link = z.unknown().transform((value) => String(value ?? '').slice(0, 1000));

/** What the worker brings back; nothing in it is believed. */
const answer = z.union([
  z.object({ fault: z.enum(['unreachable', 'refused', 'not-onvif']), detail: text }),
  z.object({
    offsetMs: z.number().nullable(),
    device: z.object({ make: text, model: text, serial: text }),
    macs: z.array(z.unknown()).max(50),
    profiles: z
      .array(
        z.object({
          ...{ name: text, source: text, codec: text, rtsp: link, snapshot: link },
          ...{ width: figure, height: figure, fps: figure, kbps: figure },
        }),
      )
      .max(MOST_PROFILES),
  }),
]);
type Answer = z.output<typeof answer>;

/**
 * The worker's whole program: asks the device with the `onvif` package. It runs from its text, apart from everything,
 * so that neither endless XML nor an error thrown in a callback of the package reaches the recorder. It speaks to the
 * one host and port it is given, whatever addresses stand in answers, and ends at the first refused login, since
 * cameras lock out who keeps trying.
 */
async function work(): Promise<void> {
  const { createRequire } = require('node:module') as typeof import('node:module');
  const { parentPort, workerData } = require('node:worker_threads') as typeof import('node:worker_threads');
  const http = require('node:http') as typeof import('node:http');
  const net = require('node:net') as typeof import('node:net');
  const order = workerData as Order;
  const { Cam } = createRequire(order.from)('onvif') as { Cam: new (options: object) => object };

  let bytes = 0;
  class OneHost extends http.Agent {
    override createConnection() {
      const socket = net.connect({ host: order.host, port: order.port });
      socket.on('data', (piece: Buffer) => {
        bytes += piece.length;
        if (bytes > order.mostBytes) socket.destroy(new Error('its answers are too long'));
      });
      return socket;
    }
  }
  // biome-ignore lint/suspicious/noExplicitAny: what a device answers has no type
  const camera: any = new Cam({
    hostname: order.host,
    port: order.port,
    username: order.user,
    password: order.password,
    autoconnect: false,
    preserveAddress: true,
    timeout: 4000,
    agent: new OneHost({ keepAlive: false }),
  });
  // biome-ignore lint/suspicious/noExplicitAny: see above
  const call = (name: string, ...given: unknown[]): Promise<any> =>
    new Promise((resolve, reject) => {
      camera[name](...given, (error: Error | null, data: unknown) => (error ? reject(error) : resolve(data)));
    });
  const REFUSED = /not ?authori[sz]ed|unauthori[sz]ed|digest auth|authority|\b401\b|\b403\b|locked/i;
  const AWAY = /ECONN|EHOST|ENET|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|EPIPE|timeout|hang up/i;
  const refused = (error: unknown) => REFUSED.test(String((error as Error)?.message));
  /** nothing, unless the login was refused */
  const orNothing = (error: unknown) => {
    if (refused(error)) throw error;
    return null;
  };

  try {
    const clock: unknown = await call('getSystemDateAndTime').catch(orNothing);
    const offsetMs =
      clock instanceof Date && !Number.isNaN(clock.getTime()) ? clock.getTime() - Date.now() : null;
    if ((await call('getServices', false).catch(orNothing)) === null) await call('getCapabilities');
    const device = await call('getDeviceInformation');
    const cards = await call('getNetworkInterfaces').catch(() => []);
    let profiles = await call('getProfiles').catch(orNothing);
    if (profiles === null && camera.media2Support) {
      // some devices promise the newer service and don't have it
      camera.media2Support = false;
      profiles = await call('getProfiles');
    }
    const found: unknown[] = [];
    for (const profile of (Array.isArray(profiles) ? profiles : []).slice(0, order.mostProfiles)) {
      const profileToken = profile?.$?.token;
      const encoder = profile?.videoEncoderConfiguration;
      if (typeof profileToken !== 'string' && typeof profileToken !== 'number') continue;
      if (!encoder || /[<>&]/.test(String(profileToken))) continue;
      const stream = await call('getStreamUri', { protocol: 'RTSP', profileToken }).catch(() => null);
      if (!stream?.uri) continue;
      const snapshot = await call('getSnapshotUri', { profileToken }).catch(() => null);
      found.push({
        name: profile.name,
        source: profile.videoSourceConfiguration?.sourceToken,
        codec: encoder.encoding,
        width: encoder.resolution?.width,
        height: encoder.resolution?.height,
        fps: encoder.rateControl?.frameRateLimit,
        kbps: encoder.rateControl?.bitrateLimit,
        rtsp: stream.uri,
        snapshot: snapshot?.uri,
      });
    }
    parentPort!.postMessage({
      offsetMs,
      device: { make: device?.manufacturer, model: device?.model, serial: device?.serialNumber },
      macs: (Array.isArray(cards) ? cards : []).map((card) => card?.info?.hwAddress).slice(0, 50),
      profiles: found,
    });
  } catch (error) {
    const said = String((error as Error)?.message ?? error);
    const fault = refused(error) ? 'refused' : AWAY.test(said) ? 'unreachable' : 'not-onvif';
    parentPort!.postMessage({ fault, detail: said.slice(0, 200) });
  }
}

/** Runs the worker to its answer or its limit; a worker that hangs, runs out of memory or dies is "not-onvif". */
function ask(order: Order, limitMs: number, signal?: AbortSignal): Promise<Answer> {
  const worker = new Worker(`(${work})()`, {
    ...{ eval: true, execArgv: [], env: {}, stdout: true, stderr: true, workerData: order },
    resourceLimits: { maxOldGenerationSizeMb: 96, maxYoungGenerationSizeMb: 16 },
  });
  return new Promise<Answer>((resolve) => {
    const fault = (cause: 'unreachable' | 'not-onvif', detail: string) => {
      resolve({ fault: cause, detail });
      void worker.terminate();
    };
    const limit = setTimeout(() => fault('unreachable', 'it did not finish its answers in time'), limitMs);
    const gone = () => fault('unreachable', 'nobody waits for the answer any more');
    signal?.addEventListener('abort', gone, { once: true });
    worker.once('message', (message: unknown) => {
      const read = answer.safeParse(message);
      if (read.success) resolve(read.data);
      fault('not-onvif', 'it answers something unknown');
    });
    worker.once('error', () => fault('not-onvif', 'it answers something unknown'));
    worker.once('exit', () => {
      clearTimeout(limit);
      signal?.removeEventListener('abort', gone);
      fault('not-onvif', 'it answers something unknown');
    });
  });
}

/**
 * An address out of an answer, as it may be used: at the host that was asked, without login. Null for one of another
 * kind, or of a host that is neither the one asked nor a private one (behind NAT a device knows only its inner one).
 */
export function addressAt(host: string, given: string, schemes: readonly string[]): string | null {
  if (!URL.canParse(given)) return null;
  const url = new URL(given);
  const scheme = url.protocol.slice(0, -1);
  const bare = (name: string) => name.replace(/^\[|\]$/g, '').toLowerCase();
  if (!schemes.includes(scheme)) return null;
  if (bare(url.hostname) !== bare(host) && !isPrivateAddress(url.hostname) && url.hostname !== '0.0.0.0')
    return null;
  const port = url.port === '' ? '' : `:${url.port}`;
  const named = bare(host).includes(':') ? `[${bare(host)}]` : host;
  const path = `${url.pathname}${url.search}`;
  return /[\s'"\p{Cc}]/u.test(path) ? null : `${scheme}://${named}${port}${path}`;
}

const pixels = ({ width, height }: OnvifProfile) => (width ?? 0) * (height ?? 0);

/**
 * Asks an ONVIF device for its identity, its streams and its clock. The login goes out as a digest only, and is kept
 * nowhere. Never throws; bounded in time (12 s) and size (4 MB).
 */
export async function describeDevice(
  login: OnvifLogin,
  { limits = LIMITS, signal }: { limits?: DescribeLimits; signal?: AbortSignal } = {},
): Promise<OnvifDescription> {
  const { host, port = 80, user, password } = login;
  const { limitMs, mostBytes } = limits;
  const order = {
    ...{ host, port, user, password, mostBytes },
    from: import.meta.url,
    mostProfiles: MOST_PROFILES,
  };
  const [said, endpoint] = await Promise.all([
    ask(order, limitMs, signal),
    askEndpoint(host, port, Math.min(4000, limitMs)),
  ]);
  if ('fault' in said) {
    const hidden = password.length >= 4 ? (said.detail ?? '').replaceAll(password, '…') : (said.detail ?? '');
    return { ok: false, cause: said.fault, detail: hidden };
  }
  const profiles = said.profiles.flatMap((one, i): OnvifProfile[] => {
    const rtspUrl = addressAt(host, one.rtsp, ['rtsp', 'rtsps']);
    if (rtspUrl === null) return [];
    const { source, codec, width, height, fps, kbps } = one;
    return [
      {
        ...{
          name: one.name ?? `Profile ${i + 1}`,
          source,
          codec,
          width,
          height,
          fps,
          bitrateKbps: kbps,
          rtspUrl,
        },
        snapshotUrl: addressAt(host, one.snapshot, ['http', 'https']),
      },
    ];
  });
  profiles.sort(
    (a, b) =>
      (a.source ?? '').localeCompare(b.source ?? '', 'en', { numeric: true }) || pixels(b) - pixels(a),
  );
  const mac = said.macs.map(readMac).find((one) => one !== null) ?? null;
  return {
    ok: true,
    identity: { ...said.device, mac, endpoint, onvifPort: port },
    profiles,
    timeOffsetS: said.offsetMs === null ? null : Math.round(said.offsetMs / 1000),
  };
}
