import { createHash } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';

/**
 * Files on their way out. Each inbox message (and each told message with files) has a folder of its own, which goes
 * when all that was said for it is done. A run after a crash writes beside the files of the run before, never over
 * them: those may just be on their way.
 */
export interface Spool {
  /** A fresh path for a file of this message. */
  forInbox(inboxId: number, fileName: string): Promise<string>;
  /** A fresh path for a file of a message told under this key. */
  forKey(key: string, fileName: string): Promise<string>;
  cleanInbox(inboxId: number): Promise<void>;
  cleanKey(key: string): Promise<void>;
  /** Removes the folders of inbox messages that are done (left by a crash). */
  cleanLeftovers(stillNeeded: { inboxIds: Set<number>; keys: Set<string> }): Promise<void>;
}

/** Names the folder of a key: keys hold signs that a file system may not. */
const folderOfKey = (key: string) => `tell-${createHash('sha1').update(key).digest('hex')}`;
const folderOfInbox = (inboxId: number) => `in-${inboxId}`;

/** @param dir the spool's folder; made when needed. */
export function makeSpool(dir: string): Spool {
  const run = `${Date.now().toString(36)}${process.pid.toString(36)}`;
  let count = 0;
  const fresh = async (folder: string, fileName: string) => {
    count += 1;
    const inside = path.join(dir, folder, `${run}-${count}`);
    await fs.mkdir(inside, { recursive: true });
    return path.join(inside, path.basename(fileName));
  };
  const remove = (folder: string) =>
    fs.rm(path.join(dir, folder), { recursive: true, force: true, maxRetries: 3 });
  return {
    forInbox: (inboxId, fileName) => fresh(folderOfInbox(inboxId), fileName),
    forKey: (key, fileName) => fresh(folderOfKey(key), fileName),
    cleanInbox: (inboxId) => remove(folderOfInbox(inboxId)),
    cleanKey: (key) => remove(folderOfKey(key)),
    async cleanLeftovers({ inboxIds, keys }) {
      const needed = new Set([...[...inboxIds].map(folderOfInbox), ...[...keys].map(folderOfKey)]);
      const found = await fs.readdir(dir).catch(() => []);
      for (const folder of found) if (/^(in|tell)-/.test(folder) && !needed.has(folder)) await remove(folder);
    },
  };
}
