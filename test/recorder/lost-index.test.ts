import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { makeKey } from '../../src/base/seal.js';
import { cameraIs, migrate, type Stand, startStand, until } from './stand.js';

let stand: Stand | undefined;
afterEach(async () => {
  await stand?.end();
  stand = undefined;
});

const KEY = makeKey();

/** The same place, started anew. */
const again = ({ folder }: Stand) => startStand({ segmentMs: 2000 }, { secretKey: KEY }, folder);

/** A recorder with two cameras, one off, one that was removed, and some footage. */
async function recorded(): Promise<Stand> {
  const made = await startStand({ segmentMs: 2000 }, { secretKey: KEY });
  await made.client.addCamera({ id: 'cam1', name: 'Cổng chợ', url: 'test:street', retentionDays: 9 });
  await made.client.addCamera({
    id: 'cam2',
    name: 'Trường',
    url: 'rtsp://admin:bimat@127.0.0.1:1/x',
    enabled: false,
  });
  await made.client.addCamera({ id: 'cam3', name: 'Cũ', url: 'test:school' });
  await made.client.removeCamera('cam3');
  await cameraIs(made.client, 'cam1', 'recording');
  await until('five seconds are recorded', async () => {
    const { recorded } = await made.client.coverage('cam1', { startMs: 0, endMs: Date.now() });
    return recorded.length > 0 && recorded[0]!.endMs - recorded[0]!.startMs > 5000;
  });
  return made;
}

describe('an index that is gone', () => {
  it('costs no camera and no footage: recording goes on, and everything is listed again', async () => {
    stand = await recorded();
    const before = await stand.client.coverage('cam1', { startMs: 0, endMs: Date.now() });
    const cameras = await stand.client.cameras();
    await stand.service.stop();
    for (const end of ['', '-wal', '-shm'])
      await rm(path.join(stand.folder, `recorder.db${end}`), { force: true });
    await migrate(stand.folder);
    stand = await again(stand);
    const back = await stand.client.cameras();
    expect(
      back.map(({ id, name, address, enabled, retentionDays }) => ({
        id,
        name,
        address,
        enabled,
        retentionDays,
      })),
    ).toEqual(
      cameras.map(({ id, name, address, enabled, retentionDays }) => ({
        id,
        name,
        address,
        enabled,
        retentionDays,
      })),
    );
    await cameraIs(stand.client, 'cam1', 'recording');
    await stand.service.recorder.recovered;
    const after = await stand.client.coverage('cam1', { startMs: 0, endMs: before.recorded[0]!.endMs });
    expect(after.recorded[0]!.startMs).toBe(before.recorded[0]!.startMs);
    expect(after.gaps.filter(({ startMs }) => startMs > before.recorded[0]!.startMs)).toEqual([]);
    // an id that was removed is never used again
    await expect(stand.client.addCamera({ id: 'cam3', name: 'x', url: 'test:street' })).rejects.toThrow();
  }, 60_000);

  it('costs no cause of a gap, and the time until it records again has one too', async () => {
    stand = await recorded();
    await stand.client.addCamera({ id: 'dead', name: 'Hỏng', url: 'rtsp://127.0.0.1:1/x' });
    await cameraIs(stand.client, 'dead', 'down');
    await stand.restart(1000);
    await cameraIs(stand.client, 'dead', 'down');
    await cameraIs(stand.client, 'cam1', 'recording');
    const asked = { startMs: Date.now() - 3_600_000, endMs: Date.now() };
    const causes = async (id: string, endMs: number) => {
      const { gaps } = await stand!.client.coverage(id, { ...asked, endMs });
      return new Set(gaps.map(({ cause }) => cause));
    };
    const before = { cam1: await causes('cam1', asked.endMs), dead: await causes('dead', asked.endMs) };
    expect(before.cam1).toContain('recorder-down');
    expect(before.dead).toContain('unreachable');
    await stand.service.stop();
    for (const end of ['', '-wal', '-shm'])
      await rm(path.join(stand.folder, `recorder.db${end}`), { force: true });
    await migrate(stand.folder);
    stand = await again(stand);
    await cameraIs(stand.client, 'cam1', 'recording');
    await stand.service.recorder.recovered;
    expect(await causes('cam1', asked.endMs)).toEqual(before.cam1);
    expect(await causes('dead', asked.endMs)).toEqual(before.dead);
    // the time from the last sign of life until it records again has its cause too
    const [camera] = (await stand.client.coverage('cam1', { ...asked, endMs: Date.now() })).gaps.slice(-1);
    expect(camera!.cause).toBe('recorder-down');
  }, 90_000);

  it('with a list of cameras that is broken as well: it is put aside, and new cameras are taken', async () => {
    stand = await recorded();
    await stand.service.stop();
    await rm(path.join(stand.folder, 'recorder.db'), { force: true });
    await writeFile(path.join(stand.folder, 'recordings', 'cameras.json'), '{"cameras": [{');
    await migrate(stand.folder);
    stand = await again(stand);
    expect(await stand.client.cameras()).toEqual([]);
    await stand.client.addCamera({ id: 'cam4', name: 'Mới', url: 'test:street' });
    await cameraIs(stand.client, 'cam4', 'recording');
    const names = await readdir(path.join(stand.folder, 'recordings'));
    expect(names.filter((name) => name.startsWith('cameras.json.broken-'))).toHaveLength(1);
  }, 60_000);

  it('with a list that can not be read: recording begins all the same, and nothing is written over it', async () => {
    stand = await recorded();
    await stand.service.stop();
    const list = path.join(stand.folder, 'recordings', 'cameras.json');
    await rm(list);
    await mkdir(list);
    stand = await again(stand);
    await cameraIs(stand.client, 'cam1', 'recording');
    await stand.client.changeCamera('cam1', { name: 'Tên mới' });
    expect(await readdir(list)).toEqual([]);
  }, 60_000);
});
