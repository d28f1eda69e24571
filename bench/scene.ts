/** What measurements need: a real RTSP server showing one stream on several mounts, and the whole product recording it. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RecorderClient } from '../media/types.js';
import { type PreparedStream, prepareStream, type StreamSettings } from '../test/support/frame-clock.js';
import { type GstServer, startGstServer } from '../test/support/gst/gst-server.js';
import { endProducts, startProduct } from '../test/support/product.js';
import { TelegramServer, type TgPerson } from '../test/support/telegram-server.js';
import { untilRecording } from './recorder.js';

export interface Served {
  server: GstServer;
  stream: PreparedStream;
  /** "/cam1" …: one mount a camera */
  paths: string[];
}

/** Runs `work` while `count` cameras can be watched, then takes the server down. */
export async function whileServing<T>(
  settings: StreamSettings,
  count: number,
  work: (served: Served) => Promise<T>,
): Promise<T> {
  const stream = await prepareStream(settings);
  const paths = Array.from({ length: count }, (_, i) => `/cam${i + 1}`);
  const { file, codec, fps } = stream;
  const server = await startGstServer({ mounts: paths.map((path) => ({ path, file, codec, fps })) });
  try {
    return await work({ server, stream, paths });
  } finally {
    await server.stop();
  }
}

export interface SceneCamera {
  /** as people call it: "ảnh 1" */
  number: number;
  /** the recorder's name for it */
  id: string;
  path: string;
}

export interface Scene extends Served {
  cameras: SceneCamera[];
  client: RecorderClient;
  telegram: TelegramServer;
  chief: TgPerson;
}

const NAMES = ['Cổng chợ', 'Ngã ba', 'Nhà văn hóa', 'Trường học', 'Cầu đá', 'Đình làng'];

/**
 * Runs `work` before the whole product (parent, recorder, bot) in real mode with the stand-in of Telegram, set up as a
 * chief would do it by chat, while `count` cameras (up to 6) record; then takes everything down.
 */
export async function whileAnswering<T>(
  settings: StreamSettings,
  count: number,
  work: (scene: Scene) => Promise<T>,
): Promise<T> {
  return whileServing(settings, count, async (served) => {
    const telegram = await TelegramServer.start();
    try {
      const product = await startProduct({
        env: {
          ...{ DEMO: '0', TELEGRAM_BOT_TOKEN: telegram.token, TELEGRAM_API_ROOT: telegram.apiRoot },
          ...{ MIN_FREE_PERCENT: '0', MIN_FREE_GB: '0' },
        },
      });
      const chief = telegram.user({ id: 7001, name: 'Trưởng' });
      chief.says((await readFile(join(product.data, 'first-chief-code.txt'), 'utf8')).trim());
      await chief.receives('Từ giờ anh/chị là trưởng');
      for (const [i, path] of served.paths.entries()) {
        chief.says(`camera thêm ${NAMES[i]} ${served.server.url(path)}`);
        await chief.receives(`Đã thêm camera ${i + 1} `);
      }
      const client = product.recorder();
      await untilRecording(client, count);
      const infos = await client.cameras();
      const cameras = served.paths.map((path, i) => ({
        number: i + 1,
        id: infos.find((info) => info.name === NAMES[i])!.id,
        path,
      }));
      const result = await work({ ...served, cameras, client, telegram, chief });
      await product.stop();
      return result;
    } finally {
      await endProducts();
      await telegram.stop();
    }
  });
}

/** Waits for `seconds`: measuring takes its time. */
export const pause = (seconds: number) => new Promise<void>((go) => setTimeout(go, seconds * 1000));
