import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decideJoining } from '../../handlers/join-accounts.js';
import { ROLES } from '../../src/base/roles.js';
import type { ChannelName, Message } from '../../src/chat/message.js';
import { wordsOf } from '../../src/chat/outgoing.js';
import { makeTestChannel, type TestChannel } from '../support/channel.js';
import { openHouse, type TestHouse } from '../support/house.js';

const DAY = 24 * 3_600_000;

let zalo: TestChannel;
let house: TestHouse;
beforeEach(async () => {
  zalo = makeTestChannel({
    name: 'zalo-oa',
    limits: { buttons: false, windowMs: 7 * DAY },
    link: 'https://zalo.me/oa',
  });
  house = await openHouse({ others: [zalo, makeTestChannel({ name: 'telegram' })] });
});
afterEach(() => house.close());

/** Says it on Zalo; the texts of the whole answer there. */
async function onZalo(userId: string, text: string, channel: TestChannel = zalo): Promise<string[]> {
  const { chat } = await house.ready;
  const { inboxId } = await channel.hear({
    ...{ kind: 'message', channel: channel.name as ChannelName, chatId: userId, chatKind: 'private', text },
    ...{
      externalId: randomUUID(),
      sender: { userId, name: `Zalo của ${userId}` },
      sentMs: house.clock.now(),
    },
    ...{ attachments: [], addressed: true },
  } as Message);
  await chat.turnDone(inboxId);
  return channel.sent.filter((record) => record.inboxId === inboxId).map((record) => wordsOf(record.reply));
}

const say = async (who: string, text: string) =>
  (await house.as(who).say(text)).map((heard) => heard.text).join('\n');
const CODE = /NOI-[A-Z0-9]{5}-[A-Z0-9]{5}/;
const codeOf = (text: string) => CODE.exec(text)?.[0] ?? 'none';
const personOf = (channel: string, userId: string) =>
  house.db.address.findUniqueOrThrow({
    where: { channel_userId: { channel, userId } },
    include: { person: true },
  });

describe('one person with several accounts', () => {
  it('an officer says the code on Zalo and is the same officer there; the other account hears of it', async () => {
    const text = await say('canbo', 'nối mã');
    expect(text).toContain('https://zalo.me/oa');
    const [welcome] = await onZalo('z1', codeOf(text));
    expect(welcome).toContain('cán bộ công an');
    expect((await onZalo('z1', 'quyền'))[0]).toContain('cán bộ');
    await house.drained();
    const notice = house.heardIn('canbo').at(-1)!;
    expect(notice.text).toContain('Zalo “Zalo của z1” vừa được nối');
    // was it somebody else: one press takes the rights away
    await house.as('canbo').press('Không phải tôi, bỏ ngay');
    expect((await personOf('zalo-oa', 'z1')).person.role).toBe('guest');
    expect((await personOf('console', 'canbo')).person.role).toBe('officer');
  });

  it('the other way round it asks first: whoever made the code gets the rights of who says it', async () => {
    const code = codeOf((await onZalo('z2', 'nối mã')).join('\n'));
    expect(await say('canbo', code)).toContain('Zalo “Zalo của z2”');
    expect((await personOf('zalo-oa', 'z2')).person.role).toBe('guest');
    await house.as('canbo').press('Đúng, của tôi');
    const [there, here] = [await personOf('zalo-oa', 'z2'), await personOf('console', 'canbo')];
    expect(there.personId).toBe(here.personId);
    expect(there.person.role).toBe('officer');
    expect(there.person.name).toContain('Đại úy');
  });

  it('takes along what the other person had: reports, gifts, cameras, what waits', async () => {
    await onZalo('z3', 'Có người lạ đi quanh xóm từ tối qua');
    const before = await personOf('zalo-oa', 'z3');
    await house.db.donation.create({
      data: {
        donorName: 'x',
        donorId: before.personId,
        amountDong: 1000n,
        recordedMs: 1n,
        recordedById: 1,
        inboxId: 999,
      },
    });
    const code = codeOf(await say('ho', 'nối mã'));
    await onZalo('z3', code);
    const after = await personOf('zalo-oa', 'z3');
    expect(after.person.role).toBe('household');
    expect(await house.db.report.count({ where: { personId: after.personId } })).toBe(1);
    expect(await house.db.donation.count({ where: { donorId: after.personId } })).toBe(1);
    const gone = await house.db.person.findUniqueOrThrow({ where: { id: before.personId } });
    expect(gone.removedMs).not.toBeNull();
  });

  it('a code works once, for ten minutes, only the newest; few wrong ones are heard', async () => {
    const first = codeOf(await say('canbo', 'nối mã'));
    const second = codeOf(await say('canbo', 'nối mã'));
    expect((await onZalo('z4', first))[0]).toContain('chưa đúng hoặc đã hết');
    house.clock.ms += 10 * 60_000;
    expect((await onZalo('z4', second))[0]).toContain('chưa đúng hoặc đã hết');
    const third = codeOf(await say('canbo', 'nối mã'));
    expect((await onZalo('z4', third))[0]).toContain('Đã nối');
    expect((await onZalo('z5', third))[0]).toContain('chưa đúng hoặc đã hết');
    for (let i = 0; i < 5; i += 1) await onZalo('z6', 'NOI-AAAAA-AAAAA');
    const good = codeOf(await say('ho', 'nối mã'));
    expect((await onZalo('z6', good))[0]).toContain('đợi một giờ');
  });

  it('two who both hold a trusted role, not the same, go to the chief', async () => {
    const code = codeOf(await say('kythuat', 'nối mã'));
    expect(await say('canbo', code)).toContain('trưởng công an');
    const [one, other] = [await personOf('console', 'kythuat'), await personOf('console', 'canbo')];
    expect(one.personId).not.toBe(other.personId);
  });

  it('who keeps which rights, for every pair of roles', () => {
    const trusted = new Set(['hamletHead', 'technician', 'officer', 'chief']);
    for (const made of ROLES)
      for (const said of ROLES) {
        const joining = decideJoining({ id: 1, role: made }, { id: 2, role: said });
        if (trusted.has(made) && trusted.has(said) && made !== said) expect(joining.kind).toBe('ask-chief');
        // nobody's trusted rights go to another account before its owner was asked
        else if (trusted.has(said)) expect(joining).toMatchObject({ kind: 'join', ask: true });
        else if (trusted.has(made)) expect(joining).toEqual({ kind: 'join', keep: 'maker', ask: false });
      }
    expect(decideJoining({ id: 1, role: 'chief' }, { id: 1, role: 'chief' })).toEqual({ kind: 'same' });
  });

  it('shows the accounts, and lets one choose where to be written to', async () => {
    await onZalo('z7', codeOf(await say('nguoiungho', 'nối mã')));
    const [shown] = await onZalo('z7', 'nối');
    expect(shown).toContain('• trang web: ');
    expect(shown).toContain('• Zalo: Zalo của z7 (đang dùng)');
    expect((await onZalo('z7', 'nối ưu tiên viber'))[0]).toContain('chưa nối tài khoản nào như vậy');
    expect((await onZalo('z7', 'nối ưu tiên Zalo'))[0]).toContain('từ giờ tin riêng em gửi qua Zalo trước');
    expect((await personOf('zalo-oa', 'z7')).person.preferredChannel).toBe('zalo-oa');
    expect((await onZalo('z7', 'nối ưu tiên nơi nào cũng được'))[0]).toContain('nhắn gần nhất');
  });
});

describe('who can not be reached', () => {
  it('the chief is asked in private to call, once a day, without the phone number; the thanks goes when the donor writes', async () => {
    await onZalo('z8', 'xin chào');
    const { personId } = await personOf('zalo-oa', 'z8');
    await house.db.person.update({ where: { id: personId }, data: { name: 'Trần Thị Hoa', role: 'donor' } });
    house.clock.ms += 8 * DAY;
    expect(await say('truong', 'ghi nhận Trần Thị Hoa 500.000đ')).toContain('Lời cảm ơn riêng em giữ lại');
    expect(await say('truong', 'ghi nhận Trần Thị Hoa 300.000đ')).toContain('em giữ lại');
    await house.drained();
    const calls = house.heardIn('truong').filter((heard) => heard.text.includes('Nhờ anh/chị gọi điện'));
    expect(calls).toHaveLength(1);
    expect(calls[0]?.text).toContain('Trần Thị Hoa (người ủng hộ)');
    expect(zalo.sent.filter((record) => wordsOf(record.reply).includes('Kính gửi'))).toEqual([]);
    await onZalo('z8', 'cảm ơn');
    await house.drained();
    expect(zalo.sent.filter((record) => wordsOf(record.reply).includes('Kính gửi'))).toHaveLength(2);
  });
});

describe('the consent of the OA', () => {
  it('is the chief’s to give, by a link, whatever way it is said', async () => {
    const other = await openHouse({
      house: { zaloConsentLink: async (personId) => `https://xa.example.vn/zalo/consent/of-${personId}` },
    });
    try {
      for (const words of ['nối Zalo OA', 'noi zalo oa', '/noi zalo oa']) {
        const [heard] = await other.as('truong').say(words);
        expect(JSON.stringify(heard?.reply), words).toMatch(/zalo\/consent\/of-\d+/);
      }
      const [refused] = await other.as('canbo').say('nối Zalo OA');
      expect(refused?.text).toContain('do trưởng công an làm');
    } finally {
      await other.close();
    }
  });
});
