import fs from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';

/** Whether there is a file or folder that can be seen. */
export const exists = (file: string): Promise<boolean> =>
  fs.access(file).then(
    () => true,
    () => false,
  );

/** Makes a folder's entries durable; not possible (nor needed) on Windows. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await fs.open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes a folder and, durably, its parents. */
export async function makeFolder(folder: string): Promise<void> {
  for (const parent of await makeFolders(folder)) await syncFolder(parent);
}

/** Makes a folder and its parents. @returns those that have a new entry by it, to be synced: the nearest first */
export async function makeFolders(folder: string): Promise<string[]> {
  const first = await fs.mkdir(folder, { recursive: true });
  const changed: string[] = [];
  if (first === undefined) return changed;
  for (let at = path.dirname(folder); ; at = path.dirname(at)) {
    changed.push(at);
    if (at === path.dirname(first) || at === path.dirname(at)) return changed;
  }
}

/** Writes a whole file durably: beside it, then in its place. A write that fails leaves the file as it was. */
export async function replaceFile(file: string, text: string, mode = 0o640): Promise<void> {
  const next = `${file}.new`;
  try {
    const handle = await fs.open(next, 'w', mode);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await fs.rename(next, file);
  } catch (error) {
    await fs.rm(next, { force: true }).catch(() => {});
    throw error;
  }
  await syncFolder(path.dirname(file));
}

/** Writes a file that only its owner may read, and makes its bytes durable. @returns bytes written */
export async function writeSynced(
  file: string,
  bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<number> {
  await fs.mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  const handle = await fs.open(file, 'wx', 0o600);
  let written = 0;
  try {
    for await (const piece of bytes) {
      for (let at = 0; at < piece.length; ) at += (await handle.write(piece, at)).bytesWritten;
      written += piece.length;
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
  return written;
}
