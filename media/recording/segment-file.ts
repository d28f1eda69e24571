import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import type { Fragment, StreamInit } from '../fragment.js';
import { prftFor } from '../mp4/prft.js';
import { describeFragment, type FileFragment } from '../mp4/scan.js';
import type { RecordingDisk } from './disk.js';
import type { Syncable } from './sync-clock.js';

/** More than this waiting to be written: the disk can't follow. */
const PENDING_BYTES = 32 * 1024 * 1024;

/** A hash of what is written, piece by piece. */
export interface ByteHash {
  update(bytes: Buffer): unknown;
  digest(encoding: 'hex'): string;
}

const sha256 = (): ByteHash => createHash('sha256');

/** What is still to be written: copies, since a fragment's bytes are only lent. */
interface Piece {
  bytes: Buffer[];
  size: number;
  description: FileFragment | null;
}

/**
 * The file of one segment while it is written: `ftyp moov (prft moof mdat)*`. `push` never waits: it writes at once
 * where that is quick, else one writer at a time appends what is pending. The first error is told once by `onError`;
 * nothing is written after it. Linux tells a failed sync once and forgets the pages: what was not durable before it is
 * never believed again, whatever a later sync says.
 */
export class SegmentFile implements Syncable {
  /** every fragment that is in the file */
  readonly fragments: FileFragment[] = [];
  writtenBytes = 0;
  /** its first so many bytes are durable, as far as is known */
  durableBytes = 0;
  private pending: Piece[] = [];
  private pendingBytes = 0;
  /** where the next fragment will begin */
  private offset = 0;
  private handle: FileHandle | null = null;
  private writer: Promise<void> | null = null;
  private waiters: (() => void)[] = [];
  private failed = false;
  /** a sync failed */
  private doubtful = false;
  /** of the bytes that are in the file */
  private readonly hash: ByteHash;
  /** SHA-256 of the finished file, hex; null while it is written, and where a failing disk leaves that to be read */
  sha256: string | null = null;
  /** lent to each write in turn */
  private prft: Buffer | undefined;

  constructor(
    /** absolute, ends in `.recording.mp4` */
    readonly file: string,
    readonly init: StreamInit,
    private readonly disk: RecordingDisk,
    private readonly onError: (error: unknown) => void,
    makeHash: () => ByteHash = sha256,
  ) {
    this.hash = makeHash();
    this.append([init.bytes], null);
  }

  /** Takes a fragment; it will be in the file soon. */
  push(fragment: Fragment): void {
    const prft = prftFor(fragment, this.init, this.prft);
    this.prft = prft;
    this.append([prft, fragment.bytes], describeFragment(fragment, this.offset + prft.length));
  }

  private append(bytes: Buffer[], description: FileFragment | null): void {
    if (this.failed) return;
    const size = sizeOf(bytes);
    this.offset += size;
    if (this.writer === null && this.handle !== null && this.disk.atOnce) {
      const { fd } = this.handle;
      try {
        this.wrote([{ bytes, size, description }], this.disk.writeNow(fd, bytes));
      } catch (error) {
        this.fail(error);
      }
      return;
    }
    this.pendingBytes += size;
    this.pending.push({ bytes: bytes.map((piece) => Buffer.from(piece)), size, description });
    if (this.pendingBytes > PENDING_BYTES) this.fail(new Error('the disk does not keep up'));
    else this.writer ??= this.writePending().finally(() => (this.writer = null));
  }

  private fail(error: unknown): void {
    if (this.failed) return;
    this.failed = true;
    this.pending = [];
    this.onError(error);
  }

  /** Takes note of what is in the file now. Throws when less was written than should be. */
  private wrote(pieces: Piece[], bytesWritten: number): void {
    const size = pieces.reduce((sum, piece) => sum + piece.size, 0);
    if (bytesWritten !== size) throw Object.assign(new Error('the disk is full'), { code: 'ENOSPC' });
    this.writtenBytes += size;
    for (const { bytes, description } of pieces) {
      for (const piece of bytes) this.hash.update(piece);
      if (description !== null) this.fragments.push(description);
    }
    for (const wake of this.waiters.splice(0)) wake();
    this.disk.written(this);
  }

  private async writePending(): Promise<void> {
    try {
      this.handle ??= await this.disk.create(this.file);
      while (this.pending.length > 0 && !this.failed) {
        const batch = this.pending;
        this.pending = [];
        const bytes = batch.flatMap((piece) => piece.bytes);
        const bytesWritten = await this.disk.write(this.handle, bytes);
        this.wrote(batch, bytesWritten);
        this.pendingBytes -= bytesWritten;
      }
    } catch (error) {
      this.fail(error);
    }
  }

  get fd(): number | null {
    return this.handle?.fd ?? null;
  }

  synced(bytes: number): void {
    if (!this.doubtful) this.durableBytes = bytes;
  }

  syncFailed(error: unknown): void {
    this.doubtful = true;
    this.fail(error);
  }

  /** Resolves after the next write; the caller looks again whether what it wants is there. */
  nextWrite(): Promise<void> {
    return new Promise((resolve) => this.waiters.push(resolve));
  }

  /**
   * Writes what is pending, syncs, closes; after a failed sync only what was durable before it stays. False when nothing
   * whole could be kept. Throws when the file can't be left so: recovery must cut it behind `durableBytes`.
   */
  async finish(): Promise<boolean> {
    while (this.writer !== null) await this.writer;
    for (const wake of this.waiters.splice(0)) wake();
    if (this.handle === null) return false;
    await this.disk.forget(this);
    const { handle } = this;
    this.handle = null;
    try {
      if (!this.doubtful) await this.syncAll(handle);
      if (this.doubtful) await this.cutBack(handle);
      else if (!this.failed) this.sha256 = this.hash.digest('hex');
    } finally {
      await handle.close().catch(() => {});
    }
    return this.fragments.length > 0;
  }

  private async syncAll(handle: FileHandle): Promise<void> {
    // After a failed write a torn fragment may stand at the end.
    if (this.failed) await handle.truncate(this.writtenBytes);
    try {
      await this.disk.syncFile(handle);
      this.synced(this.writtenBytes);
    } catch (error) {
      this.syncFailed(error);
    }
  }

  /** Leaves the whole fragments that are durable. */
  private async cutBack(handle: FileHandle): Promise<void> {
    const ends = this.fragments.map(({ offset, size }) => offset + size);
    this.fragments.length = ends.filter((end) => end <= this.durableBytes).length;
    this.writtenBytes = ends[this.fragments.length - 1] ?? 0;
    if (this.writtenBytes === 0) return;
    await handle.truncate(this.writtenBytes);
    await this.disk.syncFile(handle);
  }
}

const sizeOf = (bytes: Buffer[]) => bytes.reduce((sum, piece) => sum + piece.length, 0);
