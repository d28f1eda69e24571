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

/** The same for several streams at once, one camera each. */
export function whileServingEach<T>(
  streams: readonly StreamSettings[],
  work: (served: Served[]) => Promise<T>,
  before: Served[] = [],
): Promise<T> {
  const [settings, ...others] = streams;
  if (settings === undefined) return work(before);
  return whileServing(settings, 1, (served) => whileServingEach(others, work, [...before, served]));
}

export interface ChatCamera {
  /** as people call it: "ảnh 1" */
  number: number;
  /** the recorder's name for it */
  id: string;
}

/** The whole product as a chief talks to it. */
export interface Chat {
  cameras: ChatCamera[];
  client: RecorderClient;
  telegram: TelegramServer;
  chief: TgPerson;
}

export interface SceneCamera extends ChatCamera {
  path: string;
}

export interface Scene extends Served, Chat {
  cameras: SceneCamera[];
}

const NAMES = ['Cổng chợ', 'Ngã ba', 'Nhà văn hóa', 'Trường học', 'Cầu đá', 'Đình làng'];

/** What a scene has before it begins. */
export interface Beforehand {
  /** puts earlier recordings of its cameras there; the product is stopped meanwhile */
  recordings?(root: string, cameras: ChatCamera[]): Promise<void>;
}

/**
 * Runs `work` before the whole product (parent, recorder, bot) in real mode with the stand-in of Telegram, set up as a
 * chief would do it by chat, while the cameras at `urls` (up to 6) record; then takes everything down.
 */
export async function whileChatting<T>(
  urls: readonly string[],
  work: (chat: Chat) => Promise<T>,
  before: Beforehand = {},
): Promise<T> {
  const telegram = await TelegramServer.start();
  const env = {
    ...{ DEMO: '0', TELEGRAM_BOT_TOKEN: telegram.token, TELEGRAM_API_ROOT: telegram.apiRoot },
    ...{ MIN_FREE_PERCENT: '0', MIN_FREE_GB: '0' },
  };
  try {
    let product = await startProduct({ env });
    const chief = telegram.user({ id: 7001, name: 'Trưởng' });
    chief.says((await readFile(join(product.data, 'first-chief-code.txt'), 'utf8')).trim());
    await chief.receives('Từ giờ anh/chị là trưởng');
    for (const [i, url] of urls.entries()) {
      chief.says(`camera thêm ${NAMES[i]} ${url}`);
      await chief.receives(`Đã thêm camera ${i + 1} `);
    }
    await untilRecording(product.recorder(), urls.length);
    const infos = await product.recorder().cameras();
    const cameras = urls.map((_, i) => ({
      number: i + 1,
      id: infos.find((info) => info.name === NAMES[i])!.id,
    }));
    if (before.recordings !== undefined) {
      await product.stop();
      await before.recordings(join(product.data, 'recordings'), cameras);
      product = await startProduct({ env, after: product });
      await untilRecording(product.recorder(), urls.length);
    }
    const result = await work({ cameras, client: product.recorder(), telegram, chief });
    await product.stop();
    return result;
  } finally {
    await endProducts();
    await telegram.stop();
  }
}

/** `whileChatting` with `count` cameras that show the same stream. */
export async function whileAnswering<T>(
  settings: StreamSettings,
  count: number,
  work: (scene: Scene) => Promise<T>,
): Promise<T> {
  return whileServing(settings, count, (served) => {
    const { server, paths } = served;
    return whileChatting(
      paths.map((path) => server.url(path)),
      (chat) => {
        const cameras = chat.cameras.map((camera, i) => ({ ...camera, path: paths[i]! }));
        return work({ ...served, ...chat, cameras });
      },
    );
  });
}

/** Waits for `seconds`: measuring takes its time. */
export const pause = (seconds: number) => new Promise<void>((go) => setTimeout(go, seconds * 1000));
