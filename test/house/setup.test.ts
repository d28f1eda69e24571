import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { makeConfig } from '../../src/base/config.js';
import { changeEnvText, readEnvFile, readEnvText } from '../../src/base/env-file.js';
import { makeSeal } from '../../src/base/seal.js';
import { windowsSteps } from '../../src/bin/service.js';
import { tokenFile } from '../../src/channels/zalo/tokens/keeper.js';
import { readKept } from '../../src/channels/zalo/tokens/kept.js';
import { summary, verifierCode } from '../../src/setup/words.js';
import { freePort } from '../support/product.js';
import { projectRoot } from '../support/project-root.js';
import { TelegramServer } from '../support/telegram-server.js';
import { TEST_APP, ZaloServer } from '../support/zalo-server.js';

const program = path.join(projectRoot, 'dist', 'src', 'bin', 'setup.js');
let telegram: TelegramServer;
let zalo: ZaloServer;
let folder: string;
let port: number;

beforeAll(async () => {
  const built = spawnSync(process.execPath, [path.join(projectRoot, 'src/bin/build.mjs')], {
    encoding: 'utf8',
  });
  expect(built.status, built.stderr).toBe(0);
  telegram = await TelegramServer.start();
}, 120_000);
afterAll(() => telegram.stop());
beforeEach(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'mat-than-setup-'));
  zalo = await ZaloServer.start({ rates: false });
  port = await freePort();
});
afterEach(async () => {
  await zalo.stop();
  fs.rmSync(folder, { recursive: true, force: true });
});

const envFile = () => path.join(folder, '.env');
/** A file that a person has made, with the stand-ins' addresses. */
const roots = () =>
  [
    '# của tôi',
    'RETENTION_DAYS=12',
    `TELEGRAM_API_ROOT=${telegram.apiRoot}`,
    ...['API', 'OAUTH', 'BOT'].map((name) => `ZALO_${name}_ROOT=${zalo.root}`),
    `PORT=${port}`,
    '',
  ].join('\n');

/** Types these lines one after the other. @param ends the input ends after them: the person leaves */
function setUp(
  lines: string[],
  env: Record<string, string> = {},
): Promise<{ code: number | null; said: string }> {
  const child = spawn(process.execPath, [program], {
    cwd: folder,
    env: { PATH: process.env.PATH, HOME: folder, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
  child.stdin.end(`${lines.join('\n')}\n`);
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, said })));
}
const unit = 'Công an xã Cẩm Lương';
const app = () => [TEST_APP.appId, TEST_APP.appSecret, TEST_APP.oaSecret];
const pair = () => [zalo.tokens.accessToken, zalo.tokens.refreshToken];
const kept = async () => {
  const key = makeSeal(readEnvFile(envFile()).SECRET_KEY!);
  return (await readKept(tokenFile(path.join(folder, 'data')), key))?.pair;
};

describe('npm run setup', () => {
  it('asks for everything, tries each, keeps what was there, and shows no secret', async () => {
    fs.writeFileSync(envFile(), roots());
    zalo.groupAsset('gmf50');
    const url = `http://127.0.0.1:${port}`;
    const { code, said } = await setUp([
      ...[unit, telegram.token, url, 'c', 'c', ...app(), 'zalo_verifierAbCdEfGh1234.html', ...pair()],
      ...[TEST_APP.botToken, 'c'],
    ]);
    expect(code, said).toBe(0);
    expect(said).toContain('Telegram nhận token của bot @mat_than_bot');
    expect(said).toContain(`${url} dẫn đúng tới máy này`);
    expect(said).toMatch(/Zalo nhận mã của OA “.+”/);
    expect(said).toMatch(/Gói: .+, dùng đến \d\d\/\d\d\/\d{4}/);
    expect(said).toContain('Nhóm tới 50 người: 0 nhóm đang dùng, còn tạo được 1.');
    expect(said).toContain('✓ Zalo nhận ID ứng dụng và khóa bí mật này.');
    expect(said).toContain('Khóa này chỉ thử được khi có tin tới');
    expect(said).toContain('Zalo nhận token của bot bot.mat.than (loại BASIC).');
    expect(said).not.toContain('không gửi được ảnh');
    for (const where of ['/zalo/oa', '/zalo/callback', '/zalo_verifierAbCdEfGh1234.html'])
      expect(said).toContain(url + where);
    expect(said).toContain('Đang bật: Telegram, Tên miền');
    expect(said).toContain('Task Scheduler');

    const text = fs.readFileSync(envFile(), 'utf8');
    expect(text.startsWith(roots())).toBe(true);
    expect(readEnvText(text)).toMatchObject({
      ...{ COMMUNE_NAME: unit, TELEGRAM_BOT_TOKEN: telegram.token, PUBLIC_URL: url, RETENTION_DAYS: '12' },
      ...{ ZALO_APP_ID: TEST_APP.appId, ZALO_APP_SECRET: TEST_APP.appSecret },
      ...{ ZALO_OA_SECRET: TEST_APP.oaSecret, ZALO_VERIFIER: 'AbCdEfGh1234' },
      ...{ ZALO_BOT_TOKEN: TEST_APP.botToken, SECRET_KEY: expect.stringMatching(/.{40}/) },
    });
    if (process.platform !== 'win32') expect(fs.statSync(envFile()).mode & 0o077).toBe(0);
    const [accessToken, refreshToken] = pair();
    expect(await kept()).toMatchObject({ accessToken, refreshToken });
    expect(zalo.tokens.given, 'the pasted pair was not used up').toBe(1);
    const { SECRET_KEY, RECORDER_TOKEN } = readEnvText(text);
    for (const secret of [
      telegram.token,
      ...app().slice(1),
      ...pair(),
      TEST_APP.botToken,
      SECRET_KEY,
      RECORDER_TOKEN,
    ])
      expect(said).not.toContain(secret);
  }, 60_000);

  it('run again with nothing but Enter it changes nothing', async () => {
    fs.writeFileSync(envFile(), roots());
    const url = `http://127.0.0.1:${port}`;
    await setUp([unit, telegram.token, url, 'c', 'c', ...app(), '', ...pair(), TEST_APP.botToken, 'c']);
    const before = fs.readFileSync(envFile(), 'utf8');
    const tokens = await kept();
    const { code, said } = await setUp(Array.from({ length: 14 }, () => ''));
    expect(code, said).toBe(0);
    expect(fs.readFileSync(envFile(), 'utf8')).toBe(before);
    expect(await kept()).toEqual(tokens);
    expect(said).toMatch(/Đang bật: .*Zalo OA, Zalo Bot/);
  }, 60_000);

  it('a wrong token, and one without its shape, are told and asked for again', async () => {
    fs.writeFileSync(envFile(), roots());
    const { code, said } = await setUp([
      ...[unit, 'khong-phai-token', '123456789:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', telegram.token, ''],
      ...[
        'c',
        app()[0]!,
        'sai-khoa',
        ...app().slice(1),
        'sai-access',
        'sai-refresh',
        'cung-mot',
        'cung-mot',
        ...pair(),
      ],
      ...['sai-bot-token', TEST_APP.botToken, 'c'],
    ]);
    expect(code, said).toBe(0);
    expect(said).toContain('không có dạng của một token');
    expect(said).toContain('token sai hoặc đã bị thu hồi');
    expect(said).toContain('Zalo không nhận access token này (mã -216)');
    expect(said).toContain('Đó không phải một cặp mã');
    expect(said).toContain(`Khóa bí mật này không phải của ứng dụng ${TEST_APP.appId} (mã -14004)`);
    expect(said).toContain('Zalo không nhận token này (mã 401)');
    expect(said).toContain('Zalo Bot không gửi được ảnh');
    expect(readEnvFile(envFile())).toMatchObject({
      ...{ TELEGRAM_BOT_TOKEN: telegram.token, ZALO_BOT_TOKEN: TEST_APP.botToken },
    });
    expect(await kept()).toMatchObject({ accessToken: zalo.tokens.accessToken });
    expect(said).not.toMatch(/sai-khoa|sai-access|sai-refresh|sai-bot-token|khong-phai-token/);
  }, 60_000);

  it('an app that is off, and codes that nobody knows: told, and the person decides', async () => {
    fs.writeFileSync(envFile(), roots());
    zalo.tokens.active = false;
    const off = await setUp([unit, telegram.token, '', 'c', ...app().slice(0, 2), 'k', '-', '', 'c']);
    expect(off.code, off.said).toBe(0);
    expect(off.said).toContain(`Ứng dụng ${TEST_APP.appId} đang tắt, hoặc ID chưa đúng (mã -14002)`);
    expect(readEnvFile(envFile()).ZALO_APP_SECRET ?? '').toBe('');
    zalo.tokens.active = true;
    const id = '99';
    const strange = await setUp(['', '', '', 'c', id, app()[1]!, 'c', app()[2]!, '', '', 'c']);
    expect(strange.code, strange.said).toBe(0);
    expect(strange.said).toMatch(/Zalo trả lời mã -\d+, nên chưa biết chắc/);
    expect(readEnvFile(envFile())).toMatchObject({ ZALO_APP_ID: id, ZALO_APP_SECRET: app()[1] });
    expect(zalo.tokens.given).toBe(1);
  }, 60_000);

  it('no network: the person may keep what could not be tried', async () => {
    const dead = `http://127.0.0.1:${await freePort()}`;
    fs.writeFileSync(envFile(), roots().replaceAll(zalo.root, dead).replaceAll(telegram.apiRoot, dead));
    const { code, said } = await setUp([
      ...[unit, telegram.token, 'c', `${dead}`, 'k', '', 'c', ...app().slice(0, 2), 'c', app()[2]!],
      ...[...pair(), 'c', '', 'c'],
    ]);
    expect(code, said).toBe(0);
    expect(said).toContain('Không tới được Telegram');
    expect(said).toContain('Không mở được http://127.0.0.1');
    expect(said).toContain('Không tới được Zalo');
    expect(readEnvFile(envFile())).toMatchObject({ TELEGRAM_BOT_TOKEN: telegram.token });
    expect(readEnvFile(envFile()).PUBLIC_URL).toBeUndefined();
    expect(await kept()).toMatchObject({ accessToken: zalo.tokens.accessToken });
  }, 60_000);

  it('left in the middle, at any question, nothing is written', async () => {
    fs.writeFileSync(envFile(), roots());
    const all = [unit, telegram.token, '', 'c', ...app(), ...pair(), TEST_APP.botToken];
    for (const answers of [0, 1, 3, 6, 9, 10]) {
      const { code, said } = await setUp(all.slice(0, answers));
      expect(code).toBe(1);
      expect(said).toContain('chưa ghi gì');
      expect(fs.readFileSync(envFile(), 'utf8')).toBe(roots());
      expect(fs.readdirSync(folder)).toEqual(['.env']);
    }
    const refused = await setUp([...all, 'k']);
    expect(refused.code).toBe(1);
    expect(fs.readdirSync(folder)).toEqual(['.env']);
  }, 90_000);

  const openssl = spawnSync('openssl', ['version']).status === 0;
  it.skipIf(!openssl)(
    'by https it says whether the address leads here, or to another machine',
    async () => {
      const [key, cert] = [path.join(folder, 'key.pem'), path.join(folder, 'cert.pem')];
      const made = spawnSync('openssl', [
        ...[
          'req',
          '-x509',
          '-newkey',
          'ec',
          '-pkeyopt',
          'ec_paramgen_curve:prime256v1',
          '-nodes',
          '-days',
          '2',
        ],
        ...[
          '-keyout',
          key,
          '-out',
          cert,
          '-subj',
          '/CN=localhost',
          '-addext',
          'subjectAltName=DNS:localhost',
        ],
      ]);
      expect(made.status, String(made.stderr)).toBe(0);
      fs.writeFileSync(envFile(), roots());
      let target = port;
      const proxy = https
        .createServer({ key: fs.readFileSync(key), cert: fs.readFileSync(cert) }, (request, response) => {
          const on = http.request({ port: target, path: request.url, host: '127.0.0.1' }, (answer) => {
            response.writeHead(answer.statusCode!);
            answer.pipe(response);
          });
          on.on('error', () => response.writeHead(502).end());
          on.end();
        })
        .listen(0, '127.0.0.1');
      await new Promise((ready) => proxy.once('listening', ready));
      try {
        const name = `localhost:${(proxy.address() as AddressInfo).port}`;
        const env = { NODE_EXTRA_CA_CERTS: cert };
        const here = await setUp([unit, '', name, 'k', TEST_APP.botToken, 'c'], env);
        expect(here.code, here.said).toBe(0);
        expect(here.said).toContain(`✓ https://${name} dẫn đúng tới máy này.`);
        expect(readEnvFile(envFile())).toMatchObject({
          ...{ PUBLIC_URL: `https://${name}`, ZALO_BOT_SECRET: expect.stringMatching(/^[\w-]{43}$/) },
        });
        target = await freePort();
        const away = await setUp(['', '', '', '', 'k', '', 'c'], env);
        expect(away.said).toContain('có trả lời (mã 502) nhưng không dẫn tới máy này');
      } finally {
        proxy.closeAllConnections();
        await new Promise((closed) => proxy.close(closed));
      }
    },
    60_000,
  );
});

describe('its parts', () => {
  it('a changed .env keeps its order, its notes and what it does not know', () => {
    const text = '# mine\nexport A=1\n\nUNKNOWN=x # y\r\nB="2"\nA=3\n';
    expect(changeEnvText(text, { A: '9', B: '', C: ' tên có cách ', D: '' })).toBe(
      '# mine\nA=9\n\nUNKNOWN=x # y\nB=\nC=" tên có cách "\n',
    );
    expect(changeEnvText('', { A: '1' })).toBe('A=1\n');
    expect(changeEnvText('', {})).toBe('');
    for (const value of ['"a"', "'", ' x', 'a=b#c', "'q'"])
      expect(readEnvText(changeEnvText('', { A: value })).A).toBe(value);
  });

  it('the code of the file is found in whatever was pasted', () => {
    for (const pasted of [
      'zalo_verifierAbC_1-2x.html',
      'https://a.vn/zalo_verifierAbC_1-2x.html',
      'AbC_1-2x',
    ])
      expect(verifierCode(pasted)).toBe('AbC_1-2x');
  });

  it('what is on and what is missing', () => {
    const config = (env: Record<string, string>) => makeConfig(env, false);
    expect(summary(config({}), false)).toEqual({
      on: [],
      missing: [expect.stringContaining('Telegram'), expect.stringContaining('Tên miền công khai')],
    });
    const all = config({
      ...{ TELEGRAM_BOT_TOKEN: '1:x', PUBLIC_URL: 'https://xa.example.vn', ZALO_VERIFIER: 'AbCdEfGh' },
      ...{ ZALO_APP_ID: '1', ZALO_APP_SECRET: 's', ZALO_BOT_TOKEN: 'b' },
    });
    expect(summary(all, true).missing).toEqual([]);
    expect(summary(all, false).missing).toEqual([expect.stringContaining('nối Zalo OA')]);
  });

  it('the steps for Windows name the program, its argument and the folder', () => {
    const steps = windowsSteps({ folder: '/srv/mat-than', node: '/usr/bin/node' }).join('\n');
    expect(steps).toContain('Program/script: /usr/bin/node');
    expect(steps).toContain(`"${path.join('/srv/mat-than', 'src', 'bin', 'start.mjs')}"`);
    expect(steps).toContain('Start in: /srv/mat-than');
  });
});
