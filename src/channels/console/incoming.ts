import { createWriteStream } from 'node:fs';
import fs from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import busboy from 'busboy';
import type { Request } from 'express';
import { z } from 'zod';
import type { Attachment } from '../../chat/message.js';
import type { Files } from './files.js';

export const UPLOAD_BYTES = 50_000_000;
const UPLOAD_FILES = 10;
const TEXT_LENGTH = 8_000;

/** What a page may say; the numbers come as text from a form with files. */
const said = z.object({
  chatId: z.string().min(1).max(200),
  /** made by the page, the same when it tries again */
  clientId: z.string().regex(/^[\w-]{8,64}$/),
  text: z.string().max(TEXT_LENGTH).default(''),
  replyTo: z.coerce.number().int().positive().optional(),
  /** a button: which line, which row, which column */
  press: z
    .object({
      line: z.number().int(),
      row: z.number().int().min(0),
      column: z.number().int().min(0),
    })
    .optional(),
  place: z
    .object({
      latitude: z.coerce.number().min(-90).max(90),
      longitude: z.coerce.number().min(-180).max(180),
    })
    .optional(),
});

export interface Said extends z.output<typeof said> {
  attachments: Attachment[];
}

/** A fault of the page or of the person, with the HTTP status to answer. */
export class SaidError extends Error {
  override name = 'SaidError';
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

const TOO_BIG = `Tệp quá lớn: mỗi lần gửi được nhiều nhất ${UPLOAD_BYTES / 1_000_000} MB.`;

function check(value: unknown): z.output<typeof said> {
  const result = said.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new SaidError(
    400,
    issue?.path[0] === 'text'
      ? `Tin quá dài: nhiều nhất ${TEXT_LENGTH} ký tự.`
      : issue?.path[0] === 'place'
        ? 'Vị trí không đúng: vĩ độ từ -90 đến 90, kinh độ từ -180 đến 180.'
        : 'Trang gửi thiếu thông tin, xin tải lại trang.',
  );
}

const kindOf = (mime: string): Attachment['kind'] => {
  const kind = /^(image|video|audio)\//.exec(mime)?.[1];
  return kind === 'image' ? 'photo' : kind === 'video' || kind === 'audio' ? kind : 'document';
};

/** Reads a form with files; each goes to disk as it comes, all are deleted again when one is refused. */
async function readForm(request: Request, files: Files): Promise<Said> {
  if (Number(request.headers['content-length'] ?? 0) > UPLOAD_BYTES + 100_000)
    throw new SaidError(413, TOO_BIG);
  const attachments: Attachment[] = [];
  const fields: Record<string, string> = {};
  const writing: Promise<void>[] = [];
  let totalBytes = 0;
  let fault: unknown = null;
  const form = busboy({
    headers: request.headers,
    defParamCharset: 'utf8',
    limits: {
      fileSize: UPLOAD_BYTES,
      files: UPLOAD_FILES,
      fields: 10,
      fieldSize: TEXT_LENGTH * 4,
      parts: UPLOAD_FILES + 10,
    },
  });
  const streams = new Set<Readable>();
  let end: () => void = () => {};
  const stop = (error: unknown) => {
    if (fault !== null) return;
    fault = error;
    // Not at once: we may be inside busboy, which does not bear being ended there. It is fed nothing more; the rest of
    // the request is read and dropped, since closing would show the browser a broken line instead of our answer.
    setImmediate(() => {
      request.unpipe(form);
      request.resume();
      // With an error: a stream that has ended but was not read to its end would else keep its pipeline waiting.
      for (const stream of streams) stream.destroy(new Error('the upload was refused'));
      end();
    });
  };
  form.on('field', (name, value) => {
    fields[name] = value;
  });
  form.on('filesLimit', () => stop(new SaidError(413, `Mỗi lần gửi được nhiều nhất ${UPLOAD_FILES} tệp.`)));
  form.on('file', (_field, stream, { filename, mimeType }) => {
    if (fault !== null) return void stream.resume();
    streams.add(stream);
    const fileName = (filename ?? 'tep').normalize('NFC').slice(-120);
    const attachment: Attachment = {
      kind: kindOf(mimeType),
      ref: files.name(fileName),
      fileName,
      mime: mimeType.slice(0, 100),
      sizeBytes: 0,
    };
    attachments.push(attachment);
    let sizeBytes = 0;
    stream.on('data', (chunk: Buffer) => {
      sizeBytes += chunk.length;
      totalBytes += chunk.length;
      if (totalBytes > UPLOAD_BYTES) stop(new SaidError(413, TOO_BIG));
    });
    stream.on('limit', () => stop(new SaidError(413, TOO_BIG)));
    writing.push(
      pipeline(stream, createWriteStream(files.place(attachment.ref), { flags: 'wx', mode: 0o600 })).then(
        () => {
          attachment.sizeBytes = sizeBytes;
        },
        (error: unknown) => stop(error),
      ),
    );
  });
  try {
    await new Promise<void>((resolve) => {
      end = resolve;
      form.on('close', resolve);
      form.on('error', (error) =>
        stop(
          new SaidError(400, `Tệp gửi lên bị hỏng giữa chừng, xin gửi lại. (${(error as Error).message})`),
        ),
      );
      request.on('close', () => {
        if (!request.complete) stop(new SaidError(400, 'Trang đã ngắt giữa chừng.'));
      });
      request.pipe(form);
    });
    await Promise.all(writing);
    if (fault !== null) throw fault;
    const { latitude, longitude, ...rest } = fields;
    const place = latitude === undefined ? {} : { place: { latitude, longitude } };
    return { ...check({ ...rest, ...place }), attachments };
  } catch (error) {
    await files.remove(attachments.map((attachment) => attachment.ref));
    throw error;
  }
}

/** What a request says: JSON, or a form with files. SaidError with a sentence when it can't be taken. */
export async function readSaid(request: Request, files: Files, folder: string): Promise<Said> {
  if (!request.is('multipart/form-data')) return { ...check(request.body), attachments: [] };
  await fs.mkdir(folder, { recursive: true });
  return readForm(request, files);
}
