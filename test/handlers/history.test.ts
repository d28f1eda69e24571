import fs from 'node:fs';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { gapWords } from '../../handlers/alerts/causes.js';
import { coveragePicture, ticksOf } from '../../handlers/commands/coverage-picture.js';
import { shareWords, stretchWords } from '../../handlers/commands/history.js';
import type { Coverage } from '../../media/types.js';
import { fromVietnamTime } from '../../src/base/clock.js';
import { sayShortClock } from '../../src/base/vietnamese/say.js';
import { openHouse, type TestHouse } from '../support/house.js';

let house: TestHouse;
beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house.close());

const at = (hour: number, minute: number, second = 0, day = 21) =>
  fromVietnamTime(2026, 11, day, hour, minute, second);

/** Share of a picture's pixels that have about this color, 0–1. */
async function shareOf(jpeg: Buffer, [r, g, b]: [number, number, number]): Promise<number> {
  const { data, info } = await sharp(jpeg).raw().toBuffer({ resolveWithObject: true });
  let count = 0;
  for (let i = 0; i < data.length; i += info.channels)
    if (Math.abs(data[i]! - r) + Math.abs(data[i + 1]! - g) + Math.abs(data[i + 2]! - b) < 40) count++;
  return count / (info.width * info.height);
}

describe('lịch sử', () => {
  it('of a camera tells what there is, each gap with its cause, and shows it', async () => {
    house.recorder.drop('cam3', 'refused', at(14, 2, 10));
    const [heard] = await house.as('canbo').say('lịch sử cầu hôm nay');
    expect(heard?.reply.kind).toBe('photo');
    expect(heard?.text).toContain('Camera 3 Cầu Cẩm Lương');
    expect(heard?.text).toMatch(/Có hình 14 giờ 2 phút 10 giây, đạt \d\d(,\d)?%\. Thiếu/);
    expect(heard?.text).toMatch(/• 14:02:10–14:\d\d:\d\d, thứ bảy 21\/11\/2026 .*camera không nhận mật khẩu/);
    house.recorder.bring('cam3');
  });

  it.each([
    ['lich su 1 toi qua', '18:00–24:00, thứ sáu 20/11/2026'],
    ['lịch sử 1 hôm qua', 'cả ngày thứ sáu 20/11/2026'],
    ['lịch sử 1', '00:00–'],
    ['lịch sử 1 14h hôm qua', '13:00–15:00, thứ sáu 20/11/2026'],
    ['lịch sử 1 từ 22h đến 23h đêm qua', '22:00–23:00, thứ sáu 20/11/2026'],
  ])('understands “%s”', async (said, words) => {
    const [heard] = await house.as('canbo').say(said);
    expect(heard?.reply.kind).toBe('photo');
    expect(heard?.text).toContain(words);
  });

  it('of all cameras is one picture, those that lack most named, and leads to each', async () => {
    house.recorder.drop('cam2', 'unreachable', at(9, 0));
    const [heard] = await house.as('canbo').say('lịch sử hôm nay');
    expect(heard?.text).toContain('2/4 camera đủ hình. Thiếu nhiều nhất:\n• 2 ');
    expect(heard?.text).toMatch(/• 2 .*: thiếu 5 giờ 40 phút/);
    expect(heard?.says).toContain('lịch sử 2 21/11/2026');
    const [one] = await house.as('canbo').say('lịch sử 2 21/11/2026');
    expect(one?.text).toContain('Camera 2 ');
    house.recorder.bring('cam2');
  });

  it('does not call missing what is from before the camera ever recorded', async () => {
    const coverage = house.recorder.coverage;
    const begunMs = at(10, 0);
    house.recorder.coverage = async (id, range) => {
      const found = await coverage(id, range);
      const endMs = Math.min(range.endMs, begunMs);
      return {
        ...found,
        begunMs,
        recorded: range.endMs > begunMs ? [{ startMs: begunMs, endMs: range.endMs }] : [],
        gaps: range.startMs < begunMs ? [{ startMs: range.startMs, endMs, cause: 'unknown' as const }] : [],
      };
    };
    const [heard] = await house.as('canbo').say('lịch sử 1 hôm nay');
    const [never] = await house.as('canbo').say('lịch sử 1 từ 8h đến 9h');
    house.recorder.coverage = coverage;
    expect(heard?.text).toContain('Camera bắt đầu ghi từ 10:00:00, thứ bảy');
    expect(heard?.text).toContain('đủ không thiếu đoạn nào');
    expect(never?.text).toContain('lúc đó camera chưa bắt đầu ghi');
  });

  it('counts as recorded what others removed, and says so', async () => {
    const coverage = house.recorder.coverage;
    house.recorder.coverage = async (id, range) => ({
      ...(await coverage(id, range)),
      begunMs: at(10, 0),
      recorded: range.endMs > at(11, 0) ? [{ startMs: at(11, 0), endMs: range.endMs }] : [],
      gaps: [
        { startMs: range.startMs, endMs: Math.min(range.endMs, at(10, 0)), cause: 'unknown' as const },
        { startMs: at(10, 0), endMs: at(11, 0), cause: 'removed-by-others' as const },
      ].filter((one) => one.startMs < Math.min(one.endMs, range.endMs)),
    });
    const [heard] = await house.as('canbo').say('lịch sử 1 hôm nay');
    const [all] = await house.as('canbo').say('lịch sử 1, 2 hôm nay');
    house.recorder.coverage = coverage;
    expect(all?.text).toMatch(/‼️ 1 .*, 2 .* có đoạn đã ghi được, nhưng tệp hình sau đó bị xóa .* hãy báo/);
    expect(heard?.text).toContain('Camera bắt đầu ghi từ 10:00:00, thứ bảy');
    expect(heard?.text).toMatch(
      /• 10:00:00–11:00:00.*\(1 giờ\): đã ghi được, nhưng tệp hình sau đó bị xóa khỏi ổ cứng, không phải do Mắt Thần xóa/,
    );
    expect(heard?.text).not.toContain('chưa ghi được hình');
  });

  it('of all cameras says since when there is anything, and never that before it nothing lacks', async () => {
    const { coverages, coverage } = house.recorder;
    /** Camera n begins at `begun[n - 1]`; null: later than what is asked. */
    const asked = async (begun: (number | null)[], lacks?: number) => {
      const since = (found: Coverage): Coverage => {
        const number = Number(found.cameraId.replace('cam', ''));
        const begunMs = begun[number - 1] ?? Number.POSITIVE_INFINITY;
        const { startMs, endMs } = found.asked;
        const before = { startMs, endMs: Math.min(endMs, begunMs), cause: 'unknown' as const };
        const lacking = { startMs: at(12, 0), endMs: at(12, 30), cause: 'unreachable' as const };
        return {
          ...found,
          begunMs: Number.isFinite(begunMs) ? begunMs : null,
          recorded: begunMs < endMs ? [{ startMs: Math.max(startMs, begunMs), endMs }] : [],
          gaps: [...(begunMs > startMs ? [before] : []), ...(number === lacks ? [lacking] : [])],
        };
      };
      house.recorder.coverages = async (all, range) => (await coverages(all, range)).map(since);
      house.recorder.coverage = async (id, range) => since(await coverage(id, range));
      const [heard] = await house.as('canbo').say('lịch sử hôm nay');
      Object.assign(house.recorder, { coverages, coverage });
      return heard?.text.split('\n').slice(1) ?? [];
    };
    expect(await asked([at(13, 56, 29), at(13, 56, 30), at(13, 56, 30), at(13, 56, 31)])).toEqual([
      'Cả 4 camera bắt đầu ghi từ 13:56:29, thứ bảy 21/11/2026.',
      'Cả 4 camera có hình đủ từ lúc bắt đầu ghi, không thiếu đoạn nào.',
    ]);
    expect(await asked([0, 0, at(9, 0), at(10, 0)])).toEqual([
      'Camera 3, 4 lần lượt bắt đầu ghi, từ 09:00:00, thứ bảy 21/11/2026 đến 10:00:00, thứ bảy 21/11/2026.',
      'Cả 4 camera có hình đủ từ lúc bắt đầu ghi, không thiếu đoạn nào.',
    ]);
    expect(await asked([0, 0, 0, null])).toEqual([
      'Camera 4 lúc đó chưa bắt đầu ghi, nên không có hình.',
      '3 camera còn lại có hình đủ, không thiếu đoạn nào.',
    ]);
    expect(await asked([null, null, null, null])).toEqual([
      'Cả 4 camera lúc đó chưa bắt đầu ghi, nên không có hình.',
    ]);
    expect((await asked([0, 0, at(9, 0), null], 2)).slice(0, 3)).toEqual([
      'Camera 3 bắt đầu ghi từ 09:00:00, thứ bảy 21/11/2026.',
      'Camera 4 lúc đó chưa bắt đầu ghi, nên không có hình.',
      '2/4 camera đủ hình từ lúc bắt đầu ghi. Thiếu nhiều nhất:',
    ]);
  });

  it('calls missing what was recorded or missed before, though nobody knows why', async () => {
    const coverage = house.recorder.coverage;
    house.recorder.coverage = async (id, range) => ({
      ...(await coverage(id, range)),
      begunMs: at(7, 0),
      recorded: [{ startMs: at(10, 0), endMs: range.endMs }],
      gaps: [{ startMs: range.startMs, endMs: at(10, 0), cause: 'unknown' as const }],
    });
    const [heard] = await house.as('canbo').say('lịch sử 1 từ 8h đến 12h');
    house.recorder.coverage = coverage;
    expect(heard?.text).toContain('Thiếu 2 giờ');
  });

  it('a time to come, too long a stretch and an everyday sentence are answered as such', async () => {
    expect((await house.as('canbo').say('lịch sử 1 ngày mai'))[0]?.text).toContain('chưa đến');
    expect((await house.as('canbo').say('lịch sử 1 từ 1/11 đến 20/11'))[0]?.reply.kind).toBe('text');
  });

  it('is for those who may see the cameras, each their own', async () => {
    expect((await house.as('ho').say('/lichsu 1'))[0]?.text).toContain('chưa được giao quyền');
    const kinds = new Set<string>();
    for (const camera of [1, 2, 3, 4])
      kinds.add((await house.as('thon1').say(`lịch sử ${camera}`))[0]!.reply.kind);
    expect(kinds).toEqual(new Set(['photo', 'text']));
  });
});

describe('the words', () => {
  it('never round up to all of it', () => {
    const day = { startMs: 0, endMs: 86_400_000 };
    const gap = { startMs: 1000, endMs: 2000, cause: 'silent' as const };
    expect(shareWords({ recorded: [day], gaps: [gap] })).toContain('đạt 99,9%');
    expect(shareWords({ recorded: [day], gaps: [] })).toContain('không thiếu đoạn nào');
    expect(shareWords({ recorded: [], gaps: [gap] })).toBe('Không có hình nào trong khoảng này.');
    expect(stretchWords({ startMs: at(0, 0), endMs: at(0, 0) + 86_400_000 })).toBe(
      'cả ngày thứ bảy 21/11/2026',
    );
  });
});

describe('the picture', () => {
  const asked = { startMs: at(0, 0), endMs: at(0, 0) + 86_400_000 };
  it('marks round moments, a dozen at most', () => {
    expect(ticksOf(asked).map(sayShortClock)).toEqual([
      ...['00:00', '02:00', '04:00', '06:00', '08:00', '10:00', '12:00', '14:00', '16:00', '18:00'],
      ...['20:00', '22:00', '00:00'],
    ]);
    expect(ticksOf({ startMs: at(14, 7, 3), endMs: at(14, 52) }).map(sayShortClock)).toEqual([
      ...['14:10', '14:15', '14:20', '14:25', '14:30', '14:35', '14:40', '14:45', '14:50'],
    ]);
  });

  it('shows what there is in green and a gap of a second in its color', async () => {
    const whole = { recorded: [asked], gaps: [], held: [] };
    const full = await coveragePicture('Một camera', asked, [{ name: '1 Chợ', coverage: whole }]);
    const second = { startMs: at(12, 0), endMs: at(12, 0, 1), cause: 'unreachable' as const };
    const torn = await coveragePicture('Một camera', asked, [
      { name: '1 Chợ', coverage: { recorded: [asked], gaps: [second], held: [] } },
    ]);
    const green: [number, number, number] = [47, 158, 91];
    expect(await shareOf(full.jpeg, green)).toBeGreaterThan(0.05);
    expect(await shareOf(full.jpeg, [228, 87, 46])).toBe(0);
    expect(await shareOf(torn.jpeg, [228, 87, 46])).toBeGreaterThan(0);
    const hour = { startMs: at(12, 0), endMs: at(13, 0) };
    for (const [cause, color] of [
      ['removed-by-others', [229, 23, 155]],
      ['damaged', [244, 163, 212]],
    ] as const) {
      const gaps = [{ ...hour, cause }];
      const lost = await coveragePicture('Một camera', asked, [
        { name: '1 Chợ', coverage: { ...whole, gaps } },
      ]);
      expect(await shareOf(lost.jpeg, [...color]), cause).toBeGreaterThan(0);
    }
    const changed = { ...second, cause: 'settings' as const };
    const set = await coveragePicture('Một camera', asked, [
      { name: '1 Chợ', coverage: { recorded: [asked], gaps: [changed], held: [] } },
    ]);
    expect(await shareOf(set.jpeg, [228, 87, 46])).toBe(0);
    expect(await shareOf(set.jpeg, [34, 184, 207])).toBeGreaterThan(0);
    expect(gapWords('settings')).toContain('đổi cài đặt camera');
    if (process.env.SHOW) {
      const rows = Array.from({ length: 8 }, (_, i) => ({
        name: `${i + 1} Ngã ba chợ Cẩm Lương`,
        coverage: {
          recorded: [
            { startMs: at(0, 0), endMs: at(6 + i, 0) },
            { startMs: at(7 + i, 30), endMs: at(23, 0) },
          ],
          gaps: [
            {
              startMs: at(6 + i, 0),
              endMs: at(7 + i, 30),
              cause: [
                ...(['unreachable', 'recorder-down', 'switched-off', 'deleted', 'clock-set'] as const),
                ...(['unknown', 'removed-by-others', 'damaged'] as const),
              ][i % 8]!,
            },
          ],
          held: i === 2 ? [{ startMs: at(1, 0), endMs: at(3, 0) }] : [],
        },
      }));
      fs.writeFileSync(
        process.env.SHOW,
        (await coveragePicture('8 camera · cả ngày thứ bảy 21/11/2026', asked, rows as never)).jpeg,
      );
    }
  });
});
