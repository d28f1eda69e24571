import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ConfigError, decideMode, isLoopback, makeConfig, readSettings } from '../../src/base/config.js';
import { ensureKeys, readEnvFile } from '../../src/base/env-file.js';
import { makeSeal } from '../../src/base/seal.js';

describe('settings', () => {
  test('with nothing set there is a working default for everything', () => {
    const config = makeConfig({}, true);
    expect(config).toMatchObject({
      port: 8600,
      recorderPort: 8601,
      host: '127.0.0.1',
      clipSeconds: 30,
      demo: true,
    });
    expect(config.dataDir).toBe(path.resolve('data/demo'));
  });

  test('every wrong setting is named at once, and a secret value never shown', () => {
    const wrong = () => readSettings({ PORT: 'abc', CLIP_SECONDS: '2', LOG_LEVEL: 'loud' });
    expect(wrong).toThrow(ConfigError);
    expect(wrong).toThrow(/PORT[\s\S]*CLIP_SECONDS[\s\S]*LOG_LEVEL/);
  });
});

describe('demo or real', () => {
  const token = { TELEGRAM_BOT_TOKEN: '1:x' };
  test('with nothing set up the demo runs; another port or folder does not end it', () => {
    expect(decideMode({}, false)).toEqual({ mode: 'demo' });
    expect(decideMode({ PORT: '9000', DATA_DIR: '/elsewhere' }, false)).toEqual({ mode: 'demo' });
  });

  test.each([
    ['a real installation', {}, true],
    ["a channel's token", token, false],
    ['an OA of Zalo', { ZALO_APP_ID: '12' }, false],
    ['a bot of Zalo', { ZALO_BOT_TOKEN: 'x' }, false],
    ['a bind to the outside', { HOST: '0.0.0.0' }, false],
  ])('%s refuses the demo with a sentence', (_what, env, installed) => {
    const mode = decideMode({ ...env, DEMO: '1' }, installed);
    expect(mode).toMatchObject({
      mode: 'refused',
      sentence: expect.stringMatching(/Không chạy bản dùng thử: .+ (đặt|Bỏ) /),
    });
  });

  test('a real installation goes on without its token: recording must not stop', () => {
    expect(decideMode({}, true)).toEqual({ mode: 'real' });
    expect(decideMode(token, false)).toEqual({ mode: 'real' });
    for (const zalo of [{ ZALO_APP_ID: '12' }, { ZALO_BOT_TOKEN: 'x' }])
      expect(decideMode({ ...zalo, HOST: '0.0.0.0' }, false)).toEqual({ mode: 'real' });
    expect(decideMode({ DEMO: '0' }, false)).toEqual({ mode: 'real' });
  });

  test('loopback is told from everything else', () => {
    expect(['127.0.0.1', '127.0.5.1', 'localhost', '::1'].every(isLoopback)).toBe(true);
    expect(['0.0.0.0', '::', '192.168.1.4', 'example.com', '127.evil.example'].some(isLoopback)).toBe(false);
  });
});

describe('keys', () => {
  let folder: string;
  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'mat-than-env-'));
  });
  afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

  test('are made once, readable by the owner only, and what stood in the file stays', () => {
    const file = path.join(folder, '.env');
    fs.writeFileSync(file, '# mine\nPORT=9000');
    const keys = ensureKeys(file, {});
    expect(ensureKeys(file, {})).toEqual(keys);
    expect(readEnvFile(file)).toEqual({ PORT: '9000', ...keys });
    expect(fs.readFileSync(file, 'utf8')).toMatch(/^# mine\nPORT=9000\n/);
    if (process.platform !== 'win32') expect(fs.statSync(file).mode & 0o077).toBe(0);
  });

  test('seal what is written, and notice a changed letter or another key', () => {
    const { SECRET_KEY } = ensureKeys(path.join(folder, '.env'), {});
    const seal = makeSeal(SECRET_KEY);
    const sealed = seal.seal('rtsp://admin:bí mật@10.0.0.4/ch1');
    expect(sealed).not.toContain('admin');
    expect(seal.open(sealed)).toBe('rtsp://admin:bí mật@10.0.0.4/ch1');
    const bytes = Buffer.from(sealed.slice(3), 'base64');
    bytes[bytes.length - 1]! ^= 1;
    expect(() => seal.open(`v1:${bytes.toString('base64')}`)).toThrow();
    expect(() => makeSeal(Buffer.alloc(32, 7).toString('base64')).open(sealed)).toThrow();
  });

  test('an .env file may have quotes, comments, export and Windows line ends', () => {
    const file = path.join(folder, '.env');
    fs.writeFileSync(file, '# x\r\nexport A_B="một hai"\r\nC=\'3\'\r\n D = 4 \r\nnothing\r\n');
    expect(readEnvFile(file)).toEqual({ A_B: 'một hai', C: '3', D: '4' });
  });
});
