import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileTypeFromFile } from 'file-type';
import PQueue from 'p-queue';
import { WorldError } from '../base/errors.js';
import type { Ffmpeg } from '../base/ffmpeg.js';
import type { Log } from '../base/log.js';
import type { Attachment, Channel } from '../chat/message.js';
import { DECODE_LIMITS, type DecodeLimits, decodable, decodeUntrusted } from './decode.js';
import type { Intake, RefusedFile, TakenFile } from './types.js';

export interface IntakeOptions {
  /** null: nothing is decoded, everything goes on as a document */
  ffmpeg: Ffmpeg | null;
  log: Log;
  /** largest file taken, bytes */
  maxBytes?: number;
  limits?: DecodeLimits;
}

const MOST_BYTES = 50 * 1000 * 1000;

const hashFile = async (file: string) => {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
};

const kindOf = (mime: string): TakenFile['kind'] =>
  mime.startsWith('image/')
    ? 'photo'
    : mime.startsWith('video/')
      ? 'video'
      : mime.startsWith('audio/')
        ? 'audio'
        : 'document';

/** Takes strangers' files: the real part behind the `Intake` contract. One decoding at a time. */
export function makeIntake({
  ffmpeg,
  log,
  maxBytes = MOST_BYTES,
  limits = DECODE_LIMITS,
}: IntakeOptions): Intake {
  const decodings = new PQueue({ concurrency: 1 });
  const megabytes = Math.floor(maxBytes / 1_000_000);
  const tooBig: RefusedFile = {
    ok: false,
    sentence: `Tệp lớn quá ${megabytes} MB nên chưa nhận được. Anh/chị gửi đoạn ngắn hơn, hoặc chia thành nhiều phần giúp nhé.`,
  };

  async function take(
    channel: Channel,
    attachment: Attachment,
    dir: string,
    signal?: AbortSignal,
  ): Promise<TakenFile | RefusedFile> {
    if ((attachment.sizeBytes ?? 0) > maxBytes) return tooBig;
    await fs.mkdir(dir, { recursive: true });
    const stem = path.join(dir, randomUUID());
    const raw = `${stem}.part`;
    try {
      await channel.fetch(attachment, raw, maxBytes, signal);
    } catch (error) {
      await fs.rm(raw, { force: true });
      if (error instanceof WorldError && error.kind === 'too-big') return tooBig;
      if (error instanceof WorldError && error.kind === 'not-found')
        return { ok: false, sentence: 'Tệp này không tải về được nữa. Anh/chị gửi lại giúp nhé.' };
      throw error;
    }
    const { size } = await fs.stat(raw);
    if (size === 0) {
      await fs.rm(raw, { force: true });
      return { ok: false, sentence: 'Tệp này rỗng. Anh/chị gửi lại giúp nhé.' };
    }
    const type = await fileTypeFromFile(raw).catch(() => undefined);
    const mime = type?.mime ?? 'application/octet-stream';
    const kind = kindOf(mime);
    const file = `${stem}.${type?.ext ?? 'bin'}`;
    await fs.rename(raw, file);
    const sha256 = await hashFile(file);

    const shownKind = decodable(mime);
    const shownFile = `${stem}.shown.${shownKind === 'photo' ? 'jpg' : 'mp4'}`;
    const decoded =
      ffmpeg === null || shownKind === null
        ? null
        : ((await decodings.add(() => decodeUntrusted(ffmpeg, mime, file, shownFile, limits))) ?? null);
    if (shownKind !== null && decoded === null)
      log.warn({ mime, size }, 'a file from outside was not decoded');
    return {
      ok: true,
      path: file,
      kind,
      mime,
      fileName: path.basename(file),
      sizeBytes: size,
      sha256,
      width: decoded?.width ?? null,
      height: decoded?.height ?? null,
      durationMs: decoded?.durationMs ?? null,
      shown: decoded === null || shownKind === null ? null : { path: shownFile, kind: shownKind, ...decoded },
    };
  }

  return { take };
}
