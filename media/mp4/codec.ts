import { type Box, boxesIn } from './box.js';
import { Mp4Error } from './error.js';

/** Bytes of a sample entry before its own boxes. */
export const VIDEO_ENTRY_FIELDS = 78;
const AUDIO_ENTRY_FIELDS = 28;

/** The boxes inside a sample entry (avcC, hvcC, pasp, esds …); none when they can't be read. */
export function entryBoxes(entry: Box, kind: 'video' | 'audio' | 'other'): Box[] {
  const fields = kind === 'video' ? VIDEO_ENTRY_FIELDS : AUDIO_ENTRY_FIELDS;
  if (kind === 'other' || entry.body.length < fields) return [];
  try {
    return boxesIn(entry.body.subarray(fields));
  } catch (error) {
    if (error instanceof Mp4Error) return [];
    throw error;
  }
}

/** RFC 6381 name: "avc1.64001f", "hvc1.1.6.L93.B0", "mp4a.40.2"; the bare four letters of what we don't know. */
export function codecOf(entry: Box, kind: 'video' | 'audio' | 'other'): string {
  const name = entry.type.trim();
  const config = (type: string) => entryBoxes(entry, kind).find((inner) => inner.type === type)?.body;
  if (name === 'avc1' || name === 'avc3') {
    const avcC = config('avcC');
    return avcC && avcC.length >= 4 ? `${name}.${avcC.subarray(1, 4).toString('hex')}` : name;
  }
  if (name === 'hvc1' || name === 'hev1') {
    const hvcC = config('hvcC');
    return hvcC && hvcC.length >= 13 ? `${name}.${hevcProfile(hvcC)}` : name;
  }
  if (name === 'mp4a') {
    const esds = config('esds');
    return esds ? `mp4a.${mpeg4Audio(esds)}` : name;
  }
  return name;
}

function hevcProfile(hvcC: Buffer): string {
  const general = hvcC[1]!;
  const space = ['', 'A', 'B', 'C'][general >> 6]!;
  const tier = general & 0x20 ? 'H' : 'L';
  let compatibility = 0;
  const flags = hvcC.readUInt32BE(2);
  for (let bit = 0; bit < 32; bit++) if (flags & (1 << bit)) compatibility |= 1 << (31 - bit);
  const constraints = [...hvcC.subarray(6, 12)];
  while (constraints.length && constraints.at(-1) === 0) constraints.pop();
  return [
    `${space}${general & 0x1f}`,
    (compatibility >>> 0).toString(16).toUpperCase(),
    `${tier}${hvcC[12]}`,
    ...constraints.map((byte) => byte.toString(16).toUpperCase()),
  ].join('.');
}

/** "40.2" of an `esds`: the object type, and for MPEG-4 sound the audio object type. */
function mpeg4Audio(esds: Buffer): string {
  const parts = descriptors(esds.subarray(4));
  const object = parts.decoderConfig?.[0];
  if (object === undefined) return '40';
  const type = object.toString(16);
  const specific = parts.specific;
  if (object !== 0x40 || !specific || specific.length < 2) return type;
  const audioType = specific[0]! >> 3;
  return `${type}.${audioType === 31 ? 32 + (((specific[0]! & 7) << 3) | (specific[1]! >> 5)) : audioType}`;
}

/** Walks ES_Descriptor → DecoderConfigDescriptor → DecoderSpecificInfo (ISO/IEC 14496-1). */
function descriptors(bytes: Buffer): { decoderConfig?: Buffer; specific?: Buffer } {
  const found: { decoderConfig?: Buffer; specific?: Buffer } = {};
  let at = 0;
  while (at + 2 <= bytes.length) {
    const tag = bytes[at++]!;
    let length = 0;
    for (let i = 0; i < 4 && at < bytes.length; i++) {
      const byte = bytes[at++]!;
      length = (length << 7) | (byte & 0x7f);
      if (!(byte & 0x80)) break;
    }
    const body = bytes.subarray(at, at + length);
    if (tag === 3) {
      const flags = body[2] ?? 0;
      // stream dependence, URL and clock reference may stand before what we look for
      at += 3 + (flags & 0x80 ? 2 : 0) + (flags & 0x40 ? 1 + (body[3 + (flags & 0x80 ? 2 : 0)] ?? 0) : 0);
      if (flags & 0x20) at += 2;
    } else if (tag === 4) {
      found.decoderConfig = body;
      at += 13;
    } else {
      if (tag === 5) found.specific = body;
      at += length;
    }
  }
  return found;
}

/** Is this sound AAC that goes into an MP4 as it is? */
export const isAac = (codec: string) => /^mp4a\.40\.(2|5|29)$/.test(codec);

/** H.264 that every messenger plays: 4:2:0, 8 bits (baseline, main, high). */
export const isPlainH264 = (codec: string) => /^avc[13]\.(42|4d|58|64)/i.test(codec);

/**
 * The video entry as it should stand in a file of its own: `hev1` becomes `hvc1` when its `hvcC` carries VPS, SPS
 * and PPS (players of Apple's take only that).
 */
export function fileEntry(entry: Box): Buffer {
  const copy = Buffer.from(entry.whole);
  if (entry.type !== 'hev1') return copy;
  const header = entry.whole.length - entry.body.length;
  let at = header + VIDEO_ENTRY_FIELDS;
  while (at + 8 <= copy.length) {
    const size = copy.readUInt32BE(at);
    if (copy.toString('latin1', at + 4, at + 8) === 'hvcC' && markComplete(copy.subarray(at + 8, at + size)))
      copy.write('hvc1', 4, 'latin1');
    if (size < 8) break;
    at += size;
  }
  return copy;
}

/** RFC 6381 name of the pictures once they stand in a file of their own. */
export const fileCodec = (entry: Box) => codecOf(boxesIn(fileEntry(entry))[0]!, 'video');

/** Sets array_completeness on the parameter sets of a `hvcC`; false (nothing changed) unless all three are there. */
function markComplete(hvcC: Buffer): boolean {
  const arrays = hvcC[22] ?? 0;
  const marks: number[] = [];
  const kinds = new Set<number>();
  let at = 23;
  for (let array = 0; array < arrays && at + 3 <= hvcC.length; array++) {
    const kind = hvcC[at]! & 0x3f;
    if (kind >= 32 && kind <= 34) marks.push(at);
    const units = hvcC.readUInt16BE(at + 1);
    at += 3;
    for (let unit = 0; unit < units; unit++) {
      if (at + 2 > hvcC.length) return false;
      at += 2 + hvcC.readUInt16BE(at);
    }
    if (units > 0) kinds.add(kind);
  }
  if (![32, 33, 34].every((kind) => kinds.has(kind))) return false;
  for (const mark of marks) hvcC[mark]! |= 0x80;
  return true;
}
