import fs from 'node:fs/promises';
import path from 'node:path';
import { createClient } from '@libsql/client';
import { afterEach, describe, expect, it } from 'vitest';
import { RecorderIndex } from '../../media/index/index.js';
import { addressAt, describeDevice } from '../../media/onvif/describe.js';
import { discover, readAnswer } from '../../media/onvif/discovery.js';
import { isSameDevice, ownMac, readEndpoint, readMac, readNeighbours } from '../../media/onvif/identity.js';
import { makeKey, makeSeal } from '../../src/base/seal.js';
import { hostsOf, inSubnets, isPrivateAddress, ownSubnets, readSubnet } from '../../src/base/subnets.js';
import {
  type DeviceFault,
  type OnvifDevice,
  type OnvifDeviceOptions,
  startOnvifDevice,
} from '../support/onvif-device.js';
import { projectRoot, startStand, tempFolder } from './stand.js';

const PASSWORD = 'Bi-Mat-99';
const PROFILES = [
  {
    token: 'sub',
    codec: 'H264',
    width: 640,
    height: 360,
    rtsp: 'rtsp://127.0.0.2:554/Streaming/Channels/102?a=1&b=2',
  },
  {
    token: 'main',
    codec: 'H265',
    width: 2560,
    height: 1440,
    rtsp: 'rtsp://192.168.1.64:554/Streaming/Channels/101',
  },
  { token: 'elsewhere', codec: 'H264', width: 4000, height: 3000, rtsp: 'rtsp://203.0.113.9/steal' },
] as const;
const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

async function device(options: Partial<OnvifDeviceOptions> = {}): Promise<OnvifDevice> {
  const made = await startOnvifDevice({
    ...{ host: '127.0.0.2', user: 'admin', password: PASSWORD, profiles: [...PROFILES] },
    ...options,
  });
  stops.push(() => made.stop());
  return made;
}

const login = ({ host, port }: OnvifDevice, password = PASSWORD) => ({ host, port, user: 'admin', password });
const net = (text: string) => [readSubnet(text)].filter((one) => typeof one !== 'string');

describe('describing a device', () => {
  it.each(['ws-security', 'digest'] as const)('tells identity, streams and clock, by %s', async (scheme) => {
    const camera = await device({ scheme, clockMs: -7 * 3_600_000 });
    const said = await describeDevice(login(camera));
    if (!said.ok) throw new Error(said.detail);
    expect(said.identity).toEqual({
      ...{ serial: 'SN-0001', mac: '44:19:b6:00:00:01', make: 'HIKVISION', model: 'DS-2CD1043' },
      ...{ endpoint: '4d454930-0000-1000-8000-4419b6000001', onvifPort: camera.port },
    });
    expect(Math.abs((said.timeOffsetS ?? 0) + 7 * 3600)).toBeLessThanOrEqual(2);
    expect(said.profiles.map(({ name, codec, width, rtspUrl }) => [name, codec, width, rtspUrl])).toEqual([
      ['main', 'H265', 2560, 'rtsp://127.0.0.2:554/Streaming/Channels/101'],
      ['sub', 'H264', 640, 'rtsp://127.0.0.2:554/Streaming/Channels/102?a=1&b=2'],
    ]);
    expect(said.profiles[0]?.snapshotUrl).toBe(`http://127.0.0.2:${camera.port}/picture.jpg`);
  });

  it('ends at the first refused password, and tells it without the password', async () => {
    for (const scheme of ['ws-security', 'digest'] as const) {
      const camera = await device({ scheme });
      const said = await describeDevice(login(camera, 'sai-mat-khau'));
      expect(said).toMatchObject({ ok: false, cause: 'refused' });
      expect(JSON.stringify(said)).not.toContain('sai-mat-khau');
      const guarded = camera.seen.filter((one) => !/Endpoint|DateAndTime|Services/.test(one));
      expect(new Set(guarded)).toEqual(new Set(guarded.length === 0 ? [] : ['GetDeviceInformation+login']));
      expect(guarded.length).toBeLessThanOrEqual(2);
    }
  });

  it('speaks to the host it was given, whatever addresses the device names', async () => {
    const other = await device({ host: '127.0.0.3' });
    const camera = await device({ announced: `http://127.0.0.3:${other.port}` });
    expect(await describeDevice(login(camera))).toMatchObject({ ok: true });
    expect(other.connections()).toBe(0);
  });

  it('nobody there is told apart from something that is no camera', async () => {
    const camera = await device();
    const { port } = camera;
    await stops.pop()!();
    expect(await describeDevice({ ...login(camera), port })).toMatchObject({
      ok: false,
      cause: 'unreachable',
    });
    expect(await describeDevice(login(await device({ fault: 'html' })))).toMatchObject({
      ...{ ok: false, cause: 'not-onvif' },
    });
  });

  it.each<DeviceFault>(['endless', 'mute', 'entities', 'deep', 'xmlns', 'odd'])(
    'is not hurt by hostile answers: %s',
    async (fault) => {
      const camera = await device({ fault });
      const begunMs = performance.now();
      let heldMs = 0;
      let lastMs = begunMs;
      const beat = setInterval(() => {
        heldMs = Math.max(heldMs, performance.now() - lastMs);
        lastMs = performance.now();
      }, 10);
      const said = await describeDevice(login(camera), { limits: { limitMs: 3000, mostBytes: 3_000_000 } });
      clearInterval(beat);
      expect(said.ok).toBe(false);
      expect(performance.now() - begunMs).toBeLessThan(8000);
      expect(heldMs).toBeLessThan(1500);
    },
    20_000,
  );
});

describe('addresses out of answers', () => {
  it.each([
    ['rtsp://10.0.0.5:8554/a?b=1', 'rtsp://nha.example.vn:8554/a?b=1'],
    ['rtsp://admin:x@nha.example.vn/live', 'rtsp://nha.example.vn/live'],
    ['rtsp://0.0.0.0/live', 'rtsp://nha.example.vn/live'],
    ['rtsp://8.8.8.8/live', null],
    ['http://nha.example.vn/live', null],
    ['file:///etc/passwd', null],
    ["rtsp://10.0.0.5/a'b", null],
  ])('%s', (given, wanted) => {
    expect(addressAt('nha.example.vn', given, ['rtsp', 'rtsps'])).toBe(wanted);
  });
});

describe('discovery', () => {
  it('hears who answers from the own nets, and believes only a service at the very address', async () => {
    const near = await device();
    const liar = await device({ host: '127.0.0.3', announced: 'http://127.0.0.9:80' });
    const far = await device({ host: '127.0.1.2' });
    const targets = [near, liar, far].map((one) => one.discovery);
    const found = await discover({ subnets: net('127.0.0.0/24'), targets, waitMs: 600 });
    expect(found).toEqual([
      {
        ...{ host: '127.0.0.2', port: near.port, name: 'HIKVISION DS-2CD1043', make: 'HIKVISION' },
        ...{
          model: 'DS-2CD1043',
          mac: '44:19:b6:00:00:01',
          endpoint: '4d454930-0000-1000-8000-4419b6000001',
        },
      },
    ]);
    expect(far.seen).toContain('Probe');
  });

  it('nonsense is no device', () => {
    for (const text of ['', '<a>', '<ProbeMatch>', `<ProbeMatch>${'<XAddrs'.repeat(2000)}`, '\0\0'])
      expect(readAnswer(Buffer.from(text), '127.0.0.2')).toBeNull();
    const whole = (head: string) =>
      Buffer.from(`${head}<ProbeMatch><XAddrs>http://127.0.0.2/x</XAddrs></ProbeMatch>`);
    expect(readAnswer(whole(''), '127.0.0.2')).toMatchObject({ host: '127.0.0.2', port: 80 });
    expect(readAnswer(whole(' '.repeat(20_000)), '127.0.0.2')).toBeNull();
  });
});

describe('own nets', () => {
  it('are private and small', () => {
    for (const wrong of ['8.8.8.0/24', '10.0.0.0/8', '192.168.1.0/33', '192.168.1', 'a/24', '10.0.0.0/24/2'])
      expect(readSubnet(wrong), wrong).toEqual(expect.any(String));
    expect(hostsOf(net('192.168.1.0/30'))).toEqual(['192.168.1.1', '192.168.1.2']);
    expect(hostsOf(net('10.8.0.5/32'))).toEqual(['10.8.0.5']);
    expect(hostsOf(net('192.168.0.0/22')).length).toBe(1022);
    expect(hostsOf(net('192.168.0.0/22'), '192.168.2.9')[0]).toBe('192.168.2.0');
    expect(inSubnets(net('192.168.1.0/24'), 'camera.local')).toBe(false);
    expect([isPrivateAddress('172.32.0.1'), isPrivateAddress('172.31.0.1')]).toEqual([false, true]);
  });

  it('auto: the machine’s private nets without those of containers, never larger than /22', () => {
    const card = (address: string, bits: number, internal = false) =>
      [{ address, cidr: `${address}/${bits}`, family: 'IPv4', internal, netmask: '', mac: '' }] as never;
    const cards = {
      ...{ lo: card('127.0.0.1', 8, true), eth0: card('10.1.6.7', 16), docker0: card('172.17.0.1', 16) },
      ...{ wg0: card('10.8.0.1', 24), ppp0: card('1.2.3.4', 24) },
    };
    const nets = ownSubnets('auto, 10.9.0.0/24', cards);
    expect(nets.map((one) => hostsOf([one])[0])).toEqual(['10.1.4.1', '10.8.0.1', '10.9.0.1']);
    expect(hostsOf(nets).length).toBe(1022 + 254 + 254);
  });
});

describe('identity', () => {
  it('MACs decide; without them the endpoint; without both nothing', () => {
    const kept = { serial: 'a', mac: null, make: null, model: null, endpoint: 'e1', onvifPort: 80 };
    const [m1, m2] = ['44:19:b6:00:00:01', '44:19:b6:00:00:02'];
    expect(isSameDevice({ ...kept, mac: m1 }, { mac: m1, endpoint: 'other' })).toBe(true);
    expect(isSameDevice({ ...kept, mac: m1 }, { mac: m2, endpoint: 'e1' })).toBe(false);
    expect(isSameDevice({ ...kept, mac: m1 }, { mac: null, endpoint: 'e1' })).toBe(true);
    expect(isSameDevice(kept, { mac: m1, endpoint: 'e1' })).toBe(true);
    expect(isSameDevice({ ...kept, endpoint: null }, { mac: null, endpoint: null })).toBe(false);
    expect(readMac('44-19-B6-00-00-01')).toBe(m1);
    const table = `IP address       HW type     Flags       HW address            Mask     Device
192.168.1.1      0x1         0x2         44:19:B6:00:00:01     *        eth0
192.168.1.9      0x1         0x0         00:00:00:00:00:00     *        eth0
192.168.1.10     0x1         0x0         44:19:b6:00:00:02     *        eth0
`;
    expect([...readNeighbours(table)]).toEqual([['192.168.1.1', m1]]);
    expect(readNeighbours('').size).toBe(0);
    expect([readMac('000000000000'), readMac('xyz'), readEndpoint('urn:x')]).toEqual([null, null, null]);
  });
});

it('a MAC that stands for many addresses is a router’s, and no camera is known by it', () => {
  const macs = new Map([
    ['10.8.0.2', '02:00:00:00:00:01'],
    ['10.8.0.3', '02:00:00:00:00:01'],
    ['192.168.1.20', '44:19:b6:00:00:01'],
  ]);
  expect(['10.8.0.2', '192.168.1.20', '192.168.1.99'].map((host) => ownMac(macs, host))).toEqual([
    ...[null, '44:19:b6:00:00:01', null],
  ]);
});

it('the API refuses what is no host, port or user, and tells nothing of the password', async () => {
  const stand = await startStand();
  stops.push(() => stand.end());
  const login = { host: '127.0.0.2', port: 1, user: 'admin', password: PASSWORD };
  for (const wrong of [
    { host: 'a b' },
    { host: '' },
    { host: 'a/b' },
    { port: 0 },
    { user: '<x/>' },
    { user: 'a"b' },
  ]) {
    const error: unknown = await stand.client
      .describe({ ...login, ...wrong })
      .catch((fault: unknown) => fault);
    expect(error, JSON.stringify(wrong)).toMatchObject({ kind: 'invalid' });
    expect(String(error)).not.toContain(PASSWORD);
  }
  expect(await stand.client.describe(login)).toMatchObject({ ok: false, cause: 'unreachable' });
  // two at once and no more: each costs a thread
  const camera = await device({ fault: 'mute' });
  const asked = [1, 2, 3].map(() =>
    stand.client.describe({ ...login, port: camera.port }).catch((fault: unknown) => fault),
  );
  expect(await Promise.race(asked)).toMatchObject({ kind: 'rate-limited' });
  await Promise.all(asked);
}, 40_000);

it('cameras of the version before are kept, with nothing known of them', async () => {
  const folder = await tempFolder();
  stops.push(() => fs.rm(folder, { recursive: true, force: true }));
  const file = path.join(folder, 'recorder.db');
  const seal = makeSeal(makeKey());
  const database = createClient({ url: `file:${file}` });
  const migrations = path.join(projectRoot, 'prisma/recorder/migrations');
  for (const name of (await fs.readdir(migrations)).sort()) {
    if (name.endsWith('.toml')) continue;
    if (name === '0005_camera_identity')
      await database.execute({
        sql: 'INSERT INTO "Camera" ("id", "name", "urlSealed", "createdMs") VALUES (?, ?, ?, 5)',
        args: ['cam1', 'Cổng chợ', seal.seal('rtsp://a:b@10.0.0.1/x')],
      });
    await database.executeMultiple(await fs.readFile(path.join(migrations, name, 'migration.sql'), 'utf8'));
  }
  database.close();
  const index = await RecorderIndex.open(file, seal);
  stops.push(() => index.close());
  const [before] = await index.cameras.list();
  expect(before).toMatchObject({ id: 'cam1', url: 'rtsp://a:b@10.0.0.1/x', identity: null });
  const identity = { serial: 'S', mac: null, make: null, model: null, endpoint: 'e', onvifPort: 8000 };
  await index.cameras.change({ ...before!, identity });
  expect((await index.cameras.find('cam1'))?.identity).toEqual(identity);
});
