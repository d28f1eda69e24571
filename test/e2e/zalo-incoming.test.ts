import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/product.js';
import type { TelegramServer, TgGroup, TgPerson } from '../support/telegram-server.js';
import { codeIn, consentIn, hasConsent, wordsOf, ZaloStage } from '../support/zalo/stage.js';
import { TEST_APP, type ZaloGroup, type ZaloPerson, type ZaloServer } from '../support/zalo-server.js';

/** What comes in from Zalo when things go wrong: files, links, names, order; through the whole stage.product. */

const stage = new ZaloStage();
const tells = stage.tells.bind(stage);
const asks = stage.asks.bind(stage);
const rows = stage.rows.bind(stage);
const onTelegram = stage.onTelegram.bind(stage);
const onZalo = stage.onZalo.bind(stage);
const toldTelegram = stage.toldTelegram.bind(stage);
const toldZalo = stage.toldZalo.bind(stage);
let telegram: TelegramServer;
let zalo: ZaloServer;
let chief: TgPerson;
let officers: TgGroup;
let officer: ZaloPerson;
let group: ZaloGroup;
let photo: Buffer;
let people = 0;

const newPerson = (name: string) => {
  people += 1;
  return zalo.person({ id: String(5510185758261927100n + BigInt(people)), name });
};
const invited = async () => codeIn(wordsOf(await tells(chief, 'mời cán bộ', /MOI-/)));
const consentLink = async (said: string) => consentIn(await tells(chief, said, hasConsent))!;

beforeAll(async () => {
  await stage.start();
  ({ telegram, zalo } = stage);
  photo = await sharp({ create: { width: 320, height: 240, channels: 3, background: '#335577' } })
    .jpeg()
    .toBuffer();
  chief = telegram.user({ id: 11, name: 'Lê Văn Trường' });
  officers = telegram.group({ title: 'Công an xã', by: chief, members: [] });
  officer = newPerson('Phạm Minh Tuấn');
}, 120_000);

afterAll(async () => {
  await stage.end();
}, 60_000);

describe('consent', () => {
  it('the link serves once; another OA comes in only by the chief’s own wish', async () => {
    await stage.becomesChief(chief);
    const link = await consentLink('nối Zalo OA');
    expect(await (await fetch(link)).text()).toContain('Đã nối Zalo');
    await onTelegram(chief, /“Công an xã Cẩm Lương” vừa cấp quyền/);
    expect((await fetch(link)).status).toBe(404);
    await zalo.called('getoa', 2);

    zalo.world.oaId = '999';
    const again = await consentLink('nối Zalo OA');
    const refused = await fetch(again);
    expect([refused.status, await refused.text()]).toEqual([
      409,
      expect.stringContaining('nối Zalo OA khác'),
    ]);
    await tells(chief, 'nối Zalo OA khác', /Đổi sang một Zalo OA khác\?/);
    const other = await consentLink('nối Zalo OA khác chắc chắn');
    expect(await (await fetch(other)).text()).toContain('Đã nối Zalo');
    zalo.world.oaId = TEST_APP.oaId;
    const back = await consentLink('nối Zalo OA khác chắc chắn');
    expect(await (await fetch(back)).text()).toContain('Đã nối Zalo');
    await zalo.webhook.set(`${stage.product.url}/zalo/oa`);
    officers.addsBot(chief);
    await tells(chief, '/nhom cán bộ', /Đây là nhóm cán bộ/, officers);
  }, 90_000);
});

describe('names', () => {
  it('a newcomer by code is welcomed by name, and the log has it', async () => {
    const welcome = await asks(officer, await invited(), /Anh\/chị là cán bộ công an/);
    expect(welcome.text).toContain('Chào mừng Phạm Minh Tuấn');
    const [logged] = await rows(`SELECT personName FROM Audit WHERE action = 'invitation.redeem'`);
    expect(logged?.personName).toBe('Phạm Minh Tuấn');
  }, 60_000);

  it('where Zalo does not tell it in time, nobody is called nameless', async () => {
    const person = newPerson('Vi Văn Chậm');
    const held = zalo.hold('user/detail', 'before');
    const code = await invited();
    const welcome = await asks(person, code, /Anh\/chị là cán bộ công an/);
    expect(welcome.text).toContain('Chào mừng anh/chị đến với');
    held.release();
    await eventually(
      'the name is there',
      async () =>
        (await rows(`SELECT displayName FROM Address WHERE userId = '${person.id}'`))[0]?.displayName ===
        'Vi Văn Chậm',
    );
  }, 60_000);

  it('who was first heard in a group has a name, too', async () => {
    group = zalo.group({ name: 'Trực ban', members: [officer] });
    const person = newPerson('Vi Văn Thắng');
    group.state.members.add(person.id);
    person.says('chào anh em', { in: group });
    await zalo.webhook.idle();
    expect((await asks(person, 'nối', /Tài khoản của anh\/chị/)).text).toContain('Vi Văn Thắng');
  }, 60_000);

  it('a group that is renamed is called so', async () => {
    await asks(officer, '/quyen', /cán bộ công an/, group);
    group.renamed('Tổ trực mới');
    await eventually(
      'the title',
      async () =>
        (await rows(`SELECT title FROM "Group" WHERE chatId = '${group.id}'`))[0]?.title === 'Tổ trực mới',
    );
  }, 30_000);
});

describe('nobody is left without an answer', () => {
  it('who follows is greeted; a sticker, a card and what nobody knows are answered', async () => {
    const person = newPerson('Trần Theo Dõi');
    person.follows();
    await onZalo(person, /Chào Trần Theo Dõi, đây là Công an xã Cẩm Lương/);
    const kinds = [
      () => void person.sendsSticker(),
      () => void person.sendsCard('Anh Ba', '0912345678'),
      () =>
        zalo.world.emit({
          ...{ event_name: 'user_send_todo', sender: { id: person.id }, recipient: { id: TEST_APP.oaId } },
          message: { msg_id: 'todo-1', attachments: [{ type: 'todo', payload: {} }] },
        }),
    ];
    for (const [at, send] of kinds.entries()) {
      const skip = toldZalo(person).length;
      zalo.clock = (at - kinds.length) * 6 * 60_000;
      send();
      await onZalo(person, /Em chưa đọc được nội dung/, skip);
    }
    // more of them within minutes: no row of answers
    const skip = toldZalo(person).length;
    person.sendsSticker();
    person.sendsSticker();
    zalo.clock = 0;
    await asks(person, 'xin chào', /^(?!Em chưa đọc)/);
    expect(toldZalo(person).slice(skip)).toHaveLength(1);
  }, 60_000);

  it('the chief lets in who asks to join a group', async () => {
    const person = newPerson('Lò Thị Xin');
    const skip = toldTelegram(chief).length;
    group.asksToJoin(person);
    const asked = await onTelegram(chief, /Lò Thị Xin \(khách\) xin vào nhóm “Tổ trực mới”/, skip);
    chief.presses('Cho vào', asked);
    await onTelegram(chief, /Đã cho Lò Thị Xin vào nhóm/, skip);
    expect(group.state.members.has(person.id)).toBe(true);
  }, 30_000);

  it('an unfollow that is told late blocks nobody who is there', async () => {
    const person = newPerson('Đinh Đảo Thứ Tự');
    await asks(person, 'xin chào', /./);
    zalo.webhook.held = [];
    person.unfollows();
    zalo.clock += 50;
    person.follows();
    zalo.webhook.release((bodies) => bodies.reverse());
    await zalo.webhook.idle();
    await onZalo(person, /Chào Đinh Đảo Thứ Tự, đây là/);
    const read = () => rows(`SELECT blockedMs, heardMs FROM Address WHERE userId = '${person.id}'`);
    await eventually(
      'both are taken',
      async () =>
        (await rows(`SELECT id FROM Inbox WHERE chatId = '${person.id}' AND state = 'done'`)).length === 3,
    );
    const [now] = await read();
    expect(now?.blockedMs).toBeNull();

    // words in a group that come three hours late
    const body = JSON.stringify({
      ...{ event_name: 'user_send_group_text', app_id: TEST_APP.appId, sender: { id: person.id } },
      ...{ recipient: { id: group.id }, oa_id: TEST_APP.oaId, message: { msg_id: 'late-1', text: 'hi' } },
      timestamp: String(Date.now() - 3 * 3_600_000),
    });
    await zalo.webhook.resend(body);
    await zalo.webhook.idle();
    expect((await read())[0]?.heardMs).toBe(now?.heardMs);
  }, 60_000);
});

describe('files', () => {
  it('words go on at once when Zalo’s file server fails, the photo follows by itself', async () => {
    const person = newPerson('Bà Tư');
    await asks(person, 'xin chào', /./);
    const [skip, mine] = [toldTelegram(officers).length, toldZalo(person).length];
    // the three tries of the first attempt
    zalo.fail('media', { code: -200, http: 503, times: 3 });
    person.sendsPhoto(photo, 'Có kẻ trộm vào nhà tôi');
    const receipt = await onZalo(person, /Mã tin báo: \S+/, mine);
    expect(receipt.text).toContain('Còn 1 tệp em đang tải về');
    const code = /Mã tin báo: (\S+)/.exec(receipt.text)![1]!;
    const first = await onTelegram(officers, new RegExp(`Tin báo mới ${code}`), skip);
    expect(wordsOf(first)).toContain('Có kẻ trộm vào nhà tôi');
    expect(wordsOf(first)).toContain('Còn 1 tệp đang tải về');
    const then = await onTelegram(officers, new RegExp(`${code} \\(tiếp\\)`), skip);
    expect(then.photo).toBeDefined();
    await onZalo(person, /đã tải xong và chuyển tới cán bộ/, mine);
    expect(await rows('SELECT kind FROM ReportFile')).toEqual([{ kind: 'photo' }]);
    expect(await rows(`SELECT key FROM Setting WHERE key LIKE 'report.late:%'`)).toEqual([]);
  }, 60_000);

  it('a photo that dies before it could be had is told to both sides', async () => {
    const person = newPerson('Ông Bảy');
    await asks(person, 'xin chào', /./);
    const [skip, mine] = [toldTelegram(officers).length, toldZalo(person).length];
    zalo.fail('media', { code: -200, http: 503, times: 3 });
    person.sendsPhoto(photo, 'Có người lạ rình nhà tôi');
    await onZalo(person, /Còn 1 tệp em đang tải về/, mine);
    zalo.world.media.clear();
    await onZalo(person, /em không tải về được nữa/, mine);
    await onTelegram(officers, /không tải về được, em đã nhờ người gửi gửi lại/, skip);
  }, 60_000);

  it('two ordinary restarts during a slow download leave everybody answered', async () => {
    const person = newPerson('Chậm');
    await asks(person, 'xin chào', /./);
    let held = zalo.hold('media', 'before');
    person.sendsPhoto(photo, 'Ảnh chậm: có người lạ ở cầu');
    for (let restarts = 0; restarts < 2; restarts += 1) {
      await held.arrived;
      const begunMs = Date.now();
      await stage.product.stop();
      expect(Date.now() - begunMs).toBeLessThan(7000);
      // begun, and no crash is counted
      const sql = `SELECT attempts, state FROM Inbox WHERE payload LIKE '%Ảnh chậm%'`;
      expect(await rows(sql)).toEqual([{ attempts: 1, state: 'waiting' }]);
      held = zalo.hold('media', 'before');
      await stage.startAgain();
    }
    // still slow
    await held.arrived;
    await asks(officer, 'quyền', /cán bộ công an/);
    await tells(chief, 'quyền', /trưởng công an/);
    held.release();
    await onZalo(person, /Mã tin báo: \S+/);
  }, 120_000);
});

describe('an outage of ours', () => {
  it('what was said to the bot in a group meanwhile is answered once, by webhook or not', async () => {
    const person = newPerson('Lò Văn Hỏi');
    group.state.members.add(person.id);
    await asks(person, '/quyen', /Anh\/chị|quyền/, group);
    await stage.product.stop();
    zalo.webhook.held = [];
    const skip = toldZalo(group).length;
    const alone = toldZalo(person).length;
    officer.says('/quyen', { in: group });
    person.says('mọi người ăn cơm chưa', { in: group });
    person.sendsSticker({ in: group });
    person.sendsSticker();
    await stage.startAgain();
    await onZalo(group, /cán bộ công an/, skip, 60_000);
    await onZalo(person, /Em chưa đọc được nội dung/, alone);
    zalo.webhook.release();
    await zalo.webhook.idle();
    await eventually(
      'all is answered',
      async () => (await rows(`SELECT id FROM Inbox WHERE state = 'waiting'`)).length === 0,
    );
    await asks(officer, 'quyền', /cán bộ công an/);
    expect(toldZalo(group).slice(skip)).toHaveLength(1);
    expect(toldZalo(person).slice(alone)).toHaveLength(1);
  }, 90_000);
});

describe('who withdraws', () => {
  it('is nowhere any more but in the log, and the chief hears so', async () => {
    const name = 'Hoàng Thị Rút';
    const person = newPerson(name);
    await asks(person, await invited(), /Anh\/chị là cán bộ công an/);
    group.state.members.add(person.id);
    await asks(person, `/anh 99 của ${name}`, /./, group);
    await asks(person, 'nối mã', /NOI-/);
    const skip = toldTelegram(chief).length;
    person.withdraws();
    const told = await onTelegram(chief, /vừa rút đồng ý/, skip);
    expect(wordsOf(told)).toMatch(/dòng nhật ký còn ghi tên/);
    const left: string[] = [];
    for (const { name: table } of await rows(`SELECT name FROM sqlite_master WHERE type = 'table'`))
      for (const row of await rows(`SELECT * FROM "${table}"`)) {
        const text = JSON.stringify(row, (_key, value) =>
          typeof value === 'bigint' ? String(value) : value,
        );
        if (text.includes(person.id) || text.includes(name)) left.push(`${table}`);
      }
    expect(new Set(left)).toEqual(new Set(['Audit']));
    // and comes back with a name
    person.follows();
    await onZalo(person, new RegExp(`Chào ${name}, đây là`));
  }, 60_000);
});
