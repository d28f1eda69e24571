import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { childrenOf } from '../../bench/processes.js';
import { makeRandom } from '../../bench/random.js';
import { makeSeal } from '../../src/base/seal.js';
import { makeOaClient } from '../../src/channels/zalo/api/oa.js';
import {
  challengeOf,
  consentUrl,
  exchangeCode,
  findPair,
  makeVerifier,
  readPasted,
} from '../../src/channels/zalo/api/oauth.js';
import {
  type KeeperOptions,
  makeTokenKeeper,
  type TokenTrouble,
  tokenFile,
} from '../../src/channels/zalo/tokens/keeper.js';
import { isDue, readKept } from '../../src/channels/zalo/tokens/kept.js';
import { type Compiled, compile } from '../support/compiled.js';
import { TEST_APP, ZaloServer } from '../support/zalo-server.js';
import { CHANGE_CHILD, tortureTokens } from '../support/zalo-tokens.js';
import { QUICK, SECRET_KEY } from '../support/zalo-tokens-settings.js';
import { makeLogBook } from './telegram-fixture.js';

let compiled: Compiled;
let server: ZaloServer;
let dataDir: string;
let troubles: TokenTrouble[];
let book: ReturnType<typeof makeLogBook>;

beforeAll(async () => {
  compiled = await compile(CHANGE_CHILD);
});
afterAll(() => compiled.remove());
beforeEach(async () => {
  server = await ZaloServer.start();
  dataDir = await fs.mkdtemp(path.join(os.tmpdir(), 'mat-than-tokens-'));
  troubles = [];
  book = makeLogBook();
});
afterEach(async () => {
  await server.stop();
  await fs.rm(dataDir, { recursive: true, force: true, maxRetries: 5 });
});

const makeKeeper = (options: Partial<KeeperOptions> = {}) =>
  makeTokenKeeper({
    dataDir,
    secretKey: SECRET_KEY,
    oauth: server.oauth,
    log: book.log,
    script: compiled.script(CHANGE_CHILD),
    pauses: QUICK,
    onTrouble: async (trouble) => {
      troubles.push(trouble);
    },
    ...options,
  });
const clientOf = (tokens: ReturnType<typeof makeKeeper>) =>
  makeOaClient({ root: server.root, tokens, log: book.log });
async function openKeeper(options: Partial<KeeperOptions> = {}) {
  const keeper = makeKeeper(options);
  await keeper.put(readPasted(server.tokens.accessToken, server.tokens.refreshToken));
  return keeper;
}
const kept = () => readKept(tokenFile(dataDir), makeSeal(SECRET_KEY));
/** Ids of the processes that change tokens for this one. */
async function helpers(): Promise<number[]> {
  const found: number[] = [];
  for (const pid of await childrenOf(process.pid)) {
    const line = await fs.readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (line.includes('change-child')) found.push(pid);
  }
  return found;
}
const refreshes = () => server.calls.filter((call) => call.name === 'access_token');

test('PKCE: the vector, and a consent from the page to the first call', async () => {
  expect(challengeOf('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ')).toBe(
    'RqIZl4LIgn8KxW9QO-nTnv7pf0CnNrksx9fF-CXP2FE',
  );
  const verifier = makeVerifier();
  expect(verifier).toMatch(/^[\w-]{43}$/);
  const about = { redirectUri: TEST_APP.callback, verifier, state: 's t' };
  const page = await fetch(consentUrl(server.oauth, about), { redirect: 'manual' });
  const back = new URL(page.headers.get('location')!);
  expect([back.searchParams.get('state'), back.searchParams.get('oa_id')]).toEqual(['s t', TEST_APP.oaId]);
  const code = back.searchParams.get('code')!;
  const pair = await exchangeCode(server.oauth, { code, verifier });
  expect(pair.lifetimeMs).toBe(90_000_000);
  const keeper = makeKeeper();
  await keeper.put(pair);
  expect((await clientOf(keeper).oa()).is_verified).toBe(true);
  await expect(exchangeCode(server.oauth, { code, verifier })).rejects.toMatchObject({ kind: 'refused' });
});

test('many callers with a refused token: one refresh, each call made once more', async () => {
  const client = clientOf(await openKeeper());
  server.tokens.expireAccess();
  const held = server.hold('access_token', 'before');
  const calls = Array.from({ length: 8 }, () => client.oa());
  await held.arrived;
  if (process.platform === 'linux') expect(await helpers()).toHaveLength(1);
  held.release();
  await Promise.all(calls);
  expect(refreshes()).toHaveLength(1);
  expect(server.calls.filter((call) => call.name === 'getoa' && call.error === -220)).toHaveLength(8);
  expect((await kept())!.pair.refreshToken).toBe(server.tokens.refreshToken);
});

test('a token that Zalo refuses although it is new is not renewed again and again', async () => {
  const keeper = await openKeeper({ pauses: { ...QUICK, youngMs: 30_000 } });
  server.fail('getoa', { code: -216, times: 2 });
  await expect(clientOf(keeper).oa()).rejects.toMatchObject({ kind: 'refused' });
  expect(refreshes()).toHaveLength(0);
});

test('it is renewed with less than two hours left, by a clock that does not step', async () => {
  const clock = { ms: Date.now(), now: () => clock.ms };
  let steadyMs = 0;
  const keeper = await openKeeper({ clock, steady: () => steadyMs });
  await keeper.current();
  // days forward and back by the wall clock, while 22 hours pass
  for (const step of [10, -20, 3]) {
    clock.ms += step * 86_400_000;
    steadyMs += 7.3 * 3_600_000;
    await keeper.current();
  }
  expect(refreshes()).toHaveLength(0);
  steadyMs += 1.2 * 3_600_000;
  expect(await keeper.current()).toBe(server.tokens.accessToken);
  expect(refreshes()).toHaveLength(1);
  const pair = { accessToken: 'a', refreshToken: 'r', obtainedMs: 0, lifetimeMs: 90_000_000 };
  expect([0, 82_799_999, 82_800_000, -59_999, -60_001].map((ageMs) => isDue(pair, ageMs))).toEqual([
    false,
    false,
    true,
    false,
    true,
  ]);
});

test('while Zalo is away the old token is used until it is refused', async () => {
  const keeper = await openKeeper();
  const steady = performance.now() + 89_000_000;
  const late = makeKeeper({ clock: { now: () => Date.now() + 89_000_000 }, steady: () => steady });
  server.fail('access_token', { code: -1, http: 503, times: 1 });
  expect(await late.current()).toBe(server.tokens.accessToken);
  await keeper.settled();
  server.tokens.expireAccess();
  await expect(clientOf(late).oa()).rejects.toMatchObject({
    kind: 'unreachable',
    retryAfterS: expect.any(Number),
  });
  expect(await keeper.state()).toBe('fine');
});

test('a used refresh token: told once, over restarts too, never asked again, mended by a pasted pair', async () => {
  const keeper = await openKeeper();
  server.tokens.give();
  await expect(clientOf(keeper).oa()).rejects.toMatchObject({ kind: 'refused' });
  await expect(clientOf(keeper).oa()).rejects.toMatchObject({ kind: 'refused' });
  const again = makeKeeper();
  const ends = new AbortController();
  again.start(ends.signal);
  await expect(clientOf(again).oa()).rejects.toMatchObject({ kind: 'refused' });
  ends.abort();
  await again.settled();
  expect(troubles).toEqual([
    { why: 'consent', code: -14020, lost: false, key: expect.stringMatching(/^zalo-tokens:consent:\w{16}$/) },
  ]);
  expect(refreshes()).toHaveLength(1);
  expect(await again.state()).toBe('consent-needed');
  await again.put(readPasted(` ${server.tokens.accessToken}\n`, server.tokens.refreshToken));
  // the other keeper reads the same store
  expect((await clientOf(keeper).oa()).name).toContain('Cẩm Lương');
});

test('a trouble that could not be told is told again', async () => {
  let deaf = true;
  const keeper = await openKeeper({
    onTrouble: async (trouble) => {
      if (deaf) throw new Error('the other channel is away');
      troubles.push(trouble);
    },
  });
  server.tokens.give();
  await expect(keeper.renewed((await kept())!.pair.accessToken)).rejects.toMatchObject({ kind: 'refused' });
  expect((await kept())!.refused).toMatchObject({ told: false });
  deaf = false;
  const ends = new AbortController();
  keeper.start(ends.signal);
  while (!(await kept())!.refused!.told) await pause(5);
  ends.abort();
  expect(troubles).toHaveLength(1);
});

test('a wrong secret is told as such, and the refresh token is still good', async () => {
  await openKeeper();
  server.tokens.expireAccess();
  const wrong = makeKeeper({ oauth: { ...server.oauth, appSecret: 'WRONG' } });
  await expect(clientOf(wrong).oa()).rejects.toMatchObject({ kind: 'refused' });
  expect(troubles).toMatchObject([{ why: 'settings', code: -14004 }]);
  expect((await kept())!.intent).toBeNull();
  await clientOf(makeKeeper()).oa();
});

test.each([
  ['before it is done', 'before', 0.5, 'fine'],
  ['late in the answer', 'within', 0.97, 'fine'],
  ['early in the answer', 'within', 0.5, 'consent-needed'],
  ['after it is done, with no answer', 'after', 0.5, 'consent-needed'],
] as const)('a refresh that breaks %s', async (_what, when, cutAt, state) => {
  const keeper = await openKeeper();
  const client = clientOf(keeper);
  server.tokens.expireAccess();
  server.cutAt = cutAt;
  server.drop('access_token', when);
  await client.oa().catch(() => {});
  await pause(2 * QUICK.mostMs);
  await client.oa().catch(() => {});
  expect(await keeper.state()).toBe(state);
  expect(troubles).toHaveLength(state === 'fine' ? 0 : 1);
  if (state !== 'fine') expect(troubles[0]).toMatchObject({ lost: true });
  expect(refreshes().filter((call) => call.error === -14020)).toHaveLength(state === 'fine' ? 0 : 1);
});

test('a disk that refuses the new pair: nothing is asked before it takes the intent; later the pair is kept', async () => {
  const keeper = await openKeeper();
  const client = clientOf(keeper);
  server.tokens.expireAccess();
  const blocked = `${tokenFile(dataDir)}.new`;
  await fs.mkdir(blocked);
  await expect(client.oa()).rejects.toMatchObject({ kind: 'unreachable' });
  expect(refreshes()).toHaveLength(0);
  await fs.rmdir(blocked);
  await pause(2 * QUICK.mostMs);
  const held = server.hold('access_token', 'after');
  const call = client.oa();
  await held.arrived;
  await fs.mkdir(blocked);
  held.release();
  await server.called('access_token');
  await pause(100);
  await fs.rmdir(blocked);
  expect((await call).is_verified).toBe(true);
  expect((await kept())!.pair.refreshToken).toBe(server.tokens.refreshToken);
});

test.skipIf(process.platform !== 'linux')('the helper killed at each step', async () => {
  for (const [at, state, given] of [
    ['before', 'fine', 2],
    ['after', 'consent-needed', 2],
  ] as const) {
    server.tokens.give();
    const keeper = await openKeeper();
    const before = server.tokens.given;
    server.tokens.expireAccess();
    const held = server.hold('access_token', at);
    const call = clientOf(keeper).oa();
    call.catch(() => {});
    await held.arrived;
    for (const pid of await helpers()) process.kill(pid, 'SIGKILL');
    await expect(call).rejects.toMatchObject({ kind: 'unreachable' });
    expect((await kept())!.intent).not.toBeNull();
    held.release();
    await pause(2 * QUICK.mostMs);
    await clientOf(keeper)
      .oa()
      .catch(() => {});
    expect([at, await keeper.state()]).toEqual([at, state]);
    expect(server.tokens.given - before).toBeLessThan(given);
    server.calls.length = 0;
  }
});

test('two processes that want it at the same time: the second waits, then takes what the first got', async () => {
  const [one, other] = [await openKeeper(), makeKeeper()];
  server.tokens.expireAccess();
  const [first, second] = [server.hold('access_token', 'before'), server.hold('access_token', 'before')];
  const calls = [clientOf(one).oa()];
  await first.arrived;
  calls.push(clientOf(other).oa());
  // without the lock its refresh would be here long before
  expect(await Promise.race([second.arrived.then(() => 'asked'), pause(1500, 'waits')])).toBe('waits');
  first.release();
  await Promise.all(calls);
  expect(refreshes().map((call) => call.ok)).toEqual([true]);
});

test('a file of another key is no reason to end: it is told, and a new pair mends it', async () => {
  await openKeeper();
  const other = makeKeeper({ secretKey: Buffer.alloc(32, 9).toString('base64') });
  await expect(other.current()).rejects.toMatchObject({ kind: 'refused' });
  expect([await other.state(), troubles.map(({ why }) => why)]).toEqual(['unreadable', ['unreadable']]);
  await other.put(readPasted(server.tokens.accessToken, server.tokens.refreshToken));
  expect(await other.state()).toBe('fine');
});

test('no token is in the log, in an error, or readable on disk', async () => {
  const keeper = await openKeeper();
  const secrets = [server.tokens.accessToken, server.tokens.refreshToken, TEST_APP.appSecret];
  server.drop('access_token', 'after');
  server.tokens.expireAccess();
  const errors = [String(await clientOf(keeper).oa().catch(String))];
  expect(errors[0]).toContain('WorldError');
  expect(() => readPasted('a b', 'c')).toThrow(/^what was pasted is no pair of tokens$/);
  const file = await fs.readFile(tokenFile(dataDir), 'utf8');
  expect((await fs.stat(tokenFile(dataDir))).mode & 0o077).toBe(0);
  for (const secret of secrets)
    for (const text of [...errors, book.text(), file]) expect(text).not.toContain(secret);
});

test('what an answer has is found, also where it breaks off', () => {
  const whole = '{"access_token":"aa","refresh_token":"r\\/r","expires_in":"90000"}';
  expect(findPair(whole)).toEqual({ accessToken: 'aa', refreshToken: 'r/r', lifetimeMs: 90_000_000 });
  const end = whole.indexOf(',"expires');
  for (let at = 0; at < whole.length; at += 1)
    expect([at, findPair(whole.slice(0, at))?.refreshToken]).toEqual([at, at >= end ? 'r/r' : undefined]);
  expect(findPair('{"refresh_token":"r","access_tok')).toEqual({
    accessToken: '(none)',
    refreshToken: 'r',
    lifetimeMs: 0,
  });
  expect(findPair('{"error":-14020,"error_name":"x"}')).toBeNull();
});

test('killed within refreshes and with the network broken under them: never locked out for a reason of ours', async () => {
  const outcome = await tortureTokens({ kills: 24, random: makeRandom(4) });
  const { lockedOut, told, usedAgain, kills, withinRefresh } = outcome;
  expect({ kills, usedAgain, other: lockedOut.other }).toEqual({ kills: 24, usedAgain: 0, other: 0 });
  expect(told).toBe(lockedOut.answerLost + lockedOut.bothKilled);
  expect(withinRefresh).toBeGreaterThan(5);
}, 180_000);
