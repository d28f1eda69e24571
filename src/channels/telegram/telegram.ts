import type { Router } from 'express';
import type { Update, UserFromGetMe } from 'grammy/types';
import { type Clock, systemClock } from '../../base/clock.js';
import { WorldError } from '../../base/errors.js';
import type { Log } from '../../base/log.js';
import type { Channel, ChannelLimits, Incoming } from '../../chat/message.js';
import { type ButtonStore, fromData } from './buttons.js';
import { type ConnectionOptions, makeConnection } from './connection.js';
import { readPress, readUpdate } from './incoming.js';
import { makeMembers } from './members.js';
import { type Menus, publishMenus } from './menus.js';
import { deliver, inTopic } from './outgoing.js';
import { limited, PAUSES, type Pauses, persist, poll } from './polling.js';
import { makeWebhook, webhookAt } from './webhook.js';

const MB = 1024 * 1024;

/** Telegram's limits (Bot API). @param local an own Bot API server with `--local` */
export const telegramLimits = (local: boolean): ChannelLimits => ({
  textLength: 4096,
  captionLength: 1024,
  photoBytes: 10 * MB,
  photoSides: 10_000,
  fileBytes: (local ? 2000 : 50) * MB,
  video: true,
  albumItems: 10,
  buttons: true,
  edit: true,
  windowMs: null,
  rates: { perSecond: 30, perChatMs: 1000, perGroupPerMinute: 20 },
});

export interface TelegramOptions extends ConnectionOptions {
  log: Log;
  buttons: ButtonStore;
  clock?: Clock;
  /** apiRoot is an own server started with `--local`: files to 2000 MB */
  local?: boolean;
  pauses?: Pauses;
  /** this server as Telegram reaches it: it posts there what we else ask for; null: we ask */
  publicUrl?: string | null;
  /** how often Telegram is asked whether its posts arrive, ms (60,000) */
  checkMs?: number;
}

export interface TelegramChannel extends Channel {
  /** The bot's own account, once connected; null before. */
  me(): { id: string; username: string } | null;
  /** takes Telegram's posts; belongs into the web server, open to the world */
  router: Router;
  /** Resolves when Telegram has answered for the first time; rejects when stopped before. */
  connected(): Promise<void>;
  /** Menus behind "/", changed only where they differ. @throws WorldError */
  setMenus(menus: Menus): Promise<{ changed: number; failed: string[] }>;
}

const OLD_BUTTON = 'Nút này đã cũ. Anh/chị gõ lại giúp em nhé.';
const ACTIONS = {
  typing: 'typing',
  'sending-photo': 'upload_photo',
  'sending-video': 'upload_video',
} as const;
const ACT_MS = 5_000;
const GOODBYE_MS = 5_000;
const CHECK_MS = 60_000;

/**
 * Telegram by long polling, or by its posts where it reaches us. `start` returns at once and connects in the background: a wrong token or a blocked
 * network is told in the log and tried again, and never ends the service.
 */
export function makeTelegram(options: TelegramOptions): TelegramChannel {
  const { log, buttons, clock = systemClock, local = false, pauses = PAUSES } = options;
  const { publicUrl, checkMs = CHECK_MS } = options;
  const webhook = makeWebhook(log);
  const connection = makeConnection(options);
  const members = makeMembers(connection);
  const limits = telegramLimits(local);
  const stopping = new AbortController();
  const { signal } = stopping;
  const running = new Set<Promise<unknown>>();
  let me: UserFromGetMe | null = null;
  let loop: Promise<void> | null = null;
  let hasConnected: () => void = () => {};
  let neverConnected: (error: Error) => void = () => {};
  const firstContact = new Promise<void>((resolve, reject) => {
    hasConnected = resolve;
    neverConnected = reject;
  });
  firstContact.catch(() => {});

  /** Keeps what is under way in sight, so that `stop` can let it end. */
  const track = <T>(work: Promise<T>): Promise<T> => {
    running.add(work);
    const done = () => running.delete(work);
    work.then(done, done);
    return work;
  };

  const answerPress = (queryId: string, text?: string) =>
    track(
      connection
        .call('answerCallbackQuery', (api, ends) =>
          api.answerCallbackQuery(queryId, text === undefined ? {} : { text }, ends),
        )
        .then(() => {})
        .catch((error: unknown) => log.debug({ err: error }, 'a pressed button was not answered')),
    );

  async function read(update: Update, bot: UserFromGetMe): Promise<Incoming | null> {
    const query = update.callback_query;
    if (query === undefined) {
      try {
        return readUpdate(update, bot);
      } catch (error) {
        // ours to mend; without this one strange message would hold up all that follow
        log.error({ err: error, update: update.update_id }, 'an update could not be read and was left out');
        return null;
      }
    }
    if (query.data === undefined) return null;
    const says = await fromData(query.data, buttons);
    void answerPress(query.id, says === null ? OLD_BUTTON : undefined);
    return says === null ? null : readPress(update, bot, says, clock.now());
  }

  async function run(accept: Parameters<Channel['start']>[0]): Promise<void> {
    const options = { log, signal, pauses };
    const bot = await persist(
      'Connecting to Telegram',
      () => limited(connection.api, 30_000, signal, (api, ends) => api.getMe(ends)),
      options,
    );
    if (bot === null) return;
    me = bot;
    hasConnected();
    log.info({ bot: bot.username }, 'connected to Telegram');
    const take = async (update: Update) => {
      const incoming = await read(update, bot);
      if (incoming !== null) await accept(incoming);
    };
    if (publicUrl != null) {
      const ended = await webhook.receive(connection, webhookAt(publicUrl), take, { ...options, checkMs });
      if (ended === 'stopped') return;
      log.warn('asking Telegram for messages instead');
      await limited(connection.api, 30_000, signal, (api, ends) => api.deleteWebhook({}, ends)).catch(
        (error: unknown) => log.debug({ err: error }, 'the webhook is taken off at the first poll'),
      );
    }
    await poll(connection, take, options);
  }

  return {
    name: 'telegram',
    limits,
    router: webhook.router,
    me: () => (me === null ? null : { id: String(me.id), username: me.username }),
    connected: () => firstContact,
    setMenus: (menus) => track(publishMenus(connection.api, menus)),
    async start(accept) {
      if (loop !== null) throw new Error('the Telegram channel was started before');
      loop = run(accept).catch((error: unknown) => {
        log.error({ err: error }, 'receiving from Telegram ended');
      });
    },
    send(to, reply, { replaces } = {}) {
      return track(deliver(connection, buttons, to, reply, { replaces, fileBytes: limits.fileBytes }));
    },
    async act(to, activity) {
      await track(
        connection
          .call(
            'sendChatAction',
            (api, ends) => api.sendChatAction(to.chatId, ACTIONS[activity], inTopic(to), ends),
            {
              timeoutMs: ACT_MS,
            },
          )
          .then(() => {})
          .catch(() => {}),
      );
    },
    fetch(attachment, path, maxBytes, given) {
      const ending = given === undefined ? signal : AbortSignal.any([signal, given]);
      const load = async () => {
        if (attachment.sizeBytes !== undefined && attachment.sizeBytes > maxBytes)
          throw new WorldError(
            'too-big',
            `the file has ${attachment.sizeBytes} bytes, ${maxBytes} are allowed`,
          );
        const file = await connection.call('getFile', (api, ends) => api.getFile(attachment.ref, ends), {
          signal: ending,
        });
        if (file.file_path === undefined)
          throw new WorldError('not-found', 'Telegram no longer has the file');
        return { sizeBytes: await connection.download(file.file_path, path, maxBytes, ending) };
      };
      return track(load());
    },
    removeFromGroup: (chatId, userId) => track(members.remove(chatId, userId)),
    bringIntoGroup: (chatId, userId) => track(members.letIn(chatId, userId)),
    privateChatLink(payload) {
      if (me === null) return null;
      return `https://t.me/${me.username}${payload === undefined ? '' : `?start=${payload}`}`;
    },
    async stop() {
      stopping.abort();
      neverConnected(new Error('stopped before Telegram was reached'));
      await loop;
      let timer: NodeJS.Timeout | undefined;
      const deadline = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, GOODBYE_MS);
      });
      await Promise.race([Promise.allSettled([...running]), deadline]);
      clearTimeout(timer);
      connection.close();
    },
  };
}
