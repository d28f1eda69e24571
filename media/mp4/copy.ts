/** Puts a file together from stretches of other files, a megabyte at a time. */
import { type FileHandle, open, rm } from 'node:fs/promises';
import { WorldError } from '../../src/base/errors.js';
import { readFully } from './window.js';

export type Source = { path: string; offset: number; size: number } | { bytes: Buffer };

const BLOCK_BYTES = 1024 * 1024;

/** A file lost its end between being looked at and being copied. */
export class CutShort extends Error {}

/**
 * Writes `head` and then every source to `outPath`; nothing is left there when it fails.
 * WorldError: no-footage (a file has gone, cause ENOENT, or is shorter than it was, cause CutShort), disk-full, cancelled.
 */
export async function writeMedia(
  outPath: string,
  head: Buffer,
  sources: Source[],
  options: { onBytes?: (bytes: number) => void; signal?: AbortSignal | undefined },
): Promise<void> {
  const out = await open(outPath, 'w');
  const reader = new StretchReader();
  try {
    let batch: Buffer[] = [head];
    let batchBytes = head.length;
    const flush = async () => {
      if (options.signal?.aborted) throw new WorldError('cancelled', 'the clip was cancelled');
      await writeAll(out, batch);
      options.onBytes?.(batchBytes);
      batch = [];
      batchBytes = 0;
    };
    for (const [i, source] of sources.entries()) {
      if ('bytes' in source) {
        batch.push(source.bytes);
        batchBytes += source.bytes.length;
      } else {
        for (let done = 0; done < source.size; ) {
          const piece = await reader.read(source.path, source.offset + done, source.size - done, () =>
            blockFrom(sources, i),
          );
          batch.push(piece);
          batchBytes += piece.length;
          done += piece.length;
          if (batchBytes >= BLOCK_BYTES) await flush();
        }
      }
      if (batchBytes >= BLOCK_BYTES) await flush();
    }
    await flush();
    await out.close();
  } catch (error) {
    await out.close().catch(() => {});
    await rm(outPath, { force: true });
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC')
      throw new WorldError('disk-full', 'no space left for the clip', { cause: error });
    throw error;
  } finally {
    await reader.close();
  }
}

/** How far into the file of source `i` the sources after it go on, within a block. */
function blockFrom(sources: Source[], i: number): number {
  const first = sources[i]!;
  if ('bytes' in first) return 0;
  let end = first.offset + first.size;
  for (let next = i + 1; next < sources.length; next++) {
    const source = sources[next]!;
    if ('bytes' in source) continue;
    if (source.path !== first.path || source.offset < first.offset) break;
    const reach = Math.max(end, source.offset + source.size);
    if (reach - first.offset > BLOCK_BYTES) break;
    end = reach;
  }
  return end;
}

/** Reads stretches that mostly lie one after the other: many of them with one read. */
class StretchReader {
  private path: string | null = null;
  private handle: FileHandle | null = null;
  private block = Buffer.alloc(0);
  private from = 0;

  /** Up to `size` bytes from `offset`, at least one. `until` tells how far it pays to read on. */
  async read(path: string, offset: number, size: number, until: () => number): Promise<Buffer> {
    if (path !== this.path) await this.change(path);
    if (offset < this.from || offset >= this.from + this.block.length) {
      const bytes = Math.min(BLOCK_BYTES, Math.max(size, until() - offset));
      const block = Buffer.allocUnsafe(bytes);
      const filled = await readFully(this.handle!, block, offset);
      if (filled < Math.min(size, bytes))
        throw new WorldError('no-footage', 'a segment is shorter than it was', { cause: new CutShort() });
      this.block = block.subarray(0, filled);
      this.from = offset;
    }
    return this.block.subarray(offset - this.from, offset - this.from + size);
  }

  private async change(path: string): Promise<void> {
    await this.close();
    try {
      this.handle = await open(path, 'r');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT')
        throw new WorldError('no-footage', 'a segment has gone', { cause: error });
      throw error;
    }
    this.path = path;
    this.block = Buffer.alloc(0);
  }

  async close(): Promise<void> {
    await this.handle?.close();
    this.handle = null;
    this.path = null;
  }
}

async function writeAll(out: FileHandle, pieces: Buffer[]): Promise<void> {
  // writev takes at most 1024 pieces on Linux
  for (let from = 0; from < pieces.length; from += 1000) {
    let batch = pieces.slice(from, from + 1000);
    let left = batch.reduce((sum, piece) => sum + piece.length, 0);
    while (left > 0) {
      const { bytesWritten } = await out.writev(batch);
      left -= bytesWritten;
      if (left > 0) batch = [Buffer.concat(batch).subarray(bytesWritten)];
    }
  }
}
