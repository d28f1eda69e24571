import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';

import express from 'express';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { makePhotoLinks, type PhotoLinks } from '../../src/web/photo-links.js';

let dir: string;
let folder: string;
let nowMs: number;
let links: PhotoLinks;
let web: http.Server;
let origin: string;

const make = () => makePhotoLinks({ folder, publicUrl: `${origin}/`, ttlMs: 60_000, steady: () => nowMs });

beforeEach(async () => {
  dir = fs.mkdtempSync(path.join(os.tmpdir(), 'mat-than-photo-links-'));
  folder = path.join(dir, 'links');
  nowMs = 1000;
  const app = express().use((...about) => links.router(...about));
  web = http.createServer(app).listen(0, '127.0.0.1');
  await new Promise((ready) => web.once('listening', ready));
  origin = `http://127.0.0.1:${(web.address() as { port: number }).port}`;
  links = make();
});
afterEach(async () => {
  web.closeAllConnections();
  await new Promise((closed) => web.close(closed));
  fs.rmSync(dir, { recursive: true, force: true });
});

const photo = () => {
  const file = path.join(dir, 'a.jpg');
  fs.writeFileSync(file, 'bytes of a photo');
  return { path: file };
};

it('serves a copy under an unguessable address, kept by nobody on the way', async () => {
  const file = photo();
  const url = await links.linkFor(file);
  fs.rmSync(file.path);
  expect(url).toMatch(new RegExp(`^${origin}/p/[\\w-]{43}\\.jpg$`));
  const answer = await fetch(url);
  expect(answer.status).toBe(200);
  expect(answer.headers.get('content-type')).toBe('image/jpeg');
  expect(answer.headers.get('cache-control')).toBe('private, no-store');
  expect(answer.headers.get('x-robots-tag')).toBe('noindex');
  expect(await answer.text()).toBe('bytes of a photo');
});

it('ends with its time, and the sweep takes its file alone', async () => {
  const old = await links.linkFor(photo());
  nowMs += 30_000;
  const young = await links.linkFor(photo());
  nowMs += 30_000;
  expect((await fetch(old)).status).toBe(404);
  expect((await fetch(young)).status).toBe(200);
  expect(fs.readdirSync(folder)).toHaveLength(2);
  await links.sweep();
  expect(fs.readdirSync(folder)).toEqual([path.basename(young)]);
});

it('nothing else of the disk is to be had', async () => {
  const url = await links.linkFor(photo());
  fs.writeFileSync(path.join(folder, 'khac.jpg'), 'x');
  fs.writeFileSync(path.join(dir, `${'a'.repeat(43)}.jpg`), 'x');
  const token = path.basename(url, '.jpg');
  for (const name of [
    ...['khac.jpg', `${'a'.repeat(43)}.jpg`, `..%2f${'a'.repeat(43)}.jpg`, `%2e%2e/a.jpg`],
    ...[`${token.slice(1)}.jpg`, `${token}.jpg%00`, `${token}.jpg/..`],
  ])
    expect((await fetch(`${origin}/p/${name}`)).status, name).toBe(404);
});

it('what an earlier life left opens nothing, and goes', async () => {
  const url = await links.linkFor(photo());
  links = make();
  expect((await fetch(url)).status).toBe(404);
  await links.sweep();
  expect(fs.readdirSync(folder)).toEqual([]);
  expect((await fetch(await links.linkFor(photo()))).status).toBe(200);
});
