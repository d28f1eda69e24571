import fs from 'node:fs/promises';
import path from 'node:path';
import express, { type Router } from 'express';
import { rateLimit } from 'express-rate-limit';
import { makeToken } from '../base/seal.js';
import type { Tokens } from '../store/tokens.js';
import { printNotice } from './notice.js';
import { disposition, isShown } from './shown.js';

export interface LinkedFile {
  /** on our disk; linked (or copied) into the links' folder, so the original may go */
  path: string;
  fileName: string;
  mime: string;
}

interface LinkPayload {
  stored: string;
  fileName: string;
  mime: string;
}

export interface OpenedLink {
  personId: number | null;
  fileName: string;
  /** of the browser, as the proxy before us says */
  address: string;
}

export interface LinksOptions {
  tokens: Tokens;
  /** folder of the files behind links */
  folder: string;
  publicUrl: string;
  /** called at each opening (not at each range of one playback) */
  opened(link: OpenedLink): void;
  /** openings from one address in a minute (120) */
  perMinute?: number;
}

/** Expiring addresses of files, for what is too big for a chat. */
export interface Links {
  router: Router;
  /** `<PUBLIC_URL>/f/<token>`, good for `ttlMs`, for whoever holds it. */
  linkFor(file: LinkedFile, made: { personId: number | null; ttlMs: number }): Promise<string>;
  /** Ends a link; its file goes with the next sweep. */
  revoke(url: string): Promise<void>;
  /** Deletes files whose link is over, and files that no link knows. */
  sweep(): Promise<void>;
}

/** A file is put in place before its row: for that long a file without a link is nobody's mistake. */
const NEW_FILE_MS = 10 * 60_000;

export function makeLinks(options: LinksOptions): Links {
  const { tokens, folder, publicUrl } = options;
  const router = express.Router();
  const limiter = rateLimit({
    windowMs: 60_000,
    limit: options.perMinute ?? 120,
    standardHeaders: 'draft-8',
    legacyHeaders: false,
    message: 'Xin chờ một phút rồi mở lại.',
  });

  router.get('/f/:token', limiter, async (request, response) => {
    const { token } = request.params;
    const facts =
      typeof token === 'string' && /^[\w-]{43}$/.test(token) ? await tokens.peek('file', token) : null;
    if (facts === null)
      return printNotice(response, 410, {
        title: 'Đường dẫn này đã hết hạn',
        lines: ['Tệp không còn ở đây nữa. Nếu vẫn cần, hãy nhắn Mắt Thần để nhận lại.'],
      });
    const { stored, fileName, mime } = facts.payload as LinkPayload;
    const range = request.headers.range;
    if (request.method === 'GET' && (range === undefined || /^bytes=0-/.test(range)))
      options.opened({ personId: facts.personId, fileName, address: request.ip ?? '' });
    const shown = isShown(mime);
    response.setHeader('Cache-Control', 'private, no-store');
    response.setHeader('X-Robots-Tag', 'noindex');
    response.setHeader('Content-Type', shown ? mime : 'application/octet-stream');
    response.setHeader('Content-Disposition', disposition(shown ? 'inline' : 'attachment', fileName));
    response.sendFile(stored, { root: folder, cacheControl: false, etag: false, lastModified: false });
  });

  return {
    router,
    async linkFor(file, { personId, ttlMs }) {
      await fs.mkdir(folder, { recursive: true });
      const stored = `${makeToken()}${/\.[A-Za-z0-9]{1,5}$/.exec(file.fileName)?.[0].toLowerCase() ?? ''}`;
      const place = path.join(folder, stored);
      await fs.link(file.path, place).catch(() => fs.copyFile(file.path, place));
      const now = new Date();
      await fs.utimes(place, now, now);
      const payload: LinkPayload = { stored, fileName: file.fileName, mime: file.mime };
      const token = await tokens.issue({ kind: 'file', personId, payload, ttlMs });
      return `${publicUrl.replace(/\/+$/, '')}/f/${token}`;
    },
    async revoke(url) {
      const facts = await tokens.peek('file', url.slice(url.lastIndexOf('/') + 1));
      if (facts !== null) await tokens.revoke(facts.hash);
    },
    async sweep() {
      // Files first: a row that is gone while its file stays would leave footage that nothing ever deletes.
      const over = await tokens.over('file');
      for (const facts of over) {
        await fs.rm(path.join(folder, path.basename((facts.payload as LinkPayload).stored)), { force: true });
      }
      await tokens.forget(over.map((facts) => facts.hash));
      const known = new Set(
        (await tokens.live('file')).map((facts) => (facts.payload as LinkPayload).stored),
      );
      for (const name of await fs.readdir(folder).catch(() => [])) {
        if (known.has(name)) continue;
        const facts = await fs.stat(path.join(folder, name)).catch(() => null);
        if (facts !== null && facts.mtimeMs < Date.now() - NEW_FILE_MS)
          await fs.rm(path.join(folder, name), { force: true });
      }
    },
  };
}
