import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import express from 'express';
import { Registry } from 'prom-client';
import { findFfmpeg } from '../../src/base/ffmpeg.js';
import type { Shown } from '../../src/chat/message.js';
import type { LinkAbout, MadeLink } from '../../src/chat/outgoing.js';
import type { Database } from '../../src/store/database.js';
import { makeTokens } from '../../src/store/tokens.js';
import { type Links, type LinksOptions, makeLinks } from '../../src/web/links.js';
import { lookAt } from '../../src/web/poster.js';
import { makeWeb, type Web, type WebOptions } from '../../src/web/server.js';
import { openTestDatabase } from '../support/database.js';
import { runFfmpeg } from '../support/ffmpeg.js';
import { seedPeople } from '../support/talk.js';
import { silent } from './stage.js';

export const HOUR = 3_600_000;
/** 14:40:00, Saturday 21/11/2026 in Việt Nam. */
export const NOW = Date.UTC(2026, 10, 21, 7, 40);
export const MARKET: Shown = {
  cameraId: 1,
  camera: '1 Cổng chợ',
  startMs: NOW - 600_000,
  endMs: NOW - 570_000,
};

export interface NewFile {
  fileName: string;
  content: string | Buffer;
  caption?: string;
  shows?: Shown;
}

export interface LinkStage {
  url: string;
  dir: string;
  folder: string;
  links: Links;
  database: Database;
  clock: { ms: number };
  /** Makes a link as the chat core does, to the officer's private chat unless told; the originals are gone then. */
  send(
    files: NewFile[],
    about?: Partial<LinkAbout>,
  ): Promise<{ made: MadeLink; local: string; token: string }>;
  personId(alias: string): Promise<number>;
  /** another life of the web server on the same database and files */
  restart(options?: Partial<LinksOptions>, web?: Partial<WebOptions>): Promise<void>;
  close(): Promise<void>;
}

/** Links over real HTTP, SQLite and files; the demo's people, a clock that stands until it is moved. */
export async function openLinkStage(
  options: Partial<LinksOptions> = {},
  webOptions: Partial<WebOptions> = {},
): Promise<LinkStage> {
  const db = await openTestDatabase();
  const clock = { ms: NOW };
  const now = { now: () => clock.ms };
  await seedPeople(db.database, now);
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'mat-than-links-'));
  const folder = path.join(dir, 'links');
  const ffmpeg = await findFfmpeg();
  let web: Web;

  const open = async (more: Partial<LinksOptions>, moreWeb: Partial<WebOptions>, port: number) => {
    let url = '';
    stage.links = makeLinks({
      tokens: makeTokens(db.database, now),
      database: db.database,
      clock: now,
      log: silent,
      folder,
      base: () => ({ url, lan: false }),
      unit: 'Công an xã Cẩm Lương',
      ttlMs: 24 * HOUR,
      oneDevice: true,
      pinDigits: 0,
      lookAt: (clip, poster) => lookAt(ffmpeg, clip, poster),
      ...options,
      ...more,
    });
    const console = express.Router();
    console.get('/console', (_request, response) => void response.send('console'));
    web = makeWeb({
      host: '127.0.0.1',
      port,
      publicUrl: null,
      log: silent,
      health: () => ({ ok: true }),
      metrics: new Registry(),
      publicRouters: [stage.links.router],
      routers: [console],
      ...webOptions,
      ...moreWeb,
    });
    ({ url } = await web.start());
    stage.url = url;
  };

  const personId = async (alias: string) =>
    (await db.database.person.findUniqueOrThrow({ where: { alias } })).id;

  const stage: LinkStage = {
    ...{ url: '', dir, folder, database: db.database, clock, personId },
    links: undefined as unknown as Links,
    async send(files, about = {}) {
      const given = files.map(({ content, ...file }) => {
        const place = path.join(dir, file.fileName);
        fs.writeFileSync(place, content);
        return { ...file, path: place, sizeBytes: content.length };
      });
      const made = await stage.links.make(given, {
        to: { channel: 'console', chatId: 'canbo' },
        inboxId: 812,
        only: { asker: { personId: await personId('canbo'), role: 'officer' } },
        ...about,
      });
      if (made === null) throw new Error('no link was made');
      for (const file of given) fs.rmSync(file.path, { force: true });
      const token = made.url.slice(made.url.lastIndexOf('/') + 1);
      return { made, token, local: `${stage.url}/m/${token}` };
    },
    async restart(more = {}, moreWeb = {}) {
      const { port } = new URL(stage.url);
      await web.stop(200);
      await open(more, moreWeb, Number(port));
      // kept-alive connections to the life before are found dead one by one
      await Promise.all(
        Array.from({ length: 32 }, () =>
          fetch(`${stage.url}/healthz`).then(
            (answer) => answer.text(),
            () => {},
          ),
        ),
      );
    },
    async close() {
      await web.stop(200);
      await db.close();
      fs.rmSync(dir, { recursive: true, force: true });
    },
  };
  await open({}, {}, 0);
  return stage;
}

/** A browser as far as links know it: one cookie. */
export interface Phone {
  cookie: string;
  get(address: string, headers?: Record<string, string>): Promise<Response>;
  /** presses "Xem" */
  press(
    address: string,
    fields?: Record<string, string>,
    headers?: Record<string, string>,
  ): Promise<Response>;
}

export function phone(): Phone {
  const me: Phone = {
    cookie: '',
    get: (address, headers = {}) =>
      fetch(address, { redirect: 'manual', headers: { cookie: me.cookie, ...headers } }),
    async press(address, fields = {}, headers = {}) {
      const answer = await fetch(address, {
        method: 'POST',
        redirect: 'manual',
        // as browsers do on a page that sends no referrer
        headers: { origin: 'null', cookie: me.cookie, ...headers },
        body: new URLSearchParams(fields),
      });
      const set = answer.headers.get('set-cookie');
      if (set !== null) me.cookie = set.split(';')[0]!;
      return answer;
    },
  };
  return me;
}

/** Two seconds as our clips are: H.264, index first. @param codec arguments of another encoder */
export async function film(
  file: string,
  codec = ['-c:v', 'libx264', '-preset', 'ultrafast'],
): Promise<Buffer> {
  await runFfmpeg([
    ...['-f', 'lavfi', '-i', 'testsrc2=size=640x360:rate=15:duration=2', ...codec],
    ...['-pix_fmt', 'yuv420p', '-movflags', '+faststart', '-y', file],
  ]);
  return fs.readFileSync(file);
}
