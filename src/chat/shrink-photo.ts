import fs from 'node:fs/promises';
import sharp from 'sharp';
import type { ChannelLimits, PhotoReply } from './message.js';

/** Longest side over shortest side that every platform still shows as a photo. */
const MAX_RATIO = 20;

/**
 * Makes a photo small enough for a channel; within the limits it comes back as it is. One that can't be made to fit
 * (stretched too far, not a picture) comes back as it is too: `fit` sends it as a document.
 * @param target path for the smaller copy (JPEG)
 */
export async function shrinkPhoto(
  photo: PhotoReply,
  limits: ChannelLimits,
  target: () => Promise<string>,
): Promise<PhotoReply> {
  if (photo.moving) return photo;
  let { width, height } = photo;
  const heavy = photo.file.sizeBytes > limits.photoBytes;
  if (!heavy && width !== undefined && height !== undefined && width + height <= limits.photoSides)
    return photo;
  try {
    if (width === undefined || height === undefined) {
      const seen = await sharp(photo.file.path).metadata();
      ({ width, height } = seen);
      if (!heavy && width + height <= limits.photoSides) return { ...photo, width, height };
    }
    if (Math.max(width, height) > MAX_RATIO * Math.min(width, height)) return { ...photo, width, height };
    const out = await target();
    let scale = Math.min(1, limits.photoSides / (width + height));
    for (const quality of [88, 80, 72, 60, 50, 40, 40, 40]) {
      const made = await sharp(photo.file.path)
        .rotate()
        .resize({
          width: Math.max(1, Math.floor(width * scale)),
          height: Math.max(1, Math.floor(height * scale)),
          fit: 'inside',
        })
        .jpeg({ quality })
        .toFile(out);
      if (made.size <= limits.photoBytes) {
        const fileName = `${photo.file.fileName.replace(/\.[A-Za-z0-9]+$/, '')}.jpg`;
        return {
          ...photo,
          file: { path: out, sizeBytes: made.size, fileName },
          width: made.width,
          height: made.height,
        };
      }
      scale *= 0.75;
    }
    await fs.rm(out, { force: true });
    return { ...photo, width, height };
  } catch {
    return photo;
  }
}
