import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeMinuteBudget } from '../../src/channels/zalo/oa/budget.js';
import { oaLimits } from '../../src/channels/zalo/oa/limits.js';
import { fetchMedia, mediaAddress } from '../../src/channels/zalo/oa/media.js';

import { fit as fitted } from '../../src/chat/fit.js';
import type { Incoming, Message, Reply } from '../../src/chat/message.js';
import { eventually } from '../support/product.js';
import { TEST_APP } from '../support/zalo-server.js';
import { describeChannelContract } from './contract.js';
import { makeOaFixture, makeOaStage, type OaStage } from './zalo-oa-fixture.js';

describeChannelContract('zalo-oa', makeOaFixture);

const HOUR = 3_600_000;
let stage: OaStage;
let dir: string;
let taken: Incoming[];
const accept = async (incoming: Incoming) => {
  taken.push(incoming);
  return { inboxId: taken.length, fresh: true };
};
const messages = () => taken.filter((one): one is Message => one.kind === 'message');
const happened = () => taken.flatMap((one) => (one.kind === 'event' ? [one.event] : []));

beforeEach(async () => {
  taken = [];
  dir = fs.mkdtempSync(path.join(os.tmpdir(), 'mat-than-oa-'));
  stage = await makeOaStage();
});
afterEach(async () => {
  await stage.channel.stop();
  await stage.close();
  fs.rmSync(dir, { recursive: true, force: true });
});

const open = async () => {
  await stage.channel.start(accept);
  await stage.zalo.webhook.set(stage.hookUrl);
};
const anna = () => stage.zalo.person({ id: '5510185758261927916', name: 'Trần Thị Hoa' });
const to = (chatId: string) => ({ channel: 'zalo-oa' as const, chatId });
const picture = async (kind: 'jpeg' | 'gif', bytes = 320) => {
  const file = path.join(dir, `a.${kind === 'jpeg' ? 'jpg' : 'gif'}`);
  await sharp({ create: { width: bytes, height: 180, channels: 3, background: '#369' } })
    [kind]()
    .toFile(file);
  return { path: file, sizeBytes: fs.statSync(file).size, fileName: path.basename(file) };
};

it('tries at once when new tokens are there, however long its pause', async () => {
  const patient = await makeOaStage({}, { pauses: { firstMs: 3_600_000, mostMs: 3_600_000 } });
  patient.zalo.fail('getoa', { code: -200 });
  await patient.channel.start(accept);
  await patient.zalo.called('getoa');
  await eventually('the OA has answered', () => {
    patient.channel.wake();
    return patient.channel.account();
  });
  await patient.channel.stop();
  await patient.close();
});

describe('what comes in', () => {
  it('every event of a person and of a group is told as what it is', async () => {
    await open();
    const person = anna();
    person.follows();
    person.opensChat();
    person.submitsInfo({
      ...{ name: 'Trần Thị Hoa', phone: '84912345678', address: '12 Đường 1', city: 'Thanh Hóa' },
      district: 'Cẩm Thủy',
    });
    stage.zalo.adminReplies(person, 'Chào chị, em là trực ban');
    person.unfollows();
    person.withdraws();
    const group = stage.zalo.group({ name: 'Nhóm thôn 1', members: [person] });
    group.disperses();
    await stage.zalo.webhook.idle();
    expect(new Set(happened().map(({ type }) => type))).toEqual(
      new Set(['followed', 'heard', 'shared-info', 'answered-by-hand', 'blocked', 'withdrew', 'bot-removed']),
    );
    expect(happened().find(({ type }) => type === 'shared-info')).toMatchObject({
      info: { name: 'Trần Thị Hoa', phone: '84912345678', address: '12 Đường 1, Cẩm Thủy, Thanh Hóa' },
    });
  });

  it('names come beside the talk, of people and of groups', async () => {
    await open();
    const person = anna();
    const group = stage.zalo.group({ name: 'Nhóm thôn 1', members: [person] });
    person.says('chào cả nhóm', { in: group });
    await stage.zalo.webhook.idle();
    await stage.channel.settled();
    // who says nothing to us is nobody to us; the window begins anew all the same
    expect([...stage.store.names.values()]).toEqual(['Nhóm thôn 1']);
    expect(messages()[0]?.addressed).toBe(false);
    expect(stage.store.heardOf).toEqual([person.id]);
    person.says('/quyen', { in: group });
    await stage.zalo.webhook.idle();
    await stage.channel.settled();
    expect([...stage.store.names.values()].sort()).toEqual(['Nhóm thôn 1', 'Trần Thị Hoa']);
  });

  it('a name is asked for until it stands in the store, and not again after that', async () => {
    let there = false;
    const { store } = stage;
    const keep = store.nameAccount;
    store.nameAccount = async (userId, name) => there && (await keep(userId, name));
    const other = await makeOaStage({}, { store, zalo: stage.zalo });
    await other.channel.start(accept);
    await other.zalo.webhook.set(other.hookUrl);
    const person = anna();
    for (const now of [false, true, true, true]) {
      there = now;
      person.says('xin chào');
      await other.zalo.webhook.idle();
      await other.channel.settled();
    }
    expect(store.names.get(person.id)).toBe('Trần Thị Hoa');
    expect(other.zalo.calls.filter(({ name }) => name === 'user/detail')).toHaveLength(2);
    await other.channel.stop();
    await other.close();
  });

  it('how somebody is called is told within seconds, or not at all', async () => {
    await open();
    expect(await stage.channel.nameOf?.(anna().id)).toBe('Trần Thị Hoa');
    stage.zalo.hold('user/detail', 'before');
    const other = stage.zalo.person({ id: '5510185758261927917', name: 'Lê Văn Nam' });
    const begunMs = performance.now();
    expect(await stage.channel.nameOf?.(other.id)).toBeNull();
    expect(performance.now() - begunMs).toBeLessThan(5000);
    // in a flood of newcomers nobody waits in a queue: who can't be asked for this minute is told so at once
    stage.zalo.hold('user/detail', 'before');
    const crowd = Array.from({ length: 60 }, (_, n) => stage.channel.nameOf?.(`55101857582619290${n}`));
    const refusedMs = performance.now();
    await Promise.all(crowd.slice(40));
    expect(performance.now() - refusedMs).toBeLessThan(1000);
  });

  it('a group that is renamed is called so', async () => {
    await open();
    const person = anna();
    const group = stage.zalo.group({ name: 'Nhóm thôn 1', members: [person] });
    person.says('chào', { in: group });
    await stage.zalo.webhook.idle();
    await stage.channel.settled();
    group.renamed('Tổ liên gia 1');
    await stage.zalo.webhook.idle();
    await stage.channel.settled();
    expect(stage.store.names.get(group.id)).toBe('Tổ liên gia 1');
  });

  it('what the bot can not read is told to who sent it in private, and passed over in a group', async () => {
    await open();
    const person = anna();
    const group = stage.zalo.group({ name: 'Nhóm thôn 1', members: [person] });
    // not in one moment: of two that say nothing there one is known as the other
    person.sendsSticker();
    stage.zalo.clock += 1;
    person.sendsCard('Anh Ba', '0912345678');
    stage.zalo.clock += 1;
    stage.zalo.world.emit({
      ...{ event_name: 'user_send_todo', sender: { id: person.id }, recipient: { id: TEST_APP.oaId } },
      message: { msg_id: 'todo-1', attachments: [{ type: 'todo', payload: {} }] },
    });
    person.sendsSticker({ in: group });
    person.sendsCard('Anh Ba', '0912345678', { in: group });
    await stage.zalo.webhook.idle();
    expect(messages().map(({ unreadable, text, chatId }) => [unreadable, text, chatId])).toEqual(
      Array.from({ length: 3 }, () => [true, '', person.id]),
    );
  });

  it('who asks to be let into a group, and who came in, is told', async () => {
    await open();
    const [person, other] = [anna(), stage.zalo.person({ id: '5510185758261927917', name: 'Lê Văn Nam' })];
    const group = stage.zalo.group({ name: 'Nhóm thôn 1', members: [] });
    group.asksToJoin(person);
    group.asksToJoin(other);
    await stage.zalo.webhook.idle();
    await stage.channel.decideJoin?.(group.id, person.id, true);
    await stage.channel.decideJoin?.(group.id, other.id, false);
    await expect(stage.channel.decideJoin?.(group.id, other.id, true)).rejects.toMatchObject({
      kind: 'invalid',
    });
    await stage.zalo.webhook.idle();
    expect([...group.state.members]).toEqual([person.id]);
    expect(happened()).toEqual([
      { type: 'asked-to-join', userIds: [person.id] },
      { type: 'asked-to-join', userIds: [other.id] },
      { type: 'joined', userIds: [person.id] },
    ]);
  });

  it('an event that can not be written down is not confirmed, comes again, and is one message', async () => {
    let full = true;
    await stage.channel.start(async (incoming) => {
      if (full) {
        full = false;
        throw new Error('disk full');
      }
      return accept(incoming);
    });
    await stage.zalo.webhook.set(stage.hookUrl);
    anna().says('Có người lạ');
    await stage.zalo.webhook.idle();
    expect(stage.zalo.webhook.deliveries.map(({ status }) => status)).toEqual([503, 200]);
    expect(messages().map(({ text }) => text)).toEqual(['Có người lạ']);
    expect(stage.channel.counters).toMatchObject({ taken: 1, late: 1 });
  });

  it('nothing that is not signed gets in, and it is answered like the rest', async () => {
    await open();
    anna().says('thật');
    await stage.zalo.webhook.idle();
    const { body } = stage.zalo.webhook.deliveries[0]!;
    const mac = stage.zalo.webhook.sign(body, (JSON.parse(body) as { timestamp: string }).timestamp);
    const post = async (text: string | Buffer, header?: string) =>
      (
        await fetch(stage.hookUrl, {
          ...{ method: 'POST', body: text },
          headers: header === undefined ? {} : { 'x-zevent-signature': header },
        })
      ).status;
    const forged = body.replace('thật', 'giả');
    expect(forged).not.toBe(body);
    const statuses = [
      await post(body),
      await post(forged, `mac=${mac}`),
      await post(body, `mac=${'0'.repeat(64)}`),
      await post(body, ''),
      await post(`${body} `, `mac=${mac}`),
      await post('{', `mac=${mac}`),
      await post(randomBytes(300_000), `mac=${mac}`),
      await post('', `mac=${mac}`),
    ];
    expect(statuses).toEqual(statuses.map(() => 200));
    expect(messages()).toHaveLength(1);
    expect(stage.channel.counters).toMatchObject({ taken: 1, dropped: statuses.length + 1 });
    // the same event again is the same message
    expect(await post(body, `mac=${mac}`)).toBe(200);
    expect(new Set(messages().map(({ externalId }) => externalId)).size).toBe(1);
  });

  it('what people wrote while we were away is taken at the next start, once, oldest first, and nothing older', async () => {
    const { zalo, store } = stage;
    const [person, other] = [anna(), zalo.person({ id: '5510185758261927917', name: 'Lê Văn Nam' })];
    person.says('cũ, đã trả lời');
    zalo.clock += 2 * HOUR;
    store.heardUpToMs = zalo.world.now();
    zalo.clock += HOUR;
    for (let n = 1; n <= 12; n += 1) {
      person.says(`tin ${n}`);
      zalo.clock += 1000;
    }
    other.sendsPhoto(Buffer.from('jpeg'), 'biển số xe lạ');
    await open();
    await stage.channel.settled();
    expect(messages().map(({ text }) => text)).toEqual([
      ...Array.from({ length: 12 }, (_, n) => `tin ${n + 1}`),
      'biển số xe lạ',
    ]);
    expect(messages().at(-1)?.attachments).toMatchObject([{ kind: 'photo' }]);
    // the webhook brings one of them late: the same id
    zalo.webhook.held = null;
    const ids = new Set(messages().map(({ externalId }) => externalId));
    other.says('mới');
    await zalo.webhook.idle();
    expect(ids.has(messages().at(-1)!.externalId)).toBe(false);
    expect(messages()).toHaveLength(14);
  });
});

describe.each([
  ['the ids of the webhook', false],
  ['other ids', true],
])('an outage, where conversations have %s', (_, otherIds) => {
  /** As the inbox does: each id once, kept for the next start. */
  const inbox = async (incoming: Incoming) => {
    const known = messages().some(({ externalId }) => externalId === incoming.externalId);
    if (!known) await accept(incoming);
    if (!known && incoming.kind === 'message')
      stage.store.inbox.push({ atMs: stage.zalo.world.now(), message: incoming });
    return { inboxId: taken.length, fresh: !known };
  };
  const texts = () => messages().map(({ text }) => text);
  const clock = { now: () => stage.zalo.world.now() };
  let later: OaStage;
  /** The bot stops; `meanwhile` happens, its events are held back; it starts again. */
  async function restarted(meanwhile: () => void): Promise<void> {
    const { zalo, store, channel } = stage;
    await channel.start(inbox);
    await zalo.webhook.set(stage.hookUrl);
    anna().says('trước');
    await zalo.webhook.idle();
    await channel.settled();
    await channel.stop();
    zalo.webhook.held = [];
    meanwhile();
    later = await makeOaStage({}, { store, zalo, clock });
    await later.channel.start(inbox);
    await zalo.webhook.set(later.hookUrl);
  }
  beforeEach(() => {
    stage.zalo.world.otherIds = otherIds;
  });
  afterEach(async () => {
    await later.channel.stop();
    await later.close();
  });

  it('what came just before it is not answered again, and what the webhook repeats after it neither', async () => {
    const person = anna();
    await restarted(() => {
      person.says('tin   một');
      person.sendsPhoto(Buffer.from('jpeg'), 'biển số xe lạ');
      person.sendsPlace(19.5, 105.5);
    });
    await later.channel.settled();
    expect(messages()).toHaveLength(4);
    stage.zalo.webhook.release();
    await stage.zalo.webhook.idle();
    expect(messages()).toHaveLength(4);
    expect(later.channel.counters.taken).toBe(3);
    person.says('tin   một');
    await stage.zalo.webhook.idle();
    expect(messages()).toHaveLength(5);
  });

  it('what was said to the bot in a group meanwhile is taken once, and by the webhook not again', async () => {
    const { zalo, store } = stage;
    const person = anna();
    const group = zalo.group({ name: 'Nhóm cán bộ', members: [person] });
    const strange = zalo.group({ name: 'Nhóm lạ', members: [person] });
    store.groups.add(group.id);
    await restarted(() => {
      person.says('/anh 1', { in: group });
      zalo.clock += 1000;
      person.says('@Công an xã Cẩm Lương ảnh 2', { in: group });
      person.says('/anh 3', { in: strange });
      person.sendsSticker({ in: group });
    });
    await later.channel.settled();
    const said = () => messages().slice(1);
    expect(
      said().map(({ text, addressed, chatKind, chatId }) => [text, addressed, chatKind, chatId]),
    ).toEqual(['/anh 1', 'ảnh 2'].map((text) => [text, true, 'group', group.id]));
    // the OA wrote there, too: what it said itself is no message
    await later.channel.send(to(group.id), { kind: 'text', text: '/anh 9 là lời của em' });
    zalo.webhook.release();
    await zalo.webhook.idle();
    expect(later.channel.counters.taken).toBeGreaterThanOrEqual(4);
    const { text } = said().at(-1)!;
    expect([said().length, text]).toEqual([3, '/anh 3']);
    // heard in the group: from now on nothing is looked for before that
    expect(store.marks[group.id]).toBeGreaterThan(zalo.world.now() - HOUR);
    await later.channel.stop();
    await later.close();
    later = await makeOaStage({}, { store, zalo, clock });
    await later.channel.start(inbox);
    await later.channel.settled();
    expect(said()).toHaveLength(3);
  });

  it('nor after one more start between the two', async () => {
    await restarted(() => void anna().says('tin một'));
    await later.channel.settled();
    await later.channel.stop();
    await later.close();
    stage.zalo.clock += HOUR;
    const { zalo, store } = stage;
    later = await makeOaStage({}, { store, zalo, clock });
    await later.channel.start(inbox);
    await zalo.webhook.set(later.hookUrl);
    zalo.webhook.release();
    await zalo.webhook.idle();
    expect(texts()).toEqual(['trước', 'tin một']);
  });

  it('what the webhook repeats while it is being caught up', async () => {
    const held = stage.zalo.hold('conversation', 'after');
    await restarted(() => void anna().says('tin một'));
    await held.arrived;
    stage.zalo.webhook.release();
    await stage.zalo.webhook.idle();
    expect(texts()).toEqual(['trước', 'tin một']);
    held.release();
    await later.channel.settled();
    expect(texts()).toEqual(['trước', 'tin một']);
  });

  it('photos of one moment stay as many as they are', async () => {
    const person = anna();
    await restarted(() => {
      const now = stage.zalo.world.now;
      const still = now();
      Object.assign(stage.zalo.world, { now: () => still });
      for (let n = 1; n <= 3; n += 1) person.sendsPhoto(Buffer.from(`jpeg ${n}`));
      Object.assign(stage.zalo.world, { now });
    });
    await later.channel.settled();
    stage.zalo.webhook.release();
    await stage.zalo.webhook.idle();
    expect(messages()).toHaveLength(4);
  });

  it('what could not be written down when it was caught up comes by the webhook', async () => {
    let full = true;
    const { zalo, store } = stage;
    await restarted(() => void anna().says('tin một'));
    await later.channel.settled();
    await later.channel.stop();
    await later.close();
    zalo.webhook.held = [];
    anna().says('tin hai');
    later = await makeOaStage({}, { store, zalo, clock });
    const refused = new Promise<void>((resolve) => {
      void later.channel.start(async (incoming) => {
        if (!full) return inbox(incoming);
        resolve();
        throw new Error('disk full');
      });
    });
    await refused;
    full = false;
    await zalo.webhook.set(later.hookUrl);
    zalo.webhook.release();
    await zalo.webhook.idle();
    await later.channel.settled();
    expect(texts()).toEqual(['trước', 'tin một', 'tin hai']);
  });
});

describe('what goes out', () => {
  it('a moving picture with its words, a document by its token and its words after it', async () => {
    await open();
    const person = anna();
    person.says('chào');
    const gif = await picture('gif');
    await stage.channel.send(to(person.id), {
      ...{ kind: 'photo', moving: true, file: gif, caption: 'Clip cổng chợ', width: 320, height: 180 },
    });
    expect(await person.receives('Clip cổng chợ')).toMatchObject({ kind: 'gif' });
  });

  it('an upload that is gone at once is made again', async () => {
    await open();
    const person = anna();
    person.says('chào');
    stage.zalo.fail('message/cs', { code: -100 });
    await stage.channel.send(to(person.id), { kind: 'photo', file: await picture('jpeg'), caption: 'ảnh' });
    expect((await person.receives('ảnh')).kind).toBe('image');
    expect(stage.zalo.calls.filter(({ name }) => name === 'upload/image')).toHaveLength(2);
  });

  it('a form for name and phone, where there is a picture for it; else its words', async () => {
    const formImage = 'https://congan.example/zalo/form.png';
    const other = await makeOaStage({}, { zalo: stage.zalo, formImage });
    const person = anna();
    person.says('chào');
    const form = { title: 'Để lại số điện thoại', subtitle: 'Không bắt buộc' };
    await other.channel.send(to(person.id), { kind: 'text', text: 'Để lại số', form });
    expect((await person.receives()).kind).toBe('ask-info');
    expect([other.channel.limits.form, stage.channel.limits.form]).toEqual([true, false]);
    await stage.channel.send(to(person.id), { kind: 'text', text: 'Để lại số', form });
    expect(await person.receives()).toMatchObject({ kind: 'text', text: 'Để lại số' });
    await other.close();
  });

  it('a group is made out of the smallest package that takes so many, while there is one', async () => {
    await open();
    const { zalo, channel } = stage;
    const userIds = Array.from(
      { length: 11 },
      (_, n) => zalo.person({ id: `55101857582619280${n}`, name: 'x' }).id,
    );
    zalo.groupAsset('gmf10');
    const large = zalo.groupAsset('gmf50', 'purchase_quota');
    const about = { name: 'Tổ trực', description: 'Công an xã', userIds };
    const made = (await channel.makeGroup?.(about))!;
    expect(made.link).toContain('https://');
    const { state } = zalo.groupById(made.chatId);
    expect([state.name, state.assetId, [...state.members]]).toEqual(['Tổ trực', large, userIds]);
    expect(await channel.makeGroup?.(about)).toBeNull();
  });

  it('words of people never call anybody in a group', async () => {
    await open();
    const person = anna();
    const group = stage.zalo.group({ name: 'Nhóm cán bộ', members: [person] });
    stage.store.groups.add(group.id);
    await stage.channel.send(to(group.id), {
      kind: 'text',
      text: `xem này [@${person.id}] và [@${group.id}]`,
    });
    const sent = await group.receives();
    expect(sent.text).not.toMatch(/\[@/);
    expect(sent.text).toContain(person.id);
  });

  it('words that just fit still fit when what they call is taken off', async () => {
    await open();
    const person = anna();
    person.says('chào');
    const text = `${'x'.repeat(1995)}[@1] `;
    expect(text).toHaveLength(2000);
    await stage.channel.send(to(person.id), { kind: 'text', text });
    expect((await person.receives()).text).toHaveLength(2000);
  });

  it('the words of a document go apart, so that a refusal of theirs never sends the document twice', async () => {
    await open();
    const person = anna();
    person.says('chào');
    const file = path.join(dir, 'a.pdf');
    fs.writeFileSync(file, '%PDF-1.4');
    const document = {
      kind: 'document' as const,
      file: { path: file, sizeBytes: 8, fileName: 'a.pdf' },
      caption: 'Lời dặn',
    };
    const { limits } = stage.channel;
    const parts = fitted(document, limits);
    expect(parts.map(({ kind }) => kind)).toEqual(['document', 'text']);
    await stage.channel.send(to(person.id), parts[0]!);
    stage.zalo.fail('message/cs', { code: -32 });
    await expect(stage.channel.send(to(person.id), parts[1]!)).rejects.toMatchObject({
      kind: 'rate-limited',
    });
    await stage.channel.send(to(person.id), parts[1]!);
    const sent = stage.zalo.world.messages.filter(({ fromId }) => fromId === null);
    expect(sent.map(({ kind, text }) => `${kind} ${text}`)).toEqual(['file ', 'text Lời dặn']);
  });

  it('real buttons only where Zalo takes them: five, short, under words, in private', async () => {
    const limits = oaLimits({ buttons: true, paid: false, formImage: null });
    const menu = (count: number, label = 'Cổng chợ') =>
      Array.from({ length: count }, (_, at) => [{ label: `${label} ${at}`, says: `ảnh ${at}` }]);
    const shown = (reply: Reply, inGroup = false) =>
      fitted(reply, limits, { inGroup }).map((one) => 'buttons' in one && one.buttons !== undefined);
    const text = (count: number, label?: string): Reply => ({
      ...{ kind: 'text', text: 'Chọn' },
      buttons: menu(count, label),
    });
    const photo: Reply = {
      ...{ kind: 'photo', file: { path: '/a.jpg', sizeBytes: 10, fileName: 'a.jpg' }, caption: 'Đây' },
      buttons: menu(2),
    };
    expect([shown(text(5)), shown(text(6)), shown(text(2, 'x'.repeat(100)))]).toEqual([
      [true],
      [false],
      [false],
    ]);
    expect([shown(text(2), true), shown(photo)]).toEqual([[false], [false]]);
    expect(fitted(photo, limits)[0]).toMatchObject({
      kind: 'photo',
      caption: expect.stringMatching(/2\. Cổng/),
    });
    expect(fitted(text(8), limits)[0]).toMatchObject({ text: expect.stringContaining('8. Cổng chợ 7') });
    await open();
    const person = anna();
    person.says('chào');
    for (const reply of [text(5), text(8), { ...photo, file: await picture('jpeg') }])
      for (const part of fitted(reply, limits)) await stage.channel.send(to(person.id), part);
    const sent = stage.zalo.world.messages.filter(({ fromId }) => fromId === null);
    expect(sent.map(({ kind }) => kind)).toEqual(['buttons', 'text', 'image']);
    expect(sent[2]!.text).toContain('2. Cổng chợ 1');
  });

  it('the window is over after 48 hours, or after 7 days where messages are paid for', async () => {
    await open();
    expect(stage.channel.limits.windowMs).toBe(48 * HOUR);
    const paid = await makeOaStage({}, { paid: true });
    expect(paid.channel.limits.windowMs).toBe(7 * 24 * HOUR);
    await paid.close();
    const person = anna();
    person.says('chào');
    stage.zalo.clock += 8 * 24 * HOUR;
    await expect(stage.channel.send(to(person.id), { kind: 'text', text: 'cảm ơn' })).rejects.toMatchObject({
      kind: 'window-closed',
    });
  });

  it('calls beyond the minute are refused here, with the time to wait', () => {
    let ms = 0;
    const budget = makeMinuteBudget(3, 0, () => ms);
    for (let n = 0; n < 3; n += 1) {
      budget.take(false);
      ms += 10_000;
    }
    expect(() => budget.take(true)).toThrowError(
      expect.objectContaining({ kind: 'rate-limited', retryAfterS: 30 }),
    );
    ms = 60_000;
    budget.take(false);
    expect(() => budget.take(false)).toThrowError(expect.objectContaining({ retryAfterS: 10 }));
  });

  it('the last calls of a minute are kept for what is urgent, whatever the others take', () => {
    let ms = 0;
    const budget = makeMinuteBudget(10, 4, () => ms);
    for (let n = 0; n < 6; n += 1) {
      expect(budget.waitMs(1, false)).toBe(0);
      budget.take(false);
      ms += 1000;
    }
    expect(budget.waitMs(1, false)).toBe(54_000);
    expect(() => budget.take(false)).toThrowError(expect.objectContaining({ kind: 'rate-limited' }));
    expect(budget.waitMs(4, true)).toBe(0);
    expect(budget.waitMs(5, true)).toBe(54_000);
    for (let n = 0; n < 4; n += 1) budget.take(true);
    expect(budget.waitMs(1, true)).toBe(54_000);
    // the urgent ones have eaten into what the others have next
    ms = 61_500;
    expect([budget.waitMs(1, true), budget.waitMs(1, false)]).toEqual([0, 2500]);
    // more than there ever is goes once there is nothing else
    ms = 200_000;
    expect(budget.waitMs(99, false)).toBe(0);
  });
});

describe('files of people', () => {
  it('come only from hosts of Zalo, always by https', () => {
    const hosts = ['zdn.vn', 'zadn.vn', 'http://127.0.0.1:9'];
    expect(mediaAddress('http://f20-zpc.zdn.vn/a.jpg?x=1', hosts)).toBe('https://f20-zpc.zdn.vn/a.jpg?x=1');
    expect(mediaAddress('https://zadn.vn/a', hosts)).toBe('https://zadn.vn/a');
    expect(mediaAddress('http://127.0.0.1:9/a', hosts)).toBe('http://127.0.0.1:9/a');
    for (const bad of [
      ...[
        'http://127.0.0.1/a',
        'https://zdn.vn.evil.example/a',
        'https://evilzdn.vn/a',
        'file:///etc/passwd',
      ],
      ...['https://u:p@zdn.vn/a', 'https://zdn.vn:8080/a', 'https://169.254.169.254/zdn.vn', 'khong-co', ''],
      ...['http://127.0.0.1:9@evil.example/', 'https://[::1]/a', 'gopher://zdn.vn/a'],
    ])
      expect(mediaAddress(bad, hosts), bad).toBeNull();
  });

  it('a download ends when the channel stops, or when it is given up', async () => {
    await open();
    const ref = stage.zalo.world.addMedia(Buffer.alloc(500, 1), 'image/jpeg', 'jpg');
    const [first, second] = [stage.zalo.hold('media', 'before'), stage.zalo.hold('media', 'before')];
    const enough = new AbortController();
    const fetch = (signal?: AbortSignal) =>
      expect(
        stage.channel.fetch({ kind: 'photo', ref }, path.join(dir, 'x'), 1000, signal),
      ).rejects.toMatchObject({ kind: 'cancelled' });
    const given = fetch(enough.signal);
    await first.arrived;
    enough.abort();
    await given;
    const stopped = fetch();
    await second.arrived;
    await stage.channel.stop();
    await stopped;
  });

  it('a redirect, a lying length, a body without end and an address that has died are told apart', async () => {
    const target = path.join(dir, 'x');
    const ends = AbortSignal.timeout(10_000);
    const from = (url: string) => fetchMedia(url, target, 1000, { hosts: [stage.zalo.root] }, ends);
    const media = stage.zalo.world.addMedia(Buffer.alloc(5000, 1), 'image/jpeg', 'jpg');
    await expect(from(media)).rejects.toMatchObject({ kind: 'too-big' });
    const small = stage.zalo.world.addMedia(Buffer.alloc(500, 1), 'image/jpeg', 'jpg');
    expect(await from(small)).toEqual({ sizeBytes: 500 });
    fs.rmSync(target);
    stage.zalo.clock += 2 * HOUR;
    await expect(from(small)).rejects.toMatchObject({ kind: 'not-found' });
    await expect(fetchMedia(small, target, 1000, { hosts: ['zdn.vn'] }, ends)).rejects.toMatchObject({
      kind: 'not-found',
    });
    expect(fs.existsSync(target)).toBe(false);
  });
});
