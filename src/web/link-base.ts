import { isIPv4 } from 'node:net';
import type { NetworkInterfaceInfo } from 'node:os';
import { isLoopback } from '../base/config.js';
import { isPrivateAddress, isVirtualNet } from '../base/subnets.js';

export interface LinkBase {
  url: string;
  /** opens only on the office's own net */
  lan: boolean;
}

/**
 * Where links begin: at PUBLIC_URL, else at this machine's address on its net when the web server is open to that;
 * null where neither is.
 * @param interfaces `os.networkInterfaces()`
 */
export function linkBase(
  { publicUrl, host, port }: { publicUrl: string | null; host: string; port: number },
  interfaces: NodeJS.Dict<NetworkInterfaceInfo[]>,
): LinkBase | null {
  if (publicUrl !== null) return { url: publicUrl.replace(/\/+$/, ''), lan: false };
  if (isLoopback(host)) return null;
  if (host !== '0.0.0.0' && host !== '::')
    return { url: `http://${isIPv4(host) || !host.includes(':') ? host : `[${host}]`}:${port}`, lan: true };
  const own = Object.entries(interfaces)
    .filter(([name]) => !isVirtualNet(name))
    .flatMap(([, addresses = []]) => addresses)
    .find((one) => one.family === 'IPv4' && !one.internal && isPrivateAddress(one.address));
  return own === undefined ? null : { url: `http://${own.address}:${port}`, lan: true };
}
