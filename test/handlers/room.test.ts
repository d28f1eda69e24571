import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keepRoom, roomNews, sayDays } from '../../handlers/alerts/room.js';
import { makeAlerts } from '../../handlers/alerts/watch.js';
import { JOBS } from '../../handlers/jobs.js';
import { DAY_MS } from '../../src/base/clock.js';
import { inTransaction } from '../../src/store/database.js';
import { openHouse, type TestHouse } from '../support/house.js';

let house: TestHouse;
beforeEach(async () => {
  house = await openHouse();
});
afterEach(() => house.close());

/** A recording of that age goes, as the recorder tells it. */
async function gone(days: number, reason: 'space' | 'age' = 'space', cameraId = 'cam1'): Promise<void> {
  const endMs = house.clock.now() - days * DAY_MS;
  const data = { startMs: endMs - 60_000, endMs, files: 1, sizeBytes: 15e6, reason };
  house.recorder.emit('footage-deleted', cameraId, data);
  const alerts = makeAlerts(house.house);
  for (const event of house.recorder.emitted) await alerts.take(event);
}
async function morning(): Promise<void> {
  await JOBS.find(({ name }) => name === 'tell-room')!.run(house.house);
  await house.drained();
  house.clock.ms += DAY_MS;
}
const told = () => house.heardIn('nhom-canbo').map(({ text }) => text);

describe('a disk too small for the days that were promised', () => {
  it('is told once, with what really fits and what to do; again only when that changes much; and when it is over', async () => {
    for (let day = 0; day < 5; day += 1) {
      await gone(12.3 - day * 0.1);
      await morning();
    }
    expect(told()).toHaveLength(1);
    expect(told()[0]).toMatch(/không đủ chỗ giữ 30 ngày như đã đặt: hiện chỉ đủ khoảng 12 ngày/);
    expect(told()[0]).toMatch(
      /ổ lớn hơn \(gấp khoảng 2,5 lần chỗ hiện có\).*bitrate.*luồng phụ.*ít ngày hơn/,
    );
    await gone(6);
    await morning();
    await gone(5.9);
    await morning();
    expect(told()).toHaveLength(2);
    expect(told()[1]).toContain(
      'giờ chỉ đủ giữ khoảng 6 ngày (lần trước em báo khoảng 12 ngày, đã đặt 30 ngày)',
    );
    await morning();
    await morning();
    await morning();
    await morning();
    expect(told()).toHaveLength(3);
    expect(told()[2]).toContain('đủ chỗ trở lại');
    await gone(11);
    await morning();
    expect(told()).toHaveLength(4);
  });

  it('is not told to be over while nothing is deleted because the holds can not be read', async () => {
    await gone(12);
    await morning();
    const { health } = house.recorder;
    house.recorder.health = async () => {
      const found = await health();
      return { ...found, holds: { ...found.holds, readable: false, fault: 'holds/x.json is no hold' } };
    };
    for (let day = 0; day < 4; day += 1) await morning();
    expect(told()).toHaveLength(1);
    house.recorder.health = health;
    await morning();
    expect(told()).toHaveLength(2);
    expect(told()[1]).toContain('đủ chỗ trở lại');
  });

  it('killed between saying and marking it is said once', async () => {
    await gone(12);
    const before = await house.db.setting.findUnique({ where: { key: 'alerts.room' } });
    await morning();
    await house.db.setting.update({ where: { key: 'alerts.room' }, data: { value: before!.value } });
    await morning();
    expect(told()).toHaveLength(1);
  });

  it('is not told for what went by age, for next to nothing, or for cameras that were promised no more', async () => {
    await gone(12, 'age');
    await morning();
    await gone(29.5);
    await morning();
    for (const { id } of await house.recorder.cameras())
      await house.recorder.changeCamera(id, { retentionDays: 7 });
    await gone(12);
    await morning();
    expect(told()).toEqual([]);
    await house.recorder.changeCamera('cam2', { retentionDays: 20 });
    await gone(12, 'space', 'cam2');
    await morning();
    expect(told()).toEqual([expect.stringContaining('không đủ chỗ giữ 20 ngày')]);
  });

  it('waits for a recorder that is away', async () => {
    await gone(12);
    house.recorder.away = true;
    await morning();
    expect(told()).toEqual([]);
    house.recorder.away = false;
    await gone(12);
    await morning();
    expect(told()).toHaveLength(1);
  });

  it('is told where somebody asks about a camera or its history', async () => {
    const ask = async (words: string) =>
      (await house.as('truong').say(words)).map(({ text }) => text).join('\n');
    expect(await ask('camera 1')).toContain('Giữ hình: 30 ngày\n');
    await gone(12);
    expect(await ask('camera 1')).toContain('Giữ hình: 30 ngày (ổ ghi hình hiện chỉ đủ khoảng 12 ngày,');
    await house.recorder.changeCamera('cam1', { retentionDays: 10 });
    expect(await ask('camera 1')).toContain('Giữ hình: 10 ngày\n');
    const nowMs = house.clock.now();
    house.recorder.cut('cam1', { startMs: nowMs - 20 * DAY_MS, endMs: nowMs - 12 * DAY_MS }, 'deleted');
    const old = await ask('lịch sử 1 ngày 8/11');
    expect(old).toContain('Ổ ghi hình hiện chỉ đủ khoảng 12 ngày');
    expect(await ask('lịch sử 1 hôm qua')).not.toContain('chỉ đủ');
  });
});

it('news of the room: nothing said twice within half a day, a clock that was ahead gives no negative days', async () => {
  const room = { days: 10, atMs: 0, told: { days: 20, atMs: 0 } };
  expect(roomNews(room, 30, DAY_MS / 4)).toBeNull();
  expect(roomNews(room, 30, DAY_MS)).toBe('short');
  expect(roomNews({ ...room, told: { days: 11, atMs: 0 } }, 30, DAY_MS)).toBeNull();
  expect(roomNews({ ...room, told: null }, 10, DAY_MS)).toBe('forget');
  expect(roomNews(room, 10, DAY_MS)).toBe('over');
  expect([0.2, 1, 2.5, 2.96, 12.9].map(sayDays)).toEqual([
    ...['chưa tới 1 ngày', 'khoảng 1 ngày', 'khoảng 2,5 ngày', 'khoảng 3 ngày', 'khoảng 12 ngày'],
  ]);
  const event = { id: 1, atMs: 1000, kind: 'footage-deleted', cameraId: 'cam1' } as const;
  await inTransaction(house.db, (tx) => keepRoom(tx, { ...event, data: { reason: 'space', endMs: 90_000 } }));
  const kept = await house.db.setting.findUnique({ where: { key: 'alerts.room' } });
  expect(JSON.parse(kept!.value)).toEqual({ days: 0, atMs: 1000, told: null });
});
