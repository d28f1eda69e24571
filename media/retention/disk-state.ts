import fs from 'node:fs/promises';
import path from 'node:path';
import type { RetentionOptions } from './retention.js';

/** Free for so much recording is wanted on any disk, ms, as long as that is at most this share of the disk. */
const AHEAD_MS = 120_000;
const AHEAD_SHARE = 0.05;

export interface Disk {
  freeBytes: number;
  totalBytes: number;
}

/** Bytes to keep free: the larger of the two limits. */
export const wantedFree = (disk: Disk, minFreeBytes: number, minFreePercent: number) =>
  Math.max(minFreeBytes, (disk.totalBytes * minFreePercent) / 100);

export async function readDisk(root: string): Promise<Disk> {
  const { bavail, blocks, bsize } = await fs.statfs(root);
  return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
}

/** Finds out what a disk's figures don't tell: that it fails, or is read-only. */
export async function tryDisk(root: string): Promise<void> {
  await fs.access(root, fs.constants.R_OK | fs.constants.W_OK);
  const file = path.join(root, '.write-test');
  const handle = await fs.open(file, 'w', 0o640);
  try {
    await handle.writeFile(Buffer.alloc(4096));
    await handle.sync();
  } finally {
    await handle.close();
    await fs.rm(file, { force: true });
  }
}

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code ?? 'unknown';

/** How the disk is: room, full, failing. Tells when that changes. */
export class DiskState {
  /** as last read; null before, or while the disk can't be read */
  disk: Disk | null = null;
  /** the disk refused a write for want of space, this round */
  full = false;
  /** the pace of recording, bytes a ms */
  rate = 0;
  private state: 'ok' | 'low' | 'failing' = 'ok';

  constructor(
    private readonly options: Pick<
      RetentionOptions,
      'root' | 'readDisk' | 'tryDisk' | 'tell' | 'minFreeBytes' | 'minFreePercent'
    >,
  ) {}

  get low(): boolean {
    return this.state === 'low';
  }

  /** Reads its figures; throws, and tells, when it can't. */
  async look(): Promise<Disk> {
    try {
      this.disk = await (this.options.readDisk ?? readDisk)(this.options.root);
      return this.disk;
    } catch (error) {
      this.disk = null;
      this.tellFailing(codeOf(error));
      throw error;
    }
  }

  /** Whether the disk takes anything; a full one is no failing one. */
  async tryIt(): Promise<void> {
    try {
      await (this.options.tryDisk ?? tryDisk)(this.options.root);
      this.full = false;
    } catch (error) {
      this.full = ['ENOSPC', 'EDQUOT'].includes(codeOf(error));
      if (this.full) return;
      this.disk = null;
      this.tellFailing(codeOf(error));
      throw error;
    }
  }

  private tellFailing(code: string): void {
    if (this.state !== 'failing') this.options.tell('disk-failing', null, { code });
    this.state = 'failing';
  }

  /** The space without which recording stops within minutes, bytes. */
  private leastFree(totalBytes: number): number {
    return Math.min(this.rate * AHEAD_MS, totalBytes * AHEAD_SHARE);
  }

  /** Bytes to keep free now. */
  wanted(disk: Disk): number {
    const { minFreeBytes, minFreePercent } = this.options;
    return Math.max(wantedFree(disk, minFreeBytes, minFreePercent), this.leastFree(disk.totalBytes));
  }

  /** Recording is about to stop, or has stopped, for want of room. */
  isShort(disk: Disk): boolean {
    return this.full || disk.freeBytes < this.leastFree(disk.totalBytes);
  }

  /** Whether there is room enough; tells when that changed. `deleting`: old recordings go for it. */
  judge(disk: Disk, deleting = true): void {
    const state = this.full || disk.freeBytes < this.wanted(disk) ? 'low' : 'ok';
    if (state === this.state) return;
    this.state = state;
    const { freeBytes, totalBytes } = disk;
    if (state === 'low') this.options.tell('disk-low', null, { freeBytes, totalBytes, deleting });
    else this.options.tell('disk-ok', null, { freeBytes, totalBytes });
  }
}
