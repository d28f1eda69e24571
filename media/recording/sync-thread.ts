import { Worker } from 'node:worker_threads';

export interface SyncFault {
  fd: number;
  error: Error;
}

/** What the thread is asked for: these descriptors one by one, or the whole file system that a folder lies on. */
type Order = { fds: number[] } | { folder: string };
type Answer = { faults: SyncFault[] } | { whole: boolean };

/** The thread's whole program. Runs from its text, so it sees nothing around it. */
function work(): void {
  const fs = require('node:fs') as typeof import('node:fs');
  const { spawnSync } = require('node:child_process') as typeof import('node:child_process');
  const { parentPort } = require('node:worker_threads') as typeof import('node:worker_threads');
  parentPort!.on('message', (order: Order) => {
    if ('folder' in order) {
      // Node has no syncfs; coreutils' sync has, and tells by its status whether all of it went well
      const { status } = spawnSync('sync', ['-f', order.folder], { stdio: 'ignore' });
      parentPort!.postMessage({ whole: status === 0 } satisfies Answer);
      return;
    }
    const faults: SyncFault[] = [];
    for (const fd of order.fds) {
      try {
        fs.fdatasyncSync(fd);
      } catch (error) {
        faults.push({ fd, error: error as Error });
      }
    }
    parentPort!.postMessage({ faults } satisfies Answer);
  });
}

/**
 * Syncs in a thread of its own: every sync waits for the disk, and to hand each one to the pool and be woken for it
 * costs the recording thread more than the sync itself. One order at a time.
 */
export class SyncThread {
  private worker: Worker | null = null;
  private turn: Promise<unknown> = Promise.resolve();

  /** `fdatasync` of each, one after the other; which failed. */
  async files(fds: number[]): Promise<SyncFault[]> {
    const answer = await this.ask({ fds });
    return 'faults' in answer ? answer.faults : [];
  }

  /**
   * One `syncfs` of the file system that `folder` lies on: data and names of everything on it. False where that does not
   * exist, or when anything of it failed.
   */
  async disk(folder: string): Promise<boolean> {
    const answer = await this.ask({ folder });
    return 'whole' in answer && answer.whole;
  }

  private ask(order: Order): Promise<Answer> {
    const answer = this.turn.then(async () => {
      this.worker ??= startWorker();
      const { worker } = this;
      worker.ref();
      const answered = new Promise<Answer>((resolve) => worker.once('message', resolve));
      worker.postMessage(order);
      const answer = await answered;
      worker.unref();
      return answer;
    });
    this.turn = answer.catch(() => {});
    return answer;
  }
}

function startWorker(): Worker {
  const worker = new Worker(`(${work})()`, { eval: true, execArgv: [] });
  // a recorder that can't sync must not go on as if it could: the process ends and is started again
  worker.on('error', (error) => {
    throw error;
  });
  worker.unref();
  return worker;
}
