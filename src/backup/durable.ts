import fs from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';

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
