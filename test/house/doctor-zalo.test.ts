import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DAY_MS } from '../../src/base/clock.js';
import { makeConfig } from '../../src/base/config.js';
import { makeKey, makeSeal } from '../../src/base/seal.js';
import { tokenFile } from '../../src/channels/zalo/tokens/keeper.js';
import { type Kept, writeKept } from '../../src/channels/zalo/tokens/kept.js';
import type { Finding } from '../../src/doctor/finding.js';
import { checkPublicUrl } from '../../src/doctor/public-url.js';
import { checkZalo, judgeHeard } from '../../src/doctor/zalo.js';
import { judgePackage } from '../../src/doctor/zalo-oa.js';
import { freePort } from '../support/product.js';
import { TEST_APP, ZaloServer } from '../support/zalo-server.js';

let zalo: ZaloServer;
let folder: string;
const KEY = makeKey();

beforeEach(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'mat-than-doctor-zalo-'));
  zalo = await ZaloServer.start();
});
afterEach(async () => {
  await zalo.stop();
  fs.rmSync(folder, { recursive: true, force: true });
});

const OA = { ZALO_APP_ID: TEST_APP.appId, ZALO_APP_SECRET: TEST_APP.appSecret };
const configOf = (env: Record<string, string>) =>
  makeConfig(
    {
      ...{ DATA_DIR: folder, SECRET_KEY: KEY },
      ...Object.fromEntries(['API', 'OAUTH', 'BOT'].map((name) => [`ZALO_${name}_ROOT`, zalo.root])),
      ...env,
    },
    false,
  );

/** The pair that the platform knows, as the bot keeps it. */
const keep = (about: { agoMs?: number; pair?: Partial<Kept['pair']> } & Partial<Omit<Kept, 'pair'>> = {}) =>
  writeKept(tokenFile(folder), makeSeal(KEY), {
    pair: {
      ...{ accessToken: zalo.tokens.accessToken, refreshToken: zalo.tokens.refreshToken },
      ...{ obtainedMs: Date.now() - (about.agoMs ?? 0), lifetimeMs: 90_000_000, ...about.pair },
    },
    intent: about.intent ?? null,
    refused: about.refused ?? null,
  });

const examine = (env: Record<string, string>, running: boolean) =>
  checkZalo(
    { config: configOf(env), hidden: false, running, nowMs: Date.now(), timeoutMs: 3000 },
    AbortSignal.timeout(10_000),
  );

async function look(env: Record<string, string> = OA, running = false) {
  const file = tokenFile(folder);
  const before = fs.existsSync(file) ? fs.readFileSync(file) : null;
  const found = await examine(env, running);
  // whatever it found: nothing is renewed, nothing is written
  expect(zalo.calls.filter((call) => call.api === 'oauth')).toEqual([]);
  expect(zalo.calls.filter((call) => /getUpdates|setWebhook|deleteWebhook/.test(call.name))).toEqual([]);
  expect(fs.existsSync(file) ? fs.readFileSync(file) : null).toEqual(before);
  for (const { says, todo, mark } of found) {
    expect(says).toMatch(/^\S.*[.)]$/u);
    expect(says).toBe(says.normalize('NFC'));
    if (mark === 'ok') expect(todo).toBeUndefined();
    else expect(todo).toMatch(/^[^\n]{8,}$/);
    for (const secret of [zalo.tokens.accessToken, zalo.tokens.refreshToken, TEST_APP.appSecret])
      expect(says + todo).not.toContain(secret);
  }
  return (check: string): Finding | undefined => {
    const all = found.filter((finding) => finding.check === check);
    expect(all.length, check).toBeLessThan(2);
    return all[0];
  };
}

describe('an OA', () => {
  it('a good token: who it is, its package, its groups, how old the pair is', async () => {
    zalo.groupAsset('gmf50');
    await keep({ agoMs: 5 * 3_600_000 });
    const seen = await look();
    expect(seen('zalo-oa')).toMatchObject({ mark: 'ok', says: expect.stringContaining('đã xác thực') });
    expect(seen('zalo-package')?.says).toBe('Gói: Nâng cao, dùng đến 31/12/2027.');
    expect(seen('zalo-groups')?.says).toContain('Nhóm tới 50 người: 0 nhóm đang dùng, còn tạo được 1');
    const kept = seen('zalo-tokens');
    expect(kept).toMatchObject({ mark: 'ok', says: expect.stringContaining('lấy 5 giờ trước') });
    expect(kept?.facts?.consentEndsMs).toBeCloseTo(Date.now() - 5 * 3_600_000 + 90 * DAY_MS, -5);
  });

  it('no tokens yet, tokens nobody can read, no secret', async () => {
    expect((await look())('zalo-tokens')).toMatchObject({
      ...{ mark: 'bad', says: expect.stringContaining('chưa được cấp quyền') },
      todo: expect.stringContaining('nối Zalo OA'),
    });
    await keep();
    const other = await look({ ...OA, SECRET_KEY: makeKey() });
    expect(other('zalo-tokens')?.says).toContain('Không đọc được cặp mã');
    const half = await look({ ZALO_APP_ID: TEST_APP.appId });
    expect(half('zalo-oa')).toMatchObject({ mark: 'bad', says: expect.stringContaining('ZALO_APP_SECRET') });
    expect(zalo.calls).toEqual([]);
  });

  it('an access token that has ended is not renewed: that is for the bot to do', async () => {
    zalo.tokens.expireAccess();
    await keep({ agoMs: 2 * DAY_MS });
    const stopped = (await look())('zalo-oa');
    expect(stopped).toMatchObject({ mark: 'warn', says: expect.stringContaining('đã hết hạn từ') });
    expect(stopped?.todo).toContain('npm start');
    expect((await look(OA, true))('zalo-oa')).toMatchObject({ mark: 'warn', facts: { code: -220 } });
    // what the bot has not used up is still good
    const next = await fetch(`${zalo.root}/v4/oa/access_token`, {
      method: 'POST',
      headers: { secret_key: TEST_APP.appSecret },
      body: new URLSearchParams({
        ...{ refresh_token: zalo.tokens.refreshToken, app_id: TEST_APP.appId, grant_type: 'refresh_token' },
      }),
    });
    expect(await next.json()).toHaveProperty('refresh_token');
  });

  it('a pair that the bot renews within the look is not told as refused', async () => {
    await keep();
    const held = zalo.hold('getoa', 'before');
    const looking = examine(OA, true);
    await held.arrived;
    zalo.tokens.give();
    await keep();
    held.release();
    expect((await looking).find(({ check }) => check === 'zalo-oa')).toMatchObject({ mark: 'ok' });
    expect(zalo.calls.filter((call) => call.name === 'getoa').map((call) => call.ok)).toEqual([false, true]);
  });

  it('consent that is refused, about to end, over; a refresh without an answer', async () => {
    const refused = { atMs: Date.now() - DAY_MS, code: -14020, lost: false, told: true };
    await keep({ refused });
    const gone = await look();
    expect(gone('zalo-tokens')).toMatchObject({
      mark: 'bad',
      says: expect.stringContaining('cấp quyền lại'),
    });
    expect(zalo.calls).toEqual([]);
    await keep({ agoMs: 80 * DAY_MS });
    expect((await look())('zalo-tokens')).toMatchObject({
      ...{ mark: 'warn', says: expect.stringContaining('sắp hết hạn') },
    });
    await keep({ agoMs: 91 * DAY_MS });
    expect((await look())('zalo-tokens')).toMatchObject({ mark: 'bad' });
    await keep({ intent: { atMs: Date.now() - 3_600_000 } });
    expect((await look())('zalo-tokens')).toMatchObject({
      ...{ mark: 'warn', says: expect.stringContaining('chưa có trả lời') },
    });
    await keep({ intent: { atMs: Date.now() - 1000 } });
    expect((await look())('zalo-tokens')).toMatchObject({ mark: 'ok' });
  });

  it('refusals of Zalo, nobody there, somebody in between', async () => {
    await keep();
    const refusal = async (arrange: () => void, env: Record<string, string> = OA) => {
      arrange();
      const seen = (await look(env))('zalo-oa');
      zalo.heal();
      return seen;
    };
    expect(await refusal(() => zalo.fail('getoa', { code: -209 }))).toMatchObject({ mark: 'bad' });
    expect(await refusal(() => zalo.fail('getoa', { code: -32 }))).toMatchObject({ mark: 'warn' });
    expect((await refusal(() => zalo.garble('getoa')))?.says).toContain('không phải là của Zalo');
    const dead = `http://127.0.0.1:${await freePort()}`;
    expect((await refusal(() => {}, { ...OA, ZALO_API_ROOT: dead }))?.says).toContain('Không tới được Zalo');
    zalo.fail('quota/group', { code: -224, times: 3 });
    const noGroups = await look();
    expect(noGroups('zalo-oa')).toMatchObject({ mark: 'ok' });
    expect(noGroups('zalo-groups')).toMatchObject({ mark: 'warn', says: expect.stringContaining('mã -224') });
  });

  it('a package that ends', () => {
    const at = (date: string) => Date.parse(`${date}T12:00:00+07:00`);
    const on = (nowMs: number) => judgePackage('Nâng cao', '31/12/2026', nowMs).mark;
    expect([at('2026-12-01'), at('2026-12-20'), at('2026-12-31'), at('2027-01-01')].map(on)).toEqual([
      ...['ok', 'warn', 'warn', 'bad'],
    ]);
    expect(judgePackage(undefined, undefined, 0)).toMatchObject({ mark: 'ok', says: 'Gói: không rõ.' });
  });
});

describe('a bot of the Bot Platform', () => {
  const BOT = { ZALO_BOT_TOKEN: TEST_APP.botToken };
  it('its token is right or wrong; its webhook is ours or not', async () => {
    expect((await look(BOT))('zalo-bot')).toMatchObject({ mark: 'ok' });
    const wrong = await look({ ZALO_BOT_TOKEN: '1:sai' });
    expect(wrong('zalo-bot')).toMatchObject({ mark: 'bad', facts: { code: 401 } });
    const hooked = { ...BOT, PUBLIC_URL: 'https://xa.example.vn', ZALO_BOT_SECRET: 'bi-mat-rieng' };
    expect((await look(hooked))('zalo-bot-webhook')).toBeUndefined();
    expect((await look(hooked, true))('zalo-bot-webhook')?.says).toContain('chưa có webhook');
    const set = (url: string) =>
      fetch(`${zalo.root}/bot${TEST_APP.botToken}/setWebhook`, {
        ...{ method: 'POST', headers: { 'content-type': 'application/json' } },
        body: JSON.stringify({ url, secret_token: 'bi-mat-rieng' }),
      });
    await set('https://khac.example.vn/hook');
    zalo.calls.length = 0;
    expect((await look(BOT, true))('zalo-bot-webhook')?.says).toContain('không tự hỏi tin được');
    for (const env of [hooked, BOT])
      expect((await look(env, true))('zalo-bot-webhook')?.says).toContain('địa chỉ khác');
    await set('https://xa.example.vn/zalo/bot');
    zalo.calls.length = 0;
    expect((await look(hooked, true))('zalo-bot-webhook')).toBeUndefined();
  });
});

describe('what a bot can do', () => {
  const BOT = { ZALO_BOT_TOKEN: TEST_APP.botToken };
  it('groups and the kind of account, by what the platform tells; pictures by our public address', async () => {
    const without = await look(BOT);
    expect(without('zalo-bot')?.says).toMatch(/loại BASIC.*không vào nhóm được/);
    expect(without('zalo-bot-photos')).toMatchObject({
      ...{ mark: 'warn', says: expect.stringContaining('không gửi được ảnh') },
    });
    zalo.calls.length = 0;
    Object.assign(zalo.bot.account, { can_join_groups: true });
    const withAddress = await look({ ...BOT, PUBLIC_URL: 'https://xa.example.vn' });
    expect(withAddress('zalo-bot')?.says).toContain('cho bot này vào nhóm, nhưng');
    expect(withAddress('zalo-bot')?.facts).toMatchObject({ groups: true, photos: true });
    expect(withAddress('zalo-bot-photos')).toBeUndefined();
  });
});

it('neither: nothing is asked', async () => {
  expect((await look({}))('zalo')).toMatchObject({ mark: 'ok' });
  expect(zalo.calls).toEqual([]);
});

describe('the webhook, by what came in', () => {
  const nowMs = 1_790_000_000_000;
  const about = { nowMs, publicUrl: 'https://xa.example.vn/' };
  const health = (
    change: Partial<{ heardMs: number; taken: number; dropped: number; droppedSince: number; late: number }>,
  ) => ({
    ...{ heardMs: nowMs - 60_000, taken: 5, dropped: 0, droppedSince: 0, late: 0 },
    ...change,
  });
  it('alive, never heard of, silent for long, badly signed, too slow', () => {
    expect(judgeHeard(health({}), null, about)).toMatchObject({ mark: 'ok' });
    // strangers knock at every door
    expect(judgeHeard(health({ dropped: 3 }), null, about)).toMatchObject({ mark: 'ok' });
    const none = { heardMs: null, taken: 0, dropped: 0, droppedSince: 0, late: 0 };
    const never = judgeHeard(none, null, about);
    expect(never).toMatchObject({ mark: 'warn', says: expect.stringContaining('Chưa có tin nào') });
    expect(never.todo).toContain('https://xa.example.vn/zalo/oa');
    // the bot has just started; what came before is in the database
    expect(judgeHeard(none, nowMs - 3_600_000, about)).toMatchObject({ mark: 'ok' });
    expect(judgeHeard(null, nowMs - 8 * DAY_MS, about).mark).toBe('warn');
    // the console's own knock has no signature
    expect(judgeHeard({ ...none, dropped: 1 }, nowMs, about).mark).toBe('ok');
    expect(judgeHeard({ ...none, dropped: 3 }, nowMs, about)).toMatchObject({
      ...{ mark: 'bad', todo: expect.stringContaining('ZALO_OA_SECRET') },
    });
    // the key was changed while the bot ran; or strangers knock at a quiet hour
    const since = { heardMs: nowMs - 2 * 3_600_000, dropped: 12, droppedSince: 12 };
    expect(judgeHeard(health(since), null, about)).toMatchObject({
      ...{ mark: 'warn', todo: expect.stringContaining('ZALO_OA_SECRET') },
    });
    expect(judgeHeard(health({ ...since, heardMs: nowMs - 60_000 }), null, about).mark).toBe('ok');
    expect(judgeHeard(health({ ...since, droppedSince: 2 }), null, about).mark).toBe('ok');
    expect(judgeHeard(health({ late: 2 }), null, about)).toMatchObject({ mark: 'warn' });
  });
});

describe('the public name', () => {
  let server: http.Server;
  let broken: Set<string>;
  let url: string;
  beforeEach(async () => {
    broken = new Set();
    const pages: Record<string, string> = {
      ...{ '/healthz': '{"ok":true}', '/zalo/oa': 'ok', '/zalo_verifierAbCdEfGh.html': '<p>AbCdEfGh</p>' },
    };
    server = http.createServer((request, response) => {
      const page = pages[request.url ?? ''];
      response.writeHead(page === undefined || broken.has(request.url!) ? 404 : 200).end(page);
    });
    await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(() => {
    server.closeAllConnections();
    return new Promise((closed) => server.close(closed));
  });
  const seen = async (env: Record<string, string>, change: { running?: boolean; heardMs?: number } = {}) =>
    Object.fromEntries(
      (
        await checkPublicUrl(
          { config: configOf(env), running: true, heardMs: null, nowMs: 1_790_000_000_000, ...change },
          AbortSignal.timeout(5000),
        )
      ).map((finding) => [finding.check, finding]),
    );
  const all = () => ({ ...OA, PUBLIC_URL: url, ZALO_VERIFIER: 'AbCdEfGh' });

  it('missing: what does not work for whom', async () => {
    expect((await seen(OA))['public-url']).toMatchObject({
      ...{ mark: 'bad', says: expect.stringContaining('Zalo OA không tới được') },
    });
    expect((await seen({ ZALO_BOT_TOKEN: 'x' }))['public-url']).toMatchObject({ mark: 'warn' });
    expect((await seen({}))['public-url']).toMatchObject({ mark: 'ok' });
  });

  it('open, not https, wholly or partly shut', async () => {
    const good = await seen(all());
    expect(good['public-url']).toMatchObject({ mark: 'ok', facts: { hook: true, page: true } });
    expect(good['public-url-https']).toMatchObject({ mark: 'bad' });
    expect(good['zalo-webhook-address']).toBeUndefined();
    expect(good['zalo-verifier']).toBeUndefined();
    expect((await seen({ PUBLIC_URL: url }))['public-url-https']).toMatchObject({ mark: 'warn' });
    expect((await seen({ ...OA, PUBLIC_URL: url }))['zalo-verifier']).toMatchObject({ mark: 'warn' });
    broken.add('/zalo/oa').add('/zalo_verifierAbCdEfGh.html');
    const partly = await seen(all());
    expect(partly['zalo-webhook-address']).toMatchObject({ mark: 'bad' });
    expect(partly['zalo-verifier']).toMatchObject({ mark: 'bad' });
    broken.add('/healthz');
    expect((await seen(all()))['public-url']).toMatchObject({ mark: 'bad' });
    // Zalo came in lately: the modem does not lead its own machines to its own name
    const hairpin = await seen(all(), { heardMs: 1_790_000_000_000 - 60_000 });
    expect(hairpin['public-url']).toMatchObject({
      ...{ mark: 'warn', todo: expect.stringContaining('điện thoại') },
    });
    expect((await seen(all(), { running: false }))['public-url']?.says).toContain('chưa thử được');
  });
});
