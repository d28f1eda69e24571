import { writevSync } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import type { Fragment, StreamInit } from '../fragment.js';
import { prftFor } from '../mp4/prft.js';
import { describeFragment, type FileFragment } from '../mp4/scan.js';
import { writePace } from './write-pace.js';

/** Written data is synced when the last sync is this long ago, ms. */
const SYNC_EVERY_MS = 1500;
/** More than this waiting to be written: the disk can't follow. */
const PENDING_BYTES = 32 * 1024 * 1024;

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
  const first = await fs.mkdir(folder, { recursive: true });
  if (first === undefined) return;
  for (let at = path.dirname(folder); ; at = path.dirname(at)) {
    await syncFolder(at);
    if (at === path.dirname(first) || at === path.dirname(at)) return;
  }
}

/**
 * The file of one segment while it is written: `ftyp moov (prft moof mdat)*`. `push` never waits; one writer at a
 * time appends what is pending. The first error is told once by `onError`; nothing is written after it.
 */
export class SegmentFile {
  /** every fragment that is in the file */
  readonly fragments: FileFragment[] = [];
  writtenBytes = 0;
  private pending: { bytes: Buffer[]; description: FileFragment | null }[] = [];
  private pendingBytes = 0;
  /** where the next fragment will begin */
  private offset = 0;
  private handle: fs.FileHandle | null = null;
  private writer: Promise<void> | null = null;
  private waiters: (() => void)[] = [];
  private lastSyncMs = performance.now();
  private failed = false;

  constructor(
    /** absolute, ends in `.recording.mp4` */
    readonly file: string,
    readonly init: StreamInit,
    private readonly onError: (error: unknown) => void,
  ) {
    this.append([init.bytes], null);
  }

  /** Takes a fragment; it will be in the file soon. */
  push(fragment: Fragment): void {
    const prft = prftFor(fragment, this.init);
    const description = {
      ...describeFragment(fragment, this.offset + prft.length),
      arrivedMs: fragment.arrivedMs,
    };
    this.append([prft, fragment.bytes], description);
  }

  private append(bytes: Buffer[], description: FileFragment | null): void {
    if (this.failed) return;
    const size = bytes.reduce((sum, piece) => sum + piece.length, 0);
    this.offset += size;
    this.pendingBytes += size;
    this.pending.push({ bytes, description });
    if (this.pendingBytes > PENDING_BYTES) this.fail(new Error('the disk does not keep up'));
    else this.writer ??= this.write().finally(() => (this.writer = null));
  }

  private fail(error: unknown): void {
    if (this.failed) return;
    this.failed = true;
    this.pending = [];
    this.onError(error);
  }

  private async write(): Promise<void> {
    try {
      if (this.handle === null) {
        await makeFolder(path.dirname(this.file));
        this.handle = await fs.open(this.file, 'wx', 0o640);
        await syncFolder(path.dirname(this.file));
      }
      while (this.pending.length > 0 && !this.failed) {
        const batch = this.pending;
        this.pending = [];
        const bytes = batch.flatMap((item) => item.bytes);
        const size = bytes.reduce((sum, piece) => sum + piece.length, 0);
        const bytesWritten = await this.writeNow(this.handle, bytes);
        if (bytesWritten !== size) throw Object.assign(new Error('the disk is full'), { code: 'ENOSPC' });
        this.writtenBytes += size;
        this.pendingBytes -= size;
        for (const { description } of batch) if (description !== null) this.fragments.push(description);
        for (const wake of this.waiters.splice(0)) wake();
        if (performance.now() - this.lastSyncMs >= SYNC_EVERY_MS) {
          this.lastSyncMs = performance.now();
          await this.handle.datasync();
        }
      }
    } catch (error) {
      this.fail(error);
    }
  }

  private writeNow({ fd }: fs.FileHandle, bytes: Buffer[]): number | Promise<number> {
    if (writePace.atOnce) return writePace.measure(() => writevSync(fd, bytes));
    return this.handle!.writev(bytes).then(({ bytesWritten }) => bytesWritten);
  }

  /** Resolves after the next write; the caller looks again whether what it wants is there. */
  nextWrite(): Promise<void> {
    return new Promise((resolve) => this.waiters.push(resolve));
  }

  /** Writes what is pending, syncs, closes. False when nothing whole could be kept. */
  async finish(): Promise<boolean> {
    while (this.writer !== null) await this.writer;
    for (const wake of this.waiters.splice(0)) wake();
    if (this.handle === null) return false;
    const { handle } = this;
    this.handle = null;
    try {
      // After a failed write a torn fragment may stand at the end.
      if (this.failed) await handle.truncate(this.writtenBytes);
      await handle.datasync();
    } catch (error) {
      this.fail(error);
    } finally {
      await handle.close().catch(() => {});
    }
    return this.fragments.length > 0;
  }
}
