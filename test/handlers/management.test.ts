import fs from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readWish } from '../../handlers/commands/invite.js';
import { ensureFirstChiefCode } from '../../handlers/index.js';
import { readAudit } from '../../src/store/audit.js';
import { listCameras } from '../../src/store/cameras.js';
import { openHouse, type TestHouse } from '../support/house.js';

let house: TestHouse;
beforeEach(async () => {
  house = await openHouse();
});
afterEach(() => house.close());

const URL = 'rtsp://admin:Bi-Mat-99@192.168.1.30:554/s1';

describe('camera thêm', () => {
  it('tries the address, records, asks for the hamlet, and advises to delete the password', async () => {
    const me = house.as('truong');
    await me.say('camera thêm');
    await me.say('Ngã tư trạm xá');
    const [added] = await me.say(URL);
    expect(added?.text).toContain('Đã thêm camera 5 Ngã tư trạm xá');
    expect(added?.text).toContain('hãy xóa tin đó');
    expect(added?.text).not.toContain('Bi-Mat-99');
    await me.press('Thôn 2');
    const camera = (await listCameras(house.db)).find((one) => one.number === 5);
    expect(camera).toMatchObject({ name: 'Ngã tư trạm xá', hamletName: 'Thôn 2' });
    expect(house.recorder.urls.get(camera?.recorderId ?? '')).toBe(URL);
  });

  it('leaves the password nowhere in the bot’s database', async () => {
    await house.as('truong').say(`camera thêm 7 Trạm xá ${URL}`);
    await house.as('truong').say('camera sửa 7 địa chỉ rtsp://admin:Khac-77@192.168.1.30/s2');
    const rows = JSON.stringify(
      [
        await house.db.inbox.findMany(),
        await house.db.audit.findMany(),
        await house.db.pending.findMany(),
        await house.db.outbox.findMany(),
        await house.db.camera.findMany(),
      ],
      (_, value) => (typeof value === 'bigint' ? String(value) : value),
    );
    expect(rows).not.toContain('Bi-Mat-99');
    expect(rows).not.toContain('Khac-77');
  });

  for (const [part, cause, says] of [
    ['1.1.1.1', 'unreachable', /điện, có mạng/],
    ['1.1.1.2', 'refused', /mật khẩu/],
    ['1.1.1.3', 'not-found', /đường dẫn/],
    ['1.1.1.4', 'not-video', /H\.264/],
    ['1.1.1.5', 'silent', /khởi động lại/],
  ] as const)
    it(`tells apart: ${cause}`, async () => {
      house.recorder.probes.set(part, { ok: false, cause, detail: '' });
      const [heard] = await house.as('truong').say(`camera thêm Thử rtsp://${part}/x`);
      expect(heard?.text).toMatch(says);
      expect(await house.db.camera.count()).toBe(4);
    });

  it('is refused in a group and moved to the private chat', async () => {
    const heard = await house.as('truong').in('nhom-canbo').say(`/camera thêm Cổng ${URL}`);
    await house.drained();
    expect(heard[0]?.text).toContain('chat riêng');
    expect(house.heardIn('truong').at(-1)?.text).toContain('camera thêm');
    expect(await house.db.camera.count()).toBe(4);
    expect(JSON.stringify((await house.db.inbox.findMany()).map((row) => row.payload))).not.toContain(
      'Bi-Mat',
    );
  });

  it('said twice by the platform it adds one', async () => {
    await house.as('truong').say('camera thêm Mới rtsp://10.0.0.9/x', { externalId: 'same' });
    await house.as('truong').begin('camera thêm Mới rtsp://10.0.0.9/x', { externalId: 'same' });
    await house.drained();
    expect(await house.db.camera.count()).toBe(5);
  });

  it('a technician who adds one looks after it', async () => {
    await house.as('kythuat').say('camera thêm Kho rtsp://10.0.0.9/x');
    const [heard] = await house.as('kythuat').say('ảnh kho');
    expect(heard?.reply.kind).toBe('photo');
  });
});

describe('camera sửa, tắt, bật, xóa', () => {
  it('sets everything by chat', async () => {
    const me = house.as('truong');
    for (const said of [
      'camera sửa 3 hộ Ông Bình',
      'camera sửa 3 điện thoại 0912 345 678',
      'camera sửa cầu đường truyền Viettel nhà ông Bình',
      'camera sửa 3 switch Cổng 2 tủ đầu cầu',
      'camera sửa 3 điểm Đầu cầu',
      'camera sửa 3 tọa độ 20.25, 105.41',
      'camera sửa 3 đồng ý rồi',
      'camera sửa 2 kỹ thuật Trần Quốc Việt',
      'camera sửa 3 giữ 45 ngày',
      'camera sửa 3 thành số 30',
    ]) {
      const [heard] = await me.say(said);
      expect(heard?.text, said).toMatch(/^Camera \d+ /);
    }
    const [detail] = await me.say('camera 30');
    for (const part of [
      'Ông Bình',
      '0912345678',
      'Viettel nhà ông Bình',
      'Cổng 2',
      'Đầu cầu',
      '20.25,105.41',
      'đồng ý',
      '45 ngày',
    ])
      expect(detail?.text).toContain(part);
    expect(JSON.stringify(await house.db.inbox.findMany({ select: { payload: true } }))).not.toContain(
      '0912 345 678',
    );
    const stored = await house.db.camera.findFirst({ where: { number: 30 } });
    expect(stored?.householdPhoneSealed).toMatch(/^v1:/);
    const [two] = await house.as('kythuat').say('ảnh 2');
    expect(two?.reply.kind).toBe('photo');
    const inGroup = await house.as('canbo').in('nhom-canbo').say('/camera 30');
    expect(inGroup[0]?.text).not.toContain('0912345678');
  });

  it('a technician changes only the assigned ones', async () => {
    await house.as('kythuat').say('/camera tắt 2');
    expect((await house.recorder.camera('cam2')).state).toBe('recording');
    await house.as('kythuat').say('/camera tắt 1');
    expect((await house.recorder.camera('cam1')).state).toBe('off');
    await house.as('kythuat').say('camera bật 1');
    expect((await house.recorder.camera('cam1')).state).toBe('recording');
  });

  it('removes only after a button, and the row stays for the log', async () => {
    const me = house.as('truong');
    await me.say('camera xóa 4');
    expect(await listCameras(house.db)).toHaveLength(4);
    await me.press('Xóa hẳn');
    expect(await listCameras(house.db)).toHaveLength(3);
    expect((await house.recorder.cameras()).map((info) => info.id)).not.toContain('cam4');
    expect(await readAudit(house.db, { limit: 1 })).toMatchObject([
      { action: 'camera.remove', detail: '4 Nhà văn hóa thôn 1' },
    ]);
    await me.say('camera thêm 4 Nhà văn hóa mới rtsp://10.0.0.4/x');
    expect(await listCameras(house.db)).toHaveLength(4);
  });
});

describe('mời', () => {
  const codeOf = (text: string) => /MOI-\w{5}-\w{5}/.exec(text)?.[0] ?? '';
  const hamlets = [
    { id: 1, name: 'Thôn 1' },
    { id: 2, name: 'Thôn 2' },
  ];

  it('reads role, hamlet, uses and days in any order, and nothing else', () => {
    expect(readWish('hộ thôn 2 30 lượt 14 ngày', hamlets)).toMatchObject({
      role: 'household',
      hamlet: { id: 2 },
      uses: 30,
      days: 14,
    });
    expect(readWish('truong thon 1', hamlets)).toMatchObject({
      role: 'hamletHead',
      hamlet: { id: 1 },
      uses: 1,
      days: 7,
    });
    expect(readWish('cán bộ', hamlets)).toMatchObject({ role: 'officer', hamlet: null });
    expect(readWish('cả nhà ăn cơm', hamlets)).toBeNull();
    expect(readWish('hộ bà Năm sang chơi', hamlets)).toBeNull();
  });

  it('gives a QR picture, a link and a code; the code works its number of times', async () => {
    const [invited] = await house.as('canbo').say('mời hộ thôn 2 1 lượt');
    expect(invited?.reply.kind).toBe('photo');
    const code = codeOf(invited?.text ?? '');
    const [welcome] = await house.as('moi1').say(code.toLowerCase().replaceAll('-', ' '));
    expect(welcome?.text).toContain('hộ thành viên');
    expect(
      await house.db.person.findFirst({ where: { name: 'moi1' }, include: { hamlet: true } }),
    ).toMatchObject({
      role: 'household',
      hamlet: { name: 'Thôn 2' },
    });
    const [late] = await house.as('moi2').say('', { startPayload: code });
    expect(late?.text).toContain('hết lượt');
  });

  it('a deep link opens the door', async () => {
    const [invited] = await house.as('truong').say('mời kỹ thuật viên');
    const [welcome] = await house.as('tho').say('', { startPayload: codeOf(invited?.text ?? '') });
    expect(welcome?.text).toContain('kỹ thuật viên');
  });

  it('expires, is taken back, and never lowers anybody', async () => {
    const [first] = await house.as('truong').say('mời hộ 2 ngày');
    const [own] = await house.as('truong').say(codeOf(first?.text ?? ''));
    expect(own?.text).toContain('đã có quyền');
    house.clock.ms += 3 * 86_400_000;
    const [late] = await house.as('a').say(codeOf(first?.text ?? ''));
    expect(late?.text).toContain('hết hạn');
    const [second] = await house.as('truong').say('mời hộ');
    await house.as('truong').say('mời hủy 2');
    const [revoked] = await house.as('b').say(codeOf(second?.text ?? ''));
    expect(revoked?.text).toContain('thu lại');
  });

  it('hears only a few wrong codes an hour', async () => {
    const me = house.as('ke-do');
    const [invited] = await house.as('truong').say('mời cán bộ');
    for (let i = 0; i < 5; i += 1) await me.say(`MOI-AAAAA-AAAA${'ACDEF'[i]}`);
    const [tired] = await me.say(codeOf(invited?.text ?? ''));
    expect(tired?.text).toContain('đợi một giờ');
    house.clock.ms += 3_700_000;
    const [welcome] = await me.say(codeOf(invited?.text ?? ''));
    expect(welcome?.text).toContain('cán bộ công an');
  });

  it('keeps only the code’s hash', async () => {
    await house.as('truong').say('mời hộ');
    const [row] = await house.db.invitation.findMany();
    expect(row?.codeHash).toMatch(/^[0-9a-f]{64}$/);
  });
});

describe('người', () => {
  it('changes role and hamlet, and a removed person is a guest', async () => {
    const me = house.as('truong');
    await me.say('người Nguyễn Thị Hòa là cán bộ');
    expect((await house.as('ho').say('ảnh 1'))[0]?.reply.kind).toBe('photo');
    await me.say('người hòa thôn 2');
    expect(
      await house.db.person.findUnique({ where: { alias: 'ho' }, include: { hamlet: true } }),
    ).toMatchObject({ role: 'officer', hamlet: { name: 'Thôn 2' } });
    await me.say('người hoa xóa');
    await me.press('Gỡ');
    const [after] = await house.as('ho').say('/anh 1');
    expect(after?.text).toContain('chưa được giao quyền');
  });

  it('the last chief cannot go', async () => {
    const me = house.as('truong');
    const [role] = await me.say('người trường là cán bộ');
    expect(role?.text).toContain('duy nhất');
    const [gone] = await me.say('người trường xóa chắc chắn');
    expect(gone?.text).toContain('duy nhất');
    expect(await house.db.person.findUnique({ where: { alias: 'truong' } })).toMatchObject({ role: 'chief' });
    await me.say('người tuấn là trưởng công an');
    await me.say('người trường là cán bộ');
    expect(await house.db.person.findUnique({ where: { alias: 'truong' } })).toMatchObject({
      role: 'officer',
    });
  });
});

describe('nhóm', () => {
  it('is bound inside the group by the chief, and by nobody else', async () => {
    const [refused] = await house.as('canbo').in('nhom-moi').say('/nhom cán bộ');
    expect(refused?.text).toContain('chưa được giao quyền');
    await house.as('truong').in('nhom-moi').say('/nhom thôn 2');
    expect(
      await house.db.group.findFirst({ where: { chatId: 'nhom-moi' }, include: { hamlet: true } }),
    ).toMatchObject({ purpose: 'hamlet', hamlet: { name: 'Thôn 2' } });
    await house.as('truong').in('nhom-moi').say('/nhom bỏ');
    expect(await house.db.group.findFirst({ where: { chatId: 'nhom-moi' } })).toMatchObject({
      purpose: null,
      hamletId: null,
    });
  });
});

describe('ghi nhận', () => {
  it('books once, thanks in the chosen group and in private, in figures and words', async () => {
    const me = house.as('truong');
    const [asked] = await me.say('ghi nhận Phạm Thị Lan 1.250.000đ');
    expect(asked?.text).toContain('1.250.000đ (một triệu hai trăm năm mươi nghìn đồng)');
    expect(asked?.labels).toEqual(['Bà con Thôn 1', 'Nhóm chung toàn xã', 'Không đăng']);
    await me.press('Nhóm chung toàn xã');
    await me.press('Nhóm chung toàn xã');
    await house.drained();
    expect(house.heardIn('nhom-chung').filter(({ text }) => text.includes('Phạm Thị Lan'))).toHaveLength(1);
    expect(house.heardIn('nhom-thon1')).toHaveLength(0);
    expect(house.heardIn('nguoiungho')).toHaveLength(1);
    expect(await house.db.donation.count()).toBe(5);
  });

  it('a hamlet head thanks in the own group or the public one', async () => {
    await house.as('truong').in('nhom-thon2').say('/nhom thôn 2');
    const [asked] = await house.as('thon1').say('ghi nhận bà Năm 2 triệu');
    expect(asked?.labels).toEqual(['Bà con Thôn 1', 'Nhóm chung toàn xã', 'Không đăng']);
  });
});

describe('the first chief', () => {
  it('comes by the code of the terminal, once; a few wrong tries end it', async () => {
    const empty = await openHouse({ empty: true });
    try {
      await empty.db.person.updateMany({ data: { role: 'guest' } });
      const made = await ensureFirstChiefCode(empty.house);
      expect(made?.code).toMatch(/^TRUONG-/);
      expect(await fs.readFile(made?.file ?? '', 'utf8')).toContain(made?.code);
      if (process.platform !== 'win32') expect((await fs.stat(made?.file ?? '')).mode & 0o777).toBe(0o600);
      expect(JSON.stringify(await empty.db.setting.findMany())).not.toContain(made?.code);
      const [wrong] = await empty.as('x').say('TRUONG-AAAAA-AAAAA');
      expect(wrong?.text).toContain('chưa đúng');
      const [right] = await empty.as('sep').say(made?.code ?? '');
      expect(right?.text).toContain('trưởng');
      expect(await empty.db.person.findFirst({ where: { name: 'sep' } })).toMatchObject({ role: 'chief' });
      const [again] = await empty.as('x').say(made?.code ?? '');
      expect(again?.text).toContain('không còn dùng được');
      expect(await ensureFirstChiefCode(empty.house)).toBeNull();
      await expect(fs.access(path.join(empty.dataDir, 'first-chief-code.txt'))).rejects.toThrow();

      await empty.db.person.updateMany({ data: { role: 'guest' } });
      const next = await ensureFirstChiefCode(empty.house);
      for (let i = 0; i < 5; i += 1) await empty.as('x').say('TRUONG-AAAAA-AAAAA');
      const [over] = await empty.as('sep').say(next?.code ?? '');
      expect(over?.text).toContain('không còn dùng được');
    } finally {
      await empty.close();
    }
  });
});
