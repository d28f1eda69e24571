import fs from 'node:fs';
import path from 'node:path';
import { fileTypeFromBuffer } from 'file-type';
import type { Method } from './methods.js';
import { invalid, OaFailure, type UploadedAsset } from './types.js';
import { DAY_MS } from './world.js';

const MB = 1_000_000;
const A_MONTH = 5000;

/** What a file is by its content; a .doc is an old compound file, a .csv is text. */
async function endingOf(bytes: Buffer, fileName: string): Promise<string> {
  const found = await fileTypeFromBuffer(bytes);
  if (found?.ext === 'cfb') return 'doc';
  if (found !== undefined) return found.ext;
  const text = !bytes.subarray(0, 4096).includes(0);
  return text && path.extname(fileName).toLowerCase() === '.csv' ? 'csv' : '';
}

const upload =
  (kind: UploadedAsset['kind'], mostBytes: number, endings: string[]): Method =>
  async ({ world, files }) => {
    const monthAgo = world.now() - 30 * DAY_MS;
    if ([...world.uploads.values()].filter(({ madeMs }) => madeMs > monthAgo).length >= A_MONTH)
      throw new OaFailure(-211, 'Out of quota of uploads');
    const file = files[0];
    if (files.length !== 1 || file === undefined || file.field !== 'file') throw invalid('file');
    if (!/^[A-Za-z0-9._-]+$/.test(file.fileName)) throw invalid('file name');
    if (file.sizeBytes === 0) throw invalid('file is empty');
    if (file.sizeBytes > mostBytes) throw new OaFailure(-210, 'File is over the limit');
    const bytes = fs.readFileSync(file.path);
    if (!endings.includes(await endingOf(bytes, file.fileName))) throw invalid('file type');
    const id = `${kind}-${world.newId()}`;
    world.uploads.set(id, { kind, bytes, fileName: file.fileName, madeMs: world.now() });
    return { data: kind === 'file' ? { token: id } : { attachment_id: id } };
  };

export const UPLOAD_METHODS: Record<string, Method> = {
  'POST /v2.0/oa/upload/image': upload('image', MB, ['jpg', 'png']),
  'POST /v2.0/oa/upload/gif': upload('gif', 5 * MB, ['gif']),
  'POST /v2.0/oa/upload/file': upload('file', 5 * MB, ['pdf', 'doc', 'docx', 'csv']),
};
