import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Incoming, Message } from '../../src/chat/message.js';
import { Bell } from '../support/bell.js';
import { describeChannelContract } from './contract.js';
import { makeLogBook } from './telegram-fixture.js';
import { BOT_SECRET, type BotStage, makeBotFixture, makeBotStage } from './zalo-bot-fixture.js';

describeChannelContract('zalo-bot, polling', () => makeBotFixture('polling'));
describeChannelContract('zalo-bot, by webhook', () => makeBotFixture('webhook'));

const ID = '8812345678901234567';
const chat = { channel: 'zalo-bot', chatId: ID } as const;
let stage: BotStage;
let taken: Incoming[];
let refusals: number;
/** how often the platform had given an update when one was offered */
let given: number[];
let bell: Bell;

/** Writes down what comes, as often as it may. */
async function accept(incoming: Incoming) {
  given.push(stage.zalo.calls.filter(({ name }) => name === 'getUpdates').length);
  if (refusals > 0) {
    refusals -= 1;
    throw new Error('the disk is full');
  }
  taken.push(incoming);
  bell.ring();
  return { inboxId: taken.length, fresh: true };
}
const came = async (count: number): Promise<Message[]> => {
  const signal = AbortSignal.timeout(10_000);
  while (taken.length < count) await bell.next(signal);
  return taken as Message[];
};
const open = async (...about: Parameters<typeof makeBotStage>) => {
  stage = await makeBotStage(...about);
  await stage.channel.start(accept);
};
const hung = () => stage.zalo.botPerson({ id: ID, name: 'Lò Văn Hùng' });

describe('a bot of the Bot Platform', () => {
  beforeEach(() => {
    taken = [];
    refusals = 0;
    given = [];
    bell = new Bell();
  });
  afterEach(async () => {
    await stage.channel.stop();
    await stage.close();
  });

  describe('polling', () => {
    it('asks for nothing new before an update is written down, and loses none', async () => {
      refusals = 3;
      await open('polling');
      hung().says('một');
      hung().says('hai');
      expect((await came(2)).map(({ text }) => text)).toEqual(['một', 'hai']);
      expect(given).toEqual([1, 1, 1, 1, 2]);
    });

    it('takes off a webhook that an earlier life had set', async () => {
      stage = await makeBotStage('polling');
      stage.zalo.bot.webhook = { url: 'http://127.0.0.1:9/zalo/bot', secret: BOT_SECRET };
      await stage.channel.start(accept);
      await stage.zalo.called('deleteWebhook');
      hung().says('có nghe không');
      expect((await came(1))[0]?.text).toBe('có nghe không');
    });

    it('takes it off where somebody sets one later, and goes on', async () => {
      await open('polling');
      hung().says('trước');
      await came(1);
      stage.zalo.bot.webhook = { url: 'http://127.0.0.1:9/zalo/bot', secret: BOT_SECRET };
      // ends the poll that waits
      stage.zalo.bot.updates.push({});
      stage.zalo.bot.bell.ring();
      await stage.zalo.called('deleteWebhook');
      hung().says('có nghe không');
      expect((await came(2))[1]?.text).toBe('có nghe không');
    });

    it('goes on after a line that broke', async () => {
      stage = await makeBotStage('polling');
      stage.zalo.drop('getMe', 'before', 2);
      stage.zalo.drop('getUpdates', 'before', 2);
      await stage.channel.start(accept);
      await stage.channel.connected();
      expect(stage.channel.account()).toEqual({ id: '1459232241454765289', name: 'bot.mat.than' });
      hung().says('alô');
      expect((await came(1))[0]?.text).toBe('alô');
    });
  });

  describe('the start', () => {
    it('says in the log what this bot can do, and what not without a public address', async () => {
      const book = makeLogBook();
      await open('polling', { photos: false, log: book.log });
      await stage.channel.connected();
      const about = JSON.parse(book.lines.find((line) => line.includes('connected to the Zalo bot'))!);
      expect(about).toMatchObject({ type: 'BASIC', photos: false, hears: 'polling' });
      expect(book.text()).toContain('can send no pictures');
    });

    it('says so when its messages went to somebody else', async () => {
      const book = makeLogBook();
      stage = await makeBotStage('webhook', { log: book.log });
      stage.zalo.bot.webhook = { url: 'http://127.0.0.1:9/khac', secret: BOT_SECRET };
      await stage.channel.start(accept);
      await stage.zalo.called('setWebhook');
      expect(stage.zalo.bot.webhook.url).toBe(stage.hookUrl);
      expect(book.text()).toContain('went to another address until now');
      expect(book.text()).not.toContain('127.0.0.1:9');
    });

    it('keeps trying with a token that is refused, and says nothing of it to anybody', async () => {
      stage = await makeBotStage('polling', { token: 'sai' });
      await stage.channel.start(accept);
      await stage.zalo.called('getMe', 2);
      expect(stage.channel.account()).toBeNull();
      expect(stage.zalo.calls.filter(({ name }) => name !== 'getMe')).toEqual([]);
    });
  });

  describe('by webhook', () => {
    it('only who knows the secret is heard; everybody is answered alike', async () => {
      await open('webhook');
      await stage.zalo.called('setWebhook');
      const body = JSON.stringify({
        event_name: 'message.text.received',
        message: {
          message_id: 'm1',
          chat: { id: ID, chat_type: 'PRIVATE' },
          from: { id: ID },
          text: 'ảnh 1',
        },
      });
      const strange: Record<string, string>[] = [{}, { 'x-bot-api-secret-token': `${BOT_SECRET}x` }];
      for (const headers of strange)
        expect((await fetch(stage.hookUrl, { method: 'POST', body, headers })).status).toBe(200);
      expect(taken).toEqual([]);
      const headers = { 'x-bot-api-secret-token': BOT_SECRET };
      expect((await fetch(stage.hookUrl, { method: 'POST', body, headers })).status).toBe(200);
      expect((await came(1))[0]?.text).toBe('ảnh 1');
    });

    it('what could not be written down is not confirmed', async () => {
      refusals = 1;
      await open('webhook');
      await stage.zalo.called('setWebhook');
      const update = {
        event_name: 'message.text.received',
        message: { message_id: 'm1', chat: { id: ID }, from: { id: ID }, text: 'ảnh 1' },
      };
      expect(await stage.zalo.bot.post(update)).toBe(503);
      expect(await stage.zalo.bot.post(update)).toBe(200);
      expect(taken).toHaveLength(1);
    });
  });

  describe('what it takes and what not', () => {
    it('tells of a sticker, of what the platform does not pass on, and of what it may pass on one day', async () => {
      await open('polling');
      hung().sendsSticker();
      hung().sendsUnsupported();
      stage.zalo.bot.push({
        event_name: 'message.contact_card.received',
        message: { message_id: 'c1', chat: { id: ID, chat_type: 'PRIVATE' }, from: { id: ID }, card: {} },
      });
      for (const message of await came(3))
        expect(message).toMatchObject({ text: '', attachments: [], unreadable: true, chatKind: 'private' });
    });

    it('groups are beta there, and nothing of them is taken', async () => {
      await open('polling');
      stage.zalo.bot.push({
        event_name: 'message.text.received',
        message: {
          ...{ message_id: 'g1', chat: { id: 'nhom', chat_type: 'GROUP' }, text: 'chuyện riêng của nhóm' },
          from: { id: ID, display_name: 'Hùng' },
        },
      });
      hung().says('xong');
      expect((await came(1)).map(({ text }) => text)).toEqual(['xong']);
    });

    it('a voice is an attachment, and a photo in either field', async () => {
      await open('polling');
      hung().sendsVoice(Buffer.from('tiếng nói'));
      stage.zalo.bot.photoField = 'photo';
      hung().sendsPhoto(Buffer.from('ảnh'), 'ở cầu');
      const [voice, photo] = await came(2);
      expect(voice?.attachments.map(({ kind }) => kind)).toEqual(['audio']);
      expect(photo).toMatchObject({ text: 'ở cầu', attachments: [{ kind: 'photo' }] });
    });

    it('the platform fetches the very photo from our address; without a public address there are no photos', async () => {
      await open('polling');
      hung().says('ảnh 1');
      await came(1);
      const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'mat-than-bot-photo-'));
      const file = path.join(dir, 'a.jpg');
      await sharp({ create: { width: 320, height: 180, channels: 3, background: '#369' } })
        .jpeg()
        .toFile(file);
      const photo = { path: file, sizeBytes: fs.statSync(file).size, fileName: 'a.jpg' };
      await stage.channel.send(chat, { kind: 'photo', file: photo, caption: 'Cổng chợ' });
      const sent = await hung().receives('Cổng chợ');
      expect(sent.photo).toEqual(fs.readFileSync(file));
      expect(sent.photoUrl).toMatch(/\/p\/[\w-]{43}\.jpg$/);
      fs.rmSync(dir, { recursive: true });
      const without = await makeBotStage('polling', { photos: false });
      expect(without.channel.limits.photoBytes).toBe(0);
      await expect(without.channel.send(chat, { kind: 'photo', file: photo })).rejects.toMatchObject({
        kind: 'invalid',
      });
      await without.close();
    });
  });
});
