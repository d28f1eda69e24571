import express from 'express';
import { chromium as engine } from 'playwright-core';
import { Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeMembers } from '../../src/channels/console/members.js';
import { makeHub } from '../../src/channels/console/stream.js';
import { makeSessions } from '../../src/store/sessions.js';
import { makeTokens } from '../../src/store/tokens.js';
import { LOGIN_LINK_MS, type Login, makeLogin, SESSION_MS } from '../../src/web/login.js';
import { makeWeb, type Web } from '../../src/web/server.js';
import { openTestDatabase, type TestDatabase } from '../support/database.js';
import { chromium, chromiumPath } from '../support/debian.js';
import { silent } from './stage.js';

const OFFICER = 7;
let db: TestDatabase;
let web: Web;
let login: Login;
let url = '';
let now = 1_700_000_000_000;
let mayEnter = true;
const hub = makeHub();

beforeEach(async () => {
  db = await openTestDatabase();
  mayEnter = true;
  await open();
});
afterEach(async () => {
  hub.close();
  await web.stop(200);
  await db.close();
});

async function open(more: { publicUrl?: string; attempts?: number } = {}) {
  const clock = { now: () => now };
  const publicUrl = more.publicUrl ?? null;
  login = makeLogin({
    tokens: makeTokens(db.database, clock),
    sessions: makeSessions(db.database, clock),
    clock,
    log: silent,
    publicUrl,
    localUrl: () => url,
    mayEnter: async () => mayEnter,
    ...(more.attempts === undefined ? {} : { attempts: more.attempts }),
  });
  const gate = makeMembers({
    who: login.who,
    account: async (personId) => ({ userId: `nguoi-${personId}`, name: 'Hà', roleName: 'cán bộ' }),
    groupsOf: async () => [],
    exists: async () => true,
  });
  const router = express.Router();
  router.get('/me', async (request, response) => {
    const session = await login.who(request);
    response.status(session === null ? 401 : 200).json(session);
  });
  router.get('/live', async (request, response) => {
    const pass = await gate.enter(request);
    if (pass === null) return void response.status(401).end();
    hub.open(response, pass, '', () => gate.enter(request));
  });
  web = makeWeb({
    host: '127.0.0.1',
    port: 0,
    publicUrl,
    log: silent,
    health: () => ({ ok: true }),
    metrics: new Registry(),
    routers: [login.router, router],
  });
  ({ url } = await web.start());
}

const post = (path: string, fields: Record<string, string>, headers: Record<string, string> = {}) =>
  fetch(url + path, {
    method: 'POST',
    redirect: 'manual',
    headers: { origin: url, ...headers },
    body: new URLSearchParams(fields),
  });
const tokenOf = (link: string) => link.slice(link.lastIndexOf('/') + 1);

/** Follows a link as a person does; the cookie for the next requests. */
async function enter(): Promise<string> {
  const answer = await post('/login', { token: tokenOf(await login.linkFor(OFFICER)) });
  expect(answer.status).toBe(303);
  return (answer.headers.get('set-cookie') ?? '').split(';')[0] as string;
}
const me = (cookie: string) => fetch(`${url}/me`, { headers: { cookie } });

describe('the login', () => {
  it('lets in by a link, once', async () => {
    const token = tokenOf(await login.linkFor(OFFICER, '/console#rieng'));
    const answer = await post('/login', { token });
    expect([answer.status, answer.headers.get('location')]).toEqual([303, '/console#rieng']);
    const cookie = answer.headers.get('set-cookie') ?? '';
    expect(cookie).toMatch(/HttpOnly/);
    expect(cookie).toMatch(/SameSite=Strict/);
    expect((await me(cookie.split(';')[0] as string)).status).toBe(200);
    expect((await post('/login', { token })).status).toBe(410);
  });

  it('lets only one in when a link is used twice at the same moment', async () => {
    const token = tokenOf(await login.linkFor(OFFICER));
    const answers = await Promise.all([1, 2, 3, 4].map(() => post('/login', { token })));
    expect(answers.map((answer) => answer.status).sort()).toEqual([303, 410, 410, 410]);
  });

  it('is not used up by a preview of the link', async () => {
    const link = await login.linkFor(OFFICER);
    for (let i = 0; i < 3; i++) {
      const page = await fetch(link);
      expect(page.status).toBe(200);
      expect(page.headers.get('set-cookie')).toBeNull();
      expect(await page.text()).toContain('<form method="post" action="/login">');
    }
    expect((await post('/login', { token: tokenOf(link) })).status).toBe(303);
  });

  it('ends a link after ten minutes', async () => {
    const link = await login.linkFor(OFFICER);
    now += LOGIN_LINK_MS;
    expect((await fetch(link)).status).toBe(410);
    expect((await post('/login', { token: tokenOf(link) })).status).toBe(410);
  });

  it('keeps neither link nor cookie in the database', async () => {
    const link = await login.linkFor(OFFICER);
    const cookie = await enter();
    const kept = JSON.stringify(
      [await db.database.token.findMany(), await db.database.session.findMany()],
      (_key, value) => (typeof value === 'bigint' ? String(value) : value),
    );
    expect(kept).not.toContain(tokenOf(link));
    expect(kept).not.toContain(cookie.split('=')[1]);
  });

  it('ends the session after twelve hours', async () => {
    const cookie = await enter();
    now += SESSION_MS - 1;
    expect((await me(cookie)).status).toBe(200);
    now += 1;
    expect((await me(cookie)).status).toBe(401);
  });

  it('ends the session when the role ends, and it stays ended', async () => {
    const cookie = await enter();
    mayEnter = false;
    expect((await me(cookie)).status).toBe(401);
    mayEnter = true;
    expect((await me(cookie)).status).toBe(401);
  });

  it('gives no session to somebody whose role ended after the link was made', async () => {
    const link = await login.linkFor(OFFICER);
    mayEnter = false;
    const answer = await post('/login', { token: tokenOf(link) });
    expect([answer.status, answer.headers.get('set-cookie')]).toEqual([410, null]);
  });

  it('ends the live stream too when the role ends', async () => {
    const cookie = await enter();
    const live = await fetch(`${url}/live`, { headers: { cookie } });
    const reader = live.body!.pipeThrough(new TextDecoderStream()).getReader();
    expect((await reader.read()).value).toContain('event: hello');
    mayEnter = false;
    await hub.recheck();
    hub.publish('line', 'nguoi-7', { text: 'footage' });
    let rest = '';
    for (let part = await reader.read(); !part.done; part = await reader.read()) rest += part.value;
    expect(rest).toContain('event: bye');
    expect(rest).not.toContain('footage');
  });

  it('logs out only with the token of the page', async () => {
    const cookie = await enter();
    const { csrf } = (await (await me(cookie)).json()) as { csrf: string };
    expect((await post('/logout', {}, { cookie })).status).toBe(403);
    expect((await post('/logout', {}, { cookie, 'x-csrf': 'wrong' })).status).toBe(403);
    expect((await me(cookie)).status).toBe(200);
    expect((await post('/logout', {}, { cookie, 'x-csrf': csrf })).status).toBe(200);
    expect((await me(cookie)).status).toBe(401);
  });

  it('ends everything of a person on request', async () => {
    const cookie = await enter();
    const link = await login.linkFor(OFFICER);
    await login.end(OFFICER);
    expect((await me(cookie)).status).toBe(401);
    expect((await fetch(link)).status).toBe(410);
  });

  it('leads to no other server', async () => {
    for (const next of ['//evil.example', 'https://evil.example', '/\\evil.example', 'console']) {
      const answer = await post('/login', { token: tokenOf(await login.linkFor(OFFICER, next)) });
      expect(answer.headers.get('location')).toBe('/console');
    }
  });

  it('slows down who tries often', async () => {
    await web.stop(200);
    await open({ attempts: 3 });
    const guess = () => post('/login', { token: 'A'.repeat(43) });
    expect([(await guess()).status, (await guess()).status, (await guess()).status]).toEqual([410, 410, 410]);
    expect((await guess()).status).toBe(429);
  });

  it('asks for HTTPS in the cookie when the public address has it', async () => {
    await web.stop(200);
    await open({ publicUrl: 'https://mat-than.example' });
    const link = await login.linkFor(OFFICER);
    expect(link).toMatch(/^https:\/\/mat-than\.example\/login\/[\w-]{43}$/);
    const answer = await post('/login', { token: tokenOf(link) });
    expect(answer.headers.get('set-cookie')).toMatch(/^__Host-matthan=[^;]+;.*Secure/);
  });
});

it.skipIf(!chromium.available)('lets a real browser in, by the button on the page of the link', async () => {
  const browser = await engine.launch({ executablePath: chromiumPath as string, args: ['--no-sandbox'] });
  try {
    const page = await browser.newPage();
    await page.goto(await login.linkFor(OFFICER, '/me'));
    await Promise.all([page.waitForURL('**/me'), page.getByRole('button', { name: 'Vào trang' }).click()]);
    expect(JSON.parse((await page.textContent('body')) ?? '')).toMatchObject({ personId: OFFICER });
  } finally {
    await browser.close();
  }
});
