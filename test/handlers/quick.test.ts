import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { wishOf } from '../../handlers/quick.js';
import { fromVietnamTime } from '../../src/base/clock.js';
import { openHouse, type TestHouse } from '../support/house.js';

let house: TestHouse;
beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house.close());

const at = (hour: number, minute: number, day = 21) => fromVietnamTime(2026, 11, day, hour, minute, 0);

describe('an officer in a hurry', () => {
  for (const [said, camera] of [
    ['cam 1', 1],
    ['xem cam 2', 2],
    ['coi cam 3', 3],
    ['mở cam 2', 2],
    ['cho anh xin hình cổng trường', 2],
    ['cho xin ảnh cầu', 3],
    ['cho anh xem ngã ba chợ với', 1],
    ['em ơi cho anh xin cái ảnh cầu nhé', 3],
    ['xem cong truong', 2],
    ['kiểm tra cam 4 giúp anh', 4],
    ['xem giùm cam 3', 3],
    ['anh can hinh cau gap', 3],
    ['gửi anh ảnh chợ', 1],
    ['chụp cho anh cái cổng trường', 2],
    ['xem trực tiếp cam 1', 1],
  ] as const)
    it(`“${said}” is the picture at once`, async () => {
      const heard = await house.as('canbo').say(said);
      expect(heard).toHaveLength(1);
      expect(heard[0]?.reply.kind).toBe('photo');
      expect(heard[0]?.text).toMatch(new RegExp(`^Camera ${camera} `));
    });

  for (const [said, camera] of [
    ['1', 1],
    ['chợ', 1],
    ['c1', 1],
    ['cầu', 3],
    ['ngã ba chợ', 1],
    ['cong truong', 2],
  ] as const)
    it(`a bare “${said}” is asked back, and each button leads on`, async () => {
      const me = house.as('canbo');
      const before = house.recorder.snapshots.length;
      const [asked] = await me.say(said);
      expect(house.recorder.snapshots.length).toBe(before);
      expect(asked?.labels).toEqual(['Ảnh lúc này', 'Clip 1 phút vừa rồi', 'Tình trạng camera']);
      for (const [label, kind] of [
        ['Ảnh lúc này', 'photo'],
        ['Clip 1 phút vừa rồi', 'video'],
        ['Tình trạng camera', 'text'],
      ] as const) {
        const [heard] = await me.press(label);
        expect(heard?.reply.kind, label).toBe(kind);
        expect(heard?.text, label).toContain(`Camera ${camera} `);
      }
    });

  for (const [said, camera, startMs] of [
    ['cam 1 10 phut truoc', 1, at(14, 30)],
    ['cầu tối qua 8 rưỡi', 3, at(20, 30, 20)],
    ['camera 4 hôm qua 7h sáng', 4, at(7, 0, 20)],
    ['cho anh xin clip chợ 14h15', 1, at(14, 15)],
    ['Em ơi cho anh xem lại cổng trường lúc 6h sáng nay 2 phút nhé', 2, at(6, 0)],
    ['lấy cho anh đoạn clip ở cầu lúc 6h25 2 phút', 3, at(6, 25)],
  ] as const)
    it(`“${said}” is a clip`, async () => {
      house.recorder.clips.length = 0;
      const heard = await house.as('canbo').say(said);
      expect(heard.at(-1)?.reply.kind).toBe('video');
      expect(house.recorder.clips).toMatchObject([{ cameraId: `cam${camera}`, startMs }]);
    });

  it('“camera 1” is all about the camera, “cam 1” too for a technician', async () => {
    expect((await house.as('canbo').say('camera 1'))[0]?.text).toContain('Tình trạng: đang ghi');
    expect((await house.as('kythuat').say('cam 1'))[0]?.text).toContain('Tình trạng: đang ghi');
  });

  it('asks which camera is down in his own words', async () => {
    house.recorder.drop('cam3', 'unreachable', at(14, 2));
    for (const said of ['cam nào hỏng', 'camera nào mất hình', 'camera nao bi mat ket noi', 'cam hỏng']) {
      const [heard] = await house.as('canbo').say(said);
      expect(heard?.text, said).toContain('3. Cầu Cẩm Lương: mất hình từ 14:02');
      expect(heard?.text, said).not.toContain('Ngã ba chợ');
    }
    const [one] = await house.as('kythuat').say('cam 3 hỏng từ bao giờ');
    expect(one?.text).toContain('mất hình từ 14:02');
    house.recorder.bring('cam3');
    const [none] = await house.as('canbo').say('cam nào hỏng');
    expect(none?.text).toBe('Cả 4 camera đang ghi, không camera nào mất hình.');
  });

  it('a hamlet head asks for the past and hears who can help', async () => {
    const [heard] = await house.as('thon1').say('ảnh 4 lúc 14h');
    expect(heard?.text).toContain('xin nhờ cán bộ');
    expect((await house.as('thon1').say('xem nhà văn hóa'))[0]?.reply.kind).toBe('photo');
  });

  it('nobody else sees anything by these words', async () => {
    const before = [house.recorder.snapshots.length, house.recorder.clips.length];
    for (const who of ['ho', 'nguoiungho', 'khach'])
      for (const said of ['1', 'chợ', 'xem cam 1', 'cho xem cam 1 đi', 'cầu tối qua 8 rưỡi'])
        for (const heard of await house.as(who).say(said)) expect(heard.reply.kind).toBe('text');
    expect([house.recorder.snapshots.length, house.recorder.clips.length]).toEqual(before);
  });

  it('a camera that is not there offers those that are, in their order', async () => {
    const [heard] = await house.as('canbo').say('ảnh 99');
    expect(heard?.text).toContain('Không có camera số 99');
    expect(heard?.says).toEqual(['ảnh 1', 'ảnh 2', 'ảnh 3', 'ảnh 4']);
    const [temple] = await house.as('canbo').say('ảnh chùa');
    expect(temple?.text).toContain('Em chưa thấy camera “chùa”');
    const [clip] = await house.as('canbo').say('clip chùa 5h');
    expect(clip?.says[0]).toMatch(/^clip 1 5h/);
  });
});

describe('wishOf', () => {
  for (const said of [
    'xin chờ',
    'chờ',
    'chớ',
    'xem phim không',
    'cho anh xin số',
    'mở cửa hộ',
    'lấy nước đi',
    'hôm nay trời đẹp',
  ])
    it(`“${said}” names no camera`, async () => {
      const [heard] = await house.as('truong').say(said);
      expect(heard?.text).toContain('Em chưa rõ ý');
    });
  it('takes off what is said around the name', () => {
    expect(wishOf('em ơi cho anh xin 1 tấm hình cổng trường nhé')).toEqual({
      kind: 'picture',
      asked: true,
      words: 'cổng trường',
    });
    expect(wishOf('chợ')).toEqual({ kind: 'camera', asked: false, words: 'chợ' });
    expect(wishOf('')).toBeNull();
  });
});

describe('small talk is answered shortly', () => {
  for (const said of ['cảm ơn', 'cam on em nhieu', 'ok', '👍', 'vâng ạ'])
    it(`“${said}”`, async () => {
      for (const who of ['canbo', 'ho', 'thon1']) {
        const [heard] = await house.as(who).say(said);
        expect(heard?.text).toMatch(/^Dạ/);
        expect(heard?.text.length).toBeLessThan(110);
      }
    });

  it('money that was taken is offered to be booked; who wants to give is told how', async () => {
    for (const said of ['bà Tư ủng hộ 200k', 'thu của bà Tư 200k', 'ủng hộ bà Tư 200k']) {
      const [asked] = await house.as('thon1').say(said);
      expect(asked?.says[0], said).toBe('ghi nhận bà Tư 200.000đ');
    }
    const [booked] = await house.as('thon1').press('Ghi nhận');
    expect(booked?.text).toContain('bà Tư ủng hộ 200.000đ (hai trăm nghìn đồng)');
    const before = await house.db.report.count();
    const [donor] = await house.as('nguoiungho').say('tôi muốn ủng hộ 500k');
    expect(donor?.text).toContain('Cảm ơn tấm lòng');
    expect(await house.db.report.count()).toBe(before);
    const [sent] = await house.as('nguoiungho').press('Nhắn cho cán bộ');
    expect(sent?.text).toContain('TB-');
  });
});

describe('help fits one screen', () => {
  for (const who of ['truong', 'canbo', 'thon1', 'kythuat', 'ho', 'khach', 'nguoiungho'])
    it(`of ${who}, and its buttons lead on`, async () => {
      const [help] = await house.as(who).say('trợ giúp');
      expect(help?.text.split('\n').length).toBeLessThanOrEqual(24);
      expect(help?.text.length).toBeLessThan(900);
      for (const label of help?.labels ?? []) {
        const heard = await house.as(who).press(label);
        expect(heard.length, label).toBeGreaterThan(0);
        expect(heard[0]?.text, label).not.toMatch(/chưa rõ ý|thôn mình thôi|chưa được giao|Nút này đã cũ/);
      }
    });
});
