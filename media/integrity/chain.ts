import fs from 'node:fs/promises';
import path from 'node:path';
import { makeFolder, syncFolder } from '../../src/base/durable.js';
import { type ChainRecord, type Facts, readRecord, type Signer, sha256, writeRecord } from './record.js';

/** A record is far shorter; the day's record, which names every chain, is read whole. */
const TAIL_BYTES = 4096;
const NEWLINE = 0x0a;

/** Where a chain stands. */
export interface Head {
  /** records so far */
  n: number;
  /** SHA-256 of the last line, or the genesis */
  head: string;
}

interface End extends Head {
  /** where the last whole line ends, bytes */
  sizeBytes: number;
}

/** The whole lines of a chain's text, and what is torn behind them. */
export function linesOf(text: string): { lines: string[]; torn: string } {
  const lines = text.split('\n');
  const torn = lines.pop()!;
  return { lines, torn };
}

/**
 * The end of a chain, append only. Lines go in one after the other, each durable before the next; what a power cut
 * tore off is cut away first. Knows its head, so that a file made shorter meanwhile shows as a break.
 */
export class ChainFile {
  private end: End | null = null;
  private turn: Promise<unknown> = Promise.resolve();

  constructor(
    /** absolute */
    readonly file: string,
    private readonly genesis: string,
    /** the head known from elsewhere; the chain goes on from it even if the file is shorter */
    private readonly known: Head | null = null,
  ) {}

  /** Where it stands: what was appended here, or what the file says. Null when there is no record at all. */
  async head(): Promise<Head | null> {
    const { n, head } = this.end ?? (await this.look());
    return n === 0 ? null : { n, head };
  }

  /** Appends a record; resolves when it is durable. Throws what the file system throws; then nothing was appended. */
  append(facts: Facts, signer: Signer, atMs: number): Promise<ChainRecord> {
    const done = this.turn.then(() => this.appendNow(facts, signer, atMs));
    this.turn = done.catch(() => {});
    return done;
  }

  private async appendNow(facts: Facts, signer: Signer, atMs: number): Promise<ChainRecord> {
    const handle = await this.open();
    let end: End | null = null;
    try {
      const { size } = await handle.stat();
      end = this.end?.sizeBytes === size ? this.end : await this.endOf(handle, size);
      if (size > end.sizeBytes) await handle.truncate(end.sizeBytes);
      const line = writeRecord(facts, { n: end.n + 1, prev: end.head, at: atMs }, signer);
      const bytes = Buffer.from(`${line}\n`);
      const { bytesWritten } = await handle.write(bytes, 0, bytes.length, end.sizeBytes);
      if (bytesWritten !== bytes.length)
        throw Object.assign(new Error('the disk is full'), { code: 'ENOSPC' });
      await handle.datasync();
      this.end = { n: end.n + 1, head: sha256(line), sizeBytes: end.sizeBytes + bytes.length };
      return readRecord(line)!;
    } catch (error) {
      // what was written of the line is torn; the next append would cut it off as well
      if (end !== null) await handle.truncate(end.sizeBytes).catch(() => {});
      this.end = end;
      throw error;
    } finally {
      await handle.close().catch(() => {});
    }
  }

  private async open(): Promise<fs.FileHandle> {
    try {
      return await fs.open(this.file, 'r+');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
    await makeFolder(path.dirname(this.file));
    const handle = await fs.open(this.file, 'wx+', 0o640);
    try {
      await syncFolder(path.dirname(this.file));
      return handle;
    } catch (error) {
      // the next append makes it anew: this name may never be durable
      await handle.close();
      await fs.rm(this.file, { force: true });
      throw error;
    }
  }

  private async look(): Promise<End> {
    try {
      const handle = await fs.open(this.file, 'r');
      try {
        return await this.endOf(handle, (await handle.stat()).size);
      } finally {
        await handle.close();
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      return this.furthest({ n: 0, head: this.genesis, sizeBytes: 0 });
    }
  }

  /** The last whole line of the file; where that is no record, the lines are counted. */
  private async endOf(handle: fs.FileHandle, size: number): Promise<End> {
    for (const from of [Math.max(0, size - TAIL_BYTES), 0]) {
      const tail = Buffer.alloc(size - from);
      await handle.read(tail, 0, tail.length, from);
      const last = tail.lastIndexOf(NEWLINE);
      const before = last <= 0 ? -1 : tail.lastIndexOf(NEWLINE, last - 1);
      if (from > 0 && before < 0) continue;
      const sizeBytes = last < 0 ? from : from + last + 1;
      if (sizeBytes === 0) break;
      const line = tail.toString('utf8', before + 1, last);
      const read = readRecord(line);
      if (read === null && from > 0) continue;
      const lines = () => linesOf(tail.toString('utf8', 0, last + 1)).lines.length;
      return this.furthest({ n: read?.n ?? lines(), head: sha256(line), sizeBytes });
    }
    return this.furthest({ n: 0, head: this.genesis, sizeBytes: 0 });
  }

  /** What we know to have been written counts: a chain that was made shorter goes on behind the hole. */
  private furthest(found: End): End {
    const known = [this.end, this.known].filter((one) => one !== null && one.n > found.n);
    const [best] = known.sort((a, b) => b!.n - a!.n);
    return best ? { n: best.n, head: best.head, sizeBytes: found.sizeBytes } : found;
  }
}
