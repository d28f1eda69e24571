import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Message } from '../../src/chat/message.js';
import { makeMp4 } from './mp4.js';
import { channelTo, makeButtonMemory, makeLogBook } from './telegram-fixture.js';
import { type Stage, setStage } from './telegram-stage.js';

describe('Telegram: taking', () => {
  let stage: Stage;
  let server: Stage['server'];
  let officer: Stage['officer'];
  let group: Stage['group'];
  let dir: string;
  let open: Stage['open'];
  let here: Stage['here'];
  let opened: Stage['opened'];

  beforeEach(async () => {
    stage = await setStage();
    ({ server, officer, group, dir, open, here, opened } = stage);
  });
  afterEach(() => stage.clear());

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

    it('what the bot can not read is told to who sent it in private, and passed over in a group', async () => {
      const { take, taken } = await open();
      group.addsBot(officer);
      officer.sendsSticker('👍');
      officer.sendsContact('Anh Ba', '0912345678');
      officer.sendsPoll('Họp tối nay?');
      officer.sendsDice();
      // what happens without a word is not answered
      officer.pins(officer.says('một'));
      officer.sendsSticker('👍', { in: group });
      officer.sendsContact('Anh Ba', '0912345678', { in: group });
      officer.says('hai');
      await take(7);
      const messages = taken.filter((each): each is Message => each.kind === 'message');
      expect(messages.map(({ unreadable, text, chatKind }) => [unreadable, text, chatKind])).toEqual([
        ...Array.from({ length: 4 }, () => [true, '', 'private']),
        ...[[undefined, 'một', 'private'] as const, [undefined, 'hai', 'private'] as const],
      ]);
    });

    it('leaves out edits, and takes the first place of a live location', async () => {
      const { take, taken } = await open();
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
});
