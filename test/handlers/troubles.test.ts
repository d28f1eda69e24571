import fs from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { recipientName } from '../../handlers/alerts/recipients.js';
import { keyFor } from '../../handlers/troubles.js';
import { WorldError } from '../../src/base/errors.js';
import { wordsOf } from '../../src/chat/outgoing.js';
import { makeTestChannel, type TestChannel } from '../support/channel.js';
import { openHouse, type TestHouse } from '../support/house.js';

let zalo: TestChannel;
let house: TestHouse;
const GROUP = { channel: 'zalo-oa', chatId: 'g1' } as const;
const HERE = { channel: 'console', chatId: 'nhom-canbo' } as const;

beforeEach(async () => {
  zalo = makeTestChannel({ name: 'zalo-oa', limits: { buttons: false } });
  house = await openHouse({ others: [zalo] });
  await house.db.group.create({ data: { ...GROUP, title: 'Trực ban', purpose: 'officers', boundMs: 1n } });
  // the outbox knows groups from its start or from their messages
  await zalo.hear({
    ...{ kind: 'event', ...GROUP, externalId: 'e0', sentMs: 0 },
    event: { type: 'bot-added', by: { userId: 'a', name: 'A' } },
  });
  await house.drained();
  zalo.sent.length = 0;
});
afterEach(() => house.close());

const closed = () =>
  zalo.failWith((to) =>
    to.chatId === 'g1' ? new WorldError('chat-gone', 'the group is disabled') : undefined,
  );
const heard = (chat: string) => house.heardIn(chat).map(({ text }) => text);
const ofAlerts = (chat: string) => heard(chat).filter((text) => text.includes('báo động'));
/** No other group of officers. */
const onlyZalo = () => house.db.group.updateMany({ where: HERE, data: { purpose: null, boundMs: null } });
const tell = (chat: typeof GROUP | typeof HERE, n: number) =>
  house.house.tell(chat, `báo động ${n}`, {
    ...{ key: `alarm:${n}:${recipientName(chat)}`, priority: 'alert' as const, digest: 'alarm' },
  });
/** One that Zalo hears of itself: what waits for the network is tried. */
const wake = () =>
  zalo.hear({
    ...{ kind: 'event', channel: 'zalo-oa', chatId: 'x', externalId: `e${Math.random()}`, sentMs: 0 },
    event: { type: 'heard', userId: 'nobody' },
  });

describe('a group of officers that is closed', () => {
  it('an alert that the other group was told is not told it again', async () => {
    closed();
    house.recorder.drop('cam3');
    for (const event of house.recorder.emitted) await house.handlers.alerts.take(event);
    house.clock.ms += 61_000;
    await house.handlers.alerts.tick();
    await house.drained();
    expect(heard('nhom-canbo').filter((text) => text.includes('Camera 3'))).toHaveLength(1);
    expect(heard('truong').filter((text) => text.includes('Camera 3'))).toEqual([]);
  });

  it('many that became one are not told again either, and go to the chief where there is no other group', async () => {
    zalo.failWith(() => new WorldError('unreachable', 'no route'));
    for (let n = 0; n < 8; n += 1) for (const chat of [HERE, GROUP]) await tell(chat, n);
    closed();
    await wake();
    await house.drained();
    expect(ofAlerts('truong')).toEqual([]);
    const before = ofAlerts('nhom-canbo').join('\n');
    for (let n = 0; n < 8; n += 1) expect(before.split(`báo động ${n}`)).toHaveLength(2);

    await onlyZalo();
    await house.db.group.updateMany({ where: GROUP, data: { leftMs: null } });
    zalo.failWith(() => new WorldError('unreachable', 'no route'));
    for (let n = 10; n < 18; n += 1) await tell(GROUP, n);
    closed();
    await wake();
    await house.drained();
    const said = ofAlerts('truong').join('\n');
    for (let n = 10; n < 18; n += 1) expect(said.split(`báo động ${n}`)).toHaveLength(2);
  });

  it('pictures go along, and what belongs together comes in order', async () => {
    await onlyZalo();
    closed();
    const key = `report:${recipientName(GROUP)}`;
    const path = await house.house.spoolFor!(key, 'a.jpg');
    await fs.writeFile(path, 'ảnh');
    await house.house.tell(
      GROUP,
      {
        ...{ kind: 'photo', file: { path, sizeBytes: 4, fileName: 'a.jpg' } },
        caption: `báo động ${'dài '.repeat(400)}hết`,
      },
      { key, priority: 'alert' },
    );
    await house.drained();
    const got = house.heardIn('truong').filter(({ text }) => /báo động|dài/.test(text));
    expect(got[0]?.files[0]?.toString()).toBe('ảnh');
    expect(got.map(({ text }) => text.trim()).join(' ')).toMatch(/^báo động (?:dài )+hết$/);
  });

  it('thanks for a closed public group go to the chief, with what they were meant for', async () => {
    await house.db.group.update({
      where: { channel_chatId: GROUP },
      data: { purpose: 'public', title: 'Bà con' },
    });
    closed();
    await house.house.tell(GROUP, 'Cảm ơn bà Năm', { key: 'donation:1:group:9', priority: 'notice' });
    await house.drained();
    expect(heard('truong').find((text) => text.includes('bà Năm'))).toBe(
      'Tin này em chưa gửi được vào nhóm chung “Bà con”:\nCảm ơn bà Năm',
    );
  });
});

describe('what only a person can mend', () => {
  it('what waits in the group behind an answer that nobody else can hear goes other ways all the same', async () => {
    await onlyZalo();
    const need = { code: '-211', advice: 'Mua thêm tin.' };
    zalo.failWith(() => new WorldError('refused', 'no', { needsHuman: need }));
    const about = { channel: 'zalo-oa', userId: 'o1', displayName: 'Tám', createdMs: 0n };
    await house.db.person.create({
      data: { name: 'Tám', role: 'officer', createdMs: 0n, addresses: { create: about } },
    });
    const { chat } = await house.ready;
    await zalo.hear({
      ...{ kind: 'message', ...GROUP, chatKind: 'group', externalId: 'm1', sentMs: 0, text: '/quyen' },
      ...{ sender: { userId: 'o1', name: 'Tám' }, attachments: [], addressed: true },
    });
    await expect.poll(() => chat.counters.retries).toBeGreaterThan(0);
    const reports = () => heard('truong').filter((text) => text.startsWith('Tin báo mới'));
    for (let n = 1; n <= 3; n += 1) {
      await house.as(`la${n}`).say(`báo tin có trộm ở ngõ ${n}`);
      // something to try again for
      await wake();
      await expect.poll(() => reports().length, { timeout: 5000 }).toBe(n);
    }
    zalo.failWith(null);
    await wake();
    await expect
      .poll(() => zalo.sent.filter(({ to }) => to.chatId === 'g1').length, { timeout: 5000 })
      .toBe(4);
    expect(reports(), 'the chief hears each once').toHaveLength(3);
  });

  it('is told once a day and code; alerts go to others meanwhile, and the rest waits', async () => {
    await onlyZalo();
    const need = { code: '-211', advice: 'Mua thêm tin.' };
    zalo.failWith(() => new WorldError('refused', 'no', { needsHuman: need }));
    const chiefHears = (words: string) =>
      house.channel.waitFor(({ to, reply }) => to.chatId === 'truong' && wordsOf(reply).includes(words));
    await tell(GROUP, 1);
    await chiefHears('báo động 1');
    const told = () => heard('truong').filter((text) => text.includes('mã -211'));
    expect(told()).toHaveLength(1);
    expect(told()[0]).toContain('Mua thêm tin.');
    await wake();
    await tell(GROUP, 2);
    await wake();
    house.clock.ms += 86_400_000;
    need.code = '-321';
    await wake();
    await chiefHears('mã -321');
    expect(told()).toHaveLength(1);
    // late is better than never
    zalo.failWith(null);
    await wake();
    await house.drained();
    expect(zalo.sent.map(({ reply }) => wordsOf(reply))).toEqual(['báo động 1', 'báo động 2']);
    expect(ofAlerts('truong')[0]).toBe('báo động 1');
    expect(new Set(ofAlerts('truong')).size).toBe(ofAlerts('truong').length);
  });
});

it('keys name whom they are for', () => {
  const chief = { personId: 3 };
  expect(keyFor('outage:5:down:zalo-oa:g1', GROUP, HERE)).toBe('outage:5:down:console:nhom-canbo');
  expect(keyFor('7:to:report:zalo-oa:g1:0', GROUP, chief)).toBe('7:to:report:person:3:0');
  expect(keyFor('outage:5:down:zalo-oa:g12', GROUP, chief)).toBe('outage:5:down:zalo-oa:g12:person:3');
});
