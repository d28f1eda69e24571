import { afterEach, beforeEach, expect, it } from 'vitest';
import { openHouse, type TestHouse } from '../support/house.js';
import { talkTo } from '../support/talk.js';

let house: TestHouse;
beforeEach(async () => {
  house = await openHouse();
});
afterEach(() => house.close());

/** Runs every message again, as after a crash just before it was ticked off; gives what is said anew. */
async function runAgain(): Promise<string[]> {
  await house.drained();
  await (await house.ready).chat.stop();
  await house.db.inbox.updateMany({ data: { state: 'waiting', attempts: 0, doneMs: null } });
  const { commands, fallbacks, onRefused } = house.handlers;
  const second = talkTo({ commands, fallbacks, onRefused, database: house.db, clock: house.clock });
  // the bot that runs now is the one that tells and fetches
  Object.assign(house.house, {
    tell: async (...[to, reply, options]: Parameters<typeof house.house.tell>) =>
      (await second.ready).chat.tell(to, reply, options),
    channelOf: () => second.channel,
  });
  for (const [name, content] of house.channel.files) second.channel.files.set(name, content);
  try {
    await second.drained();
    // a progress line is best effort, not a reply
    return second.channel.sent
      .map(({ reply }) => JSON.stringify(reply))
      .filter((text) => !text.includes('Em đang lấy clip'));
  } finally {
    await second.close();
  }
}

const counts = async () => ({
  donations: await house.db.donation.count(),
  reports: await house.db.report.count(),
  files: await house.db.reportFile.count(),
  invitations: await house.db.invitation.count(),
  cameras: await house.db.camera.count(),
  recorded: (await house.recorder.cameras()).length,
  audit: await house.db.audit.count(),
  people: await house.db.person.count(),
});

it('messages run again after a crash change nothing twice and say nothing twice', async () => {
  house.channel.files.set('photo1', Buffer.from('photo1'));
  await house.as('thon1').in('nhom-thon1').say('/ghinhan Phạm Thị Lan 700k');
  await house.as('truong').say('ghi nhận bà Năm 2 triệu');
  await house.as('truong').press('Nhóm chung toàn xã');
  await house.as('ho').say('có trộm ở chợ', { attachments: [{ kind: 'photo', ref: 'photo1' }] });
  await house.as('truong').say('mời hộ thôn 1');
  await house.as('truong').say('camera thêm 9 Trạm xá rtsp://admin:mat-khau@10.0.0.9/x');
  await house.as('truong').say('camera sửa 9 điện thoại 0912345678');
  await house.as('truong').say('camera xóa 4 chắc chắn');
  await house.as('truong').say('người tuấn thôn 2');
  await house.as('canbo').say('ảnh 1');
  await house.as('canbo').say('clip 1 14h30');
  await house.as('ho').say('/anh 1');
  const before = await counts();
  expect(await runAgain()).toEqual([]);
  expect(await counts()).toEqual(before);
  expect(before).toMatchObject({
    donations: 6,
    reports: 1,
    files: 1,
    invitations: 1,
    cameras: 5,
    recorded: 4,
  });
});

it('a gift is booked though the bot dies before it answers, and is then thanked for once', async () => {
  const tell = house.house.tell;
  house.house.tell = async () => {
    throw new Error('killed here');
  };
  await house.as('truong').say('ghi nhận Phạm Thị Lan 700k');
  expect(await house.db.donation.count()).toBe(5);
  house.house.tell = tell;
  const said = await runAgain();
  expect(said.filter((text) => text.includes('Kính gửi Phạm Thị Lan'))).toHaveLength(1);
  expect(await house.db.donation.count()).toBe(5);
});
