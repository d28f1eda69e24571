import path from 'node:path';
import { type Browser, type BrowserContext, chromium as engine, type Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { revokeLinks } from '../../src/store/links.js';
import { chromium, chromiumPath } from '../support/debian.js';
import { film, type LinkStage, MARKET, NOW, openLinkStage } from './link-stage.js';

const ARGS = ['--no-sandbox', '--disable-quic', '--no-first-run', '--disable-background-networking'];
const PHONE = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 };
/** A loaded machine takes its time. */
const PATIENT = { timeout: 15_000 };
/** Where screenshots go; set to look at them. */
const SHOTS = process.env.MAT_THAN_SHOTS;

describe.skipIf(!chromium.available)('the page of a link, on a phone', () => {
  let browser: Browser;
  let stage: LinkStage;
  let phone: BrowserContext;
  let page: Page;
  let faults: string[];
  let clip: Buffer;

  beforeAll(async () => {
    browser = await engine.launch({ executablePath: chromiumPath as string, args: ARGS });
  });
  afterAll(() => browser?.close());
  beforeEach(async () => {
    stage = await openLinkStage();
    clip = await film(path.join(stage.dir, 'film.mp4'));
    phone = await browser.newContext(PHONE);
    page = await watched(phone);
  });
  afterEach(async () => {
    await phone.close();
    await stage.close();
  });

  async function watched(context: BrowserContext) {
    faults = [];
    const made = await context.newPage();
    made.on('pageerror', (error) => void faults.push(String(error)));
    made.on('console', (line) => {
      if (line.type() === 'error') faults.push(line.text());
    });
    return made;
  }
  const shoot = async (name: string) => {
    if (SHOTS !== undefined) await page.screenshot({ path: path.join(SHOTS, `${name}.png`), fullPage: true });
  };
  const look = (expression: string) => page.evaluate(expression) as Promise<number>;
  const overhang = () => look('document.documentElement.scrollWidth - document.documentElement.clientWidth');
  /** Everything to press is as large as a thumb, every word as large as an old eye wants it. */
  const handy = async () => {
    expect(await overhang()).toBe(0);
    const heights = "[...document.querySelectorAll('.big')].map((one) => one.getBoundingClientRect().height)";
    for (const height of (await page.evaluate(heights)) as number[])
      expect(height).toBeGreaterThanOrEqual(60);
    const sizes =
      "[...document.querySelectorAll('p, dd, dt, label, small, .big')].map((one) => parseFloat(getComputedStyle(one).fontSize))";
    for (const size of (await page.evaluate(sizes)) as number[]) expect(size).toBeGreaterThanOrEqual(16);
  };
  const caption =
    'Camera 1 Cổng chợ\nYêu cầu: 14:30:00–14:30:30, thứ bảy 21/11/2026\nThiếu 14:30:10–14:30:13 (3 giây): mất điện';

  it('is opened with one press, plays, and is downloaded', async () => {
    const { local } = await stage.send([{ fileName: 'camera-1.mp4', content: clip, shows: MARKET, caption }]);
    await page.goto(local);
    await shoot('ask');
    await handy();
    await page.tap('button.big');
    await page.waitForSelector('video');
    expect(page.url()).toBe(local);
    await expect
      .poll(() => look("document.querySelector('video').readyState"), PATIENT)
      .toBeGreaterThanOrEqual(1);
    await shoot('clip');
    await handy();
    await look("document.querySelector('video').play()");
    await expect
      .poll(() => look("document.querySelector('video').currentTime"), PATIENT)
      .toBeGreaterThan(0.3);
    const font = "document.fonts.check('16px \"Be Vietnam Pro\"', 'ượ')";
    expect(await page.evaluate(font)).toBe(true);
    const [download] = await Promise.all([page.waitForEvent('download'), page.tap('text=Tải về máy')]);
    expect(download.suggestedFilename()).toBe('Camera 1 Cổng chợ 2026-11-21 14h30m00.mp4');
    expect(faults).toEqual([]);
  });

  it('needs no script', async () => {
    const plain = await browser.newContext({ ...PHONE, javaScriptEnabled: false });
    page = await watched(plain);
    const { local } = await stage.send([{ fileName: 'camera-1.mp4', content: clip, shows: MARKET }]);
    await page.goto(local);
    await page.tap('button.big');
    await page.waitForSelector('video');
    expect(await page.locator('video').getAttribute('poster')).toMatch(/\/hinh$/);
    await plain.close();
  });

  it('opens again on the same phone, and tells another one why not', async () => {
    const { local } = await stage.send([{ fileName: 'camera-1.mp4', content: clip, shows: MARKET }]);
    await page.goto(local);
    await page.tap('button.big');
    await page.waitForSelector('video');
    await page.goto(local);
    await page.waitForSelector('video');
    const other = await browser.newContext(PHONE);
    page = await watched(other);
    await page.goto(local);
    await page.waitForSelector('h1:has-text("đã mở trên một máy khác")');
    await shoot('other-device');
    await handy();
    await other.close();
  });

  it('shows an album with its words', async () => {
    const photo = await sharp({ create: { width: 1280, height: 720, channels: 3, background: '#336699' } })
      .jpeg()
      .toBuffer();
    const shows = { ...MARKET, endMs: MARKET.startMs };
    const { local } = await stage.send([
      { fileName: 'anh.jpg', content: photo, caption: 'Người lạ áo đỏ đi vào', shows },
      { fileName: 'camera-1.mp4', content: clip, shows: MARKET },
      { fileName: 'bien-ban.pdf', content: Buffer.alloc(300_000), caption: 'Biên bản niêm phong' },
    ]);
    await page.goto(local);
    await page.tap('button.big');
    await page.waitForSelector('video');
    await expect.poll(() => look("document.querySelector('img.shot').naturalWidth"), PATIENT).toBe(1280);
    await shoot('album');
    await handy();
    expect(faults).toEqual([]);
  });

  it('asks for the PIN with large digits, and says when it is wrong', async () => {
    await stage.restart({ pinDigits: 4 });
    const { local, made } = await stage.send([{ fileName: 'camera-1.mp4', content: clip, shows: MARKET }]);
    await page.goto(local);
    await page.fill('#pin', made.pin === '0000' ? '1111' : '0000');
    await page.tap('button.big');
    await page.waitForSelector('text=Mã chưa đúng');
    await shoot('pin');
    await handy();
    await page.fill('#pin', made.pin!);
    await page.tap('button.big');
    await page.waitForSelector('video');
  });

  it.each([
    ['hevc', ['-c:v', 'libx265', '-preset', 'ultrafast', '-tag:v', 'hvc1'], 'H.265', 1],
    ['mpeg4', ['-c:v', 'mpeg4'], 'trình duyệt không phát được', 0],
  ] as const)('says so when a phone may not play it: %s', async (codec, encoder, words, players) => {
    const content = await film(path.join(stage.dir, 'odd.mp4'), [...encoder]);
    const { local } = await stage.send([{ fileName: 'camera-1.mp4', content, shows: MARKET }]);
    await page.goto(local);
    await page.tap('button.big');
    await page.waitForSelector(`.note:has-text("${words}")`);
    expect(await page.locator('video').count()).toBe(players);
    await shoot(codec);
    await handy();
  });

  it('gets nothing more when it is taken back while it plays', async () => {
    const { local } = await stage.send([{ fileName: 'camera-1.mp4', content: clip, shows: MARKET }]);
    await page.goto(local);
    await page.tap('button.big');
    await page.waitForSelector('video');
    await revokeLinks(stage.database, 'all', NOW);
    // what the player has already, it has: what it must fetch, it does not get
    await page.evaluate("{ const video = document.querySelector('video'); video.src += '?again'; }");
    await expect
      .poll(() => look("document.querySelector('video').error?.code ?? 0"), PATIENT)
      .toBeGreaterThan(0);
    await page.reload();
    await page.waitForSelector('h1:has-text("đã được thu lại")');
    await shoot('revoked');
  });
});
