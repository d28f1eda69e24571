import { entryBoxes } from './codec.js';
import type { Track } from './movie.js';

/**
 * No encoder writes so many zeros in a row (three at most); a disk that lost something does. ffmpeg says nothing of it in
 * H.265, and shows the picture smeared.
 */
const ZEROS = Buffer.alloc(256);

/** Can a sample be as it was recorded, as far as it can be told without decoding? `nalLengthBytes`: of the track. */
export function canBeWhole(sample: Buffer, nalLengthBytes: number): boolean {
  let at = 0;
  while (at + nalLengthBytes <= sample.length) at += nalLengthBytes + sample.readUIntBE(at, nalLengthBytes);
  return at === sample.length && !sample.includes(ZEROS);
}

/** How many bytes the length before each NAL unit of a track has. */
export function nalLengthBytes({ entry }: Track): number {
  const config = entryBoxes(entry, 'video').find(({ type }) => type === 'avcC' || type === 'hvcC');
  const at = config?.type === 'avcC' ? 4 : 21;
  return ((config?.body[at] ?? 3) & 3) + 1;
}

/**
 * Is a keyframe one that ends everything before it (IDR)? An open group of pictures begins with another kind, which a decoder
 * puts in order among its neighbours.
 */
export function isIdr(sample: Buffer, track: Track): boolean {
  const lengthBytes = nalLengthBytes(track);
  const h264 = track.entry.type.startsWith('avc');
  for (let at = 0; at + lengthBytes < sample.length; at += lengthBytes + sample.readUIntBE(at, lengthBytes)) {
    const first = sample[at + lengthBytes]!;
    const type = h264 ? first & 0x1f : (first >> 1) & 0x3f;
    if (h264 && type >= 1 && type <= 5) return type === 5;
    if (!h264 && type < 32) return type === 19 || type === 20;
  }
  return false;
}
