import fs from 'node:fs/promises';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { parseAddress } from '../../media/source/address.js';
import { LoginGuard } from '../../media/source/login-guard.js';
import { LOGIN_FILE, loginFile } from '../../media/source/login-memory.js';
import { makeKey } from '../../src/base/seal.js';
import { TINY } from '../support/frame-clock.js';
import { type RtspServer, startRtspServer } from '../support/rtsp-server.js';
import { cameraIs, quiet, type Stand, startStand, tempFolder, until } from './stand.js';

const MINUTE_MS = 60_000;
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
});
