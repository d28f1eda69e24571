import {
  createCipheriv,
  createDecipheriv,
  createHash,
  randomBytes,
  scrypt,
  timingSafeEqual,
} from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { BackupFault } from './fault.js';

/**
 * The envelope of a backup: a header, then chunks. Integers are big-endian.
 *
 * Header, 78 bytes: magic (16) · format u16 · log2 N u8 · r u8 · p u8 · 0 u8 · chunk size u32 · salt (16) · key check
 * (20) · SHA-256 of all before it, first 16 bytes. scrypt(passphrase in NFC, salt, N, r, p) gives 64 bytes: the key of
 * the chunks (32) and the key check's (32, of which SHA-256 over itself and the header's begin is kept), so that a
 * wrong passphrase is told from a damaged file.
 *
 * Chunk: index u32 · last u8 · length u32 · SHA-256 of the header's hash and these nine bytes, first 4 · AES-256-GCM
 * of the bytes · tag (16). The nonce is the index (the key is of this file only), the additional data the header's hash
 * and the nine bytes. Every chunk but the last is full. So a file that ends early has no last chunk, a moved chunk
 * opens under another index than its place, and anything else that opens nowhere was changed.
 */
export interface ScryptCost {
  /** log2 of N; memory is 128 · N · r bytes */
  logN: number;
  r: number;
  p: number;
}

/** 128 MiB and about half a second on a small machine: what one guess costs. */
export const SCRYPT_COST: ScryptCost = { logN: 17, r: 8, p: 1 };
const CHUNK_BYTES = 256 * 1024;

const MAGIC = Buffer.from('MAT-THAN BACKUP\n', 'latin1');
const FORMAT = 1;
const SALT_AT = MAGIC.length + 10;
const CHECK_AT = SALT_AT + 16;
const SUM_AT = CHECK_AT + 20;
export const HEADER_BYTES = SUM_AT + 16;
const FRAME_BYTES = 9;
const FRAME_SUM_BYTES = 4;
const TAG_BYTES = 16;
/** A header may not make us take more memory than this, bytes. */
const MOST_MEMORY = 512 * 1024 * 1024;

const sha256 = (...parts: Uint8Array[]) => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
};

function derive(passphrase: string, salt: Uint8Array, { logN, r, p }: ScryptCost): Promise<Buffer> {
  const N = 2 ** logN;
  return new Promise((resolve, reject) =>
    scrypt(
      passphrase.normalize('NFC'),
      salt,
      64,
      { N, r, p, maxmem: 128 * N * r * 2 + 1024 * 1024 },
      (error, key) => (error === null ? resolve(key) : reject(error)),
    ),
  );
}

interface Keys {
  key: Buffer;
  check: Buffer;
}

async function keysOf(passphrase: string, begin: Buffer, cost: ScryptCost): Promise<Keys> {
  const derived = await derive(passphrase, begin.subarray(SALT_AT, CHECK_AT), cost);
  return {
    key: derived.subarray(0, 32),
    check: sha256(derived.subarray(32), begin.subarray(0, CHECK_AT)).subarray(0, 20),
  };
}

function frame(index: number, last: boolean, length: number): Buffer {
  const head = Buffer.alloc(FRAME_BYTES);
  head.writeUInt32BE(index, 0);
  head.writeUInt8(last ? 1 : 0, 4);
  head.writeUInt32BE(length, 5);
  return head;
}

function nonceOf(index: number): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUInt32BE(index, 8);
  return nonce;
}

export interface SealOptions {
  cost?: ScryptCost;
  chunkBytes?: number;
}

/** Seals a stream of bytes: yields the header, then chunk by chunk. */
export async function* sealStream(
  source: AsyncIterable<Uint8Array>,
  passphrase: string,
  { cost = SCRYPT_COST, chunkBytes = CHUNK_BYTES }: SealOptions = {},
): AsyncGenerator<Buffer> {
  const header = Buffer.alloc(HEADER_BYTES);
  MAGIC.copy(header);
  header.writeUInt16BE(FORMAT, MAGIC.length);
  header.writeUInt8(cost.logN, MAGIC.length + 2);
  header.writeUInt8(cost.r, MAGIC.length + 3);
  header.writeUInt8(cost.p, MAGIC.length + 4);
  header.writeUInt32BE(chunkBytes, MAGIC.length + 6);
  randomBytes(16).copy(header, SALT_AT);
  const { key, check } = await keysOf(passphrase, header, cost);
  check.copy(header, CHECK_AT);
  sha256(header.subarray(0, SUM_AT)).copy(header, SUM_AT, 0, 16);
  yield header;

  const bound = sha256(header);
  let index = 0;
  const seal = (plain: Uint8Array, last: boolean): Buffer => {
    const head = frame(index, last, plain.length);
    const cipher = createCipheriv('aes-256-gcm', key, nonceOf(index));
    cipher.setAAD(Buffer.concat([bound, head]));
    const body = Buffer.concat([cipher.update(plain), cipher.final()]);
    index += 1;
    return Buffer.concat([head, sha256(bound, head).subarray(0, FRAME_SUM_BYTES), body, cipher.getAuthTag()]);
  };
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  for await (const piece of source) {
    held.push(piece);
    heldBytes += piece.length;
    if (heldBytes <= chunkBytes) continue;
    const whole = Buffer.concat(held);
    let at = 0;
    for (; whole.length - at > chunkBytes; at += chunkBytes)
      yield seal(whole.subarray(at, at + chunkBytes), false);
    held = [whole.subarray(at)];
    heldBytes = whole.length - at;
  }
  yield seal(Buffer.concat(held), true);
}

const CUT =
  'Tệp sao lưu bị cụt: phần cuối không có (chép chưa xong, hoặc ổ bị rút sớm). Hãy chép lại tệp, hoặc dùng bản sao khác.';
const REORDERED =
  'Các phần trong tệp sao lưu bị xáo trộn thứ tự hoặc thiếu ở giữa. Tệp này không dùng được; hãy dùng bản sao khác.';
const DAMAGED =
  'Tệp sao lưu đã bị hỏng hoặc bị sửa: nội dung không khớp với lúc ghi. Hãy chép lại tệp, hoặc dùng bản sao khác.';

/** Reads exactly so many bytes, fewer only at the end of the file. */
async function readBytes(handle: FileHandle, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  let have = 0;
  while (have < length) {
    const { bytesRead } = await handle.read(bytes, have, length - have, null);
    if (bytesRead === 0) break;
    have += bytesRead;
  }
  return bytes.subarray(0, have);
}

interface Header {
  bytes: Buffer;
  cost: ScryptCost;
  chunkBytes: number;
}

async function readHeader(handle: FileHandle): Promise<Header> {
  const bytes = await readBytes(handle, HEADER_BYTES);
  const magic = bytes.subarray(0, MAGIC.length);
  if (!magic.equals(MAGIC.subarray(0, magic.length)))
    throw new BackupFault(
      'not-a-backup',
      'Tệp này không phải bản sao lưu của Mắt Thần. Hãy chọn tệp mat-than-….backup.',
    );
  if (bytes.length < HEADER_BYTES) throw new BackupFault('cut', CUT);
  if (!sha256(bytes.subarray(0, SUM_AT)).subarray(0, 16).equals(bytes.subarray(SUM_AT)))
    throw new BackupFault('damaged', DAMAGED);
  if (bytes.readUInt16BE(MAGIC.length) !== FORMAT)
    throw new BackupFault(
      'newer-format',
      'Tệp sao lưu này do một bản Mắt Thần mới hơn tạo ra. Hãy cập nhật phần mềm rồi khôi phục lại.',
    );
  const cost = {
    logN: bytes.readUInt8(MAGIC.length + 2),
    r: bytes.readUInt8(MAGIC.length + 3),
    p: bytes.readUInt8(MAGIC.length + 4),
  };
  const chunkBytes = bytes.readUInt32BE(MAGIC.length + 6);
  const sane =
    cost.logN >= 1 &&
    cost.r >= 1 &&
    cost.p >= 1 &&
    cost.p <= 16 &&
    128 * 2 ** cost.logN * cost.r <= MOST_MEMORY;
  if (!sane || chunkBytes < 1 || chunkBytes > 64 * 1024 * 1024) throw new BackupFault('damaged', DAMAGED);
  return { bytes, cost, chunkBytes };
}

/**
 * The bytes that were sealed, chunk by chunk; each is given out only once it is proven whole and in its place. The
 * last one is followed by a look at the file's end.
 * @throws BackupFault: not-a-backup, newer-format, wrong-passphrase, cut, reordered, damaged
 */
export async function* openStream(handle: FileHandle, passphrase: string): AsyncGenerator<Buffer> {
  const header = await readHeader(handle);
  const { key, check } = await keysOf(passphrase, header.bytes, header.cost);
  if (!timingSafeEqual(check, header.bytes.subarray(CHECK_AT, SUM_AT)))
    throw new BackupFault(
      'wrong-passphrase',
      'Mật khẩu sao lưu chưa đúng. Hãy gõ lại đúng mật khẩu đã dùng khi sao lưu (để ý chữ hoa, dấu và bộ gõ tiếng Việt).',
    );
  const bound = sha256(header.bytes);
  for (let expected = 0; ; expected += 1) {
    const start = await readBytes(handle, FRAME_BYTES + FRAME_SUM_BYTES);
    if (start.length < FRAME_BYTES + FRAME_SUM_BYTES) throw new BackupFault('cut', CUT);
    const head = start.subarray(0, FRAME_BYTES);
    if (!sha256(bound, head).subarray(0, FRAME_SUM_BYTES).equals(start.subarray(FRAME_BYTES)))
      throw new BackupFault('damaged', DAMAGED);
    const index = head.readUInt32BE(0);
    const last = head.readUInt8(4) === 1;
    const length = head.readUInt32BE(5);
    if (length > header.chunkBytes || (!last && length !== header.chunkBytes))
      throw new BackupFault('damaged', DAMAGED);
    const sealed = await readBytes(handle, length + TAG_BYTES);
    if (sealed.length < length + TAG_BYTES) throw new BackupFault('cut', CUT);
    const decipher = createDecipheriv('aes-256-gcm', key, nonceOf(index));
    decipher.setAAD(Buffer.concat([bound, head]));
    decipher.setAuthTag(sealed.subarray(length));
    let plain: Buffer;
    try {
      plain = Buffer.concat([decipher.update(sealed.subarray(0, length)), decipher.final()]);
    } catch (error) {
      throw new BackupFault('damaged', DAMAGED, { cause: error });
    }
    if (index !== expected) throw new BackupFault('reordered', REORDERED);
    yield plain;
    if (!last) continue;
    if ((await readBytes(handle, 1)).length > 0) throw new BackupFault('damaged', DAMAGED);
    return;
  }
}
