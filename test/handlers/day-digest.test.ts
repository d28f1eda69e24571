import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { JOBS } from '../../handlers/jobs.js';
import { DAY_MS, fromVietnamTime } from '../../src/base/clock.js';
import { openHouse, type TestHouse } from '../support/house.js';

let house: TestHouse;
beforeEach(async () => {
  house = await openHouse();
});
afterEach(() => house.close());

async function run(): Promise<void> {
  await JOBS.find(({ name }) => name === 'tell-day-digest')!.run(house.house);
  await house.drained();
}
const told = () =>
  house
    .heardIn('nhom-canbo')
    .map(({ text }) => text)
    .filter((text) => text.startsWith('🔏'));

describe('the digest of the day', () => {
  it('is told a little after midnight, once, whatever happens in between', async () => {
    house.clock.ms = fromVietnamTime(2026, 11, 22, 0, 15);
    await run();
    const { digest, segments } = await house.recorder.chainHeads('2026-11-21');
    const today = told().filter((text) => text.includes('ngày 21/11/2026'));
    expect(today).toHaveLength(1);
    expect(today[0]).toContain(`\n${digest}\n`);
    expect(today[0]).toContain(`${String(segments).replace(/(\d)(\d{3})$/, '$1.$2')} đoạn`);
    expect(today[0]).toContain('--day 2026-11-21 --head');
    const sofar = told().length;
    house.clock.ms += 900_000;
    await run();
    // the fact is lost in a crash between saying and marking: the outbox knows the key
    await house.db.setting.deleteMany({ where: { key: 'day-digest.told' } });
    await run();
    expect(told()).toHaveLength(sofar);
    house.clock.ms += DAY_MS;
    await run();
    expect(told()).toHaveLength(sofar + 1);
  });

  it('waits until the day is closed, and for a recorder that is away', async () => {
    house.clock.ms = fromVietnamTime(2026, 11, 22, 0, 2);
    await run();
    expect(told().some((text) => text.includes('ngày 21/11/2026'))).toBe(false);
    house.clock.ms = fromVietnamTime(2026, 11, 22, 0, 15);
    house.recorder.away = true;
    await expect(run()).rejects.toMatchObject({ kind: 'unreachable' });
    house.recorder.away = false;
    await run();
    expect(told().filter((text) => text.includes('ngày 21/11/2026'))).toHaveLength(1);
  });

  it('is kept for a group that is bound later, and days missed are told', async () => {
    house.clock.ms = fromVietnamTime(2026, 11, 22, 0, 15);
    await run();
    const before = told().length;
    const people = await house.db.address.findMany();
    const groups = await house.db.group.findMany();
    await house.db.group.updateMany({ data: { purpose: null } });
    await house.db.address.updateMany({ data: { privateChatId: null } });
    house.clock.ms += 2 * DAY_MS;
    await run();
    expect(told()).toHaveLength(before);
    for (const { id, purpose } of groups) await house.db.group.update({ where: { id }, data: { purpose } });
    for (const { id, privateChatId } of people)
      await house.db.address.update({ where: { id }, data: { privateChatId } });
    await run();
    expect(
      told()
        .slice(before)
        .map((text) => /ngày (\d+)/.exec(text)?.[1]),
    ).toEqual(['22', '23']);
  });
});
