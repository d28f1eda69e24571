import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeTokens } from '../../src/store/tokens.js';
import { type Links, makeLinks, type OpenedLink } from '../../src/web/links.js';
import { makeWeb, type Web } from '../../src/web/server.js';
import { openTestDatabase, type TestDatabase } from '../support/database.js';
import { silent } from './stage.js';

let db: TestDatabase;
let web: Web;
let links: Links;
let dir = '';
let url = '';
let now = 0;
let opened: OpenedLink[] = [];

async function open(perMinute?: number) {
  links = makeLinks({
    tokens: makeTokens(db.database, { now: () => now }),
    folder: path.join(dir, 'links'),
    publicUrl: 'https://mat-than.example',
    opened: (link) => void opened.push(link),
    ...(perMinute === undefined ? {} : { perMinute }),
  });
  web = makeWeb({
    host: '127.0.0.1',
    port: 0,
    publicUrl: 'https://mat-than.example',
    log: silent,
    health: () => ({ ok: true }),
    metrics: new Registry(),
    routers: [links.router],
  });
  ({ url } = await web.start());
}
beforeEach(async () => {
  db = await openTestDatabase();
  dir = fs.mkdtempSync(path.join(os.tmpdir(), 'mat-than-links-'));
  now = 1_700_000_000_000;
  opened = [];
  await open();
});
afterEach(async () => {
  await web.stop(200);
  await db.close();
  fs.rmSync(dir, { recursive: true, force: true });
});

const HOUR = 3_600_000;
async function link(fileName: string, mime: string, content = '0123456789') {
  const file = path.join(dir, fileName);
  fs.writeFileSync(file, content);
  const made = await links.linkFor({ path: file, fileName, mime }, { personId: 7, ttlMs: HOUR });
  fs.rmSync(file);
  return { made, local: made.replace('https://mat-than.example', url) };
}
const kept = () => fs.readdirSync(path.join(dir, 'links'));

describe('a signed link', () => {
  it('serves the file although the original is gone, and tells of the opening', async () => {
    const { made, local } = await link('clip.mp4', 'video/mp4');
    expect(made).toMatch(/^https:\/\/mat-than\.example\/f\/[\w-]{43}$/);
    const answer = await fetch(local);
    expect(await answer.text()).toBe('0123456789');
    expect(answer.headers.get('content-type')).toBe('video/mp4');
    expect(answer.headers.get('cache-control')).toBe('private, no-store');
    expect(opened).toMatchObject([{ personId: 7, fileName: 'clip.mp4' }]);
  });

  it('serves ranges, as players ask for them', async () => {
    const { local } = await link('clip.mp4', 'video/mp4');
    const part = await fetch(local, { headers: { range: 'bytes=4-6' } });
    expect([part.status, await part.text(), part.headers.get('content-range')]).toEqual([
      206,
      '456',
      'bytes 4-6/10',
    ]);
    expect((await fetch(local, { headers: { range: 'bytes=99-' } })).status).toBe(416);
  });

  it('never lets a page run as ours', async () => {
    const { local } = await link('trang.html', 'text/html', '<script>1</script>');
    const answer = await fetch(local);
    expect(answer.headers.get('content-type')).toBe('application/octet-stream');
    expect(answer.headers.get('content-disposition')).toMatch(/^attachment/);
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
  });

  it('ends at its time, and the file goes', async () => {
    const { local } = await link('clip.mp4', 'video/mp4');
    now += HOUR - 1;
    await links.sweep();
    expect((await fetch(local)).status).toBe(200);
    now += 1;
    expect((await fetch(local)).status).toBe(410);
    await links.sweep();
    expect(kept()).toEqual([]);
    expect(await db.database.token.count()).toBe(0);
  });

  it('can be taken back', async () => {
    const { made, local } = await link('clip.mp4', 'video/mp4');
    await links.revoke(made);
    expect((await fetch(local)).status).toBe(410);
    await links.sweep();
    expect(kept()).toEqual([]);
  });

  it('leaves no file behind that no link knows', async () => {
    await link('clip.mp4', 'video/mp4');
    const orphan = path.join(dir, 'links', 'orphan.mp4');
    fs.writeFileSync(orphan, 'x');
    await links.sweep();
    expect(kept()).toHaveLength(2);
    fs.utimesSync(orphan, new Date(0), new Date(0));
    await links.sweep();
    expect(kept()).toHaveLength(1);
  });

  it('is not guessed', async () => {
    for (const token of ['A'.repeat(43), '..%2f..%2fx', 'x'])
      expect((await fetch(`${url}/f/${token}`)).status).toBe(410);
  });

  it('is opened only so often in a minute', async () => {
    await web.stop(200);
    await open(2);
    const { local } = await link('clip.mp4', 'video/mp4');
    const answers = [await fetch(local), await fetch(local), await fetch(local)];
    expect(answers.map((answer) => answer.status)).toEqual([200, 200, 429]);
  });
});
