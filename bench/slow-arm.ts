import type { DiskCalls } from '../media/recording/disk.js';

/** A slow disk, simulated by a delay at the seam where the recorder writes and syncs. */
export interface SlowDisk {
  /** each request takes between these, one after the other, ms */
  requestMs: [least: number, most: number];
  /** a write is a request too, as on a disk whose cache is full; else it goes to the system's memory at once */
  writes: boolean;
  /** so often nothing moves for so long, ms */
  stall: { everyMs: number; forMs: number } | null;
}

export interface SlowFigures {
  requests: number;
  /** longest that anybody waited for the arm, ms */
  longestWaitMs: number;
  /** oldest data when it became durable, or that is not yet, ms */
  oldestMs: number;
}

/** One arm: whoever comes waits until all before are served. */
class Arm {
  requests = 0;
  longestWaitMs = 0;
  private freeAtMs = 0;
  private readonly bornMs = performance.now();

  constructor(private readonly disk: SlowDisk) {}

  /** How long a caller has to wait for so many requests from now, ms. */
  private reserve(count: number): number {
    const nowMs = performance.now();
    const [least, most] = this.disk.requestMs;
    let at = Math.max(nowMs, this.freeAtMs);
    for (let n = 0; n < count; n++) at = this.afterStall(at) + least + Math.random() * (most - least);
    this.freeAtMs = count > 0 ? at : this.freeAtMs;
    this.requests += count;
    const waitMs = (count > 0 ? at : this.afterStall(nowMs)) - nowMs;
    this.longestWaitMs = Math.max(this.longestWaitMs, waitMs);
    return waitMs;
  }

  private afterStall(atMs: number): number {
    const { stall } = this.disk;
    if (stall === null) return atMs;
    const inCycle = (atMs - this.bornMs) % stall.everyMs;
    const restMs = inCycle - (stall.everyMs - stall.forMs);
    return restMs > 0 ? atMs + stall.forMs - restMs : atMs;
  }

  async wait(count: number): Promise<void> {
    const waitMs = this.reserve(count);
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
  }

  /** Holds up this thread, as a write does. */
  block(count: number): void {
    const waitMs = this.reserve(count);
    if (waitMs > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, waitMs);
  }
}

/**
 * The real calls behind such an arm. A file's sync is two requests (its data, the journal), a folder's one; one of the whole
 * disk is one for each file that was written to since, and the journal.
 */
export function slowCalls(real: DiskCalls, disk: SlowDisk): { calls: DiskCalls; figures: () => SlowFigures } {
  const arm = new Arm(disk);
  const writeCost = disk.writes ? 1 : 0;
  /** since when a descriptor has data that is not durable, monotonic ms */
  const dirty = new Map<number, number>();
  let oldestMs = 0;
  const wrote = (fd: number, atMs: number) => {
    if (!dirty.has(fd)) dirty.set(fd, atMs);
  };
  const age = (sinceMs: number) => {
    oldestMs = Math.max(oldestMs, performance.now() - sinceMs);
  };
  /** Takes what is dirty before a sync, and notes its age after it. */
  async function syncing<T>(
    fds: Iterable<number>,
    requests: (files: number) => number,
    sync: () => Promise<T>,
  ) {
    const taken = [...fds].flatMap((fd) => {
      const sinceMs = dirty.get(fd);
      dirty.delete(fd);
      return sinceMs === undefined ? [] : [sinceMs];
    });
    await arm.wait(requests(taken.length));
    const answer = await sync();
    for (const sinceMs of taken) age(sinceMs);
    return answer;
  }
  const calls: DiskCalls = {
    writeNow(fd, bytes) {
      const atMs = performance.now();
      arm.block(writeCost);
      wrote(fd, atMs);
      return real.writeNow(fd, bytes);
    },
    async write(handle, bytes) {
      const atMs = performance.now();
      await arm.wait(writeCost);
      wrote(handle.fd, atMs);
      return real.write(handle, bytes);
    },
    syncFile: (handle) =>
      syncing(
        [handle.fd],
        () => 2,
        () => real.syncFile(handle),
      ),
    syncFolder: (folder) =>
      syncing(
        [],
        () => 1,
        () => real.syncFolder(folder),
      ),
    syncFiles: (fds) =>
      syncing(
        fds,
        () => 2 * fds.length,
        () => real.syncFiles(fds),
      ),
    syncDisk: () =>
      syncing(
        [...dirty.keys()],
        (files) => files + 1,
        () => real.syncDisk(),
      ),
  };
  return {
    calls,
    figures: () => {
      for (const sinceMs of dirty.values()) age(sinceMs);
      return { requests: arm.requests, longestWaitMs: arm.longestWaitMs, oldestMs };
    },
  };
}
