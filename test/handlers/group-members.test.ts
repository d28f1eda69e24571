import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { settleMembers } from '../../handlers/group-members.js';
import type { TelegramChannel } from '../../src/channels/telegram/index.js';
import { channelTo } from '../channels/telegram-fixture.js';
import { makeOaStage, type OaStage } from '../channels/zalo-oa-fixture.js';
import { openHouse, type TestHouse } from '../support/house.js';
import { TelegramServer, type TgGroup, type TgPerson } from '../support/telegram-server.js';
import type { ZaloGroup, ZaloPerson } from '../support/zalo-server.js';

/** The officers' groups on Zalo and Telegram, before their stand-ins; the chief is on the console. */
let house: TestHouse;
let stage: OaStage;
let server: TelegramServer;
let telegram: TelegramChannel;
let zaloGroup: ZaloGroup;
let tgGroup: TgGroup;
let zaloPerson: ZaloPerson;
let tgPerson: TgPerson;
let tgChief: TgPerson;

beforeEach(async () => {
  stage = await makeOaStage();
  server = await TelegramServer.start({ rates: false });
  telegram = channelTo(server);
  house = await openHouse({ others: [stage.channel, telegram] });
  zaloPerson = stage.zalo.person({ id: '5510185758261927916', name: 'Cán' });
  zaloGroup = stage.zalo.group({ name: 'Tổ trực', members: [zaloPerson] });
  tgChief = server.user({ id: 7001, name: 'Trưởng' });
  tgPerson = server.user({ id: 7002, name: 'Cán' });
  tgGroup = server.group({ title: 'Cán bộ Telegram', by: tgChief });
  tgGroup.adds(tgPerson);
  const { id: personId } = await house.db.person.findFirstOrThrow({ where: { alias: 'canbo' } });
  const about = { personId, displayName: 'Cán', createdMs: 0n };
  await house.db.address.createMany({
    data: [
      { ...about, channel: 'zalo-oa', userId: zaloPerson.id },
      { ...about, channel: 'telegram', userId: String(tgPerson.id) },
    ],
  });
  await house.db.group.createMany({
    data: [
      { channel: 'zalo-oa', chatId: zaloGroup.id, title: 'Tổ trực', purpose: 'officers' },
      { channel: 'telegram', chatId: String(tgGroup.id), title: 'Cán bộ Telegram', purpose: 'officers' },
    ],
  });
});
afterEach(async () => {
  await house.close();
  await Promise.all([stage.close(), server.stop()]);
});

const chief = () => house.as('truong');
const told = () => house.heardIn('truong').map(({ text }) => text);
const left = () => house.db.setting.count({ where: { key: { startsWith: 'group-member:' } } });
const inZalo = () => zaloGroup.state.members.has(zaloPerson.id);
const inTelegram = () => server.world.groups.get(tgGroup.id)?.members.get(tgPerson.id);
const idOf = async (alias: string) =>
  (await house.db.person.findFirstOrThrow({ where: { alias }, select: { id: true } })).id;
const remove = async () => (await chief().say(`người #${await idOf('canbo')} xóa chắc chắn`))[0]?.text ?? '';
const settle = async () => {
  await settleMembers(house.house);
  await house.drained();
};
/** The pause after a try in vain is over. */
const later = () => {
  house.clock.ms += 10 * 60_000;
};

describe('an officer whose rights end', () => {
  it('is taken out of the groups of officers, and the chief hears of each', async () => {
    tgGroup.addsBot(tgChief, 'administrator');
    const said = await remove();
    expect(said).toContain('Em đang đưa người này ra khỏi nhóm cán bộ “Tổ trực” trên Zalo');
    await settle();
    expect([inZalo(), inTelegram()]).toEqual([false, 'kicked']);
    const all = told().join('\n');
    expect(all).toContain('Em đã đưa Đại úy Phạm Minh Tuấn ra khỏi nhóm cán bộ “Tổ trực” trên Zalo');
    expect(all).toContain('ra khỏi nhóm cán bộ “Cán bộ Telegram” trên Telegram');
    expect(await left()).toBe(0);
    // done once, whatever comes after
    const before = told().length;
    later();
    await settle();
    expect(told()).toHaveLength(before);
  });

  it('by another role, too; and is asked in again with the role', async () => {
    tgGroup.addsBot(tgChief, 'administrator');
    const id = await idOf('canbo');
    await chief().say(`người #${id} là hộ thành viên`);
    await settle();
    expect([inZalo(), inTelegram()]).toEqual([false, 'kicked']);
    await chief().say(`người #${id} là cán bộ`);
    await settle();
    expect([inZalo(), inTelegram()]).toEqual([true, 'left']);
    expect(told().join('\n')).toContain(
      'Em đã mời Đại úy Phạm Minh Tuấn vào nhóm cán bộ “Tổ trực” trên Zalo',
    );
  });

  it('where the platform does not let us, the chief is told to do it by hand, and what to change', async () => {
    tgGroup.addsBot(tgChief);
    await remove();
    await settle();
    expect([inZalo(), inTelegram()]).toEqual([false, 'member']);
    const byHand = told().filter((text) => text.includes('đưa người này ra bằng tay'));
    expect(byHand).toHaveLength(1);
    expect(byHand[0]).toContain('“Cán bộ Telegram” trên Telegram');
    expect(byHand[0]).toContain('Cho em làm quản trị viên của nhóm');
    expect(await left()).toBe(0);
  });

  it('is tried again when the network is away, told after a while, and told when it is done', async () => {
    tgGroup.kicksBot(tgChief);
    await house.db.group.deleteMany({ where: { channel: 'telegram' } });
    stage.zalo.drop('group/listmember', 'before', 3);
    await remove();
    await settle();
    expect(told().join('\n')).not.toContain('bằng tay');
    for (let n = 0; n < 3; n += 1) {
      expect(inZalo()).toBe(true);
      later();
      await settle();
    }
    expect(inZalo()).toBe(false);
    const all = told();
    expect(all.filter((text) => text.includes('bằng tay'))).toHaveLength(1);
    expect(all.at(-1)).toContain('Em đã đưa Đại úy Phạm Minh Tuấn ra khỏi');
    expect(await left()).toBe(0);
  });

  it('is out once, and the chief hears it, when Zalo’s answer is lost', async () => {
    await house.db.group.deleteMany({ where: { channel: 'telegram' } });
    stage.zalo.drop('group/removemembers', 'after');
    await remove();
    await settle();
    expect(inZalo()).toBe(false);
    expect(await left()).toBe(1);
    later();
    await settle();
    expect(told().at(-1)).toContain('không có trong nhóm cán bộ “Tổ trực” trên Zalo');
    expect(await left()).toBe(0);
  });

  it('stays when the rights came back before it was done', async () => {
    stage.zalo.drop('group/listmember', 'before');
    await house.db.group.deleteMany({ where: { channel: 'telegram' } });
    await remove();
    await settle();
    await house.db.person.updateMany({
      where: { alias: 'canbo' },
      data: { role: 'officer', removedMs: null },
    });
    later();
    await settle();
    expect(inZalo()).toBe(true);
    expect(await left()).toBe(0);
  });

  it('who cuts an account off, or wants to be forgotten, leaves with that account', async () => {
    await house.db.group.deleteMany({ where: { channel: 'telegram' } });
    const { id } = await house.db.address.findFirstOrThrow({ where: { channel: 'zalo-oa' } });
    await house.as('canbo').say(`nối bỏ ${id} chắc chắn`);
    await settle();
    expect(inZalo()).toBe(false);
    zaloGroup.state.members.add(zaloPerson.id);
    later();
    await house.db.address.update({ where: { id }, data: { personId: await idOf('canbo') } });
    const { chat } = await house.ready;
    await chat.accept({
      ...{ kind: 'event', channel: 'zalo-oa', chatId: zaloPerson.id, externalId: 'w1', sentMs: 0 },
      event: { type: 'withdrew', userId: zaloPerson.id },
    });
    await house.drained();
    await settle();
    expect(inZalo()).toBe(false);
    expect(told().join('\n')).toContain('Người vừa rút dữ liệu');
  });
});

it('a new officer is asked into the group on Zalo; where that is full the chief hears it', async () => {
  const [ba, ca] = [stage.zalo.person({ id: '2', name: 'Ba' }), stage.zalo.person({ id: '3', name: 'Ca' })];
  const officer = async (one: ZaloPerson) => {
    const { id } = await house.db.person.create({ data: { name: one.state.name, createdMs: 0n } });
    await house.db.address.create({
      data: { channel: 'zalo-oa', userId: one.id, personId: id, displayName: one.state.name, createdMs: 0n },
    });
    await chief().say(`người #${id} là cán bộ`);
    await settle();
  };
  await officer(ba);
  expect(zaloGroup.state.members.has(ba.id)).toBe(true);
  expect(told().at(-1)).toContain('Em đã mời Ba vào nhóm cán bộ “Tổ trực”');
  stage.zalo.fail('group/invite', { code: -210 });
  await officer(ca);
  expect(zaloGroup.state.members.has(ca.id)).toBe(false);
  expect(told().at(-1)).toContain('Em chưa mời được Ca');
});

it('a household comes and goes without a word to the groups', async () => {
  const id = await idOf('ho');
  await chief().say(`người #${id} xóa chắc chắn`);
  expect(await left()).toBe(0);
});
