import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openHouse, type TestHouse } from '../support/house.js';

let house: TestHouse;
beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house.close());

const newest = async () => (await house.db.donation.findMany({ orderBy: { id: 'desc' }, take: 1 }))[0];
const reports = () => house.db.report.count();

describe('ghi nhận books what a hamlet head says', () => {
  for (const [said, donor, dong] of [
    ['ghi nhận bà Sáu 2tr5', 'bà Sáu', 2_500_000],
    ['ghi nhan ong Nam 500k', 'ong Nam', 500_000],
    ['ghi nhận 1.000.000 Công ty TNHH An Phát', 'Công ty TNHH An Phát', 1_000_000],
    ['ghi nhận Tổ 3 300k', 'Tổ 3', 300_000],
    ['ghi nhận nhà hàng 79 1tr', 'nhà hàng 79', 1_000_000],
    ['ghi nhận lớp 12A1 khóa 95-98 5 triệu', 'lớp 12A1 khóa 95-98', 5_000_000],
    ['ghi nhận ông Tám 300 nghìn tiền mặt', 'ông Tám', 300_000],
    ['ghi nhận chị Tư 200k (chuyển khoản)', 'chị Tư', 200_000],
    ['ghi nhận ba Sau hai trieu', 'ba Sau', 2_000_000],
    ['ghi nhận ông Hai 500.000 đ chẵn', 'ông Hai', 500_000],
  ] as const)
    it(`“${said}”`, async () => {
      const [heard] = await house.as('thon1').say(said);
      expect(heard?.text).toContain('Đã ghi nhận');
      expect(await newest()).toMatchObject({ donorName: donor, amountDong: BigInt(dong) });
    });

  for (const said of [
    'ghi nhận ông Ba -500k',
    'ghi nhận ông Ba 0đ',
    'ghi nhận ông Ba 10 đồng',
    'ghi nhận ông Ba 9999999 tỷ',
    'ghi nhận ông Ba 999 tỷ',
    'ghi nhận bà Năm 300k, ông Sáu 200k',
    'ghi nhận 3 hộ xóm trên mỗi hộ 100k',
    'ghi nhận ông Hai 5 trăm',
  ])
    it(`“${said}” books nothing, says so, and is no report`, async () => {
      const [before, told] = [await house.db.donation.count(), await reports()];
      const [heard] = await house.as('thon1').say(said);
      expect(heard?.text).toMatch(/chưa ghi gì/);
      expect([await house.db.donation.count(), await reports()]).toEqual([before, told]);
    });

  for (const said of ['hủy ghi nhận số 5', 'xóa khoản 5', 'danh sách ủng hộ'])
    it(`“${said}” is no report`, async () => {
      const before = await reports();
      const [heard] = await house.as('thon1').say(said);
      expect(heard?.text).toContain('Em chưa rõ ý');
      expect(await reports()).toBe(before);
    });

  it('asks once about a very large gift, and the button books it', async () => {
    const me = house.as('truong');
    const [asked] = await me.say('ghi nhận Công ty An Phát 500 triệu');
    expect(asked?.text).toContain('500.000.000đ (năm trăm triệu đồng), số tiền này đúng không');
    await me.press('Đúng, ghi nhận');
    expect(await newest()).toMatchObject({ donorName: 'Công ty An Phát', amountDong: 500_000_000n });
  });

  it('asks for the donor, the amount or the unit that is missing', async () => {
    const me = house.as('thon1');
    const [who] = await me.say('ghi nhận 500k');
    expect(who?.text).toContain('Ai ủng hộ 500.000đ');
    await me.say('bác Hai');
    expect(await newest()).toMatchObject({ donorName: 'bác Hai', amountDong: 500_000n });
    const [much] = await me.say('ghi nhận Lớp 12A1');
    expect(much?.text).toContain('Lớp 12A1 ủng hộ bao nhiêu');
    await me.say('300k');
    expect(await newest()).toMatchObject({ donorName: 'Lớp 12A1', amountDong: 300_000n });
    const [unit] = await me.say('ghi nhận ông Tám 300');
    expect(unit?.labels).toEqual(['300.000đ', '300.000.000đ']);
    await me.press('300.000đ');
    expect(await newest()).toMatchObject({ donorName: 'ông Tám', amountDong: 300_000n });
  });
});
