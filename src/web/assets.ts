import { createRequire } from 'node:module';
import path from 'node:path';
import express, { type Response, type Router } from 'express';
import { projectRoot } from '../base/project.js';

export const PAGES = path.join(projectRoot(), 'src', 'web', 'pages');

/** What may be fetched from the pages' folder: everything else there is not served. */
const SERVED = /^[a-z-]+\.(?:js|css|svg|webmanifest)$/;
const FONT = /^be-vietnam-pro-(?:latin|latin-ext|vietnamese)-(?:400|500|600|700)-normal\.woff2$/;

/** Scripts, styles, icons and the font of our pages, at `/assets`. Nothing comes from another server. */
export function assets(): Router {
  const router = express.Router();
  const fonts = path.join(
    path.dirname(createRequire(import.meta.url).resolve('@fontsource/be-vietnam-pro/package.json')),
    'files',
  );
  router.get('/assets/fonts/:name', (request, response, next) => {
    const { name } = request.params;
    if (!FONT.test(name)) return next();
    response.sendFile(name, { root: fonts, maxAge: '30d', immutable: true });
  });
  router.get('/assets/:name', (request, response, next) => {
    const { name } = request.params;
    if (!SERVED.test(name)) return next();
    response.sendFile(name, { root: PAGES, maxAge: 0, lastModified: true });
  });
  return router;
}

/** Answers with one of our pages (`console.html`). */
export function sendPage(response: Response, name: string): void {
  response.setHeader('Cache-Control', 'no-cache');
  response.sendFile(name, { root: PAGES, cacheControl: false });
}
