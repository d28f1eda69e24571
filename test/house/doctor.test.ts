import { execFileSync, fork, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { createClient } from '@libsql/client';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { RecorderIndex } from '../../media/index/index.js';
import { parseAddress } from '../../media/source/address.js';
import { LoginGuard } from '../../media/source/login-guard.js';
import { LOGIN_FILE, loginFile } from '../../media/source/login-memory.js';
import { ensureKeys } from '../../src/base/env-file.js';
import { makeLog } from '../../src/base/log.js';
import { makeKey, makeSeal } from '../../src/base/seal.js';
import { printUnit } from '../../src/bin/service.js';
import { judgeBackups } from '../../src/doctor/backups.js';
import { judgeTried } from '../../src/doctor/cameras.js';
import { judgeClock } from '../../src/doctor/clock.js';
import { judgeSpeed, judgeSyncing, percentile } from '../../src/doctor/disk.js';
import { examine, type Section } from '../../src/doctor/doctor.js';
import type { Finding } from '../../src/doctor/finding.js';
import { judgeHolds, spoiltHolds } from '../../src/doctor/holds.js';
import { checkService, judgeFileLimit, judgeMemory } from '../../src/doctor/machine.js';
import { makeClean, printJson, printSection } from '../../src/doctor/print.js';
import { nearestSetting } from '../../src/doctor/settings.js';
import { readSituation } from '../../src/doctor/situation.js';
import { daysThatFit, judgeSpace, pacesOf, type SpaceFacts } from '../../src/doctor/space.js';
import { migrate } from '../../src/migrate.js';
import { eventually, freePort, startProduct } from '../support/product.js';
import { projectRoot } from '../support/project-root.js';
import { startRtspServer } from '../support/rtsp-server.js';
import { TelegramServer } from '../support/telegram-server.js';

const TINY = {
  codec: 'h264',
  width: 320,
  height: 240,
  fps: 10,
  gopSeconds: 1,
  kbps: 200,
  seconds: 2,
} as const;
const program = path.join(projectRoot, 'dist', 'src', 'bin', 'doctor.js');

/** Migrated, empty databases, made once. */
let template: string;
let telegram: TelegramServer;
let folder: string;
let data: string;

beforeAll(async () => {
  template = fs.mkdtempSync(path.join(os.tmpdir(), 'mat-than-doctor-template-'));
  telegram = await TelegramServer.start();
  await Promise.all(
    (['bot', 'recorder'] as const).map((name) =>
      migrate(projectRoot, name, path.join(template, `${name}.db`)),
    ),
  );
}, 60_000);
afterAll(async () => {
  await telegram.stop();
  fs.rmSync(template, { recursive: true, force: true });
});
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'mat-than-doctor-'));
  data = path.join(folder, 'data');
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

type Env = Record<string, string>;
const envFile = () => path.join(folder, '.env');

/** A real installation in the test's folder: databases, keys. */
function install(): { seal: ReturnType<typeof makeSeal>; key: string } {
  fs.mkdirSync(data, { recursive: true });
  for (const name of ['bot.db', 'recorder.db'])
    fs.copyFileSync(path.join(template, name), path.join(data, name));
  const { SECRET_KEY } = ensureKeys(envFile(), {});
  return { seal: makeSeal(SECRET_KEY), key: SECRET_KEY };
}

async function addCameras(
  key: string,
  cameras: { id: string; name: string; url: string; enabled?: boolean }[],
) {
  const index = await RecorderIndex.open(path.join(data, 'recorder.db'), makeSeal(key));
  for (const [i, camera] of cameras.entries())
    await index.cameras.add({
      ...{ subUrl: null, transport: 'tcp', audio: false, enabled: true, retentionDays: null },
      ...{ createdMs: i, removedMs: null },
      ...camera,
    } as Parameters<RecorderIndex['cameras']['add']>[0]);
  await index.close();
}

async function sql(name: string, statement: string): Promise<void> {
  const database = createClient({ url: `file:${path.join(data, name)}` });
  await database.execute(statement);
  database.close();
}

/** The settings of the host must not matter. */
async function visit(env: Env = {}, unit: string | null = null) {
  const ports = { PORT: String(await freePort()), RECORDER_PORT: String(await freePort()) };
  const situation = readSituation(folder, {
    ...{
      DEMO: '0',
      DATA_DIR: data,
      MIN_FREE_PERCENT: '0',
      MIN_FREE_GB: '0',
      TELEGRAM_API_ROOT: telegram.apiRoot,
    },
    ...ports,
    ...env,
  });
  const sections = await examine({ situation, unit });
  const clean = makeClean(situation.secrets);
  const text = sections.map((section) => printSection(section, clean)).join('\n');
  const found = sections.flatMap((section) => section.findings);
  return {
    ...{ situation, sections, text, json: printJson(situation, sections, 0, clean) },
    of: (check: string) => found.filter((finding) => finding.check === check),
    one(check: string): Finding {
      const all = found.filter((finding) => finding.check === check);
      if (all.length !== 1) throw new Error(`${all.length} × ${check} in\n${text}`);
      return all[0]!;
    },
  };
}

/** Every finding that isn't fine says what to do, in NFC, on one line. */
function wellSaid(sections: Section[]): void {
  for (const { says, todo, mark } of sections.flatMap((section) => section.findings)) {
    expect(says).toMatch(/^\S.*[.?)]$|camera thêm$/u);
    expect(says).toBe(says.normalize('NFC'));
    if (mark === 'ok') expect(todo).toBeUndefined();
    else expect(todo).toMatch(/^[^\n]{8,}$/);
  }
}

describe('a machine', () => {
  test('where nothing is set up yet is not called broken', async () => {
    const seen = await visit({ DEMO: '' });
    expect(seen.sections.flatMap(({ findings }) => findings).filter((one) => one.mark === 'bad')).toEqual([]);
    expect(seen.one('running')).toMatchObject({ mark: 'warn', todo: 'Hãy gõ: npm start' });
    expect(fs.existsSync(data)).toBe(false);
    wellSaid(seen.sections);
  });

  test('memory and open files are told against what the cameras need', () => {
    const memory = (availableBytes: number) =>
      judgeMemory({ availableBytes, totalBytes: 4e9 }, 30, false).mark;
    expect([memory(3e9), memory(7e8), memory(2e8)]).toEqual(['ok', 'warn', 'bad']);
    expect(judgeFileLimit(1024, 4)[0]).toMatchObject({ mark: 'ok' });
    expect(judgeFileLimit(256, 30)[0]).toMatchObject({ mark: 'bad', says: expect.stringContaining('256') });
  });

  test('the service that starts with the machine', async () => {
    const look = (unit: string | null, answers: Record<string, string> = {}) =>
      checkService({ folder, demo: false, unit, ask: async (question) => answers[question] ?? null });
    const unit = printUnit({ folder, node: process.execPath, user: 'root' });
    expect(await look(null)).toMatchObject({
      mark: 'warn',
      todo: expect.stringContaining('npm run service'),
    });
    expect(await look(unit, { 'is-enabled': 'enabled', 'is-active': 'active' })).toMatchObject({
      mark: 'ok',
    });
    expect(await look(unit, { 'is-enabled': 'disabled', 'is-active': 'inactive' })).toMatchObject({
      mark: 'warn',
    });
    expect(await look(unit, { 'is-enabled': 'enabled', 'is-active': 'failed' })).toMatchObject({
      mark: 'bad',
    });
    const elsewhere = printUnit({ folder: '/srv/khac', node: process.execPath, user: 'root' });
    expect((await look(elsewhere)).says).toContain('một thư mục khác');
    const oldNode = printUnit({ folder, node: '/opt/node-da-go/bin/node', user: 'root' });
    expect(await look(oldNode)).toMatchObject({
      mark: 'bad',
      says: expect.stringContaining('/opt/node-da-go'),
    });
  });

  test('an ffmpeg that is not there, and one that lacks what is needed', async () => {
    const gone = await visit({ FFMPEG_PATH: path.join(folder, 'khong-co') });
    expect(gone.one('ffmpeg')).toMatchObject({ mark: 'bad', todo: expect.stringContaining('FFMPEG_PATH') });
    const poor = path.join(folder, 'ffmpeg-thieu.mjs');
    fs.writeFileSync(
      poor,
      `#!${process.execPath}\nconsole.log(process.argv.includes('-version') ? 'ffmpeg version 6.1\\nlibavcodec 60.1' : ' D  rtsp   RTSP\\n  E mp4  MP4\\n V....D h264  H.264\\n V....D mjpeg  JPEG\\n A....D aac  AAC\\n');\n`,
      { mode: 0o755 },
    );
    const lacking = await visit({ FFMPEG_PATH: poor });
    expect(lacking.one('ffmpeg')).toMatchObject({
      mark: 'bad',
      says: expect.stringContaining('thiếu phần hevc, libx264'),
    });
    wellSaid(lacking.sections);
  });
});

describe('the disk', () => {
  test('a file in place of a folder is named', async () => {
    fs.writeFileSync(data, 'x');
    const recordings = path.join(folder, 'hinh');
    fs.writeFileSync(recordings, 'x');
    const seen = await visit({ RECORDINGS_DIR: recordings });
    expect(seen.one('data-folder')).toMatchObject({
      mark: 'bad',
      says: expect.stringContaining('là một tệp'),
    });
    expect(seen.one('recordings-folder')).toMatchObject({ mark: 'bad' });
    wellSaid(seen.sections);
    const below = await visit({ DATA_DIR: path.join(data, 'trong') });
    expect(below.one('data-folder')).toMatchObject({ mark: 'bad' });
  });

  test('a folder of recordings that is gone although there should be something in it', async () => {
    install();
    expect((await visit()).one('recordings-folder')).toMatchObject({ mark: 'ok' });
    await sql(
      'recorder.db',
      `INSERT INTO "Segment" ("cameraId", "stream", "startMs", "endMs", "path", "sizeBytes", "codec", "width", "height")
       VALUES ('a', 'main', 1, 60001, 'a/main/x.mp4', 5000000000, 'avc1.64001f', 320, 240)`,
    );
    const seen = await visit();
    expect(seen.one('recordings-folder')).toMatchObject({
      mark: 'bad',
      says: expect.stringContaining('5 GB'),
    });
  });

  const mayMount = (() => {
    if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
    const place = fs.mkdtempSync(path.join(os.tmpdir(), 'mat-than-mount-'));
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'none', place], { stdio: 'ignore' });
      execFileSync('umount', [place], { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    } finally {
      fs.rmSync(place, { recursive: true, force: true });
    }
  })();

  test.runIf(mayMount)('a full disk, and one in memory', async () => {
    const place = path.join(folder, 'day');
    fs.mkdirSync(place);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'none', place]);
    try {
      const fill = fs.openSync(path.join(place, 'lap'), 'w');
      expect(() => {
        for (;;) fs.writeSync(fill, Buffer.alloc(65_536));
      }).toThrow(/ENOSPC/);
      fs.closeSync(fill);
      const seen = await visit({ RECORDINGS_DIR: place });
      expect(seen.one('disk-space')).toMatchObject({ mark: 'bad', says: expect.stringContaining('đã đầy') });
      expect(seen.one('disk-kind')).toMatchObject({ says: expect.stringContaining('RAM') });
      expect(fs.readdirSync(place)).toEqual(['lap']);
    } finally {
      execFileSync('umount', [place]);
    }
  });

  test('holds that can not be read are a fault with what to do, or mended by the recorder when it starts', async () => {
    const health = {
      readable: true,
      fault: null,
      holds: 3,
      keeps: 0,
      heldBytes: 0,
      keptBytes: 0,
      fullAtMs: null,
    };
    const holds = path.join(folder, 'recordings', 'holds');
    expect(await spoiltHolds(path.join(folder, 'recordings'))).toEqual([]);
    fs.mkdirSync(holds, { recursive: true });
    const good = {
      rank: 'hold',
      cameraId: 'cam1',
      streams: 'both',
      startMs: 1,
      endMs: 2,
      by: 'An',
      why: 'x',
    };
    const whole = { id: 'hold-0001', ...good, createdMs: 1, untilMs: null, released: null };
    fs.writeFileSync(path.join(holds, 'hold-0001.json'), JSON.stringify(whole));
    fs.writeFileSync(path.join(holds, 'hold-0002.json'), JSON.stringify(whole));
    fs.writeFileSync(path.join(holds, 'hold-0003.json'), '{"id": "hold-0003", "ra');
    fs.writeFileSync(path.join(holds, 'hold-0003.json.hong-20261121T070000'), '');
    const spoilt = await spoiltHolds(path.join(folder, 'recordings'));
    expect(spoilt).toEqual(['hold-0002.json', 'hold-0003.json']);
    expect(judgeHolds(health, [])).toMatchObject([
      { mark: 'ok', says: expect.stringContaining('3 lượt giữ') },
    ]);
    expect(judgeHolds(null, [])).toEqual([]);
    expect(judgeHolds(null, spoilt)).toMatchObject([
      { mark: 'warn', todo: expect.stringContaining('npm start') },
    ]);
    const [bad] = judgeHolds(
      { ...health, readable: false, fault: 'holds/hold-0003.json is no hold' },
      spoilt,
    );
    expect(bad).toMatchObject({ mark: 'bad', says: expect.stringContaining('holds/hold-0003.json') });
    expect(bad?.todo).toMatch(/bản sao.*chuyển tệp hỏng ra ngoài thư mục holds; đừng xóa/);
    expect(judgeHolds({ ...health, readable: false, fault: 'EIO' }, [])).toMatchObject([
      { mark: 'bad', todo: expect.stringContaining('ổ ghi hình') },
    ]);
  });

  test('space is told against the days that were promised', () => {
    const pace = { bytesADay: 20e9, measured: true, days: 30 };
    const facts: SpaceFacts = {
      ...{
        disk: { freeBytes: 100e9, totalBytes: 1000e9 },
        freeFiles: 1e6,
        minFreeBytes: 5e9,
        minFreePercent: 5,
      },
      ...{ demo: false, paces: [pace], recordedBytes: 400e9, heldBytes: 0, deleting: true },
    };
    // (100 − 50 kept free + 400 already there) / 20 a day
    const short = judgeSpace(facts);
    expect(short).toMatchObject({ mark: 'warn', facts: { days: 22.5, lackingBytes: 150e9 } });
    expect(short.says).toContain('chỉ giữ được khoảng 22 ngày, trong khi đã đặt 30 ngày');
    expect(short.todo).toMatch(/ổ lớn hơn \(cần thêm khoảng 150 GB\).*bitrate.*luồng phụ.*ít ngày hơn/);
    // while the holds can't be read nothing goes
    const stuck = judgeSpace({ ...facts, deleting: false });
    expect(stuck.says).toMatch(/không xóa đoạn cũ nào.*ổ đầy là ngừng ghi/);
    expect(stuck.says).not.toContain('bị xóa sớm');
    // what is held is no room for anything else
    expect(judgeSpace({ ...facts, heldBytes: 50e9 })).toMatchObject({ facts: { days: 20 } });
    // the demo promises thirty days too, and a day is less
    const demo = judgeSpace({ ...facts, demo: true, paces: [{ ...pace, bytesADay: 500e9 }] });
    expect(demo).toMatchObject({ mark: 'warn', says: expect.stringContaining('chưa tới 1 ngày') });
    expect(judgeSpace({ ...facts, paces: [{ ...pace, days: 20 }] })).toMatchObject({
      mark: 'ok',
      says: expect.stringContaining('đủ giữ 20 ngày như đã đặt'),
    });
    expect(judgeSpace({ ...facts, disk: { freeBytes: 1e8, totalBytes: 1e12 } })).toMatchObject({
      mark: 'bad',
    });
    expect(judgeSpace({ ...facts, freeFiles: 12 })).toMatchObject({ mark: 'bad' });
    const others = { ...facts, disk: { freeBytes: 10e9, totalBytes: 1000e9 }, recordedBytes: 1e9 };
    expect(judgeSpace(others)).toMatchObject({
      mark: 'bad',
      says: expect.stringContaining('những tệp khác'),
    });
  });

  test('cameras with days of their own leave the room to the others when those are over', () => {
    const paces = [
      { bytesADay: 10e9, measured: true, days: 7 },
      { bytesADay: 20e9, measured: true, days: 30 },
    ];
    // 7 days of both are 210, then 20 a day
    expect(daysThatFit(670e9, paces)).toBeNull();
    expect(daysThatFit(410e9, paces)).toBe(17);
    expect(daysThatFit(105e9, paces)).toBe(3.5);
    expect(daysThatFit(0, paces)).toBe(0);
    expect(daysThatFit(0, [])).toBeNull();
    fc.assert(
      fc.property(
        fc.double({ min: 1e6, max: 1e13, noNaN: true }),
        fc.array(
          fc.record({
            bytesADay: fc.double({ min: 1e6, max: 1e11, noNaN: true }),
            measured: fc.constant(true),
            days: fc.integer({ min: 1, max: 90 }),
          }),
          { minLength: 1, maxLength: 8 },
        ),
        (room, some) => {
          const days = daysThatFit(room, some);
          const used = some.reduce((sum, one) => sum + one.bytesADay * Math.min(one.days, days ?? 1e9), 0);
          if (days === null) expect(used).toBeLessThanOrEqual(room * (1 + 1e-9));
          else expect(used / room).toBeCloseTo(1, 5);
        },
      ),
    );
  });

  test('a pace is measured where enough was recorded, else guessed; its days are the camera’s own', () => {
    const camera = (id: string, more: object = {}) => ({
      ...{ id, number: null, name: id, urlSealed: '', transport: 'tcp' as const },
      ...{ enabled: true, retentionDays: null, ...more },
    });
    const sizes = {
      recordedBytes: 5e9,
      lately: [
        { cameraId: 'a', bytes: 1e9, spanMs: 3_600_000 },
        { cameraId: 'b', bytes: 1e6, spanMs: 4000 },
        { cameraId: 'gone', bytes: 9e9, spanMs: 3_600_000 },
      ],
    };
    const cameras = [camera('a', { retentionDays: 7 }), camera('b'), camera('off', { enabled: false })];
    expect(pacesOf({ sizes, cameras }, 30)).toEqual([
      { bytesADay: 24e9, measured: true, days: 7 },
      { bytesADay: 21.6e9, measured: false, days: 30 },
    ]);
    expect(pacesOf(null, 30)).toEqual([]);
  });

  test('how the disk is synced is told with what a power cut costs, and a setting that does not fit it', () => {
    expect(judgeSyncing('auto', null)).toMatchObject({ mark: 'ok', says: expect.stringContaining('2 giây') });
    expect(judgeSyncing('auto', true)).toMatchObject({ mark: 'ok', says: expect.stringContaining('5 giây') });
    expect(judgeSyncing('hdd', false)).toMatchObject({ mark: 'ok', says: expect.stringContaining('5 giây') });
    expect(judgeSyncing('ssd', true)).toMatchObject({
      mark: 'warn',
      todo: expect.stringContaining('DISK_KIND=auto'),
    });
  });

  test('a slow disk is told apart from one too slow for these cameras', () => {
    const speed = { bytesPerSecond: 80e6, syncP95Ms: 12, syncs: 40 };
    expect(judgeSpeed(speed, 600e9, true)).toMatchObject({
      mark: 'ok',
      says: expect.stringContaining('HDD'),
    });
    expect(judgeSpeed({ ...speed, syncP95Ms: 400 }, 600e9, null)).toMatchObject({ mark: 'warn' });
    expect(judgeSpeed({ ...speed, syncP95Ms: 1500 }, 600e9, null)).toMatchObject({ mark: 'bad' });
    expect(judgeSpeed({ ...speed, bytesPerSecond: 9e6 }, 600e9, null)).toMatchObject({ mark: 'bad' });
    expect(percentile([5, 1, 4, 2, 3], 0.95)).toBe(5);
    expect(
      percentile(
        Array.from({ length: 100 }, (_, i) => i + 1),
        0.95,
      ),
    ).toBe(95);
  });

  test.runIf(process.platform === 'linux')(
    'measuring leaves nothing behind, even when it is killed',
    async () => {
      const code = `const { measureSpeed } = await import(${JSON.stringify(path.join(projectRoot, 'dist/src/doctor/disk.js'))});
      await measureSpeed(${JSON.stringify(folder)}, { megabytes: 100_000, limitMs: 60_000 });`;
      const script = path.join(os.tmpdir(), `${path.basename(folder)}.mjs`);
      fs.writeFileSync(script, code);
      const child = fork(script, [], { stdio: 'ignore', execArgv: [] });
      try {
        const handles = `/proc/${child.pid}/fd`;
        await eventually('the file is written', () =>
          fs.readdirSync(handles).some((name) => {
            try {
              return fs.readlinkSync(path.join(handles, name)).includes('.kham-may-');
            } catch {
              return false;
            }
          }),
        );
        child.kill('SIGKILL');
        await once(child, 'exit');
        expect(fs.readdirSync(folder)).toEqual([]);
      } finally {
        child.kill('SIGKILL');
        fs.rmSync(script, { force: true });
      }
    },
  );
});

describe('the clock', () => {
  const nowMs = Date.UTC(2026, 10, 22, 3);
  const right = { nowMs, newestMs: nowMs - 5000, aheadMs: 300, synchronized: true };
  test.each([
    ['ok', 'đúng với giờ trên mạng', {}],
    ['ok', 'không hỏi được', { aheadMs: null, synchronized: null }],
    ['warn', 'chậm 20 giây', { aheadMs: -20_000 }],
    ['warn', 'lệch dần', { synchronized: false }],
    ['bad', 'nhanh 1 giờ', { aheadMs: 3_600_000 }],
    ['bad', 'đã bị lùi', { newestMs: nowMs + 86_400_000, aheadMs: null }],
    ['bad', 'chắc chắn sai', { nowMs: Date.UTC(2009, 1, 1), newestMs: null, aheadMs: null }],
  ] as const)('%s: %s', (mark, words, change) => {
    expect(judgeClock({ ...right, ...change })).toMatchObject({ mark, says: expect.stringContaining(words) });
  });

  test('is compared with the Date of the server that is asked', async () => {
    const server = http.createServer((_request, response) => {
      response.setHeader('Date', new Date(Date.now() - 7_200_000).toUTCString());
      response.end('{}');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const seen = await visit({ TELEGRAM_API_ROOT: `http://127.0.0.1:${port}` });
    server.close();
    expect(seen.one('clock')).toMatchObject({ mark: 'bad', says: expect.stringContaining('nhanh 2 giờ') });
  });

  test('is compared with the newest recording', async () => {
    install();
    const day = Date.now() + 86_400_000;
    await sql(
      'recorder.db',
      `INSERT INTO "Event" ("atMs", "kind", "payload") VALUES (${day}, 'recorder-started', '{}')`,
    );
    expect((await visit()).one('clock')).toMatchObject({
      mark: 'bad',
      says: expect.stringContaining('đã bị lùi'),
    });
  });
});

describe('settings', () => {
  test('unknown names, wrong values, loose permissions; no value of a secret is shown', async () => {
    install();
    fs.appendFileSync(
      envFile(),
      'RETENTON_DAYS=10\nTELEGRAM_TOKEN=999:bi-mat\nhai ba\nCLIP_SECONDS=2\nPORT=abc\nMIN_FREE_PERCENT=99\nLOG_LEVEL=loud\n',
    );
    fs.chmodSync(envFile(), 0o644);
    const seen = await visit({ PORT: 'abc' });
    const words = seen.of('setting-value').map((finding) => finding.says);
    expect(words).toEqual([
      'Cài đặt PORT=abc không dùng được: phải là số.',
      'Cài đặt CLIP_SECONDS=2 không dùng được: phải từ 5 trở lên.',
      expect.stringContaining('LOG_LEVEL=loud không dùng được: phải là một trong: trace'),
    ]);
    const names = seen.of('env-name');
    expect(names.map((finding) => finding.todo)).toEqual([
      expect.stringContaining('RETENTION_DAYS'),
      expect.stringContaining('TELEGRAM_BOT_TOKEN'),
    ]);
    expect(seen.one('env-line').says).toContain('dòng');
    if (process.platform !== 'win32') expect(seen.one('env-private').todo).toContain('chmod 600');
    expect(seen.text).not.toContain('bi-mat');
    wellSaid(seen.sections);
  });

  test.each([
    ['RECORDING_DIR', 'RECORDINGS_DIR'],
    ['telegram_bot_tokn', 'TELEGRAM_BOT_TOKEN'],
    ['SECRETKEY', 'SECRET_KEY'],
    ['HOÀN_TOÀN_KHÁC', null],
  ])('%s → %s', (given, near) => {
    expect(nearestSetting(given)).toBe(near);
  });

  test('a key that is lost, malformed or another one', async () => {
    const { key } = install();
    await addCameras(key, [{ id: 'cam1', name: 'Cổng chợ', url: 'test:street' }]);
    expect((await visit()).one('secret-key')).toMatchObject({ mark: 'ok' });
    const other = makeKey();
    const seen = await visit({ SECRET_KEY: other });
    expect(seen.one('secret-key')).toMatchObject({
      mark: 'bad',
      says: expect.stringContaining('không khớp'),
    });
    expect(seen.one('camera')).toMatchObject({ mark: 'bad', says: expect.stringContaining('Cổng chợ') });
    expect(seen.text).not.toContain(other);
    expect((await visit({ SECRET_KEY: 'ngắn quá' })).one('secret-key').says).toContain('không đúng dạng');
    fs.rmSync(envFile());
    expect((await visit()).one('secret-key').says).toContain('Thiếu khóa');
  });
});

describe('ports', () => {
  test('somebody else’s program is named', async () => {
    const server = net.createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const seen = await visit({ PORT: String(port) });
    server.close();
    const finding = seen.one('port-web');
    expect(finding).toMatchObject({ mark: 'bad', todo: expect.stringContaining(`PORT=${port + 10}`) });
    if (process.platform === 'linux') expect(finding.says).toContain(`tiến trình ${process.pid}`);
    expect(seen.one('port-recorder')).toMatchObject({ mark: 'ok' });
  });

  test('the same port twice, and an address that is not ours', async () => {
    const same = await visit({ PORT: '9333', RECORDER_PORT: '9333' });
    expect(same.one('ports')).toMatchObject({ mark: 'bad' });
    const away = await visit({ HOST: '203.0.113.7' });
    expect(away.one('port-web').says).toContain('203.0.113.7');
  });
});

describe('databases', () => {
  test('a broken one is named and left as it is', async () => {
    install();
    const file = path.join(data, 'recorder.db');
    fs.writeFileSync(file, Buffer.alloc(50_000, 7));
    const seen = await visit();
    expect(seen.one('database-recorder')).toMatchObject({
      mark: 'bad',
      says: expect.stringContaining('bị hỏng'),
    });
    expect(seen.one('database-bot')).toMatchObject({ mark: 'ok' });
    expect(fs.readFileSync(file)).toEqual(Buffer.alloc(50_000, 7));
    wellSaid(seen.sections);
  });

  test('damage in the middle is found by looking through it', async () => {
    install();
    await sql('bot.db', 'CREATE TABLE "Thu" ("a" TEXT)');
    for (let i = 0; i < 40; i += 1) await sql('bot.db', `INSERT INTO "Thu" VALUES ('${'x'.repeat(3000)}')`);
    const file = path.join(data, 'bot.db');
    const handle = fs.openSync(file, 'r+');
    const { size } = fs.fstatSync(handle);
    // the last pages are those of the table just filled
    fs.writeSync(handle, Buffer.alloc(40_000, 0x5a), 0, 40_000, size - 60_000);
    fs.closeSync(handle);
    expect((await visit()).one('database-bot')).toMatchObject({ mark: 'bad' });
  });

  test('migrations: missing, broken off, of a newer version; a lost file', async () => {
    install();
    await sql(
      'recorder.db',
      'DELETE FROM "_prisma_migrations" WHERE migration_name = (SELECT MAX(migration_name) FROM "_prisma_migrations")',
    );
    await sql(
      'bot.db',
      'UPDATE "_prisma_migrations" SET finished_at = NULL WHERE migration_name = \'0001_begin\'',
    );
    const seen = await visit();
    expect(seen.one('database-recorder')).toMatchObject({
      mark: 'warn',
      says: expect.stringContaining('1 bước'),
    });
    expect(seen.one('database-bot')).toMatchObject({ mark: 'bad', says: expect.stringContaining('dở dang') });
    await sql('bot.db', 'UPDATE "_prisma_migrations" SET finished_at = 1, migration_name = \'9999_later\'');
    fs.rmSync(path.join(data, 'recorder.db'));
    const later = await visit();
    expect(later.one('database-bot').says).toContain('mới hơn');
    expect(later.one('database-recorder')).toMatchObject({
      mark: 'warn',
      says: expect.stringContaining('Thiếu tệp'),
    });
  });
});

test('backups: none set, none yet, failing, old, on the same disk, fine', () => {
  const nowMs = 1_790_000_000_000;
  const backup = { dir: '/media/usb', keep: 14 };
  const status = {
    ...{ atMs: nowMs, ok: true, lastGoodMs: nowMs - 3_600_000, failingSinceMs: null, sentence: null },
    ...{ file: 'f', sizeBytes: 1, place: '/media/usb', sameDisk: false },
  };
  const judge = (more: Partial<typeof status> | null, set: object = { backup }) =>
    judgeBackups({ backup, demo: false, ...set }, more === null ? null : { ...status, ...more }, nowMs);
  const unset = { backup: { dir: null, keep: 14 } };
  expect(judge({}).mark).toBe('ok');
  expect(judge(null, unset)).toMatchObject({ mark: 'warn', todo: expect.stringContaining('BACKUP_DIR') });
  expect(judge(null, { ...unset, demo: true }).mark).toBe('ok');
  expect(judge(null).mark).toBe('warn');
  const failing = { ok: false, sentence: 'Hãy cắm lại ổ hoặc USB.' } as never;
  expect(judge(failing)).toMatchObject({ mark: 'bad', todo: 'Hãy cắm lại ổ hoặc USB.' });
  expect(judge({ lastGoodMs: nowMs - 3 * 86_400_000 }).mark).toBe('bad');
  expect(judge({ sameDisk: true })).toMatchObject({ mark: 'warn', says: expect.stringContaining('cùng ổ') });
});

describe('Telegram', () => {
  const real = { DEMO: '0' };
  test('a token that is right, wrong, malformed; a webhook; nobody there; somebody in between', async () => {
    const with_ = async (env: Env) => (await visit({ ...real, ...env })).one('telegram');
    const right = await with_({ TELEGRAM_BOT_TOKEN: telegram.token });
    expect(right).toMatchObject({ mark: 'ok', says: expect.stringContaining('@mat_than_bot') });
    const wrong = await with_({ TELEGRAM_BOT_TOKEN: telegram.token.replace('AAF', 'BBF') });
    expect(wrong).toMatchObject({ mark: 'bad', says: expect.stringContaining('không nhận') });
    expect((await with_({ TELEGRAM_BOT_TOKEN: 'nham roi' })).says).toContain('không có dạng');
    expect(await with_({})).toMatchObject({ mark: 'warn' });
    const dead = `http://127.0.0.1:${await freePort()}`;
    const away = await with_({ TELEGRAM_BOT_TOKEN: telegram.token, TELEGRAM_API_ROOT: dead });
    expect(away).toMatchObject({ mark: 'bad', says: expect.stringContaining('Không tới được') });
    telegram.garble('getMe');
    const between = await with_({ TELEGRAM_BOT_TOKEN: telegram.token });
    expect(between).toMatchObject({ mark: 'bad', says: expect.stringContaining('không phải là Telegram') });
    telegram.heal();
    expect((await with_({ TELEGRAM_BOT_TOKEN: telegram.token, TELEGRAM_PROXY: 'ftp://x' })).says).toContain(
      'TELEGRAM_PROXY',
    );
  });

  test('a webhook of another program is told', async () => {
    const server = http.createServer((request, response) => {
      const result = request.url?.endsWith('getMe') ? { username: 'x_bot' } : { url: 'https://khac.vn/hook' };
      response.end(JSON.stringify({ ok: true, result }));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const seen = await visit({
      ...real,
      TELEGRAM_BOT_TOKEN: telegram.token,
      TELEGRAM_API_ROOT: `http://127.0.0.1:${port}`,
    });
    server.close();
    expect(seen.one('telegram')).toMatchObject({ mark: 'warn', says: expect.stringContaining('webhook') });
  });
});

test('what several in a row need is said once, and a name that says camera is not doubled', () => {
  const down = (number: number | null, name: string) =>
    judgeTried({ id: name, number, name }, { ok: false, cause: 'unreachable', detail: '' });
  const text = printSection(
    { title: 'Camera', findings: [down(1, 'Chợ'), down(null, 'Camera cầu'), down(3, 'Trường')] },
    makeClean([]),
  );
  expect(text.match(/✗/g)).toHaveLength(3);
  expect(text.match(/→/g)).toHaveLength(1);
  expect(text).toContain('✗ Camera cầu: không kết nối được.');
});

describe('cameras, while the recorder is away', () => {
  test('each is tried, with its cause in words', async () => {
    const { key } = install();
    const rtsp = await startRtspServer({
      streams: {
        '/tot': { source: TINY },
        '/khoa': { source: TINY, login: { user: 'admin', password: 'mat-khau-dung' } },
      },
    });
    const silent = net.createServer((socket) => socket.on('error', () => {})).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    try {
      const dead = await freePort();
      await addCameras(key, [
        { id: 'tot', name: 'Tốt', url: rtsp.url('/tot') },
        { id: 'khoa', name: 'Khóa', url: rtsp.url('/khoa', { user: 'admin', password: 'mat-khau-sai' }) },
        { id: 'nham', name: 'Nhầm', url: rtsp.url('/tot').replace('/tot', '/khong-co') },
        { id: 'chet', name: 'Chết', url: `rtsp://admin:mat-khau-sai@127.0.0.1:${dead}/x` },
        { id: 'lang', name: 'Lặng', url: `rtsp://127.0.0.1:${(silent.address() as AddressInfo).port}/x` },
        { id: 'tat', name: 'Tắt', url: rtsp.url('/tot'), enabled: false },
      ]);
      const begun = performance.now();
      const seen = await visit();
      expect(performance.now() - begun).toBeLessThan(30_000);
      expect(seen.of('camera').map(({ mark, says }) => [mark, says])).toEqual([
        ['ok', 'Camera Tốt: có hình (320×240, H.264).'],
        ['bad', 'Camera Khóa: camera không nhận mật khẩu.'],
        ['bad', 'Camera Nhầm: camera có trả lời nhưng không có luồng hình ở địa chỉ đã khai.'],
        ['bad', 'Camera Chết: không kết nối được.'],
        ['bad', 'Camera Lặng: camera vẫn bật nhưng không gửi hình.'],
        ['warn', 'Camera Tắt: đã được tắt nên không ghi.'],
      ]);
      expect(seen.one('running')).toMatchObject({ mark: 'bad' });
      expect(seen.text + seen.json).not.toContain('mat-khau');
      wellSaid(seen.sections);
    } finally {
      silent.close();
      await rtsp.stop();
    }
  }, 60_000);

  test('a DVR with many channels sees a wrong password once, and not at all where the recorder has counted', async () => {
    const { key } = install();
    const channels = Array.from({ length: 12 }, (_, i) => `/kenh${i + 1}`);
    const dvr = await startRtspServer({
      login: { user: 'admin', password: 'mat-khau-dung' },
      streams: Object.fromEntries(channels.map((channel) => [channel, TINY])),
    });
    try {
      const url = (channel: string) => dvr.url(channel, { password: 'mat-khau-sai' });
      await addCameras(
        key,
        channels.map((channel) => ({ id: channel.slice(1), name: channel, url: url(channel) })),
      );
      const describes = () => dvr.requests.filter((request) => request.startsWith('DESCRIBE')).length;
      const seen = await visit();
      expect(seen.of('camera').map(({ says }) => says)).toEqual(
        channels.map((channel) => `Camera ${channel}: camera không nhận mật khẩu.`),
      );
      // each try asks twice: without the login, then with it
      expect(describes()).toBeLessThanOrEqual(4);
      const before = describes();
      const file = path.join(data, LOGIN_FILE);
      const quiet = makeLog({ name: 'test', level: 'silent', dir: null });
      const guard = new LoginGuard({ secret: key, memory: loginFile(file, quiet) });
      (await guard.enter(parseAddress(url('/kenh1')), AbortSignal.timeout(5000)))?.ended('refused');
      (await guard.enter(parseAddress(url('/kenh2')), AbortSignal.timeout(5000)))?.ended('refused');
      await guard.settled();
      const kept = fs.readFileSync(file, 'utf8');
      expect((await visit()).of('camera').every(({ says }) => says.includes('không nhận mật khẩu'))).toBe(
        true,
      );
      expect(describes()).toBe(before);
      expect(fs.readFileSync(file, 'utf8')).toBe(kept);
    } finally {
      await dvr.stop();
    }
  }, 60_000);

  test('whatever the secrets are, none is printed', async () => {
    const letters = [...'abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789'];
    const secret = (minLength: number) =>
      fc.string({ unit: fc.constantFrom(...letters), minLength, maxLength: 40 });
    const dead = await freePort();
    const phone = fc.integer({ min: 100_000_000, max: 999_999_999 }).map((n) => `09${String(n).slice(1)}`);
    await fc.assert(
      fc.asyncProperty(secret(8), secret(30), secret(8), phone, async (password, token, proxy, number) => {
        fs.rmSync(data, { recursive: true, force: true });
        fs.rmSync(envFile(), { force: true });
        const { key } = install();
        await addCameras(key, [
          {
            id: 'a',
            name: `Nhà bà ${number}`,
            url: `rtsp://admin:${password}@127.0.0.1:${dead}/a?password=${password}`,
          },
        ]);
        fs.appendFileSync(
          envFile(),
          `TELEGRAM_BOT_TOKEN=48395748:${token}\nTELEGRAM_PROXY=http://u:${proxy}@127.0.0.1:${dead}\nPASWORD=${password}\n${token}\n${token}=\n${key}\n`,
        );
        const { text, json, situation } = await visit();
        const { recorderToken } = situation.config;
        for (const hidden of [password, token, proxy, number, key, recorderToken]) {
          expect(hidden.length).toBeGreaterThan(7);
          expect(text).not.toContain(hidden);
          expect(json).not.toContain(hidden);
        }
      }),
      { numRuns: 4 },
    );
  }, 120_000);
});

/** Runs the built program as a person would. */
async function run(args: string[], cwd: string, env: Env, file = program) {
  const child = spawn(process.execPath, [file, ...args], {
    cwd,
    env: { PATH: process.env.PATH ?? '', ...env },
  });
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (piece: string) => {
    out += piece;
  });
  child.stderr.setEncoding('utf8').on('data', (piece: string) => {
    err += piece;
  });
  const [code] = (await once(child, 'close')) as [number];
  return { code, out, err };
}

/** Root, and somebody else may run the program (a clone in root's own home is closed to others). */
const otherAccount =
  process.getuid?.() === 0 &&
  spawnSync(process.execPath, ['-e', `require('fs').accessSync(${JSON.stringify(program)})`], { uid: 65_534 })
    .status === 0;

describe('npm run doctor', () => {
  test('a healthy demo, whole', async () => {
    const product = await startProduct({ env: { TELEGRAM_API_ROOT: telegram.apiRoot } });
    await eventually(
      'all record',
      async () =>
        (await product.recorder().cameras()).filter((camera) => camera.state === 'recording').length === 4,
    );
    const { code, out } = await run([], product.cwd, product.env);
    await product.stop();
    const golden = out
      .replaceAll(product.folder, '<folder>')
      .replaceAll(String(product.port), '<port>')
      .replaceAll(String(product.recorderPort), '<recorder port>')
      .replaceAll(os.userInfo().username, '<me>')
      .replace(/\d\d:\d\d:\d\d, (?:thứ \p{L}+|chủ nhật) [\d/]+/gu, '<moment>')
      .replace(/(?:\d+ (?:giây|phút) trước|vừa xong)/g, '<ago>')
      .replace(/[\d,]+ (?:[KMGT]B|ms)(?: mỗi giây)?/g, '<figure>')
      // of the machine that tests: its ffmpeg, its disk, whether it sets its clock
      .replace(/^ {2}[✓!] ffmpeg .*\n(?: {6}→ .*\n)?/m, '  <ffmpeg>\n')
      .replace(/^ {2}[✓!] (?:Tốc độ ổ|Ổ ghi hình chậm).*\n(?: {6}→ .*\n)?/m, '  <speed>\n')
      .replace(/^ {2}[✓!] Ổ ghi hình còn trống .*\n(?: {6}→ .*\n)?/m, '  <space>\n')
      .replace(/^ {2}[✓!] Chốt dữ liệu kiểu .*\n(?: {6}→ .*\n)?/m, '  <syncing>\n')
      .replace(/^ {2}[✓!] Đồng hồ.*\n(?: {6}→ .*\n)?/m, '  <clock>\n')
      .replace(/mở cùng lúc: [^,]+/, 'mở cùng lúc: <files>')
      .replace(/^Kết luận: .*$/m, 'Kết luận')
      .replace(/^ {2}✓ Node .*$/m, '  <node>');
    expect(golden).toMatchInlineSnapshot(`
      "Mắt Thần · khám máy lúc <moment> (giờ Việt Nam)
      Thư mục: <folder>/cwd · bản dùng thử

      Máy
        <node>
        ✓ Bộ nhớ (RAM): còn <figure> trên <figure>.
        ✓ Số tệp được mở cùng lúc: <files>, đủ dùng.
        <ffmpeg>

      Ổ đĩa
        ✓ Thư mục dữ liệu <folder>/data/demo: ghi được (thuộc tài khoản <me>).
        ✓ Thư mục ghi hình <folder>/data/demo/recordings: ghi được (thuộc tài khoản <me>).
        <space>
        ✓ Danh sách các đoạn đang giữ đọc được (0 lượt giữ).
        <speed>
        <syncing>

      Đồng hồ
        <clock>

      Cài đặt
        ✓ Chưa có tệp .env, đang dùng cài đặt mặc định của bản dùng thử.
        ✓ Khóa mã hóa: có, và mở được dữ liệu đã lưu.

      Cổng
        ✓ Cổng <port> (trang web): Mắt Thần đang dùng.
        ✓ Cổng <recorder port> (máy ghi): Mắt Thần đang dùng.

      Dữ liệu
        ✓ Tệp bot.db (dữ liệu người và tin nhắn): nguyên vẹn, đúng phiên bản, <figure>.
        ✓ Tệp recorder.db (mục lục hình và camera): nguyên vẹn, đúng phiên bản, <figure>.
        ✓ Sao lưu hằng đêm: chưa đặt, bản dùng thử không cần.

      Dịch vụ
        ✓ Máy ghi đang chạy từ <moment> (<ago>).
        ✓ Bot và trang web đang chạy.
        ✓ Tự chạy khi bật máy: chưa cài, bản dùng thử không cần.

      Telegram
        ✓ Telegram: chưa có token, bản dùng thử không cần.

      Zalo
        ✓ Zalo: chưa nối, bản dùng thử không cần.

      Tên miền
        ✓ PUBLIC_URL: chưa đặt, bản dùng thử không cần.

      Camera
        ✓ Camera 1 Ngã ba chợ: đang ghi (1280×720, H.264).
        ✓ Camera 2 Cổng trường tiểu học: đang ghi (1280×720, H.264).
        ✓ Camera 3 Cầu Cẩm Lương: đang ghi (1280×720, H.264).
        ✓ Camera 4 Nhà văn hóa thôn 1: đang ghi (1280×720, H.264).

      Kết luận
      "
    `);
    expect(out).toMatch(/Kết luận: (mọi thứ đều tốt|không có gì hỏng)/);
    expect(code).toBe(0);
  }, 90_000);

  test('everything broken at once: sentences, no stack, exit 1; the same as JSON', async () => {
    fs.writeFileSync(data, 'not a folder');
    fs.writeFileSync(
      envFile(),
      `PORT=-1\nRECORDER_PORT=x\nSECRET_KEY=abc\nTELEGRAM_BOT_TOKEN=sai-token-bi-mat\n???\n`,
    );
    const env = {
      DATA_DIR: data,
      FFMPEG_PATH: '/khong/co',
      HOST: '203.0.113.7',
      TELEGRAM_API_ROOT: telegram.apiRoot,
    };
    const said = await run([], folder, env);
    expect(said.code).toBe(1);
    expect(said.err).toBe('');
    expect(said.out).toMatch(/Kết luận: có \d+ chỗ phải sửa/);
    expect(said.out).not.toMatch(/\n\s+at |Error:|undefined|lỗi của chính công cụ|bi-mat/);
    const json = await run(['--json'], folder, env);
    expect(json.code).toBe(1);
    const told = JSON.parse(json.out) as { ok: boolean; findings: (Finding & { section: string })[] };
    expect(told.ok).toBe(false);
    expect(told.findings.filter((finding) => finding.mark === 'bad').length).toBeGreaterThan(4);
  }, 60_000);

  test('asked for something it does not know it says what it does', async () => {
    expect(await run(['--sua'], folder, {})).toMatchObject({
      code: 1,
      out: expect.stringContaining('--json'),
    });
    expect(await run(['--help'], folder, {})).toMatchObject({ code: 0 });
  });

  test.runIf(otherAccount)('an account that may not look says so instead of calling it empty', async () => {
    install();
    fs.chmodSync(data, 0o700);
    fs.chmodSync(folder, 0o755);
    const child = spawn(process.execPath, [program], {
      cwd: folder,
      env: { PATH: process.env.PATH ?? '', DATA_DIR: data, DEMO: '0', TELEGRAM_API_ROOT: telegram.apiRoot },
      ...{ uid: 65_534, gid: 65_534 },
    });
    let out = '';
    child.stdout.setEncoding('utf8').on('data', (piece: string) => {
      out += piece;
    });
    expect(await once(child, 'close')).toEqual([1, null]);
    expect(out).toMatch(
      /✗ Thư mục dữ liệu \S+: tài khoản \S+ không ghi được \(thư mục thuộc tài khoản root\)/,
    );
    expect(out).toContain('→ Nếu Mắt Thần vẫn chạy bằng tài khoản root, hãy chạy lại bằng tài khoản đó');
    expect(out).toContain('! Không xem được Mắt Thần có đang chạy không');
    expect(out).not.toContain('chưa chạy lần nào');
  });

  test('without packages and build it says so in words', async () => {
    const bin = path.join(folder, 'src', 'bin');
    fs.mkdirSync(bin, { recursive: true });
    fs.writeFileSync(path.join(folder, 'package.json'), '{"type":"module"}');
    for (const name of ['doctor.mjs', 'prepare.mjs'])
      fs.copyFileSync(path.join(projectRoot, 'src', 'bin', name), path.join(bin, name));
    const said = await run([], folder, {}, path.join(bin, 'doctor.mjs'));
    expect(said.code).toBe(1);
    expect(said.out).toMatch(/✗ Chưa cài được các gói cần thiết\.\n {6}→ Hãy /);
    const json = await run(['--json'], folder, {}, path.join(bin, 'doctor.mjs'));
    expect(JSON.parse(json.out)).toMatchObject({ ok: false, findings: [{ mark: 'bad' }] });
  }, 60_000);
});
