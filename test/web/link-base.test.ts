import type { NetworkInterfaceInfo } from 'node:os';
import { expect, it } from 'vitest';
import { linkBase } from '../../src/web/link-base.js';

const one = (address: string, internal = false) =>
  [{ address, family: 'IPv4', internal }] as NetworkInterfaceInfo[];
const NETS = { lo: one('127.0.0.1', true), docker0: one('172.17.0.1'), eth0: one('192.168.1.5') };
const at = (host: string, publicUrl: string | null = null) => linkBase({ publicUrl, host, port: 8600 }, NETS);

it.each([
  ['a public name goes before all', at('127.0.0.1', 'https://xa.example/'), 'https://xa.example', false],
  ['also on the net', at('0.0.0.0', 'https://xa.example'), 'https://xa.example', false],
  ['every address: the one of the net, not of containers', at('0.0.0.0'), 'http://192.168.1.5:8600', true],
  ['IPv6 for every address', at('::'), 'http://192.168.1.5:8600', true],
  ['one address', at('10.0.0.7'), 'http://10.0.0.7:8600', true],
  ['one IPv6 address', at('fd00::7'), 'http://[fd00::7]:8600', true],
  ['a name', at('may-chu.local'), 'http://may-chu.local:8600', true],
])('%s', (_, base, url, lan) => expect(base).toEqual({ url, lan }));

it('bound to this machine only, or on no net, there are no links', () => {
  expect(at('127.0.0.1')).toBeNull();
  expect(linkBase({ publicUrl: null, host: '0.0.0.0', port: 8600 }, { lo: NETS.lo })).toBeNull();
});
