import { writevSync } from 'node:fs';
import fs, { type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { makeFolder, makeFolders, syncFolder } from '../../src/base/durable.js';
import type { Log } from '../../src/base/log.js';
import type { DiskKind } from './disk-kind.js';
import { type Syncable, SyncClock, type Synced } from './sync-clock.js';
import { type SyncFault, SyncThread } from './sync-thread.js';
import { WritePace } from './write-pace.js';

/** What was written is synced so often, ms (README, promise 2). */
const SYNC_EVERY_MS: Record<DiskKind, number> = { ssd: 1200, hdd: 3000 };

/** While a sync lasts longer than this the disk may stand still, and a write with it, ms. */
const LONG_SYNC_MS = 300;

/**
 * For so long after a sync of the whole disk failed, files are synced one by one, ms: longer than a file is open. A fault is
 * told to the first such sync alone, and may be that of a file written to while it ran.
 */
const DISTRUST_MS = 10 * 60_000;

/** A power cut costs at most so much, ms (README, promise 2). */
export const POWER_CUT_MS: Record<DiskKind, number> = { ssd: 2000, hdd: 5000 };

/** What recording asks of a disk, and may have to wait for. */
export interface DiskCalls {
  /** writes on this thread; bytes written */
  writeNow(fd: number, bytes: Buffer[]): number;
  /** bytes written */
  write(handle: FileHandle, bytes: Buffer[]): Promise<number>;
  syncFile(handle: FileHandle): Promise<void>;
  syncFolder(folder: string): Promise<void>;
  /** many files, one by one; which failed */
  syncFiles(fds: number[]): Promise<SyncFault[]>;
  /** everything on the disk at once; false: not possible, or not all of it */
  syncDisk(): Promise<boolean>;
}

/** The disk that a folder lies on. */
export function diskCalls(root: string): DiskCalls {
  const thread = new SyncThread();
  return {
    writeNow: writevSync,
    write: async (handle, bytes) => (await handle.writev(bytes)).bytesWritten,
    syncFile: (handle) => handle.datasync(),
    syncFolder,
    syncFiles: (fds) => thread.files(fds),
    syncDisk: () => thread.disk(root),
  };
}

/** The disk that all cameras record to: writes, and makes durable as that kind of disk can bear it. */
export class RecordingDisk {
  private readonly pace = new WritePace();
  private readonly clock: SyncClock;
  /** folders with new names that wait for the next sync */
  private readonly changed = new Set<string>();
  private complained = false;
  /** the disk is synced as a whole from then on, monotonic ms */
  private wholeAgainMs = 0;

  constructor(
    readonly kind: DiskKind,
    private readonly calls: DiskCalls,
    private readonly log: Log,
  ) {
    this.clock = new SyncClock(SYNC_EVERY_MS[kind], (fds) => this.sync(fds));
  }

  /** How old the oldest data is that a power cut might still take, ms. */
  get unsyncedMs(): number {
    return this.clock.ageMs;
  }

  /** A new file. On an SSD its name is durable at once, on a spinning disk with the next sync. */
  async create(file: string): Promise<FileHandle> {
    const folder = path.dirname(file);
    if (this.kind === 'hdd') for (const parent of await makeFolders(folder)) this.changed.add(parent);
    else await makeFolder(folder);
    const handle = await fs.open(file, 'wx', 0o640);
    try {
      if (this.kind === 'hdd') this.changed.add(folder);
      else await this.calls.syncFolder(folder);
      return handle;
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Whether a write may be made on this thread. */
  get atOnce(): boolean {
    return this.pace.atOnce && this.clock.lastsMs < LONG_SYNC_MS;
  }

  /** Writes on this thread; bytes written. */
  writeNow(fd: number, bytes: Buffer[]): number {
    return this.pace.measure(() => this.calls.writeNow(fd, bytes));
  }

  /** Bytes written. */
  write(handle: FileHandle, bytes: Buffer[]): Promise<number> {
    return this.calls.write(handle, bytes);
  }

  /** Something was written to the file: it is synced with all others, in time. */
  written(file: Syncable): void {
    this.clock.add(file);
  }

  /** Resolves once no sync of ours uses the file; whoever wrote it closes it. */
  forget(file: Syncable): Promise<void> {
    return this.clock.forget(file);
  }

  /** Makes a file's data durable, that of a spinning disk together with all others that close just now. */
  async syncFile(handle: FileHandle): Promise<void> {
    if (!(await this.whole())) await this.calls.syncFile(handle);
  }

  /** Makes a file's new name durable, in the same way. */
  async syncName(file: string): Promise<void> {
    if (!(await this.whole())) await this.calls.syncFolder(path.dirname(file));
  }

  private async whole(): Promise<boolean> {
    return this.kind === 'hdd' && (await this.clock.whole());
  }

  private async sync(fds: number[]): Promise<Synced> {
    const folders = [...this.changed];
    this.changed.clear();
    if (this.kind === 'hdd' && performance.now() >= this.wholeAgainMs) {
      if (await this.calls.syncDisk()) {
        this.complained = false;
        return { whole: true, faults: [] };
      }
      if (!this.complained)
        this.log.warn(
          'the disk can not be synced as a whole (sync -f): for a while files are synced one by one',
        );
      this.complained = true;
      this.wholeAgainMs = performance.now() + DISTRUST_MS;
    }
    const faults = await this.calls.syncFiles(fds);
    for (const folder of folders)
      await this.calls.syncFolder(folder).catch((error: Error) => {
        for (const fd of fds) faults.push({ fd, error });
      });
    return { whole: false, faults };
  }
}
