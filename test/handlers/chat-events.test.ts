import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ChatEvent } from '../../src/chat/message.js';
import { ERASED_NAME } from '../../src/store/erase.js';
import { makeTestChannel, type TestChannel } from '../support/channel.js';
import { openHouse, type TestHouse } from '../support/house.js';

const PHONE = '84912345678';
let zalo: TestChannel;
let house: TestHouse;

beforeEach(async () => {
  zalo = makeTestChannel({ name: 'zalo-oa', limits: { buttons: false } });
  house = await openHouse({ others: [zalo] });
});
afterEach(() => house.close());

/** Something happens on Zalo, and the process dies at its end: it is run again. */
async function happens(event: ChatEvent['event'], chatId = 'z1'): Promise<{ rows: () => Promise<number> }> {
  const whole: ChatEvent = {
    ...{ kind: 'event', channel: 'zalo-oa', chatId, externalId: randomUUID(), event },
    sentMs: house.clock.now(),
  };
  const { inboxId } = await zalo.hear(whole);
  await house.drained();
  const rows = async () => (await house.db.outbox.count()) + (await house.db.audit.count());
  const before = await rows();
  await house.handlers.onEvent(whole, inboxId);
  await house.drained();
  expect(await rows(), 'the second run did something').toBe(before);
  return { rows };
}

async function says(userId: string, text: string): Promise<void> {
  const { chat } = await house.ready;
  const { inboxId } = await zalo.hear({
    ...{ kind: 'message', channel: 'zalo-oa', chatId: userId, chatKind: 'private', text, attachments: [] },
    ...{ externalId: randomUUID(), sender: { userId, name: 'Trần Thị Hoa' }, addressed: true },
    sentMs: house.clock.now(),
  });
  await chat.turnDone(inboxId);
}
const account = (userId = 'z1') =>
  house.db.address.findUnique({
    where: { channel_userId: { channel: 'zalo-oa', userId } },
    include: { person: true },
  });
const onZalo = (chatId = 'z1') =>
  zalo.sent
    .filter((one) => one.to.chatId === chatId)
    .map(({ reply }) => (reply.kind === 'text' ? reply.text : ''));
const toChief = () => house.heardIn('truong').map(({ text }) => text);

describe('a group', () => {
  it('that took the bot in learns how it is given its work, once', async () => {
    await happens({ type: 'bot-added', by: { userId: 'z1', name: '' } }, 'g1');
    expect(onZalo('g1')).toEqual([expect.stringContaining('Trưởng công an gõ /nhom')]);
  });

  it('that threw it out is written to no more', async () => {
    await happens({ type: 'bot-added', by: { userId: 'z1', name: '' } }, 'g1');
    await happens({ type: 'bot-removed' }, 'g1');
    const group = await house.db.group.findFirstOrThrow({ where: { channel: 'zalo-oa', chatId: 'g1' } });
    expect(group.leftMs).not.toBeNull();
  });
});

describe('a person', () => {
  it('who blocks, unblocks, or opens the chat is noted, and nobody is told', async () => {
    await says('z1', 'xin chào');
    const said = zalo.sent.length;
    await happens({ type: 'blocked', userId: 'z1' });
    expect((await account())?.blockedMs).not.toBeNull();
    await happens({ type: 'unblocked', userId: 'z1' });
    expect((await account())?.blockedMs).toBeNull();
    await happens({ type: 'heard', userId: 'z1' });
    expect(zalo.sent.length).toBe(said);
  });

  it('who fills in the form: the phone is sealed and stands nowhere else, the name is kept where we had none', async () => {
    await says('z1', 'xin chào');
    await happens({ type: 'shared-info', userId: 'z1', info: { name: 'Trần Thị Hoa Mai', phone: PHONE } });
    const { person } = (await account())!;
    expect(person.name).toBe('Trần Thị Hoa Mai');
    expect(house.house.seal.open(person.phoneSealed!)).toBe(PHONE);
    for (const { payload } of await house.db.inbox.findMany()) expect(payload).not.toContain(PHONE);
    for (const { payload } of await house.db.outbox.findMany()) expect(payload).not.toContain(PHONE);
    expect(onZalo().at(-1)).toContain('đã lưu thông tin');
  });

  it('whom we know by name keeps that name', async () => {
    await says('z1', 'xin chào');
    const { personId } = (await account())!;
    await house.db.person.update({ where: { id: personId }, data: { role: 'household', name: 'Bà Hoa' } });
    await happens({ type: 'shared-info', userId: 'z1', info: { name: 'Hoa xinh gái' } });
    expect((await account())?.person.name).toBe('Bà Hoa');
  });
});

it('what somebody of ours answered by hand stands in the log, without phone numbers', async () => {
  await says('z1', 'xin chào');
  await happens({
    ...{ type: 'answered-by-hand', adminId: '7411112222333344445', toUserId: 'z1' },
    text: 'Chào chị, gọi em số 0912 345 678 nhé',
  });
  const [row] = await house.db.audit.findMany({ where: { action: 'chat.by-hand' } });
  expect(row).toMatchObject({ personName: 'quản trị viên Zalo 4445', result: 'ok' });
  expect(row?.detail).toContain('Trần Thị Hoa');
  expect(row?.detail).not.toMatch(/912|345 678/);
});

describe('who withdraws', () => {
  /** Someone of whom we have everything: words, phone, a question under way, a report, a gift. */
  async function known(): Promise<number> {
    await says('z1', 'báo tin có người lạ ở cầu treo');
    const { personId } = (await account())!;
    await house.db.person.update({
      where: { id: personId },
      data: { phoneSealed: house.house.seal.seal(PHONE), role: 'household' },
    });
    await house.as('truong').say('ghi nhận Trần Thị Hoa 500.000đ');
    const gift = await house.db.donation.findFirstOrThrow({ orderBy: { id: 'desc' } });
    await house.db.donation.update({ where: { id: gift.id }, data: { donorId: personId } });
    await house.house.tell({ personId }, 'tin riêng cho chị Hoa', { key: 'rieng', priority: 'notice' });
    await house.drained();
    return personId;
  }

  it('is erased: name, phone, account, and every word in both directions', async () => {
    const personId = await known();
    expect(await house.db.outbox.count({ where: { channel: 'zalo-oa', chatId: 'z1' } })).toBeGreaterThan(0);
    await happens({ type: 'withdrew', userId: 'z1' });
    expect(await account()).toBeNull();
    expect(await house.db.person.findUnique({ where: { id: personId } })).toMatchObject({
      ...{ name: ERASED_NAME, role: 'guest', phoneSealed: null, hamletId: null },
    });
    const here = { channel: 'zalo-oa', chatId: 'z1' };
    expect(await house.db.outbox.count({ where: here })).toBe(0);
    const left = await house.db.inbox.findMany({ where: here });
    expect(left.map(({ payload }) => (JSON.parse(payload) as ChatEvent).kind)).toEqual(['event']);
  });

  it('leaves what others have a claim on, and the chief hears what and why', async () => {
    const personId = await known();
    const reports = await house.db.report.count({ where: { personId } });
    expect(reports).toBe(1);
    await happens({ type: 'withdrew', userId: 'z1' });
    expect(await house.db.report.count({ where: { personId } })).toBe(1);
    const gift = await house.db.donation.findFirstOrThrow({ orderBy: { id: 'desc' } });
    expect([gift.donorId, gift.donorName]).toEqual([null, 'Trần Thị Hoa']);
    const said = toChief().at(-1)!;
    expect(said).toContain('vừa rút đồng ý');
    expect(said).toContain('1 tin báo (chứng cứ, đã bỏ tên), 1 khoản ủng hộ (sổ thu đã công khai)');
    expect(said).not.toContain('Hoa');
    const logged = await house.db.audit.findMany({ where: { action: 'person.erase' } });
    expect(logged).toHaveLength(1);
    expect(logged[0]?.detail).toContain('1 tin báo');
  });

  it('with another account goes on there, and is told there', async () => {
    await says('z1', 'xin chào');
    const chief = await house.db.person.findFirstOrThrow({ where: { alias: 'canbo' } });
    await house.db.address.updateMany({ where: { userId: 'z1' }, data: { personId: chief.id } });
    await happens({ type: 'withdrew', userId: 'z1' });
    expect(await account()).toBeNull();
    expect((await house.db.person.findUniqueOrThrow({ where: { id: chief.id } })).role).toBe('officer');
    expect(house.heardIn('canbo').at(-1)?.text).toContain('Các tài khoản khác vẫn dùng bình thường');
    expect(toChief().join()).not.toContain('rút đồng ý');
  });

  it('and was never here: nothing happens', async () => {
    await happens({ type: 'withdrew', userId: 'la' });
    expect(toChief().join()).not.toContain('rút đồng ý');
    expect(await house.db.audit.count({ where: { action: 'person.erase' } })).toBe(0);
  });
});
