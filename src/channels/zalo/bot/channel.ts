import { setTimeout as pause } from 'node:timers/promises';
import type { Router } from 'express';
import { backoffMs } from '../../../base/backoff.js';
import { type Clock, systemClock } from '../../../base/clock.js';
import { WorldError } from '../../../base/errors.js';
import type { Log } from '../../../base/log.js';
import type { Channel, ChannelLimits, OutFile, Reply } from '../../../chat/message.js';
import type { BotAccount, BotClient } from '../api/bot.js';
import { ZaloError } from '../api/errors.js';
import { fetchMedia, type MediaOptions } from '../oa/media.js';
import { type BotUpdate, readBotBody, readBotUpdate } from '../webhook/bot-events.js';
import { makeHook } from '../webhook/hook.js';
import { isFromBotPlatform } from '../webhook/signature.js';
import { readIncoming } from './incoming.js';

export interface ZaloBotOptions {
  client: BotClient;
  media: MediaOptions;
  log: Log;
  clock?: Clock;
  /** An address at which Zalo can fetch a photo; null: photos can't be sent (no public address). */
  photoLink: ((file: OutFile) => Promise<string>) | null;
  /** null: by polling */
  webhook: { path: string; url: string; secret: string } | null;
  pauses?: { firstMs: number; mostMs: number };
}

export interface ZaloBotChannel extends Channel {
  /** the webhook, where there is one */
  router: Router | null;
  /** The bot, once it has answered; null before. */
  account(): { id: string; name: string } | null;
  /** Resolves when the platform has answered for the first time, or we stopped. */
  connected(): Promise<void>;
}

/** [?] the length of a caption: as that of a text. Source: chat-apis.md §2. @param photos there is an address for them */
export const botLimits = (photos: boolean): ChannelLimits => ({
  textLength: 2000,
  captionLength: 2000,
  photoBytes: photos ? 1_000_000 : 0,
  photoSides: 10_000,
  fileBytes: 0,
  video: false,
  albumItems: 1,
  buttons: false,
  edit: false,
  windowMs: null,
  rates: { perSecond: 10, perChatMs: 300, perGroupPerMinute: 20 },
});

const POLL_S = 30;
const PAUSES = { firstMs: 1000, mostMs: 60_000 };

/**
 * A bot of the Zalo Bot Platform: private chats with text, and photos by an address of ours. It is probed at the start;
 * what it can't do (groups, videos, files) its limits say.
 */
export function makeZaloBot(options: ZaloBotOptions): ZaloBotChannel {
  const { client, log, clock = systemClock, photoLink, webhook, pauses = PAUSES } = options;
  const stopping = new AbortController();
  const { signal } = stopping;
  const untilStop = (given?: AbortSignal) =>
    given === undefined ? signal : AbortSignal.any([signal, given]);
  let accept: Parameters<Channel['start']>[0] | null = null;
  let account: { id: string; name: string } | null = null;
  let work: Promise<void> = Promise.resolve();
  let wasReached: () => void = () => {};
  const reached = new Promise<void>((resolve) => {
    wasReached = resolve;
  });

  async function take(update: BotUpdate | null): Promise<boolean> {
    if (accept === null) throw new Error('the channel is not open yet');
    const message = update === null ? null : readIncoming(update);
    if (message !== null) await accept(message);
    return update !== null;
  }

  /** Tries until it works or we stop; null when we stopped. */
  async function persist<T>(what: string, run: () => Promise<T>): Promise<T | null> {
    for (let tries = 1; !signal.aborted; tries += 1)
      try {
        return await run();
      } catch (error) {
        if (signal.aborted) return null;
        const waitMs =
          error instanceof WorldError && error.retryAfterS !== undefined ? error.retryAfterS * 1000 : 0;
        const ms = Math.max(waitMs, backoffMs(tries, pauses.firstMs, pauses.mostMs));
        if (tries === 1 || tries % 10 === 0) log.warn({ err: error, tries }, `${what}: failed, trying again`);
        await pause(ms, undefined, { signal }).catch(() => {});
      }
    return null;
  }

  /** Who the bot is, what the platform lets it do, and how it hears: for whoever reads the log. */
  function noteAbilities(me: BotAccount): void {
    account = { id: me.id, name: me.account_name ?? '' };
    log.info(
      {
        ...{ bot: account.name, type: me.account_type ?? null, groups: me.can_join_groups ?? null },
        ...{ photos: photoLink !== null, hears: webhook === null ? 'polling' : 'webhook' },
      },
      'connected to the Zalo bot',
    );
    if (photoLink === null)
      log.warn('the Zalo bot can send no pictures: Zalo fetches them from PUBLIC_URL, which is not set');
    if (me.can_join_groups === true)
      log.info('Zalo lets this bot into groups; what is said there is not listened to');
  }

  /** While a webhook is set nothing can be polled. */
  async function takeOffWebhook(): Promise<void> {
    if (((await client.webhook(signal)).url ?? '') === '') return;
    log.warn('the Zalo bot had a webhook, which excludes polling: it is taken off');
    await client.deleteWebhook(signal);
  }

  async function setWebhook({ url, secret }: NonNullable<typeof webhook>): Promise<void> {
    const before = (await client.webhook(signal)).url ?? '';
    if (before !== '' && before !== url)
      log.warn(
        'the messages of the Zalo bot went to another address until now: is another program using it?',
      );
    await client.setWebhook(url, secret, signal);
  }

  async function nextUpdate(): Promise<unknown> {
    try {
      return await client.nextUpdate(POLL_S, signal);
    } catch (error) {
      // somebody may have set one since
      if (error instanceof ZaloError && error.remedy === 'permanent') await takeOffWebhook();
      throw error;
    }
  }

  async function run(): Promise<void> {
    const me = await persist('connecting to the Zalo bot', () => client.me(signal));
    wasReached();
    if (me === null) return;
    noteAbilities(me);
    if (webhook !== null) {
      await persist('setting the webhook of the Zalo bot', () => setWebhook(webhook));
      return;
    }
    await persist('taking off the webhook of the Zalo bot', takeOffWebhook);
    while (!signal.aborted) {
      const update = await persist('polling the Zalo bot', nextUpdate);
      // an update is gone once it was answered: nothing is asked for before this one is written down
      if (update !== null)
        await persist('writing down a message of the Zalo bot', () =>
          take(readBotUpdate(update, clock.now())),
        );
    }
  }

  const idsOf = (sent: { message_id?: string | undefined }) =>
    sent.message_id === undefined ? [] : [sent.message_id];

  async function deliver(chatId: string, reply: Reply): Promise<string[]> {
    if (reply.kind === 'text') return idsOf(await client.sendMessage(chatId, reply.text, signal));
    if (reply.kind !== 'photo' || photoLink === null)
      throw new WorldError('invalid', `the Zalo bot takes no ${reply.kind}`);
    const url = await photoLink(reply.file).catch((error: unknown) => {
      throw new WorldError('invalid', `the file ${reply.file.fileName} to send is missing`, { cause: error });
    });
    return idsOf(await client.sendPhoto(chatId, url, reply.caption, signal));
  }

  return {
    name: 'zalo-bot',
    limits: botLimits(photoLink !== null),
    account: () => account,
    connected: () => reached,
    router:
      webhook === null
        ? null
        : makeHook({
            ...{ path: webhook.path, log },
            isGenuine: (_raw, headers) =>
              isFromBotPlatform(headers['x-bot-api-secret-token'], webhook.secret),
            take: (raw) => take(readBotBody(raw, clock.now())),
          }).router,
    async start(given) {
      if (accept !== null) throw new Error('the channel of the Zalo bot was started before');
      accept = given;
      work = run();
    },
    send: async (to, reply) => ({ ids: await deliver(to.chatId, reply) }),
    async act(to) {
      await client.sendTyping(to.chatId, signal).catch(() => {});
    },
    fetch: (attachment, path, maxBytes, given) =>
      fetchMedia(attachment.ref, path, maxBytes, options.media, untilStop(given)),
    // its link is shown in the bot's own profile; the API does not tell one
    privateChatLink: () => null,
    async stop() {
      stopping.abort();
      accept = null;
      wasReached();
      await work;
    },
  };
}
