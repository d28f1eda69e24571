import path from 'node:path';
import { chromium } from 'playwright-core';
import { chromiumPath } from './debian.js';
import { endProducts, eventually, startProduct } from './product.js';
import { projectRoot } from './project-root.js';

/** `npm run picture`: makes the README's picture of the console, from the running demo. */

const product = await startProduct();
const browser = await chromium.launch({
  executablePath: chromiumPath ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-quic', '--no-first-run', '--disable-background-networking'],
});
try {
  await product.say('canbo', 'ảnh ngã ba chợ');
  await eventually('15 s of recording', async () => {
    const { recorded } = await product.recorder().coverage('cam2', { startMs: 0, endMs: Date.now() });
    return (recorded[0]?.startMs ?? Date.now()) < Date.now() - 15_000;
  });
  await product.say('canbo', 'clip cam 2 10 giây trước trong 5 giây');
  const page = await browser.newPage({ viewport: { width: 1280, height: 1000 }, deviceScaleFactor: 1 });
  await page.goto(`${product.url}/console?as=canbo`);
  const video = page.locator('video').last();
  await video.waitFor();
  await page.evaluate(
    'Promise.all([document.fonts.ready, ...[...document.images].map((image) => image.decode().catch(() => {}))])',
  );
  type Shown = { readyState: number; scrollIntoView(where: { block: string }): void };
  await video.evaluate((element) => (element as unknown as Shown).scrollIntoView({ block: 'end' }));
  await eventually(
    'the video to be ready',
    async () => (await video.evaluate((element) => (element as unknown as Shown).readyState)) >= 1,
  );
  const file = path.join(projectRoot, '.github', 'console.png');
  await page.screenshot({ path: file });
  process.stdout.write(`${file}\n`);
} finally {
  await browser.close();
  await endProducts();
}
