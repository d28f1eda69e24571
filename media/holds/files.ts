import fs from 'node:fs/promises';
import path from 'node:path';
import { makeFolder, replaceFile, syncFolder } from '../../src/base/durable.js';
import type { Hold } from '../types.js';
import { readHold } from './read-hold.js';

/** Where holds are written down, so that they outlive the index. */
export interface HoldFiles {
  /** All of them, and the files that can't be read whole. Throws when the folder can't be read. */
  read(): Promise<{ holds: Hold[]; spoilt: SpoiltFile[] }>;
  /** Durable when it resolves. Adds or replaces. */
  write(hold: Hold): Promise<void>;
  /**
   * Keeps a file that can't be read under another name beside it, before `write` takes its place; never removes it.
   * @returns that name
   */
  putAside(name: string): Promise<string>;
}

/** A file of a hold that can't be read, or is no hold: what it held is known from elsewhere, or by nobody. */
export interface SpoiltFile {
  /** in the folder */
  name: string;
  /** of the hold, by the name of its file */
  id: string;
  /** English, for engineers */
  why: string;
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

  /** A sentence: why it can't be read. Null: it has just gone. */
  async function readOne(name: string): Promise<{ stamp: string; hold: Hold } | string | null> {
    const file = path.join(folder, name);
    try {
      const { mtimeMs, size, ino } = await fs.stat(file);
      const stamp = `${mtimeMs} ${size} ${ino}`;
      const before = known.get(name);
      if (before?.stamp === stamp) return before;
      const hold = readHold(await fs.readFile(file, 'utf8'));
      if (hold === null || `${hold.id}.json` !== name) return `holds/${name} is no hold`;
      return { stamp, hold };
    } catch (error) {
      const { code = String(error) } = error as NodeJS.ErrnoException;
      return code === 'ENOENT' ? null : `holds/${name} can not be read (${code})`;
    }
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
      const spoilt: SpoiltFile[] = [];
      for (const name of names) {
        if (!name.endsWith('.json')) continue;
        const read = await readOne(name);
        if (typeof read === 'string') spoilt.push({ name, id: name.slice(0, -'.json'.length), why: read });
        else if (read !== null) now.set(name, read);
      }
      known = now;
      await setAside().catch(() => {});
      return { holds: [...now.values()].map(({ hold }) => hold), spoilt };
    },

    async putAside(name) {
      const file = path.join(folder, name);
      const { mtime, ino } = await fs.stat(file);
      const base = `${name}.hong-${mtime.toISOString().replace(/[-:]|\.\d+Z$/g, '')}`;
      for (let n = 1; ; n++) {
        const aside = n === 1 ? base : `${base}-${n}`;
        const there = await fs.stat(path.join(folder, aside)).catch(() => null);
        // kept before, and the disk did not take the new file
        if (there?.ino === ino) return aside;
        if (there !== null) continue;
        // a second name: until the new file has taken the first one, a crash leaves it as it was
        await fs.link(file, path.join(folder, aside)).catch(() => fs.rename(file, path.join(folder, aside)));
        await syncFolder(folder);
        return aside;
      }
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
