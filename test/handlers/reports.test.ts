import fs from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeReceiptCode, readCode } from '../../handlers/codes.js';
import { forwardAlbums } from '../../handlers/reports/album.js';
import { fetchLateFiles } from '../../handlers/reports/late-files.js';
import { maskPhones } from '../../handlers/reports/mask-phones.js';
import { WorldError } from '../../src/base/errors.js';
import type { Attachment } from '../../src/chat/message.js';
import { openHouse, plainIntake, type TestHouse } from '../support/house.js';

let house: TestHouse;
beforeEach(async () => {
  house = await openHouse();
  for (const name of ['photo1', 'photo2', 'photo3', 'video1', 'strange', 'bad'])
    house.channel.files.set(name, Buffer.from(`${name} content`));
});
afterEach(() => house.close());

const file = (ref: string): Attachment => ({ kind: ref.startsWith('video') ? 'video' : 'photo', ref });
const group = () => house.heardIn('nhom-canbo');

describe('a report', () => {
  it('in words is stored whole, gets a receipt, and reaches the officers without phone and name', async () => {
    const [receipt] = await house.as('ho').say('tối qua có trộm ở nhà bà Năm, gọi tôi 0912 345 678 nhé');
    await house.drained();
    const code = /TB-[A-Z0-9]{4}/.exec(receipt?.text ?? '')?.[0] ?? '';
    expect(code).not.toBe('');
    const [stored] = await house.db.report.findMany();
    expect(stored).toMatchObject({ code, text: 'tối qua có trộm ở nhà bà Năm, gọi tôi 0912 345 678 nhé' });
    const [heard] = group();
    expect(heard?.text).toContain(`Tin báo mới ${code} · Thôn 1`);
    expect(heard?.text).toContain('tối qua có trộm ở nhà bà Năm');
    expect(heard?.text.replace(/\D/g, '')).not.toContain('912345678');
    expect(heard?.text).not.toContain('Hòa');
  });

  it('a photo is kept on disk and shown in the group with the words', async () => {
    const [receipt] = await house.as('khach').say('xe lạ ở cầu', { attachments: [file('photo1')] });
    await house.drained();
    expect(receipt?.text).toContain('TB-');
    const [stored] = await house.db.reportFile.findMany();
    const kept = path.join(house.dataDir, ...(stored?.path ?? '').split('/'));
    expect(await fs.readFile(kept, 'utf8')).toBe('photo1 content');
    expect(group()).toHaveLength(1);
    expect(group()[0]?.reply.kind).toBe('photo');
    expect(group()[0]?.text).toContain('xe lạ ở cầu');
    expect(group()[0]?.files[0]?.toString()).toBe('photo1 content');
  });

  it('several files of one message are one album', async () => {
    await house.as('ho').say('', { attachments: [file('photo1'), file('video1'), file('photo2')] });
    await house.drained();
    expect(group()).toHaveLength(1);
    expect(group()[0]?.reply.kind).toBe('album');
    expect(await house.db.reportFile.count()).toBe(3);
  });

  it('what cannot be decoded goes as a document', async () => {
    await house.as('ho').say('', { attachments: [file('strange')] });
    await house.drained();
    expect(group()[0]?.reply.kind).toBe('document');
  });

  it('a refused file is explained, and alone makes no report', async () => {
    const [heard] = await house.as('ho').say('', { attachments: [file('bad')] });
    expect(heard?.text).toContain('gửi lại');
    expect(await house.db.report.count()).toBe(0);
  });

  it('half a character, a NUL and turned writing are kept as well as can be', async () => {
    const [receipt] = await house.as('ho').say('có trộm ở nhà bà Năm \ud83d rồi \u0000 nhé');
    expect(receipt?.text).toContain('TB-');
    const [stored] = await house.db.report.findMany();
    expect(stored?.text).toBe('có trộm ở nhà bà Năm \ufffd rồi \ufffd nhé');
  });

  it('files beyond a day’s share are refused with a sentence, words and other people go on', async () => {
    await house.as('khach').say('xe lạ ở cầu', { attachments: [file('photo1')] });
    await house.db.reportFile.updateMany({ data: { sizeBytes: 600_000_000 } });
    const [refused] = await house.as('khach').say('thêm', { attachments: [file('photo2')] });
    expect(refused?.text).toContain('chưa nhận thêm tệp');
    expect(await house.db.reportFile.count()).toBe(1);
    const [words] = await house.as('khach').say('có trộm ở nhà bà Năm');
    expect(words?.text).toContain('TB-');
    await house.as('ho').say('', { attachments: [file('photo3')] });
    expect(await house.db.reportFile.count()).toBe(2);
  });

  it('an album that comes as several messages is one report with one receipt', async () => {
    const me = house.as('ho');
    const answers = [];
    for (const name of ['photo1', 'photo2', 'photo3'])
      answers.push(
        await me.say(name === 'photo1' ? 'trộm chó' : '', { attachments: [file(name)], albumId: 'a1' }),
      );
    await house.drained();
    expect(answers.map((heard) => heard.length)).toEqual([1, 0, 0]);
    expect(await house.db.report.count()).toBe(1);
    expect(await house.db.reportFile.count()).toBe(3);
    expect(group(), 'waits until the album is complete').toHaveLength(0);
    house.clock.ms += 3000;
    await Promise.all([forwardAlbums(house.house), forwardAlbums(house.house)]);
    await house.drained();
    expect(group()).toHaveLength(1);
    expect(group()[0]?.reply.kind).toBe('album');
    expect(group()[0]?.files.map(String)).toEqual(['photo1 content', 'photo2 content', 'photo3 content']);
    expect(group()[0]?.text).toContain('trộm chó');
    // a photo that comes late goes on by itself
    await me.say('', { attachments: [file('video1')], albumId: 'a1' });
    house.clock.ms += 3000;
    await forwardAlbums(house.house);
    await house.drained();
    expect(group()).toHaveLength(2);
    expect(group()[1]?.text).toContain('(tiếp)');
    expect(await house.db.setting.count({ where: { key: { startsWith: 'report.held:' } } })).toBe(0);
  });

  it('an album that was on its way when the bot died goes on once', async () => {
    await house.as('ho').say('trộm chó', { attachments: [file('photo1')], albumId: 'a1' });
    await house.as('ho').say('', { attachments: [file('photo2')], albumId: 'a1' });
    house.clock.ms += 3000;
    const tell = house.house.tell;
    house.house.tell = async (...args) => {
      await tell(...args);
      throw new Error('killed here');
    };
    await expect(forwardAlbums(house.house)).rejects.toThrow('killed here');
    house.house.tell = tell;
    await forwardAlbums(house.house);
    await house.drained();
    expect(group()).toHaveLength(1);
    expect(group()[0]?.files).toHaveLength(2);
  });

  describe('whose file can not be fetched now', () => {
    const pending = async () =>
      (await house.db.setting.findMany({ where: { key: { startsWith: 'report.late:' } } })).length;
    let broken: string[];
    beforeEach(() => {
      broken = ['photo1'];
      house.house.intake = {
        async take(channel, attachment, dir, signal) {
          if (broken.includes(attachment.ref)) throw new WorldError('unreachable', 'no such luck');
          return plainIntake.take(channel, attachment, dir, signal);
        },
      };
    });

    it('goes on at once with its words and its other files; the file follows, once, and the sender hears so', async () => {
      const [receipt] = await house
        .as('ho')
        .say('có kẻ trộm', { attachments: [file('photo1'), file('photo2')] });
      await house.drained();
      expect(receipt?.text).toContain('Còn 1 tệp em đang tải về');
      expect(group().map(({ text }) => text)).toEqual([expect.stringContaining('có kẻ trộm')]);
      expect(group()[0]?.text).toContain('Còn 1 tệp đang tải về');
      expect(group()[0]?.files.map(String)).toEqual(['photo2 content']);

      await fetchLateFiles(house.house);
      expect(await pending()).toBe(1);
      house.clock.ms += 5000;
      await fetchLateFiles(house.house);
      expect(await pending()).toBe(1);
      broken = [];
      house.clock.ms += 60_000;
      // the process dies when the file stands in the report and was told to the first
      const { tell } = house.house;
      house.house.tell = async (...args) => {
        await tell(...args);
        throw new Error('killed here');
      };
      await expect(fetchLateFiles(house.house)).rejects.toThrow('killed here');
      house.house.tell = tell;
      await Promise.all([fetchLateFiles(house.house), fetchLateFiles(house.house)]);
      await house.drained();
      expect(group()).toHaveLength(2);
      expect(group()[1]?.text).toMatch(/^Tin báo TB-\w{4} \(tiếp\)$/);
      expect(group()[1]?.files.map(String)).toEqual(['photo1 content']);
      expect(await house.db.reportFile.count()).toBe(2);
      expect(house.heardIn('ho').at(-1)?.text).toContain('đã tải xong');
      expect(await pending()).toBe(0);
    });

    it('and never can be: both sides hear so, after a day', async () => {
      await house.as('ho').say('', { attachments: [file('photo1')] });
      await house.drained();
      expect(await house.db.report.count()).toBe(1);
      house.clock.ms += 86_300_000;
      await fetchLateFiles(house.house);
      expect(await pending()).toBe(1);
      house.clock.ms += 400_000;
      await fetchLateFiles(house.house);
      await house.drained();
      expect(house.heardIn('ho').at(-1)?.text).toContain('không tải về được nữa');
      expect(group().at(-1)?.text).toContain('không tải về được, em đã nhờ người gửi gửi lại');
      expect(await pending()).toBe(0);
    });

    it('is not waited for when its sender withdraws', async () => {
      await house.as('ho').say('có kẻ trộm', { attachments: [file('photo1')] });
      const { inboxId } = await house.channel.hear({
        ...{ kind: 'event', channel: 'console', chatId: 'ho', externalId: 'w1', sentMs: house.clock.now() },
        event: { type: 'withdrew', userId: 'ho' },
      });
      await (await house.ready).chat.turnDone(inboxId);
      expect(await pending()).toBe(0);
      broken = [];
      house.clock.ms += 60_000;
      await fetchLateFiles(house.house);
      expect(await house.db.reportFile.count()).toBe(0);
    });
  });

  it('what follows within two minutes joins, what comes later is a new one', async () => {
    const me = house.as('ho');
    const [first] = await me.say('có người lạ phá cửa nhà bà Tư');
    house.clock.ms += 60_000;
    const [joined] = await me.say('', { attachments: [file('photo1')] });
    expect(joined?.text).toContain(/TB-\w{4}/.exec(first?.text ?? '')?.[0]);
    expect(await house.db.report.count()).toBe(1);
    house.clock.ms += 90_000;
    await me.say('', { attachments: [file('photo2')] });
    expect(await house.db.report.count()).toBe(2);
  });

  it('a place is kept and shown as a map', async () => {
    await house.as('ho').say('', { place: { latitude: 20.25, longitude: 105.41 } });
    await house.drained();
    expect(group()[0]?.text).toContain('https://maps.google.com/?q=20.25,105.41');
  });

  it('without an officers’ group it is stored and the chief hears of it', async () => {
    await house.db.group.updateMany({ data: { purpose: null } });
    const [receipt] = await house.as('ho').say('cháy ở thôn 2');
    await house.drained();
    expect(receipt?.text).toContain('đã được lưu');
    expect(house.heardIn('truong').at(-1)?.text).toContain('cháy ở thôn 2');
  });

  it('the name is shown only when the sender agrees', async () => {
    const me = house.as('ho');
    await me.say('có trộm ở chợ');
    await me.press('Cho cán bộ biết tên tôi');
    await house.drained();
    expect(group().at(-1)?.text).toContain('Nguyễn Thị Hòa');
    const code = /TB-\w{4}/.exec(group()[0]?.text ?? '')?.[0] ?? '';
    const [other] = await house.as('khach').say(`báo tin ${code} hiện tên`);
    expect(other?.text).toContain('không thấy tin báo');
  });

  it('staff is asked first: words of theirs are more often a slip than a report', async () => {
    const me = house.as('canbo');
    await me.say('có mấy thanh niên tụ tập đánh bạc ở đình');
    expect(await house.db.report.count()).toBe(0);
    await me.press('Gửi thành tin báo');
    expect(await house.db.report.findMany()).toMatchObject([
      { text: 'có mấy thanh niên tụ tập đánh bạc ở đình' },
    ]);
  });

  it('the same message twice is one report', async () => {
    await house.as('ho').say('có trộm ở chợ', { externalId: 'r1' });
    await house.as('ho').begin('có trộm ở chợ', { externalId: 'r1' });
    await house.drained();
    expect(await house.db.report.count()).toBe(1);
    expect(group()).toHaveLength(1);
  });

  it('a greeting gets help, not a receipt; a group gets silence', async () => {
    const [heard] = await house.as('khach').say('xin chào');
    expect(heard?.text).toContain('gửi ảnh, video');
    expect(
      await house
        .as('ho')
        .in('nhom-chung')
        .say('', { attachments: [file('photo1')], addressed: true }),
    ).toEqual([]);
    expect(await house.db.report.count()).toBe(0);
  });

  it('a flood of one person ends', async () => {
    const me = house.as('khach');
    let last = '';
    for (let i = 0; i < 33; i += 1) {
      last = (await me.say(`có trộm lần ${i}`))[0]?.text ?? '';
      house.clock.ms += 121_000 / 2.2;
      house.clock.ms -= 121_000 / 2.2 - 1;
      await house.db.report.updateMany({ data: { receivedMs: BigInt(house.clock.ms - 200_000) } });
    }
    expect(last).toContain('gọi ngay 113');
    expect(last).not.toContain('TB-');
  });
});

describe('maskPhones', () => {
  for (const said of [
    '0912345678',
    '0912 345 678',
    '0912.345.678',
    '0912-345-678',
    '+84912345678',
    '84912345678',
    '+84 912 345 678',
    '(0237) 3812 345',
    '912345678',
  ])
    it(`hides ${said}`, () => expect(maskPhones(`gọi ${said} nhé`).replace(/\D/g, '')).toBe(''));
  for (const said of [
    '14h30',
    '36B1-12345',
    '1.250.000đ',
    '500000000 đồng',
    '21/11/2026',
    '20.2301,105.4102',
    'số nhà 12',
  ])
    it(`leaves ${said}`, () => expect(maskPhones(said)).toBe(said));
});

describe('codes', () => {
  it('can be read back however they are typed', () => {
    for (let i = 0; i < 200; i += 1) {
      const code = makeReceiptCode();
      expect(code).toMatch(/^TB-[ACDEFGHJKMNPQRTWXY34679]{4}$/);
      expect(readCode(code)).toEqual({ kind: 'receipt', code });
    }
    expect(readCode('moi 7k3m4 xq9tr')).toEqual({ kind: 'invitation', code: 'MOI-7K3M4-XQ9TR' });
    expect(readCode('mời cả nhà')).toBeNull();
    expect(readCode('tb moi')).toBeNull();
  });
});

describe('reading reports', () => {
  const send = async (who: string, text: string, refs: string[] = []) => {
    const [receipt] = await house.as(who).say(text, { attachments: refs.map(file) });
    return /TB-[A-Z0-9]{4}/.exec(receipt?.text ?? '')?.[0] ?? '';
  };

  it('an officer reads one by its code, with or without the command, pictures and documents', async () => {
    const code = await send('ho', 'trộm ở nhà bà Năm, gọi 0912 345 678', ['photo1', 'video1', 'strange']);
    await house.drained();
    for (const words of [`tin ${code}`, `tin báo ${code}`, `/tin ${code.slice(3).toLowerCase()}`]) {
      const heard = await house.as('canbo').say(words);
      expect(
        heard.map(({ reply }) => reply.kind),
        words,
      ).toEqual(['album', 'document']);
      expect(heard[0]?.text).toContain('trộm ở nhà bà Năm');
      expect(heard[0]?.text).toContain('Người gửi: hộ thành viên, tên được giữ kín');
      expect(heard[0]?.text.replace(/\D/g, '')).not.toContain('912345678');
      expect(heard.flatMap(({ files }) => files.map(String))).toEqual([
        'photo1 content',
        'video1 content',
        'strange content',
      ]);
    }
  });

  it('the newest are listed, older ones follow', async () => {
    const codes: string[] = [];
    for (let n = 0; n < 17; n += 1) {
      codes.push(await send('ho', `báo tin có trộm ở ngõ ${n}`));
      house.clock.ms += 3 * 60_000;
    }
    const [newest] = await house.as('truong').say('tin');
    expect(newest?.text).toContain(`${codes[16]} · `);
    expect(newest?.text).not.toContain(codes[1]);
    const older = await house.as('truong').press('Cũ hơn');
    expect(older[0]?.text).toContain(codes[1]);
    expect(older[0]?.text).not.toContain(`• ${codes[2]}`);
    const [one] = await house.as('truong').press(codes[0]!);
    expect(one?.text).toContain('ngõ 0');
  });

  it('is for officers: others hear of their own, and a group that is not theirs sees nothing', async () => {
    const code = await send('ho', 'có trộm ở nhà bà Năm');
    expect((await house.as('ho').say(code))[0]?.text).toContain('đã nhận lúc');
    expect((await house.as('khach').say(code))[0]?.text).toContain('không thấy tin báo');
    expect((await house.as('thon1').say(`/tin ${code}`))[0]?.text).not.toContain('bà Năm');
    const [public_] = await house.as('canbo').in('nhom-chung').say(`/tin ${code}`);
    expect(public_?.text).toContain('gửi riêng');
    expect(house.heardIn('canbo').at(-1)?.text).toContain('bà Năm');
    expect((await house.as('canbo').say('/tin TB-A9A9'))[0]?.text).toContain('không thấy tin báo TB-A9A9');
    expect((await house.as('canbo').say('/tin gì thế'))[0]?.text).toContain('/tin TB-7K3M');
  });

  it('a file that is gone from the disk is said', async () => {
    const code = await send('ho', 'trộm', ['photo1']);
    await fs.rm(path.join(house.dataDir, 'reports'), { recursive: true });
    const [heard] = await house.as('canbo').say(`tin ${code}`);
    expect(heard?.text).toContain('1 tệp của tin này không còn trên máy');
  });
});
