import { createServer } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { opens } from '../../media/onvif/endpoint.js';
import { lookWait } from '../../media/onvif/moved.js';
import type { CameraIdentity, RecorderEvent } from '../../media/types.js';
import { TINY } from '../support/frame-clock.js';
import { type OnvifDevice, type OnvifDeviceOptions, startOnvifDevice } from '../support/onvif-device.js';
import { type RtspServer, startRtspServer } from '../support/rtsp-server.js';
import { cameraIs, type Stand, startStand, until } from './stand.js';

const login = { user: 'admin', password: 'M@t/khau#1' };
const PATH = '/Streaming/Channels/101';
const ENDPOINT = '4d454930-0000-1000-8000-4419b6000001';
const stops: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

async function rtspAt(host: string, port = 0): Promise<RtspServer> {
  const server = await startRtspServer({ streams: { [PATH]: TINY }, login, host, port });
  stops.push(() => server.stop().catch(() => {}));
  return server;
}

async function deviceAt(
  host: string,
  port: number,
  rtsp: number,
  more: Partial<OnvifDeviceOptions> = {},
): Promise<OnvifDevice> {
  const url = `rtsp://${host}:${rtsp}${PATH}`;
  const profiles = [{ token: 'main', codec: 'H264' as const, width: 320, height: 240, rtsp: url }];
  const device = await startOnvifDevice({ ...login, host, port, profiles, endpoint: ENDPOINT, ...more });
  stops.push(() => device.stop().catch(() => {}));
  return device;
}

/** Where nets are looked at, with how many addresses were tried at once at most, and which. */
function watched() {
  const tried: string[] = [];
  let now = 0;
  const seen = { tried, most: 0 };
  const opening: typeof opens = async (host, port, limitMs) => {
    tried.push(host);
    now += 1;
    seen.most = Math.max(seen.most, now);
    const open = await opens(host, port, limitMs);
    now -= 1;
    return open;
  };
  return { seen, opening };
}

async function stand(
  nets: NonNullable<Parameters<typeof startStand>[0]>['nets'],
  ownSubnets = '127.0.0.0/26',
): Promise<Stand> {
  const made = await startStand({ ...(nets && { nets }) }, { ownSubnets });
  stops.push(() => made.end());
  return made;
}

async function event(made: Stand, kind: RecorderEvent['kind'], ms = 95_000): Promise<RecorderEvent> {
  const enough = new AbortController();
  const limit = AbortSignal.any([enough.signal, AbortSignal.timeout(ms)]);
  try {
    for await (const one of made.client.events(0, limit)) if (one.kind === kind) return one;
  } finally {
    enough.abort();
  }
  throw new Error(`no ${kind} within ${ms} ms`);
}

async function identityOf(made: Stand, device: OnvifDevice): Promise<CameraIdentity> {
  const said = await made.client.describe({ host: device.host, port: device.port, ...login });
  if (!said.ok) throw new Error(said.detail);
  return said.identity;
}

it('a camera that announces itself elsewhere is recorded there under its id within 90 s', async () => {
  const rtsp = await rtspAt('127.0.0.4');
  const device = await deviceAt('127.0.0.4', 0, rtsp.port);
  const targets = [device.discovery];
  const made = await stand({ discovery: { targets, waitMs: 1000 }, opens: watched().opening });
  expect(await made.client.discover()).toMatchObject([
    { host: '127.0.0.4', onvif: true, make: 'HIKVISION', model: 'DS-2CD1043', cameraIds: [] },
  ]);
  const identity = await identityOf(made, device);
  await made.client.addCamera({ id: 'cam1', name: 'Cổng chợ', url: rtsp.url(PATH), identity });
  await cameraIs(made.client, 'cam1', 'recording');
  expect((await made.client.discover())[0]?.cameraIds).toEqual(['cam1']);

  const begunMs = performance.now();
  await Promise.all([rtsp.stop(), device.stop()]);
  await rtspAt('127.0.0.9', rtsp.port);
  targets.push((await deviceAt('127.0.0.9', device.port, rtsp.port)).discovery);
  const moved = await event(made, 'camera-moved');
  expect(moved).toMatchObject({ cameraId: 'cam1', data: { from: '127.0.0.4', to: '127.0.0.9' } });
  const info = await cameraIs(made.client, 'cam1', 'recording');
  expect(performance.now() - begunMs).toBeGreaterThan(20_000);
  expect(performance.now() - begunMs).toBeLessThan(90_000);
  expect(info).toMatchObject({ id: 'cam1', address: `rtsp://127.0.0.9:${rtsp.port}${PATH}`, identity });
  // after a restart it is still there
  await made.restart();
  await cameraIs(made.client, 'cam1', 'recording');
}, 120_000);

it('one that announces nothing is found by at most 16 probes at once, and no stranger sees a login', async () => {
  const rtsp = await rtspAt('127.0.0.4');
  const device = await deviceAt('127.0.0.4', 0, rtsp.port, { scheme: 'digest' });
  const { seen, opening } = watched();
  const quick = { lostMs: 1000, everyMs: 200, discovery: { targets: [], waitMs: 50 } };
  const made = await stand({ ...quick, opens: opening });
  // without a MAC: endpoint and serial number decide
  const identity = { ...(await identityOf(made, device)), mac: null };
  await made.client.addCamera({ id: 'cam1', name: 'Cổng chợ', url: rtsp.url(PATH), identity });
  await cameraIs(made.client, 'cam1', 'recording');

  const stranger = { endpoint: '11111111-0000-1000-8000-4419b6000002', serial: 'SN-2' };
  await rtspAt('127.0.0.7', rtsp.port);
  const other = await deviceAt('127.0.0.7', device.port, rtsp.port, stranger);
  // the same UUID, as cheap devices have it, but another serial number
  await rtspAt('127.0.0.8', rtsp.port);
  const twin = await deviceAt('127.0.0.8', device.port, rtsp.port, { serial: 'SN-3', scheme: 'digest' });
  const outside = await deviceAt('127.0.1.4', device.port, rtsp.port);
  await rtspAt('127.0.1.4', rtsp.port);
  await Promise.all([rtsp.stop(), device.stop()]);
  await rtspAt('127.0.0.50', rtsp.port);
  await deviceAt('127.0.0.50', device.port, rtsp.port, { scheme: 'digest' });

  expect((await event(made, 'camera-moved', 40_000)).data).toEqual({ from: '127.0.0.4', to: '127.0.0.50' });
  await cameraIs(made.client, 'cam1', 'recording');
  expect(seen.most).toBe(16);
  expect(seen.tried.every((host) => /^127\.0\.0\.\d+$/.test(host))).toBe(true);
  expect(other.seen).toContain('GetEndpointReference');
  expect(other.seen.filter((one) => one.endsWith('+login'))).toEqual([]);
  expect(twin.seen.some((one) => one.endsWith('+login'))).toBe(true);
  expect(outside.connections()).toBe(0);
}, 60_000);

it('without identity, with an address elsewhere or a name, nothing is probed', async () => {
  const { seen, opening } = watched();
  const made = await stand(
    { lostMs: 500, everyMs: 100, discovery: { targets: [], waitMs: 50 }, opens: opening },
    '127.0.0.0/28',
  );
  // a port where nobody listens
  const free = createServer().listen(0, '127.0.0.2');
  await new Promise((resolve) => free.once('listening', resolve));
  const { port } = free.address() as { port: number };
  await new Promise((resolve) => free.close(resolve));
  const mac = '44:19:b6:00:00:01';
  const identity = { serial: 'S', mac, make: null, model: null, endpoint: null, onvifPort: 80 };
  const add = (id: string, host: string, known: CameraIdentity | null) =>
    made.client.addCamera({ id, name: id, url: `rtsp://a:b@${host}:${port}/x`, identity: known });
  await add('plain', '127.0.0.2', null);
  await add('serial-only', '127.0.0.2', { ...identity, mac: null });
  await add('far', '127.0.1.2', identity);
  await add('named', 'localhost', identity);
  for (const id of ['plain', 'serial-only', 'far', 'named']) await cameraIs(made.client, id, 'down');
  // one that may be looked for is, in the same rounds in which the others are left alone
  await add('near', '127.0.0.3', identity);
  // its own address first, then all of the net's 14
  await until('a look', () => seen.tried.length >= 15, 20_000);
  expect([seen.tried[0], new Set(seen.tried).size]).toEqual(['127.0.0.3', 14]);
  await made.client.removeCamera('near');
  const before = seen.tried.length;
  await made.client.addCamera({ id: 'again', name: 'x', url: `rtsp://a:b@127.0.0.4:${port}/x`, identity });
  await until('another look', () => seen.tried.length >= before + 15, 20_000);
  expect(seen.tried.length).toBe(before + 15);
}, 60_000);

it('one whose password was changed has not moved: nothing is searched', async () => {
  const rtsp = await rtspAt('127.0.0.4');
  const device = await deviceAt('127.0.0.4', 0, rtsp.port);
  const { seen, opening } = watched();
  const made = await stand({
    lostMs: 500,
    everyMs: 100,
    discovery: { targets: [], waitMs: 50 },
    opens: opening,
  });
  const identity = await identityOf(made, device);
  const url = rtsp.url(PATH, { password: 'cu-roi' });
  await made.client.addCamera({ id: 'cam1', name: 'Cổng chợ', url, identity: { ...identity, mac: null } });
  await cameraIs(made.client, 'cam1', 'down');
  const endpoints = () => device.seen.filter((one) => one === 'GetEndpointReference').length;
  const before = endpoints();
  await until('it was looked at', () => endpoints() > before, 20_000);
  const reached = device.seen.length;
  // the next one that is lost is searched for in a later round: by then a search for the first would have begun
  const other = { ...identity, mac: '44:19:b6:00:00:09', endpoint: null };
  const gone = `rtsp://a:b@127.0.0.5:${rtsp.port}/x`;
  await made.client.addCamera({ id: 'cam2', name: 'x', url: gone, identity: other });
  await until('a search', () => seen.tried.includes('127.0.0.62'), 20_000);
  expect(seen.tried.slice(0, 2)).toEqual(['127.0.0.4', '127.0.0.5']);
  expect(device.seen.slice(reached).filter((one) => one.endsWith('+login'))).toEqual([]);
}, 60_000);

it('a device that fits and refuses the login is shown it twice, however often it is looked for', async () => {
  const rtsp = await rtspAt('127.0.0.4');
  const device = await deviceAt('127.0.0.4', 0, rtsp.port, { scheme: 'digest' });
  const quick = { lostMs: 500, everyMs: 100, lookWait: () => 200, discovery: { targets: [], waitMs: 50 } };
  const made = await stand({ ...quick, opens: watched().opening }, '127.0.0.0/28');
  const identity = { ...(await identityOf(made, device)), mac: null };
  await made.client.addCamera({ id: 'cam1', name: 'Cổng chợ', url: rtsp.url(PATH), identity });
  await cameraIs(made.client, 'cam1', 'recording');
  await Promise.all([rtsp.stop(), device.stop()]);
  await rtspAt('127.0.0.9', rtsp.port);
  const there = await deviceAt('127.0.0.9', device.port, rtsp.port, {
    scheme: 'digest',
    password: 'moi-doi',
  });
  const logins = () => there.seen.filter((one) => one === 'GetDeviceInformation+login').length;
  const looks = () => there.seen.filter((one) => one === 'GetEndpointReference').length;
  await until('the second login', () => logins() >= 2, 30_000);
  const before = looks();
  await until('more looks', () => looks() >= before + 5, 30_000);
  expect(logins()).toBe(2);
  // the process begins anew, and still knows
  await made.restart();
  const restarted = looks();
  await until('looks after the restart', () => looks() >= restarted + 3, 30_000);
  expect(logins()).toBe(2);
}, 120_000);

it('looks again every 30 s for some minutes, then ever more rarely', () => {
  expect([1, 8, 9, 10, 30].map(lookWait)).toEqual([30_000, 30_000, 60_000, 120_000, 900_000]);
});
