import fs from 'node:fs/promises';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { probe } from '../../media/probe.js';
import { parseAddress } from '../../media/source/address.js';
import { LoginGuard } from '../../media/source/login-guard.js';
import { LOGIN_FILE, loginFile } from '../../media/source/login-memory.js';
import { makeKey } from '../../src/base/seal.js';
import { bundledFfmpeg, type TestFfmpeg, testFfmpeg } from '../support/ffmpeg.js';
import { TINY } from '../support/frame-clock.js';
import { type RtspServer, startRtspServer } from '../support/rtsp-server.js';
import { cameraIs, quiet, type Stand, startStand, tempFolder, until } from './stand.js';

const MINUTE_MS = 60_000;
const builds = [testFfmpeg(), bundledFfmpeg()].filter((one): one is TestFfmpeg => one !== null);
const stops: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

/** A guard over a real file, with clocks of the test's; each call is a process of its own. */
async function guards() {
  const folder = await tempFolder();
  stops.push(() => fs.rm(folder, { recursive: true, force: true }));
  const file = path.join(folder, LOGIN_FILE);
  const secret = makeKey();
  const clock = { wallMs: 1_790_000_000_000 };
  const begin = async () => {
    const bornMs = clock.wallMs;
    const guard = new LoginGuard({
      ...{ secret, memory: loginFile(file, quiet) },
      // a monotonic clock begins anew with the machine
      ...{ wall: () => clock.wallMs, now: () => Math.max(0, clock.wallMs - bornMs) },
    });
    await guard.load();
    return guard;
  };
  return { file, clock, begin };
}
const address = (channel: number, password = 'Sai-Mat-Khau') =>
  parseAddress(`rtsp://admin:${password}@192.168.1.20:554/ch${channel}`);
const never = new AbortController().signal;

/** Tries, and is refused; false: it was not let try. */
async function refused(guard: LoginGuard, channel = 1): Promise<boolean> {
  const pass = await guard.enter(address(channel), never);
  pass?.ended('refused');
  await guard.settled();
  return pass !== null;
}

describe('a refused password', () => {
  it('is tried twice in all, however often the process begins anew, then after half an hour', async () => {
    const { clock, begin } = await guards();
    expect(await refused(await begin())).toBe(true);
    expect(await refused(await begin())).toBe(false);
    clock.wallMs += 10_000;
    expect(await refused(await begin())).toBe(true);
    for (let i = 0; i < 5; i += 1) {
      clock.wallMs += 5 * MINUTE_MS;
      expect(await refused(await begin(), i)).toBe(false);
    }
    clock.wallMs += 6 * MINUTE_MS;
    expect(await refused(await begin())).toBe(true);
    expect(await refused(await begin())).toBe(false);
  });

  it('waits no longer than that where the clock was set back, and is forgotten after a day', async () => {
    const { clock, begin } = await guards();
    await refused(await begin());
    clock.wallMs += 10_000;
    await refused(await begin());
    clock.wallMs -= 365 * 24 * 60 * MINUTE_MS;
    const back = await begin();
    expect(await refused(back)).toBe(false);
    clock.wallMs += 30 * MINUTE_MS;
    expect(await refused(back)).toBe(true);
    clock.wallMs += 25 * 60 * MINUTE_MS;
    const fresh = await begin();
    expect([await refused(fresh), await refused(fresh)]).toEqual([true, false]);
    clock.wallMs += 10_000;
    expect(await refused(fresh)).toBe(true);
  });

  it('is let try at once after a person has acted, or when it was right after all', async () => {
    const { clock, begin } = await guards();
    for (const good of ['person', 'admitted'] as const) {
      await refused(await begin());
      clock.wallMs += 10_000;
      const guard = await begin();
      if (good === 'person') guard.forget(address(1));
      else (await guard.enter(address(1), never))?.admitted();
      await guard.settled();
      expect(await refused(await begin()), good).toBe(true);
      const end = await begin();
      end.forget(address(1));
      await end.settled();
      clock.wallMs += 31 * MINUTE_MS;
    }
  });

  it('stands in a file for nobody else, in which neither host nor login can be read', async () => {
    const { file, begin } = await guards();
    await refused(await begin());
    const text = await fs.readFile(file, 'utf8');
    expect(JSON.parse(text)).toMatchObject([{ refusals: 1, login: expect.stringMatching(/^[0-9a-f]{64}$/) }]);
    expect(text).not.toMatch(/admin|Sai|192\.168|ch1/);
    expect((await fs.stat(file)).mode & 0o777).toBe(0o600);
    // another installation's digest of the same login is another one
    const other = await guards();
    await refused(await other.begin());
    expect(JSON.parse(await fs.readFile(other.file, 'utf8'))[0].login).not.toBe(JSON.parse(text)[0].login);
  });

  it('a file that is broken is no reason not to record', async () => {
    const { file, begin } = await guards();
    for (const text of ['', '{', '{"a":1}', '[{"login":3}]', 'null']) {
      await fs.writeFile(file, text);
      expect(await refused(await begin()), text).toBe(true);
    }
  });
});

describe('when a login is let in', () => {
  const woken = async (guard: LoginGuard, channel: number, signal = never) => {
    let done = false;
    void guard.whenAdmitted(address(channel), signal).then(() => {
      done = true;
    });
    await new Promise(setImmediate);
    return () => new Promise(setImmediate).then(() => done);
  };

  it('its other channels need not wait any longer; other logins do', async () => {
    const { clock, begin } = await guards();
    const guard = await begin();
    await refused(guard, 1);
    expect(await refused(guard, 2)).toBe(false);
    clock.wallMs += 10_000;
    const [one, two] = [await woken(guard, 1), await woken(guard, 2)];
    const other = await woken(guard, 1, AbortSignal.timeout(60_000));
    expect(await one()).toBe(false);
    const pass = await guard.enter(address(3), never);
    expect([await one(), await two(), await other()]).toEqual([false, false, false]);
    pass?.admitted();
    expect([await one(), await two(), await other()]).toEqual([true, true, true]);
    // who comes to wait only now need not
    expect(await (await woken(guard, 2))()).toBe(true);
    const stranger = parseAddress('rtsp://admin:Mat-Khau-Khac@192.168.1.20:554/ch1');
    const stop = new AbortController();
    let over = false;
    const waited = guard.whenAdmitted(stranger, stop.signal).then(() => {
      over = true;
    });
    pass?.admitted();
    await new Promise(setImmediate);
    expect(over).toBe(false);
    stop.abort();
    await waited;
  });

  it('a channel refused while others are inside is forbidden by itself: it waits, until a person acts', async () => {
    const { begin } = await guards();
    const guard = await begin();
    const pass = await guard.enter(address(1), never);
    pass?.admitted();
    await refused(guard, 2);
    const two = await woken(guard, 2);
    pass?.ended('broken');
    (await guard.enter(address(1), never))?.admitted();
    expect(await two()).toBe(false);
    guard.forget(address(2));
    expect(await (await woken(guard, 2))()).toBe(true);
  });
});

describe('the real service, started again and again', () => {
  const login = { user: 'admin', password: 'mat-khau-that' };
  let server: RtspServer;
  let stand: Stand;
  /** requests that carried a login */
  const logins = () => server.requests.filter((request) => request.startsWith('DESCRIBE')).length / 2;

  it('shows a camera its wrong password no more than twice', async () => {
    server = await startRtspServer({ login, streams: { '/cam': TINY, '/other': TINY } });
    stops.push(() => server.stop());
    stand = await startStand();
    stops.push(() => stand.end());
    const wrong = (path: string) => server.url(path, { password: 'sai' });
    await stand.client.addCamera({ id: 'cam1', name: 'Một', url: wrong('/cam') });
    expect(await cameraIs(stand.client, 'cam1', 'down')).toMatchObject({ cause: 'refused' });
    expect(logins()).toBe(1);
    for (let i = 0; i < 3; i += 1) {
      await stand.restart();
      expect(await cameraIs(stand.client, 'cam1', 'down')).toMatchObject({ cause: 'refused' });
    }
    await until('the second try', () => logins() >= 2, 30_000);
    for (let i = 0; i < 3; i += 1) {
      await stand.restart();
      await cameraIs(stand.client, 'cam1', 'down');
    }
    expect(logins()).toBe(2);
    // a person acts: it is tried at once
    await stand.client.changeCamera('cam1', { url: server.url('/cam') });
    await cameraIs(stand.client, 'cam1', 'recording');
    await stand.restart();
    await cameraIs(stand.client, 'cam1', 'recording');
  }, 90_000);

  it('tries the channels of a recorder again as soon as one of them is let in, a forbidden one once', async () => {
    server = await startRtspServer({
      login,
      streams: { '/ch1': TINY, '/ch2': TINY, '/ch3': TINY, '/ch4': TINY },
    });
    stops.push(() => server.stop());
    // whatever happens, nobody tries again by himself within this test
    stand = await startStand({ wait: () => 30 * MINUTE_MS });
    stops.push(() => stand.end());
    for (const n of [1, 2, 3, 4]) {
      server.setFault(`/ch${n}`, 'refuse');
      await stand.client.addCamera({ id: `ch${n}`, name: `Kênh ${n}`, url: server.url(`/ch${n}`) });
    }
    for (const n of [1, 2, 3, 4])
      expect(await cameraIs(stand.client, `ch${n}`, 'down')).toMatchObject({ cause: 'refused' });
    for (const n of [1, 2, 3]) server.setFault(`/ch${n}`, 'none');
    server.setFault('/ch4', 'forbidden');
    const triesOf4 = () => server.requests.filter((request) => request === 'DESCRIBE /ch4').length;
    const before = triesOf4();
    await stand.client.changeCamera('ch1', { url: server.url('/ch1') });
    for (const n of [1, 2, 3]) await cameraIs(stand.client, `ch${n}`, 'recording');
    await until('the fourth has tried', () => triesOf4() > before);
    await until('and ended', () => stand.service.recorder.childOf('ch4') === null);
    const tried = triesOf4();
    await stand.client.changeCamera('ch2', { audio: true });
    await cameraIs(stand.client, 'ch2', 'recording');
    await stand.client.changeCamera('ch3', { audio: true });
    await cameraIs(stand.client, 'ch3', 'recording');
    expect(triesOf4()).toBe(tried);
  }, 90_000);

  it('never takes channel 4 of a Hikvision recorder for a wrong password while the recorder is away', async () => {
    const channels = [101, 201, 401].map((n) => `/Streaming/Channels/${n}`);
    const streams = Object.fromEntries(channels.map((place) => [place, TINY]));
    server = await startRtspServer({ login, streams });
    const { port } = server;
    const urls = channels.map((place) => server.url(place));
    await server.stop();
    for (const ffmpeg of builds) {
      const probed = await probe({ ...ffmpeg, kind: 'configured' }, { url: urls[2]! });
      expect(probed).toMatchObject({ ok: false, cause: 'unreachable' });
    }
    stand = await startStand();
    stops.push(() => stand.end());
    for (const [n, url] of urls.entries()) await stand.client.addCamera({ id: `ch${n}`, name: 'x', url });
    for (const n of [0, 1, 2])
      expect(await cameraIs(stand.client, `ch${n}`, 'down')).toMatchObject({ cause: 'unreachable' });
    server = await startRtspServer({ login, streams, port });
    stops.push(() => server.stop());
    for (const n of [0, 1, 2]) await cameraIs(stand.client, `ch${n}`, 'recording', 60_000);
    const range = { startMs: Date.now() - 60_000, endMs: Date.now() };
    for (const { gaps } of await stand.client.coverages(['ch0', 'ch1', 'ch2'], range))
      for (const { cause } of gaps) expect(['unreachable', 'unknown']).toContain(cause);
  }, 120_000);
});
