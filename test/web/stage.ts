import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { type Clock, systemClock } from '../../src/base/clock.js';
import { type ConsoleChannel, makeConsoleChannel } from '../../src/channels/console/channel.js';
import { makePersonas, type Personas } from '../../src/channels/console/personas.js';
import type { Message, Reply } from '../../src/chat/message.js';
import { makeConsoleStore } from '../../src/store/console.js';
import { sendPage } from '../../src/web/assets.js';
import { cookie, isLocal } from '../../src/web/guards.js';
import { makeWeb } from '../../src/web/server.js';
import { openTestDatabase } from '../support/database.js';

export const PEOPLE = [
  { userId: 'truong', name: 'Lê Quang Minh', roleName: 'trưởng công an' },
  { userId: 'canbo', name: 'Phạm Thị Hà', roleName: 'cán bộ công an' },
  { userId: 'thon1', name: 'Bùi Văn Tuyên', roleName: 'trưởng thôn' },
  { userId: 'kythuat', name: 'Nguyễn Đức Long', roleName: 'kỹ thuật viên' },
  { userId: 'ho', name: 'Trương Thị Lan', roleName: 'hộ thành viên' },
  { userId: 'nguoiungho', name: 'Đỗ Hữu Nghĩa', roleName: 'người ủng hộ' },
  { userId: 'khach', name: 'Khách', roleName: 'khách' },
];
export const GROUPS = [
  { chatId: 'nhom-canbo', title: 'Cán bộ công an xã', members: ['truong', 'canbo', 'kythuat'] },
  { chatId: 'nhom-thon1', title: 'Thôn 1', members: ['thon1', 'ho', 'canbo'] },
  { chatId: 'nhom-chung', title: 'Camera an ninh xã', members: PEOPLE.map((person) => person.userId) },
];

export const silent = pino({ level: 'silent' });

/** What the stage's bot says to a message; nothing by default. */
export type Script = (
  message: Message,
  say: (reply: Reply, options?: { replaces?: string }) => Promise<string>,
) => Promise<void>;

export interface Stage {
  url: string;
  dir: string;
  channel: ConsoleChannel;
  personas: Personas;
  taken: Message[];
  keyFile: string;
  /** answers of the bot to what comes next */
  script: Script;
  /** a request as the demo's own page sends it */
  ask(where: string, init?: RequestInit): Promise<Response>;
  /** says something as a person; the answer's JSON */
  say(as: string, words: Record<string, unknown>): Promise<Response>;
  /** the web server goes away, and comes back under the same address */
  cutOff(): Promise<void>;
  comeBack(): Promise<void>;
  stop(): Promise<void>;
}

/** The demo's console over real HTTP and a real database; the bot behind it is a script of the test. */
export async function openStage(
  options: { clock?: Clock; port?: number; keyFile?: (dir: string) => string; start?: boolean } = {},
): Promise<Stage> {
  const db = await openTestDatabase();
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'mat-than-console-'));
  const keyFile = options.keyFile?.(dir) ?? path.join(dir, 'say.json');
  const turns = new Map<number, Promise<void>>();
  let url = '';
  const personas = makePersonas({
    people: () => PEOPLE,
    groups: () => GROUPS,
    keyFile,
    isLocal,
    cookie,
    turnDone: (inboxId) => turns.get(inboxId) ?? Promise.resolve(),
    answers: (inboxId, chats) => channel.answers(inboxId, chats),
  });
  const channel = makeConsoleChannel({
    store: makeConsoleStore(db.database),
    folder: path.join(dir, 'console'),
    clock: options.clock ?? systemClock,
    log: silent,
    gate: personas,
    baseUrl: () => url,
    keepDays: 30,
    sendPage,
  });
  const openWeb = (port: number) =>
    makeWeb({
      host: '127.0.0.1',
      port,
      publicUrl: null,
      log: silent,
      health: () => ({ ok: true }),
      metrics: new Registry(),
      routers: [channel.router],
      home: '/console',
    });
  let web = openWeb(options.port ?? 0);
  ({ url } = await web.start());
  personas.announce(url);
  const { key } = JSON.parse(fs.readFileSync(keyFile, 'utf8')) as { key: string };

  const ask: Stage['ask'] = (where, init = {}) =>
    fetch(new URL(where, url), {
      ...init,
      headers: { origin: url, cookie: `matthan-demo=${key}`, ...init.headers },
    });
  const { csrf } = (await (await ask('/console/api/state')).json()) as { csrf: string };

  const stage: Stage = {
    url,
    dir,
    channel,
    personas,
    taken: [],
    keyFile,
    script: async () => {},
    ask,
    say: (as, words) =>
      ask(`/console/api/say?as=${as}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-csrf': csrf },
        body: JSON.stringify({ clientId: crypto.randomUUID(), chatId: as, ...words }),
      }),
    cutOff: () => web.stop(0),
    async comeBack() {
      web = openWeb(Number(new URL(url).port));
      await web.start();
    },
    async stop() {
      await channel.stop();
      await web.stop(200);
      personas.retire();
      await db.close();
      fs.rmSync(dir, { recursive: true, force: true });
    },
  };
  let inboxId = 0;
  const known = new Map<string, number>();
  if (options.start !== false)
    await channel.start(async (incoming) => {
      const before = known.get(incoming.externalId);
      if (before !== undefined) return { inboxId: before, fresh: false };
      inboxId += 1;
      const id = inboxId;
      known.set(incoming.externalId, id);
      if (incoming.kind === 'message') {
        stage.taken.push(incoming);
        turns.set(
          id,
          stage.script(incoming, async (reply, more = {}) => {
            const to = { channel: 'console' as const, chatId: incoming.chatId };
            return (await channel.send(to, reply, { inboxId: id, ...more })).ids[0] as string;
          }),
        );
      }
      return { inboxId: id, fresh: true };
    });
  return stage;
}
