import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isFromBotPlatform, isSigned } from '../../src/channels/zalo/webhook/signature.js';
import { TEST_APP, ZaloServer } from '../support/zalo-server.js';

let server: ZaloServer;
let hook: http.Server;
let hookUrl: string;
let got: { raw: Buffer; headers: http.IncomingHttpHeaders }[];
/** what the webhook answers; null: nothing */
let reply: number | null;

beforeEach(async () => {
  server = await ZaloServer.start({ retryScale: 1e-6 });
  got = [];
  reply = 200;
  hook = http.createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    got.push({ raw: Buffer.concat(parts), headers: request.headers });
    if (reply !== null) response.writeHead(reply).end();
  });
  hook.listen(0, '127.0.0.1');
  await once(hook, 'listening');
  hookUrl = `http://127.0.0.1:${(hook.address() as AddressInfo).port}/`;
});
afterEach(async () => {
  await server.stop();
  hook.close();
  hook.closeAllConnections();
});

const call = async (path: string, body?: unknown, token: string | null = server.tokens.accessToken) => {
  const response = await fetch(`${server.root}${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { 'content-type': 'application/json', ...(token === null ? {} : { access_token: token }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { response, ...((await response.json()) as { error: number; data?: Record<string, unknown> }) };
};
const events = () => got.slice(1).map(({ raw }) => JSON.parse(raw.toString()) as Record<string, unknown>);

describe('the stand-in of Zalo', () => {
  test('wants its own header, answers refusals with HTTP 200, ends tokens by the clock', async () => {
    expect(await call('/v2.0/oa/getoa', undefined, null)).toMatchObject({
      error: -216,
      response: { status: 200 },
    });
    expect((await call('/v2.0/oa/getoa')).error).toBe(0);
    const bearer = { authorization: `Bearer ${server.tokens.accessToken}` };
    const wrong = await fetch(`${server.root}/v2.0/oa/getoa`, { headers: bearer });
    expect(await wrong.json()).toMatchObject({ error: -216 });
    server.clock += 90_000_000;
    expect((await call('/v2.0/oa/getoa')).error).toBe(-220);
  });

  test('a refresh token serves once, with the secret, as a form', async () => {
    const refresh = async (token: string, secret = TEST_APP.appSecret) =>
      (await (
        await fetch(`${server.root}/v4/oa/access_token`, {
          method: 'POST',
          headers: { secret_key: secret },
          body: new URLSearchParams({
            refresh_token: token,
            app_id: TEST_APP.appId,
            grant_type: 'refresh_token',
          }),
        })
      ).json()) as Record<string, unknown>;
    const first = server.tokens.refreshToken;
    expect(await refresh(first, 'WRONG')).toMatchObject({ error: -14004 });
    expect(await refresh(first)).toMatchObject({
      expires_in: '90000',
      refresh_token: server.tokens.refreshToken,
    });
    expect(await refresh(first)).toMatchObject({ error: -14020 });
    server.clock += 91 * 86_400_000;
    expect(await refresh(server.tokens.refreshToken)).toMatchObject({ error: -14020 });
  });

  test('windows: eight free answers in 48 hours, then paid, then none', async () => {
    const an = server.person({ id: '1', name: 'An' });
    const send = async () =>
      call('/v3.0/oa/message/cs', { recipient: { user_id: '1' }, message: { text: 'a' } });
    server.tokens.lifetimeS = 1e9;
    an.says('a');
    for (let left = 7; left >= 0; left -= 1)
      expect((await send()).data?.quota).toMatchObject({ quota_type: 'reply', remain: String(left) });
    expect((await send()).data?.quota).toBeUndefined();
    an.says('b');
    server.clock += 49 * 3_600_000;
    server.world.paidLeft = 1;
    expect((await send()).data?.quota).toMatchObject({ quota_type: 'sub_quota' });
    server.world.money = false;
    expect((await send()).error).toBe(-321);
    server.clock += 6 * 86_400_000;
    expect((await send()).error).toBe(-230);
    an.unfollows();
    expect((await send()).error).toBe(-213);
    an.follows();
    expect((await send()).error).toBe(0);
  });

  test('a hundred calls a minute', async () => {
    const answers = [];
    for (let i = 0; i < 101; i += 1) answers.push(await call('/v2.0/oa/getoa'));
    // the clock's minute may have turned meanwhile
    if (answers[100]!.response.headers.get('x-ratelimit-remain') === '0')
      expect(answers[100]!.error).toBe(-32);
    expect(answers[0]!.response.headers.get('x-ratelimit-limit')).toBe('100');
    server.clock += 60_000;
    expect((await call('/v2.0/oa/getoa')).error).toBe(0);
  });

  test('events are signed, tell what happened, and come in any order one likes', async () => {
    await server.webhook.set(hookUrl);
    const an = server.person({ id: '5510185758261927916', name: 'An' });
    const group = server.group({ name: 'Cán bộ', members: [an] });
    server.webhook.held = [];
    an.follows();
    an.says('xin chào');
    an.sendsFile(Buffer.from('x'), 'a.mp4', 'mp4', { in: group });
    server.adminReplies(an, 'Dạ', '99');
    an.withdraws();
    group.disperses();
    server.webhook.release((bodies) => bodies.reverse());
    await server.webhook.idle();
    const names = events().map((event) => event.event_name);
    expect(names.sort()).toEqual(
      [
        'follow',
        'user_send_text',
        'user_send_group_file',
        'oa_send_text',
        'user_withdraw',
        'disperse_group',
      ].sort(),
    );
    const keys = { appId: TEST_APP.appId, secret: TEST_APP.oaSecret };
    for (const { raw, headers } of got.slice(1))
      expect(isSigned(raw, headers['x-zevent-signature'], keys)).toBe(true);
    server.webhook.signsBy = 'oa';
    an.follows();
    await server.webhook.idle();
    const { raw, headers } = got.at(-1)!;
    expect(isSigned(raw, headers['x-zevent-signature'], { ...keys, appId: '1' })).toBe(true);
  });

  test('an event that is not answered comes again five times, then the webhook is off', async () => {
    await server.webhook.set(hookUrl);
    server.webhook.answerMs = 60;
    reply = null;
    server.person({ id: '1', name: 'An' }).says('a');
    await server.webhook.idle();
    expect(got.slice(1).map(({ headers }) => headers.num_retry)).toEqual([
      undefined,
      '1',
      '2',
      '3',
      '4',
      '5',
    ]);
    expect(server.webhook.disabled).toBe(true);
    reply = 500;
    await expect(server.webhook.set(hookUrl)).rejects.toThrow('500');
  });

  test('files that people send are served, and die', async () => {
    const message = server.person({ id: '1', name: 'An' }).sendsPhoto(Buffer.from('jpeg'));
    const [{ payload }] = (message.raw as { parts: [{ payload: { url: string } }] }).parts;
    expect(await (await fetch(payload.url)).text()).toBe('jpeg');
    server.clock += 3_700_000;
    expect((await fetch(payload.url)).status).toBe(404);
  });

  test('uploads by content, size and ASCII name', async () => {
    const upload = async (kind: string, bytes: Buffer, name: string) => {
      const form = new FormData();
      form.set('file', new Blob([new Uint8Array(bytes)]), name);
      const headers = { access_token: server.tokens.accessToken };
      const response = await fetch(`${server.root}/v2.0/oa/upload/${kind}`, {
        method: 'POST',
        headers,
        body: form,
      });
      return ((await response.json()) as { error: number }).error;
    };
    const gif = Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7', 'base64');
    expect(await upload('gif', gif, 'a.gif')).toBe(0);
    expect(await upload('image', gif, 'a.jpg')).toBe(-201);
    expect(await upload('gif', gif, 'ảnh.gif')).toBe(-201);
    expect(await upload('gif', Buffer.concat([gif, Buffer.alloc(5_000_000)]), 'a.gif')).toBe(-210);
    expect(await upload('file', Buffer.from('%PDF-1.7\n'), 'a.pdf')).toBe(0);
    expect(await upload('file', Buffer.from('MZ\0\0'), 'a.csv')).toBe(-201);
  });

  test('the Bot Platform tells its webhook with its secret', async () => {
    const set = { url: hookUrl, secret_token: 'eight-or-more' };
    await call(`/bot${TEST_APP.botToken}/setWebhook`, set);
    server.botPerson({ id: 'c', name: 'An' }).says('a');
    while (server.bot.answers.length === 0) await server.bot.bell.next(AbortSignal.timeout(5000));
    expect(isFromBotPlatform(got[0]!.headers['x-bot-api-secret-token'], 'eight-or-more')).toBe(true);
    expect(JSON.parse(got[0]!.raw.toString())).toMatchObject({
      ok: true,
      result: { message: { text: 'a' } },
    });
  });
});
