import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/product.js';
import type { TelegramServer, TgGroup, TgPerson } from '../support/telegram-server.js';
import { codeIn, consentIn, hasConsent, wordsOf, ZaloStage } from '../support/zalo/stage.js';
import type { ZaloGroup, ZaloMessage, ZaloPerson, ZaloServer } from '../support/zalo-server.js';

/** What becomes of messages that Zalo does not take, through the whole product over HTTP. */

const DAY = 86_400_000;

const stage = new ZaloStage();
let telegram: TelegramServer;
let zalo: ZaloServer;
/** the chief, on Telegram and on Zalo */
let chief: TgPerson;
let chiefThere: ZaloPerson;
/** on Zalo alone */
let officer: ZaloPerson;
let group: ZaloGroup;

const toldTelegram = (chat: { id: number }) => stage.toldTelegram(chat).map(wordsOf);
const messagesOf = (chat: { id: string }) => stage.toldZalo(chat);
const toldZalo = (chat: { id: string }) => messagesOf(chat).map(({ text }) => text);
/** everything the chief heard, on either */
const toldChief = () => [...toldTelegram(chief), ...toldZalo(chiefThere)];
const count = (texts: string[], what: RegExp) => texts.filter((text) => what.test(text)).length;

const there = (texts: () => string[], what: RegExp, skip = 0, withinMs = 30_000) =>
  eventually(
    () => `${what}; said: ${texts().slice(-4).join(' | ')}\n${stage.complaints()}`,
    () =>
      texts()
        .slice(skip)
        .find((text) => what.test(text)),
    withinMs,
  );

const tells = async (who: TgPerson, text: string, what: RegExp, where?: TgGroup) =>
  wordsOf(await stage.tells(who, text, what, where));
const asks = async (who: ZaloPerson, text: string, what: RegExp, where?: ZaloGroup) =>
  (await stage.asks(who, text, what, where)).text;

const query = (table: string, where: string) =>
  stage.rows(`SELECT * FROM "${table}" WHERE ${where} ORDER BY "id"`);
const rows = (where: string) => query('Outbox', where);
const waiting = () => rows(`"state" = 'waiting'`);

/** Somebody new, who has written to the OA once. */
async function newcomer(id: number, name: string): Promise<ZaloPerson> {
  const person = zalo.person({ id: `55101857582619${id}`, name });
  await asks(person, 'xin chào', /Chào/);
  return person;
}

/** Reports something; the code of the receipt. */
async function reports(person: ZaloPerson, text: string): Promise<string> {
  const receipt = await asks(person, `Báo tin ${text}`, /Mã tin báo: \S+/);
  return /Mã tin báo: (\S+)/.exec(receipt)![1]!;
}

beforeAll(async () => {
  await stage.start();
  ({ telegram, zalo } = stage);
  chief = telegram.user({ id: 11, name: 'Lê Văn Trường' });
  chiefThere = zalo.person({ id: '5510185758261927001', name: 'Trường trên Zalo' });
  officer = zalo.person({ id: '5510185758261927002', name: 'Phạm Minh Tuấn' });

  await stage.becomesChief(chief);
  const asked = await stage.tells(chief, 'nối Zalo OA', hasConsent);
  expect(await (await fetch(consentIn(asked)!)).text()).toContain('Đã nối Zalo');
  await zalo.webhook.set(`${stage.product.url}/zalo/oa`);
  await zalo.called('getoa');
  await asks(officer, codeIn(await tells(chief, 'mời cán bộ', /MOI-/)), /cán bộ công an/);
  await asks(chiefThere, codeIn(await tells(chief, 'nối mã', /NOI-/)), /trưởng công an/);
  group = zalo.group({ name: 'Trực ban', members: [chiefThere, officer] });
  await asks(chiefThere, '/nhom cán bộ', /Đây là nhóm cán bộ/, group);
}, 150_000);

afterAll(async () => {
  await stage.end();
}, 60_000);

describe('a group of officers that is closed', () => {
  it('a report goes to the chief in private, who hears once that the group is closed and what to do', async () => {
    const villager = await newcomer(27101, 'Ông Báo Tin');
    group.disabled();
    const code = await reports(villager, 'có người lạ mặt rình nhà ông Bảy');
    await there(toldChief, new RegExp(`Tin báo mới ${code}`));
    await there(toldChief, /không cho em gửi vào nhóm cán bộ “Trực ban”[\s\S]*oa\.zalo\.me/);
    const next = await reports(await newcomer(27102, 'Bà Hai'), 'có người lạ mặt rình nhà bà Hai');
    await there(toldChief, new RegExp(`Tin báo mới ${next}`));
    expect(count(toldChief(), new RegExp(`Tin báo mới ${code}`))).toBe(1);
    expect(count(toldChief(), /không cho em gửi vào/)).toBe(1);
  }, 90_000);

  it('who asked there just before hears the answer in private', async () => {
    group.state.enabled = true;
    await asks(officer, '/quyen', /cán bộ/, group);
    group.disabled();
    const skip = toldZalo(officer).length;
    officer.says('/quyen', { in: group });
    await there(() => toldZalo(officer), /cán bộ/, skip);
    group.state.enabled = true;
  }, 60_000);

  it('where officers have another group it hears each report once, and the chief nothing twice', async () => {
    const officers = telegram.group({ title: 'Công an xã', by: chief, members: [] });
    officers.addsBot(chief);
    await tells(chief, '/nhom cán bộ', /Đây là nhóm cán bộ/, officers);
    await asks(officer, '/quyen', /cán bộ/, group);
    group.disabled();
    const code = await reports(await newcomer(27103, 'Chị Ba'), 'xe lạ đỗ trước trường học');
    await there(() => toldTelegram(officers), new RegExp(code));
    await there(toldChief, /vẫn tới các nhóm cán bộ còn lại/);
    await eventually('nothing waits', async () => (await waiting()).length === 0);
    expect(count(toldTelegram(officers), new RegExp(code))).toBe(1);
    expect(count(toldChief(), new RegExp(code))).toBe(0);
    group.state.enabled = true;
    // somebody speaks in it: it is used again
    await asks(officer, '/quyen', /cán bộ/, group);
    const back = await reports(await newcomer(27104, 'Anh Tư'), 'đốt rác sau chợ');
    await there(() => toldZalo(group), new RegExp(back));
    // from here on Zalo's group is the only one
    await tells(chief, '/nhom bỏ', /không còn nhận tin/, officers);
  }, 90_000);
});

describe('an answer that Zalo does not take', () => {
  it.each([-218, -227, -230, -244])(
    '%i: it goes to the other account',
    async (code) => {
      await asks(chiefThere, 'quyền', /trưởng công an/);
      const skip = toldTelegram(chief).length;
      const before = toldZalo(chiefThere).length;
      zalo.fail('message/cs', { code });
      chiefThere.says('quyền');
      await there(() => toldTelegram(chief), /trưởng công an/, skip);
      await eventually('nothing waits', async () => (await waiting()).length === 0);
      expect(toldZalo(chiefThere)).toHaveLength(before);
    },
    60_000,
  );

  it('without another account it is held until they write, and the chief is asked to call', async () => {
    const skip = toldZalo(officer).length;
    zalo.fail('message/cs', { code: -244 });
    officer.says('quyền');
    await there(toldChief, /Phạm Minh Tuấn[\s\S]*không cho em trả lời/);
    expect((await rows(`"state" = 'held'`)).length).toBe(1);
    officer.says('trợ giúp');
    await there(() => toldZalo(officer), /ảnh 1|Anh\/chị cứ gõ/, skip);
    await there(() => toldZalo(officer), /cán bộ công an/, skip);
    expect(await rows(`"state" = 'held'`)).toEqual([]);
  }, 60_000);
});

describe('what only a person can mend', () => {
  it('the chief hears it on Telegram once for each code, and what waited goes when it is mended', async () => {
    // Zalo is where the chief wrote last
    await asks(chiefThere, 'quyền', /trưởng công an/);
    const skip = toldTelegram(chief).length;
    const before = toldZalo(officer).length;
    zalo.fail('message/cs', { code: -211, times: 1000 });
    zalo.fail('group/message', { code: -211, times: 1000 });
    officer.says('quyền');
    await there(() => toldTelegram(chief), /mã -211[\s\S]*mua thêm tin/, skip);
    officer.says('/quyen', { in: group });
    // a report of that time goes to the chief, who is heard elsewhere
    zalo.person({ id: '5510185758261927105', name: 'Chú Năm' }).says('Báo tin mất trộm xe máy ở ngõ 3');
    await there(() => toldTelegram(chief), /Tin báo mới TB-/, skip);
    expect(count(toldTelegram(chief).slice(skip), /mã -211/)).toBe(1);
    zalo.heal();
    zalo.fail('message/cs', { code: -321, times: 1000 });
    officer.says('trợ giúp');
    await there(() => toldTelegram(chief), /mã -321[\s\S]*nạp thêm/, skip);
    zalo.heal();
    await asks(officer, 'quyền', /cán bộ công an/);
    await there(() => toldZalo(officer), /Anh\/chị cứ gõ/, before);
    await eventually('nothing waits', async () => (await waiting()).length === 0, 40_000);
    expect(count(toldTelegram(chief), /mã -211/)).toBe(1);
  }, 120_000);
});

describe('windows', () => {
  const sendsTo = (person: ZaloPerson) =>
    zalo.calls.filter(
      ({ name, params }) =>
        name === 'message/cs' && (params.recipient as { user_id?: string })?.user_id === person.id,
    ).length;

  let invitation: string;
  beforeAll(async () => {
    invitation = codeIn(await tells(chief, 'mời người ủng hộ 9 lượt 7 ngày', /MOI-/));
  });

  /** A donor who wrote so long ago; that is told us only now. */
  async function donorWho(id: number, name: string, wroteAgoMs: number): Promise<ZaloPerson> {
    const person = zalo.person({ id: `55101857582619${id}`, name });
    zalo.clock = -wroteAgoMs;
    await asks(person, invitation, /người ủng hộ/);
    zalo.clock = 0;
    // it comes beside the talk
    await eventually(
      'the name is known',
      async () => (await query('Person', `"name" = '${name}'`)).length > 0,
    );
    return person;
  }

  it('out of it, without another account: Zalo is not even asked, the chief is asked to call, and it goes when they write', async () => {
    const donor = await donorWho(27201, 'Vi Thị Hoa Ban', 3 * DAY);
    const asked = sendsTo(donor);
    const said = await tells(chief, 'ghi nhận Vi Thị Hoa Ban 500.000đ', /Đã ghi nhận/);
    expect(said).toContain('em giữ lại');
    await there(toldChief, /chưa nhắn được cho Vi Thị Hoa Ban[\s\S]*500\.000/);
    expect(sendsTo(donor)).toBe(asked);
    const skip = toldZalo(donor).length;
    donor.says('xin chào');
    await there(() => toldZalo(donor), /trân trọng cảm ơn Vi Thị Hoa Ban/, skip);
  }, 90_000);

  it('out of it, with Telegram: it goes there', async () => {
    const donor = await donorWho(27202, 'Lò Văn Xa Quê', 3 * DAY);
    const there_ = telegram.user({ id: 77, name: 'Xa Quê' });
    zalo.clock = -3 * DAY;
    const made = await asks(donor, 'nối mã', /NOI-/);
    zalo.clock = 0;
    await tells(there_, codeIn(made), /./);
    await eventually('all is said', async () => (await waiting()).length === 0);
    const asked = sendsTo(donor);
    await tells(chief, 'ghi nhận Lò Văn Xa Quê 700.000đ', /Em đã gửi lời cảm ơn riêng/);
    await there(() => toldTelegram(there_), /trân trọng cảm ơn Lò Văn Xa Quê/);
    expect(sendsTo(donor)).toBe(asked);
  }, 90_000);

  it('who has left the OA is not written to until they are back', async () => {
    const donor = await donorWho(27203, 'Bùi Thị Theo Dõi', 0);
    const asked = sendsTo(donor);
    donor.unfollows();
    await eventually(
      'it is known',
      async () => (await query('Address', `"userId" = '${donor.id}' AND "blockedMs" IS NOT NULL`)).length > 0,
    );
    await tells(chief, 'ghi nhận Bùi Thị Theo Dõi 900.000đ', /em giữ lại/);
    expect(sendsTo(donor)).toBe(asked);
    donor.follows();
    await there(() => toldZalo(donor), /trân trọng cảm ơn Bùi Thị Theo Dõi/);
  }, 90_000);
});

describe('after a restart, with real buttons', () => {
  let earlier: ZaloMessage;

  it('an answer to an earlier message in a group is heard', async () => {
    await asks(officer, '/quyen', /cán bộ/, group);
    earlier = messagesOf(group).at(-1)!;
    await stage.product.stop();
    fs.appendFileSync(path.join(stage.product.cwd, '.env'), '\nZALO_BUTTONS=1\n');
    await stage.startAgain();
    const skip = toldZalo(group).length;
    officer.says('quyền', { in: group, quoteId: earlier.id });
    await there(() => toldZalo(group), /cán bộ/, skip);
  }, 90_000);

  it('in private there are buttons, in a group a menu whose numbers are heard', async () => {
    const guest = zalo.person({ id: '5510185758261927301', name: 'Khách' });
    await asks(guest, 'xin chào', /Chào/);
    const shown = messagesOf(guest).at(-1)!;
    expect(shown.kind).toBe('buttons');
    const menu = await asks(chiefThere, '/nhom', /1\. Nhóm cán bộ/, group);
    expect(menu).toContain('Trả lời số từ 1 đến');
    await asks(chiefThere, '1', /Đây là nhóm cán bộ/, group);
  }, 60_000);

  it('more choices than Zalo takes are a menu', async () => {
    for (let at = 1; at <= 6; at += 1) {
      const person = zalo.person({ id: `551018575826194${at}`, name: `Nhóm trưởng ${at}` });
      const more = zalo.group({ name: `Thôn số ${at}`, members: [chiefThere, person] });
      await tells(chief, `thôn thêm Thôn ${at}`, /Đã thêm/);
      await asks(chiefThere, `/nhom thôn ${at}`, /Đây là nhóm của/, more);
    }
    const listed = await asks(chiefThere, 'nhóm', /Các nhóm:/);
    expect(listed).toMatch(/6\. Bỏ /);
    expect(messagesOf(chiefThere).at(-1)!.kind).toBe('text');
  }, 120_000);
});
