import path from 'node:path';
import { unmark } from '../base/vietnamese/text.js';

/** Types that a browser shows in place; every other is downloaded, so that no page of a stranger runs as ours. */
const SHOWN: Record<string, string> = {
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.png': 'image/png',
  '.webp': 'image/webp',
  '.gif': 'image/gif',
  '.mp4': 'video/mp4',
  '.m4v': 'video/mp4',
  '.mov': 'video/quicktime',
  '.webm': 'video/webm',
  '.mp3': 'audio/mpeg',
  '.m4a': 'audio/mp4',
  '.ogg': 'audio/ogg',
};

const types = new Set(Object.values(SHOWN));

/** The type of a file by its ending; `application/octet-stream` for all that is not shown in place. */
export const mimeOf = (fileName: string) =>
  SHOWN[path.extname(fileName).toLowerCase()] ?? 'application/octet-stream';

export const isShown = (mime: string) => types.has(mime);

/** Content-Disposition with a name that any browser reads. */
export function disposition(kind: 'inline' | 'attachment', fileName: string): string {
  const plain = unmark(fileName).replace(/[^\w.-]+/g, '_');
  return `${kind}; filename="${plain}"; filename*=UTF-8''${encodeURIComponent(fileName).replace(/['()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16)}`)}`;
}
