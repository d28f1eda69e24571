import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { ROLE_NAMES } from '../../src/base/roles.js';
import { type ConsoleChannel, makeConsoleChannel } from '../../src/channels/console/channel.js';
import { makeMembers } from '../../src/channels/console/members.js';
import type { Message } from '../../src/chat/message.js';
import { makeConsoleStore } from '../../src/store/console.js';
import { consoleAccount, personById, removePerson } from '../../src/store/people.js';
import { makeSessions } from '../../src/store/sessions.js';
import { makeTokens } from '../../src/store/tokens.js';
import { sendPage } from '../../src/web/assets.js';
import { type Login, makeLogin } from '../../src/web/login.js';
import { makeWeb, type Web } from '../../src/web/server.js';
import { openTestDatabase, type TestDatabase } from '../support/database.js';
import { projectRoot } from '../support/project-root.js';
import { silent } from './stage.js';

let db: TestDatabase;
let web: Web;
let channel: ConsoleChannel;
let login: Login;
let url = '';
let personId = 0;
let dir = '';
const taken: Message[] = [];

beforeEach(async () => {
  db = await openTestDatabase();
  dir = fs.mkdtempSync(path.join(os.tmpdir(), 'mat-than-members-'));
  taken.length = 0;
  const person = await db.database.person.create({
    data: { name: 'Phạm Thị Hà', role: 'officer', createdMs: 0n },
  });
  personId = person.id;
  const store = makeConsoleStore(db.database);
  const account = async (id: number) => {
    const known = await personById(db.database, id);
    if (known === null || known.role === 'guest') return null;
    const userId = await consoleAccount(db.database, known, 0);
    return { userId, name: known.name, roleName: ROLE_NAMES[known.role] };
  };
  login = makeLogin({
    tokens: makeTokens(db.database, systemClock),
    sessions: makeSessions(db.database, systemClock),
    clock: systemClock,
    log: silent,
    publicUrl: null,
    localUrl: () => url,
    mayEnter: async (id) => (await account(id)) !== null,
  });
  channel = makeConsoleChannel({
    store,
    folder: path.join(dir, 'console'),
    clock: systemClock,
    log: silent,
    keepDays: 30,
    baseUrl: () => url,
    sendPage,
    gate: makeMembers({
      who: login.who,
      account,
      groupsOf: async () => [{ chatId: 'g1', title: 'Cán bộ' }],
      exists: async () => true,
    }),
  });
  web = makeWeb({
    host: '127.0.0.1',
    port: 0,
    publicUrl: null,
    log: silent,
    health: () => ({ ok: true }),
    metrics: new Registry(),
    routers: [login.router, channel.router],
  });
  ({ url } = await web.start());
  await channel.start(async (incoming) => {
    if (incoming.kind === 'message') taken.push(incoming);
    return { inboxId: taken.length, fresh: true };
  });
});
afterEach(async () => {
  await channel.stop();
  await web.stop(200);
  await db.close();
  fs.rmSync(dir, { recursive: true, force: true });
});

async function enter() {
  const token = (await login.linkFor(personId)).split('/').at(-1) as string;
  const answer = await fetch(`${url}/login`, {
    method: 'POST',
    redirect: 'manual',
    headers: { origin: url },
    body: new URLSearchParams({ token }),
  });
  return (answer.headers.get('set-cookie') ?? '').split(';')[0] as string;
}
interface State {
  csrf: string;
  people: null;
  person: { userId: string };
  chats: { chatId: string }[];
}
const state = (cookie: string, more = '') =>
  fetch(`${url}/console/api/state${more}`, { headers: { cookie } });
const say = (cookie: string, csrf: string, chatId: string) =>
  fetch(`${url}/console/api/say?as=truong`, {
    method: 'POST',
    headers: { cookie, origin: url, 'x-csrf': csrf, 'content-type': 'application/json' },
    body: JSON.stringify({ chatId, clientId: crypto.randomUUID(), text: 'ảnh 1' }),
  });

describe('the console outside the demo', () => {
  it('lets nobody act as somebody else', async () => {
    const cookie = await enter();
    const { csrf, people, person } = (await (await state(cookie, '?as=truong')).json()) as State;
    expect([people, person.userId]).toEqual([null, `p${personId}`]);
    expect((await say(cookie, csrf, 'truong')).status).toBe(403);
    expect((await say(cookie, csrf, person.userId)).status).toBe(200);
    expect(taken.map((message) => message.sender)).toEqual([{ userId: `p${personId}`, name: 'Phạm Thị Hà' }]);
    const address = await db.database.address.findFirst({ where: { channel: 'console' } });
    expect(address).toMatchObject({ userId: `p${personId}`, personId });
  });

  it('shows the page to everybody and nothing in it without a login', async () => {
    const page = await fetch(`${url}/console`);
    expect([page.status, page.headers.get('set-cookie')]).toEqual([200, null]);
    for (const where of ['state', 'lines?chat=g1', 'events'])
      expect((await fetch(`${url}/console/api/${where}`)).status, where).toBe(401);
    expect((await fetch(`${url}/console/files/1/0`)).status).toBe(401);
  });

  it('ends for who is removed', async () => {
    const cookie = await enter();
    expect((await state(cookie)).status).toBe(200);
    await removePerson(db.database, personId, 1);
    expect((await state(cookie)).status).toBe(401);
  });

  it('has no door of the demo', async () => {
    const cookie = await enter();
    expect((await fetch(`${url}/console/api/turn/1`, { headers: { cookie } })).status).toBe(404);
  });

  it('does not load the code that lets one act as somebody else', () => {
    const sources = fs
      .readdirSync(path.join(projectRoot, 'src'), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'));
    for (const file of sources) {
      const text = fs.readFileSync(path.join(projectRoot, 'src', file), 'utf8');
      expect(text, file).not.toMatch(/^(?:import|export) (?!type\b)[^;]*\/personas\.js'/m);
    }
  });
});
