import fs from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { z } from 'zod';
import { BackupFault } from './fault.js';
import { openStream, type SealOptions, sealStream } from './sealed-file.js';

/**
 * Inside the envelope: gzip of `u32 length, JSON, bytes` again and again. The first JSON is the manifest, the last one
 * `{kind:"end"}` with the count of files, each other one a file whose bytes follow.
 */
const manifest = z.object({
  kind: z.literal('manifest'),
  /** of the software that made it */
  version: z.string(),
  createdMs: z.number(),
  demo: z.boolean(),
  withReports: z.boolean(),
  /** as they were on the old machine, absolute */
  dataDir: z.string(),
  recordingsDir: z.string(),
  /** names of the migrations that each database had seen, by file name */
  migrations: z.record(z.string(), z.array(z.string())),
  /** what was there and does not lie in here, relative to the data folder */
  leftOut: z.array(z.string()),
});
export type Manifest = z.output<typeof manifest>;

/** The settings file's name inside a backup; every other path is relative to the data folder, with forward slashes. */
export const SETTINGS_ENTRY = '.env';

/** A file to be put into a backup, on disk or in memory. */
export type Source = { path: string } & ({ file: string } | { bytes: Buffer });

/** May a file of this name be written below a folder of ours? */
function isSafePath(name: string): boolean {
  return (
    !/[\\:\0]/.test(name) &&
    !path.posix.isAbsolute(name) &&
    name.split('/').every((part) => part !== '' && part !== '.' && part !== '..')
  );
}

const fileHead = z.object({
  kind: z.literal('file'),
  path: z.string().refine(isSafePath),
  sizeBytes: z.int().nonnegative(),
});
type FileHead = z.output<typeof fileHead>;
/** What is sealed was made by us, or by somebody with the passphrase: it is not believed unread. */
const head = z.discriminatedUnion('kind', [
  manifest,
  fileHead,
  z.object({ kind: z.literal('end'), files: z.int() }),
]);

const PIECE_BYTES = 64 * 1024;
/** A JSON head is never longer, bytes. */
const MOST_HEAD = 4 * 1024 * 1024;

function headBytes(head: object): Buffer {
  const json = Buffer.from(JSON.stringify(head));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(json.length);
  return Buffer.concat([length, json]);
}

const CHANGED = (name: string) =>
  new BackupFault('source-failed', `Tệp ${name} thay đổi trong lúc sao lưu. Hãy chạy lại npm run backup.`);

/** A failure of the disk that is backed up, told apart from one of the disk the backup goes to. */
const unreadable = (name: string) => (error: unknown) => {
  throw new BackupFault(
    'source-failed',
    `Không đọc được tệp dữ liệu ${name} (lỗi ${(error as NodeJS.ErrnoException).code ?? '?'}). Hãy xem quyền của tệp và chạy npm run doctor; các bản sao cũ vẫn còn nguyên.`,
    { cause: error },
  );
};

/** The bytes of one file as it is when it is opened, whatever takes its place meanwhile; one that is gone gives none. */
async function* writeFile(name: string, file: string): AsyncGenerator<Buffer, boolean> {
  const handle = await fs
    .open(file, 'r')
    .catch((error: NodeJS.ErrnoException) => (error.code === 'ENOENT' ? null : unreadable(name)(error)));
  if (handle === null) return false;
  try {
    const { size } = await handle.stat();
    const head: FileHead = { kind: 'file', path: name, sizeBytes: size };
    yield headBytes(head);
    for (let at = 0; at < size; ) {
      const piece = Buffer.alloc(Math.min(PIECE_BYTES, size - at));
      const { bytesRead } = await handle.read(piece, 0, piece.length, at).catch(unreadable(name));
      if (bytesRead === 0) throw CHANGED(name);
      yield piece.subarray(0, bytesRead);
      at += bytesRead;
    }
    return true;
  } finally {
    await handle.close();
  }
}

async function* writeEntries(manifest: Manifest, sources: Source[]): AsyncGenerator<Buffer> {
  yield headBytes(manifest);
  let files = 0;
  for (const source of sources) {
    if ('file' in source) {
      if (yield* writeFile(source.path, source.file)) files += 1;
      continue;
    }
    const head: FileHead = { kind: 'file', path: source.path, sizeBytes: source.bytes.length };
    yield headBytes(head);
    yield source.bytes;
    files += 1;
  }
  yield headBytes({ kind: 'end', files });
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

async function readHead(bytes: Bytes): Promise<z.output<typeof head>> {
  const length = (await bytes.exactly(4)).readUInt32BE();
  if (length > MOST_HEAD) throw inside();
  const json = (await bytes.exactly(length)).toString('utf8');
  try {
    return head.parse(JSON.parse(json));
  } catch {
    throw inside();
  }
}

async function readEntries(bytes: Bytes, take: TakeFile | undefined): Promise<ReadBackup> {
  const first = await readHead(bytes);
  if (first.kind !== 'manifest') throw inside();
  const files: ReadBackup['files'] = [];
  for (;;) {
    const next = await readHead(bytes);
    if (next.kind === 'end') {
      if (next.files !== files.length || !(await bytes.ended())) throw inside();
      return { manifest: first, files };
    }
    if (next.kind !== 'file') throw inside();
    const { path: name, sizeBytes } = next;
    let had = 0;
    const body = (async function* () {
      for await (const piece of bytes.upTo(sizeBytes)) {
        had += piece.length;
        yield piece;
      }
    })();
    if (take !== undefined) await take(name, body, sizeBytes);
    for await (const _rest of body);
    if (had !== sizeBytes) throw inside();
    files.push({ path: name, sizeBytes });
  }
}
