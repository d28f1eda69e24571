import fs from 'node:fs';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { endProducts, startProduct } from '../support/product.js';

afterAll(endProducts);

it('says that ffmpeg is missing, once, and the bot is there all the same', async () => {
  const product = await startProduct({
    env: { DEMO: '0', CONSOLE: '1', FFMPEG_PATH: path.join(path.sep, 'nowhere', 'ffmpeg') },
    untilReady: false,
  });
  await product.hears(/Không có ffmpeg chạy được/);
  await product.hears(/Mở trình duyệt/, 30_000);
  expect((await fetch(`${product.url}/healthz`)).status).toBe(200);
  expect(product.terminal().match(/Không có ffmpeg/g)).toHaveLength(1);
  await product.stop();
}, 60_000);

it.skipIf(process.platform === 'win32')(
  'keeps what it writes from other accounts of the machine',
  async () => {
    const product = await startProduct();
    await product.stop();
    const open: string[] = [];
    const look = (place: string) => {
      const { mode } = fs.statSync(place);
      if ((mode & 0o077) !== 0) open.push(path.relative(product.home, place));
      if (fs.statSync(place).isDirectory())
        for (const name of fs.readdirSync(place)) look(path.join(place, name));
    };
    look(product.home);
    expect(open).toEqual([]);
  },
  60_000,
);
