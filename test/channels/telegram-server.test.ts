import fs from 'node:fs';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TelegramServer, type TgGroup, type TgPerson } from '../support/telegram-server.js';
import { makeMp4 } from './mp4.js';

interface Answer {
  ok: boolean;
  error_code?: number;
  description?: string;
  parameters?: { retry_after?: number; migrate_to_chat_id?: number };
  // biome-ignore lint/suspicious/noExplicitAny: answers of many methods, looked at by the tests
  result?: any;
}

describe('the stand-in of Telegram', () => {
  let server: TelegramServer;
  let officer: TgPerson;
  let group: TgGroup;
  let nowMs: number;

  beforeEach(async () => {
    nowMs = Date.parse('2026-11-21T07:30:00Z');
    server = await TelegramServer.start({ now: () => nowMs });
    officer = server.user({ id: 7_000_000_001, name: 'Hùng' });
    group = server.group({ title: 'Nhóm cán bộ', by: officer });
    officer.says('/start');
    group.addsBot(officer);
  });
  afterEach(() => server.stop());

  const call = async (method: string, params: object = {}, token = server.token): Promise<Answer> => {
    const response = await fetch(`${server.apiRoot}/bot${token}/${method}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(params),
    });
    return (await response.json()) as Answer;
  };
  const upload = async (method: string, fields: Record<string, string | Buffer>): Promise<Answer> => {
    const form = new FormData();
    for (const [name, value] of Object.entries(fields))
      if (typeof value === 'string') form.append(name, value);
      else form.append(name, new Blob([new Uint8Array(value)]), `${name}.bin`);
    const response = await fetch(`${server.apiRoot}/bot${server.token}/${method}`, {
      method: 'POST',
      body: form,
    });
    return (await response.json()) as Answer;
  };
  const say = (text: string, other: object = {}) =>
    call('sendMessage', { chat_id: officer.id, text, ...other });

  it('knows its one token', async () => {
    expect((await call('getMe')).result).toMatchObject({ is_bot: true, username: 'mat_than_bot' });
    expect(await call('getMe', {}, '123:wrong')).toMatchObject({
      ok: false,
      error_code: 401,
      description: 'Unauthorized',
    });
    expect(await call('flyToTheMoon')).toMatchObject({ error_code: 404 });
  });

  it('gives an update until a higher offset confirms it', async () => {
    const first = (await call('getUpdates')).result;
    expect(first.length).toBe(3);
    expect((await call('getUpdates', { limit: 1 })).result).toEqual([first[0]]);
    expect((await call('getUpdates', { offset: first[2].update_id })).result).toEqual([first[2]]);
    expect(server.unconfirmed.length).toBe(1);
    expect((await call('getUpdates', { offset: first[2].update_id + 1 })).result).toEqual([]);
  });

  it('holds a long poll until something is said', async () => {
    const offset = server.unconfirmed.at(-1)!.update_id + 1;
    const poll = call('getUpdates', { offset, timeout: 30 });
    while (server.pollCount === 0) await new Promise((resolve) => setImmediate(resolve));
    officer.says('ảnh cổng chợ');
    expect((await poll).result[0].message.text).toBe('ảnh cổng chợ');
  });

  it('ends the first poller when a second comes', async () => {
    const offset = server.unconfirmed.at(-1)!.update_id + 1;
    const first = call('getUpdates', { offset, timeout: 30 });
    while (server.pollCount === 0) await new Promise((resolve) => setImmediate(resolve));
    const second = call('getUpdates', { offset, timeout: 30 });
    expect(await first).toMatchObject({
      error_code: 409,
      description:
        'Conflict: terminated by other getUpdates request; make sure that only one bot instance is running',
    });
    officer.says('còn đây');
    expect((await second).ok).toBe(true);
  });

  it('does not let a bot poll while a webhook is set', async () => {
    await call('setWebhook', { url: 'https://example.com/hook' });
    expect(await call('getUpdates')).toMatchObject({ error_code: 409 });
    await call('deleteWebhook');
    expect((await call('getUpdates')).ok).toBe(true);
  });

  it('keeps only the kinds of updates that were asked for', async () => {
    await call('getUpdates', { allowed_updates: ['callback_query'], offset: -1 });
    officer.says('không ai nghe');
    expect(server.unconfirmed.some((update) => update.message?.text === 'không ai nghe')).toBe(false);
  });

  it('counts text in UTF-16 code units, after entities', async () => {
    expect((await say('Đ'.repeat(4096))).ok).toBe(true);
    expect(await say('Đ'.repeat(4097))).toMatchObject({
      error_code: 400,
      description: 'Bad Request: message is too long',
    });
    expect((await say('😀'.repeat(2048))).ok).toBe(true);
    expect((await say('😀'.repeat(2049))).ok).toBe(false);
    nowMs += 60_000;
    expect((await say(`<b>${'a'.repeat(4096)}</b>`, { parse_mode: 'HTML' })).ok).toBe(true);
    expect((await say('a < b', { parse_mode: 'HTML' })).description).toMatch(/can't parse entities/);
    expect((await say('  \n ')).description).toBe('Bad Request: message text is empty');
  });

  it('limits captions, button data and albums', async () => {
    const photo = await sharp({ create: { width: 40, height: 30, channels: 3, background: 'red' } })
      .jpeg()
      .toBuffer();
    const send = (caption: string) => upload('sendPhoto', { chat_id: String(officer.id), photo, caption });
    expect((await send('a'.repeat(1024))).ok).toBe(true);
    expect((await send('a'.repeat(1025))).description).toBe('Bad Request: message caption is too long');
    const pressable = (callback_data: string) =>
      say('?', { reply_markup: { inline_keyboard: [[{ text: 'A', callback_data }]] } });
    expect((await pressable('ộ'.repeat(21))).ok).toBe(true);
    expect((await pressable('ộ'.repeat(22))).description).toBe('Bad Request: BUTTON_DATA_INVALID');
    expect((await pressable('')).description).toBe('Bad Request: BUTTON_DATA_INVALID');
    const local = { reply_markup: { inline_keyboard: [[{ text: 'A', url: 'http://localhost:8600' }]] } };
    expect((await say('?', local)).description).toMatch(/Wrong HTTP URL/);
    const media = (count: number) =>
      JSON.stringify(Array.from({ length: count }, () => ({ type: 'photo', media: 'attach://p' })));
    const album = (count: number) =>
      upload('sendMediaGroup', { chat_id: String(officer.id), media: media(count), p: photo });
    nowMs += 60_000;
    expect((await album(10)).result.length).toBe(10);
    expect((await album(1)).ok).toBe(false);
    expect((await album(11)).ok).toBe(false);
  });

  it('looks at photos: bytes, sides, ratio, and whether it is one', async () => {
    const send = (photo: Buffer) => upload('sendPhoto', { chat_id: String(officer.id), photo });
    const picture = (width: number, height: number) =>
      sharp({ create: { width, height, channels: 3, background: 'white' } })
        .png({ compressionLevel: 9 })
        .toBuffer();
    expect((await send(await picture(5000, 5000))).ok).toBe(true);
    expect((await send(await picture(5001, 5000))).description).toBe('Bad Request: PHOTO_INVALID_DIMENSIONS');
    expect((await send(await picture(2100, 100))).description).toBe('Bad Request: PHOTO_INVALID_DIMENSIONS');
    expect((await send(Buffer.from('no picture'))).description).toBe('Bad Request: IMAGE_PROCESS_FAILED');
    expect((await send(Buffer.alloc(10 * 1024 * 1024 + 1))).description).toMatch(/too big for a photo/);
    expect(
      await upload('sendVideo', { chat_id: String(officer.id), video: Buffer.alloc(50 * 1024 * 1024 + 1) }),
    ).toMatchObject({ error_code: 413 });
  });

  it('gives a mute MP4 back as an animation', async () => {
    const send = (sound: boolean) =>
      upload('sendVideo', { chat_id: String(officer.id), video: makeMp4({ sound }), width: '640' });
    expect((await send(true)).result.video).toMatchObject({ width: 640 });
    const mute = (await send(false)).result;
    expect(mute.animation).toBeDefined();
    expect(mute.video).toBeUndefined();
  });

  it('slows a flood down: a chat, a group, and all together', async () => {
    const outcomes = [];
    for (let count = 0; count < 6; count += 1) outcomes.push(await say(`tin ${count}`));
    expect(outcomes.at(-1)).toMatchObject({ error_code: 429, parameters: { retry_after: 1 } });
    nowMs += 1000;
    expect((await say('một giây sau')).ok).toBe(true);
    let sent = 0;
    for (let second = 0; second < 40; second += 1) {
      nowMs += 1000;
      if ((await call('sendMessage', { chat_id: group.id, text: `${second}` })).ok) sent += 1;
    }
    // 20 at once, and one for every three seconds
    expect(sent).toBeGreaterThanOrEqual(30);
    expect(sent).toBeLessThan(40);
    server.rates = false;
    expect((await say('không giới hạn')).ok).toBe(true);
  });

  it('edits, and says when nothing is different', async () => {
    const { message_id } = (await say('một')).result;
    const edit = (text: string) => call('editMessageText', { chat_id: officer.id, message_id, text });
    expect((await edit('hai')).ok).toBe(true);
    expect((await edit('hai')).description).toMatch(/^Bad Request: message is not modified/);
    const gone = { chat_id: officer.id, message_id: 1, text: 'x' };
    expect((await call('editMessageText', gone)).description).toBe('Bad Request: message to edit not found');
    expect((await call('deleteMessage', { chat_id: officer.id, message_id })).result).toBe(true);
    expect((await call('deleteMessage', { chat_id: officer.id, message_id })).description).toBe(
      'Bad Request: message to delete not found',
    );
  });

  it('says why a chat can not be written to', async () => {
    const stranger = server.user({ id: 7_000_000_002, name: 'Khách' });
    const to = (id: number) => call('sendMessage', { chat_id: id, text: 'chào' });
    expect(await to(stranger.id)).toMatchObject({ description: 'Bad Request: chat not found' });
    group.adds(stranger);
    expect((await to(stranger.id)).description).toBe(
      "Forbidden: bot can't initiate conversation with a user",
    );
    officer.blocks();
    expect(await to(officer.id)).toMatchObject({
      error_code: 403,
      description: 'Forbidden: bot was blocked by the user',
    });
    officer.unblocks();
    expect((await to(officer.id)).ok).toBe(true);
    const old = group.id;
    const moved = group.upgrades(officer);
    expect(await to(old)).toMatchObject({
      error_code: 400,
      description: 'Bad Request: group chat was upgraded to a supergroup chat',
      parameters: { migrate_to_chat_id: moved },
    });
    group.kicksBot(officer);
    expect((await to(moved)).description).toBe('Forbidden: bot was kicked from the supergroup chat');
  });

  it('shows a bot in privacy mode only what is meant for it', async () => {
    const before = server.unconfirmed.length;
    officer.says('tối qua có trộm', { in: group });
    officer.says('/anh@other_bot 2', { in: group });
    expect(server.unconfirmed.length).toBe(before);
    officer.says('/anh 2', { in: group });
    officer.says('@mat_than_bot ảnh 2', { in: group });
    expect(server.unconfirmed.length).toBe(before + 2);
  });

  it('hands out files up to 20 MB', async () => {
    const bytes = Buffer.from('Đơn trình báo');
    const small = officer.sendsDocument(bytes, 'don.txt').document!;
    const { file_path } = (await call('getFile', { file_id: small.file_id })).result;
    const response = await fetch(`${server.apiRoot}/file/bot${server.token}/${file_path}`);
    expect(Buffer.from(await response.arrayBuffer())).toEqual(bytes);
    const big = officer.sendsDocument(Buffer.alloc(20 * 1024 * 1024 + 1), 'to.bin').document!;
    expect((await call('getFile', { file_id: big.file_id })).description).toBe(
      'Bad Request: file is too big',
    );
  });

  it('answers a pressed button once', async () => {
    await say('?', { reply_markup: { inline_keyboard: [[{ text: 'Có', callback_data: 'có' }]] } });
    const callback_query_id = officer.presses('Có');
    expect((await call('answerCallbackQuery', { callback_query_id })).ok).toBe(true);
    expect((await call('answerCallbackQuery', { callback_query_id })).description).toMatch(
      /query is too old/,
    );
  });

  it('lets people and groups wait for what the bot says to them', async () => {
    const heard = officer.receives('camera');
    await say('một');
    await say('camera 2', { reply_markup: { inline_keyboard: [[{ text: 'Có', callback_data: 'có' }]] } });
    const message = await heard;
    expect(message.text).toBe('camera 2');
    officer.presses('Có', message);
    expect(server.unconfirmed.at(-1)?.callback_query?.data).toBe('có');
    await call('sendMessage', { chat_id: group.id, text: 'cả nhóm' });
    expect((await group.receives(/nhóm/)).chat.id).toBe(group.id);
    await call('editMessageText', { chat_id: officer.id, message_id: message.message_id, text: 'xong' });
    expect((await officer.receives()).text).toBe('xong');
  });

  it('fails, drops and waits on demand, and keeps what was sent', async () => {
    server.fail('sendMessage', { status: 502, description: 'Bad Gateway', times: 2 });
    expect(await say('a')).toMatchObject({ error_code: 502 });
    expect(await say('a')).toMatchObject({ error_code: 502 });
    server.drop('sendMessage', 'before');
    await expect(say('b')).rejects.toThrow();
    server.drop('sendMessage', 'after');
    await expect(say('c')).rejects.toThrow();
    const done = await server.next('sendMessage');
    expect(done.params.text).toBe('c');
    const photo = await sharp({ create: { width: 40, height: 30, channels: 3, background: 'red' } })
      .png()
      .toBuffer();
    await upload('sendPhoto', { chat_id: String(officer.id), photo });
    const kept = await server.next('sendPhoto');
    expect(fs.readFileSync(kept.files[0]!.path)).toEqual(photo);
  });
});
