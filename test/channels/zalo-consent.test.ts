import http from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { WorldError } from '../../src/base/errors.js';
import { makeOaClient } from '../../src/channels/zalo/api/oa.js';
import type { GivenPair } from '../../src/channels/zalo/api/oauth.js';
import { type Consent, type ConsentGiven, makeConsent } from '../../src/channels/zalo/consent.js';
import { makeTokens } from '../../src/store/tokens.js';
import { openTestDatabase, type TestDatabase } from '../support/database.js';
import { TEST_APP, ZaloServer } from '../support/zalo-server.js';

const HOUR_MS = 3_600_000;
let db: TestDatabase;
let zalo: ZaloServer;
let web: http.Server;
let root: string;
let nowMs: number;
let consent: Consent;
let pairs: GivenPair[];
let given: ConsentGiven[];
let ourId: string | null;
/** what Zalo says of the tokens' owner; null: it is asked */
let whoIs: { id: string | null; name: string } | null;
let diskFull: boolean;
let personId: number;
let lines: string[];

function make(change: { appSecret?: string; fixedVerifier?: string } = {}) {
  const { fixedVerifier = null, ...oauth } = change;
  return makeConsent({
    oauth: { ...zalo.oauth, ...oauth },
    publicUrl: `${root}/`,
    fixedVerifier,
    tokens: makeTokens(db.database, { now: () => nowMs }),
    async put(pair) {
      if (diskFull) throw new WorldError('disk-full', 'no room');
      pairs.push(pair);
    },
    async whoIs(accessToken) {
      if (whoIs !== null) return whoIs;
      const own = { current: async () => accessToken, renewed: async () => accessToken };
      const about = { root: zalo.root, businessRoot: zalo.root, log: pino({ level: 'silent' }) };
      const oa = await makeOaClient({ ...about, tokens: own }).oa();
      return { id: oa.oa_id ?? null, name: oa.name };
    },
    ourId: async () => ourId,
    async onGiven(about) {
      given.push(about);
      ourId = about.oa.id;
    },
    log: pino({ level: 'trace' }, { write: (line: string) => void lines.push(line) }),
  });
}

beforeEach(async () => {
  [db, zalo] = await Promise.all([openTestDatabase(), ZaloServer.start()]);
  [nowMs, pairs, given, diskFull, lines] = [Date.now(), [], [], false, []];
  [ourId, whoIs] = [null, null];
  web = http.createServer(express().use((...about) => consent.router(...about))).listen(0, '127.0.0.1');
  await new Promise((ready) => web.once('listening', ready));
  root = `http://127.0.0.1:${(web.address() as AddressInfo).port}`;
  zalo.tokens.app.callback = `${root}/zalo/callback`;
  const chief = { name: 'Trưởng', role: 'chief', createdMs: 0n };
  personId = (await db.database.person.create({ data: chief })).id;
  consent = make();
});
afterEach(async () => {
  web.closeAllConnections();
  await new Promise((closed) => web.close(closed));
  await Promise.all([zalo.stop(), db.close()]);
});

/** What a browser does: our link, Zalo's page, back to us; the address Zalo leads back to. */
async function toCallback(link: string): Promise<string> {
  const page = await fetch(link, { redirect: 'manual' });
  expect(page.status).toBe(302);
  const back = await fetch(page.headers.get('location')!, { redirect: 'manual' });
  expect(back.status).toBe(302);
  return back.headers.get('location')!;
}
const title = async (answer: Response) => /<h1>(.*?)<\/h1>/.exec(await answer.text())?.[1];
const open = async (url: string) => {
  const answer = await fetch(url);
  return [answer.status, await title(answer)];
};
const GIVEN = [200, 'Đã nối Zalo'];
const NOT_BEGUN = [400, 'Chưa nối được Zalo'];

it('the link leads to Zalo, its answer becomes the pair of tokens', async () => {
  expect(await open(await toCallback(await consent.linkFor(personId)))).toEqual(GIVEN);
  expect(pairs).toMatchObject([
    { accessToken: zalo.tokens.accessToken, refreshToken: zalo.tokens.refreshToken, lifetimeMs: 90_000_000 },
  ]);
  expect(given).toEqual([
    { personId, changed: false, oa: { id: TEST_APP.oaId, name: 'Công an xã Cẩm Lương' } },
  ]);
});

it('looking at the link, as chat apps do by themselves, does not use it up', async () => {
  const link = await consent.linkFor(personId);
  for (let look = 0; look < 3; look += 1) await fetch(link, { redirect: 'manual' });
  expect(await open(await toCallback(link))).toEqual(GIVEN);
});

it('the link serves one consent, however many pages were opened with it', async () => {
  const link = await consent.linkFor(personId);
  const [first, second] = [await toCallback(link), await toCallback(link)];
  expect(await open(first)).toEqual(GIVEN);
  expect(await open(second)).toEqual(NOT_BEGUN);
  expect(await open(link)).toEqual([404, 'Đường dẫn này đã hết hạn']);
  expect(pairs).toHaveLength(1);
});

it('another OA than ours is kept out, whatever its callback claims, and the link stays for ours', async () => {
  expect(await open(await toCallback(await consent.linkFor(personId)))).toEqual(GIVEN);
  const link = await consent.linkFor(personId);
  zalo.world.oaId = '999';
  const back = new URL(await toCallback(link));
  expect(back.searchParams.get('oa_id')).toBe('999');
  back.searchParams.set('oa_id', TEST_APP.oaId);
  expect(await open(back.href)).toEqual([409, 'Đây là một OA khác']);
  expect(pairs).toHaveLength(1);
  zalo.world.oaId = TEST_APP.oaId;
  expect(await open(await toCallback(link))).toEqual(GIVEN);
  expect(pairs).toHaveLength(2);
});

it('where Zalo does not say whose tokens they are, the callback’s word counts; silence is no match', async () => {
  whoIs = { id: null, name: 'OA' };
  ourId = TEST_APP.oaId;
  expect(await open(await toCallback(await consent.linkFor(personId)))).toEqual(GIVEN);
  const without = new URL(await toCallback(await consent.linkFor(personId)));
  without.searchParams.delete('oa_id');
  expect((await open(without.href))[0]).toBe(409);
});

it('another OA comes in by a link that the chief wanted for it', async () => {
  ourId = TEST_APP.oaId;
  zalo.world.oaId = '999';
  expect(await open(await toCallback(await consent.linkFor(personId, true)))).toEqual(GIVEN);
  expect(given).toMatchObject([{ changed: true, oa: { id: '999' } }]);
});

it('an answer serves once, and only one that was begun here', async () => {
  const back = await toCallback(await consent.linkFor(personId));
  const forged = new URL(back);
  forged.searchParams.set('state', 'x'.repeat(43));
  expect(await open(forged.href)).toEqual(NOT_BEGUN);
  const without = new URL(back);
  without.searchParams.delete('state');
  expect(await open(without.href)).toEqual(NOT_BEGUN);
  expect(await open(back)).toEqual(GIVEN);
  expect(await open(back)).toEqual(NOT_BEGUN);
  expect(pairs).toHaveLength(1);
});

it('a forged code is nothing, and burns the state it came with', async () => {
  const back = await toCallback(await consent.linkFor(personId));
  const forged = new URL(back);
  forged.searchParams.set('code', 'doan-bua');
  expect((await open(forged.href))[0]).toBe(502);
  expect(await open(back)).toEqual(NOT_BEGUN);
  expect(pairs).toEqual([]);
});

it('the code of somebody else’s consent does not fit our verifier', async () => {
  const mine = new URL(await toCallback(await consent.linkFor(personId)));
  const theirs = new URL(await toCallback(await consent.linkFor(personId)));
  mine.searchParams.set('code', theirs.searchParams.get('code')!);
  expect((await open(mine.href))[0]).toBe(502);
  expect(pairs).toEqual([]);
});

it('a wrong secret is told with what to look at, and no log has code or secret', async () => {
  consent = make({ appSecret: 'BI_MAT_SAI_HAN_ROI' });
  const back = await toCallback(await consent.linkFor(personId));
  const answer = await fetch(back);
  expect(answer.status).toBe(502);
  expect(await answer.text()).toContain('ZALO_APP_SECRET');
  expect(lines.join('')).toContain('-14004');
  expect(lines.join('')).not.toMatch(/BI_MAT_SAI_HAN_ROI/);
  expect(lines.join('')).not.toContain(new URL(back).searchParams.get('code'));
});

it('a pair that can’t be kept is no consent', async () => {
  diskFull = true;
  expect((await open(await toCallback(await consent.linkFor(personId))))[0]).toBe(502);
  expect(given).toEqual([]);
});

it('a link ends after a day, and one that was never made leads nowhere', async () => {
  const link = await consent.linkFor(personId);
  nowMs += 24 * HOUR_MS - 1000;
  expect((await fetch(link, { redirect: 'manual' })).status).toBe(302);
  nowMs += 1000;
  expect(await open(link)).toEqual([404, 'Đường dẫn này đã hết hạn']);
  expect((await open(`${root}/zalo/consent/${'a'.repeat(43)}`))[0]).toBe(404);
  expect(zalo.tokens.given).toBe(1);
});

it('with a verifier of the console’s its challenge is the fixed one', async () => {
  consent = make({ fixedVerifier: 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ' });
  const link = await consent.linkFor(personId);
  const { headers } = await fetch(link, { redirect: 'manual' });
  expect(new URL(headers.get('location')!).searchParams.get('code_challenge')).toBe(
    'RqIZl4LIgn8KxW9QO-nTnv7pf0CnNrksx9fF-CXP2FE',
  );
  expect(await open(await toCallback(link))).toEqual(GIVEN);
});
