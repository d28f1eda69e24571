import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WorldError } from '../../src/base/errors.js';
import type { ChatEvent } from '../../src/chat/message.js';
import { ERASED_NAME } from '../../src/store/erase.js';
import { makeTestChannel, type TestChannel } from '../support/channel.js';
import { openHouse, type TestHouse } from '../support/house.js';

const PHONE = '84912345678';
let zalo: TestChannel;
let house: TestHouse;

beforeEach(async () => {
  zalo = makeTestChannel({ name: 'zalo-oa', limits: { buttons: false, form: true } });
  house = await openHouse({ others: [zalo] });
});
afterEach(() => house.close());

/** Something happens on Zalo, and the process dies at its end: it is run again. */
async function happens(
  event: ChatEvent['event'],
  chatId = 'z1',
  sentMs = house.clock.now(),
): Promise<{ rows: () => Promise<number> }> {
  const whole: ChatEvent = {
    ...{ kind: 'event', channel: 'zalo-oa', chatId, externalId: randomUUID(), event, sentMs },
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

describe('who follows', () => {
  it('is greeted, once a day, and is known from then on', async () => {
    await happens({ type: 'followed', userId: 'z1' }, 'z1');
    await happens({ type: 'followed', userId: 'z1' }, 'z1');
    expect(onZalo()).toEqual([expect.stringContaining('Chào anh/chị, đây là Công an xã Cẩm Lương')]);
    expect((await account())?.privateChatId).toBe('z1');
    house.clock.ms += 86_400_000;
    await happens({ type: 'followed', userId: 'z1' }, 'z1');
    expect(onZalo()).toHaveLength(2);
  });

  it('and has left since is not written to, whichever is told first', async () => {
    await says('z1', 'xin chào');
    const said = zalo.sent.length;
    house.clock.ms += 3_600_000;
    await happens({ type: 'blocked', userId: 'z1' });
    await happens({ type: 'followed', userId: 'z1' }, 'z1', house.clock.now() - 600_000);
    expect((await account())?.blockedMs).not.toBeNull();
    expect(zalo.sent.length).toBe(said);
    // and the other way round: the late "blocked" is of before the words
    await says('z1', 'xin chào');
    await happens({ type: 'blocked', userId: 'z1' }, 'z1', house.clock.now() - 1000);
    expect((await account())?.blockedMs).toBeNull();
  });
});

it('who comes in by code may leave a phone number in the platform’s form, and is asked once', async () => {
  const [invitation] = await house.as('truong').say('mời hộ thôn 1');
  const code = /MOI-[A-Z0-9]{5}-[A-Z0-9]{5}/.exec(invitation?.text ?? '')![0];
  await says('z1', code);
  const form = zalo.sent.at(-1)!.reply;
  expect(form).toMatchObject({ kind: 'text', form: { title: expect.stringContaining('không bắt buộc') } });
  await happens({ type: 'shared-info', userId: 'z1', info: { phone: PHONE } });
  const [better] = await house.as('truong').say('mời cán bộ');
  await says('z1', /MOI-[A-Z0-9]{5}-[A-Z0-9]{5}/.exec(better?.text ?? '')![0]);
  expect(onZalo().at(-1)).toContain('cán bộ công an');
});

it('a group is made by the chief, with the officers who are there', async () => {
  await says('z1', 'xin chào');
  const { personId } = (await account())!;
  expect((await house.as('truong').say('nhóm tạo Tổ trực'))[0]?.text).toContain('chưa tạo nhóm được');
  const made: unknown[] = [];
  zalo.makeGroup = async (about) => {
    made.push(about);
    return { chatId: 'g9', link: 'https://zalo.me/g/9' };
  };
  expect((await house.as('truong').say('nhóm tạo Tổ trực'))[0]?.text).toContain(
    'Chưa có cán bộ nào dùng Zalo',
  );
  await house.db.person.update({ where: { id: personId }, data: { role: 'officer' } });
  const [done] = await house.as('truong').say('nhóm tạo Tổ trực');
  expect(done?.text).toContain('Đã tạo nhóm “Tổ trực” trên Zalo với 1 người');
  expect(made).toEqual([{ name: 'Tổ trực', description: 'Công an xã Cẩm Lương', userIds: ['z1'] }]);
  expect((await house.as('truong').say('nhóm'))[0]?.text).toContain('Tổ trực: chưa giao việc');
  // whether it was made is not known
  zalo.makeGroup = async () => {
    throw new WorldError('unreachable', 'the answer got lost');
  };
  expect((await house.as('truong').say('nhóm tạo Tổ hai'))[0]?.text).toContain('không kết nối được');
});

describe('who comes into a group', () => {
  it('is let in by the chief’s button, where the platform lets us', async () => {
    const decided: unknown[] = [];
    zalo.nameOf = async () => 'Lò Thị Xin';
    zalo.decideJoin = async (...about) => {
      if (decided.length > 0) throw new WorldError('invalid', 'waits no longer');
      decided.push(about);
    };
    await happens({ type: 'asked-to-join', userIds: ['z7'] }, 'g1');
    expect(toChief().at(-1)).toContain('Lò Thị Xin (khách) xin vào nhóm');
    // an account's id on Zalo is all digits
    await happens({ type: 'asked-to-join', userIds: ['77'] }, 'g1');
    expect((await house.as('truong').press('Cho vào'))[0]?.text).toContain('Đã cho Lò Thị Xin vào nhóm');
    expect(decided).toEqual([['g1', '77', true]]);
    expect((await house.as('truong').press('Cho vào'))[0]?.text).toContain('không còn chờ');
    const groupId = (await house.db.group.findFirstOrThrow({ where: { chatId: 'g1' } })).id;
    expect((await house.as('canbo').say(`nhóm cho vào ${groupId} 77`))[0]?.text).toContain(
      'chưa được giao quyền',
    );
    expect(decided).toHaveLength(1);
  });

  it('of the officers and is none of them: the chief hears it', async () => {
    await happens({ type: 'joined', userIds: ['77'] }, 'g1');
    expect(toChief().join()).not.toContain('vừa vào nhóm');
    await house.db.group.updateMany({ where: { chatId: 'g1' }, data: { purpose: 'officers' } });
    await happens({ type: 'joined', userIds: ['77'] }, 'g1');
    expect(toChief().at(-1)).toContain('vừa vào nhóm cán bộ');
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
    expect(await house.db.inbox.count({ where: here })).toBe(0);
  });

  it('is erased from groups too, and from what was told about them; the log stays and is named', async () => {
    const personId = await known();
    const { chat } = await house.ready;
    for (const [userId, text] of [
      ['z1', '/quyen của Trần Thị Hoa'],
      ['z2', '/quyen'],
    ] as const) {
      const { inboxId } = await zalo.hear({
        ...{ kind: 'message', channel: 'zalo-oa', chatId: 'g1', chatKind: 'group', attachments: [] },
        ...{ addressed: true, sentMs: house.clock.now(), externalId: randomUUID(), text },
        sender: { userId, name: userId === 'z1' ? 'Trần Thị Hoa' : 'Lê Nam' },
      });
      await chat.turnDone(inboxId);
    }
    await house.house.tell({ channel: 'console', chatId: 'truong' }, 'gọi chị Trần Thị Hoa giúp', {
      ...{ key: `unreached:1:${personId}:2026-11-21`, priority: 'notice' },
    });
    await house.drained();
    await happens({ type: 'withdrew', userId: 'z1' });
    const rows = [
      ...(await house.db.inbox.findMany({ where: { channel: 'zalo-oa' } })).map(
        ({ payload, chatId }) => payload + chatId,
      ),
      ...(await house.db.outbox.findMany({ where: { channel: 'zalo-oa' } })).map(({ payload }) => payload),
      ...(await house.db.outbox.findMany({ where: { key: { startsWith: 'unreached:' } } })).map(
        ({ payload }) => payload,
      ),
    ];
    for (const row of rows) expect(row).not.toMatch(/"z1"|Trần Thị Hoa/);
    expect(rows.join()).toContain('z2');
    expect(await house.db.audit.count({ where: { personId } })).toBe(0);
  });

  it('where the log has their name, the chief hears that it does and why', async () => {
    await says('z1', 'xin chào');
    const { personId } = (await account())!;
    await house.db.audit.create({
      data: {
        ...{ atMs: 1n, personId, personName: 'Trần Thị Hoa', action: 'snapshot', place: 'x', result: 'ok' },
      },
    });
    await happens({ type: 'withdrew', userId: 'z1' });
    expect(toChief().at(-1)).toContain(
      'Giữ lại theo quy định: 1 dòng nhật ký còn ghi tên (ai đã xem hình, làm gì thì không được sửa).',
    );
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
