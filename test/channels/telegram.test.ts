import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TelegramChannel } from '../../src/channels/telegram/index.js';
import type { Incoming, Message, OutFile } from '../../src/chat/message.js';
import { TelegramServer, type TgGroup, type TgPerson } from '../support/telegram-server.js';
import { makeMp4 } from './mp4.js';
import { channelTo, makeButtonMemory, makeLogBook } from './telegram-fixture.js';

describe('Telegram', () => {
  let server: TelegramServer;
  let officer: TgPerson;
  let group: TgGroup;
  let dir: string;
  const opened: TelegramChannel[] = [];

  beforeEach(async () => {
    server = await TelegramServer.start({ rates: false });
    officer = server.user({ id: 7_000_000_001, name: 'Hùng' });
    group = server.group({ title: 'Nhóm cán bộ', by: officer });
    dir = fs.mkdtempSync(path.join(os.tmpdir(), 'telegram-channel-'));
  });
  afterEach(async () => {
    for (const channel of opened.splice(0)) await channel.stop();
    await server.stop();
    fs.rmSync(dir, { recursive: true, force: true });
  });

  /** Starts a channel; `take(n)` waits for that many accepted. */
  async function open(options: Parameters<typeof channelTo>[1] = {}) {
    const channel = channelTo(server, options);
    opened.push(channel);
    const taken: Incoming[] = [];
    let told = () => {};
    await channel.start(async (incoming) => {
      taken.push(incoming);
      told();
      return { inboxId: taken.length, fresh: true };
    });
    const take = async (count: number) => {
      while (taken.length < count)
        await new Promise<void>((resolve) => {
          told = resolve;
        });
      return taken;
    };
    return { channel, taken, take };
  }
  const here = () => ({ channel: 'telegram' as const, chatId: String(officer.id) });
  const file = (fileName: string, bytes: Buffer): OutFile => {
    const target = path.join(dir, fileName);
    fs.writeFileSync(target, bytes);
    return { path: target, sizeBytes: bytes.length, fileName };
  };

  describe('connecting', () => {
    it('starts although the token is wrong, says so, and connects when it is right', async () => {
      const book = makeLogBook();
      server.fail('getMe', { status: 401, description: 'Unauthorized', times: 3 });
      const { channel, take } = await open({ log: book.log });
      expect(channel.privateChatLink('abc')).toBeNull();
      await channel.connected();
      expect(book.text()).toContain('TELEGRAM_BOT_TOKEN is wrong');
      expect(channel.privateChatLink('abc')).toBe('https://t.me/mat_than_bot?start=abc');
      expect(channel.privateChatLink()).toBe('https://t.me/mat_than_bot');
      officer.says('chào');
      await take(1);
    });

    it('keeps trying while the network is away', async () => {
      const book = makeLogBook();
      server.drop('getMe', 'before', 4);
      const { channel } = await open({ log: book.log });
      await channel.connected();
      expect(book.text()).toContain('could not be reached');
      expect(book.text()).not.toContain(server.token.split(':')[1]);
    });

    it('stops at once while nobody answers', async () => {
      const channel = channelTo(server, {
        apiRoot: 'http://127.0.0.1:9',
        pauses: { firstMs: 60_000, mostMs: 60_000 },
      });
      await channel.start(async () => ({ inboxId: 1, fresh: true }));
      const began = Date.now();
      await channel.stop();
      expect(Date.now() - began).toBeLessThan(2000);
      await expect(channel.connected()).rejects.toThrow('stopped');
    });

    it('leaves no connection and no timer behind', async () => {
      officer.says('chào');
      const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
      const before = timers();
      const { channel, take } = await open();
      await take(1);
      await channel.send(here(), { kind: 'text', text: 'chào' });
      expect(await server.openConnections()).toBeGreaterThan(0);
      await channel.stop();
      while ((await server.openConnections()) > 0) await new Promise((resolve) => setImmediate(resolve));
      expect(timers()).toBeLessThanOrEqual(before);
    });

    it('takes off a webhook that somebody set', async () => {
      server.world.webhook = 'https://example.com/hook';
      const { take } = await open();
      officer.says('chào');
      await take(1);
      expect(server.world.webhook).toBe('');
    });

    it('teaches in the log when the bot runs twice', async () => {
      const book = makeLogBook();
      const first = await open({ log: book.log });
      await first.channel.connected();
      await open({ log: book.log });
      while (!book.text().includes('another program polls'))
        await new Promise((resolve) => setImmediate(resolve));
    });

    it('asks only for the updates it reads', async () => {
      await (await open()).channel.connected();
      officer.says('chào');
      while (server.world.allowed === null) await new Promise((resolve) => setImmediate(resolve));
      expect(server.world.allowed).toEqual(['message', 'callback_query', 'my_chat_member']);
    });
  });

  describe('taking messages', () => {
    it('confirms an update only after it was accepted', async () => {
      let release = () => {};
      const gate = new Promise<void>((resolve) => {
        release = resolve;
      });
      let asked = () => {};
      const reached = new Promise<void>((resolve) => {
        asked = resolve;
      });
      officer.says('một');
      const channel = channelTo(server);
      opened.push(channel);
      await channel.start(async () => {
        asked();
        await gate;
        return { inboxId: 1, fresh: true };
      });
      await reached;
      expect(server.unconfirmed.length).toBe(1);
      release();
      await channel.stop();
      expect(server.unconfirmed.length).toBe(0);
    });

    it('gets what was not accepted again after a restart, under the same id', async () => {
      officer.says('đừng mất tôi');
      const ids: string[] = [];
      let refused = () => {};
      const refusing = new Promise<void>((resolve) => {
        refused = resolve;
      });
      const first = channelTo(server);
      await first.start(async (incoming) => {
        ids.push(incoming.externalId);
        refused();
        throw new Error('disk full');
      });
      await refusing;
      await first.stop();
      const { take } = await open();
      const [again] = await take(1);
      expect(again?.externalId).toBe(ids[0]);
      expect(again?.externalId).toBe(`u${server.world.bot.id}.${server.unconfirmed[0]?.update_id ?? 0}`);
    });

    it('lets no message overtake one that could not be stored', async () => {
      for (const text of ['một', 'hai', 'ba']) officer.says(text);
      const channel = channelTo(server);
      opened.push(channel);
      const order: string[] = [];
      await new Promise<void>((resolve) => {
        void channel.start(async (incoming) => {
          const { text } = incoming as Message;
          order.push(text);
          if (text === 'hai' && order.length === 2) throw new Error('busy');
          if (text === 'ba') resolve();
          return { inboxId: 1, fresh: true };
        });
      });
      expect(order).toEqual(['một', 'hai', 'hai', 'ba']);
    });

    it('goes on after a poll that broke', async () => {
      const { channel, take } = await open();
      await channel.connected();
      server.drop('getUpdates', 'after');
      officer.says('một');
      officer.says('hai');
      await take(2);
    });

    it('reads slashes, names, payloads and replies', async () => {
      group.addsBot(officer, 'administrator');
      server.world.updates.length = 0;
      const { take } = await open();
      officer.says('/anh@mat_than_bot cổng chợ', { in: group });
      officer.says('/anh@other_bot cổng chợ', { in: group });
      officer.says('/ảnh cổng chợ', { in: group });
      officer.says('chị cho em hỏi', { in: group });
      officer.says('@Mat_Than_Bot, clip cam 2 lúc 14h30', { in: group });
      officer.opensLink('moi_AbC-123');
      const taken = (await take(5)) as Message[];
      expect(taken.map(({ text, addressed }) => [text, addressed])).toEqual([
        ['/anh cổng chợ', true],
        ['/ảnh cổng chợ', true],
        ['chị cho em hỏi', false],
        ['clip cam 2 lúc 14h30', true],
        ['/start', true],
      ]);
      expect(taken[4]).toMatchObject({ startPayload: 'moi_AbC-123', chatKind: 'private' });
      expect(taken[0]).toMatchObject({ chatTitle: 'Nhóm cán bộ', chatId: String(group.id) });
    });

    it('reads every kind of file', async () => {
      const { channel, take } = await open();
      const bytes = makeMp4({ sound: false });
      officer.sendsAnimation(bytes, 'ảnh động');
      officer.sendsVideoNote(bytes);
      officer.sendsVoice(Buffer.from('OggS'));
      officer.sendsAudio(Buffer.from('ID3'), 'ghi-am.mp3');
      officer.sendsDocument(Buffer.from('%PDF'), 'Đơn trình báo.pdf', 'gửi đơn', { mime: 'application/pdf' });
      const taken = (await take(5)) as Message[];
      expect(taken.map((message) => message.attachments[0]?.kind)).toEqual([
        'video',
        'video',
        'audio',
        'audio',
        'document',
      ]);
      expect(taken[4]?.attachments[0]).toMatchObject({
        fileName: 'Đơn trình báo.pdf',
        mime: 'application/pdf',
        sizeBytes: 4,
      });
      const target = path.join(dir, 'fetched.mp4');
      await channel.fetch(taken[0]!.attachments[0]!, target, 100_000);
      expect(fs.readFileSync(target)).toEqual(bytes);
    });

    it('leaves out stickers and edits, and takes the first place of a live location', async () => {
      const { take, taken } = await open();
      officer.sendsSticker('👍');
      const live = officer.sendsLocation(20.1, 105.2, { livePeriod: 900 });
      officer.moves(live, 20.9, 105.9);
      const said = officer.says('một');
      officer.edits(said, 'một sửa');
      officer.says('hai');
      await take(3);
      expect(taken.map((each) => (each as Message).place ?? (each as Message).text)).toEqual([
        { latitude: 20.1, longitude: 105.2 },
        'một',
        'hai',
      ]);
    });

    it('tells of being added, removed, blocked, let in again and moved', async () => {
      const { take } = await open();
      const old = String(group.id);
      group.addsBot(officer);
      // becoming an administrator is no news
      group.addsBot(officer, 'administrator');
      const moved = String(group.upgrades(officer));
      group.kicksBot(officer);
      officer.blocks();
      officer.unblocks();
      const taken = await take(6);
      expect(taken.map((each) => each.kind === 'event' && [each.chatId, each.event])).toEqual([
        [old, { type: 'bot-added', by: { userId: String(officer.id), name: 'Hùng' } }],
        [old, { type: 'migrated', toChatId: moved }],
        [old, { type: 'migrated', toChatId: moved }],
        [moved, { type: 'bot-removed' }],
        [String(officer.id), { type: 'blocked', userId: String(officer.id) }],
        [String(officer.id), { type: 'unblocked', userId: String(officer.id) }],
      ]);
    });
  });

  describe('buttons', () => {
    const long = 'clip camera ngã ba chợ Cẩm Lương lúc 14h30 ngày 21/11/2026 trong 30 giây';

    it('work after a restart, and the spinner ends', async () => {
      officer.says('chào');
      const buttons = makeButtonMemory();
      const first = await open({ buttons });
      await first.channel.send(here(), {
        kind: 'text',
        text: '?',
        buttons: [[{ label: 'Clip', says: long }]],
      });
      await first.take(1);
      await first.channel.stop();
      const { take } = await open({ buttons });
      const query = officer.presses('Clip');
      const [message] = await take(1);
      expect(message).toMatchObject({ text: long, pressed: true });
      await server.next('answerCallbackQuery');
      expect(server.world.queries.get(query)?.answered).not.toBeNull();
    });

    it('that nobody remembers say so, and nothing is accepted', async () => {
      officer.says('chào');
      const { channel, take, taken } = await open();
      await take(1);
      await channel.send(here(), { kind: 'text', text: '?', buttons: [[{ label: 'Clip', says: long }]] });
      await channel.stop();
      const later = await open();
      officer.presses('Clip');
      const answer = await server.next('answerCallbackQuery');
      expect(answer.params.text).toMatch(/Nút này đã cũ/);
      officer.says('hai');
      await later.take(1);
      expect(taken.length).toBe(1);
      expect((later.taken[0] as Message).text).toBe('hai');
    });

    it('keep the same words once', async () => {
      officer.says('chào');
      const buttons = makeButtonMemory();
      const { channel } = await open({ buttons });
      const reply = { kind: 'text' as const, text: '?', buttons: [[{ label: 'Clip', says: long }]] };
      await channel.send(here(), reply);
      await channel.send(here(), { ...reply, text: '??' });
      expect(buttons.kept.size).toBe(1);
    });

    it('are counted in bytes, as Telegram does', async () => {
      officer.says('chào');
      const { channel, take } = await open();
      await take(1);
      const says = 'clip ngã ba chợ Cẩm Lương lúc 14h30 hôm qua trong 30 giây';
      expect(says.length).toBeLessThanOrEqual(64);
      expect(Buffer.byteLength(says)).toBeGreaterThan(64);
      await channel.send(here(), { kind: 'text', text: '?', buttons: [[{ label: 'Clip', says }]] });
      officer.presses('Clip');
      expect(((await take(2))[1] as Message).text).toBe(says);
    });

    it('open links, and a link that Telegram would refuse stands in the text', async () => {
      officer.says('chào');
      const { channel } = await open();
      await channel.send(here(), {
        kind: 'text',
        text: 'Xem trên web',
        buttons: [
          [{ label: 'Mở', url: 'https://camera.example.vn/x?t=1' }],
          [{ label: 'Máy này', url: 'http://localhost:8600/console' }],
        ],
      });
      const { messages } = await server.next('sendMessage');
      expect(messages[0]?.reply_markup?.inline_keyboard).toEqual([
        [{ text: 'Mở', url: 'https://camera.example.vn/x?t=1' }],
      ]);
      expect(messages[0]?.text).toBe('Xem trên web\nMáy này: http://localhost:8600/console');
    });
  });

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
