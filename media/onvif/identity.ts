import { readFile } from 'node:fs/promises';
import type { CameraIdentity } from '../types.js';

/** What can be known of a device without a password. */
export interface SeenDevice {
  mac: string | null;
  endpoint: string | null;
}

/** "AA-BB-CC-DD-EE-FF", "aabbccddeeff" → "aa:bb:cc:dd:ee:ff"; null for what is no device's own MAC. */
export function readMac(text: unknown): string | null {
  const digits = String(text ?? '')
    .toLowerCase()
    .replace(/[:.\s-]/g, '');
  if (!/^[0-9a-f]{12}$/.test(digits) || /^(?:0{12}|f{12})$/.test(digits)) return null;
  return digits.match(/../g)!.join(':');
}

/** "urn:uuid:ABC…" → "abc…"; null when it is no UUID. */
export function readEndpoint(text: unknown): string | null {
  const found = /[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}/i.exec(String(text ?? '').slice(0, 200));
  return found === null ? null : found[0].toLowerCase();
}

/**
 * Is what was seen without a password the device that is kept? Two MACs decide; only where one is unknown the endpoint
 * does, since cheap devices of one kind may share a UUID. With neither it is not.
 */
export function isSameDevice(kept: CameraIdentity, seen: SeenDevice): boolean {
  if (kept.mac !== null && seen.mac !== null) return kept.mac === seen.mac;
  return kept.endpoint !== null && kept.endpoint === seen.endpoint;
}

/** Can it be told from other devices: by its MAC, or by endpoint and serial number together? */
export const isRecognizable = (identity: CameraIdentity | null): identity is CameraIdentity =>
  identity !== null && (identity.mac !== null || (identity.endpoint !== null && identity.serial !== null));

/** MACs by IP address of the neighbours this machine has just spoken to; empty where the system has no such table. */
export async function neighbours(): Promise<Map<string, string>> {
  return readNeighbours(await readFile('/proc/net/arp', 'utf8').catch(() => ''));
}

/** Reads Linux's /proc/net/arp; entries that were never answered (flags 0x0) are left out. */
export function readNeighbours(table: string): Map<string, string> {
  const rows = table
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/));
  return new Map(
    rows.flatMap(([ip = '', , flags, mac]) => {
      const read = readMac(mac);
      return read === null || flags === '0x0' ? [] : [[ip, read] as const];
    }),
  );
}

/**
 * The MAC of a neighbour, when it is its own: a router that answers for those behind it (proxy ARP, a VPN's bridge) gives
 * one MAC to many addresses, and no camera would be told from the next by it.
 */
export function ownMac(macs: ReadonlyMap<string, string>, host: string): string | null {
  const mac = macs.get(host) ?? null;
  return [...macs.values()].filter((one) => one === mac).length === 1 ? mac : null;
}
