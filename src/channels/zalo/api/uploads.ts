import { z } from 'zod';
import type { Call } from './call.js';

const UPLOAD_MS = 60_000;

export interface UploadedFile {
  bytes: Uint8Array<ArrayBuffer>;
  fileName: string;
  mime: string;
}

/** A file name as a multipart form can carry it: ASCII only, with its ending kept. */
export function asciiName(name: string): string {
  const plain = name
    .normalize('NFD')
    .replace(/\p{M}/gu, '')
    .replace(/đ/g, 'd')
    .replace(/Đ/g, 'D')
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[-.]+/, '');
  return plain === '' || /^-*\./.test(plain) ? `file${plain}` : plain.slice(-100);
}

const attachment = z.looseObject({ attachment_id: z.string().min(1) });
const token = z.looseObject({ token: z.string().min(1) });

/** Uploads; what they give lives 7 days, then a send answers -100 and the file must be uploaded again. */
export function makeUploads(call: Call) {
  const upload = <T>(kind: string, schema: z.ZodType<T>, file: UploadedFile, signal?: AbortSignal) => {
    const form = new FormData();
    form.set('file', new Blob([file.bytes], { type: file.mime }), asciiName(file.fileName));
    return call(`upload/${kind}`, `/v2.0/oa/upload/${kind}`, schema, { form, timeoutMs: UPLOAD_MS }, signal);
  };
  return {
    /** JPEG or PNG, at most 1 MB. */
    uploadImage: async (file: UploadedFile, signal?: AbortSignal) =>
      (await upload('image', attachment, file, signal)).attachment_id,
    /** GIF, at most 5 MB. */
    uploadGif: async (file: UploadedFile, signal?: AbortSignal) =>
      (await upload('gif', attachment, file, signal)).attachment_id,
    /** PDF, DOC, DOCX or CSV, at most 5 MB. */
    uploadFile: async (file: UploadedFile, signal?: AbortSignal) =>
      (await upload('file', token, file, signal)).token,
  };
}
