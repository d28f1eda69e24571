import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { makeReceiptCode } from '../../handlers/codes.js';
import { contactSheet, layOut } from '../../handlers/commands/contact-sheet.js';
import { menuFor, onPaper, printCommandTable } from '../../handlers/index.js';
import { JOBS } from '../../handlers/jobs.js';
import { seedDemo } from '../../src/demo/seed.js';
import { openHouse } from '../support/house.js';

describe('the command table', () => {
  const commands = onPaper().commands;

  it('has a name, a summary and an example of each, and no name twice', () => {
    const names = commands.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const one of commands) {
      expect(one.name).toMatch(/^[a-z]+$/);
      expect(one.summary.length).toBeGreaterThan(5);
      expect(one.example).not.toBe('');
      expect(one.may === 'everybody' || one.may.length > 0, 'nobody may').toBe(true);
    }
    for (const name of [
      'trogiup',
      'quyen',
      'camera',
      'anh',
      'clip',
      'moi',
      'nhom',
      'nguoi',
      'nhatky',
      'ghinhan',
    ])
      expect(names).toContain(name);
  });

  it('prints for the README and for menus', () => {
    expect(printCommandTable()).toContain('| `/clip` |');
    expect(menuFor(commands, 'household').map(({ name }) => name)).toEqual([
      ...['baotin', 'quyen', 'noi', 'trogiup'],
    ]);
    expect(menuFor(commands, 'chief').length).toBe(commands.length);
    expect(menuFor(commands, 'technician').map(({ name }) => name)).not.toContain('clip');
  });

  it('each example is understood as its own command', async () => {
    const house = await openHouse();
    try {
      for (const one of house.handlers.commands) {
        const [heard] = await house.as('truong').say(one.example);
        expect(heard, one.example).toBeDefined();
        expect(heard?.text, one.example).not.toContain('Em chưa rõ ý');
      }
      expect(house.recorder.snapshots.length).toBe(1);
      expect(house.recorder.clips.length).toBe(1);
    } finally {
      await house.close();
    }
  });
});

describe('help', () => {
  it('shows each person only what they may', async () => {
    const house = await openHouse();
    try {
      const text = async (who: string) => (await house.as(who).say('menu'))[0]?.text ?? '';
      expect(await text('truong')).toContain('nhật ký');
      expect(await text('canbo')).not.toContain('nhật ký');
      expect(await text('kythuat')).not.toContain('clip');
      expect(await text('ho')).not.toMatch(/camera|clip/);
      expect(await text('khach')).toContain('gửi ảnh, video');
      const [one] = await house.as('canbo').say('trợ giúp clip');
      expect(one?.text).toContain('clip 2 lúc 14h30');
    } finally {
      await house.close();
    }
  });
});

describe('jobs', () => {
  it('have five-field lines, and run', async () => {
    const house = await openHouse();
    try {
      for (const job of JOBS) {
        expect(job.cron.split(' ')).toHaveLength(5);
        await job.run(house.house);
      }
    } finally {
      await house.close();
    }
  });
});

describe('the demo commune', () => {
  it('seeded again changes nothing, and brings back what the recorder lost', async () => {
    const house = await openHouse();
    try {
      const count = async () => [
        await house.db.person.count(),
        await house.db.group.count(),
        await house.db.camera.count(),
        await house.db.donation.count(),
        await house.db.site.count(),
      ];
      const before = await count();
      house.recorder.lose('cam2');
      await seedDemo({ db: house.db, recorder: house.recorder, nowMs: house.clock.now() });
      expect(await count()).toEqual(before);
      expect((await house.recorder.cameras()).map(({ id }) => id).sort()).toEqual([
        'cam1',
        'cam2',
        'cam3',
        'cam4',
      ]);
    } finally {
      await house.close();
    }
  });
});

describe('the contact sheet', () => {
  const tile = (title: string, jpeg: Uint8Array | null) => ({
    title,
    line: '14:39:59, thứ bảy 21/11/2026',
    jpeg,
    reason: jpeg === null ? 'mất hình từ 14:02:10' : null,
  });

  it('holds all tiles, and Vietnamese letters are drawn', async () => {
    const jpeg = await sharp({ create: { width: 640, height: 360, channels: 3, background: '#35506b' } })
      .jpeg()
      .toBuffer();
    const sheet = await contactSheet('Công an xã', [
      tile('1 Ngã ba chợ', jpeg),
      tile('2 Cổng trường', null),
      tile('3 <&> "', jpeg),
    ]);
    const meta = await sharp(sheet.jpeg).metadata();
    expect([meta.width, meta.height]).toEqual([sheet.width, sheet.height]);
    const { data } = await sharp(sheet.jpeg)
      .extract({ left: 8, top: 56 + 360, width: 300, height: 52 })
      .greyscale()
      .raw()
      .toBuffer({ resolveWithObject: true });
    expect(
      data.some((grey) => grey > 200),
      'white letters under the first tile',
    ).toBe(true);
  });

  it('is never larger than a messenger takes', () => {
    for (let count = 1; count <= 36; count += 1) {
      const { columns, rows, tileWidth, tileHeight } = layOut(count);
      expect(columns * rows).toBeGreaterThanOrEqual(count);
      expect(columns * (tileWidth + 8) + rows * (tileHeight + 60) + 80).toBeLessThan(10_000);
    }
  });
});

it('receipt codes are hard to get twice', () => {
  const codes = new Set(Array.from({ length: 300 }, makeReceiptCode));
  expect(codes.size).toBeGreaterThan(290);
});
