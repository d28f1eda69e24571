import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { officersChats, tellOfficers } from '../../handlers/alerts/recipients.js';
import { type Chat, makeChat } from '../../src/chat/chat.js';
import { command } from '../../src/chat/command.js';
import { openTestDatabase, type TestDatabase } from '../support/database.js';
import { openHouse, type TestHouse } from '../support/house.js';
import { PLAIN_FALLBACKS } from '../support/talk.js';
import { TelegramServer, type TgGroup, type TgMessage, type TgPerson } from '../support/telegram-server.js';
import { silent } from '../web/stage.js';
import { channelTo } from './telegram-fixture.js';

const TOPIC = 77;
let server: TelegramServer;
let officer: TgPerson;
let forum: TgGroup;

beforeEach(async () => {
  server = await TelegramServer.start({ rates: false });
  officer = server.user({ id: 7_000_000_001, name: 'Hùng' });
  forum = server.group({ title: 'Nhóm cán bộ', by: officer, supergroup: true });
  forum.addsBot(officer, 'administrator');
  server.world.topics.add(`${forum.id}/${TOPIC}`);
});
afterEach(() => server.stop());

describe('an answer', () => {
  let db: TestDatabase;
  let chat: Chat;
  let dir: string;
  beforeEach(async () => {
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

  it('lands in the topic it was asked in, files and buttons too', async () => {
    officer.says('/anh', { in: forum, topic: TOPIC });
    expect(await landed()).toEqual(all(TOPIC));
    const photo = [...server.world.messages.values()].find((message) => message.reply_markup !== undefined);
    officer.presses('Lại', photo);
    expect((await landed()).slice(-4)).toEqual(all(TOPIC));
  });

  it('outside a topic lands in the group', async () => {
    officer.says('/anh', { in: forum });
    expect(await landed()).toEqual(all(undefined));
  });

  it('a topic that was deleted meanwhile swallows nothing', async () => {
    server.world.topics.clear();
    officer.says('/anh', { in: forum, topic: TOPIC });
    expect(await landed()).toEqual(all(undefined));
  });
});

describe('a group that was bound in a topic', () => {
  let house: TestHouse;
  const text = (message: TgMessage) => message.text ?? '';
  /** What the bot said in the group after `skip`: where, and the words. */
  const told = (skip = 0) =>
    [...server.world.messages.values()]
      .filter((message) => message.chat.id === forum.id && message.from?.id === server.world.bot.id)
      .map((message) => [message.message_thread_id, text(message)] as const)
      .slice(skip);
  const says = async (words: string, topic?: number) => {
    const skip = told().length;
    officer.says(words, { in: forum, ...(topic === undefined ? {} : { topic }) });
    await forum.receives(() => told().length > skip);
    return told(skip);
  };
  const alert = async (words: string) => {
    const skip = told().length;
    await tellOfficers(house.house, words, words);
    await forum.receives((message) => text(message) === words);
    return told(skip);
  };

  beforeEach(async () => {
    house = await openHouse({ others: [channelTo(server)] });
    const chief = await house.db.person.findFirstOrThrow({ where: { role: 'chief' } });
    const account = { channel: 'telegram', userId: String(officer.id), displayName: 'Hùng', createdMs: 1n };
    await house.db.address.create({ data: { ...account, personId: chief.id } });
    await forum.receives(/Chào cả nhóm/);
  });
  afterEach(() => house.close());

  it('is told things there, wherever it was bound last', async () => {
    expect(await says('/nhom cán bộ', TOPIC)).toEqual([
      [TOPIC, expect.stringMatching(/nhóm cán bộ.*trong chủ đề này/s)],
    ]);
    expect(await alert('mất hình 1')).toEqual([[TOPIC, 'mất hình 1']]);
    expect((await says('/nhom', TOPIC))[0]![1]).toContain('nằm trong chủ đề này');
    expect((await says('/nhom'))[0]![1]).toContain('ở chủ đề khác');
    const [bound] = await says('/nhom cán bộ');
    expect(bound![1]).not.toContain('chủ đề');
    expect(await alert('mất hình 2')).toEqual([[undefined, 'mất hình 2']]);
    expect((await says('/nhom', TOPIC))[0]![1]).toContain('ở chủ đề chung');
  });

  it('the topic is deleted: told once, and from then on in the general one', async () => {
    await says('/nhom cán bộ', TOPIC);
    const skip = told().length;
    server.world.topics.clear();
    expect((await alert('mất hình 1'))[0]).toEqual([undefined, 'mất hình 1']);
    await forum.receives((message) => /Chủ đề đã chọn/.test(text(message)));
    await alert('mất hình 2');
    await (await house.ready).chat.drained();
    const all = told(skip);
    expect(all.map(([topic]) => topic)).toEqual([undefined, undefined, undefined]);
    expect(all.filter(([, words]) => /Chủ đề đã chọn/.test(words))).toHaveLength(1);
    // not tried in vain again
    const tries = server.sent.filter((call) => call.params.text === 'mất hình 2');
    expect(tries).toHaveLength(1);
  });

  it('many at once are one message, in the topic', async () => {
    await says('/nhom cán bộ', TOPIC);
    const skip = told().length;
    const { chats } = await officersChats(house.db);
    const to = chats.find((one) => 'channel' in one && one.channel === 'telegram')!;
    server.fail('sendMessage', { status: 429, description: 'Too Many Requests', retryAfter: 1 });
    for (let n = 1; n <= 12; n += 1)
      await house.house.tell(to, `mất hình ${n}`, { key: `a${n}`, priority: 'alert', digest: 'outage' });
    await (await house.ready).chat.drained();
    expect(told(skip).map(([topic]) => topic)).toEqual(told(skip).map(() => TOPIC));
    expect(told(skip).some(([, words]) => /tin về camera/.test(words))).toBe(true);
  });
});
