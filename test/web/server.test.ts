import http from 'node:http';
import express from 'express';
import { Counter, Registry } from 'prom-client';
import { afterEach, describe, expect, it } from 'vitest';
import { hostName } from '../../src/web/guards.js';
import { makeWeb, type Web, type WebOptions } from '../../src/web/server.js';
import { silent } from './stage.js';

const running: Web[] = [];
afterEach(async () => {
  for (const web of running.splice(0)) await web.stop(200);
});

async function open(more: Partial<WebOptions> = {}) {
  const web = makeWeb({
    host: '127.0.0.1',
    port: 0,
    publicUrl: null,
    log: silent,
    health: () => ({ ok: true }),
    metrics: new Registry(),
    routers: [],
    ...more,
  });
  running.push(web);
  return { web, ...(await web.start()) };
}

/** A request with headers that fetch would not let through. */
const raw = (url: string, options: http.RequestOptions) =>
  new Promise<{ status: number; headers: http.IncomingHttpHeaders; body: string }>((resolve, reject) => {
    const request = http.request(url, options, (response) => {
      let body = '';
      response.on('data', (chunk) => {
        body += chunk;
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
      );
    });
    request.on('error', reject);
    request.end();
  });

describe('the web server', () => {
  it('says how it is', async () => {
    let ok = true;
    const { url } = await open({ health: () => ({ ok, cameras: 4 }) });
    const good = await fetch(`${url}/healthz`);
    expect([good.status, await good.json()]).toEqual([200, { ok: true, cameras: 4 }]);
    ok = false;
    expect((await fetch(`${url}/healthz`)).status).toBe(503);
  });

  it('prints metrics to this machine, and not through a proxy', async () => {
    const metrics = new Registry();
    new Counter({ name: 'messages_total', help: 'taken', registers: [metrics] }).inc(3);
    const { url } = await open({ metrics });
    expect(await (await fetch(`${url}/metrics`)).text()).toContain('messages_total 3');
    const proxied = await fetch(`${url}/metrics`, { headers: { 'x-forwarded-for': '203.0.113.9' } });
    expect(proxied.status).toBe(404);
  });

  it('says so when the disk is full', async () => {
    const router = express.Router();
    router.get('/x', () => {
      throw new Error('SQLITE_FULL: database or disk is full');
    });
    const { url } = await open({ routers: [router] });
    const answer = await fetch(`${url}/x`);
    expect([answer.status, await answer.text()]).toEqual([
      500,
      expect.stringContaining('Ổ đĩa của máy chủ đã đầy'),
    ]);
  });

  it('tells the world that it is well, and no more', async () => {
    const { url } = await open({ health: () => ({ ok: true, recorder: { cameras: { total: 30 } } }) });
    expect(await (await fetch(`${url}/healthz`)).json()).toMatchObject({
      recorder: { cameras: { total: 30 } },
    });
    const proxied = await fetch(`${url}/healthz`, { headers: { 'x-forwarded-for': '203.0.113.9' } });
    expect(await proxied.json()).toEqual({ ok: true });
  });

  it('answers no other name than its own while bound to loopback', async () => {
    const { url, port } = await open({ publicUrl: 'https://mat-than.example' });
    const status = async (host: string) => (await raw(`${url}/healthz`, { headers: { host } })).status;
    expect(await status(`127.0.0.1:${port}`)).toBe(200);
    expect(await status(`localhost:${port}`)).toBe(200);
    expect(await status('mat-than.example')).toBe(200);
    expect(await status(`evil.example:${port}`)).toBe(421);
    expect(await status('127.0.0.1.evil.example')).toBe(421);
    expect(await status('127.evil.example')).toBe(421);
    expect(await status('localhost@evil.example')).toBe(421);
  });

  describe('by its public name', () => {
    const publicUrl = 'https://mat-than.example';
    const routers = () => {
      const [inside, outside] = [express.Router(), express.Router()];
      for (const path of ['/console', '/console/api/state', '/login/x'])
        inside.get(path, (_request, response) => void response.send('inside'));
      inside.post('/console/api/say', (_request, response) => void response.send('inside'));
      outside.get('/m/x', (_request, response) => void response.send('outside'));
      outside.post('/telegram/x', (_request, response) => void response.send('outside'));
      return { routers: [inside], publicRouters: [outside], home: '/console' };
    };
    /** every way in from outside: the public name, a proxy that keeps our own name, headers of a tunnel */
    const WAYS: [string, http.OutgoingHttpHeaders][] = [
      ['Host', { host: 'mat-than.example' }],
      ['Host with a port', { host: 'MAT-THAN.example:443' }],
      ['X-Forwarded-For', { 'x-forwarded-for': '203.0.113.9' }],
      ['X-Forwarded-Host', { 'x-forwarded-host': '127.0.0.1' }],
      ['Forwarded', { forwarded: 'for=127.0.0.1;host=127.0.0.1' }],
      ['CF-Connecting-IP', { 'cf-connecting-ip': '127.0.0.1' }],
    ];
    const INSIDE = ['/', '/console', '/console/api/state', '/login/x', '/metrics'];

    it.each(WAYS)('only what must be public is (%s)', async (_, headers) => {
      const health = () => ({ ok: true, recorder: { cameras: 30 } });
      const { url } = await open({ publicUrl, ...routers(), health });
      expect(JSON.parse((await raw(`${url}/healthz`, { headers })).body)).toEqual({ ok: true });
      for (const path of INSIDE) {
        const answer = await raw(`${url}${path}`, { headers });
        expect([path, answer.status, answer.body]).toEqual([path, 404, 'Không có trang này.']);
        expect((await raw(`${url}${path}`, {})).status, path).toBeLessThan(400);
      }
      const say = { method: 'POST', headers: { ...headers, origin: publicUrl } };
      expect((await raw(`${url}/console/api/say`, say)).status).toBe(404);
      expect((await raw(`${url}/m/x`, { headers })).body).toBe('outside');
      expect((await raw(`${url}/assets/base.css`, { headers })).status).toBe(200);
      // a platform's webhook comes from no page of ours
      expect((await raw(`${url}/telegram/x`, { method: 'POST', headers })).body).toBe('outside');
    });

    it.each(WAYS)('CONSOLE=1 opens the console there, and never the metrics (%s)', async (_, headers) => {
      const { url } = await open({ publicUrl, ...routers(), openInside: true });
      expect((await raw(`${url}/console`, { headers })).body).toBe('inside');
      expect((await raw(`${url}/metrics`, { headers })).status).toBe(404);
    });

    it('says to browsers to come by https only, when it is https', async () => {
      const headers = { host: 'mat-than.example' };
      const { url } = await open({ publicUrl, ...routers() });
      expect((await raw(`${url}/m/x`, { headers })).headers['strict-transport-security']).toContain(
        'max-age=',
      );
      const plain = await open({ publicUrl: 'http://mat-than.example', ...routers() });
      const forged = { ...headers, 'x-forwarded-proto': 'https' };
      const answer = await raw(`${plain.url}/m/x`, { headers: forged });
      expect(answer.headers['strict-transport-security']).toBeUndefined();
    });
  });

  it('refuses changes that do not come from a page of ours', async () => {
    const router = express.Router();
    router.post('/do', (_request, response) => void response.json({ done: true }));
    const { url } = await open({ routers: [router], publicUrl: 'https://mat-than.example' });
    const status = async (headers: http.OutgoingHttpHeaders) =>
      (await raw(`${url}/do`, { method: 'POST', headers })).status;
    expect(await status({ origin: url })).toBe(200);
    expect(await status({ origin: 'https://mat-than.example' })).toBe(200);
    expect(await status({})).toBe(403);
    expect(await status({ origin: 'null' })).toBe(403);
    expect(await status({ origin: 'http://evil.example' })).toBe(403);
    expect(await status({ origin: 'http://localhost:1' })).toBe(403);
    expect(await status({ origin: url, 'sec-fetch-site': 'cross-site' })).toBe(403);
  });

  it('allows no script but its own, and no frame around it', async () => {
    const { url } = await open();
    const { headers } = await fetch(`${url}/healthz`);
    const policy = headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toContain('unsafe');
    expect(headers.get('x-frame-options')).toBe('DENY');
    expect(headers.get('x-powered-by')).toBeNull();
  });

  it('serves the pages and the font, and nothing beside them', async () => {
    const { url } = await open();
    const font = await fetch(`${url}/assets/fonts/be-vietnam-pro-vietnamese-400-normal.woff2`);
    expect([font.status, font.headers.get('content-type')]).toEqual([200, 'font/woff2']);
    expect((await fetch(`${url}/assets/console.js`)).status).toBe(200);
    for (const path of [
      '/assets/..%2fserver.ts',
      '/assets/%2e%2e/server.ts',
      '/assets/fonts/..%2f..%2fpackage.json',
      '/assets/console.html',
    ])
      expect((await raw(`${url}${path}`, {})).status, path).toBe(404);
  });

  it('says in a sentence that its port is taken', async () => {
    const { port } = await open();
    await expect(open({ port })).rejects.toThrow(`Cổng ${port} đang có chương trình khác dùng`);
  });

  it('keeps faults of ours to itself', async () => {
    const router = express.Router();
    router.get('/break', () => {
      throw new Error('secret place /var/lib/x');
    });
    const { url } = await open({ routers: [router] });
    const answer = await fetch(`${url}/break`);
    expect([answer.status, await answer.text()]).toEqual([
      500,
      'Hệ thống vừa gặp lỗi. Xin thử lại sau ít phút.',
    ]);
  });

  it('stops at once although live streams and idle connections are open', async () => {
    const router = express.Router();
    router.get('/live', (_request, response) => {
      response.set('Content-Type', 'text/event-stream').write('data: 1\n\n');
    });
    const { web, url } = await open({ routers: [router] });
    const agent = new http.Agent({ keepAlive: true });
    await raw(`${url}/healthz`, { agent });
    const live = await fetch(`${url}/live`);
    const reader = live.body!.getReader();
    await reader.read();
    const before = performance.now();
    await web.stop(5_000);
    expect(performance.now() - before).toBeLessThan(2_500);
    expect((await reader.read()).done).toBe(true);
    agent.destroy();
    await expect(fetch(`${url}/healthz`)).rejects.toThrow();
  });
});

describe('the name in a Host header', () => {
  it.each([
    ['127.0.0.1:8600', '127.0.0.1'],
    ['LocalHost', 'localhost'],
    ['[::1]:8600', '::1'],
    ['a b', null],
    ['x@y', null],
    ['', null],
    [undefined, null],
  ])('%s → %s', (header, name) => expect(hostName(header)).toBe(name));
});
