import { copyFile, cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createClient } from '@libsql/client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeKey } from '../../src/base/seal.js';
import { type Stand, startStand, tempFolder, until } from './stand.js';

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

beforeEach(async () => {
  await start();
  await stand.client.addCamera({ id: 'cam1', name: 'Cổng chợ', url: at('one') });
  await stand.client.addCamera({ id: 'cam2', name: 'Trường', url: at('two') });
  backup = path.join(stand.folder, 'backup.db');
  const client = createClient({ url: `file:${path.join(stand.folder, 'recorder.db')}` });
  await client.execute({ sql: 'VACUUM INTO ?', args: [backup] });
  client.close();
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
