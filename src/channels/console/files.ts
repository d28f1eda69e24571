import { randomUUID } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import { WorldError } from '../../base/errors.js';
import type { OutFile, Reply } from '../../chat/message.js';

/** The console's own folder: what was sent and what was uploaded, under names that tell nothing. */
export interface Files {
  /** A new name with the ending of `fileName`. */
  name(fileName: string): string;
  /** The path of a stored name; WorldError invalid when it is none of ours. */
  place(stored: string): string;
  /** Keeps every file of a reply and returns the reply with stored names as paths. WorldError invalid, too-big, disk-full. */
  keep<R extends Reply>(reply: R, maxBytes: number): Promise<R>;
  remove(stored: string[]): Promise<void>;
  /** Deletes what is older than `beforeMs`, whoever it belonged to. */
  sweep(beforeMs: number): Promise<void>;
}

const STORED = /^[0-9a-f-]{36}(?:\.[a-z0-9]{1,5})?$/;

/** Turns a fault of the disk into one that the outbox understands. */
export function diskFault(error: unknown, what: string): WorldError {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new WorldError('disk-full', `${what}: disk full`, { cause: error });
  if (code === 'ENOENT') return new WorldError('invalid', `${what}: no such file`, { cause: error });
  return new WorldError('unreachable', `${what}: ${code ?? 'failed'}`, { cause: error });
}

export function makeFiles(folder: string): Files {
  const name = (fileName: string) =>
    `${randomUUID()}${/\.[A-Za-z0-9]{1,5}$/.exec(fileName)?.[0].toLowerCase() ?? ''}`;
  const place = (stored: string) => {
    if (!STORED.test(stored)) throw new WorldError('invalid', 'not a file of the console');
    return path.join(folder, stored);
  };
  const remove = async (stored: string[]) => {
    for (const each of stored) await fs.rm(place(each), { force: true }).catch(() => {});
  };

  async function keepFile(file: OutFile, maxBytes: number): Promise<OutFile> {
    const stored = name(file.fileName);
    try {
      await fs.mkdir(folder, { recursive: true });
      const { size } = await fs.stat(file.path);
      if (size > maxBytes) throw new WorldError('too-big', `${size} bytes are more than the console takes`);
      await fs.link(file.path, place(stored)).catch(() => fs.copyFile(file.path, place(stored)));
      return { ...file, path: stored, sizeBytes: size };
    } catch (error) {
      await remove([stored]);
      throw error instanceof WorldError ? error : diskFault(error, 'keeping a file for the console');
    }
  }

  return {
    name,
    place,
    remove,
    async keep(reply, maxBytes) {
      if (reply.kind === 'text') return reply;
      if (reply.kind !== 'album') return { ...reply, file: await keepFile(reply.file, maxBytes) };
      const kept: string[] = [];
      try {
        const items = [];
        for (const item of reply.items) {
          const file = await keepFile(item.file, maxBytes);
          kept.push(file.path);
          items.push({ ...item, file });
        }
        return { ...reply, items };
      } catch (error) {
        await remove(kept);
        throw error;
      }
    },
    async sweep(beforeMs) {
      for (const each of await fs.readdir(folder).catch(() => [])) {
        if (!STORED.test(each)) continue;
        // The time of linking, not the one of the content, which may be older.
        const facts = await fs.stat(path.join(folder, each)).catch(() => null);
        if (facts !== null && facts.ctimeMs < beforeMs) await remove([each]);
      }
    },
  };
}
