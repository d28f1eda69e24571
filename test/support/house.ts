import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { pino } from 'pino';
import { type Handlers, type House, type HouseSettings, makeHandlers } from '../../handlers/index.js';
import type { Clock } from '../../src/base/clock.js';
import { fromVietnamTime } from '../../src/base/clock.js';
import { makeKey, makeSeal } from '../../src/base/seal.js';
import type { ChatOptions } from '../../src/chat/chat.js';
import type { Channel, ChannelLimits } from '../../src/chat/message.js';
import { seedDemo } from '../../src/demo/seed.js';
import type { Intake } from '../../src/intake/types.js';
import type { Database } from '../../src/store/database.js';
import { openTestDatabase } from './database.js';
import { makeTestRecorder, type TestRecorder } from './recorder.js';
import { type TalkHouse, talkTo } from './talk.js';

/** A clock that stands until it is moved. */
export interface HandClock extends Clock {
  ms: number;
}

export interface TestHouse extends TalkHouse {
  house: House;
  handlers: Handlers;
  recorder: TestRecorder;
  db: Database;
  clock: HandClock;
  dataDir: string;
}

/** Takes every file for what its first bytes say: "photo…" and "video…" are shown, the rest goes as a document. */
export const plainIntake: Intake = {
  async take(channel, attachment, dir) {
    await fs.mkdir(dir, { recursive: true });
    const file = path.join(dir, `${attachment.ref}.bin`);
    const { sizeBytes } = await channel.fetch(attachment, file, 1_000_000);
    const content = await fs.readFile(file, 'utf8');
    if (content.startsWith('bad'))
      return { ok: false, sentence: 'Tệp này chưa nhận được, anh/chị gửi lại giúp nhé.' };
    const kind = content.startsWith('photo') ? 'photo' : content.startsWith('video') ? 'video' : 'document';
    const shown = kind === 'document' ? null : `${file}.${kind === 'photo' ? 'jpg' : 'mp4'}`;
    if (shown !== null) await fs.copyFile(file, shown);
    return {
      ok: true,
      path: file,
      kind,
      mime: 'application/octet-stream',
      fileName: attachment.fileName ?? 'file',
      sizeBytes,
      sha256: '0'.repeat(64),
      width: null,
      height: null,
      durationMs: null,
      shown:
        shown === null
          ? null
          : {
              path: shown,
              kind: kind === 'photo' ? 'photo' : 'video',
              width: 640,
              height: 360,
              durationMs: 0,
            },
    };
  },
};

/** Saturday 21/11/2026, 14:40:00 in Việt Nam. */
export const NOON_ISH = fromVietnamTime(2026, 11, 21, 14, 40, 0);

/** The whole bot but for its outer edges: the demo commune, the real chat core and SQLite, a recorder in memory. */
export async function openHouse(
  options: {
    settings?: Partial<HouseSettings>;
    empty?: boolean;
    house?: Partial<House>;
    /** further channels beside the console */
    others?: Channel[];
    /** of the chat core */
    chat?: Pick<ChatOptions, 'makeLink' | 'makePreview'>;
    /** of the console */
    limits?: ChannelLimits;
  } = {},
): Promise<TestHouse> {
  const { others = [] } = options;
  const { database: db, close: closeDatabase } = await openTestDatabase();
  const dataDir = await fs.mkdtemp(path.join(os.tmpdir(), 'mat-than-house-'));
  const clock: HandClock = {
    ms: NOON_ISH,
    now() {
      return this.ms;
    },
  };
  const recorder = makeTestRecorder(clock);
  if (options.empty !== true) await seedDemo({ db, recorder, nowMs: clock.now() });
  let talking: TalkHouse | null = null;
  const house: House = {
    db,
    recorder,
    intake: plainIntake,
    clock,
    log: pino({ level: 'silent' }),
    seal: makeSeal(makeKey()),
    settings: {
      communeName: 'Công an xã Cẩm Lương',
      clipSeconds: 30,
      clipMaxSeconds: 1800,
      outageSeconds: 60,
      retentionDays: 30,
      demo: true,
      publicUrl: null,
      dataDir,
      ...options.settings,
    },
    async tell(to, reply, tellOptions) {
      const { chat } = await (talking as TalkHouse).ready;
      return chat.tell(to, reply, tellOptions);
    },
    reaches: async (personId) => (await (talking as TalkHouse).ready).chat.reaches(personId),
    spoolFor: async (key, fileName) => (await (talking as TalkHouse).ready).chat.spoolFor(key, fileName),
    channelOf: (name) =>
      [(talking as TalkHouse).channel, ...others].find((channel) => channel.name === name) ?? null,
    makeLink: async () => null,
    pruneQueues: async (days) => (await (talking as TalkHouse).ready).chat.prune(days),
    ...options.house,
  };
  const handlers = makeHandlers(house);
  const { commands, fallbacks, onRefused, onEvent, onHeld, onTopicGone, troubles, digests } = handlers;
  talking = talkTo({
    ...{ commands, fallbacks, onRefused, onEvent, onHeld, onTopicGone, troubles, digests, others },
    ...{ database: db, clock, ...options.chat },
    ...(options.limits === undefined ? {} : { limits: options.limits }),
  });
  const opened = talking;
  await opened.ready;
  return {
    ...opened,
    house,
    handlers,
    recorder,
    db,
    clock,
    dataDir,
    async close() {
      await opened.close();
      await closeDatabase();
      await fs.rm(dataDir, { recursive: true, force: true });
    },
  };
}
