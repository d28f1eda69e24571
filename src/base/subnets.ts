import { isIPv4 } from 'node:net';
import type { NetworkInterfaceInfo } from 'node:os';

/** A piece of an IPv4 net. */
export interface Subnet {
  /** its first address, as a number */
  first: number;
  /** bits of the net; 32 = one address */
  bits: number;
}

/** Nothing larger is ever searched: 1,022 addresses. */
const LARGEST = 22;

/** Nets of containers and virtual machines: no camera hangs there. */
const VIRTUAL = /^(?:docker|br-|veth|virbr|vmnet|vboxnet|lo$)/i;

export const isVirtualNet = (name: string) => VIRTUAL.test(name);

const numberOf = (ip: string): number => ip.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
const addressOf = (number: number): string =>
  [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join('.');
const sizeOf = (bits: number): number => 2 ** (32 - bits);

const cut = (ip: string, bits: number): Subnet => {
  const address = numberOf(ip);
  return { first: address - (address % sizeOf(bits)), bits };
};

/** Networks that nobody on the internet can have: RFC 1918, carriers' NAT (Tailscale too), link-local, loopback. */
const PRIVATE = [
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '100.64.0.0/10',
  '169.254.0.0/16',
  '127.0.0.0/8',
].map((text) => cut(text.split('/')[0]!, Number(text.split('/')[1])));

const within = (address: number, { first, bits }: Subnet) =>
  address >= first && address < first + sizeOf(bits);

/** Is it an IPv4 address that can't be reached from the internet? */
export const isPrivateAddress = (ip: string): boolean =>
  isIPv4(ip) && PRIVATE.some((net) => within(numberOf(ip), net));

/** Is it an IPv4 address in one of these nets? A name never is. */
export const inSubnets = (subnets: readonly Subnet[], ip: string): boolean =>
  isIPv4(ip) && subnets.some((net) => within(numberOf(ip), net));

/**
 * Reads one net: "192.168.1.0/24", "10.8.0.5".
 * @returns a sentence when it is no private net between /22 and /32
 */
export function readSubnet(text: string): Subnet | string {
  const [ip = '', said = '32', ...more] = text.split('/');
  const bits = Number(said);
  if (!isIPv4(ip) || more.length > 0 || !/^\d{1,2}$/.test(said) || bits > 32)
    return `${text} is no IPv4 net like 192.168.1.0/24`;
  if (bits < LARGEST) return `${text} is larger than /${LARGEST}; name the parts where cameras are`;
  const net = cut(ip, bits);
  if (!isPrivateAddress(addressOf(net.first))) return `${text} is no private net`;
  return net;
}

/** This machine's private IPv4 nets; of one larger than /22 the /22 around the machine's own address. */
export function machineSubnets(interfaces: NodeJS.Dict<NetworkInterfaceInfo[]>): Subnet[] {
  return Object.entries(interfaces)
    .filter(([name]) => !isVirtualNet(name))
    .flatMap(([, addresses = []]) => addresses)
    .filter((one) => one.family === 'IPv4' && !one.internal && isPrivateAddress(one.address))
    .map((one) => cut(one.address, Math.max(LARGEST, Number(one.cidr?.split('/')[1] ?? 24))));
}

/**
 * The nets of the setting OWN_SUBNETS: "auto" stands for this machine's own.
 * @param interfaces `os.networkInterfaces()`
 */
export function ownSubnets(setting: string, interfaces: NodeJS.Dict<NetworkInterfaceInfo[]>): Subnet[] {
  const nets = setting
    .split(/[\s,]+/)
    .filter((part) => part !== '')
    .flatMap((part) => (part === 'auto' ? machineSubnets(interfaces) : [readSubnet(part)]))
    .filter((net): net is Subnet => typeof net !== 'string');
  return nets.filter(
    (net, i) => !nets.slice(0, i).some((one) => one.first === net.first && one.bits <= net.bits),
  );
}

/**
 * Every address of the nets, without first and last of each (net and broadcast).
 * @param near addresses near this one come first: most devices move within their /24
 */
export function hostsOf(subnets: readonly Subnet[], near: string | null = null): string[] {
  const hosts = new Set<number>();
  for (const { first, bits } of subnets) {
    const edge = bits >= 31 ? 0 : 1;
    for (let host = first + edge; host < first + sizeOf(bits) - edge; host += 1) hosts.add(host);
  }
  const centre = near !== null && isIPv4(near) ? cut(near, 24) : null;
  const close = (host: number) => (centre !== null && within(host, centre) ? 0 : 1);
  return [...hosts].sort((a, b) => close(a) - close(b) || a - b).map(addressOf);
}
