import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { nameFor } from '../../handlers/alerts/found.js';
import { fold } from '../../src/base/vietnamese/text.js';
import { readAudit } from '../../src/store/audit.js';
import { listCameras } from '../../src/store/cameras.js';
import { openHouse, type TestHouse } from '../support/house.js';

let house: TestHouse;
beforeEach(async () => {
  house = await openHouse();
});
afterEach(() => house.close());

/** As the watch does it: compares, then says what is due. */
async function watch(): Promise<void> {
  const { alerts } = house.handlers;
  for (const event of house.recorder.emitted) await alerts.take(event);
  await alerts.compare();
  await alerts.tick();
  await house.drained();
}
const told = (chat = 'nhom-canbo') =>
  house
    .heardIn(chat)
    .map(({ text }) => text)
    .filter((text) => text.startsWith('📷'));
const numbers = async () => (await listCameras(house.db)).map(({ number, name }) => `${number} ${name}`);

describe('a camera that the recorder has and the bot never heard of', () => {
  beforeEach(async () => {
    await house.recorder.addCamera({
      id: 'c31-abc',
      name: 'Ngã tư trạm xá',
      url: 'rtsp://u:Bi-Mat@10.0.0.7/x',
    });
  });

  it('is taken over, can be asked for, waits to be looked at and is told once', async () => {
    await watch();
    await watch();
    expect(await numbers()).toContain('5 Ngã tư trạm xá');
    expect(told()).toHaveLength(1);
    expect(told()[0]).toMatch(/• 5\. Ngã tư trạm xá\n[\s\S]*camera sửa 5 thôn/);
    const [picture] = await house.as('canbo').say('ảnh ngã tư trạm xá');
    expect(picture?.reply.kind).toBe('photo');
    const [list] = await house.as('truong').say('camera');
    expect(list?.text).toMatch(/Cần xem lại\n🟢 5\. Ngã tư trạm xá$/);
    expect(await readAudit(house.db, { actions: ['camera.found'], limit: 9 })).toMatchObject([
      { personId: null, place: 'recorder', detail: 'rtsp://10.0.0.7/x' },
    ]);
    const [log] = await house.as('truong').say('nhật ký camera 5 đầy đủ');
    expect(log?.text).toContain('nhận lại camera từ máy ghi');
    expect(JSON.stringify(told())).not.toContain('Bi-Mat');
  });

  it('leaves the group of those to be looked at when its hamlet is told', async () => {
    await watch();
    await house.as('truong').say('camera sửa 5 thôn Thôn 2');
    const [list] = await house.as('truong').say('camera');
    expect(list?.text).not.toContain('Cần xem lại');
    expect(list?.text).toMatch(/Thôn 2\n.*Ngã ba chợ\n.*5\. Ngã tư trạm xá/);
  });

  it('is heard of by technicians, who do not reach it before it is given to them', async () => {
    await house.as('kythuat').say('camera');
    await watch();
    const words = house
      .as('kythuat')
      .heard()
      .map(({ text }) => text)
      .filter((text) => text.startsWith('📷'));
    expect(words).toHaveLength(1);
    expect(words[0]).toContain('nhờ trưởng công an giao lại');
    const [refused] = await house.as('kythuat').say('ảnh 5');
    expect(refused?.reply.kind).toBe('text');
  });

  it('that is down is told as one, like every other', async () => {
    house.recorder.drop('c31-abc', 'unreachable');
    await watch();
    house.clock.ms += 70_000;
    await watch();
    expect(
      house
        .heardIn('nhom-canbo')
        .map(({ text }) => text)
        .join('\n'),
    ).toContain('Camera 5 Ngã tư trạm xá mất hình');
  });

  it('is found at the start, and later by its first event', async () => {
    const leaving = new AbortController();
    const running = house.handlers.alerts.start(leaving.signal);
    try {
      await expect.poll(numbers, { timeout: 20_000 }).toContain('5 Ngã tư trạm xá');
      // the clock stands: it is not yet time to compare again
      await house.recorder.addCamera({ id: 'later', name: 'Ngã tư trạm xá', url: 'rtsp://10.0.0.8/x' });
      house.recorder.emit('camera-recording', 'later');
      await expect.poll(numbers, { timeout: 20_000 }).toContain('6 Ngã tư trạm xá (2)');
    } finally {
      leaving.abort();
      await running;
    }
  }, 60_000);

  it('that a message is adding right now is left to that message', async () => {
    const add = house.recorder.addCamera;
    house.recorder.addCamera = async (settings) => {
      const info = await add(settings);
      await house.handlers.alerts.compare();
      return info;
    };
    await house.as('truong').say('camera thêm 9 Trạm bơm rtsp://10.0.0.9/x');
    await watch();
    expect(await numbers()).toContain('9 Trạm bơm');
    expect(told().join()).not.toContain('Trạm bơm');
    expect((await numbers()).length).toBe(6);
  });

  it('removed in chat before it was told is not told of', async () => {
    await house.handlers.alerts.compare();
    await house.as('truong').say('camera xóa 5 chắc chắn');
    await watch();
    expect(told()).toEqual([]);
    expect(await numbers()).toHaveLength(4);
  });
});

describe('a camera that was removed', () => {
  it('in chat is never taken over again: where the recorder has it, it is removed there', async () => {
    const { recorderId } = (await listCameras(house.db)).find(({ number }) => number === 4)!;
    const remove = house.recorder.removeCamera;
    // the recorder took it, and lost it again with its index
    house.recorder.removeCamera = async () => {};
    await house.as('truong').say('camera xóa 4 chắc chắn');
    house.recorder.removeCamera = remove;
    await watch();
    expect(await numbers()).toHaveLength(3);
    expect((await house.recorder.cameras()).map(({ id }) => id)).not.toContain(recorderId);
    expect(told()).toEqual([]);
  });

  it('since the backup goes from our list too, with what belongs to the household, and is told once', async () => {
    await house.as('truong').say('camera sửa 4 hộ Bà Tư');
    await house.recorder.removeCamera('cam4');
    await watch();
    // just now: a message may be at it
    expect(await numbers()).toHaveLength(4);
    house.clock.ms += 61_000;
    await watch();
    await watch();
    expect(await numbers()).toHaveLength(3);
    expect((await house.db.camera.findFirst({ where: { recorderId: 'cam4' } }))?.householdName).toBeNull();
    expect(told()).toHaveLength(1);
    expect(told()[0]).toContain('4 Nhà văn hóa thôn 1');
  });

  it('nowhere on record, the recorder only does not have it: it stays', async () => {
    house.recorder.cameras = async () => [];
    house.clock.ms += 61_000;
    await watch();
    expect(await numbers()).toHaveLength(4);
  });

  it('is not concluded from a recorder that is away', async () => {
    house.recorder.away = true;
    await house.handlers.alerts.compare();
    expect(await numbers()).toHaveLength(4);
  });
});

describe('the name of what was found', () => {
  const taken = new Set(['Cổng chợ', 'Cổng chợ (2)'].map(fold));
  for (const [given, name] of [
    ['Cổng trường', 'Cổng trường'],
    ['cong cho', 'cong cho (3)'],
    ['Camera 31', 'Camera 7'],
    ['', 'Camera 7'],
  ] as const)
    it(`${given || '(none)'} → ${name}`, () => expect(nameFor(given, 7, taken)).toBe(name));
});
