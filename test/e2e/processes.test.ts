import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readEnvFile } from '../../src/base/env-file.js';
import {
  endProducts,
  eventually,
  freePort,
  isTaken,
  type Product,
  startProduct,
  typedMoment,
} from '../support/product.js';

const ENV = { OUTAGE_SECONDS: '5', MAT_THAN_SEGMENT_MS: '4000' };
const CAMERAS = ['cam1', 'cam2', 'cam3', 'cam4'];
/** Longest distance between keyframes of the demo's cameras, ms. */
const GOP_MS = 2000;

afterAll(endProducts);

const filesIn = (folder: string) =>
  fs.existsSync(folder)
    ? fs
        .readdirSync(folder, { recursive: true, encoding: 'utf8' })
        .filter((name) => fs.statSync(path.join(folder, name)).isFile())
    : [];
const recordings = (product: Product) => filesIn(path.join(product.home, 'recordings'));
const unfinished = (product: Product) =>
  recordings(product).filter((name) => name.endsWith('.recording.mp4'));
const bytesRecorded = (product: Product) =>
  recordings(product).reduce(
    (sum, name) =>
      sum + (fs.statSync(path.join(product.home, 'recordings', name), { throwIfNoEntry: false })?.size ?? 0),
    0,
  );
const lives = (pid: number) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

/** Waits until every camera has delivered pictures for so long, without a gap, up to now. */
async function recordedFor(product: Product, ms: number): Promise<void> {
  const recorder = product.recorder();
  await eventually(`every camera has ${ms} ms`, async () => {
    const endMs = Date.now() - 1500;
    for (const id of CAMERAS)
      if ((await recorder.coverage(id, { startMs: endMs - ms, endMs })).gaps.length > 0) return false;
    return true;
  });
}

/** Waits until every camera records pictures younger than `sinceMs`; gives back how long after it that was, ms. */
async function recordsAgain(product: Product, sinceMs: number): Promise<number> {
  const recorder = product.recorder();
  await eventually('every camera records again', async () => {
    const cameras = await recorder.cameras();
    return cameras.every((one) => one.state === 'recording' && (one.newestFrameMs ?? 0) > sinceMs);
  });
  return Date.now() - sinceMs;
}

describe('one part ends, the others go on', () => {
  let demo: Product;
  beforeAll(async () => {
    demo = await startProduct({ env: ENV });
    await recordedFor(demo, 4000);
  }, 90_000);

  it('the recorder is killed: the bot says so, it comes back by itself, at most a second is lost', async () => {
    const before = await demo.processes();
    const old = demo.service('recorder');
    const bot = demo.service('bot');
    const killedMs = Date.now();
    process.kill(old, 'SIGKILL');
    const [meanwhile] = await demo.say('canbo', 'ảnh 1');
    expect(meanwhile!.kind).toBe('text');
    expect(meanwhile!.text).toMatch(/không kết nối được.*thử lại/);

    const awayMs = await recordsAgain(demo, killedMs);
    expect(awayMs).toBeLessThan(5000 + GOP_MS + 5000);
    expect(demo.service('recorder')).not.toBe(old);
    expect(demo.service('bot')).toBe(bot);
    const [now] = await demo.say('canbo', 'ảnh 1');
    expect(now!.kind).toBe('photo');

    for (const id of CAMERAS) {
      const { recorded } = await demo.recorder().coverage(id, { startMs: killedMs - 4000, endMs: killedMs });
      expect(recorded[0]!.startMs).toBe(killedMs - 4000);
      expect(killedMs - recorded.at(-1)!.endMs, `lost by ${id}`).toBeLessThanOrEqual(1000);
    }
    const asked = Math.floor((killedMs - 3000) / 1000) * 1000;
    await recordedFor(demo, 1000);
    const seconds = Math.floor((Date.now() - asked) / 1000);
    const [clip] = await demo.say('canbo', `clip 2 ${typedMoment(asked)} trong ${seconds} giây`);
    expect(clip!.kind).toBe('video');
    expect(clip!.text).toMatch(/Thiếu .*: máy ghi bị ngừng/);
    // The ffmpegs of the killed one are gone with it.
    for (const { pid, command } of before)
      if (command.includes('ffmpeg')) await eventually(`ffmpeg ${pid} ends`, () => !lives(pid));
  }, 60_000);

  it('the bot is killed: recording goes on, who speaks meanwhile is told, it comes back and answers', async () => {
    const old = demo.service('bot');
    const recorder = demo.service('recorder');
    const bytes = bytesRecorded(demo);
    const killedMs = Date.now();
    process.kill(old, 'SIGKILL');
    await eventually('it is gone', () => !lives(old));
    await expect(demo.say('canbo', 'ảnh 2')).rejects.toThrow(/Bản dùng thử chưa chạy.*thử lại/);

    await eventually('more is recorded', () => bytesRecorded(demo) > bytes);
    const answers = await eventually('it answers again', () => demo.say('canbo', 'ảnh 2'));
    expect(answers.map((said) => said.kind)).toEqual(['photo']);
    expect(demo.service('bot')).not.toBe(old);
    expect(demo.service('recorder')).toBe(recorder);
    const endMs = Date.now() - 1000;
    for (const id of CAMERAS) {
      const { gaps } = await demo.recorder().coverage(id, { startMs: killedMs - 1000, endMs });
      expect(gaps, `gaps of ${id}`).toEqual([]);
    }
    expect((await demo.chat('canbo', 'canbo')).some((line) => line.text === 'ảnh 1')).toBe(true);
  }, 60_000);

  it('a second start on the same folder is refused with a sentence, and the first goes on', async () => {
    const second = await startProduct({
      after: { folder: demo.folder, port: await freePort(), recorderPort: await freePort() },
      env: ENV,
      untilReady: false,
    });
    expect(await second.ended).toEqual({ code: 1, signal: null });
    expect(second.terminal()).toContain(`đang chạy trên thư mục này rồi (tiến trình ${demo.pid})`);
    expect((await demo.say('canbo', 'ảnh 1'))[0]!.kind).toBe('photo');
  });

  it('writes nothing secret, neither in a log nor in the list of processes', async () => {
    const keys = readEnvFile(path.join(demo.home, '.env'));
    const door = JSON.parse(fs.readFileSync(path.join(demo.home, 'say.json'), 'utf8')) as { key: string };
    const secrets = [keys.SECRET_KEY!, keys.RECORDER_TOKEN!, door.key];
    for (const secret of secrets) expect(secret.length).toBeGreaterThan(20);
    const logs = filesIn(path.join(demo.home, 'logs'));
    expect(logs.sort()).toEqual(['bot.log', 'parent.log', 'recorder.log']);
    const texts = [
      demo.terminal(),
      ...logs.map((name) => fs.readFileSync(path.join(demo.home, 'logs', name), 'utf8')),
      ...(await demo.processes()).map((each) => each.command),
    ];
    for (const text of texts) for (const secret of secrets) expect(text).not.toContain(secret);
    if (process.platform !== 'win32')
      for (const file of ['.env', 'say.json'])
        expect(fs.statSync(path.join(demo.home, file)).mode & 0o777).toBe(0o600);
  });

  let next: Product;
  it('the parent is killed: its children end by themselves, nothing stays open', async () => {
    expect((await demo.processes()).length).toBeGreaterThanOrEqual(3 + CAMERAS.length);
    process.kill(demo.pid, 'SIGKILL');
    expect(await demo.ended).toEqual({ code: null, signal: 'SIGKILL' });
    // Started at once, as a service manager would: it waits for the old ones to be gone.
    next = await startProduct({ after: demo, env: ENV });
    expect(await demo.processes()).toEqual([]);
  }, 60_000);

  it('the next start continues: the same cameras, talk and recordings, and the same keys', async () => {
    await recordsAgain(next, Date.now());
    const cameras = await next.recorder().cameras();
    expect(cameras.map((one) => one.id).sort()).toEqual(CAMERAS);
    const { recorded } = await next
      .recorder()
      .coverage('cam1', { startMs: Date.now() - 120_000, endMs: Date.now() });
    expect(recorded.length).toBeGreaterThanOrEqual(2);
    const lines = await next.chat('canbo', 'canbo');
    expect(lines.filter((line) => line.kind === 'photo').length).toBeGreaterThanOrEqual(2);
    const [old] = await next.say('canbo', `clip 1 ${typedMoment(recorded[0]!.startMs + 2000)} trong 5 giây`);
    expect(old!.kind).toBe('video');
  }, 60_000);

  it.each(['SIGTERM', 'SIGINT'] as const)(
    '%s ends everything within 15 s: no process, no port, no open file',
    async (signal) => {
      if (signal === 'SIGINT') next = await startProduct({ after: next, env: ENV, prepare: true });
      await recordsAgain(next, Date.now());
      // One may be between two files at this moment.
      await eventually('four files are open', () => unfinished(next).length === CAMERAS.length);
      const askedMs = Date.now();
      await next.stop(signal);
      expect(Date.now() - askedMs).toBeLessThan(15_000);
      expect(await next.ended).toEqual({ code: 0, signal: null });
      expect(await next.processes()).toEqual([]);
      expect(await isTaken(next.port)).toBe(false);
      expect(await isTaken(next.recorderPort)).toBe(false);
      expect(unfinished(next)).toEqual([]);
      expect(filesIn(path.join(next.home, 'spool'))).toEqual([]);
      expect(fs.existsSync(path.join(next.home, 'say.json'))).toBe(false);
      expect(next.terminal()).toContain('Đã dừng');
    },
    60_000,
  );
});

describe.concurrent('what cannot start says why, ends with 1 and leaves nothing behind', () => {
  const TOKEN = '4839574812:AAFD39kkdpWt3ywyRZergyOLMaJhac60qcT';
  async function refused(env: Record<string, string>, installed = false): Promise<Product> {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'mat-than-e2e-'));
    if (installed) {
      fs.mkdirSync(path.join(folder, 'data'));
      fs.writeFileSync(path.join(folder, 'data', 'bot.db'), '');
    }
    const product = await startProduct({
      after: { folder, port: await freePort(), recorderPort: await freePort() },
      env,
      untilReady: false,
    });
    expect(await product.ended).toEqual({ code: 1, signal: null });
    expect(product.terminal()).not.toMatch(/\n {4}at |Error:/);
    expect(product.terminal()).not.toContain(TOKEN);
    return product;
  }

  it.each([
    ['a token is set', { DEMO: '1', TELEGRAM_BOT_TOKEN: TOKEN }, false, 'đã có token của một kênh chat'],
    ['there is a real installation', { DEMO: '1' }, true, 'DATA_DIR đã có dữ liệu thật'],
    ['others could reach it', { HOST: '0.0.0.0' }, false, 'HOST=0.0.0.0 mở ra ngoài máy này'],
    ['others could reach it, insisting', { HOST: '0.0.0.0', DEMO: '1' }, false, 'HOST=0.0.0.0'],
  ])('the demo, when %s', async (_when, env, installed, sentence) => {
    const product = await refused(env, installed);
    expect(product.terminal()).toContain('Không chạy bản dùng thử');
    expect(product.terminal()).toContain(sentence);
    expect(filesIn(product.folder)).toEqual(installed ? [path.join('data', 'bot.db')] : []);
    if (!installed) expect(fs.existsSync(product.data)).toBe(false);
  });

  it('a real installation whose key is lost: a new one would make every address unreadable', async () => {
    const product = await refused({ DEMO: '0' }, true);
    expect(product.terminal()).toMatch(/Thiếu SECRET_KEY trong .*chép lại tệp \.env/);
    expect(filesIn(product.folder)).toEqual([path.join('data', 'bot.db')]);
  });

  it('settings that cannot be used, each named', async () => {
    const product = await refused({ PORT: 'abc', CLIP_SECONDS: '-3' });
    expect(product.terminal()).toContain('hãy sửa trong .env');
    expect(product.terminal()).toMatch(/PORT \(abc\)[\s\S]*CLIP_SECONDS \(-3\)/);
    expect(fs.existsSync(product.data)).toBe(false);
  });

  it.each(['PORT', 'RECORDER_PORT'])(
    'a %s that another program holds: which, and what to do',
    async (name) => {
      const holder = net.createServer().listen(0, '127.0.0.1');
      try {
        await eventually('it listens', () => holder.listening);
        const { port } = holder.address() as net.AddressInfo;
        const product = await refused({ [name]: String(port) });
        expect(product.terminal()).toMatch(
          new RegExp(`Cổng ${port} \\(.*\\): .*đang dùng\\. Hãy dừng chương trình đó, hoặc đặt ${name} khác`),
        );
        expect(await product.processes()).toEqual([]);
      } finally {
        holder.close();
      }
    },
  );
});
