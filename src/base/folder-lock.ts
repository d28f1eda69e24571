import { createHash } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';

/**
 * A local socket named after the folder: the kernel frees it with the process, whatever way that ends. On Linux its
 * name lies in no folder, so nothing stale is left that two could clear away at the same moment, each for themselves.
 */
function socketsOf(folder: string): { nameless: string | null; socket: string } {
  const name = `mat-than-${createHash('sha256').update(fs.realpathSync(folder)).digest('hex').slice(0, 24)}`;
  if (process.platform === 'win32') return { nameless: null, socket: `\\\\.\\pipe\\${name}` };
  return {
    nameless: process.platform === 'linux' ? `\0${name}` : null,
    socket: path.join(os.tmpdir(), `${name}.sock`),
  };
}

/** Asks the holder for its process number; null when nobody answers. */
function askHolder(socket: string): Promise<number | null> {
  return new Promise((resolve) => {
    const connection = net.connect(socket);
    connection.setTimeout(2000, () => connection.destroy());
    let answer = '';
    connection.on('data', (chunk) => {
      answer += chunk.toString();
    });
    connection.on('error', () => resolve(null));
    connection.on('close', () => resolve(answer === '' ? null : Number(answer)));
  });
}

/** The number of the process that holds a folder; null when nobody does, or there is no such folder. */
export async function folderHolder(folder: string): Promise<number | null> {
  if (!fs.existsSync(folder)) return null;
  const { nameless, socket } = socketsOf(folder);
  return (nameless === null ? null : await askHolder(nameless)) ?? askHolder(socket);
}

/**
 * Takes a data folder for this process until it ends, so that two installations never write the same recordings.
 * @returns null when taken, else the number of the process that holds it
 */
export async function takeFolder(folder: string): Promise<number | null> {
  const { nameless, socket } = socketsOf(folder);
  if (nameless === null) return take(socket, true);
  const holder = await take(nameless, false);
  if (holder !== null) return holder;
  // an old Node knows no such names and listens nowhere; an older version of ours may hold the folder by a file
  return (await askHolder(nameless)) === process.pid ? askHolder(socket) : take(socket, true);
}

/** @param stale it may be left by a process that is gone */
async function take(socket: string, stale: boolean): Promise<number | null> {
  const server = net.createServer((connection) => {
    connection.on('error', () => {});
    connection.end(String(process.pid));
  });
  server.unref();
  const listen = () =>
    new Promise<boolean>((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) =>
        error.code === 'EADDRINUSE' ? resolve(false) : reject(error),
      );
      server.listen(socket, () => resolve(true));
    });
  for (let tries = 0; tries < 3; tries += 1) {
    if (await listen()) return null;
    const holder = await askHolder(socket);
    if (holder !== null) return holder;
    if (stale) fs.rmSync(socket, { force: true });
  }
  throw new Error('a folder is held by a process that does not answer');
}
