import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { linesOf } from '../../handlers/commands/audit-log.js';
import { looksLikeReport } from '../../handlers/reports/looks-like-report.js';
import { findHamlet } from '../../handlers/saying.js';
import { NOON_ISH, openHouse, type TestHouse } from '../support/house.js';

let house: TestHouse;
beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house.close());

describe('a technician on a ladder', () => {
  it('says the verb first, or the number', async () => {
    const me = house.as('kythuat');
    for (const [said, state] of [
      ['tắt cam 1', 'off'],
      ['bật cam 1', 'recording'],
      ['camera 1 tắt', 'off'],
      ['bat camera 1', 'recording'],
    ] as const) {
      await me.say(said);
      expect((await house.recorder.camera('cam1')).state, said).toBe(state);
    }
    const [renamed] = await me.say('camera 1 đổi tên Ngã ba chợ mới');
    expect(renamed?.text).toContain('tên mới: Ngã ba chợ mới');
    await me.say('sửa cam 1 tên Ngã ba chợ');
    for (const said of ['cam 3 bị sao', 'camera 3 ok chưa', 'cam 3 đã sửa xong'])
      expect((await me.say(said))[0]?.text, said).toContain('Camera 3 · Cầu Cẩm Lương\nTình trạng: đang ghi');
    const [fields] = await me.say('sửa cam 1');
    expect(fields?.labels).toContain('Tên');
  });

  it('an officer is told that it is not theirs, and nothing changes', async () => {
    for (const said of ['tắt cam 1', 'xóa cam 1']) await house.as('canbo').say(said);
    expect((await house.recorder.camera('cam1')).state).toBe('recording');
    const [heard] = await house.as('canbo').say('tắt cam 1');
    expect(heard?.text).not.toContain('Em chưa rõ ý');
  });
});

describe('a question that waits for words', () => {
  it('lets a whole command through, and still takes its answer', async () => {
    const me = house.as('truong');
    await me.say('camera sửa 4 tên');
    expect((await me.say('ảnh 1'))[0]?.reply.kind).toBe('photo');
    expect((await me.say('người'))[0]?.text).toContain('TRƯỞNG CÔNG AN');
    expect((await me.say('Nhà văn hóa cũ'))[0]?.text).toContain('tên mới: Nhà văn hóa cũ');
  });
});

describe('two wishes at once', () => {
  it('pictures come together, a picture and a clip one by one', async () => {
    const [both] = await house.as('canbo').say('ảnh 1 rồi ảnh 2');
    expect(both?.text).toContain('2/2 camera có hình');
    const [one] = await house.as('canbo').say('ảnh 1. clip 2 1 phút trước');
    expect(one?.text).toContain('Mỗi tin em làm một việc');
  });
});

describe('names are said once', () => {
  it('of hamlets, however often the kind is typed', async () => {
    const hamlets = [{ id: 1, name: 'Thôn 1' }];
    for (const said of ['thôn 1', 'Thôn Thôn 1', 'thon thon 1', '1'])
      expect(findHamlet(hamlets, said), said).toEqual(hamlets[0]);
    const me = house.as('truong').in('nhom-thon1');
    expect((await me.say('/nhom thôn Thôn 1'))[0]?.text).toContain('Đây là nhóm của Thôn 1.');
    expect((await me.say('/nhom thôn Thôn 9'))[0]?.text).toMatch(/thôn thêm Thôn 9$/);
    expect((await house.as('truong').say('nhóm'))[0]?.text).toContain(': nhóm của Thôn 1');
  });

  it('a hamlet is added by a question', async () => {
    expect((await house.as('truong').say('thôn thêm'))[0]?.text).toContain('Thôn mới tên là gì');
    expect((await house.as('truong').say('Thôn 7'))[0]?.text).toBe('Đã thêm Thôn 7.');
  });

  it('an invitation for a hamlet that is not there says which are', async () => {
    const [heard] = await house.as('canbo').say('mời hộ thôn 9');
    expect(heard?.text).toContain('Đang có: Thôn 1');
  });
});

describe('refusals and codes', () => {
  it('keep capitals, and speak of pictures as ours to guard', async () => {
    expect((await house.as('ho').say('/moi'))[0]?.text).toContain('kèm mã QR');
    expect((await house.as('khach').say('ảnh 1'))[0]?.text).toMatch(/^Hình camera chỉ người được giao/);
  });

  it('half a code is told from a wrong one; a chief’s code helps nobody once there is a chief', async () => {
    expect((await house.as('khach').say('MOI-AAAAA'))[0]?.text).toContain('còn thiếu chữ');
    const [chief] = await house.as('khach').say('TRUONG-AAAAA-CCCCC');
    expect(chief?.text).toBe('Mã này không còn dùng được. Anh/chị nhờ trưởng công an mời vào nhé.');
  });
});

describe('what villagers write', () => {
  for (const said of [
    'xin chao cong an',
    'cho bac hoi so dien thoai cong an xa',
    'bác ơi cho ông hỏi',
    'bạn là robot à',
    'thôi',
  ])
    it(`“${said}” is no report`, () => expect(looksLikeReport(said)).toBe(false));
  for (const said of ['cứu với', 'cuu toi voi', 'chay'])
    it(`“${said}” is one`, () => expect(looksLikeReport(said)).toBe(true));
});

describe('the log', () => {
  const entry = (cameraId: number, atMs: number) => ({
    atMs,
    personId: 1,
    personName: 'Tuấn',
    action: 'snapshot',
    cameraId,
    place: 'console:private',
    result: 'ok',
  });
  const names = new Map([
    [1, 'camera 1 Chợ'],
    [2, 'camera 2 Cầu'],
  ]);
  it('tells one wish in one line, in plain words, with the day only when it is another', () => {
    expect(linesOf([entry(2, NOON_ISH), entry(1, NOON_ISH)], names, NOON_ISH)).toEqual([
      '• 14:40:00 · Tuấn · xem ảnh · camera 1 Chợ, 2 Cầu · chat riêng (trang web)',
    ]);
    expect(linesOf([entry(1, NOON_ISH)], names, NOON_ISH + 86_400_000)[0]).toContain('14:40:00 21/11/2026');
    expect(linesOf([entry(1, NOON_ISH), entry(1, NOON_ISH)], names, NOON_ISH)).toHaveLength(2);
  });
});
