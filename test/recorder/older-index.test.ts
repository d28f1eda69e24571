import { copyFile, cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createClient } from '@libsql/client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeKey } from '../../src/base/seal.js';
import { cameraIs, type Stand, startStand, tempFolder, until } from './stand.js';

const KEY = makeKey();
let stand: Stand;
let backup: string;
const book = () => path.join(stand.folder, 'recordings', 'cameras.json');
const start = async (folder?: string) => {
  stand = await startStand({}, { secretKey: KEY }, folder);
};
const seen = async () =>
  (await stand.client.cameras()).map(({ id, name, address, retentionDays }) => [
    id,
    name,
    address,
    retentionDays,
  ]);

/** Nobody answers there, at once: what the cameras are called is tested, not what they show. */
const at = (name: string) => `rtsp://u:p@127.0.0.1:1/${name}`;

async function lastEvent(): Promise<number> {
  const client = createClient({ url: `file:${path.join(stand.folder, 'recorder.db')}` });
  const { rows } = await client.execute('SELECT max("id") AS "id" FROM "Event"');
  client.close();
  return Number(rows[0]!.id);
}

async function backUp(): Promise<void> {
  backup = path.join(stand.folder, 'backup.db');
  await rm(backup, { force: true });
  const client = createClient({ url: `file:${path.join(stand.folder, 'recorder.db')}` });
  await client.execute({ sql: 'VACUUM INTO ?', args: [backup] });
  client.close();
}

beforeEach(async () => {
  await start();
  await stand.client.addCamera({ id: 'cam1', name: 'Cổng chợ', url: at('one') });
  await stand.client.addCamera({ id: 'cam2', name: 'Trường', url: at('two') });
  await backUp();
});
afterEach(() => stand.end());

/** The recordings' disk on another machine, and there the index of the backup. */
async function bringBackTheBackup(): Promise<void> {
  await stand.service.stop();
  const [old, folder] = [stand.folder, await tempFolder()];
  await cp(old, folder, { recursive: true, filter: (name) => !/recorder\.db/.test(name) });
  await copyFile(backup, path.join(folder, 'recorder.db'));
  await rm(old, { recursive: true });
  stand.folder = folder;
}

/** One changed, one removed, one added. */
async function change(): Promise<unknown[]> {
  await stand.client.changeCamera('cam1', { name: 'Cổng chợ mới', url: at('moved'), retentionDays: 60 });
  await stand.client.removeCamera('cam2');
  await stand.client.addCamera({ id: 'cam3', name: 'Trạm bơm', url: at('three') });
  return seen();
}

describe('an index from a backup beside a newer list of cameras', () => {
  it('goes by the list: what was changed, removed and added since', async () => {
    const after = await change();
    await bringBackTheBackup();
    await start(stand.folder);
    expect(await seen()).toEqual(after);
    expect(await stand.client.removedCameras()).toMatchObject([{ id: 'cam2', name: 'Trường' }]);
    // and what is done from then on is the newest again
    await stand.client.changeCamera('cam1', { name: 'Chợ' });
    await stand.restart();
    expect((await stand.client.camera('cam1')).name).toBe('Chợ');
  }, 60_000);

  it('of a version that did not number it: a camera that was removed stays removed', async () => {
    await change();
    await bringBackTheBackup();
    const { cameras } = JSON.parse(await readFile(book(), 'utf8')) as { cameras: unknown[] };
    await writeFile(book(), JSON.stringify({ cameras }));
    await start(stand.folder);
    expect((await seen()).map(([id]) => id)).toEqual(['cam1', 'cam3']);
  }, 60_000);
});

describe('an index from a backup beside newer recordings', () => {
  const DAY = 86_400_000;
  const asked = (endMs: number) => ({ startMs: endMs - DAY, endMs });

  it.each(['on the same machine', 'on another machine'])(
    '%s: knows every gap since with its cause, and the numbers of events go on',
    async (where) => {
      await stand.client.addCamera({ id: 'street', name: 'Ngã ba', url: 'test:street' });
      await cameraIs(stand.client, 'street', 'recording');
      await cameraIs(stand.client, 'cam1', 'down');
      await backUp();
      const backedUpMs = Date.now();
      // what the backup does not know: the dead one records, the other is off for a while, the recorder is stopped twice
      await stand.client.changeCamera('cam1', { url: 'test:school' });
      await cameraIs(stand.client, 'cam1', 'recording');
      await stand.client.changeCamera('street', { enabled: false });
      await stand.restart(1000);
      await stand.client.changeCamera('street', { enabled: true });
      await cameraIs(stand.client, 'street', 'recording');
      await until('it is older by far', () => Date.now() - backedUpMs > 15_000, 20_000);
      await until('both go on', async () => {
        const infos = await Promise.all(['street', 'cam1'].map((id) => stand.client.camera(id)));
        return infos.every(({ newestFrameMs }) => (newestFrameMs ?? 0) > backedUpMs + 15_000);
      });
      await stand.service.stop();
      const stoppedMs = Date.now();
      await start(stand.folder);
      await stand.service.recorder.recovered;
      const known = async () => {
        const of = (id: string) => stand.client.coverage(id, asked(stoppedMs - 500));
        return (await Promise.all(['street', 'cam1'].map(of))).map(({ gaps, recorded }) => ({
          gaps: gaps.map(({ startMs, endMs, cause }) => [startMs, endMs, cause]),
          recorded,
        }));
      };
      const before = await known();
      await stand.service.stop();
      const againMs = Date.now();
      const lastBefore = await lastEvent();

      for (const end of ['', '-wal', '-shm'])
        await rm(path.join(stand.folder, `recorder.db${end}`), { force: true });
      await copyFile(backup, path.join(stand.folder, 'recorder.db'));
      if (where === 'on another machine') await rm(path.join(stand.folder, 'recorder-clock.json'));
      await start(stand.folder);
      await stand.service.recorder.recovered;
      expect(await known()).toEqual(before);
      expect(before[0]!.gaps.map(([, , cause]) => cause)).toContain('switched-off');
      await cameraIs(stand.client, 'street', 'recording');
      // nobody who saw the numbers of before misses what comes
      const stopped = new AbortController();
      for await (const { kind } of stand.client.events(lastBefore, stopped.signal))
        if (kind === 'recorder-started') stopped.abort();
      // and the time until now has its cause too
      const { gaps } = await stand.client.coverage('street', { startMs: againMs - 500, endMs: Date.now() });
      expect(gaps.map(({ cause }) => cause)).toEqual(['recorder-down']);
    },
    90_000,
  );
});

describe('a list of cameras that could not be written for a while', () => {
  it('is the older one: the index stays as it is', async () => {
    const old = await until('both are written down', async () => {
      const text = await readFile(book(), 'utf8').catch(() => '');
      return text.includes('cam2') && text;
    });
    // nothing can be put in its place while it is a folder
    await rm(book());
    await mkdir(book());
    const after = await change();
    await stand.service.stop();
    await rm(book(), { recursive: true });
    await writeFile(book(), old);
    await start(stand.folder);
    expect(await seen()).toEqual(after);
  }, 60_000);
});
