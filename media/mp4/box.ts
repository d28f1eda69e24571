import { Mp4Error } from './error.js';

/** A box header as it stands in the bytes. `size` counts the header; 0 would mean "to the end of the file". */
export interface BoxHeader {
  type: string;
  size: number;
  headerSize: number;
}

/** The few types that there are, by their four bytes: a fragment has a dozen boxes, and text is dear. */
const types = new Map<number, string>();

function boxType(bytes: Buffer, at: number): string {
  const code = bytes.readUInt32BE(at);
  const known = types.get(code);
  if (known !== undefined) return known;
  const type = bytes.toString('latin1', at, at + 4);
  if (!/^[\x20-\x7e\xa9]{4}$/.test(type)) throw new Mp4Error('bad-box', 'no box type where one must stand');
  if (types.size < MOST_TYPES) types.set(code, type);
  return type;
}

/** Broken files may hold any number of them. */
const MOST_TYPES = 200;

/** The header at `at`, or null when more bytes are needed to read it. @param end where the bytes end */
export function readBoxHeader(bytes: Buffer, at = 0, end = bytes.length): BoxHeader | null {
  if (end - at < 8) return null;
  const type = boxType(bytes, at + 4);
  let size = bytes.readUInt32BE(at);
  let headerSize = 8;
  if (size === 1) {
    if (end - at < 16) return null;
    const large = bytes.readBigUInt64BE(at + 8);
    if (large > BigInt(Number.MAX_SAFE_INTEGER))
      throw new Mp4Error('bad-box', `box ${type} claims ${large} bytes`);
    size = Number(large);
    headerSize = 16;
  }
  if (size !== 0 && size < headerSize) throw new Mp4Error('bad-box', `box ${type} claims ${size} bytes`);
  return { type, size, headerSize };
}

/** Boxes an MP4 stream or file can begin with; anything else is something else. */
const OPENING = new Set(['ftyp', 'styp', 'moov', 'free', 'skip', 'wide', 'uuid', 'sidx', 'prft', 'pdin']);

/** Throws unless `type` can stand first. */
export function mustOpen(type: string): void {
  if (!OPENING.has(type)) throw new Mp4Error('bad-box', 'this is no MP4');
}

/** A box inside another: its type and body. */
export interface Box {
  type: string;
  body: Buffer;
  /** header and body */
  whole: Buffer;
}

/** The boxes that fill `bytes`. Throws Mp4Error when one sticks out. */
export function boxesIn(bytes: Buffer): Box[] {
  const boxes: Box[] = [];
  let at = 0;
  while (at + 8 <= bytes.length) {
    const header = readBoxHeader(bytes, at);
    if (!header) throw new Mp4Error('bad-box', 'cut off in a box header');
    const size = header.size === 0 ? bytes.length - at : header.size;
    if (at + size > bytes.length)
      throw new Mp4Error('bad-box', `box ${header.type} sticks out of its parent`);
    boxes.push({
      type: header.type,
      body: bytes.subarray(at + header.headerSize, at + size),
      whole: bytes.subarray(at, at + size),
    });
    at += size;
  }
  return boxes;
}

/** The first box along a path of types, e.g. `find(moov, 'mvex', 'trex')`. */
export function find(bytes: Buffer, ...path: string[]): Box | null {
  let found: Box | null = null;
  let inside = bytes;
  for (const type of path) {
    found = boxesIn(inside).find((box) => box.type === type) ?? null;
    if (!found) return null;
    inside = found.body;
  }
  return found;
}

/** Runs a parser; reading beyond the end of a box becomes an Mp4Error. */
export function parsing<T>(what: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof RangeError) throw new Mp4Error('bad-box', `${what}: cut off`);
    throw error;
  }
}

export function box(type: string, ...body: Buffer[]): Buffer {
  const size = body.reduce((sum, piece) => sum + piece.length, 8);
  const header = Buffer.alloc(8);
  header.writeUInt32BE(size, 0);
  header.write(type, 4, 'latin1');
  return Buffer.concat([header, ...body], size);
}

export function fullBox(type: string, version: number, flags: number, ...body: Buffer[]): Buffer {
  return box(type, u32(((version << 24) | flags) >>> 0), ...body);
}

export function u16(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 2);
  values.forEach((value, i) => {
    bytes.writeUInt16BE(value, i * 2);
  });
  return bytes;
}

export function u32(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, i) => {
    bytes.writeUInt32BE(value, i * 4);
  });
  return bytes;
}
