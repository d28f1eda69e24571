import fs from 'node:fs';
import path from 'node:path';
import { type Browser, chromium as engine, type Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { chromium, chromiumPath } from '../support/debian.js';
import { runFfmpeg } from '../support/ffmpeg.js';
import { openStage, type Stage } from './stage.js';

const ARGS = [
  '--no-sandbox',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Two seconds of a moving picture, as our clips are: H.264, index first. */
const film = (file: string) =>
  runFfmpeg([
    ...['-f', 'lavfi', '-i', 'testsrc2=size=320x180:rate=15:duration=2'],
    ...['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-movflags', '+faststart', file],
  ]);

describe.skipIf(!chromium.available)('the page, in a browser of the size of a phone', () => {
  let browser: Browser;
  let stage: Stage;
  let page: Page;
  let faults: string[];
  let progressSeen: () => void;

  beforeAll(async () => {
    browser = await engine.launch({ executablePath: chromiumPath as string, args: ARGS });
  });
  afterAll(async () => {
    await browser?.close();
  });

  beforeEach(async () => {
    stage = await openStage();
    await sharp({ create: { width: 640, height: 360, channels: 3, background: '#336699' } })
      .jpeg()
      .toFile(path.join(stage.dir, 'anh.jpg'));
    const picture = (name: string) => ({
      path: path.join(stage.dir, name),
      fileName: name,
      sizeBytes: fs.statSync(path.join(stage.dir, name)).size,
    });
    const progressShown = new Promise<void>((resolve) => {
      progressSeen = resolve;
    });
    stage.script = async (message, reply) => {
      if (message.text === 'camera')
        await reply({
          kind: 'text',
          text: 'Bạn muốn xem camera nào?',
          buttons: [[{ label: '1 · Cổng chợ', says: 'ảnh 1' }]],
        });
      if (message.text === 'ảnh 1')
        await reply({
          kind: 'photo',
          file: picture('anh.jpg'),
          caption: 'Camera 1',
          width: 640,
          height: 360,
        });
      if (message.text === 'clip 1') {
        const id = await reply({ kind: 'text', text: 'Đang cắt đoạn ghi…' });
        await progressShown;
        await film(path.join(stage.dir, 'clip.mp4'));
        await reply(
          { kind: 'video', file: picture('clip.mp4'), width: 320, height: 180, durationMs: 2000 },
          { replaces: id },
        );
      }
      if (message.text.includes('<')) await reply({ kind: 'text', text: message.text });
    };
    faults = [];
    page = await browser.newPage({ viewport: { width: 360, height: 740 }, hasTouch: true });
    page.on('pageerror', (error) => void faults.push(String(error)));
    page.on('console', (line) => {
      if (line.type() === 'error') faults.push(line.text());
    });
    await page.goto(`${stage.url}/console?as=canbo`);
    await page.waitForSelector('body[data-live]');
  });
  afterEach(async () => {
    await page.close();
    await stage.stop();
  });

  const send = async (text: string) => {
    await page.fill('#text', text);
    await page.tap('#send');
  };
  const look = (expression: string) => page.evaluate(expression) as Promise<number>;
  /** Nothing may stick out of a narrow page. */
  const overhang = () => look('document.documentElement.scrollWidth - document.documentElement.clientWidth');

  it('sends words, shows the reply, presses its button and sees the picture', async () => {
    await send('camera');
    await page.tap('text=1 · Cổng chợ');
    const image = page.locator('.line:not(.mine) img');
    await image.waitFor();
    await expect.poll(() => look("document.querySelector('.line:not(.mine) img').naturalWidth")).toBe(640);
    expect(stage.taken.map((message) => [message.text, message.pressed])).toEqual([
      ['camera', undefined],
      ['ảnh 1', true],
    ]);
    await image.tap();
    await page.waitForSelector('#lightbox[open]');
    await page.tap('#lightbox-close');
    expect(await page.locator('.line.mine').count()).toBe(2);
    expect(await page.locator('.waiting').count()).toBe(0);
    expect(await overhang()).toBe(0);
    expect(faults).toEqual([]);
  });

  it('turns the progress line into a video that plays', async () => {
    await send('clip 1');
    await page.waitForSelector('.line:has-text("Đang cắt đoạn ghi…")');
    progressSeen();
    const video = page.locator('video');
    await video.waitFor();
    expect(await page.locator('.line:has-text("Đang cắt")').count()).toBe(0);
    await expect.poll(() => look("document.querySelector('video').readyState")).toBeGreaterThanOrEqual(2);
    await look("document.querySelector('video').play()");
    await expect.poll(() => look("document.querySelector('video').currentTime")).toBeGreaterThan(0.2);
    expect(await overhang()).toBe(0);
    expect(faults).toEqual([]);
  });

  it('shows what people write as text, never as HTML', async () => {
    const text = '<img src=x onerror="document.title=1"> <script>1</script>';
    await send(text);
    await page.waitForSelector('.line:not(.mine) .text');
    expect(await page.locator('.line:not(.mine) .text').innerText()).toBe(text);
    expect(await page.locator('.text img, .text script').count()).toBe(0);
  });

  it('sends a picture, and lets one be somebody else', async () => {
    await page.tap('#open-side');
    await page.tap('[data-person="ho"]');
    await page.waitForSelector('text=Chào Trương Thị Lan!');
    await page.setInputFiles('#files', path.join(stage.dir, 'anh.jpg'));
    await page.fill('#text', 'Người lạ');
    await page.tap('#send');
    await page.waitForSelector('.line.mine:not(.waiting) img');
    expect(stage.taken[0]).toMatchObject({
      sender: { userId: 'ho' },
      text: 'Người lạ',
      attachments: [{ kind: 'photo', fileName: 'anh.jpg' }],
    });
    expect(faults).toEqual([]);
  });

  it('counts what came in another chat, and reads it there', async () => {
    await stage.channel.send(
      { channel: 'console', chatId: 'nhom-canbo' },
      { kind: 'text', text: 'Camera 3 mất kết nối' },
    );
    await page.waitForSelector('#others:not([hidden])');
    expect(await page.locator('#others').innerText()).toBe('1');
    await page.tap('#open-side');
    await page.tap('[data-chat="nhom-canbo"]');
    await page.waitForSelector('.line:has-text("Camera 3 mất kết nối")');
    expect(await page.locator('#others').isHidden()).toBe(true);
  });

  it('mends the connection by itself, sends what waited, and has missed nothing', async () => {
    await stage.cutOff();
    await page.waitForSelector('body:not([data-live])');
    await stage.channel.send(
      { channel: 'console', chatId: 'canbo' },
      { kind: 'text', text: 'Trong lúc mất mạng' },
    );
    await send('camera');
    await page.waitForSelector('.failed');
    await stage.comeBack();
    await page.waitForSelector('body[data-live]');
    await page.waitForSelector('.line:has-text("Trong lúc mất mạng")');
    await page.waitForSelector('.line:has-text("Bạn muốn xem camera nào?")');
    expect(stage.taken.map((message) => message.text)).toEqual(['camera']);
    expect(await page.locator('.line.mine').count()).toBe(1);
  });
});
