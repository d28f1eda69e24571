import { createHash } from 'node:crypto';
import fs from 'node:fs/promises';
import { Worker } from 'node:worker_threads';

const PIECE_BYTES = 256 * 1024;

/** SHA-256 (hex) and size of a file, read in small pieces between other work. */
export async function hashFile(file: string): Promise<{ sha256: string; sizeBytes: number }> {
  const hash = createHash('sha256');
  const piece = Buffer.allocUnsafe(PIECE_BYTES);
  let sizeBytes = 0;
  const handle = await fs.open(file, 'r');
  try {
    for (;;) {
      const { bytesRead } = await handle.read(piece, 0, piece.length, sizeBytes);
      if (bytesRead === 0) break;
      hash.update(piece.subarray(0, bytesRead));
      sizeBytes += bytesRead;
    }
  } finally {
    await handle.close();
  }
  return { sha256: hash.digest('hex'), sizeBytes };
}

interface Answer {
  sha256: string | null;
  /** the file system's code, when it could not be read */
  code: string | null;
}

/**
 * A worker's whole program: gets a path, answers with its hash. Runs from its text, so it sees nothing around it. Reads
 * and hashes in turns, in pieces that stay in a core's own cache: other workers hash while this one reads. Reading ahead by
 * the thread pool, a piece in each of two threads, cost a fifth more CPU and was slower.
 */
function work(): void {
  const fs = require('node:fs') as typeof import('node:fs');
  const crypto = require('node:crypto') as typeof import('node:crypto');
  const { parentPort } = require('node:worker_threads') as typeof import('node:worker_threads');
  const piece = Buffer.allocUnsafeSlow(256 * 1024);
  const hashOf = (fd: number) => {
    const hash = crypto.createHash('sha256');
    for (;;) {
      const bytesRead = fs.readSync(fd, piece, 0, piece.length, null);
      if (bytesRead === 0) return hash.digest('hex');
      hash.update(piece.subarray(0, bytesRead));
    }
  };
  parentPort!.on('message', (file: string) => {
    let fd: number | null = null;
    try {
      fd = fs.openSync(file, 'r');
      parentPort!.postMessage({ sha256: hashOf(fd), code: null });
    } catch (error) {
      parentPort!.postMessage({ sha256: null, code: (error as NodeJS.ErrnoException).code ?? 'EIO' });
    } finally {
      if (fd !== null) fs.closeSync(fd);
    }
  });
}

/** Hashes many files, one at a time per worker; each worker holds 256 KB of them. */
export class Hashers {
  private readonly idle: Worker[] = [];
  private readonly all: Worker[] = [];
  private waiting: ((worker: Worker) => void)[] = [];

  constructor(private readonly workers: number) {}

  async hash(file: string): Promise<Answer> {
    const worker = this.idle.pop() ?? this.start() ?? (await this.next());
    try {
      return await new Promise<Answer>((resolve, reject) => {
        const fail = (error: Error) => reject(error);
        worker.once('error', fail);
        worker.once('message', (answer: Answer) => {
          worker.off('error', fail);
          resolve(answer);
        });
        worker.postMessage(file);
      });
    } finally {
      const wake = this.waiting.shift();
      if (wake) wake(worker);
      else this.idle.push(worker);
    }
  }

  private start(): Worker | null {
    if (this.all.length >= this.workers) return null;
    const worker = new Worker(`(${work})()`, { eval: true, execArgv: [] });
    this.all.push(worker);
    return worker;
  }

  private next(): Promise<Worker> {
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  async close(): Promise<void> {
    await Promise.all(this.all.map((worker) => worker.terminate()));
  }
}
