import { hostsOf, type Subnet } from '../../src/base/subnets.js';
import type { FoundDevice } from '../types.js';
import { type DiscoveryOptions, discover } from './discovery.js';
import { opens } from './endpoint.js';
import { neighbours } from './identity.js';
import { sweep } from './sweep.js';

const RTSP_PORT = 554;
/** What is not looked at after this is left out, ms. */
const SWEEP_MS = 8000;

export interface DevicesOptions {
  subnets: readonly Subnet[];
  /** ids of recorded cameras by their address */
  recorded: ReadonlyMap<string, string[]>;
  discovery?: Pick<DiscoveryOptions, 'targets' | 'waitMs'>;
  /** default: a TCP connection */
  opens?: typeof opens;
}

/**
 * Devices on the own nets: who answers WS-Discovery, and who only listens on RTSP's port. Needs no password and sends
 * none. ONVIF first, then by address.
 */
export async function findDevices(options: DevicesOptions, signal: AbortSignal): Promise<FoundDevice[]> {
  const { subnets, recorded, discovery = {} } = options;
  const rtsp: string[] = [];
  const limit = AbortSignal.any([signal, AbortSignal.timeout(SWEEP_MS)]);
  const [announced] = await Promise.all([
    discover({ subnets, ...discovery }, signal),
    sweep(
      hostsOf(subnets).filter((host) => !recorded.has(host)),
      async (host) => {
        if (await (options.opens ?? opens)(host, RTSP_PORT)) rtsp.push(host);
      },
      limit,
    ),
  ]);
  const macs = await neighbours();
  const known = new Set(announced.map(({ host }) => host));
  const byAddress = (a: { host: string }, b: { host: string }) =>
    a.host.localeCompare(b.host, 'en', { numeric: true });
  const cameraIds = (host: string) => recorded.get(host) ?? [];
  return [
    ...announced.sort(byAddress).map((one) => ({
      ...one,
      mac: macs.get(one.host) ?? one.mac,
      ...{ onvif: true, cameraIds: cameraIds(one.host) },
    })),
    ...rtsp
      .filter((host) => !known.has(host))
      .map((host) => ({ host, port: RTSP_PORT, onvif: false, mac: macs.get(host) ?? null }))
      .sort(byAddress)
      .map((one) => ({
        ...one,
        ...{ name: null, make: null, model: null, endpoint: null, cameraIds: cameraIds(one.host) },
      })),
  ];
}
