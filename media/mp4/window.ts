import type { FileHandle } from 'node:fs/promises';

/** Several fragments a read: reading on is quicker than asking again, and a clip needs the pictures anyway. */
export const WINDOW_BYTES = 512 * 1024;

/** Reads a file forward in small pieces; what is asked for next is mostly in the piece already read. */
export class Window {
  private buffer = Buffer.alloc(0);
  private piece = this.buffer;
  private from = 0;

  constructor(
    private readonly handle: FileHandle,
    private readonly fileBytes: number,
    private readonly pieceBytes = WINDOW_BYTES,
  ) {}

  /** `bytes` bytes from `at`, fewer at the end of the file; valid until the next call. */
  async upTo(at: number, bytes: number): Promise<Buffer> {
    const wanted = Math.max(0, Math.min(bytes, this.fileBytes - at));
    if (at < this.from || at + wanted > this.from + this.piece.length) {
      const size = Math.min(Math.max(wanted, this.pieceBytes), this.fileBytes - at);
      if (this.buffer.length < size) this.buffer = Buffer.allocUnsafeSlow(size);
      const filled = await readFully(this.handle, this.buffer.subarray(0, size), at);
      this.piece = this.buffer.subarray(0, filled);
      this.from = at;
    }
    return this.piece.subarray(at - this.from, at - this.from + wanted);
  }
}

/** Fills `buffer` from `at`; gives how much the file had. */
export async function readFully(handle: FileHandle, buffer: Buffer, at: number): Promise<number> {
  let filled = 0;
  while (filled < buffer.length) {
    const { bytesRead } = await handle.read(buffer, filled, buffer.length - filled, at + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return filled;
}
