import { randomUUID } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { inSubnets, type Subnet } from '../../src/base/subnets.js';
import { readEndpoint, readMac } from './identity.js';
import { piecesOf, shortText, textsOf } from './xml.js';

/** A device that answered WS-Discovery. */
export interface Announced {
  host: string;
  /** of its ONVIF service */
  port: number;
  name: string | null;
  make: string | null;
  model: string | null;
  mac: string | null;
  endpoint: string | null;
}

export interface DiscoveryOptions {
  /** answers from elsewhere are not heard */
  subnets: readonly Subnet[];
  /** how long answers are waited for, ms */
  waitMs?: number;
  /** where to ask; default the multicast group of WS-Discovery on each own interface */
  targets?: { address: string; port: number }[];
}

const GROUP = { address: '239.255.255.250', port: 3702 };
const WAIT_MS = 3000;
/** Datagrams get lost: asked again after this, ms. */
const AGAIN_MS = 700;
const LARGEST_ANSWER = 16_384;
const MOST_DEVICES = 512;

const probe = () =>
  Buffer.from(
    `<?xml version="1.0" encoding="UTF-8"?><e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope" xmlns:w="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery" xmlns:dn="http://www.onvif.org/ver10/network/wsdl"><e:Header><w:MessageID>uuid:${randomUUID()}</w:MessageID><w:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</w:To><w:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</w:Action></e:Header><e:Body><d:Probe><d:Types>dn:NetworkVideoTransmitter</d:Types></d:Probe></e:Body></e:Envelope>`,
  );

/** Value of `onvif://www.onvif.org/<name>/…` among the scopes. */
function scope(scopes: string[], name: string): string | null {
  const begin = `onvif://www.onvif.org/${name}/`;
  const found = scopes.find((one) => one.toLowerCase().startsWith(begin));
  if (found === undefined) return null;
  try {
    return shortText(decodeURIComponent(found.slice(begin.length)));
  } catch {
    return shortText(found.slice(begin.length));
  }
}

/**
 * Reads an answer to our probe. Pure.
 * @param from address it came from: only a service at that very address counts
 */
export function readAnswer(message: Buffer, from: string): Announced | null {
  if (message.length > LARGEST_ANSWER) return null;
  const xml = message.toString('utf8');
  const match = piecesOf(xml, 'ProbeMatch')[0];
  if (match === undefined) return null;
  const urls = (textsOf(match, 'XAddrs')[0] ?? '').split(/\s+/).slice(0, 20);
  const own = urls
    .flatMap((url) => (URL.canParse(url) ? [new URL(url)] : []))
    .find((url) => url.protocol === 'http:' && url.hostname === from);
  if (own === undefined) return null;
  const scopes = (textsOf(match, 'Scopes')[0] ?? '').split(/\s+/).slice(0, 100);
  const name = scope(scopes, 'name');
  return {
    host: from,
    port: Number(own.port || 80),
    name,
    make: scope(scopes, 'manufacturer') ?? makeOf(name),
    model: scope(scopes, 'hardware'),
    mac: readMac(scope(scopes, 'mac')),
    endpoint: readEndpoint(textsOf(match, 'Address')[0]),
  };
}

/** Many makes stand only in the name: "HIKVISION DS-2CD2043". */
function makeOf(name: string | null): string | null {
  const known = /hikvision|dahua|kbvision|imou|ezviz|tp-?link|tapo|vigi|uniview|unv|axis|hanwha|ivs/i.exec(
    name ?? '',
  );
  return known?.[0] ?? null;
}

/** One socket per own interface, so that the question goes out on each; loopback and foreign nets stay silent. */
function asking(options: DiscoveryOptions): { bind: string | null; to: { address: string; port: number } }[] {
  if (options.targets !== undefined) return options.targets.map((to) => ({ bind: null, to }));
  return Object.values(networkInterfaces())
    .flatMap((addresses = []) => addresses)
    .filter((one) => !one.internal && inSubnets(options.subnets, one.address))
    .map((one) => ({ bind: one.address, to: GROUP }));
}

/** Asks the own nets who is a camera. Never throws: an interface that can't be asked is left out. */
export async function discover(options: DiscoveryOptions, signal?: AbortSignal): Promise<Announced[]> {
  const found = new Map<string, Announced>();
  const listen = (message: Buffer, from: { address: string }) => {
    if (found.size >= MOST_DEVICES || !inSubnets(options.subnets, from.address)) return;
    const device = readAnswer(message, from.address);
    if (device !== null && !found.has(device.host)) found.set(device.host, device);
  };
  const sockets: Socket[] = [];
  const waitMs = options.waitMs ?? WAIT_MS;
  const ask = async ({ bind, to }: ReturnType<typeof asking>[number]) => {
    const socket = createSocket({ type: 'udp4', reuseAddr: true });
    sockets.push(socket);
    socket.on('message', listen);
    socket.bind(0, bind ?? undefined);
    await once(socket, 'listening');
    // from here on a fault ends this interface's part only
    socket.on('error', () => {});
    if (bind !== null) socket.setMulticastInterface(bind);
    const send = () => socket.send(probe(), to.port, to.address, () => {});
    send();
    await pause(Math.min(AGAIN_MS, waitMs / 2), undefined, signal ? { signal } : {});
    send();
  };
  const limit = pause(waitMs, undefined, signal ? { signal } : {}).catch(() => {});
  await Promise.all(asking(options).map((one) => ask(one).catch(() => {})));
  await limit;
  for (const socket of sockets) socket.close();
  return [...found.values()];
}
