import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readAudit } from '../../src/store/audit.js';
import { openHouse, type TestHouse } from '../support/house.js';

let house: TestHouse;
beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house.close());

const ROLES = ['truong', 'canbo', 'kythuat', 'thon1', 'ho', 'nguoiungho', 'khach'] as const;
type Who = (typeof ROLES)[number];
const REFUSED = /chưa được giao quyền/;

/** What each person gets, in private, for a sentence that is surely a command. */
const TABLE: { says: string; allowed: readonly Who[]; gives: RegExp | 'photo' | 'video' }[] = [
  { says: '/anh 1', allowed: ['truong', 'canbo', 'kythuat'], gives: 'photo' },
  { says: '/anh 4', allowed: ['truong', 'canbo', 'thon1'], gives: 'photo' },
  { says: '/clip 1 14h30', allowed: ['truong', 'canbo'], gives: 'video' },
  { says: '/camera', allowed: ['truong', 'canbo', 'kythuat', 'thon1'], gives: /camera đang ghi/ },
  { says: '/camera sửa 1', allowed: ['truong', 'kythuat'], gives: /Sửa gì ở camera 1/ },
  { says: '/camera xóa 1', allowed: ['truong', 'kythuat'], gives: /Xóa hẳn camera 1/ },
  { says: '/nguoi', allowed: ['truong'], gives: /TRƯỞNG CÔNG AN/ },
  { says: '/nhom', allowed: ['truong'], gives: /Các nhóm/ },
  { says: '/nhatky', allowed: ['truong'], gives: /Nhật ký/ },
  { says: '/thon', allowed: ['truong'], gives: /Thôn 1/ },
  { says: '/moi hộ', allowed: ['truong', 'canbo'], gives: 'photo' },
  { says: '/moi cán bộ', allowed: ['truong'], gives: 'photo' },
  { says: '/ghinhan An 500k', allowed: ['truong', 'thon1'], gives: /Đã ghi nhận/ },
  { says: '/trogiup', allowed: ROLES, gives: /Chào/ },
  { says: '/quyen', allowed: ROLES, gives: /Anh\/chị làm được/ },
  { says: '/baotin có người lạ ở cầu', allowed: ROLES, gives: /TB-|Đã thêm vào tin báo/ },
];

describe('rights in private', () => {
  for (const { says, allowed, gives } of TABLE)
    it(`${says}: ${allowed.length === ROLES.length ? 'everybody' : allowed.join(', ')}, and nobody else`, async () => {
      for (const who of ROLES) {
        const heard = await house.as(who).say(says);
        const footage = heard.some(({ reply }) => reply.kind !== 'text');
        if (!allowed.includes(who)) {
          expect(footage, `${who} must not get a file`).toBe(false);
          if (gives instanceof RegExp) for (const { text } of heard) expect(text).not.toMatch(gives);
          expect(heard.length, who).toBeGreaterThan(0);
        } else if (gives instanceof RegExp)
          expect(heard.map(({ text }) => text).join('\n'), who).toMatch(gives);
        else expect(heard.at(-1)?.reply.kind, who).toBe(gives);
      }
    });
});

describe('footage in groups', () => {
  const filesIn = (chat: string) => house.heardIn(chat).filter(({ reply }) => reply.kind !== 'text').length;

  it('is shown in the officers’ group to an officer', async () => {
    const heard = await house.as('canbo').in('nhom-canbo').say('/anh 1');
    expect(heard[0]?.reply.kind).toBe('photo');
    const clip = await house.as('canbo').in('nhom-canbo').say('/clip 1 14h30');
    expect(clip.at(-1)?.reply.kind).toBe('video');
  });

  for (const [group, who] of [
    ['nhom-chung', 'canbo'],
    ['nhom-chung', 'truong'],
    ['nhom-thon1', 'canbo'],
    ['nhom-thon1', 'thon1'],
    ['nhom-canbo', 'thon1'],
    ['nhom-canbo', 'kythuat'],
  ] as const)
    it(`goes to the private chat of ${who} when asked for in ${group}`, async () => {
      const camera = who === 'thon1' ? 4 : 1;
      const [group0, private0] = [filesIn(group), filesIn(who)];
      await house.as(who).in(group).say(`/anh ${camera}`);
      await house.drained();
      expect(filesIn(group)).toBe(group0);
      expect(filesIn(who)).toBe(private0 + 1);
      const [last] = await readAudit(house.db, { limit: 1 });
      expect(last).toMatchObject({ action: 'snapshot', result: 'ok', place: 'console:private' });
    });

  it('asked for by a household in a group, it goes nowhere', async () => {
    const [group0, private0] = [filesIn('nhom-canbo'), filesIn('ho')];
    const [heard] = await house.as('ho').in('nhom-canbo').say('/anh 1');
    expect(heard?.text).toMatch(REFUSED);
    expect([filesIn('nhom-canbo'), filesIn('ho')]).toEqual([group0, private0]);
  });

  it('who has not opened a private chat gets a button that opens it, and it is written down', async () => {
    await house.db.address.updateMany({ where: { userId: 'canbo' }, data: { privateChatId: null } });
    const [heard] = await house.as('canbo').in('nhom-chung').say('/anh 1');
    expect(heard?.reply.kind).toBe('text');
    expect(heard?.labels).toEqual(['Mở chat riêng']);
    const [last] = await readAudit(house.db, { limit: 1 });
    expect(last).toMatchObject({ action: 'snapshot', result: 'no-private-chat' });
    const clips = house.recorder.clips.length;
    await house.as('canbo').in('nhom-chung').say('/clip 1 14h30');
    expect(house.recorder.clips.length, 'no clip is made for nobody').toBe(clips);
  });
});

describe('the log', () => {
  it('holds refused wishes for footage too', async () => {
    for (const [who, says, action] of [
      ['ho', '/anh 1', 'snapshot'],
      ['kythuat', '/clip 1 14h30', 'clip'],
      ['thon1', '/anh 1', 'snapshot'],
      ['kythuat', '/anh 2', 'snapshot'],
    ] as const) {
      await house.as(who).say(says);
      const [last] = await readAudit(house.db, { limit: 1 });
      expect(last, `${who} ${says}`).toMatchObject({ action, result: 'not-allowed' });
    }
  });

  it('says who took which clip of which time, by camera, person and day', async () => {
    await house.as('truong').say('clip 3 từ 14h đến 14h02');
    const text = async (says: string) => (await house.as('truong').say(says))[0]?.text ?? '';
    expect(await text('nhật ký cam 3')).toContain(
      'Trung tá Lê Văn Trường · lấy clip · camera 3 Cầu Cẩm Lương · 14:00:00–14:02:00, thứ bảy 21/11/2026 · chat riêng (trang web)',
    );
    expect(await text('nhật ký cam 3')).not.toContain('camera 1');
    expect(await text('nhat ky Phạm Minh Tuấn')).not.toContain('Lê Văn Trường · lấy clip');
    expect(await text('nhật ký hôm qua')).toContain('chưa có gì');
    expect(await text('nhật ký hôm nay')).toContain('lấy clip');
    expect((await text('nhật ký 2')).match(/•/g)).toHaveLength(2);
  });
});
