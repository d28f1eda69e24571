import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { ensureFirstChiefCode } from '../handlers/first-chief.js';
import type { House } from '../handlers/house.js';
import { makeHandlers } from '../handlers/index.js';
import { menusOf } from '../handlers/menus.js';
import { makeRecorderClient } from '../media/client.js';
import { readBackupStatus } from './base/backup-status.js';
import { systemClock } from './base/clock.js';
import { type Config, makeConfig } from './base/config.js';
import { findFfmpeg } from './base/ffmpeg.js';
import { type Log, makeLog } from './base/log.js';
import { makeSeal } from './base/seal.js';
import { type RunningService, runService, tellParent } from './base/service.js';
import { makeTelegram, type TelegramChannel } from './channels/telegram/index.js';
import { type Chat, makeChat } from './chat/chat.js';
import type { Channel } from './chat/message.js';
import { type ConsoleSide, openConsole } from './console.js';
import { makeIntake } from './intake/intake.js';
import { makePreviews } from './intake/preview.js';
import { makeMetrics } from './metrics.js';
import { startSchedule } from './schedule.js';
import { makeButtonTexts } from './store/buttons.js';
import { openDatabase } from './store/database.js';
import { makeTokens } from './store/tokens.js';
import { linkBase } from './web/link-base.js';
import { type Links, makeLinks } from './web/links.js';
import { lookAt } from './web/poster.js';
import { makeWeb } from './web/server.js';
import { makeZaloSide } from './zalo.js';

/** The bot's process: everything that talks with people, put together. */

const HOUR_MS = 3_600_000;
const MENUS_MS = 10 * 60_000;

async function startBot(
  config: Config,
  log: Log,
  signal: AbortSignal,
): Promise<RunningService & { port: number }> {
  const clock = systemClock;
  const at = (...parts: string[]) => path.join(config.dataDir, ...parts);
  const database = await openDatabase(at('bot.db'));
  const recorder = makeRecorderClient({
    url: `http://127.0.0.1:${config.recorderPort}`,
    token: config.recorderToken,
  });
  const ffmpeg = await findFfmpeg({ configured: config.ffmpegPath ?? undefined }).catch((error) => {
    log.error({ err: error }, 'no ffmpeg: files of strangers go on undecoded');
    return null;
  });
  const tokens = makeTokens(database, clock);

  let chat: Chat | null = null;
  let localUrl = `http://127.0.0.1:${config.port}`;
  const links: Links = makeLinks({
    tokens,
    database,
    clock,
    log,
    folder: at('links'),
    base: () => linkBase(config, os.networkInterfaces()),
    unit: config.communeName,
    ttlMs: config.links.hours * HOUR_MS,
    oneDevice: config.links.oneDevice,
    pinDigits: config.links.pinDigits,
    ...(ffmpeg === null ? {} : { lookAt: (clip: string, poster: string) => lookAt(ffmpeg, clip, poster) }),
  });

  const telegram: TelegramChannel | null =
    config.telegram.token === null
      ? null
      : makeTelegram({
          token: config.telegram.token,
          apiRoot: config.telegram.apiRoot,
          proxy: config.telegram.proxy,
          publicUrl: config.telegram.webhookUrl,
          log,
          buttons: makeButtonTexts(database, clock),
        });
  const consoleSide: ConsoleSide | null = config.console
    ? await openConsole({
        config,
        database,
        clock,
        log,
        tokens,
        localUrl: () => localUrl,
        turnDone: (inboxId) => chat!.turnDone(inboxId),
      })
    : null;
  const zalo = makeZaloSide({
    ...{ config, database, clock, log, tokens },
    tell: (to, reply, options) => chat!.tell(to, reply, options),
  });
  const channels: Channel[] = [telegram, ...zalo.channels, consoleSide?.channel ?? null].filter(
    (channel) => channel !== null,
  );

  const house: House = {
    db: database,
    recorder,
    intake: makeIntake({ ffmpeg, log }),
    clock,
    log,
    seal: makeSeal(config.secretKey),
    settings: { ...config },
    tell: (to, reply, options) => chat!.tell(to, reply, options),
    reaches: (personId) => chat!.reaches(personId),
    pruneQueues: (days) => chat!.prune(days),
    spoolFor: (key, fileName) => chat!.spoolFor(key, fileName),
    channelOf: (name) => channels.find((channel) => channel.name === name) ?? null,
    ...(consoleSide?.loginLink === undefined ? {} : { makeLoginLink: consoleSide.loginLink }),
    makeLink: links.make,
    ...(zalo.consentLink === undefined ? {} : { zaloConsentLink: zalo.consentLink }),
  };

  const handlers = makeHandlers(house);
  chat = makeChat({
    database,
    clock,
    log,
    channels,
    commands: handlers.commands,
    fallbacks: handlers.fallbacks,
    spoolDir: at('spool'),
    onEvent: handlers.onEvent,
    onRefused: handlers.onRefused,
    onHeld: handlers.onHeld,
    onTopicGone: handlers.onTopicGone,
    troubles: handlers.troubles,
    digests: handlers.digests,
    makeLink: links.make,
    ...(ffmpeg === null ? {} : { makePreview: makePreviews({ ffmpeg, log }) }),
  });

  const web = makeWeb({
    host: config.host,
    port: config.port,
    publicUrl: config.publicUrl,
    ...(config.trustProxy === null ? {} : { trustProxy: config.trustProxy }),
    log,
    async health() {
      const recorderHealth = await recorder.health().catch(() => null);
      const backup = config.backup.dir === null ? null : await readBackupStatus(config.dataDir);
      const waiting = chat!.waiting();
      return {
        ...{ ok: true, demo: config.demo, recorder: recorderHealth, waiting, backup },
        zalo: zalo.health(),
      };
    },
    metrics: makeMetrics(() => chat),
    publicRouters: [links.router, ...(telegram === null ? [] : [telegram.router]), ...zalo.publicRouters],
    routers: consoleSide?.routers ?? [],
    openInside: config.console && !config.demo,
    ...(config.console ? { home: '/console' } : {}),
  });
  const { port, url } = await web.start();
  localUrl = url;

  await consoleSide?.seed(house, signal);
  await chat.start(signal);
  await zalo.start(signal);
  consoleSide?.announce(url);
  const alerting = handlers.alerts.start(signal);
  startSchedule(
    [
      ...handlers.jobs.map((job) => ({ ...job, run: () => job.run(house) })),
      {
        name: 'links',
        cron: '17 * * * *',
        run: async () => {
          await links.sweep();
          await zalo.sweep();
        },
      },
      {
        name: 'console sessions',
        cron: '* * * * *',
        run: async () => void (await consoleSide?.channel.recheck()),
      },
    ],
    log,
    signal,
  );

  if (telegram !== null) {
    const setMenus = () =>
      menusOf(house, handlers.commands)
        .then((menus) => telegram.setMenus(menus))
        .catch((error) => log.warn({ err: error }, 'the menus were not set'));
    telegram.connected().then(setMenus, () => {});
    setInterval(() => telegram.me() !== null && void setMenus(), MENUS_MS).unref();
  }
  if (!config.demo) {
    const chief = await ensureFirstChiefCode(house);
    if (chief !== null)
      tellParent({
        type: 'say',
        line: `\n  Mã cho trưởng công an (nhắn riêng cho bot, dùng một lần trong 24 giờ):  ${chief.code}\n  Mã cũng nằm trong tệp ${chief.file}\n`,
      });
  }

  return {
    port,
    async stop() {
      consoleSide?.retire();
      await alerting;
      await chat!.stop();
      await web.stop();
      await zalo.settled();
      await database.$disconnect();
    },
  };
}

const config = makeConfig(process.env, process.env.MAT_THAN_DEMO === '1');
await fs.mkdir(config.dataDir, { recursive: true });
const log = makeLog({ name: 'bot', level: config.logLevel, dir: config.logDir });
await runService(log, async (signal) => {
  const bot = await startBot(config, log, signal);
  tellParent({ type: 'ready', port: bot.port });
  return bot;
});
