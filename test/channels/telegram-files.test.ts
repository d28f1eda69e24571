import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { makeConnection } from '../../src/channels/telegram/connection.js';

let dir: string;
beforeEach(() => {
  dir = fs.mkdtempSync(path.join(os.tmpdir(), 'mat-than-relay-'));
  fs.writeFileSync(path.join(dir, 'secret'), 'ours');
});
afterEach(() => fs.rmSync(dir, { recursive: true, force: true }));

it.each([
  ['http://relay.invalid', false],
  ['http://127.0.0.1:1', true],
])('a Bot API server at %s may name a file on this disk: %s', async (apiRoot, may) => {
  const connection = makeConnection({ token: '1:x', apiRoot });
  const target = path.join(dir, 'copy');
  await connection
    .download(path.join(dir, 'secret'), target, 1000, AbortSignal.timeout(5000))
    .catch(() => {});
  expect(fs.existsSync(target)).toBe(may);
  connection.close();
});
