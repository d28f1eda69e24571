import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { captionOf } from '../../handlers/commands/clip.js';
import { whyNothing } from '../../handlers/no-footage.js';
import type { GapCause } from '../../media/types.js';
import { fromVietnamTime } from '../../src/base/clock.js';
import type { MadeLink, MakeLink } from '../../src/chat/outgoing.js';
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
    expect(heard?.text).toMatch(/không có hình lúc 12:10:00–12:10:30.*: đoạn này không còn, đã được xóa/);
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

  it('of the sub stream says that it is the small picture, and gives the original as a file', async () => {
    house.recorder.chatStreams.set('cam2', 'sub');
    const me = house.as('canbo');
    const [heard] = await me.say('clip 2 từ 14h đến 14h02');
    expect(heard?.reply.kind).toBe('video');
    expect(heard?.text).toContain('Đây là hình nhỏ (luồng phụ) để xem nhanh');
    expect(heard?.labels).toEqual(['Bản gốc']);
    house.recorder.clips.length = 0;
    const original = await me.press('Bản gốc');
    house.recorder.chatStreams.clear();
    expect(house.recorder.clips).toMatchObject([
      { cameraId: 'cam2', startMs: at(14, 0), endMs: at(14, 2), format: 'original' },
    ]);
    expect(original.at(-1)?.reply.kind).toBe('document');
    expect(original.at(-1)?.text).toContain('Bản gốc, đúng như camera ghi');
    const [plain] = await me.say('clip 2 từ 14h đến 14h02');
    expect([plain?.reply.kind, plain?.labels]).toEqual(['video', []]);
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

describe('a clip in parts, where there are links', () => {
  const sent: Parameters<MakeLink>[] = [];
  async function ask(made: MadeLink | null, group?: string) {
    sent.length = 0;
    const makeLink: MakeLink = async (...asked) => {
      sent.push(asked);
      return made;
    };
    const small = await openHouse({ house: { makeLink } });
    try {
      (small.channel.limits as { fileBytes: number }).fileBytes = 10_000_000;
      const me = group === undefined ? small.as('canbo') : small.as('canbo').in(group);
      await me.say('/clip 2 từ 14h đến 14h02');
      await small.drained();
      const officer = await small.db.person.findUniqueOrThrow({ where: { alias: 'canbo' } });
      return {
        inPrivate: small.heardIn('canbo'),
        heard: small.heardIn(group ?? 'canbo'),
        personId: officer.id,
      };
    } finally {
      await small.close();
    }
  }

  it('also comes whole behind a button; the PIN in a message of its own', async () => {
    const { heard, personId } = await ask({ url: 'https://xa.example/m/x', pin: '4821' });
    const [link, pin] = heard.slice(-2);
    expect(link?.reply).toMatchObject({
      buttons: [[{ label: 'Xem và tải cả đoạn', url: 'https://xa.example/m/x' }]],
    });
    expect([link?.text.includes('4821'), pin?.text.includes('4821')]).toEqual([false, true]);
    const [files, about] = sent[0]!;
    expect(files).toMatchObject([{ shows: { camera: '2 Cổng trường tiểu học', startMs: at(14, 0) } }]);
    expect(about).toMatchObject({
      to: { channel: 'console', chatId: 'canbo' },
      only: { asker: { personId, role: 'officer' } },
    });
  });

  it('asked for in the officers’ group it is a link for that group, elsewhere for the private chat', async () => {
    await ask({ url: 'https://xa.example/m/x' }, 'nhom-canbo');
    expect(sent[0]![1]).toMatchObject({ to: { chatId: 'nhom-canbo' }, only: { purpose: 'officers' } });
    const { heard } = await ask({ url: 'https://xa.example/m/x' }, 'nhom-thon1');
    expect(sent[0]![1]).toMatchObject({ to: { chatId: 'canbo' } });
    expect(JSON.stringify(heard.map(({ reply }) => reply))).not.toContain('xa.example');
  });

  it('on the office’s net the address stands in the text, with where it opens', async () => {
    const note = '(Mở khi cùng mạng)';
    const { heard } = await ask({ url: 'http://192.168.1.5:8600/m/x', note });
    expect(heard.at(-1)?.text).toContain(`http://192.168.1.5:8600/m/x\n${note}`);
    expect(heard.at(-1)?.labels).toEqual([]);
  });

  it('where there is no way at all the parts are all', async () => {
    const { heard } = await ask(null);
    expect(heard.at(-1)?.reply.kind).toBe('video');
  });
});

describe('where nothing is recorded', () => {
  const gap = (range: { startMs: number; endMs: number }, cause: GapCause) =>
    house.recorder.cut('cam4', range, cause);

  it('before the first recording: since when there is one, and a button to it', async () => {
    gap({ startMs: 0, endMs: at(9, 0) }, 'unknown');
    const me = house.as('canbo');
    const [heard] = await me.say('clip 4 tối qua 8 rưỡi');
    expect(heard?.text).toContain('không có hình lúc 20:30:00–20:30:30');
    expect(heard?.text).toContain('chưa bắt đầu ghi. Hình có từ 09:00:00, thứ bảy 21/11/2026');
    expect(heard?.text).not.toContain('chưa rõ');
    expect(heard?.labels).toEqual(['Hình đầu tiên sau đó (09:00:00)', 'Tình trạng camera']);
    const clip = await me.press('Hình đầu tiên sau đó (09:00:00)');
    expect(clip.at(-1)?.reply.kind).toBe('video');
    expect(clip.at(-1)?.text).toContain('Yêu cầu: 09:00:00–09:00:30');
  });

  it('where others removed it: that it was there, though nothing is left from before', async () => {
    const range = { startMs: at(12, 0), endMs: at(12, 30) };
    const around = { nowMs: at(14, 0), retentionDays: 30, listed: false, before: false, nextMs: at(12, 30) };
    const removed = { ...range, cause: 'removed-by-others' as const };
    const why = whyNothing(range, { ...around, gaps: [removed] });
    expect(why).toMatch(/^đã ghi được, nhưng tệp hình .* không phải do Mắt Thần xóa; hãy báo kỹ thuật viên/);
    // the list has it, and no clip could be made of it
    const unread = whyNothing(range, { ...around, listed: true, gaps: [] });
    expect(unread).toMatch(/tệp hình không đọc được/);
    const part = { ...range, index: 0, durationMs: 1, sizeBytes: 1, width: 1, height: 1, codec: 'avc1' };
    const gaps = [{ startMs: at(12, 10), endMs: at(12, 11), cause: 'damaged' as const }];
    expect(captionOf({ number: 4, name: 'x' }, range, { parts: [part], gaps }, 0)).toMatch(
      /Thiếu 12:10:00–12:11:00.*\(1 phút\): đã ghi được, nhưng tệp hình bị hỏng ở đoạn này/,
    );
  });

  it('in a hole: what is known of it, and buttons to both sides', async () => {
    gap({ startMs: at(12, 0), endMs: at(12, 30) }, 'unreachable');
    const me = house.as('canbo');
    const [heard] = await me.say('clip 4 12h10');
    expect(heard?.text).toMatch(/12:10:30.*: không kết nối được\.$/);
    expect(heard?.labels.slice(0, 2)).toEqual([
      'Hình cuối trước đó (12:00:00)',
      'Hình đầu tiên sau đó (12:30:00)',
    ]);
    for (const label of heard?.labels.slice(0, 2) ?? []) {
      const clip = await me.press(label);
      expect(clip.at(-1)?.reply.kind, label).toBe('video');
      await me.say('clip 4 12h10');
    }
  });

  it('beyond the days of keeping: says how long pictures are kept', async () => {
    const [heard] = await house.as('canbo').say('clip 4 14h ngày 1/9/2026');
    expect(heard?.text).toContain('hình chỉ giữ 30 ngày, đoạn này đã hết hạn lưu');
  });

  it('names no lack of less than a second at the ends, and every one of a second', () => {
    const asked = { startMs: at(9, 0), endMs: at(9, 1) };
    const part = { ...asked, index: 0, durationMs: 60_000, sizeBytes: 1, width: 1, height: 1, codec: 'avc1' };
    const said = (startMs: number, endMs: number) =>
      captionOf(
        { number: 4, name: 'x' },
        asked,
        { parts: [part], gaps: [{ startMs, endMs, cause: 'unknown' }] },
        0,
      );
    expect(said(at(9, 0), at(9, 0) + 900)).not.toContain('Thiếu');
    expect(said(at(9, 1) - 600, at(9, 1))).not.toContain('Thiếu');
    expect(said(at(9, 0), at(9, 0) + 1000)).toContain('Thiếu');
    expect(said(at(9, 0) + 20_000, at(9, 0) + 20_800)).toContain('Thiếu');
  });

  it('where the clock was set back both recordings come, and each says which it is', () => {
    const asked = { startMs: at(9, 0), endMs: at(9, 1) };
    const part = (index: number) => ({
      ...{ index, startMs: at(9, 0) - 500, endMs: at(9, 1), durationMs: 60_500 },
      ...{ sizeBytes: 1, width: 2, height: 2, codec: 'avc1' },
    });
    const said = (index: number) =>
      captionOf({ number: 4, name: 'x' }, asked, { parts: [part(0), part(1)], gaps: [] }, index);
    expect(said(0)).toContain('được ghi 2 lần. Đây là bản ghi lần 1.');
    expect(said(1)).toContain('Đây là bản ghi lần 2.');
    expect(captionOf({ number: 4, name: 'x' }, asked, { parts: [part(0)], gaps: [] }, 0)).not.toContain(
      'lùi',
    );
  });

  it('a camera that is switched off is no lost one', async () => {
    await house.as('truong').say('camera tắt 4');
    house.recorder.drop('cam3', 'unreachable', at(14, 2));
    const [sheet] = await house.as('canbo').say('ảnh tất cả');
    expect(sheet?.text).toMatch(/2\/4 camera có hình.*\nMất hình: 3 Cầu Cẩm Lương\nĐã tắt: 4 Nhà văn hóa/);
    house.recorder.bring('cam3');
    await house.as('truong').say('camera bật 4');
  });
});
