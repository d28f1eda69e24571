import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { fromVietnamTime } from '../../src/base/clock.js';
import { openHouse, type TestHouse } from '../support/house.js';

let house: TestHouse;
beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house.close());

const at = (hour: number, minute: number, second = 0, day = 21) =>
  fromVietnamTime(2026, 11, day, hour, minute, second);

describe('ảnh', () => {
  it('gives one camera with its name and the exact time of the frame', async () => {
    const [heard] = await house.as('canbo').say('anh nga ba cho');
    expect(heard?.reply).toMatchObject({ kind: 'photo', width: 1280, height: 720 });
    expect(heard?.text).toContain('Camera 1 Ngã ba chợ');
    expect(heard?.text).toContain('14:39:59, thứ bảy 21/11/2026');
  });

  it('says the age of an old frame', async () => {
    const snapshot = house.recorder.snapshot;
    house.recorder.snapshot = async (id, options) => ({
      ...(await snapshot(id, options)),
      frameMs: house.clock.now() - 42_000,
    });
    const [heard] = await house.as('canbo').say('ảnh 1');
    house.recorder.snapshot = snapshot;
    expect(heard?.text).toContain('(42 giây trước)');
  });

  for (const said of [
    'cam 1',
    'ảnh cam 1',
    'ẢNH CAMERA SỐ 1',
    'anh1',
    'Ảnh: ngã ba chợ',
    'hình nga ba cho',
    'chụp cam 1 đi',
    'ảnh ngã 3 chợ',
  ])
    it(`understands “${said}”`, async () => {
      const [heard] = await house.as('canbo').say(said);
      expect(heard?.text).toMatch(/Camera 1\b.*Ngã ba chợ/);
    });

  it('several cameras come on one sheet, and every one is logged', async () => {
    const before = await house.db.audit.count();
    const heard = await house.as('canbo').say('ảnh 1, 2 và 4');
    expect(heard).toHaveLength(1);
    expect(heard[0]?.reply.kind).toBe('photo');
    expect(heard[0]?.text).toContain('3/3 camera có hình');
    expect(await house.db.audit.count()).toBe(before + 3);
  });

  it('a hamlet head sees all of the own hamlet, and of nothing else', async () => {
    await house.as('thon1').say('ảnh tất cả');
    const [last] = await house.db.audit.findMany({ orderBy: { id: 'desc' }, take: 1 });
    expect(await house.db.audit.count({ where: { personName: 'Bùi Văn Hiền' } })).toBe(1);
    expect(last?.result).toBe('ok');
  });

  it('a dead camera says why and since when; on the sheet its place does', async () => {
    house.recorder.drop('cam3', 'refused', at(14, 2, 10));
    const [heard] = await house.as('canbo').say('ảnh cầu');
    expect(heard?.reply.kind).toBe('text');
    expect(heard?.text).toContain('mất hình từ 14:02:10, camera không nhận mật khẩu');
    const [sheet] = await house.as('canbo').say('ảnh tất cả');
    expect(sheet?.text).toContain('3/4 camera có hình');
    expect(sheet?.text).toContain('Mất hình: 3 Cầu Cẩm Lương');
    house.recorder.bring('cam3');
  });

  it('an unknown name offers the nearest, an unclear one asks', async () => {
    const [unknown] = await house.as('canbo').say('ảnh ngã ba chùa');
    expect(unknown?.says).toEqual(['ảnh 1']);
    const [far] = await house.as('canbo').say('ảnh cổng chương');
    expect(far?.says).toContain('ảnh 2');
    const [unclear] = await house.as('canbo').say('ảnh cẩm lương trường');
    expect(unclear?.reply.kind).toBe('text');
    await house.as('truong').say('camera sửa 4 tên Cầu thôn 1');
    const [asked] = await house.as('canbo').say('ảnh cầu');
    expect(asked?.says).toEqual(['ảnh 3', 'ảnh 4']);
    const [chosen] = await house.as('canbo').say('4 Cầu thôn 1');
    expect(chosen?.text).toContain('Camera 4 Cầu thôn 1');
    await house.as('truong').say('camera sửa 4 tên Nhà văn hóa thôn 1');
  });

  it('the recorder’s absence is said in words', async () => {
    house.recorder.away = true;
    const [heard] = await house.as('canbo').say('ảnh 1');
    const [list] = await house.as('canbo').say('camera');
    house.recorder.away = false;
    expect(heard?.text).toMatch(/không kết nối được/);
    expect(list?.text).toContain('Máy ghi đang không trả lời');
  });
});

describe('clip', () => {
  beforeEach(() => {
    house.recorder.clips.length = 0;
  });

  it('asks the recorder for exactly what was said and tells what is delivered', async () => {
    const heard = await house.as('canbo').say('clip cam 2 lúc 14h30 trong 30 giây');
    expect(house.recorder.clips).toMatchObject([
      { cameraId: 'cam2', startMs: at(14, 30), endMs: at(14, 30, 30), format: 'chat' },
    ]);
    expect(heard).toHaveLength(1);
    expect(heard[0]?.reply).toMatchObject({ kind: 'video', width: 1280, height: 720, durationMs: 30_000 });
    expect(heard[0]?.text).toContain('Yêu cầu: 14:30:00–14:30:30, thứ bảy 21/11/2026');
  });

  it('echoes the exact range before the long work', async () => {
    const clip = house.recorder.clip;
    house.recorder.clip = async (...args) => {
      // long work: it takes until the line is there
      await house.channel.waitFor(
        ({ reply }) => reply.kind === 'text' && reply.text.includes('Em đang lấy clip camera 3'),
      );
      return clip(...args);
    };
    await house.as('canbo').say('clip cầu từ 14h10 đến 14h12');
    house.recorder.clip = clip;
    const texts = house.heardIn('canbo').map(({ text }) => text);
    const echo = texts.findIndex((text) =>
      text.includes('Em đang lấy clip camera 3 Cầu Cẩm Lương:\n14:10:00–14:12:00'),
    );
    expect(echo).toBeGreaterThanOrEqual(0);
    expect(
      texts.findIndex((text) => text.startsWith('Camera 3') && text.includes('14:10:00')),
    ).toBeGreaterThan(echo);
  });

  it('tells a clip that begins earlier, and each gap in words', async () => {
    house.recorder.cut('cam2', { startMs: at(13, 0, 10), endMs: at(13, 0, 15) }, 'unreachable');
    const [heard] = await house.as('canbo').say('clip 2 lúc 13:00:01 trong 30 giây');
    expect(heard?.text).toContain('Yêu cầu: 13:00:01–13:00:31');
    expect(heard?.text).toContain('Có trong clip: 13:00:00–13:00:31');
    expect(heard?.text).toContain('Thiếu 13:00:10–13:00:15, thứ bảy 21/11/2026 (5 giây): không kết nối được');
  });

  it('where nothing is recorded it says why', async () => {
    house.recorder.cut('cam2', { startMs: at(12, 0), endMs: at(12, 30) }, 'deleted');
    const [heard] = await house.as('canbo').say('clip 2 12h10');
    expect(heard?.text).toMatch(/không có hình lúc 12:10:00–12:10:30.*: đoạn này đã hết hạn lưu/);
    const [last] = await house.db.audit.findMany({ orderBy: { id: 'desc' }, take: 1 });
    expect(last).toMatchObject({ action: 'clip', result: 'no-footage' });
  });

  it('asks for the camera, then for the time, with buttons that keep what was said', async () => {
    const me = house.as('canbo');
    const [camera] = await me.say('clip lúc 14h30 hôm qua');
    expect(camera?.labels).toContain('2 Cổng trường tiểu học');
    await me.press('2 Cổng trường tiểu học');
    expect(house.recorder.clips).toMatchObject([{ cameraId: 'cam2', startMs: at(14, 30, 0, 20) }]);
    const [time] = await me.say('clip ngã ba chợ');
    expect(time?.labels).toContain('5 phút vừa rồi');
    await me.press('5 phút vừa rồi');
    expect(house.recorder.clips[1]).toMatchObject({
      cameraId: 'cam1',
      startMs: at(14, 35),
      endMs: at(14, 40),
    });
  });

  it('an hour that has not come offers yesterday’s', async () => {
    const me = house.as('canbo');
    const [heard] = await me.say('clip cam 2 22h');
    expect(heard?.says).toHaveLength(1);
    await me.press(heard?.labels[0] ?? '');
    expect(house.recorder.clips).toMatchObject([{ cameraId: 'cam2', startMs: at(22, 0, 0, 20) }]);
  });

  it('comes in parts where the channel takes only small files', async () => {
    const small = await openHouse();
    try {
      const limits = small.channel.limits as { fileBytes: number };
      limits.fileBytes = 10_000_000;
      const heard = await small.as('canbo').say('clip 2 từ 14h đến 14h02');
      const videos = heard.filter(({ reply }) => reply.kind === 'video');
      expect(videos.length).toBeGreaterThan(1);
      expect(videos[0]?.text).toContain(`Phần 1/${videos.length}: 14:00:00–`);
      expect(videos.at(-1)?.text).toContain(`Phần ${videos.length}/${videos.length}`);
    } finally {
      await small.close();
    }
  });
});
