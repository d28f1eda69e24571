/**
 * Parameter sets that stand among the pictures. A camera that changes its resolution within one connection says so
 * nowhere else: ffmpeg goes on under the head it wrote at first. So a head that fits is made here.
 */
import type { StreamInit } from '../fragment.js';
import { Bits } from './bits.js';
import { type Box, box, boxesIn, find, u16 } from './box.js';
import { entryBoxes, VIDEO_ENTRY_FIELDS } from './codec.js';
import { Mp4Error } from './error.js';
import { readH264Sps } from './frame-num.js';
import { movieOf, readInit } from './movie.js';

interface Codec {
  config: 'avcC' | 'hvcC';
  /** NAL unit type of the first byte */
  typeOf: (byte: number) => number;
  /** types of parameter sets, in the order they are written; the one with the picture's size */
  sets: readonly number[];
  sps: number;
  /** types of slices: no parameter set comes behind one */
  isSlice: (type: number) => boolean;
  known: (config: Buffer) => Buffer[];
  write: (old: Buffer, sets: Buffer[]) => Buffer;
  size: (sps: Buffer) => { width: number; height: number };
}

const H264: Codec = {
  config: 'avcC',
  typeOf: (byte) => byte & 0x1f,
  sets: [7, 8],
  sps: 7,
  isSlice: (type) => type >= 1 && type <= 5,
  known: setsOfAvcC,
  write: writeAvcC,
  size: (sps) => readH264Sps(sps).size,
};

const H265: Codec = {
  config: 'hvcC',
  typeOf: (byte) => (byte >> 1) & 0x3f,
  sets: [32, 33, 34],
  sps: 33,
  isSlice: (type) => type < 32,
  known: setsOfHvcC,
  write: writeHvcC,
  size: sizeOfH265,
};

/**
 * The head that belongs to a keyframe which carries other parameter sets than `init` has; null when it carries none
 * or the same ones, or when they can't be read.
 * @param sample the keyframe, as it stands in its `mdat`
 */
export function renewedInit(init: StreamInit, sample: Buffer): StreamInit | null {
  const { entry } = movieOf(init).video;
  const codec = entry.type.startsWith('avc') ? H264 : /^h[ve][vc]1$/.test(entry.type) ? H265 : null;
  const config = codec && entryBoxes(entry, 'video').find(({ type }) => type === codec.config)?.body;
  if (!codec || !config) return null;
  try {
    const found = setsIn(sample, codec, lengthBytes(config, codec));
    if (found.length === 0) return null;
    const known = codec.known(config);
    if (found.every((set) => known.some((one) => one.equals(set)))) return null;
    // What it does not carry anew stays as it was.
    const types = new Set(found.map((set) => codec.typeOf(set[0]!)));
    const sets = [...found, ...known.filter((set) => !types.has(codec.typeOf(set[0]!)))];
    const sps = sets.find((set) => codec.typeOf(set[0]!) === codec.sps);
    if (sps === undefined) return null;
    return readInit(withHead(init, codec, codec.write(config, sets), codec.size(sps)));
  } catch (error) {
    if (error instanceof Mp4Error || error instanceof RangeError) return null;
    throw error;
  }
}

const lengthBytes = (config: Buffer, codec: Codec) => (config[codec === H264 ? 4 : 21]! & 3) + 1;

/** The parameter sets that stand before the first slice. */
function setsIn(sample: Buffer, codec: Codec, lengthSize: number): Buffer[] {
  const sets: Buffer[] = [];
  for (let at = 0; at + lengthSize < sample.length; ) {
    const size = sample.readUIntBE(at, lengthSize);
    const nal = sample.subarray(at + lengthSize, at + lengthSize + size);
    at += lengthSize + size;
    const type = codec.typeOf(nal[0] ?? 0);
    if (codec.isSlice(type)) break;
    if (codec.sets.includes(type) && nal.length === size && !sets.some((one) => one.equals(nal)))
      sets.push(nal);
  }
  return sets;
}

/** `count` NAL units, each behind its 16-bit length, from `at` on; and where they end. */
function lengthened(bytes: Buffer, at: number, count: number): { sets: Buffer[]; end: number } {
  const sets: Buffer[] = [];
  let end = at;
  for (let i = 0; i < count; i++) {
    const size = bytes.readUInt16BE(end);
    sets.push(bytes.subarray(end + 2, end + 2 + size));
    end += 2 + size;
  }
  return { sets, end };
}

const withLengths = (sets: Buffer[]) => sets.flatMap((set) => [u16(set.length), set]);
const ofType = (sets: Buffer[], codec: Codec, type: number) =>
  sets.filter((set) => codec.typeOf(set[0]!) === type);

function setsOfAvcC(avcC: Buffer): Buffer[] {
  const sps = lengthened(avcC, 6, avcC[5]! & 0x1f);
  return [...sps.sets, ...lengthened(avcC, sps.end + 1, avcC[sps.end] ?? 0).sets];
}

function writeAvcC(old: Buffer, sets: Buffer[]): Buffer {
  const sps = ofType(sets, H264, 7);
  const pps = ofType(sets, H264, 8);
  return Buffer.concat([
    Buffer.from([1]),
    sps[0]!.subarray(1, 4),
    Buffer.from([old[4]!, 0xe0 | sps.length]),
    ...withLengths(sps),
    Buffer.from([pps.length]),
    ...withLengths(pps),
  ]);
}

function setsOfHvcC(hvcC: Buffer): Buffer[] {
  const sets: Buffer[] = [];
  let at = 23;
  for (let array = 0; array < (hvcC[22] ?? 0); array++) {
    const read = lengthened(hvcC, at + 3, hvcC.readUInt16BE(at + 1));
    sets.push(...read.sets);
    at = read.end;
  }
  return sets;
}

/** Bytes of profile, tier, level: in a `hvcC` from byte 1 on, in an SPS from bit 8 behind its header on. */
const PROFILE_BYTES = 12;

function writeHvcC(old: Buffer, sets: Buffer[]): Buffer {
  const head = Buffer.from(old.subarray(0, 23));
  const bits = new Bits(ofType(sets, H265, 33)[0]!.subarray(2));
  bits.u(8);
  for (let i = 0; i < PROFILE_BYTES; i++) head[1 + i] = bits.u(8);
  const arrays = H265.sets.filter((type) => ofType(sets, H265, type).length > 0);
  head[22] = arrays.length;
  return Buffer.concat([
    head,
    ...arrays.flatMap((type) => {
      const some = ofType(sets, H265, type);
      return [Buffer.from([type]), u16(some.length), ...withLengths(some)];
    }),
  ]);
}

function sizeOfH265(sps: Buffer): { width: number; height: number } {
  const bits = new Bits(sps.subarray(2));
  bits.u(4);
  const layers = bits.u(3);
  bits.u(1);
  for (let i = 0; i < PROFILE_BYTES; i++) bits.u(8);
  const present = Array.from({ length: layers }, () => ({ profile: bits.u(1), level: bits.u(1) }));
  for (let i = layers; layers > 0 && i < 8; i++) bits.u(2);
  for (const { profile, level } of present) {
    for (let i = 0; profile && i < 11; i++) bits.u(8);
    if (level) bits.u(8);
  }
  bits.ue();
  const chroma = bits.ue();
  if (chroma === 3) bits.u(1);
  const width = bits.ue();
  const height = bits.ue();
  const [left, right, top, bottom] =
    bits.u(1) === 1 ? [bits.ue(), bits.ue(), bits.ue(), bits.ue()] : [0, 0, 0, 0];
  const across = chroma === 1 || chroma === 2 ? 2 : 1;
  const down = chroma === 1 ? 2 : 1;
  return { width: width - across * (left + right), height: height - down * (top + bottom) };
}

/** `ftyp` + `moov` of `init` with another configuration and size of its pictures. */
function withHead(
  init: StreamInit,
  codec: Codec,
  config: Buffer,
  { width, height }: { width: number; height: number },
): Buffer {
  if (!(width > 0 && width <= 16_384 && height > 0 && height <= 16_384))
    throw new Mp4Error('bad-box', 'a parameter set with an impossible size');
  const entry = ({ type, body }: Box) => {
    const fields = Buffer.from(body.subarray(0, VIDEO_ENTRY_FIELDS));
    fields.writeUInt16BE(width, 24);
    fields.writeUInt16BE(height, 26);
    const inner = boxesIn(body.subarray(VIDEO_ENTRY_FIELDS));
    return box(
      type,
      fields,
      ...inner.map((one) => (one.type === codec.config ? box(codec.config, config) : one.whole)),
    );
  };
  const tkhd = ({ whole }: Box) => {
    const copy = Buffer.from(whole);
    copy.writeUInt32BE(width * 65_536, copy.length - 8);
    copy.writeUInt32BE(height * 65_536, copy.length - 4);
    return copy;
  };
  const stsd = ({ body }: Box) =>
    box('stsd', body.subarray(0, 8), ...boxesIn(body.subarray(8)).map((one) => entry(one)));
  const inside = (change: (one: Box) => Buffer | null) => (outer: Box) =>
    box(outer.type, ...boxesIn(outer.body).map((one) => change(one) ?? one.whole));
  const only = (type: string, change: (one: Box) => Buffer) => (one: Box) =>
    one.type === type ? change(one) : null;
  const stbl = inside(only('stsd', stsd));
  const mdia = inside(only('minf', inside(only('stbl', stbl))));
  const trak = inside((one) => only('tkhd', tkhd)(one) ?? only('mdia', mdia)(one));
  const moov = inside(only('trak', (one) => (isVideo(one, init) ? trak(one) : one.whole)));
  return Buffer.concat(boxesIn(init.bytes).map((one) => (one.type === 'moov' ? moov(one) : one.whole)));
}

function isVideo(trak: Box, init: StreamInit): boolean {
  const tkhd = find(trak.body, 'tkhd')?.body;
  return tkhd?.readUInt32BE(tkhd[0] === 1 ? 20 : 12) === init.videoTrackId;
}
