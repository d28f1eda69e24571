import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { makeBotClient } from '../../src/channels/zalo/api/bot.js';
import { refusal, scrubWords } from '../../src/channels/zalo/api/errors.js';
import { makeOaClient, type OaClient } from '../../src/channels/zalo/api/oa.js';
import { asciiName } from '../../src/channels/zalo/api/uploads.js';
import { ZaloServer } from '../support/zalo-server.js';
import { makeLogBook } from './telegram-fixture.js';

const HOUR = 3_600_000;
let server: ZaloServer;
let oa: OaClient;
let book: ReturnType<typeof makeLogBook>;
const tokens = {
  current: async () => server.tokens.accessToken,
  renewed: async () => server.tokens.accessToken,
};

beforeEach(async () => {
  server = await ZaloServer.start();
  book = makeLogBook();
  oa = makeOaClient({ root: `${server.root}/`, tokens, log: book.log });
});
afterEach(() => server.stop());

const jpeg = async () => ({
  bytes: new Uint8Array(
    await sharp({ create: { width: 64, height: 36, channels: 3, background: '#123' } })
      .jpeg()
      .toBuffer(),
  ),
  fileName: 'Cổng chợ (1).jpg',
  mime: 'image/jpeg',
});

describe('the OpenAPI', () => {
  test('text, picture, GIF, file and form to a person, with the quota that is left', async () => {
    const an = server.person({ id: '5510185758261927916', name: 'An' });
    an.says('xin chào');
    const sent = await oa.sendToPerson(an.id, { kind: 'text', text: 'Da\u0323 em \u0111a\u0302y' });
    expect(sent).toMatchObject({ user_id: an.id, quota: { quota_type: 'reply', remain: 7, total: 8 } });
    expect((await an.receives()).text).toBe('Dạ em đây');
    const image = await oa.uploadImage(await jpeg());
    await oa.sendToPerson(an.id, { kind: 'image', attachmentId: image, text: 'Cổng chợ' });
    expect(await an.receives('Cổng')).toMatchObject({ kind: 'image', fileName: 'Cong-cho-1-.jpg' });
    const gif = new Uint8Array(
      await sharp((await jpeg()).bytes)
        .gif()
        .toBuffer(),
    );
    const gifId = await oa.uploadGif({ bytes: gif, fileName: 'a.gif', mime: 'image/gif' });
    await oa.sendToPerson(an.id, { kind: 'gif', attachmentId: gifId, width: 64, height: 36 });
    expect(await an.receives((message) => message.kind === 'gif')).toBeTruthy();
    const csv = new TextEncoder().encode('a;b\n1;2\n');
    const token = await oa.uploadFile({ bytes: new Uint8Array(csv), fileName: 'sổ.csv', mime: 'text/csv' });
    await oa.sendToPerson(an.id, { kind: 'file', token });
    expect((await an.receives((message) => message.kind === 'file')).bytes?.toString()).toContain('1;2');
    const form = {
      title: 'Thông tin',
      subtitle: 'Để tiện liên lạc',
      imageUrl: 'https://congan.example/a.jpg',
    };
    await oa.sendToPerson(an.id, { kind: 'ask-info', ...form });
    const buttons = [
      { title: 'Mở', does: { url: 'https://congan.example' } },
      { title: '1', does: { says: '1' } },
    ];
    await oa.sendToPerson(an.id, { kind: 'text', text: 'Chọn', buttons });
    expect(await an.receives('Chọn')).toMatchObject({ kind: 'buttons' });
  });

  test('who people are, what was said', async () => {
    const an = server.person({ id: '5510185758261927916', name: 'An' });
    an.follows();
    an.submitsInfo({ name: 'An', phone: '84912345678', address: '', city: '', district: '' });
    an.says('alô');
    expect(await oa.person(an.id)).toMatchObject({
      display_name: 'An',
      user_is_follower: true,
      shared_info: { phone: '84912345678' },
    });
    expect((await oa.people({ offset: 0, count: 50, period: 'L7D', followersOnly: true })).users).toEqual([
      { user_id: an.id },
    ]);
    expect(await oa.recentChats({ offset: 0, count: 10 })).toMatchObject([{ message: 'alô', src: 1 }]);
    expect(await oa.conversation(an.id, { offset: 0, count: 5 })).toMatchObject([{ from_id: an.id }]);
  });

  test('a group from its package to its end', async () => {
    const [an, ba] = [server.person({ id: '1', name: 'An' }), server.person({ id: '2', name: 'Ba' })];
    const assetId = server.groupAsset('gmf10');
    expect(await oa.groupAssets({ product: 'gmf10', quotaType: 'sub_quota' })).toMatchObject([
      { asset_id: assetId },
    ]);
    const about = { name: 'Cán bộ', description: '', assetId, userIds: [an.id] };
    const { group_id: id } = await oa.makeGroup(about);
    await expect(oa.makeGroup(about)).rejects.toMatchObject({ code: -238 });
    await oa.invite(id, [ba.id]);
    const group = server.groupById(id);
    const ca = server.person({ id: '3', name: 'Ca' });
    group.asksToJoin(ca);
    await oa.acceptPending(id, [ca.id]);
    expect((await oa.members(id, { offset: 0, count: 50 })).items.map((one) => one.user_id)).toEqual([
      undefined,
      '1',
      '2',
      '3',
    ]);
    await oa.removeMembers(id, [ba.id]);
    expect((await oa.group(id)).total_member).toBe(3);
    expect((await oa.groups({ offset: 0, count: 10 })).items[0]?.name).toBe('Cán bộ');
    await oa.sendToGroup(id, { kind: 'text', text: 'Camera 1 mất hình' });
    expect((await group.receives('mất hình')).inGroup).toBe(true);
    expect((await oa.groupConversation(id, { offset: 0, count: 5 })).items).toHaveLength(1);
    group.disabled();
    await expect(oa.sendToGroup(id, { kind: 'text', text: 'a' })).rejects.toMatchObject({
      kind: 'chat-gone',
    });
    group.disperses();
    await expect(oa.sendToGroup(id, { kind: 'text', text: 'a' })).rejects.toMatchObject({ code: -403 });
  });

  test('each refusal by its remedy', async () => {
    const an = server.person({ id: '1', name: 'An' });
    const say = (text = 'a') => oa.sendToPerson(an.id, { kind: 'text', text });
    await expect(say()).rejects.toMatchObject({ kind: 'window-closed', code: -230, remedy: 'other-channel' });
    an.says('a');
    await expect(say('a'.repeat(2001))).rejects.toMatchObject({ kind: 'too-big', remedy: 'permanent' });
    server.tokens.lifetimeS = 1e9;
    server.clock += 3 * 24 * HOUR;
    expect((await say()).quota).toBeUndefined();
    an.says('a');
    const attachmentId = await oa.uploadImage(await jpeg());
    server.clock += 8 * 24 * HOUR;
    an.says('a');
    await expect(oa.sendToPerson(an.id, { kind: 'image', attachmentId })).rejects.toMatchObject({
      remedy: 'upload-again',
    });
    an.unfollows();
    await expect(say()).rejects.toMatchObject({ kind: 'blocked', code: -213 });
    server.fail('message/cs', { code: -32 });
    await expect(say()).rejects.toMatchObject({ kind: 'rate-limited', retryAfterS: 60 });
    server.fail('message/cs', { code: -224 });
    await expect(say()).rejects.toMatchObject({ remedy: 'human' });
    server.fail('message/cs', { code: -1, http: 502 });
    await expect(say()).rejects.toMatchObject({ kind: 'unreachable' });
    server.fail('message/cs', { code: -98765 });
    await expect(say()).rejects.toMatchObject({ kind: 'refused', remedy: 'unknown' });
    expect(book.text()).toContain('-98765');
  });

  test('the network: pages, cuts, silence and a caller that goes', async () => {
    server.garble('getoa');
    await expect(oa.oa()).rejects.toMatchObject({ kind: 'unreachable' });
    server.drop('getoa', 'after');
    await expect(oa.oa()).rejects.toMatchObject({ kind: 'unreachable' });
    const held = server.hold('getoa', 'before');
    const slow = makeOaClient({
      root: server.root,

      tokens,
      log: book.log,
      timeoutMs: 50,
    });
    await expect(slow.oa()).rejects.toMatchObject({ kind: 'timeout' });
    held.release();
    await expect(oa.oa(AbortSignal.abort())).rejects.toMatchObject({ kind: 'cancelled' });
  });

  test.each([
    ['an id that is a number', '{"error":0,"data":{"message_id":12345678901234567890}}', 'invalid'],
    ['an error that is no number', '{"error":"much"}', 'invalid'],
    ['an error as a text', '{"error":"-213"}', 'blocked'],
  ])('%s is an answer of kind %s', async (_what, text, kind) => {
    const odd = http.createServer((_request, response) => response.end(text)).listen(0, '127.0.0.1');
    await once(odd, 'listening');
    const root = `http://127.0.0.1:${(odd.address() as AddressInfo).port}`;
    const client = makeOaClient({ root, tokens, log: book.log });
    await expect(client.sendToPerson('1', { kind: 'text', text: 'a' })).rejects.toMatchObject({ kind });
    odd.close();
  });
});

test('words of the platform lose tokens, addresses and numbers', () => {
  const token = 'at-1-0123456789abcdefghij';
  const words = scrubWords(`bad ${token} for +84 912 345 678 at https://x.vn/a?b=c`);
  expect(words).toBe('bad … for … at …');
  expect(refusal('oa', 'x', -77777, `phone 0912345678`).message).not.toContain('0912');
});

test('file names in ASCII', () => {
  expect(['Đơn xin.pdf', 'ảnh.jpg', '.pdf', '../a"b.csv'].map(asciiName)).toEqual([
    'Don-xin.pdf',
    'anh.jpg',
    'file.pdf',
    'a-b.csv',
  ]);
});

describe('the Bot Platform', () => {
  const botOf = (token = server.bot.token) => makeBotClient({ root: server.root, token, log: book.log });
  test('polling, text, a photo that is fetched, and none', async () => {
    const bot = botOf();
    expect((await bot.me()).account_name).toBe('bot.mat.than');
    expect(await bot.nextUpdate(0)).toBeNull();
    const an = server.botPerson({ id: 'c1', name: 'An' });
    await expect(bot.sendMessage('c1', 'a')).rejects.toMatchObject({ kind: 'invalid' });
    an.says('một');
    an.says('hai');
    expect(await bot.nextUpdate(5)).toMatchObject({ message: { text: 'một' } });
    expect(await bot.nextUpdate(5)).toMatchObject({ message: { text: 'hai' } });
    await bot.sendTyping('c1');
    await bot.sendMessage('c1', 'Dạ');
    const { bytes } = await jpeg();
    const url = server.world.addMedia(Buffer.from(bytes), 'image/jpeg', 'jpg');
    await bot.sendPhoto('c1', url, 'Cổng');
    expect((await an.receives('Cổng')).photo).toEqual(Buffer.from(bytes));
    await expect(bot.sendPhoto('c1', `${server.root}/media/gone.jpg`)).rejects.toMatchObject({
      kind: 'invalid',
    });
    an.blocks();
    await expect(bot.sendMessage('c1', 'a')).rejects.toMatchObject({ kind: 'blocked' });
  });

  test('a webhook takes the place of polling', async () => {
    const bot = botOf();
    await bot.setWebhook('http://127.0.0.1:1/hook', 'eight-or-more');
    expect((await bot.webhook()).url).toContain('/hook');
    await expect(bot.nextUpdate(0)).rejects.toMatchObject({ kind: 'invalid' });
    await bot.deleteWebhook();
    expect(await bot.nextUpdate(0)).toBeNull();
  });

  test('a wrong token is told without it', async () => {
    const error = await botOf('999:WRONG')
      .me()
      .catch((caught: Error) => caught);
    expect(String(error)).toMatch(/ZALO_BOT_TOKEN/);
    expect(JSON.stringify(error) + String((error as Error).stack)).not.toContain('999:WRONG');
  });
});
