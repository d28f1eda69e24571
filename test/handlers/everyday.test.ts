import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { looksLikeReport } from '../../handlers/reports/looks-like-report.js';
import { openHouse, type TestHouse } from '../support/house.js';

let house: TestHouse;
beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house.close());

/** Said every day in a village; every one begins like a command, or speaks of what commands speak of. */
const EVERYDAY = `anh ơi
anh oi cho em hoi
anh ơi cho em hỏi chút
ảnh đẹp quá
ảnh này chụp đẹp ghê
anh em mình đi ăn cơm
anh Năm có nhà không
anh chị nào rảnh giúp em với
anh về chưa
anh cho em xin số
anh cảm ơn em
anh biết rồi
hình như trời sắp mưa
hình như có ai gõ cửa
chụp cho anh tấm hình
tối qua có trộm
chị cho em hỏi
chị ơi
em chào anh ạ
clip này hay quá
clip hôm qua ai quay vậy
clip gì mà hay thế
video này vui ghê
xem lại đi em
camera là gì
camera giá bao nhiêu tiền
camera đẹp quá
camera nhà em hỏng rồi
cam ơn anh
cam on nhieu
cảm ơn các anh
cam sành bao nhiêu một cân
cám ơn bà con
nhóm mình ơi
nhóm mình hôm nay đông vui quá
nhóm em đi làm về rồi
người ta nói
người ta nói hôm nay mưa to
người đâu mà đẹp thế
người lạ vào nhà bà Tư
mời cả nhà ăn cơm
mời anh chị xơi nước
moi nguoi oi
mọi người ơi họp nhé
mới đây thôi mà
mời các bác sang nhà em uống nước
nhật ký của em bị mất rồi
quyền gì mà quyền
quyền lợi của dân là gì
thôn mình năm nay được mùa
thôn 1 họp lúc mấy giờ
ghi nhận ý kiến của bà con
ghi nhận công lao của các đồng chí
giúp em với
giúp đỡ người già là tốt
trợ giúp pháp lý ở đâu vậy
hướng dẫn em làm căn cước với
start xe mãi không nổ
help me please
báo cáo anh em đã về
menu hôm nay có gì
ai đã xem phim này chưa
thành viên mới chào cả nhà
xin chào
alo
chúc cả nhà ngủ ngon
hôm nay trời đẹp quá
mấy giờ họp thôn vậy anh
lễ hội năm nay tổ chức ở đâu
đồng ý
xin chờ chút
chờ
đi chợ
qua cầu rồi
em đang ở chợ
xem nào
cho em xin
mở cửa đi
lấy giúp anh bát nước`.split('\n');

describe('everyday sentences', () => {
  it('are at least sixty', () => expect(EVERYDAY.length).toBeGreaterThanOrEqual(60));

  for (const said of EVERYDAY)
    it(`“${said}” runs nothing`, async () => {
      const asked = () => [house.recorder.snapshots.length, house.recorder.clips.length];
      // people pause between their sentences
      house.clock.ms += 60_000;
      const before = asked();
      for (const who of ['canbo', 'truong', 'ho']) {
        const heard = await house.as(who).say(said);
        expect(heard.length, `${who} is answered`).toBeGreaterThan(0);
        for (const { reply, text } of heard) {
          expect(reply.kind).toBe('text');
          expect(text, who).toMatch(/Chào|^Dạ|Em chưa rõ ý|TB-|tin báo/);
          expect(text).not.toMatch(/chưa được giao quyền/);
        }
      }
      expect(asked()).toEqual(before);
      const heard = await house.as('canbo').in('nhom-canbo').say(said, { addressed: true });
      expect(heard, 'a group hears nothing').toEqual([]);
      expect(asked()).toEqual(before);
    });

  it('change nothing', async () => {
    expect(await house.db.invitation.count()).toBe(0);
    expect(await house.db.donation.count()).toBe(4);
    expect(await house.db.audit.count()).toBe(0);
  });
});

describe('looksLikeReport', () => {
  for (const said of [
    'tối qua có trộm',
    'tối qua có trộm ở nhà bà Năm',
    'có người lạ đi quanh xóm',
    'xe máy biển số 36B1 12345 chạy lạng lách ở ngã ba',
    'chay nha o thon 2',
    'danh nhau o quan nuoc dau lang',
    'có 2 thanh niên mang dao vào chợ',
    'nha toi bi mat xe may dem qua',
    'đổ rác trộm ở cầu',
  ])
    it(`keeps “${said}”`, () => expect(looksLikeReport(said)).toBe(true));
  for (const said of [
    'xin chào',
    'anh ơi',
    'chị cho em hỏi',
    'alo',
    'cảm ơn anh nhé',
    'camera là gì',
    'ok',
    '👍',
    '',
  ])
    it(`takes “${said}” for talk`, () => expect(looksLikeReport(said)).toBe(false));
});
