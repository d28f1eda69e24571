import { execFile } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readEnvFile } from '../../src/base/env-file.js';
import type { Finding } from '../../src/doctor/finding.js';
import { runFfmpeg } from '../support/ffmpeg.js';
import { prepareStream, readFrameNumber, TINY } from '../support/frame-clock.js';
import { eventually, typedMoment } from '../support/product.js';
import { projectRoot } from '../support/project-root.js';
import { type RtspServer, startRtspServer } from '../support/rtsp-server.js';
import type { TelegramServer, TgGroup, TgPerson } from '../support/telegram-server.js';
import { codeIn, consentIn, hasConsent, wordsOf, ZaloStage } from '../support/zalo/stage.js';
import {
  TEST_APP,
  type ZaloGroup,
  type ZaloMessage,
  type ZaloPerson,
  type ZaloServer,
} from '../support/zalo-server.js';
import { phone } from '../web/link-stage.js';

const LOGIN = { scheme: 'digest', user: 'admin', password: 'MatKhauRieng9' } as const;
const PHONE = '0912 345 678';

const stage = new ZaloStage();
const tells = stage.tells.bind(stage);
const asks = stage.asks.bind(stage);
const onTelegram = stage.onTelegram.bind(stage);
const onZalo = stage.onZalo.bind(stage);
const toldTelegram = stage.toldTelegram.bind(stage);
const toldZalo = stage.toldZalo.bind(stage);
let telegram: TelegramServer;
let zalo: ZaloServer;
let market: RtspServer;
let bridge: RtspServer;
/** on Telegram */
let chief: TgPerson;
let officers: TgGroup;
/** on Zalo */
let chiefThere: ZaloPerson;
let officer: ZaloPerson;
let villager: ZaloPerson;
let group: ZaloGroup;
let dir: string;

const isImage = (message: ZaloMessage) => message.kind === 'image';
const isGif = (message: ZaloMessage) => message.kind === 'gif';
/** Opens the page of consent as the OA's administrator does; what the page says at the end. */
const consents = async (message: Parameters<typeof consentIn>[0]) =>
  (await fetch(consentIn(message)!)).text();

beforeAll(async () => {
  dir = fs.mkdtempSync(path.join(os.tmpdir(), 'mat-than-zalo-'));
  const stream = await prepareStream(TINY);
  market = await startRtspServer({ streams: { '/cho': stream }, login: LOGIN });
  bridge = await startRtspServer({ streams: { '/cau': stream }, login: LOGIN });
  await stage.start({ OUTAGE_SECONDS: '5', MAT_THAN_SEGMENT_MS: '4000' });
  ({ telegram, zalo } = stage);
  chief = telegram.user({ id: 11, name: 'Lê Văn Trường' });
  officers = telegram.group({ title: 'Công an xã', by: chief, members: [] });
  chiefThere = zalo.person({ id: '5510185758261927001', name: 'Trường trên Zalo' });
  officer = zalo.person({ id: '5510185758261927002', name: 'Phạm Minh Tuấn' });
  villager = zalo.person({ id: '5510185758261927003', name: 'Nguyễn Thị Hòa' });
}, 120_000);

afterAll(async () => {
  await stage.end();
  await Promise.all([market?.stop(), bridge?.stop()]);
  fs.rmSync(dir, { recursive: true, force: true });
}, 60_000);

describe('the beginning', () => {
  it('the chief on Telegram consents for the OA by a link from the chat', async () => {
    await stage.becomesChief(chief);
    const asked = await tells(chief, 'nối Zalo OA', hasConsent);
    expect(await consents(asked)).toContain('Đã nối Zalo');
    await zalo.webhook.set(`${stage.product.url}/zalo/oa`);
    await zalo.called('getoa');
  }, 60_000);

  it('cameras and the group of officers are there', async () => {
    await tells(chief, 'thôn thêm Thôn 1', /Đã thêm Thôn 1/);
    const at = (server: RtspServer, where: string) =>
      server.url(where, { user: LOGIN.user, password: LOGIN.password });
    await tells(chief, `camera thêm Cổng chợ ${at(market, '/cho')}`, /Đã thêm camera 1/);
    await tells(chief, `camera thêm Cầu treo ${at(bridge, '/cau')}`, /Đã thêm camera 2/);
    officers.addsBot(chief);
    await tells(chief, '/nhom cán bộ', /Đây là nhóm cán bộ/, officers);
  }, 60_000);

  it('an officer comes in on Zalo by the code, a stranger gets nothing', async () => {
    await asks(officer, 'ảnh 1', /chưa được giao quyền/);
    const invitation = await tells(chief, 'mời cán bộ', (one) => one.photo !== undefined);
    expect(wordsOf(invitation)).toContain('https://zalo.me/');
    await asks(officer, codeIn(wordsOf(invitation)), /Anh\/chị là cán bộ công an/);
  }, 60_000);

  it('the chief joins the two accounts', async () => {
    const said = await tells(chief, 'nối mã', /NOI-/);
    await asks(chiefThere, codeIn(wordsOf(said)), /trưởng công an/);
  }, 60_000);
});

describe('pictures and clips on Zalo', () => {
  it('a picture of this moment, as a JPEG that Zalo takes', async () => {
    const photo = await asks(officer, 'ảnh 1', isImage);
    expect(photo.text).toContain('Camera 1 ');
    expect((await sharp(photo.bytes!).metadata()).format).toBe('jpeg');
    expect(photo.bytes!.length).toBeLessThanOrEqual(1_000_000);
    expect(await readFrameNumber(photo.bytes!)).not.toBeNull();
  }, 60_000);

  it('a clip is a moving preview and a link whose page plays it', async () => {
    const recorder = stage.product.recorder();
    const { id } = (await recorder.cameras()).find(({ name }) => name === 'Cổng chợ')!;
    await eventually('ten seconds are recorded', async () => {
      const range = { startMs: Date.now() - 10_000, endMs: Date.now() - 1500 };
      return (await recorder.coverage(id, range)).gaps.length === 0;
    });
    const askedMs = Math.ceil(Date.now() / 1000) * 1000 - 8000;
    const gif = await asks(officer, `clip 1 ${typedMoment(askedMs)} trong 5 giây`, isGif);
    const about = await sharp(gif.bytes!, { pages: -1 }).metadata();
    expect(about.format).toBe('gif');
    expect(about.pages).toBeGreaterThan(10);
    expect(gif.bytes!.length).toBeLessThanOrEqual(5_000_000);
    expect(gif.text).toContain('Camera 1 ');
    const link = /http:\/\/127\.0\.0\.1:\d+\/m\/[\w-]{43}/.exec(gif.text)![0];

    const browser = phone();
    expect(await (await browser.get(link)).text()).not.toContain('<video');
    await browser.press(link);
    const page = await (await browser.get(link)).text();
    const source = /<video[^>]*>[\s\S]*?src="([^"]+)"|<video[^>]* src="([^"]+)"/.exec(page)!;
    const url = new URL((source[1] ?? source[2])!, link).href;
    const part = await browser.get(url, { range: 'bytes=0-99' });
    expect(part.status).toBe(206);
    const whole = await browser.get(url);
    expect(whole.headers.get('content-type')).toBe('video/mp4');
    expect(
      Buffer.from(await whole.arrayBuffer())
        .subarray(4, 8)
        .toString(),
    ).toBe('ftyp');
  }, 90_000);

  it('a menu is answered by its number', async () => {
    const menu = await asks(officer, 'ảnh', /2 Cầu treo/);
    expect(menu.kind).toBe('text');
    expect((await asks(officer, '2', isImage)).text).toContain('Camera 2 ');
  }, 60_000);

  it('the numbers under a photo choose from its own menu, in the words people use', async () => {
    const photo = await asks(officer, 'ảnh 2', isImage);
    expect(photo.text).toMatch(/Camera 2 [\s\S]*1\. Chụp lại\n2\. Clip 1 phút vừa rồi/);
    expect((await asks(officer, '1', isImage)).text).toContain('Camera 2 ');
    expect((await asks(officer, 'chọn 2', isGif)).text).toContain('Camera 2 ');
    const sheet = await asks(officer, 'ảnh tất cả', isImage);
    expect(sheet.text).toMatch(/1 Cổng chợ\n2 Cầu treo\n/);
    expect((await asks(officer, 'so 1', isImage)).text).toContain('Camera 1 ');
    // of the newest photo's menu: there is no third
    await asks(officer, 'so 3', ({ kind, text }) => kind === 'text' && text !== '');
  }, 120_000);

  it('in a group too, by who was asked', async () => {
    group = zalo.group({ name: 'Trực ban', members: [chiefThere, officer] });
    await asks(chiefThere, '/nhom cán bộ', /Đây là nhóm cán bộ/, group);
    await asks(officer, '/anh', /2 Cầu treo/, group);
    expect((await asks(officer, '2', isImage, group)).text).toContain('Camera 2 ');
  }, 60_000);
});

describe('a household', () => {
  it('sends photo, video, place and voice: kept, and forwarded to the officers on Telegram and Zalo', async () => {
    const invitation = await asks(officer, 'mời hộ thôn 1 5 lượt', isImage);
    await asks(villager, codeIn(invitation.text), /Anh\/chị là hộ thành viên/);
    const photo = await sharp({ create: { width: 800, height: 600, channels: 3, background: '#335577' } })
      .jpeg()
      .toBuffer();
    const skip = toldTelegram(officers).length;
    villager.sendsPhoto(photo, `Có người lạ ở bờ suối, gọi tôi ${PHONE}`);
    const receipt = await onZalo(villager, /Mã tin báo: \S+/);
    const code = /Mã tin báo: (\S+)/.exec(receipt.text)![1]!;
    const forwarded = await onTelegram(officers, new RegExp(code), skip);
    expect(forwarded.photo).toBeDefined();
    expect(wordsOf(forwarded)).toContain('Có người lạ ở bờ suối');
    expect(wordsOf(forwarded).replace(/\D/g, '')).not.toContain('912345678');
    expect((await onZalo(group, new RegExp(code))).kind).toBe('image');

    const file = path.join(dir, 'a.mp4');
    await runFfmpeg([
      ...['-f', 'lavfi', '-i', 'testsrc2=size=640x360:rate=15:duration=2', '-f', 'lavfi', '-i', 'sine=d=2'],
      ...['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-c:a', 'aac', '-y', file],
    ]);
    const video = fs.readFileSync(file);
    const afterPhoto = toldTelegram(officers).length;
    villager.sendsVideo(video);
    await onTelegram(officers, (one) => one.video !== undefined, afterPhoto, 60_000);
    await onZalo(group, (one) => one.kind === 'gif' && one.text.includes('/m/'), 0, 60_000);
    const afterVideo = toldTelegram(officers).length;
    villager.sendsPlace(20.1234, 105.5678);
    await onTelegram(officers, /20[.,]1234/, afterVideo);
    const afterPlace = toldTelegram(officers).length;
    villager.sendsVoice(Buffer.from('tiếng nói của bà con'));
    await onTelegram(officers, (one) => one.document !== undefined, afterPlace);
    const reports = path.join(stage.product.home, 'reports');
    const kept = (fs.readdirSync(reports, { recursive: true }) as string[])
      .map((name) => path.join(reports, name))
      .filter((file) => fs.statSync(file).isFile())
      .map((file) => fs.readFileSync(file));
    for (const bytes of [photo, video, Buffer.from('tiếng nói của bà con')])
      expect(kept.some((one) => one.equals(bytes))).toBe(true);
  }, 150_000);
});

describe('what goes wrong', () => {
  it('a camera that drops is told to the group on Zalo, and when it is back', async () => {
    const { port } = bridge;
    await bridge.stop();
    await onZalo(group, /🔴 Camera 2 Cầu treo/, 0, 45_000);
    await onTelegram(officers, /🔴 Camera 2 Cầu treo/);
    bridge = await startRtspServer({ port, streams: { '/cau': TINY }, login: LOGIN });
    await onZalo(group, /🟢 Camera 2 Cầu treo/, 0, 45_000);
  }, 120_000);

  it('tokens that are refused: the chief hears it on Telegram, consents, and what waited goes', async () => {
    // Zalo is where the chief wrote last
    await asks(chiefThere, 'quyền', /trưởng công an/);
    const skip = toldTelegram(chief).length;
    zalo.tokens.give();
    zalo.tokens.expireAccess();
    const before = toldZalo(officer).length;
    officer.says('quyền');
    const told = await onTelegram(chief, /thu lại quyền của em trên Zalo OA/, skip, 60_000);
    expect(toldZalo(officer)).toHaveLength(before);
    expect(await consents(told)).toContain('Đã nối Zalo');
    await onZalo(officer, /cán bộ công an/, before, 60_000);
  }, 150_000);

  it('npm run doctor sees that it is well, and uses no token up', async () => {
    const given = zalo.tokens.given;
    const doctor = path.join(projectRoot, 'dist', 'src', 'bin', 'doctor.js');
    const about = { cwd: stage.product.cwd, env: { PATH: process.env.PATH, ...stage.product.env } };
    // something is to be mended: it ends with 1
    const said = await promisify(execFile)(process.execPath, [doctor, '--json'], about).catch(
      (ended: { stdout: string }) => ended,
    );
    const { findings } = JSON.parse(said.stdout) as { findings: Finding[] };
    const found = (check: string) => findings.filter((finding) => finding.check === check);
    for (const check of ['zalo-oa', 'zalo-package', 'zalo-tokens', 'zalo-webhook', 'public-url'])
      expect(found(check), check).toMatchObject([{ mark: 'ok' }]);
    expect(found('zalo-webhook')[0]!.facts).toMatchObject({ late: 0, taken: expect.any(Number) });
    expect(found('public-url')[0]!.facts).toMatchObject({ health: true, hook: true });
    expect(found('public-url-https')).toMatchObject([{ mark: 'bad' }]);
    expect(zalo.tokens.given).toBe(given);
  }, 60_000);

  it('nothing secret is in a log, in the list of processes or in an answer', async () => {
    const keys = readEnvFile(path.join(stage.product.cwd, '.env'));
    const { accessToken, refreshToken } = zalo.tokens;
    const secrets = [
      ...[accessToken, refreshToken, TEST_APP.appSecret, TEST_APP.oaSecret, telegram.token.split(':')[1]!],
      ...[LOGIN.password, PHONE, '0912345678', keys.SECRET_KEY!, keys.RECORDER_TOKEN!],
    ];
    for (const secret of secrets) expect(secret.length).toBeGreaterThan(9);
    const logs = fs.readdirSync(path.join(stage.product.home, 'logs'));
    const texts = [
      ...logs.map((name) => fs.readFileSync(path.join(stage.product.home, 'logs', name), 'utf8')),
      ...(await stage.product.processes()).map((each) => each.command),
      ...zalo.world.messages.filter(({ fromId }) => fromId === null).map(({ text }) => text),
      ...[...toldTelegram(chief), ...toldTelegram(officers)].map(wordsOf),
    ];
    for (const text of texts) for (const secret of secrets) expect(text).not.toContain(secret);
    if (process.platform === 'linux')
      expect(fs.readFileSync(`/proc/${stage.product.service('recorder')}/environ`, 'utf8')).not.toMatch(
        /(?:ZALO|TELEGRAM)_/,
      );
  });

  it('ends at the asking', async () => {
    await stage.product.stop('SIGTERM');
    expect(await stage.product.ended).toEqual({ code: 0, signal: null });
    expect(await stage.product.processes()).toEqual([]);
  }, 30_000);
});
