import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { makeLog, redact } from '../../src/base/log.js';

const TOKEN = `123456789:${'AbCdEfGhIjKlMnOpQrStUvWxYz012345678'}`;

test.each([
  ['rtsp://admin:s3cret@10.0.0.5:554/ch1', 'rtsp://10.0.0.5:554/ch1'],
  ['rtsp://admin:p@ss@w0rd@cam.example/1', 'rtsp://cam.example/1'],
  ["Opening 'rtsp://u:p@h/x' for reading", "Opening 'rtsp://h/x' for reading"],
  ['socks5://me:mine@proxy:1080', 'socks5://proxy:1080'],
  ['https://example.com/a@b', 'https://example.com/a@b'],
  [`POST https://api.telegram.org/bot${TOKEN}/getMe`, 'POST https://api.telegram.org/bot[ẩn]/getMe'],
  ['authorization: Bearer abc.def', 'authorization: Bearer [ẩn]'],
])('%s is printed without its secret', (text, printed) => {
  expect(redact(text)).toBe(printed);
});

test('whatever is logged, nothing secret reaches the file', () => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'mat-than-log-'));
  const log = makeLog({ name: 'test', level: 'info', dir });
  const error = new Error('no answer from rtsp://admin:s3cret@cam/1', {
    cause: new Error(`bot${TOKEN} refused`),
  });
  log.error({ err: error, camera: { url: 'rtsp://admin:s3cret@cam/1' } }, 'lost rtsp://admin:s3cret@cam/1');
  log.info({ password: 's3cret', phoneSealed: '0912345678', nested: [{ token: TOKEN }] }, 'settings');
  const written = fs.readFileSync(path.join(dir, 'test.log'), 'utf8');
  fs.rmSync(dir, { recursive: true });
  expect(written).toContain('"level":"error"');
  expect(written).toContain('no answer from rtsp://cam/1');
  for (const secret of ['s3cret', '0912345678', TOKEN]) expect(written).not.toContain(secret);
});

test('a full log file makes room for a new one, and only the newest few are kept', () => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'mat-than-log-'));
  const log = makeLog({ name: 'test', level: 'info', dir });
  const line = 'x'.repeat(1_000_000);
  for (let written = 0; written < 75; written += 1) log.info(line);
  const sizes = fs.readdirSync(dir).map((name) => fs.statSync(path.join(dir, name)).size);
  fs.rmSync(dir, { recursive: true });
  expect(sizes).toHaveLength(6);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(10_000_000);
});
