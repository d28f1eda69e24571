import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readBotBody, readBotUpdate } from '../../src/channels/zalo/webhook/bot-events.js';
import { readOaEvent } from '../../src/channels/zalo/webhook/oa-events.js';
import { isFromBotPlatform, isSigned } from '../../src/channels/zalo/webhook/signature.js';

/** The vector of the facts. */
const KEYS = { appId: '360846524940903967', secret: 'OA_SECRET_TEST' };
const BODY =
  '{"event_name":"user_send_text","app_id":"360846524940903967","sender":{"id":"5510185758261927916"},"recipient":{"id":"1646843870823903717"},"message":{"text":"Xin chào","msg_id":"e2a641af6661713b2874"},"timestamp":"1717061839659","user_id_by_app":"3611371994410983884"}';
const MAC = 'e7d1ad4b0ffe830d3a4484e4aabe7b77483004e13a4eaf72d774a6a99b7ad030';
const bytes = (text: string) => Buffer.from(text, 'utf8');
const NOW = 1_800_000_000_000;

const signed = (first: string, body: string, timestamp: string, secret = KEYS.secret) =>
  createHash('sha256')
    .update(first + body + timestamp + secret)
    .digest('hex');

describe('the signature of an event', () => {
  test('the vector, with mac= and without, by the app and by the OA', () => {
    expect(isSigned(bytes(BODY), `mac=${MAC}`, KEYS)).toBe(true);
    expect(isSigned(bytes(BODY), MAC.toUpperCase(), KEYS)).toBe(true);
    const byOa = '{"event_name":"follow","oa_id":"1646843870823903717","timestamp":1717061839659}';
    expect(isSigned(bytes(byOa), signed('1646843870823903717', byOa, '1717061839659'), KEYS)).toBe(true);
    expect(isSigned(bytes(byOa), signed('1646843870823903718', byOa, '1717061839659'), KEYS)).toBe(false);
  });

  test('the HMAC that others compute is no signature, nor is the right one for another secret', () => {
    expect(isSigned(bytes(BODY), signed(KEYS.appId, BODY, '1717061839659', 'OTHER'), KEYS)).toBe(false);
    expect(isSigned(bytes(BODY), MAC, { ...KEYS, appId: '1' })).toBe(false);
    expect(
      isSigned(bytes(BODY), signed(KEYS.appId, BODY, '1717061839659', ''), { ...KEYS, secret: '' }),
    ).toBe(false);
  });

  test.each([
    [
      'the same fields in another order',
      BODY.replace(/^\{("event_name":"user_send_text"),(.*)\}$/, '{$2,$1}'),
    ],
    ['one more space', BODY.replace('{', '{ ')],
    ['letters put together another way', BODY.normalize('NFD')],
    ['escaped letters', BODY.replace('à', '\\u00e0')],
    ['another time', BODY.replace('1717061839659', '1717061839660')],
    ['no time', BODY.replace('"timestamp":"1717061839659",', '')],
    ['two times', BODY.replace('{', '{"timestamp":"1717061839659","timestamp":"1",')],
    ['no JSON', 'xin chào'],
    ['null', 'null'],
    ['a list', `[${BODY}]`],
    ['nothing', ''],
    ['ten megabytes', `{"timestamp":"1717061839659","text":"${'á'.repeat(5_000_000)}"}`],
    ['deep nesting', `${'['.repeat(100_000)}${']'.repeat(100_000)}`],
  ])('%s does not get in', (_what, body) => {
    expect(body).not.toBe(BODY);
    expect(isSigned(bytes(body), MAC, KEYS)).toBe(false);
  });

  test.each([
    [undefined],
    [''],
    ['mac='],
    [[MAC]],
    [`sha256=${MAC}`],
    [MAC.slice(1)],
    [`${MAC}0`],
    [42],
    [null],
  ])('the header %s does not get in', (header) => {
    expect(isSigned(bytes(BODY), header, KEYS)).toBe(false);
  });

  test('whatever is done to a signed body, it gets in only unchanged', () => {
    const raw = bytes(BODY);
    fc.assert(
      fc.property(fc.nat(raw.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const changed = Buffer.from(raw);
        changed[at]! ^= flip;
        expect(isSigned(changed, MAC, KEYS)).toBe(false);
      }),
      { numRuns: 2000 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.string(), fc.nat(raw.length), (more, header, at) => {
        const grown = Buffer.concat([raw.subarray(0, at), more, raw.subarray(at)]);
        expect(isSigned(grown, MAC, KEYS)).toBe(more.length === 0);
        expect(isSigned(raw, header, KEYS)).toBe(false);
        expect(isSigned(more, header, KEYS)).toBe(false);
      }),
    );
  });

  test('whatever Zalo signs gets in, in any script', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.nat(), (text, at) => {
        const body = JSON.stringify({
          event_name: 'user_send_text',
          message: { text },
          timestamp: String(at),
        });
        expect(isSigned(bytes(body), `mac=${signed(KEYS.appId, body, String(at))}`, KEYS)).toBe(true);
      }),
    );
  });

  test("the Bot Platform's secret is compared as a whole", () => {
    expect(isFromBotPlatform('bí-mật-của-bot', 'bí-mật-của-bot')).toBe(true);
    for (const given of [undefined, '', 'bí-mật', ['bí-mật-của-bot'], 'bí-mật-của-bot '])
      expect(isFromBotPlatform(given, 'bí-mật-của-bot')).toBe(false);
    expect(isFromBotPlatform('', '')).toBe(false);
  });
});

const read = (event: object) => readOaEvent(bytes(JSON.stringify(event)), NOW);
const said = (name: string, message: object, rest: object = {}) =>
  read({
    event_name: name,
    app_id: '1',
    sender: { id: '5510185758261927916' },
    recipient: { id: '1646843870823903717' },
    timestamp: '1717061839659',
    message: { msg_id: 'm1', ...message },
    ...rest,
  });

describe('events of the OA', () => {
  test('a text', () => {
    expect(readOaEvent(bytes(BODY), NOW)).toEqual({
      kind: 'message',
      userId: '5510185758261927916',
      groupId: null,
      messageId: 'e2a641af6661713b2874',
      quoteId: null,
      text: 'Xin chào',
      attachments: [],
      place: null,
      also: null,
      atMs: 1_717_061_839_659,
      key: 'user_send_text:e2a641af6661713b2874',
      oaId: null,
    });
  });

  const url = 'https://f20.zdn.vn/1.jpg';
  test.each([
    ['user_send_image', 'image', { url, thumbnail: url }, { kind: 'photo', url, thumbnail: url }],
    ['user_send_gif', 'gif', { url }, { kind: 'gif', url }],
    ['user_send_video', 'video', { url, description: '' }, { kind: 'video', url }],
    ['user_send_audio', 'audio', { url }, { kind: 'audio', url }],
    [
      'user_send_file',
      'file',
      { url, size: '233947', name: 'đơn.docx', type: 'docx', checksum: 'x' },
      { kind: 'file', url, fileName: 'đơn.docx', type: 'docx', sizeBytes: 233_947 },
    ],
    [
      'user_send_file',
      'file',
      { url, type: 'mp4', size: 12 },
      { kind: 'video', url, type: 'mp4', sizeBytes: 12 },
    ],
    ['user_send_file', 'mp4', { url }, { kind: 'video', url, type: 'mp4' }],
    ['user_send_group_image', 'image', { url }, { kind: 'photo', url }],
  ])('%s with %s', (name, type, payload, attachment) => {
    expect(said(name, { attachments: [{ type, payload }] })).toMatchObject({
      kind: 'message',
      attachments: [attachment],
    });
  });

  test('a place, a sticker, a link, a card, a reply', () => {
    const coordinates = { latitude: '10.79', longitude: '106.78' };
    expect(
      said('user_send_location', {
        text: 'Cầu',
        attachments: [{ type: 'location', payload: { coordinates } }],
      }),
    ).toMatchObject({ text: 'Cầu', place: { latitude: 10.79, longitude: 106.78 }, attachments: [] });
    expect(
      said('user_send_sticker', { attachments: [{ type: 'sticker', payload: { id: '1', url } }] }),
    ).toMatchObject({ also: 'sticker', attachments: [] });
    expect(
      said('user_send_link', {
        text: url,
        attachments: [{ type: 'link', payload: { url, description: 'Báo' } }],
      }),
    ).toMatchObject({ also: 'link', text: `${url}\nBáo` });
    const description = '{"phone":"0912345678"}';
    const card = said('user_send_business_card', {
      attachments: [{ type: 'link', payload: { description } }],
    });
    expect(card).toMatchObject({ also: 'business-card', text: '' });
    expect(said('user_send_text', { text: 'Xin chào', quote_msg_id: 'q' })).toMatchObject({ quoteId: 'q' });
  });

  test('what is said in a group has the group as its recipient', () => {
    const event = said('user_send_group_text', { text: 'ảnh 1' }, { recipient: { id: 'g1' }, oa_id: '7' });
    expect(event).toMatchObject({ kind: 'message', groupId: 'g1', userId: '5510185758261927916', oaId: '7' });
  });

  test.each([
    [
      { event_name: 'follow', follower: { id: 'u' } },
      { kind: 'follow', userId: 'u' },
    ],
    [
      { event_name: 'unfollow', follower: { id: 'u' } },
      { kind: 'unfollow', userId: 'u' },
    ],
    [
      { event_name: 'user_withdraw', user_id: 'u' },
      { kind: 'withdraw', userId: 'u' },
    ],
    [
      { event_name: 'user_click_chatnow', user_id: 'u' },
      { kind: 'opened-chat', userId: 'u' },
    ],
    [
      { event_name: 'permission_revoked', oa_id: '7' },
      { kind: 'permission-revoked', oaId: '7' },
    ],
    [
      { event_name: 'user_submit_info', sender: { id: 'u' }, info: { name: 'An', phone: 84_912_345_678 } },
      { kind: 'info', userId: 'u', info: { name: 'An', phone: '84912345678' } },
    ],
    [
      {
        event_name: 'oa_send_text',
        sender: { id: 'oa', admin_id: 'a' },
        recipient: { id: 'u' },
        message: { text: 'Dạ' },
      },
      { kind: 'echo', toId: 'u', adminId: 'a', text: 'Dạ' },
    ],
    [
      { event_name: 'user_seen_message', sender: { id: 'u' }, message: { msg_ids: ['1', '2'] } },
      { kind: 'seen', messageIds: ['1', '2'] },
    ],
    ...[
      ['create_group', 'made'],
      ['user_join_group', 'joined'],
      ['user_request_join_group', 'asked-to-join'],
      ['accept_request_join_group', 'join-accepted'],
      ['react_request_join_group', 'join-accepted'],
      ['reject_request_join_group', 'join-rejected'],
      ['add_group_admin', 'admin-added'],
      ['remove_group_admin', 'admin-removed'],
      ['update_group_info', 'changed'],
      ['user_out_group', 'left'],
      ['user_leave_group', 'left'],
      ['delete_group', 'ended'],
      ['disperse_group', 'ended'],
    ].map(([event_name, change]): [object, object] => [
      { event_name, group_id: 'g', users: [{ id: 'u' }] },
      { kind: 'group', change, groupId: 'g', userIds: ['u'] },
    ]),
  ])('%o', (event, expected) => {
    expect(read({ timestamp: '1717061839659', ...event })).toMatchObject({
      atMs: 1_717_061_839_659,
      ...expected,
    });
  });

  test('what we do not know is kept as it came', () => {
    const strange = { event_name: 'user_does_a_new_thing', timestamp: '1', what: [1, { two: 3 }] };
    expect(read(strange)).toMatchObject({ kind: 'unknown', name: 'user_does_a_new_thing', raw: strange });
    // a known name without what it must have, and with fields of other types
    expect(read({ event_name: 'follow' })).toMatchObject({ kind: 'unknown', name: 'follow', atMs: NOW });
    const wrong = { event_name: 'user_send_text', message: 7 };
    expect(read(wrong)).toMatchObject({ kind: 'unknown', raw: wrong });
    expect(readOaEvent(bytes('{}'), NOW)).toBeNull();
  });

  test('the same event has the same key, another one another', () => {
    const one = said('user_send_text', { text: 'a' });
    expect(said('user_send_text', { text: 'a' })?.key).toBe(one?.key);
    expect(said('user_send_text', { text: 'a', msg_id: 'm2' })?.key).not.toBe(one?.key);
    const follow = read({ event_name: 'follow', follower: { id: 'u' }, timestamp: '1' });
    expect(read({ event_name: 'follow', follower: { id: 'u' }, timestamp: '2' })?.key).not.toBe(follow?.key);
  });

  test('whatever comes, nothing throws', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (raw) => {
        readOaEvent(raw, NOW);
        readBotBody(raw, NOW);
      }),
    );
    const name = fc.constantFrom(
      'follow',
      'user_send_text',
      'user_send_group_file',
      'oa_send_text',
      'create_group',
    );
    const keys = fc.constantFrom(
      'sender',
      'recipient',
      'message',
      'follower',
      'users',
      'info',
      'timestamp',
      'group_id',
    );
    fc.assert(
      fc.property(name, fc.dictionary(keys, fc.jsonValue()), (event_name, rest) => {
        const event = read({ event_name, ...(rest as object) });
        expect(event).toMatchObject({ key: expect.any(String), atMs: expect.any(Number) });
      }),
    );
    fc.assert(
      fc.property(
        fc.jsonValue(),
        fc.constantFrom('image', 'file', 'location', 'link', 'x'),
        (payload, type) => {
          said('user_send_file', { attachments: [{ type, payload }] });
        },
      ),
    );
  });
});

describe('updates of the Bot Platform', () => {
  const update = {
    event_name: 'message.text.received',
    message: {
      message_id: 'b1',
      date: 5,
      chat: { id: 'c', chat_type: 'PRIVATE' },
      from: { id: 'c', is_bot: false, display_name: 'An' },
      text: 'Xin chào',
    },
  };
  test('bare or wrapped', () => {
    const expected = {
      kind: 'message',
      chatId: 'c',
      chatKind: 'private',
      userId: 'c',
      name: 'An',
      messageId: 'b1',
      atMs: 5,
      text: 'Xin chào',
      photoUrl: null,
      voiceUrl: null,
      also: null,
      key: 'message.text.received:c:b1',
    };
    expect(readBotUpdate(update, NOW)).toEqual(expected);
    expect(readBotBody(bytes(JSON.stringify({ ok: true, result: update })), NOW)).toEqual(expected);
  });
  test.each([['photo_url'], ['photo']])('a photo as %s, with its caption', (field) => {
    const message = { ...update.message, text: undefined, [field]: 'https://x/1.jpg', caption: 'Cổng' };
    expect(readBotUpdate({ event_name: 'message.image.received', message }, NOW)).toMatchObject({
      photoUrl: 'https://x/1.jpg',
      text: 'Cổng',
    });
  });
  test('a probe is nothing; what does not arrive is told as such; the new is kept', () => {
    for (const probe of ['', '{}', 'null', '{"ok":true}']) expect(readBotBody(bytes(probe), NOW)).toBeNull();
    const { message } = update;
    expect(readBotUpdate({ event_name: 'message.unsupported.received', message }, NOW)).toMatchObject({
      also: 'unsupported',
    });
    expect(readBotUpdate({ event_name: 'bot.joined', x: 1 }, NOW)).toMatchObject({
      kind: 'unknown',
      name: 'bot.joined',
    });
  });
});
