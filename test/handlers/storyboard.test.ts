import sharp from 'sharp';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { buttonsOf, FRAMES, needsExact, slotsOf, spanOf } from '../../handlers/commands/storyboard-plan.js';
import { fromVietnamTime } from '../../src/base/clock.js';
import { readSpan } from '../../src/base/vietnamese/moment.js';
import { openHouse, type TestHouse } from '../support/house.js';
import type { Heard } from '../support/talk.js';

let house: TestHouse;
beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house.close());
beforeEach(() => {
  house.recorder.stillsAsked.length = 0;
  house.recorder.clips.length = 0;
  house.recorder.snapshots.length = 0;
});

const at = (hour: number, minute: number, second = 0, day = 20) =>
  fromVietnamTime(2026, 11, day, hour, minute, second);
const NOW = at(14, 40, 0, 21);
const MINUTE = 60_000;
const whole = (startMs: number, endMs: number) => ({ recorded: [{ startMs, endMs }], gaps: [] });
const saysOf = (heard: Heard | undefined, label: RegExp) =>
  heard?.says[heard.labels.findIndex((one) => label.test(one))];

describe('what an overview shows', () => {
  it('is so many slots, one behind the other, from their first recorded moment on', () => {
    const asked = { startMs: at(22, 0), endMs: at(23, 0) };
    const gap = { startMs: at(22, 10), endMs: at(22, 21), cause: 'unreachable' as const };
    const recorded = [
      { startMs: asked.startMs, endMs: gap.startMs },
      { startMs: gap.endMs, endMs: asked.endMs },
    ];
    const slots = slotsOf(asked, { recorded, gaps: [gap] });
    expect(slots).toHaveLength(FRAMES);
    for (const [i, slot] of slots.entries()) {
      expect(slot.startMs).toBe(asked.startMs + i * 4 * MINUTE);
      expect(slot.endMs).toBe(slot.startMs + 4 * MINUTE);
    }
    // 22:08–22:12 is recorded until 22:10, 22:12–22:16 not at all, 22:20–22:24 from 22:21 on
    expect(slots.slice(2, 6).map(({ atMs }) => atMs)).toEqual([at(22, 8), null, null, at(22, 21)]);
    expect(slots.map(({ cause }) => cause).filter((cause) => cause !== null)).toEqual([
      'unreachable',
      'unreachable',
    ]);
  });

  it('is an hour from a full hour on, else what is around the moment, never the future', () => {
    const read = (text: string) => {
      const span = readSpan(text, { nowMs: NOW, clipSeconds: 30, maxSpanS: 7 * 86_400, wholeDays: true });
      if (span.kind !== 'moment' && span.kind !== 'span') throw new Error(`${text}: ${span.kind}`);
      return spanOf(span, NOW);
    };
    expect(read('13h')).toEqual({ startMs: at(13, 0, 0, 21), endMs: at(14, 0, 0, 21) });
    expect(read('14h')).toEqual({ startMs: at(14, 0, 0, 21), endMs: NOW });
    expect(read('14h35')).toEqual({ startMs: at(14, 30, 0, 21), endMs: NOW });
    expect(read('21h15 hôm qua')).toEqual({ startMs: at(21, 10), endMs: at(21, 20) });
    expect(read('22h-23h đêm qua')).toEqual({ startMs: at(22, 0), endMs: at(23, 0) });
    expect(read('tối qua')).toEqual({ startMs: at(18, 0), endMs: at(24, 0) });
    expect(read('14:30:05 trong 2 giây')).toEqual({ startMs: at(14, 30, 5, 21), endMs: at(14, 30, 10, 21) });
  });

  it('leads closer from an hour to the very picture, in words that are understood', () => {
    let asked = { startMs: at(22, 0), endMs: at(23, 0) };
    const lengths: number[] = [];
    for (let level = 0; ; level++) {
      expect(level).toBeLessThan(5);
      lengths.push((asked.endMs - asked.startMs) / 1000);
      const slots = slotsOf(asked, whole(asked.startMs, asked.endMs));
      const buttons = buttonsOf(3, asked, slots, { nowMs: NOW, clipMaxMs: 30 * MINUTE }).flat();
      const button = buttons[6]!;
      const says = 'says' in button ? button.says : '';
      const [word, camera, ...rest] = says.split(' ');
      expect(camera).toBe('3');
      const span = readSpan(rest.join(' '), {
        ...{ nowMs: NOW, clipSeconds: 30, maxSpanS: 7 * 86_400, wholeDays: true },
      });
      if (word === 'ảnh') {
        expect(span).toMatchObject({ kind: 'moment' });
        const { atMs } = span as { atMs: number };
        expect(Math.abs(atMs - slots[6]!.startMs)).toBeLessThan(1000);
        break;
      }
      expect(span).toMatchObject({ kind: 'span' });
      const next = span as { startMs: number; endMs: number };
      expect(next.startMs).toBeLessThanOrEqual(slots[6]!.startMs);
      expect(next.endMs).toBeGreaterThanOrEqual(slots[6]!.endMs);
      asked = { startMs: next.startMs, endMs: next.endMs };
    }
    expect(lengths).toEqual([3600, 300, 26]);
    expect(needsExact(asked)).toBe(true);
  });
});

describe('xem', () => {
  it('shows an hour as one picture, with what each picture is and a way closer', async () => {
    const heard = await house.as('canbo').say('xem cam 3 22h-23h đêm qua');
    expect(heard).toHaveLength(1);
    const [sheet] = heard;
    expect(sheet?.reply).toMatchObject({ kind: 'photo', width: 1292 });
    expect(house.recorder.stillsAsked).toEqual([
      {
        ...{ cameraId: 'cam3', frame: 'keyframe', width: 420 },
        moments: Array.from({ length: 15 }, (_, i) => at(22, 0) + i * 4 * MINUTE),
      },
    ]);
    expect(sheet?.text).toContain('Camera 3 Cầu Cẩm Lương\n22:00–23:00, thứ sáu 20/11/2026\n15 hình');
    expect(sheet?.text).not.toContain('Thiếu');
    expect(sheet?.labels.slice(0, 4)).toEqual(['1. 22:00', '2. 22:04', '3. 22:08', '4. 22:12']);
    expect(sheet?.labels).not.toContain('Clip');
    const file = await sharp(sheet!.files[0]).metadata();
    expect(file.format).toBe('jpeg');
    expect([file.width, file.height]).toEqual([1292, (sheet!.reply as { height: number }).height]);
  });

  it('goes closer, cuts a clip there, goes on to the very picture, and back', async () => {
    await house.as('canbo').say('xem 3 22h-23h đêm qua');
    const [closer] = await house.as('canbo').press('4. 22:12');
    expect(closer?.text).toContain('22:11:30–22:16:30');
    expect(house.recorder.stillsAsked.at(-1)).toMatchObject({ frame: 'keyframe' });
    const [clip] = await house.as('canbo').press('Clip');
    expect(clip?.reply.kind).toBe('video');
    expect(house.recorder.clips[0]).toMatchObject({
      ...{ cameraId: 'cam3', startMs: at(22, 11, 30), endMs: at(22, 16, 30) },
    });
    const [seconds] = await house.as('canbo').press('2. 22:11:50');
    expect(seconds?.text).toContain('22:11:47–22:12:13');
    expect(house.recorder.stillsAsked.at(-1)).toMatchObject({ frame: 'exact' });
    const [picture] = await house.as('canbo').press(seconds!.labels[0]!);
    expect(picture?.reply.kind).toBe('photo');
    expect(picture?.text).toContain('22:11:47, thứ sáu 20/11/2026');
    expect(house.recorder.stillsAsked.at(-1)).toEqual({
      ...{ cameraId: 'cam3', frame: 'exact', moments: [at(22, 11, 47)] },
    });
    const [wider] = await house.as('canbo').press('Rộng hơn');
    expect(wider?.text).toMatch(/22:0\d–22:1\d/);
    const [later] = await house.as('canbo').press('Sau');
    expect(later?.reply.kind).toBe('photo');
    const [earlier] = await house.as('canbo').press('Trước');
    expect(earlier?.text.split('\n')[1]).toBe(wider?.text.split('\n')[1]);
  });

  it('shows gaps as gaps: in their place, with the reason, and in words', async () => {
    house.recorder.cut('cam2', { startMs: at(22, 10), endMs: at(22, 22) }, 'unreachable');
    house.recorder.damaged.add(at(22, 40));
    const [sheet] = await house.as('canbo').say('xem cổng trường 22h-23h đêm qua');
    house.recorder.damaged.clear();
    expect(house.recorder.stillsAsked[0]?.moments).toHaveLength(13);
    expect(sheet?.text).toContain('12 hình');
    expect(sheet?.text).toContain(
      'Thiếu 22:10:00–22:22:00, thứ sáu 20/11/2026 (12 phút): không kết nối được',
    );
    // no button into nothing
    expect(sheet?.labels.filter((label) => /^\d/.test(label))).toHaveLength(13);
    expect(saysOf(sheet, /^4\./)).toBeUndefined();
    const { data, info } = await sharp(sheet!.files[0]).raw().toBuffer({ resolveWithObject: true });
    // the upper left corner of a slot's picture: made-up pictures are blue, what is missing is grey
    const corner = (i: number) => {
      const [x, y] = [8 + (i % 3) * 428 + 20, 94 + Math.floor(i / 3) * (236 + 46 + 8) + 20];
      return [...data.subarray((y * info.width + x) * info.channels).subarray(0, 3)];
    };
    const near = (color: number[], [r, g, b]: [number, number, number]) =>
      Math.max(Math.abs(color[0]! - r), Math.abs(color[1]! - g), Math.abs(color[2]! - b)) < 12;
    const missing = Array.from({ length: 15 }, (_, i) => i).filter((i) =>
      near(corner(i), [0x2a, 0x2f, 0x3a]),
    );
    expect(missing).toEqual([3, 4, 10]);
    expect(near(corner(0), [0x35, 0x50, 0x6b])).toBe(true);
  });

  it('says why there is nothing at all, and where there is something', async () => {
    house.recorder.cut('cam4', { startMs: at(20, 0), endMs: at(23, 30) }, 'switched-off');
    const [heard] = await house.as('canbo').say('xem 4 21h-22h hôm qua');
    expect(heard?.reply.kind).toBe('text');
    expect(heard?.text).toContain('không có hình lúc 21:00:00–22:00:00, thứ sáu 20/11/2026: đã được tắt');
    const [before] = await house.as('canbo').press('Hình cuối trước đó (20:00:00)');
    expect(before?.reply.kind).toBe('photo');
    expect(before?.text).toContain('19:50–20:00');
    const [after] = await house.as('canbo').press('Hình đầu tiên sau đó (23:30:00)');
    expect(after?.text).toContain('23:30–23:40');
  });

  for (const [said, startMs, endMs] of [
    ['xem 3 tối qua', at(18, 0), at(24, 0)],
    ['xem cầu 14h', at(14, 0, 0, 21), NOW],
    ['/xem 3 hôm qua', at(0, 0), at(24, 0)],
    ['xem nhanh cam 3 22h-23h đêm qua', at(22, 0), at(23, 0)],
    ['cho anh xem cầu từ 22h đến 23h đêm qua với', at(22, 0), at(23, 0)],
    ['XEM CAU 21h15 hom qua', at(21, 10), at(21, 20)],
    ['ảnh cầu từ 22h đến 23h đêm qua', at(22, 0), at(23, 0)],
  ] as const)
    it(`understands “${said}”`, async () => {
      const heard = await house.as('canbo').say(said);
      expect(heard.at(-1)?.reply.kind).toBe('photo');
      const { cameraId, moments } = house.recorder.stillsAsked[0]!;
      expect(cameraId).toBe('cam3');
      expect(moments[0]).toBe(startMs);
      expect(moments[14]).toBeLessThan(endMs);
      expect(moments[14]).toBeGreaterThan(endMs - (endMs - startMs) / 14 - 2000);
    });

  it('asks for what is missing, and a bare camera stays a picture of now', async () => {
    const [now] = await house.as('canbo').say('xem cam 3');
    expect(now?.reply.kind).toBe('photo');
    expect(house.recorder.snapshots).toEqual(['cam3']);
    const [when] = await house.as('canbo').say('/xem 3');
    expect(when?.says[0]).toBe('xem 3 1 tiếng vừa rồi');
    const [chosen] = await house.as('canbo').press('Tối qua');
    expect(chosen?.text).toContain('18:00–24:00, thứ sáu 20/11/2026');
    const [which] = await house.as('canbo').say('xem tối qua');
    expect(which?.says).toContain('xem 3 tối qua');
    const [unknown] = await house.as('canbo').say('xem cam 77 tối qua');
    expect(unknown?.text).toContain('Không có camera số 77');
    const [early] = await house.as('canbo').say('xem 3 25h');
    expect(early?.reply.kind).toBe('text');
  });

  it('is for those who may take clips only, and everyday words stay everyday', async () => {
    const [refused] = await house.as('thon1').say('xem nhà văn hóa tối qua');
    expect(refused?.reply.kind).toBe('text');
    for (const who of ['ho', 'khach', 'nguoiungho', 'kythuat', 'thon1'])
      for (const said of ['xem 1 tối qua', '/xem 1 tối qua', 'xem phim tối qua hay quá'])
        for (const heard of await house.as(who).say(said)) expect(heard.reply.kind).toBe('text');
    for (const said of ['xem phim tối qua hay quá', 'xem nào', 'xem xong rồi em nhé'])
      expect((await house.as('canbo').say(said))[0]?.text).toContain('Em chưa rõ ý');
    expect(house.recorder.stillsAsked).toEqual([]);
  });

  it('goes to the private chat from a group where it may not be seen', async () => {
    const [here] = await house.as('canbo').in('nhom-canbo').say('/xem 3 tối qua');
    expect(here?.reply.kind).toBe('photo');
    const there = await house.as('canbo').in('nhom-thon1').say('/xem 3 tối qua');
    expect(there.map(({ text }) => text)).toEqual(['Em đã gửi riêng cho anh/chị rồi ạ.']);
    expect(house.heardIn('canbo').at(-1)?.reply.kind).toBe('photo');
  });

  it('is written down with what was seen, and told when the recorder is away', async () => {
    await house.as('canbo').say('xem 3 22h-23h đêm qua');
    const last = () => house.db.audit.findFirst({ orderBy: { id: 'desc' } });
    expect(await last()).toMatchObject({ action: 'storyboard', result: 'ok' });
    expect(Number((await last())?.startMs)).toBe(at(22, 0));
    const [log] = await house.as('truong').say('nhật ký hôm nay');
    expect(log?.text).toContain('xem bảng hình · camera 3 Cầu Cẩm Lương · 22:00:00–23:00:00');
    house.recorder.away = true;
    const [heard] = await house.as('canbo').say('xem 3 22h-23h đêm qua');
    house.recorder.away = false;
    expect(heard?.text).toMatch(/không kết nối được/);
    expect(await last()).toMatchObject({ action: 'storyboard', result: 'unreachable' });
  });

  it('is offered where a clip would be too long', async () => {
    const [asked] = await house.as('canbo').say('clip 3 từ 22h đến 23h đêm qua');
    expect(asked?.text).toContain('mỗi clip dài nhiều nhất 30 phút');
    const [sheet] = await house.as('canbo').press('Xem nhanh cả đoạn');
    expect(sheet?.reply.kind).toBe('photo');
    expect(house.recorder.stillsAsked[0]?.moments[0]).toBe(at(22, 0));
  });
});

describe('ảnh lúc đã qua', () => {
  it('is the very frame, with its time, and what leads on', async () => {
    const [heard] = await house.as('canbo').say('ảnh cam 3 lúc 21:15 hôm qua');
    expect(house.recorder.stillsAsked).toEqual([{ cameraId: 'cam3', moments: [at(21, 15)], frame: 'exact' }]);
    expect(heard?.reply).toMatchObject({ kind: 'photo', width: 1280 });
    expect(heard?.text).toBe('Camera 3 Cầu Cẩm Lương\n21:15:00, thứ sáu 20/11/2026');
    const [later] = await house.as('canbo').press('Sau 10 giây');
    expect(later?.text).toContain('21:15:10');
    const [clip] = await house.as('canbo').press('Clip quanh lúc này');
    expect(clip?.reply.kind).toBe('video');
    expect(house.recorder.clips.at(-1)).toMatchObject({ startMs: at(21, 14, 55), endMs: at(21, 15, 25) });
    const [sheet] = await house.as('canbo').press('Xem nhanh quanh lúc này');
    expect(sheet?.text).toContain('21:10:10–21:20:10');
  });

  for (const said of [
    'ảnh 3 lúc 21:15:07 hôm qua',
    'anh cau 21h15 hom qua',
    'cho anh xin hình cầu lúc 21h15 hôm qua',
  ])
    it(`understands “${said}”`, async () => {
      expect((await house.as('canbo').say(said)).at(-1)?.reply.kind).toBe('photo');
      const [asked] = house.recorder.stillsAsked;
      expect(asked).toMatchObject({ cameraId: 'cam3', frame: 'exact' });
      expect(Math.floor(asked!.moments[0]! / MINUTE) * MINUTE).toBe(at(21, 15));
    });

  it('tells another frame’s time where that of the moment can not be read', async () => {
    const { stills } = house.recorder;
    house.recorder.stills = async (request) => {
      const [still] = await stills(request);
      return [
        { ...still!, pictures: still!.pictures.map((one) => ({ ...one, frameMs: one.frameMs - 3000 })) },
      ];
    };
    const [heard] = await house.as('canbo').say('ảnh 3 lúc 21:15:07 hôm qua');
    house.recorder.stills = stills;
    expect(heard?.text).toContain(
      '21:15:04, thứ sáu 20/11/2026\nHình đọc được gần nhất, trước lúc anh/chị hỏi 3 giây.',
    );
  });

  it('comes twice where that time was recorded twice', async () => {
    const { stills } = house.recorder;
    house.recorder.stills = async (request) => {
      const [still] = await stills(request);
      return [{ ...still!, pictures: [...still!.pictures, ...still!.pictures] }];
    };
    const heard = await house.as('canbo').say('ảnh 3 lúc 21:15:07 hôm qua');
    house.recorder.stills = stills;
    expect(heard.map(({ text }) => /được ghi 2 lần\. Đây là bản ghi lần (\d)/.exec(text)?.[1])).toEqual([
      '1',
      '2',
    ]);
    expect(heard.map(({ labels }) => labels.length > 0)).toEqual([false, true]);
  });

  it('that is not recorded: why, and the nearest as a button', async () => {
    house.recorder.cut('cam1', { startMs: at(20, 0), endMs: at(20, 30) }, 'refused');
    const [heard] = await house.as('canbo').say('ảnh 1 lúc 20:10 hôm qua');
    expect(heard?.text).toContain(
      'không có hình lúc 20:10:00, thứ sáu 20/11/2026: camera không nhận mật khẩu',
    );
    for (const [label, time] of [
      ['Hình cuối trước đó (20:00:00)', '19:59:59'],
      ['Hình đầu tiên sau đó (20:30:00)', '20:30:00'],
    ] as const) {
      const [nearest] = await house.as('canbo').press(label);
      expect(nearest?.reply.kind).toBe('photo');
      expect(nearest?.text).toContain(time);
    }
    const last = await house.db.audit.findMany({ orderBy: { id: 'desc' }, take: 3 });
    expect(last.map(({ action, result }) => `${action} ${result}`)).toEqual([
      ...['still ok', 'still ok', 'still no-footage'],
    ]);
  });

  it('of this moment stays a picture of now; several cameras and vague times are asked about', async () => {
    for (const said of ['ảnh 3 lúc này', 'ảnh 3 bây giờ', 'ảnh 3'])
      expect((await house.as('canbo').say(said))[0]?.text, said).toContain('14:39:59');
    expect(house.recorder.stillsAsked).toEqual([]);
    const [which] = await house.as('canbo').say('ảnh 1, 2 lúc 14h');
    expect(which?.says).toEqual(['ảnh 1 lúc 14h', 'ảnh 2 lúc 14h']);
    const [second] = await house.as('canbo').say('2');
    expect(second?.reply.kind).toBe('photo');
    expect(house.recorder.stillsAsked).toMatchObject([{ cameraId: 'cam2', moments: [at(14, 0, 0, 21)] }]);
  });

  it('is not for those who see the present only', async () => {
    for (const who of ['thon1', 'kythuat']) {
      const [heard] = await house.as(who).say('ảnh 4 lúc 14h');
      expect(heard?.text, who).toContain('xin nhờ cán bộ');
    }
    expect(house.recorder.stillsAsked).toEqual([]);
  });
});
