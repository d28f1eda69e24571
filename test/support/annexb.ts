/** Elementary streams (Annex B): NAL units and access units of H.264 and H.265. */

export type Codec = 'h264' | 'hevc';

export interface AccessUnit {
  /** NAL units without start codes and without access unit delimiters */
  nals: Buffer[];
  /** can be decoded on its own */
  key: boolean;
}

export interface ElementaryStream {
  units: AccessUnit[];
  /** H.264: SPS, PPS; H.265: VPS, SPS, PPS */
  parameterSets: Buffer[];
}

/** NAL unit type number, as H.264 or H.265 count them. */
export function nalType(codec: Codec, nal: Buffer): number {
  return codec === 'h264' ? nal[0]! & 0x1f : (nal[0]! >> 1) & 0x3f;
}

const AUD: Record<Codec, number> = { h264: 9, hevc: 35 };
const PARAMETERS: Record<Codec, readonly number[]> = { h264: [7, 8], hevc: [32, 33, 34] };

function isKey(codec: Codec, type: number): boolean {
  return codec === 'h264' ? type === 5 : type >= 16 && type <= 21;
}

/** Cuts bytes at start codes (three or four bytes long). */
export function splitNals(bytes: Buffer): Buffer[] {
  const nals: Buffer[] = [];
  const code = Buffer.from([0, 0, 1]);
  let start = bytes.indexOf(code);
  while (start >= 0) {
    const next = bytes.indexOf(code, start + 3);
    let end = next < 0 ? bytes.length : next;
    while (end > start + 3 && bytes[end - 1] === 0) end--;
    if (end > start + 3) nals.push(bytes.subarray(start + 3, end));
    start = next;
  }
  return nals;
}

/** Takes an Annex-B stream with access unit delimiters apart. Throws when it has none. */
export function readElementaryStream(bytes: Buffer, codec: Codec): ElementaryStream {
  const units: AccessUnit[] = [];
  const parameters = new Map<number, Buffer>();
  let current: AccessUnit | undefined;
  for (const nal of splitNals(bytes)) {
    const type = nalType(codec, nal);
    if (type === AUD[codec]) {
      current = { nals: [], key: false };
      units.push(current);
      continue;
    }
    if (!current) throw new Error('an elementary stream for the test servers needs access unit delimiters');
    current.nals.push(nal);
    if (isKey(codec, type)) current.key = true;
    if (PARAMETERS[codec].includes(type) && !parameters.has(type)) parameters.set(type, nal);
  }
  const parameterSets = PARAMETERS[codec].map((type) => parameters.get(type));
  if (parameterSets.some((nal) => !nal)) throw new Error('the elementary stream lacks parameter sets');
  return { units, parameterSets: parameterSets as Buffer[] };
}
