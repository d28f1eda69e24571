/** A file whose head is damaged is read by the head of another: that of one camera's files is the same for months. */
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import type { StreamInit } from '../fragment.js';
import { OPEN_SUFFIX } from '../recording/names.js';
import { readHead, type ScannedFile, scanFile } from './scan.js';

/** What two files must have in common so that one head serves both. */
export type PictureShape = Pick<StreamInit, 'codec' | 'width' | 'height'>;

/** Of the files of the hour, the nearest ones are looked at. */
const NEAREST = 8;

/**
 * What is left of a closed segment file without its head; null when no file beside it has pictures of this shape, or nothing is
 * left. Its pictures are dated by themselves (`startLost`).
 */
export async function scanHeadless(file: string, shape: PictureShape): Promise<ScannedFile | null> {
  const folder = path.dirname(file);
  // names are dates, so those beside it in their order are the nearest in time
  const names = (await readdir(folder))
    .filter((one) => one.endsWith('.mp4') && !one.endsWith(OPEN_SUFFIX))
    .sort();
  const at = names.indexOf(path.basename(file));
  const nearest = names
    .map((name, i) => ({ name, away: Math.abs(i - at) }))
    .filter(({ away }) => away > 0)
    .sort((a, b) => a.away - b.away)
    .slice(0, NEAREST);
  for (const { name } of nearest) {
    const head = await readHead(path.join(folder, name)).catch(() => null);
    if (head?.codec !== shape.codec || head.width !== shape.width || head.height !== shape.height) continue;
    const scanned = await scanFile(file, head);
    return scanned?.fragments.some(({ samples }) => samples > 0) ? scanned : null;
  }
  return null;
}
