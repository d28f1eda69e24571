import fs from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Message } from '../../src/chat/message.js';
import { makeMp4 } from './mp4.js';
import { channelTo, makeLogBook } from './telegram-fixture.js';
import { type Stage, setStage } from './telegram-stage.js';

describe('Telegram: giving', () => {
  let stage: Stage;
  let server: Stage['server'];
  let officer: Stage['officer'];
  let group: Stage['group'];
  let dir: string;
  let open: Stage['open'];
  let here: Stage['here'];
  let file: Stage['file'];

  beforeEach(async () => {
    stage = await setStage();
    ({ server, officer, group, dir, open, here, file } = stage);
  });
  afterEach(() => stage.clear());

  describe('sending', () => {
    beforeEach(() => {
      officer.says('chào');
    });

    it('gives a video its size, length and streaming', async () => {
      const { channel } = await open();
      await channel.send(here(), {
        kind: 'video',
        file: file('clip.mp4', makeMp4({ sound: true })),
        width: 1280,
        height: 720,
        durationMs: 30_400,
      });
      const sent = await server.next('sendVideo');
      expect(sent.params).toMatchObject({
        width: '1280',
        height: '720',
        duration: '30',
        supports_streaming: true,
      });
      expect(sent.files[0]?.fileName).toBe('clip.mp4');
    });

    it('sends photos and clips in one album, one alone as itself, and refuses more than ten', async () => {
      const { channel } = await open();
      const jpeg = await sharp({ create: { width: 64, height: 36, channels: 3, background: 'red' } })
        .jpeg()
        .toBuffer();
      const photo = { kind: 'photo' as const, file: file('a.jpg', jpeg) };
      const video = {
        kind: 'video' as const,
        file: file('b.mp4', makeMp4({ sound: true })),
        width: 640,
        height: 360,
        durationMs: 4000,
      };
      const sent = await channel.send(here(), { kind: 'album', items: [photo, video], caption: 'Đêm qua' });
      const { messages } = await server.next('sendMediaGroup');
      expect(messages.map((message) => String(message.message_id))).toEqual(sent.ids);
      expect(messages[0]).toMatchObject({ caption: 'Đêm qua', media_group_id: messages[1]?.media_group_id });
      expect(messages[1]?.video).toMatchObject({ width: 640, height: 360, duration: 4 });
      await channel.send(here(), { kind: 'album', items: [photo], caption: 'Một ảnh' });
      expect((await server.next('sendPhoto')).params.caption).toBe('Một ảnh');
      await expect(
        channel.send(here(), { kind: 'album', items: Array(11).fill(photo) }),
      ).rejects.toMatchObject({ kind: 'invalid' });
    });

    it('turns the line that shows progress into the clip', async () => {
      const { channel } = await open();
      const line = await channel.send(here(), { kind: 'text', text: 'Đang cắt…' });
      const sent = await channel.send(
        here(),
        {
          kind: 'video',
          file: file('clip.mp4', makeMp4({ sound: true })),
          width: 640,
          height: 360,
          durationMs: 5000,
          caption: 'Cổng chợ',
        },
        { replaces: line.ids[0]! },
      );
      expect(sent.ids).toEqual(line.ids);
      expect((await server.next('editMessageMedia')).messages[0]).toMatchObject({ caption: 'Cổng chợ' });
    });

    it('sends anew and deletes the line when the change is refused', async () => {
      const { channel } = await open();
      const line = await channel.send(here(), { kind: 'text', text: 'Đang cắt…' });
      server.fail('editMessageMedia', { status: 400, description: "Bad Request: message can't be edited" });
      const sent = await channel.send(
        here(),
        { kind: 'document', file: file('a.txt', Buffer.from('a')), caption: 'Đây' },
        { replaces: line.ids[0]! },
      );
      expect(sent.ids).not.toEqual(line.ids);
      expect((await server.next('deleteMessage')).params.message_id).toBe(Number(line.ids[0]));
    });

    it('does not send anew when a change only came too fast', async () => {
      const { channel } = await open();
      const line = await channel.send(here(), { kind: 'text', text: 'một' });
      server.fail('editMessageText', { status: 429, description: 'Too Many Requests', retryAfter: 3 });
      await expect(
        channel.send(here(), { kind: 'text', text: 'hai' }, { replaces: line.ids[0]! }),
      ).rejects.toMatchObject({ kind: 'rate-limited', retryAfterS: 3 });
      expect(server.sent.filter((call) => call.method === 'sendMessage').length).toBe(1);
    });

    it('refuses a file over the limit before a byte is sent', async () => {
      const { channel } = await open();
      const big = path.join(dir, 'to.mp4');
      fs.writeFileSync(big, '');
      fs.truncateSync(big, 50 * 1024 * 1024 + 1);
      await expect(
        channel.send(here(), {
          kind: 'document',
          file: { path: big, sizeBytes: 1, fileName: 'to.mp4' },
        }),
      ).rejects.toMatchObject({ kind: 'too-big' });
      expect(server.sent.some((call) => call.method === 'sendDocument')).toBe(false);
    });

    it('says how long to wait when Telegram slows it down', async () => {
      const { channel } = await open();
      server.rates = true;
      const flood = async () => {
        for (let count = 0; count < 10; count += 1)
          await channel.send(here(), { kind: 'text', text: `tin ${count}` });
      };
      await expect(flood()).rejects.toMatchObject({ kind: 'rate-limited', retryAfterS: 1 });
    });

    it('tells the new id of a group that became a supergroup, and that it was thrown out', async () => {
      group.addsBot(officer);
      const { channel } = await open();
      const to = { channel: 'telegram' as const, chatId: String(group.id) };
      const moved = group.upgrades(officer);
      const hello = { kind: 'text' as const, text: 'cảnh báo' };
      await expect(channel.send(to, hello)).rejects.toMatchObject({
        kind: 'migrated',
        movedTo: String(moved),
      });
      group.kicksBot(officer);
      await expect(channel.send({ ...to, chatId: String(moved) }, hello)).rejects.toMatchObject({
        kind: 'chat-gone',
      });
    });

    it('never shows the token or the words, whatever breaks', async () => {
      const secret = server.token.split(':')[1]!;
      const failures: unknown[] = [];
      const book = makeLogBook();
      const { channel } = await open({ log: book.log });
      const attempt = (work: Promise<unknown>) => work.catch((error: unknown) => failures.push(error));
      server.drop('sendMessage', 'before');
      await attempt(channel.send(here(), { kind: 'text', text: 'lời riêng' }));
      server.fail('sendMessage', { status: 400, description: 'Bad Request: message is too long' });
      await attempt(channel.send(here(), { kind: 'text', text: 'lời riêng' }));
      const away = channelTo(server, { apiRoot: 'http://127.0.0.1:9', log: book.log });
      await attempt(away.send(here(), { kind: 'text', text: 'lời riêng' }));
      await attempt(away.fetch({ kind: 'photo', ref: 'x' }, path.join(dir, 'x'), 10));
      await away.stop();
      expect(failures.length).toBe(4);
      for (const failure of failures as Error[]) {
        const all = `${failure.message} ${failure.stack} ${JSON.stringify(failure)} ${String(failure.cause)}`;
        expect(all).not.toContain(secret);
        expect(all).not.toContain('lời riêng');
      }
      expect(book.text()).not.toContain(secret);
    });
  });

  describe('fetching', () => {
    it('leaves no half file when the connection breaks', async () => {
      const { channel, take } = await open();
      officer.sendsDocument(Buffer.alloc(200_000, 1), 'a.bin');
      const [message] = (await take(1)) as Message[];
      const target = path.join(dir, 'half');
      server.drop('file', 'after');
      await expect(channel.fetch(message!.attachments[0]!, target, 1e6)).rejects.toMatchObject({
        kind: 'unreachable',
      });
      expect(fs.existsSync(target)).toBe(false);
      expect(await channel.fetch(message!.attachments[0]!, target, 1e6)).toEqual({ sizeBytes: 200_000 });
    });

    it('says too big for what Telegram does not hand out', async () => {
      const { channel, take } = await open();
      officer.sendsVideo(Buffer.alloc(20 * 1024 * 1024 + 1));
      const [message] = (await take(1)) as Message[];
      await expect(channel.fetch(message!.attachments[0]!, path.join(dir, 'x'), 1e9)).rejects.toMatchObject({
        kind: 'too-big',
      });
    });
  });

  describe('menus', () => {
    it('stand in their scopes, and are set only when they change', async () => {
      officer.says('chào');
      const { channel } = await open();
      const menus = {
        private: [{ command: 'trogiup', description: 'Hướng dẫn' }],
        group: [{ command: 'quyen', description: 'Tôi được làm gì' }],
        perChat: { [String(officer.id)]: [{ command: 'anh', description: 'Ảnh camera' }], '99': [] },
      };
      expect(await channel.setMenus(menus)).toEqual({ changed: 4, failed: [] });
      expect([...server.world.commands.keys()].sort()).toEqual([
        'all_group_chats',
        'all_private_chats',
        `chat:${officer.id}`,
        'default',
      ]);
      expect(await channel.setMenus(menus)).toEqual({ changed: 0, failed: [] });
      const demoted = { ...menus, perChat: { [String(officer.id)]: null } };
      expect(await channel.setMenus(demoted)).toEqual({ changed: 1, failed: [] });
      expect(server.world.commands.has(`chat:${officer.id}`)).toBe(false);
    });

    it('of a chat that is gone do not stop the others', async () => {
      officer.says('chào');
      const { channel } = await open();
      const entry = [{ command: 'anh', description: 'Ảnh camera' }];
      const done = await channel.setMenus({
        private: entry,
        group: entry,
        perChat: { '12345': entry, [String(officer.id)]: entry },
      });
      expect(done).toEqual({ changed: 4, failed: ['12345'] });
    });
  });
});
