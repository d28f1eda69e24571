/**
 * H.264 numbers its reference pictures. ffmpeg's decoder says nothing when some are missing: it goes on with smeared
 * pictures. So the numbers are read here.
 */
import { Bits } from './bits.js';

/** How frames are numbered; null when gaps are allowed, so that they tell nothing. */
export interface Numbering {
  separatePlanes: boolean;
  bits: number;
}

const HIGH_PROFILES = new Set([100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135]);
/** Enough of a slice or parameter set for what is read of it. */
const HEAD_BYTES = 256;

/** How an H.264 stream's frames are numbered, and their size as it is shown. @param sps the NAL unit */
export function readH264Sps(sps: Buffer): {
  numbering: Numbering | null;
  size: { width: number; height: number };
} {
  const bits = new Bits(sps.subarray(1, HEAD_BYTES));
  const profile = bits.u(8);
  bits.u(16);
  bits.ue();
  let separatePlanes = false;
  let chroma = 1;
  if (HIGH_PROFILES.has(profile)) {
    chroma = bits.ue();
    if (chroma === 3) separatePlanes = bits.u(1) === 1;
    bits.ue();
    bits.ue();
    bits.u(1);
    const scaled = bits.u(1) === 1;
    const lists = chroma === 3 ? 12 : 8;
    for (let list = 0; scaled && list < lists; list++) {
      const given = bits.u(1) === 1;
      if (given) skipScaling(bits, list < 6 ? 16 : 64);
    }
  }
  const numberBits = bits.ue() + 4;
  const order = bits.ue();
  if (order === 0) bits.ue();
  if (order === 1) {
    bits.u(1);
    bits.se();
    bits.se();
    const cycle = Math.min(bits.ue(), 255);
    for (let i = 0; i < cycle; i++) bits.se();
  }
  bits.ue();
  const gapsAllowed = bits.u(1) === 1;
  const numbering = gapsAllowed || numberBits > 16 ? null : { separatePlanes, bits: numberBits };
  const width = (bits.ue() + 1) * 16;
  const units = bits.ue() + 1;
  const fields = bits.u(1) === 1 ? 1 : 2;
  if (fields === 2) bits.u(1);
  bits.u(1);
  const [left, right, top, bottom] =
    bits.u(1) === 1 ? [bits.ue(), bits.ue(), bits.ue(), bits.ue()] : [0, 0, 0, 0];
  const across = chroma === 1 || chroma === 2 ? 2 : 1;
  const down = (chroma === 1 ? 2 : 1) * fields;
  const height = units * 16 * fields - down * (top + bottom);
  return { numbering, size: { width: width - across * (left + right), height } };
}

function skipScaling(bits: Bits, size: number): void {
  let last = 8;
  let next = 8;
  for (let i = 0; i < size; i++) {
    if (next !== 0) next = (last + bits.se() + 256) % 256;
    if (next !== 0) last = next;
  }
}

/**
 * Index of the first sample (in decoding order) that follows a missing reference picture; null when none does, or
 * when it can't be told.
 * @param avcC body of the box
 */
export function firstBehindLoss(avcC: Buffer, samples: Iterable<Buffer>): number | null {
  if (avcC.length < 8) return null;
  const lengthBytes = (avcC[4]! & 3) + 1;
  const spsBytes = avcC[5]! & 0x1f ? avcC.readUInt16BE(6) : 0;
  let numbering = spsBytes > 0 ? readH264Sps(avcC.subarray(8, 8 + spsBytes)).numbering : null;
  let previous: number | null = null;
  let index = 0;
  for (const sample of samples) {
    for (let at = 0; at + lengthBytes < sample.length; ) {
      const size = sample.readUIntBE(at, lengthBytes);
      const nal = sample.subarray(at + lengthBytes, at + lengthBytes + size);
      at += lengthBytes + size;
      const type = (nal[0] ?? 0) & 0x1f;
      if (type === 7) numbering = readH264Sps(nal).numbering;
      if (type !== 1 && type !== 5) continue;
      if (!numbering) break;
      const bits = new Bits(nal.subarray(1, 64));
      bits.ue();
      bits.ue();
      bits.ue();
      if (numbering.separatePlanes) bits.u(2);
      const number: number = bits.u(numbering.bits);
      const due: number = previous === null ? number : (previous + 1) % 2 ** numbering.bits;
      if (type === 1 && previous !== null && number !== previous && number !== due) return index;
      if (type === 5 || previous === null || (nal[0]! & 0x60) !== 0) previous = number;
      break;
    }
    index++;
  }
  return null;
}
