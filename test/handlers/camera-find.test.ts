import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseAddress, partsOf } from '../../media/source/address.js';
import type { FoundDevice, OnvifDescription, OnvifProfile } from '../../media/types.js';
import { listCameras } from '../../src/store/cameras.js';
import { openHouse, type TestHouse } from '../support/house.js';

let house: TestHouse;
beforeEach(async () => {
  house = await openHouse();
});
afterEach(() => house.close());

const PASSWORD = 'Bí#Mật 99@/';
const HOST = '192.168.1.64';
const identity = {
  ...{ serial: 'SN-1', mac: '44:19:b6:00:00:01', make: 'HIKVISION', model: 'DS-2CD1043' },
  ...{ endpoint: null, onvifPort: 80 },
};
const found = (host: string, more: Partial<FoundDevice> = {}): FoundDevice => ({
  ...{ host, port: 80, onvif: true, name: null, make: 'HIKVISION', model: 'DS-2CD1043', mac: null },
  ...{ endpoint: null, cameraIds: [], ...more },
});
const profile = (source: string, width: number, path: string): OnvifProfile => ({
  ...{ name: path, source, codec: 'H264', width, height: width / 2, fps: 25, bitrateKbps: 2048 },
  ...{ rtspUrl: `rtsp://${HOST}:554/${path}`, snapshotUrl: null },
});
const described = (profiles: OnvifProfile[], timeOffsetS = 0): OnvifDescription => ({
  ...{ ok: true, identity, profiles, timeOffsetS },
});

/** Everything the bot's database holds. */
async function kept(): Promise<string> {
  const { db } = house;
  const tables = [db.inbox, db.audit, db.pending, db.outbox, db.camera, db.effect, db.consoleMessage];
  const rows = await Promise.all(tables.map((table) => (table as typeof db.inbox).findMany()));
  return JSON.stringify(rows, (_key, value) => (typeof value === 'bigint' ? String(value) : value));
}

describe('camera tìm', () => {
  it('adds a camera in three taps and the password', async () => {
    house.recorder.devices = [found(HOST), found('192.168.1.9', { onvif: false, make: null, model: null })];
    house.recorder.described.set(
      HOST,
      described([profile('1', 1920, 'main'), profile('1', 640, 'sub')], -7 * 3600),
    );
    house.recorder.probes.set('main', { ok: true, codec: 'hvc1.1.6', width: 1920, height: 1080 });
    const me = house.as('kythuat');
    await me.say('camera');
    const [list] = await me.press('Tìm camera');
    expect(list?.text).toContain('2 thiết bị chưa được ghi');
    expect(list?.labels).toEqual([`${HOST} · HIKVISION DS-2CD1043`, '192.168.1.9 · không rõ hãng']);
    const [asked] = await me.press(`${HOST} · HIKVISION DS-2CD1043`);
    expect(asked?.text).toContain('tên đăng nhập và mật khẩu');
    const [added] = await me.say(`admin ${PASSWORD}`);
    expect(added?.text).toContain('Đã thêm camera 5 Camera 5 (1920×1080, H.265)');
    expect(added?.text).toContain('chậm 7 giờ');
    expect(added?.text).toContain('hãy xóa tin đó');
    await me.press('Đặt tên');
    await me.say('Ngã tư trạm xá');
    const camera = (await listCameras(house.db)).find((one) => one.number === 5);
    expect(camera).toMatchObject({ name: 'Ngã tư trạm xá' });
    const url = house.recorder.urls.get(camera!.recorderId)!;
    expect(partsOf(url)).toEqual({ host: HOST, port: 554, user: 'admin', password: PASSWORD });
    expect(parseAddress(url)).toMatchObject({ shown: `rtsp://${HOST}:554/main` });
    expect(await house.recorder.camera(camera!.recorderId)).toMatchObject({
      ...{ identity, subAddress: `rtsp://${HOST}:554/sub` },
    });
    expect(house.recorder.logins).toEqual([{ host: HOST, port: 80, user: 'admin', password: PASSWORD }]);
    for (const secret of [PASSWORD, encodeURIComponent(PASSWORD), 'Mật 99'])
      expect(await kept()).not.toContain(secret);
  });

  it('a wrong password is told, and asked for again', async () => {
    house.recorder.described.set(HOST, { ok: false, cause: 'refused', detail: '' });
    const me = house.as('truong');
    await me.say(`camera tìm ${HOST}`);
    const [refused] = await me.say('admin SaiMatKhau');
    expect(refused?.text).toMatch(/không nhận tên hoặc mật khẩu/);
    house.recorder.described.set(HOST, described([profile('1', 1920, 'main')]));
    const [added] = await me.say('admin Dung-Roi-88');
    expect(added?.text).toContain('Đã thêm camera 5');
    expect(await kept()).not.toMatch(/SaiMatKhau|Dung-Roi-88/);
  });

  it('tells apart: nobody there, no ONVIF, no pictures', async () => {
    const me = house.as('truong');
    const said = async () => (await me.say(`camera tìm ${HOST}:80 đăng nhập admin Mat-Khau-1`))[0]?.text;
    expect(await said()).toMatch(/điện, có mạng/);
    house.recorder.described.set(HOST, { ok: false, cause: 'not-onvif', detail: '' });
    expect(await said()).toContain(`hikvision ${HOST}`);
    house.recorder.described.set(HOST, described([]));
    expect(await said()).toContain('không có luồng hình');
    expect(await kept()).not.toContain('Mat-Khau-1');
    expect(await house.db.camera.count()).toBe(4);
  });

  it('a recorder’s channels are added one by one, its password typed once', async () => {
    const channels = ['1', '2', '3'].flatMap((n) => [
      profile(n, 1920, `main${n}`),
      profile(n, 640, `sub${n}`),
    ]);
    house.recorder.described.set(HOST, described(channels));
    const me = house.as('truong');
    await me.say(`camera tìm ${HOST}:8000`);
    const [which] = await me.say('admin Mat-Khau-2');
    expect(which?.text).toContain('3 kênh');
    await me.press('Kênh 2');
    await me.press('Kênh 3');
    const urls = [...house.recorder.urls.values()];
    expect(urls.at(-2)).toBe(`rtsp://admin:Mat-Khau-2@${HOST}:554/main2`);
    expect(urls.at(-1)).toBe(`rtsp://admin:Mat-Khau-2@${HOST}:554/main3`);
    // another person, and the same ten minutes later, type it themselves
    const [asked] = await house.as('kythuat').say(`/camera tìm ${HOST}:8000 kênh 1`);
    expect(asked?.text).toContain('mật khẩu');
    house.clock.ms += 11 * 60_000;
    const [later] = await me.say(`/camera tìm ${HOST}:8000 kênh 1`);
    expect(later?.text).toContain('mật khẩu');
    expect(await kept()).not.toContain('Mat-Khau-2');
  });

  it('says what is recorded already, and what to do when nothing is there', async () => {
    const me = house.as('truong');
    const [nothing] = await me.say('camera tìm');
    expect(nothing?.text).toMatch(/không thấy camera nào[\s\S]*WireGuard[\s\S]*DDNS/);
    house.recorder.devices = [found(HOST, { cameraIds: ['cam1'] })];
    const [known] = await me.say('camera tìm');
    expect(known?.text).toMatch(/không thấy camera mới[\s\S]*192\.168\.1\.64: 1/);
    const [ways] = await me.say('camera nối');
    for (const part of ['Cùng mạng', 'WireGuard', 'DDNS', 'Mbps', 'mở cổng'])
      expect(ways?.text).toContain(part);
  });

  it('is for chief and technician, in private', async () => {
    house.recorder.devices = [found(HOST)];
    const [officer] = await house.as('canbo').say('camera tìm');
    expect(officer?.text).toContain('việc của trưởng công an và kỹ thuật viên');
    const [group] = await house
      .as('truong')
      .in('nhom-canbo')
      .say(`/camera tìm ${HOST} đăng nhập admin Mat-Khau-3`);
    expect(group?.text).toContain('chat riêng');
    expect(house.recorder.logins).toEqual([]);
    await house.drained();
    expect(await kept()).not.toContain('Mat-Khau-3');
    const [everyday] = await house.as('canbo').say('camera tìm thấy người trong ảnh chưa');
    expect(everyday?.text ?? '').not.toContain('việc của trưởng công an');
  });
});

describe('camera thêm by make', () => {
  it('asks for what is missing, tries the make’s path, and keeps no password', async () => {
    const me = house.as('truong');
    const [asked] = await me.say('camera thêm Ngã ba chợ hikvision 192.168.1.20 kênh 2');
    expect(asked?.text).toContain('tên đăng nhập và mật khẩu');
    const [added] = await me.say('admin Mat-Khau-4');
    expect(added?.text).toContain('Đã thêm camera 5 Ngã ba chợ');
    const { recorderId } = (await listCameras(house.db)).find((one) => one.number === 5)!;
    expect(house.recorder.urls.get(recorderId)).toBe(
      'rtsp://admin:Mat-Khau-4@192.168.1.20:554/Streaming/Channels/201',
    );
    expect(await kept()).not.toContain('Mat-Khau-4');
  });

  it('step by step: name, make, place, login', async () => {
    const me = house.as('truong');
    await me.say('camera thêm');
    await me.say('Cổng trường');
    expect((await me.say('tapo'))[0]?.text).toContain('địa chỉ IP');
    expect((await me.say('192.168.1.31'))[0]?.text).toContain('Tài khoản camera');
    expect((await me.say('nha bi-mat'))[0]?.text).toContain('Đã thêm camera 5 Cổng trường');
    expect([...house.recorder.urls.values()].at(-1)).toBe('rtsp://nha:bi-mat@192.168.1.31:554/stream1');
  });

  it('an unknown make: paths are tried in turn, and a refusal ends it', async () => {
    house.recorder.probes.set('/Streaming/', { ok: false, cause: 'not-found', detail: '' });
    await house.as('truong').say('camera thêm Kho khác 192.168.1.9 đăng nhập admin x1y2z3');
    expect([...house.recorder.urls.values()].at(-1)).toContain('/cam/realmonitor?channel=1&subtype=0');
    house.recorder.probes.set('/Streaming/', { ok: false, cause: 'refused', detail: '' });
    const [refused] = await house
      .as('truong')
      .say('camera thêm Kho khác 192.168.1.10 đăng nhập admin x1y2z3');
    expect(refused?.text).toMatch(/không nhận[\s\S]*gửi lại tên và mật khẩu/);
    const [again] = await house.as('truong').say('admin x4y5z6');
    expect(again?.text).toContain('không nhận');
    expect(await house.db.camera.count()).toBe(5);
    expect(await kept()).not.toMatch(/x1y2z3|x4y5z6/);
  });
});

it('a lost camera behind NAT: the technician is told what to look at', async () => {
  const me = house.as('truong');
  await me.say('camera thêm Cổng nhà dân rtsp://nha.ddns.net:8554/x');
  await me.say('camera thêm Cổng trụ sở rtsp://192.168.1.7/x');
  for (const { number, recorderId } of await listCameras(house.db))
    if (number > 4) house.recorder.drop(recorderId);
  const [far] = await me.say('/camera 5');
  expect(far?.text).toMatch(/chuyển cổng[\s\S]*DDNS[\s\S]*camera sửa 5 địa chỉ/);
  expect((await me.say('/camera 6'))[0]?.text).not.toContain('DDNS');
});
