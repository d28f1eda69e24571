import fs, { type FileHandle } from 'node:fs/promises';
import type { Client } from '@libsql/client';

/** Why the index can't be relied on. */
export interface IndexFault {
  what: string;
  /** false: it may pass by itself, as a disk that is away for a moment */
  sure: boolean;
}

/** What an error of SQLite says of its file; null: nothing. */
export function faultOf(error: unknown): IndexFault | null {
  const { code } = error as { code?: unknown };
  if (typeof code !== 'string') return null;
  if (/^SQLITE_(CORRUPT|NOTADB)/.test(code)) return { what: code, sure: true };
  return /^SQLITE_(IOERR|READONLY|CANTOPEN)/.test(code) ? { what: code, sure: false } : null;
}

/** Every statement goes through the client: the one place where a broken file shows. */
export function watched(client: Client, onFault: (fault: IndexFault) => void): Client {
  const watch = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      const fault = faultOf(error);
      if (fault !== null) onFault(fault);
      throw error;
    }
  };
  const { execute, batch, executeMultiple } = client;
  client.execute = (statement) => watch(execute.call(client, statement));
  client.batch = (statements, mode) => watch(batch.call(client, statements, mode));
  client.executeMultiple = (sql) => watch(executeMultiple.call(client, sql));
  return client;
}

const HEADER = Buffer.from('SQLite format 3\0');

/**
 * Sees what SQLite does not: it goes on writing into a file that was deleted, and has in memory what was overwritten.
 * The file stays open as long as this: closing any descriptor of it would give up the locks that SQLite has on it.
 */
export class IndexFile {
  private constructor(
    private readonly file: string,
    private readonly handle: FileHandle,
  ) {}

  static async open(file: string): Promise<IndexFile> {
    return new IndexFile(file, await fs.open(file, 'r'));
  }

  /** One look, without SQLite. */
  async look(): Promise<IndexFault | null> {
    try {
      const there = await fs.stat(this.file, { bigint: true });
      if (there.ino !== (await this.handle.stat({ bigint: true })).ino)
        return { what: 'another file in its place', sure: true };
      const { buffer, bytesRead } = await this.handle.read(Buffer.alloc(HEADER.length), 0, HEADER.length, 0);
      return HEADER.equals(buffer.subarray(0, bytesRead)) ? null : { what: 'overwritten', sure: true };
    } catch (error) {
      // Its disk may only be away for a moment.
      return { what: (error as NodeJS.ErrnoException).code ?? 'unreadable', sure: false };
    }
  }

  /** After the database is closed. */
  close(): Promise<void> {
    return this.handle.close();
  }
}
