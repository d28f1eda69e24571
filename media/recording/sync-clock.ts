import { Worker } from 'node:worker_threads';

/** Written data is made durable this long after it was written at the latest, and the time that takes, ms. */
const SYNC_EVERY_MS = 1200;

export interface Syncable {
  /** the open file; null once it is closed */
  readonly fd: number | null;
  /** what was written may be lost: the disk fails */
  syncFailed(error: unknown): void;
}

/** What the worker says when it is through. */
interface SyncAnswer {
  failed: { fd: number; error: Error }[];
}

/** The worker's whole program: gets descriptors, answers when all are synced. Runs from its text, so it sees nothing around it. */
function work(): void {
  const fs = require('node:fs') as typeof import('node:fs');
  const { parentPort } = require('node:worker_threads') as typeof import('node:worker_threads');
  parentPort!.on('message', (fds: number[]) => {
    const failed: SyncAnswer['failed'] = [];
    for (const fd of fds) {
      try {
        fs.fdatasyncSync(fd);
      } catch (error) {
        failed.push({ fd, error: error as Error });
      }
    }
    parentPort!.postMessage({ failed });
  });
}

/**
 * Syncs the files of all cameras together, in a thread of its own: every sync waits for the disk, and to hand each one
 * to the pool and be woken for it costs the recording thread more than the sync itself.
 */
export class SyncClock {
  private dirty = new Set<Syncable>();
  /** those the worker is busy with, by descriptor */
  private batch = new Map<number, Syncable>();
  private batchDone: Promise<void> = Promise.resolve();
  private timer: NodeJS.Timeout | null = null;
  private worker: Worker | null = null;

  constructor(private readonly everyMs = SYNC_EVERY_MS) {}

  /** Something was written to this file. */
  add(file: Syncable): void {
    this.dirty.add(file);
    this.timer ??= setTimeout(() => void this.run(), this.everyMs);
  }

  /** The file will be synced and closed by whoever wrote it; resolves once no sync of ours uses it. */
  async forget(file: Syncable): Promise<void> {
    this.dirty.delete(file);
    if ([...this.batch.values()].includes(file)) await this.batchDone;
  }

  private async run(): Promise<void> {
    const begunMs = performance.now();
    this.batch = new Map();
    for (const file of this.dirty) if (file.fd !== null) this.batch.set(file.fd, file);
    this.dirty = new Set();
    if (this.batch.size > 0) {
      this.batchDone = this.sync([...this.batch.keys()]);
      await this.batchDone;
      this.batch = new Map();
    }
    const restMs = Math.max(0, this.everyMs - (performance.now() - begunMs));
    this.timer = this.dirty.size === 0 ? null : setTimeout(() => void this.run(), restMs);
  }

  private async sync(fds: number[]): Promise<void> {
    this.worker ??= this.startWorker();
    const { worker } = this;
    worker.ref();
    const answer = new Promise<SyncAnswer>((resolve) => worker.once('message', resolve));
    worker.postMessage(fds);
    const { failed } = await answer;
    worker.unref();
    for (const { fd, error } of failed) this.batch.get(fd)?.syncFailed(error);
  }

  private startWorker(): Worker {
    const worker = new Worker(`(${work})()`, { eval: true, execArgv: [] });
    // a recorder that can't sync must not go on as if it could: the process ends and is started again
    worker.on('error', (error) => {
      throw error;
    });
    worker.unref();
    return worker;
  }
}

/** The recordings of a process lie on one disk. */
export const syncClock = new SyncClock();
