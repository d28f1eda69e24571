import fs from 'node:fs/promises';
import path from 'node:path';
import express, { type Router } from 'express';
import { makeToken } from '../base/seal.js';

export interface PhotoLinks {
  router: Router;
  /**
   * An address at which a platform can fetch this JPEG or PNG for some minutes. The file is copied: the original may go.
   */
  linkFor(file: { path: string }): Promise<string>;
  /** Forgets what is over, and what an earlier life left. */
  sweep(): Promise<void>;
}

export interface PhotoLinksOptions {
  /** ours alone */
  folder: string;
  publicUrl: string;
  /** default 10 min: platforms fetch at once */
  ttlMs?: number;
  /** ms that only go forward */
  steady?: () => number;
}

const NAME = /^[A-Za-z0-9_-]{43}$/;

/**
 * Pictures for platforms that take no upload but fetch an address: unguessable, short-lived, never indexed. What is
 * asked for by a process that ended meanwhile is gone: its message is sent again, with a new address.
 */
export function makePhotoLinks(options: PhotoLinksOptions): PhotoLinks {
  const { folder, publicUrl, ttlMs = 600_000, steady = () => performance.now() } = options;
  const open = new Map<string, number>();
  const fileOf = (token: string) => path.join(folder, `${token}.jpg`);
  const router = express.Router();

  router.get('/p/:name', (request, response, next) => {
    const token = request.params.name.replace(/\.jpg$/, '');
    const untilMs = NAME.test(token) ? open.get(token) : undefined;
    if (untilMs === undefined || steady() >= untilMs) return next();
    response.setHeader('Cache-Control', 'private, no-store');
    response.setHeader('X-Robots-Tag', 'noindex');
    response.setHeader('Cross-Origin-Resource-Policy', 'cross-origin');
    response.sendFile(`${token}.jpg`, { root: path.resolve(folder), cacheControl: false }, (error) => {
      if (error && !response.headersSent) next();
    });
  });

  return {
    router,
    async linkFor(file) {
      await fs.mkdir(folder, { recursive: true });
      const token = makeToken();
      await fs.copyFile(file.path, fileOf(token));
      open.set(token, steady() + ttlMs);
      return `${publicUrl.replace(/\/+$/, '')}/p/${token}.jpg`;
    },
    async sweep() {
      for (const [token, untilMs] of open) if (steady() >= untilMs) open.delete(token);
      for (const name of await fs.readdir(folder).catch(() => [] as string[]))
        if (!open.has(name.replace(/\.jpg$/, ''))) await fs.rm(path.join(folder, name), { force: true });
    },
  };
}
