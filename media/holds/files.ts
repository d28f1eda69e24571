import fs from 'node:fs/promises';
import path from 'node:path';
import { makeFolder, replaceFile } from '../../src/base/durable.js';
import type { Hold } from '../types.js';
import { readHold } from './read-hold.js';

/** Where holds are written down, so that they outlive the index. */
export interface HoldFiles {
  /** All of them. Throws when the folder, or any one file, can't be read whole: then nobody knows what is held. */
  read(): Promise<Hold[]>;
  /** Durable when it resolves. Adds or replaces. */
  write(hold: Hold): Promise<void>;
}

/** Set aside so that a full disk still takes a hold or its release, bytes. */
const RESERVE_BYTES = 256 * 1024;
const RESERVE = '.reserve';

const isFull = (error: unknown) => ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '');

async function put(file: string, bytes: string | Buffer): Promise<void> {
  const handle = await fs.open(file, 'w', 0o640);
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** `<recordings>/holds/<id>.json`, one file a hold. */
export function holdFiles(root: string): HoldFiles {
  const folder = path.join(root, 'holds');
  /** what was read before, by name, with when it was written: a file that did not change is not read again */
  let known = new Map<string, { stamp: string; hold: Hold }>();

  async function writeOnce(hold: Hold): Promise<void> {
    await makeFolder(folder);
    await replaceFile(path.join(folder, `${hold.id}.json`), `${JSON.stringify(hold, null, 2)}\n`);
  }

  async function setAside(): Promise<void> {
    const file = path.join(folder, RESERVE);
    if (((await fs.stat(file).catch(() => null))?.size ?? 0) >= RESERVE_BYTES) return;
    await makeFolder(folder);
    await put(file, Buffer.alloc(RESERVE_BYTES)).catch(() => fs.rm(file, { force: true }));
  }

  async function readOne(name: string): Promise<{ stamp: string; hold: Hold }> {
    const file = path.join(folder, name);
    const { mtimeMs, size, ino } = await fs.stat(file);
    const stamp = `${mtimeMs} ${size} ${ino}`;
    const before = known.get(name);
    if (before?.stamp === stamp) return before;
    const hold = readHold(await fs.readFile(file, 'utf8'));
    if (hold === null || `${hold.id}.json` !== name) throw new Error(`holds/${name} is no hold`);
    return { stamp, hold };
  }

  return {
    async read() {
      let names: string[];
      try {
        names = await fs.readdir(folder);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
        // the place itself must be there: else the disk is not mounted
        await fs.access(root);
        names = [];
      }
      const now: typeof known = new Map();
      for (const name of names) if (name.endsWith('.json')) now.set(name, await readOne(name));
      known = now;
      await setAside().catch(() => {});
      return [...now.values()].map(({ hold }) => hold);
    },

    async write(hold) {
      try {
        await writeOnce(hold);
      } catch (error) {
        if (!isFull(error)) throw error;
        await fs.rm(path.join(folder, RESERVE), { force: true });
        await writeOnce(hold);
      }
    },
  };
}
