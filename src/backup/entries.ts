import { createReadStream } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { BackupFault } from './fault.js';
import { openStream, type SealOptions, sealStream } from './sealed-file.js';

/**
 * Inside the envelope: gzip of `u32 length, JSON, bytes` again and again. The first JSON is the manifest, the last one
 * `{kind:"end"}` with the count of files, each other one a file whose bytes follow.
 */
export interface Manifest {
  kind: 'manifest';
  /** of the software that made it */
  version: string;
  createdMs: number;
  demo: boolean;
  withReports: boolean;
  /** as they were on the old machine, absolute */
  dataDir: string;
  recordingsDir: string;
  /** names of the migrations that each database had seen, by file name */
  migrations: Record<string, string[]>;
  /** what was there and does not lie in here, relative to the data folder */
  leftOut: string[];
}

/** The settings file's name inside a backup; every other path is relative to the data folder, with forward slashes. */
export const SETTINGS_ENTRY = '.env';

/** A file to be put into a backup, on disk or in memory. */
export type Source = { path: string } & ({ file: string } | { bytes: Buffer });

interface FileHead {
  kind: 'file';
  path: string;
  sizeBytes: number;
}

/** A JSON head is never longer, bytes. */
const MOST_HEAD = 4 * 1024 * 1024;

function headBytes(head: object): Buffer {
  const json = Buffer.from(JSON.stringify(head));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(json.length);
  return Buffer.concat([length, json]);
}

async function* writeEntries(manifest: Manifest, sources: Source[]): AsyncGenerator<Buffer> {
  yield headBytes(manifest);
  for (const source of sources) {
    if ('bytes' in source) {
      const head: FileHead = { kind: 'file', path: source.path, sizeBytes: source.bytes.length };
      yield headBytes(head);
      yield source.bytes;
      continue;
    }
    const { size } = await fs.stat(source.file);
    const head: FileHead = { kind: 'file', path: source.path, sizeBytes: size };
    yield headBytes(head);
    let sent = 0;
    if (size > 0)
      for await (const piece of createReadStream(source.file, { end: size - 1 })) {
        sent += (piece as Buffer).length;
        yield piece as Buffer;
      }
    if (sent !== size)
      throw new BackupFault(
        'source-failed',
        `Tệp ${source.path} thay đổi trong lúc sao lưu. Hãy chạy lại npm run backup.`,
      );
  }
  yield headBytes({ kind: 'end', files: sources.length });
}

/** The bytes of a whole backup. */
export async function* writeBackup(
  manifest: Manifest,
  sources: Source[],
  passphrase: string,
  options: SealOptions = {},
): AsyncGenerator<Buffer> {
  // level 1: databases shrink to a third, and the recorder keeps its processor
  const gzip = createGzip({ level: 1 });
  const plain = Readable.from(writeEntries(manifest, sources));
  plain.on('error', (error) => gzip.destroy(error));
  plain.pipe(gzip);
  try {
    yield* sealStream(gzip, passphrase, options);
  } finally {
    plain.destroy();
    gzip.destroy();
  }
}

/** Takes exact numbers of bytes from a stream of pieces. */
class Bytes {
  private held: Buffer = Buffer.alloc(0);
  private readonly pieces: AsyncIterator<Buffer>;

  constructor(source: AsyncIterable<Buffer>) {
    this.pieces = source[Symbol.asyncIterator]();
  }

  private async more(): Promise<boolean> {
    if (this.held.length > 0) return true;
    const { value, done } = await this.pieces.next();
    if (done === true) return false;
    this.held = value;
    return true;
  }

  /** Gives out up to `length` bytes in pieces; fewer only at the end. */
  async *upTo(length: number): AsyncGenerator<Buffer> {
    for (let left = length; left > 0 && (await this.more()); ) {
      const piece = this.held.subarray(0, left);
      this.held = this.held.subarray(piece.length);
      left -= piece.length;
      if (piece.length > 0) yield piece;
    }
  }

  async exactly(length: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    for await (const piece of this.upTo(length)) parts.push(piece);
    const whole = Buffer.concat(parts);
    if (whole.length < length) throw inside();
    return whole;
  }

  async ended(): Promise<boolean> {
    while (await this.more()) if (this.held.length > 0) return false;
    return true;
  }
}

/** What was sealed is not what we write: made by a fault of ours, or by somebody with the passphrase. */
const inside = () =>
  new BackupFault('damaged', 'Nội dung trong tệp sao lưu không đúng dạng. Hãy dùng bản sao khác.');

/** May a file of this name be written below a folder of ours? */
const isSafePath = (name: string) =>
  name !== '' &&
  !/[\\:\0]/.test(name) &&
  !path.posix.isAbsolute(name) &&
  name.split('/').every((part) => part !== '' && part !== '.' && part !== '..');

/** Takes one file of a backup; must read all of `bytes`. */
export type TakeFile = (path: string, bytes: AsyncIterable<Buffer>, sizeBytes: number) => Promise<void>;

export interface ReadBackup {
  manifest: Manifest;
  files: { path: string; sizeBytes: number }[];
}

/**
 * Reads a backup from its first to its last byte and gives each file to `take`; without it, it only checks.
 * @throws BackupFault when it is not whole, or the passphrase is wrong
 */
export async function readBackup(file: string, passphrase: string, take?: TakeFile): Promise<ReadBackup> {
  const handle = await fs.open(file, 'r').catch((error: NodeJS.ErrnoException) => {
    throw new BackupFault(
      'not-found',
      `Không mở được tệp ${file} (lỗi ${error.code ?? '?'}). Hãy xem lại đường dẫn.`,
      {
        cause: error,
      },
    );
  });
  try {
    const sealed = Readable.from(openStream(handle, passphrase));
    const gunzip = createGunzip();
    sealed.on('error', (error) => gunzip.destroy(error));
    // the gzip may end before the envelope's own last look
    const whole = finished(sealed);
    whole.catch(() => {});
    sealed.pipe(gunzip);
    try {
      const read = await readEntries(new Bytes(gunzip), take);
      await whole;
      return read;
    } catch (error) {
      // Z_DATA_ERROR and the like: what opened is no gzip
      throw error instanceof Error && /^(Z_|ERR_)/.test((error as NodeJS.ErrnoException).code ?? '')
        ? inside()
        : error;
    } finally {
      sealed.destroy();
      gunzip.destroy();
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EISDIR')
      throw new BackupFault('not-a-backup', `${file} là thư mục, không phải tệp sao lưu.`);
    throw error;
  } finally {
    await handle.close();
  }
}

async function readHead(bytes: Bytes): Promise<Manifest | FileHead | { kind: 'end'; files: number }> {
  const length = (await bytes.exactly(4)).readUInt32BE();
  if (length > MOST_HEAD) throw inside();
  const json = (await bytes.exactly(length)).toString('utf8');
  try {
    return JSON.parse(json);
  } catch {
    throw inside();
  }
}

async function readEntries(bytes: Bytes, take: TakeFile | undefined): Promise<ReadBackup> {
  const manifest = await readHead(bytes);
  if (manifest.kind !== 'manifest') throw inside();
  const files: ReadBackup['files'] = [];
  for (;;) {
    const head = await readHead(bytes);
    if (head.kind === 'end') {
      if (head.files !== files.length || !(await bytes.ended())) throw inside();
      return { manifest, files };
    }
    if (head.kind !== 'file' || !isSafePath(head.path) || !Number.isSafeInteger(head.sizeBytes))
      throw inside();
    let had = 0;
    const body = (async function* () {
      for await (const piece of bytes.upTo(head.sizeBytes)) {
        had += piece.length;
        yield piece;
      }
    })();
    if (take !== undefined) await take(head.path, body, head.sizeBytes);
    for await (const _rest of body);
    if (had !== head.sizeBytes) throw inside();
    files.push({ path: head.path, sizeBytes: head.sizeBytes });
  }
}
