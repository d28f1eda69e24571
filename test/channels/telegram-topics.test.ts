import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Chat, makeChat } from '../../src/chat/chat.js';
import { command } from '../../src/chat/command.js';
import { openTestDatabase, type TestDatabase } from '../support/database.js';
import { PLAIN_FALLBACKS } from '../support/talk.js';
import { TelegramServer, type TgGroup, type TgPerson } from '../support/telegram-server.js';
import { silent } from '../web/stage.js';
import { channelTo } from './telegram-fixture.js';

const TOPIC = 77;
let server: TelegramServer;
let officer: TgPerson;
let forum: TgGroup;
let db: TestDatabase;
let chat: Chat;
let dir: string;

beforeEach(async () => {
  server = await TelegramServer.start({ rates: false });
  officer = server.user({ id: 7_000_000_001, name: 'Hùng' });
  forum = server.group({ title: 'Nhóm cán bộ', by: officer, supergroup: true });
  forum.addsBot(officer, 'administrator');
  server.world.topics.add(`${forum.id}/${TOPIC}`);
  db = await openTestDatabase();
  dir = fs.mkdtempSync(path.join(os.tmpdir(), 'telegram-topics-'));
  const picture = await sharp({ create: { width: 64, height: 36, channels: 3, background: '#369' } })
    .jpeg()
    .toBuffer();
  chat = makeChat({
    database: db.database,
    clock: { now: Date.now },
    log: silent,
    channels: [channelTo(server)],
    commands: [
      command<null>({
        ...{ name: 'anh', aliases: [], summary: '', example: '', may: 'everybody' },
        ...{ inGroups: true, section: 'xem' },
        read: async () => ({ kind: 'args', args: null }),
        async run(talk) {
          const file = await talk.spool('a.jpg');
          fs.writeFileSync(file, picture);
          const photo = { path: file, sizeBytes: picture.length, fileName: 'a.jpg' };
          const one = { kind: 'photo' as const, file: photo, width: 64, height: 36 };
          await talk.reply({ ...one, buttons: [[{ label: 'Lại', says: '/anh' }]] });
          await talk.reply({ kind: 'album', items: [one, one] });
          await talk.reply('xong');
        },
      }),
    ],
    fallbacks: PLAIN_FALLBACKS,
    spoolDir: path.join(dir, 'spool'),
  });
  await chat.start();
});
afterEach(async () => {
  await chat.stop();
  await server.stop();
  await db.close();
  fs.rmSync(dir, { recursive: true, force: true });
});

const landed = async () => {
  await server.next((call) => call.ok && call.params.text === 'xong');
  return server.sent
    .filter((call) => call.ok && /^send(?!Chat)/.test(call.method))
    .flatMap((call) => call.messages.map((message) => [call.method, message.message_thread_id]));
};
const all = (topic: number | undefined) => [
  ['sendPhoto', topic],
  ['sendMediaGroup', topic],
  ['sendMediaGroup', topic],
  ['sendMessage', topic],
];

it('answers land in the topic they were asked in, files and buttons too', async () => {
  officer.says('/anh', { in: forum, topic: TOPIC });
  expect(await landed()).toEqual(all(TOPIC));
  const photo = [...server.world.messages.values()].find((message) => message.reply_markup !== undefined);
  officer.presses('Lại', photo);
  expect((await landed()).slice(-4)).toEqual(all(TOPIC));
});

it('outside a topic they land in the group', async () => {
  officer.says('/anh', { in: forum });
  expect(await landed()).toEqual(all(undefined));
});

it('a topic that was deleted meanwhile swallows nothing', async () => {
  server.world.topics.clear();
  officer.says('/anh', { in: forum, topic: TOPIC });
  expect(await landed()).toEqual(all(undefined));
});
