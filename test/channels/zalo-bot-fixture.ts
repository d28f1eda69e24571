import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import express from 'express';
import { type Logger, pino } from 'pino';
import { makeBotClient } from '../../src/channels/zalo/api/bot.js';
import { makeZaloBot, type ZaloBotChannel } from '../../src/channels/zalo/bot/channel.js';
import { makePhotoLinks } from '../../src/web/photo-links.js';
import { TEST_APP, ZaloServer } from '../support/zalo-server.js';
import type { ChannelFixture, SeenMessage } from './contract.js';

export const BOT_SECRET = 'bi-mat-cua-webhook';
const HOOK = '/zalo/bot';

export interface BotStage {
  zalo: ZaloServer;
  channel: ZaloBotChannel;
  hookUrl: string;
  close(): Promise<void>;
}

/** The Bot channel behind a web server of its own that also serves its photos, before the stand-in. Not started. */
export async function makeBotStage(
  by: 'polling' | 'webhook',
  {
    photos = true,
    token = TEST_APP.botToken,
    log = pino({ level: 'silent' }),
  }: { photos?: boolean; token?: string; log?: Logger } = {},
): Promise<BotStage> {
  const zalo = await ZaloServer.start();
  const app = express();
  const web = http.createServer(app).listen(0, '127.0.0.1');
  await new Promise((ready) => web.once('listening', ready));
  const publicUrl = `http://127.0.0.1:${(web.address() as AddressInfo).port}`;
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'mat-than-photo-links-'));
  const links = makePhotoLinks({ folder, publicUrl });
  app.use(links.router);
  const channel = makeZaloBot({
    client: makeBotClient({ root: zalo.root, token, log }),
    media: { hosts: [zalo.root] },
    log,
    photoLink: photos ? (file) => links.linkFor(file) : null,
    webhook: by === 'webhook' ? { path: HOOK, url: publicUrl + HOOK, secret: BOT_SECRET } : null,
    pauses: { firstMs: 5, mostMs: 20 },
  });
  if (channel.router !== null) app.use(channel.router);
  return {
    ...{ zalo, channel, hookUrl: publicUrl + HOOK },
    async close() {
      await zalo.stop();
      web.closeAllConnections();
      await new Promise((closed) => web.close(closed));
      fs.rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The Bot Platform before its stand-in, for the contract suite. */
export async function makeBotFixture(by: 'polling' | 'webhook'): Promise<ChannelFixture> {
  const stage = await makeBotStage(by);
  const { zalo, channel } = stage;
  const { bot } = zalo;
  const officer = zalo.botPerson({ id: '8812345678901234567', name: 'Cán bộ Lò Văn Hùng' });
  bot.chats.set(officer.id, { name: officer.name, blocked: false });
  /** by webhook an action ends with its answer */
  const act = async (doing: () => unknown) => {
    if (by === 'webhook') await zalo.called('setWebhook');
    const before = bot.answers.length;
    doing();
    const signal = AbortSignal.timeout(10_000);
    while (bot.webhook !== null && bot.answers.length === before) await bot.bell.next(signal);
  };
  const fail = (code: number) => async () => zalo.fail('sendMessage', { code });
  return {
    channel,
    userId: officer.id,
    privateChat: { channel: 'zalo-bot', chatId: officer.id },
    groupChat: null,
    arrives: ['photo'],
    says: (text) => act(() => officer.says(text)),
    repliesInGroup: null,
    sends: (_kind, file, caption) => act(() => officer.sendsPhoto(fs.readFileSync(file), caption)),
    sendsAlbum: null,
    sendsPlace: null,
    presses: async () => {},
    // [?] nobody says whether the platform posts again what was not confirmed
    deliversAgain: () => (by === 'webhook' ? act(() => bot.postAgain()) : Promise.resolve()),
    seen: async () =>
      bot.sent.map(
        ({ id, text, photo }): SeenMessage => ({
          ...{ id, text, kind: photo === undefined ? 'text' : 'photo', buttons: [] },
          ...(photo === undefined ? {} : { sizeBytes: photo.length }),
        }),
      ),
    breaks: {
      'rate-limited': fail(429),
      unreachable: async () => zalo.drop('sendMessage', 'before'),
      blocked: async () => officer.blocks(),
      invalid: fail(400),
      'too-big': fail(413),
    },
    close: stage.close,
  };
}
