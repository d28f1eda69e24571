import { afterEach, beforeEach, expect, it } from 'vitest';
import { tellOfficers } from '../../handlers/alerts/recipients.js';
import { REPORT_DIGESTS } from '../../handlers/reports/urgency.js';
import { openHouse, type TestHouse } from '../support/house.js';

let house: TestHouse;
beforeEach(async () => {
  house = await openHouse();
  for (const name of ['photo1', 'photo2']) house.channel.files.set(name, Buffer.from(`${name} content`));
});
afterEach(() => house.close());

const CODE = /TB-[A-Z0-9]{4}/g;
const group = () => house.heardIn('nhom-canbo').map(({ text }) => text);
const isDigest = (text: string) => text.includes('em gom lại');

/** Nothing goes to the officers' group until `open` is called; `stuck` resolves when the first message is on its way. */
function holdGroup(): { stuck: Promise<void>; open: () => void } {
  let open = () => {};
  let arrived = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const stuck = new Promise<void>((resolve) => {
    arrived = resolve;
  });
  house.channel.beforeSend(async (to) => {
    if (to.chatId !== 'nhom-canbo') return;
    arrived();
    await opened;
  });
  return { stuck, open };
}

/** Everything that was said is taken care of, but for what can't be sent. */
async function heardAll(): Promise<void> {
  const { chat } = await house.ready;
  await expect.poll(() => chat.waiting().inbox, { timeout: 100_000 }).toBe(0);
}

it('strangers by hundreds hold up neither an alarm nor a household, and each report is heard of once', async () => {
  const { stuck, open } = holdGroup();
  for (let n = 0; n < 300; n += 1) {
    await house.as(`la${n}`).begin(`báo tin có trộm ở nhà số ${n}, gọi 0912 345 678`);
    if (n === 150) {
      await stuck;
      await tellOfficers(house.house, 'alarm', 'Camera 3 mất hình');
      await house.as('ho').begin('báo tin tối qua có trộm ở nhà bà Năm');
    }
  }
  await heardAll();
  expect(await house.db.report.count()).toBe(301);
  open();
  await house.drained();

  const heard = group();
  expect(heard[1], 'the alarm goes next').toBe('Camera 3 mất hình');
  expect(heard[2], 'then who is known').toContain('nhà bà Năm');
  expect(heard.length, 'hundreds are few messages').toBeLessThan(10);
  expect(heard.join('\n').replace(/\D/g, '')).not.toContain('912345678');
  const digests = heard.filter(isDigest);
  expect(digests.length).toBeGreaterThan(0);
  for (const text of digests) expect(text).toMatch(/^\d+ tin báo của người chưa quen gửi trong \d+ phút/);
  const named = heard.flatMap((text) => {
    const [body = ''] = text.split('\nĐọc cả chữ và ảnh');
    return [...body.matchAll(CODE)].map(([code]) => code);
  });
  const kept = (await house.db.report.findMany()).map(({ code }) => code);
  expect(named.sort()).toEqual(kept.sort());
}, 120_000);

it('who is gathered can be read, whole and with the pictures', async () => {
  const { stuck, open } = holdGroup();
  await house.as('la').begin('báo tin có trộm ở cầu');
  await stuck;
  for (let n = 0; n < 7; n += 1)
    await house.as(`la${n}`).begin(`xe lạ ở ngõ ${n}`, { attachments: [{ kind: 'photo', ref: 'photo1' }] });
  await heardAll();
  open();
  await house.drained();
  const digest = group().find(isDigest) ?? '';
  expect(digest).toContain('xe lạ ở ngõ 3 (1 ảnh, video, tệp)');
  const code = /(TB-\S{4}): xe lạ ở ngõ 3/.exec(digest)?.[1] ?? '';
  expect(await house.db.outbox.count({ where: { state: 'waiting' } })).toBe(0);
  const [whole] = await house.as('canbo').in('nhom-canbo').say(`/tin ${code}`);
  expect(whole?.text).toContain('xe lạ ở ngõ 3');
  expect(whole?.files.map(String)).toEqual(['photo1 content']);
  expect(await house.db.audit.count({ where: { action: 'report.read', detail: code } })).toBe(1);
});

it('one in quiet times reaches the group at once, whole with its pictures', async () => {
  const begun = performance.now();
  const files = ['photo1', 'photo2'].map((ref) => ({ kind: 'photo' as const, ref }));
  await house.as('la').say('xe lạ ở cầu', { attachments: files });
  const record = await house.channel.waitFor(({ to }) => to.chatId === 'nhom-canbo');
  expect(record.atMs - begun).toBeLessThan(3000);
  expect(record.reply.kind).toBe('album');
  expect(record.files.map(String)).toEqual(['photo1 content', 'photo2 content']);
});

it('says short what has little room, and cuts no code', () => {
  const { say } = REPORT_DIGESTS.stranger!;
  const parts = Array.from({ length: 150 }, (_, n) => ({
    ...{ text: `TB-A${String(n).padStart(3, '0')}: có người lạ đi quanh xóm từ tối qua`, atMs: n * 2000 },
  }));
  const short = say(parts, 2000);
  expect(short.length).toBeLessThanOrEqual(2000);
  expect(short).toContain('150 tin báo của người chưa quen gửi trong 5 phút');
  expect([...short.matchAll(CODE)]).toHaveLength(151);
  const long = say(parts.slice(0, 8), 2000);
  expect(long).toContain('• TB-A003: có người lạ đi quanh xóm từ tối qua');
  expect(say(parts, 300).length, 'asks for fewer').toBeGreaterThan(300);
});

it('what a stranger adds is named with the same report', async () => {
  const { stuck, open } = holdGroup();
  await house.as('la').begin('báo tin có trộm ở cầu');
  await stuck;
  for (let n = 0; n < 6; n += 1) await house.as(`la${n}`).begin(`báo tin có trộm ở ngõ ${n}`);
  await house.as('la1').begin('báo tin chúng đi xe đỏ');
  await heardAll();
  open();
  await house.drained();
  const digest = group().find(isDigest) ?? '';
  expect(digest).toContain('6 tin báo');
  expect(digest).toContain('(thêm): chúng đi xe đỏ');
});
