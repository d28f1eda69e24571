import fs from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';

/** Where a pipe's bytes go: read into `room()`, then `took(bytes)`. */
export interface Reading {
  room(): Buffer;
  took(bytes: number): void;
}

/** The way from a child's standard output to us. */
export interface OutputPipe {
  /** for `stdio` of spawn */
  childEnd: net.Socket | 'pipe';
  /** resolves when everything the child wrote was read */
  ended: Promise<void>;
  /** our copy of the child's end goes once the child has it, or the end would never come */
  handOver(): void;
  /** stops reading */
  close(): void;
}

/**
 * A pipe read straight into the memory of whoever parses it. Node's own pipe to a child takes 64 KiB of new memory for
 * each read, however little it brings, and the collector's work for that was half of the recorder's CPU.
 * Null on Windows, where a read may be under way long before its bytes come.
 */
export async function openPipe(reading: Reading): Promise<OutputPipe | null> {
  if (process.platform === 'win32') return null;
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'mat-than-pipe-'));
  const address = path.join(folder, 'pipe');
  const server = net.createServer({ pauseOnConnect: true });
  try {
    const childEnd = await new Promise<{ theirs: net.Socket; ours: net.Socket }>((resolve, reject) => {
      let ours: net.Socket;
      server.once('error', reject);
      server.once('connection', (theirs) => resolve({ theirs, ours }));
      server.listen(address, () => {
        ours = net.connect({
          path: address,
          onread: {
            buffer: () => reading.room(),
            callback: (bytes) => {
              reading.took(bytes);
              return true;
            },
          },
        });
        ours.once('error', reject);
      });
    });
    const { theirs, ours } = childEnd;
    for (const end of [theirs, ours]) end.on('error', () => {});
    return {
      childEnd: theirs,
      ended: new Promise((resolve) => ours.once('close', () => resolve())),
      handOver: () => theirs.destroy(),
      close: () => ours.destroy(),
    };
  } finally {
    server.close();
    await fs.rm(folder, { recursive: true, force: true });
  }
}
