import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readLinksWish } from '../../handlers/commands/links.js';
import { readAudit } from '../../src/store/audit.js';
import { addViewer, openLinks } from '../../src/store/links.js';
import { makeTokens } from '../../src/store/tokens.js';
import { openHouse, type TestHouse } from '../support/house.js';

let house: TestHouse;
let ids: Record<string, number>;
beforeEach(async () => {
  house = await openHouse();
  const people = await house.db.person.findMany({ where: { alias: { not: null } } });
  ids = Object.fromEntries(people.map((person) => [person.alias, person.id]));
  const tokens = makeTokens(house.db, house.clock);
  const shows = {
    cameraId: 1,
    camera: '1 Cổng chợ',
    startMs: house.clock.ms - 60_000,
    endMs: house.clock.ms - 30_000,
  };
  for (const personId of [ids.canbo, ids.canbo, ids.truong, null])
    await tokens.issue({
      kind: 'file',
      personId: personId ?? null,
      payload: { files: [{ fileName: 'camera-1.mp4', shows }], about: {} },
      ttlMs: 3_600_000,
    });
});
afterEach(() => house.close());

const open = async () => (await openLinks(house.db, house.clock.ms)).map((link) => link.number);

describe('liên kết', () => {
  it('lists one’s own that still open, with what is behind them', async () => {
    const [first] = await openLinks(house.db, house.clock.ms, ids.canbo);
    await addViewer(house.db, first!.hash, 1, house.clock.ms);
    const [heard] = await house.as('canbo').say('liên kết');
    expect(heard?.text).toBe(
      'Đường dẫn còn mở được của anh/chị:\n' +
        '• Số 2: camera 1 Cổng chợ, 14:39:00–14:39:30, thứ bảy 21/11/2026 · đã mở trên 1 máy · đến 15:40 21/11/2026\n' +
        '• Số 1: camera 1 Cổng chợ, 14:39:00–14:39:30, thứ bảy 21/11/2026 · chưa mở · đến 15:40 21/11/2026',
    );
    expect(heard?.labels).toEqual(['Thu số 2', 'Thu số 1', 'Thu hết']);
    house.clock.ms += 3_600_000;
    expect((await house.as('canbo').say('link'))[0]?.text).toContain('không có');
  });

  it('shows everybody’s to the chief only', async () => {
    const [heard] = await house.as('truong').say('liên kết tất cả');
    expect(heard?.text.split('\n')).toHaveLength(5);
    expect(heard?.text).toMatch(/Số 4: gửi nhóm/);
    expect((await house.as('canbo').say('liên kết tất cả'))[0]?.text).toContain('chỉ trưởng công an');
    expect((await house.as('ho').say('/lienket'))[0]?.text).not.toContain('Số 1');
  });

  it('takes one back by its button, and says so in the log', async () => {
    await house.as('canbo').say('liên kết');
    const [heard] = await house.as('canbo').press('Thu số 1');
    expect(heard?.text).toContain('Đã thu lại đường dẫn số 1');
    expect(await open()).toEqual([4, 3, 2]);
    expect(await readAudit(house.db, { actions: ['link.revoke'], limit: 9 })).toMatchObject([
      { personId: ids.canbo, detail: 'số 1', result: 'ok' },
    ]);
    expect((await house.as('canbo').say('liên kết thu 1'))[0]?.text).toContain('Không có đường dẫn');
  });

  it('lets nobody but the chief take back another’s', async () => {
    expect((await house.as('canbo').say('liên kết thu 3, 4'))[0]?.text).toContain('Không có đường dẫn');
    expect((await house.as('canbo').say('liên kết thu hết của mọi người'))[0]?.text).toContain('chỉ trưởng');
    expect(await open()).toEqual([4, 3, 2, 1]);
    await house.as('canbo').say('liên kết thu hết');
    expect(await open()).toEqual([4, 3]);
    await house.as('truong').say('liên kết thu hết của mọi người');
    expect(await open()).toEqual([]);
  });

  it('in a group it answers in private', async () => {
    await house.as('truong').in('nhom-canbo').say('/lienket');
    await house.drained();
    expect(house.heardIn('truong').at(-1)?.text).toContain('Số 3');
    expect(house.heardIn('nhom-canbo').at(-1)?.text).not.toContain('Số 3');
  });

  it.each([
    ['', { do: 'list', everybodys: false }],
    ['của mọi người', { do: 'list', everybodys: true }],
    ['thu hồi số 12', { do: 'revoke', which: [12], everybodys: true }],
    ['hủy 1, 2 và 3', { do: 'revoke', which: [1, 2, 3], everybodys: true }],
    ['thu hết', { do: 'revoke', which: 'all', everybodys: false }],
    ['youtube này hay quá', null],
    ['thu tiền điện', null],
  ])('reads “%s”', (words, wish) => expect(readLinksWish(words)).toEqual(wish));
});

it('a number is given once, however many are made at once', async () => {
  const tokens = makeTokens(house.db, house.clock);
  await Promise.all(
    Array.from({ length: 20 }, () =>
      tokens.issue({ kind: 'file', personId: null, payload: { files: [], about: {} }, ttlMs: 1000 }),
    ),
  );
  expect(new Set(await open()).size).toBe(24);
});
