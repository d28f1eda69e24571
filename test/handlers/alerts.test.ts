import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { groupOutages, type OutagePicture, rulesFor } from '../../handlers/alerts/decide.js';
import { makeAlerts } from '../../handlers/alerts/watch.js';
import type { Outage } from '../../src/store/outages.js';
import { openHouse, type TestHouse } from '../support/house.js';

let house: TestHouse;
beforeEach(async () => {
  house = await openHouse();
});
afterEach(() => house.close());

/** Lets the time pass in steps as the watch does, taking what the recorder said. */
async function pass(seconds: number, alerts = house.handlers.alerts): Promise<void> {
  for (let s = 0; s < seconds; s += 5) {
    for (const event of house.recorder.emitted) await alerts.take(event);
    await alerts.tick();
    house.clock.ms += Math.min(5, seconds - s) * 1000;
  }
  for (const event of house.recorder.emitted) await alerts.take(event);
  await alerts.tick();
  await house.drained();
}
const told = () => house.heardIn('nhom-canbo').map(({ text }) => text);

describe('an outage', () => {
  it('under a minute is told to nobody', async () => {
    house.recorder.drop('cam3');
    await pass(50);
    house.recorder.bring('cam3');
    await pass(120);
    expect(told()).toEqual([]);
  });

  it('of over a minute is one message with reason, time and advice; its end is one', async () => {
    house.recorder.drop('cam3', 'unreachable');
    await pass(660);
    expect(told()).toHaveLength(1);
    expect(told()[0]).toContain('Camera 3 Cầu Cẩm Lương (Thôn 4) mất hình từ 14:40:00: không kết nối được.');
    expect(told()[0]).toContain('Đường truyền: Viettel nhà ông Bình');
    expect(told()[0]).toMatch(/rút nhầm phích|đổi modem/);
    house.clock.ms += 60_000;
    house.recorder.bring('cam3');
    await pass(60);
    expect(told()).toHaveLength(2);
    expect(told()[1]).toContain(
      'Camera 3 Cầu Cẩm Lương (Thôn 4) đã có hình trở lại lúc 14:52:00, mất 12 phút.',
    );
  });

  for (const [cause, words] of [
    ['refused', 'không nhận mật khẩu'],
    ['silent', 'không gửi hình'],
    ['disk', 'ổ cứng'],
    ['something-new', 'chưa rõ vì sao'],
  ] as const)
    it(`says ${cause} in plain words`, async () => {
      house.recorder.drop('cam1', cause as 'refused');
      await pass(65);
      expect(told()[0]).toContain(words);
    });

  it('is told once though the bot starts again, and events come twice', async () => {
    house.recorder.drop('cam3');
    await pass(70);
    await pass(70, makeAlerts(house.house));
    for (const event of house.recorder.emitted) await house.handlers.alerts.take({ ...event });
    await pass(70, makeAlerts(house.house));
    expect(told()).toHaveLength(1);
  });

  it('killed between saying and marking, the bot says it once', async () => {
    const tell = house.house.tell;
    house.recorder.drop('cam3');
    for (const event of house.recorder.emitted) await house.handlers.alerts.take(event);
    house.clock.ms += 61_000;
    house.house.tell = async (...args) => {
      await tell(...args);
      throw new Error('killed here');
    };
    await expect(house.handlers.alerts.tick()).rejects.toThrow('killed here');
    house.house.tell = tell;
    house.clock.ms += 30_000;
    await pass(30, makeAlerts(house.house));
    expect(told()).toHaveLength(1);
    house.recorder.bring('cam3');
    await pass(10);
    expect(told()).toHaveLength(2);
  });

  it('that came and went while the bot was away is told as past, once', async () => {
    house.recorder.drop('cam2');
    house.clock.ms += 300_000;
    house.recorder.bring('cam2');
    house.clock.ms += 60_000;
    await pass(30);
    expect(told()).toHaveLength(1);
    expect(told()[0]).toContain('đã mất hình từ 14:40:00 đến 14:45:00 (5 phút)');
  });

  it('whose event was lost is found by asking the recorder', async () => {
    house.recorder.drop('cam2');
    house.recorder.emitted.length = 0;
    await house.handlers.alerts.reconcile();
    await pass(65);
    expect(told()).toHaveLength(1);
  });

  it('of a camera that was switched off or removed is dropped without a word', async () => {
    house.recorder.drop('cam1');
    house.recorder.drop('cam2');
    await pass(20);
    house.recorder.emit('camera-off', 'cam1');
    await house.as('truong').say('camera xóa 2 chắc chắn');
    await pass(120);
    expect(told()).toEqual([]);
  });

  it('goes to the chief in private where no officers’ group is bound', async () => {
    await house.db.group.updateMany({ data: { purpose: null } });
    house.recorder.drop('cam3');
    await pass(65);
    expect(house.heardIn('truong').at(-1)?.text).toContain('Camera 3');
  });
});

describe('a camera that was found again elsewhere', () => {
  const move = (id: string, from: string, to: string) =>
    house.recorder.emit('camera-moved', id, { from, to });
  const technician = () => house.heardIn('kythuat').map(({ text }) => text);
  const MOVED =
    'Camera đổi địa chỉ trong mạng từ 192.168.1.20 sang 192.168.1.35, em đã tự tìm thấy và ghi tiếp ở đó';
  /** the technician looks after camera 3 and not after camera 2 */
  async function assigned(): Promise<void> {
    const person = await house.db.person.findFirstOrThrow({ where: { role: 'technician' } });
    await house.db.assignment.deleteMany({});
    const camera = await house.db.camera.findFirstOrThrow({ where: { recorderId: 'cam3' } });
    await house.db.assignment.create({ data: { cameraId: camera.id, personId: person.id } });
    // a private chat is open once somebody has spoken in it
    await house.as('kythuat').say('quyền');
  }

  it('is one message with its return, to the officers and to its technician, once', async () => {
    await assigned();
    const before = technician().length;
    house.recorder.drop('cam3');
    await pass(70);
    move('cam3', '192.168.1.20', '192.168.1.35');
    await pass(10);
    expect(told(), 'not before it records').toHaveLength(1);
    house.recorder.bring('cam3');
    await pass(30);
    await pass(30, makeAlerts(house.house));
    expect(told()).toHaveLength(2);
    expect(told()[1]).toMatch(/Camera 3 .* đã có hình trở lại lúc/);
    expect(told()[1]).toContain(MOVED);
    expect(technician().slice(before)).toEqual([told()[1]]);
  });

  it('so soon that nobody heard of its loss: one message of its own', async () => {
    house.recorder.drop('cam2');
    await pass(30);
    move('cam2', '192.168.1.20', '192.168.1.35');
    house.recorder.bring('cam2');
    await pass(30);
    expect(told()).toEqual([expect.stringMatching(/Camera 2 .* đang có hình từ 14:40:30\./)]);
    expect(told()[0]).toContain(MOVED);
  });

  it('twice is one move, there and back is none; among many it stands in its line', async () => {
    for (const id of ['cam1', 'cam2', 'cam3']) house.recorder.drop(id);
    await pass(90);
    move('cam1', '192.168.1.20', '192.168.1.21');
    move('cam1', '192.168.1.21', '192.168.1.22');
    move('cam2', '192.168.1.30', '192.168.1.31');
    move('cam2', '192.168.1.31', '192.168.1.30');
    for (const id of ['cam1', 'cam2', 'cam3']) house.recorder.bring(id);
    await pass(30);
    expect(told()).toHaveLength(2);
    expect(told()[1]).toContain('địa chỉ mới 192.168.1.22 (trước là 192.168.1.20)');
    expect(told()[1]?.match(/địa chỉ mới/g)).toHaveLength(1);
  });

  it('tells no technician of others’ cameras, and nobody who is none any more', async () => {
    await assigned();
    const before = technician().length;
    for (const id of ['cam2', 'cam3']) {
      await house.db.person.updateMany({
        where: { role: { in: ['technician', 'household'] }, alias: 'kythuat' },
        data: { role: id === 'cam3' ? 'household' : 'technician' },
      });
      house.recorder.drop(id);
      await pass(70);
      move(id, '192.168.1.20', '192.168.1.35');
      house.recorder.bring(id);
      await pass(30);
    }
    expect(told()).toHaveLength(4);
    expect(technician()).toHaveLength(before);
  });
});

describe('a camera that can not be looked for', () => {
  const technician = () => house.heardIn('kythuat').map(({ text }) => text);

  for (const [where, address, step] of [
    ['over the internet', 'rtsp://nha-ba-tu.ddns.net:5541/live', /DDNS.*\n?.*camera sửa 3 địa chỉ/],
    ['on the own net but unknown', 'rtsp://192.168.1.20:554/live', /“camera tìm”.*camera sửa 3 địa chỉ/],
  ] as const)
    it(`${where}: its technician gets the exact step in private, and hears when it is back`, async () => {
      const person = await house.db.person.findFirstOrThrow({ where: { role: 'technician' } });
      await house.db.assignment.deleteMany({});
      const camera = await house.db.camera.findFirstOrThrow({ where: { recorderId: 'cam3' } });
      await house.db.assignment.create({ data: { cameraId: camera.id, personId: person.id } });
      await house.as('kythuat').say('quyền');
      await house.recorder.changeCamera('cam3', { url: address.replace('//', '//admin:bi-mat@') });
      const before = technician().length;
      house.recorder.drop('cam3');
      await pass(70);
      await pass(30, makeAlerts(house.house));
      expect(technician().slice(before)).toEqual([expect.stringMatching(step)]);
      expect(told()).toEqual([technician().at(-1)]);
      expect(technician().join()).not.toContain('bi-mat');
      house.recorder.bring('cam3');
      await pass(30);
      expect(technician().slice(before)).toHaveLength(2);
      expect(technician().at(-1)).toContain('đã có hình trở lại');
      house.recorder.drop('cam3', 'silent');
      await pass(70);
      expect(technician().slice(before), 'a camera that answers is not looked for').toHaveLength(2);
    });

  it('one that is known by its MAC is looked for: no step', async () => {
    const identity = {
      ...{ serial: null, mac: '44:19:b6:00:00:01', make: null, model: null, endpoint: null },
      onvifPort: null,
    };
    await house.recorder.changeCamera('cam3', { url: 'rtsp://192.168.1.20/x', identity });
    house.recorder.drop('cam3');
    await pass(70);
    expect(told()).toHaveLength(1);
    expect(told()[0]).not.toContain('Cách sửa');
  });
});

describe('many at once', () => {
  it('are one message, down and back', async () => {
    for (const id of ['cam1', 'cam2', 'cam3', 'cam4']) {
      house.recorder.drop(id);
      house.clock.ms += 3000;
    }
    await pass(120);
    expect(told()).toHaveLength(1);
    expect(told()[0]).toContain('4 camera cùng mất hình');
    for (const id of ['cam1', 'cam2', 'cam3', 'cam4']) house.recorder.bring(id);
    await pass(30);
    expect(told()).toHaveLength(2);
    expect(told()[1]).toContain('4 camera đã có hình trở lại');
  });

  it('a flapping camera is told three times, then summed up once, then heard of when it is steady', async () => {
    for (let i = 0; i < 6; i += 1) {
      house.recorder.drop('cam1');
      await pass(70);
      house.recorder.bring('cam1');
      await pass(60);
    }
    const down = told().filter((text) => text.includes('mất hình từ'));
    expect(down).toHaveLength(3);
    expect(told().filter((text) => text.includes('chập chờn'))).toHaveLength(1);
    expect(told().length).toBeLessThanOrEqual(7);
    house.clock.ms += 31 * 60_000;
    await pass(10);
    expect(told().at(-1)).toContain('đã ổn định trở lại');
    const quiet = told().length;
    await pass(60);
    expect(told()).toHaveLength(quiet);
  });
});

describe('the recorder and its disk', () => {
  it('away for over a minute is one message, back is one, restarts change nothing', async () => {
    house.recorder.away = true;
    await pass(40);
    await pass(40, makeAlerts(house.house));
    await pass(40);
    expect(told()).toHaveLength(1);
    expect(told()[0]).toContain('Máy ghi không trả lời từ 14:40:00');
    house.recorder.away = false;
    await pass(20);
    expect(told()).toHaveLength(2);
    expect(told()[1]).toContain('Máy ghi đã chạy lại');
  });

  it('a short absence is told to nobody', async () => {
    house.recorder.away = true;
    await pass(30);
    house.recorder.away = false;
    await pass(90);
    expect(told()).toEqual([]);
  });

  it('a low disk is one message however often it is said', async () => {
    house.recorder.emit('disk-low', null, { freeBytes: 3_200_000_000, totalBytes: 1_000_000_000_000 });
    await pass(10);
    house.recorder.emit('disk-low', null, { freeBytes: 3_100_000_000, totalBytes: 1_000_000_000_000 });
    await pass(10);
    expect(told()).toHaveLength(1);
    expect(told()[0]).toContain('còn 3,2 GB trên 1000,0 GB');
    house.recorder.emit('disk-ok', null, { freeBytes: 90_000_000_000 });
    await pass(10);
    expect(told()).toHaveLength(2);
    house.recorder.emit('disk-low', null, { freeBytes: 3_100_000_000 });
    await pass(10);
    expect(told(), 'not again within six hours').toHaveLength(2);
  });
});

describe('holds, a failing disk and the clock', () => {
  it('each is one message to the officers, with what to do', async () => {
    const now = house.house.clock.now();
    const emit = house.recorder.emit;
    const fullAtMs = now + 30 * 3_600_000;
    emit('holds-fill-disk', null, { fullAtMs, heldBytes: 120e9, holds: 3, freeBytes: 1, totalBytes: 2 });
    await pass(10);
    expect(told()).toHaveLength(1);
    expect(told()[0]).toMatch(
      /đang giữ chiếm 120,0 GB.*khoảng 30 giờ nữa.*\n.*gọi kỹ thuật viên.*chưa làm được bằng tin nhắn/,
    );
    emit('disk-full-of-holds', null, { heldBytes: 120e9, holds: 3 });
    await pass(10);
    expect(told()[1]).toMatch(/ĐÃ NGỪNG GHI HÌNH.*3 lượt giữ/);
    for (const id of ['a', 'b'])
      emit('keep-dropped', 'cam1', { id, startMs: now, endMs: now + 1, cause: 'space' });
    await pass(10);
    expect(told()).toHaveLength(3);
    expect(told()[2]).toMatch(/thôi giữ 2 đoạn do máy tự giữ.*thiếu chỗ/);
    emit('holds-unreadable', null, { detail: 'EIO', fullAtMs: now + 5 * 86_400_000, stopped: false });
    emit('clock-doubted', null, { wallMs: now + 365 * 86_400_000, trustedMs: now });
    await pass(10);
    expect(told()[3]).toMatch(
      /không đọc được danh sách các đoạn đang giữ.*đủ khoảng \d ngày\.\n.*npm run doctor/,
    );
    expect(told()[4]).toContain('Đồng hồ máy chủ');
    emit('clock-set', null, { fromMs: now, toMs: now - 3_600_000 });
    await pass(10);
    expect(told()[5]).toMatch(/bị chỉnh lùi 1 giờ: từ .* về .*được ghi hai lần/);
    emit('clock-set', null, { fromMs: now, toMs: now + 86_400_000 });
    await pass(10);
    expect(told()[6]).toMatch(/chỉnh nhanh lên 1 ngày/);
    emit('footage-changed', null, { removed: 3, added: 0, changed: 1, cameras: ['Cổng chợ', 'Trường'] });
    await pass(10);
    expect(told()[7]).toMatch(
      /Có 4 đoạn ghi hình bị xóa hoặc sửa từ bên ngoài.*3 đoạn bị xóa, 1 đoạn bị sửa hoặc hỏng\. Camera: Cổng chợ, Trường\.\n.*npm run verify-recordings$/,
    );
    // two finds before they could be told are told as one, and what was held loudest
    const hold = { camera: 'Cổng chợ', startMs: now, endMs: now + 60_000, by: 'Đại úy An', why: 'vụ trộm' };
    emit('footage-changed', null, { removed: 2, changed: 0, held: 1, cameras: ['Cổng chợ'], holds: [hold] });
    emit('footage-changed', null, { removed: 1, changed: 0, held: 0, cameras: ['Trường'], holds: [] });
    await pass(10);
    expect(told()[8]).toMatch(
      /Có 3 đoạn.*: 3 đoạn bị xóa\. Camera: Cổng chợ, Trường\.\n.*CÓ 1 ĐOẠN ĐANG ĐƯỢC GIỮ:\n• Cổng chợ, .*: vụ trộm \(Đại úy An giữ\)\nHãy báo lãnh đạo/,
    );
    await pass(60);
    expect(told()).toHaveLength(9);
  });

  it('says nothing of deleting while the recorder dares delete nothing', async () => {
    const room = { freeBytes: 3_200_000_000, totalBytes: 1_000_000_000_000 };
    house.recorder.emit('disk-low', null, { ...room, deleting: false });
    house.recorder.emit('holds-unreadable', null, { detail: 'EIO', ...room, fullAtMs: null, stopped: true });
    await pass(10);
    expect(told()).toHaveLength(2);
    expect(told()[0]).toMatch(/không xóa được đoạn cũ nào.*ngừng ghi/);
    expect(told()[1]).toMatch(/^🔴 ĐÃ NGỪNG HOẶC SẮP NGỪNG GHI HÌNH.*không dám xóa/);
    for (const text of told()) expect(text).not.toContain('bị xóa sớm');
    house.recorder.emit('hold-file-mended', 'cam1', {
      ...{ id: 'hold-0001', startMs: 1, endMs: 2, released: false },
      aside: 'hold-0001.json.hong-20261121T070000',
    });
    await pass(10);
    expect(told()[2]).toMatch(/viết lại từ mục lục.*holds\/hold-0001\.json\.hong-20261121T070000.*không mất/);
  });

  it('an index made anew, once', async () => {
    house.recorder.emit('index-rebuilt', null, { cameras: 4 });
    await pass(30);
    expect(told()).toEqual([expect.stringMatching(/Mục lục hình.*đang lập lại.*Camera vẫn ghi/)]);
  });

  it('a failing disk and its end', async () => {
    house.recorder.emit('disk-failing', null, { code: 'EIO' });
    await pass(10);
    house.recorder.emit('disk-ok', null, { freeBytes: 90e9, totalBytes: 100e9 });
    await pass(10);
    expect(told()).toEqual([expect.stringContaining('lỗi EIO'), expect.stringContaining('có chỗ trở lại')]);
  });
});

describe('groupOutages', () => {
  const rules = rulesFor(60);
  const outage = (cameraId: number, sinceMs: number, more: Partial<Outage> = {}): Outage => ({
    id: cameraId,
    cameraId,
    sinceMs,
    reason: 'unreachable',
    toldMs: null,
    backMs: null,
    toldBackMs: null,
    ...more,
  });
  const picture = (more: Partial<OutagePicture>): OutagePicture => ({
    nowMs: 100_000,
    open: [],
    ended: [],
    told: [],
    lastChangeMs: new Map(),
    flapping: new Set(),
    recordingNow: new Set(),
    ...more,
  });

  it('waits a little for others that began just after, but not for ever', () => {
    const open = [outage(1, 40_000), outage(2, 50_000)];
    expect(groupOutages(picture({ open }), rules).down).toEqual([]);
    expect(groupOutages(picture({ open, nowMs: 110_000 }), rules).down).toHaveLength(2);
  });

  it('does not tell of a camera that records again, or of what the recorder’s own end explains', () => {
    const open = [outage(1, 0), outage(2, 0, { reason: 'recorder-down' })];
    expect(groupOutages(picture({ open, recordingNow: new Set([1]) }), rules).down).toEqual([]);
  });

  it('old news is no news', () => {
    const ended = [outage(1, 0, { backMs: 300_000 })];
    expect(groupOutages(picture({ ended, nowMs: 400_000 }), rules).past).toHaveLength(1);
    expect(groupOutages(picture({ ended, nowMs: 30 * 3_600_000 }), rules).silent).toHaveLength(1);
  });
});

describe('the watch', () => {
  it('follows the recorder and stops when told', async () => {
    const stop = new AbortController();
    const running = house.handlers.alerts.start(stop.signal);
    house.recorder.drop('cam1');
    house.recorder.emit('disk-low', null, { freeBytes: 1 });
    while ((await house.db.setting.findUnique({ where: { key: 'alerts.cursor' } }))?.value !== '2')
      await new Promise((resolve) => setImmediate(resolve));
    stop.abort();
    await running;
    expect(await house.db.outage.count()).toBe(1);
  });
});
