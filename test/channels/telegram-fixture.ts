import fs from 'node:fs';
import { pino } from 'pino';
import {
  type ButtonStore,
  makeTelegram,
  type TelegramChannel,
  type TelegramOptions,
} from '../../src/channels/telegram/index.js';
import { TelegramServer, type TelegramServerOptions, type TgMessage } from '../support/telegram-server.js';
import type { ChannelFixture, SeenMessage } from './contract.js';

/** A button store in memory; outlives the channels that are given it. */
export function makeButtonMemory(): ButtonStore & { kept: Map<string, string> } {
  const kept = new Map<string, string>();
  return {
    kept,
    async put(says) {
      const key = `k${Buffer.from(says).toString('base64url').slice(0, 30)}`;
      kept.set(key, says);
      return key;
    },
    async get(key) {
      return kept.get(key) ?? null;
    },
  };
}

/** A log that keeps its lines for a test to read. */
export function makeLogBook() {
  const lines: string[] = [];
  const log = pino({ level: 'debug' }, { write: (line: string) => lines.push(line) });
  return { log, lines, text: () => lines.join('') };
}

export const FAST = { firstMs: 5, mostMs: 20 };

export function channelTo(server: TelegramServer, options: Partial<TelegramOptions> = {}): TelegramChannel {
  return makeTelegram({
    token: server.token,
    apiRoot: server.apiRoot,
    log: pino({ level: 'silent' }),
    buttons: makeButtonMemory(),
    pauses: FAST,
    ...options,
  });
}

function seenMessage(server: TelegramServer, message: TgMessage): SeenMessage {
  const file = message.photo?.at(-1) ?? message.video ?? message.animation ?? message.document;
  return {
    id: String(message.message_id),
    kind:
      message.photo !== undefined
        ? 'photo'
        : message.video !== undefined || message.animation !== undefined
          ? 'video'
          : message.document !== undefined
            ? 'document'
            : 'text',
    text: message.text ?? message.caption ?? '',
    buttons: (message.reply_markup?.inline_keyboard ?? []).map((row) => row.map((button) => button.text)),
    ...(file === undefined ? {} : { sizeBytes: server.world.files.get(file.file_id)?.sizeBytes ?? -1 }),
  };
}

/** Telegram before its stand-in, for the contract suite. */
export async function makeTelegramFixture(
  serverOptions: TelegramServerOptions = {},
): Promise<ChannelFixture> {
  const server = await TelegramServer.start({ rates: false, ...serverOptions });
  const officer = server.user({ id: 7_000_000_001, name: 'Cán bộ Lò Văn Hùng' });
  const group = server.group({ title: 'Nhóm cán bộ', by: officer });
  const channel = channelTo(server);
  // both chats are open before the channel is: what happened then is no news for it
  officer.says('/start');
  group.addsBot(officer);
  server.world.updates.length = 0;
  const fail = (status: number, description: string, retryAfter?: number) => async () =>
    server.fail('sendMessage', {
      status,
      description,
      ...(retryAfter === undefined ? {} : { retryAfter }),
    });
  return {
    channel,
    userId: String(officer.id),
    privateChat: { channel: 'telegram', chatId: String(officer.id) },
    groupChat: { channel: 'telegram', chatId: String(group.id) },
    async says(text, where, to = 'nobody') {
      if (where === 'private') officer.says(text);
      else officer.says(to === 'mention' ? `@mat_than_bot ${text}` : text, { in: group });
    },
    repliesInGroup: async (text, toId) => {
      const to = server.world.findMessage(group.id, toId);
      officer.says(text, { in: group, ...(to === undefined ? {} : { replyTo: to }) });
    },
    async sends(kind, file, caption) {
      if (kind === 'photo') await officer.sendsPhoto(file, caption);
      else if (kind === 'video') officer.sendsVideo(file, caption);
      else officer.sendsDocument(fs.readFileSync(file), 'don.bin', caption);
    },
    sendsAlbum: async (files, caption) => {
      await officer.sendsAlbum(
        files.map((bytes) => ({ kind: 'photo', bytes })),
        caption,
      );
    },
    sendsPlace: async (latitude, longitude) => {
      officer.sendsLocation(latitude, longitude);
    },
    async presses(label, messageId) {
      officer.presses(label, server.world.findMessage(officer.id, messageId));
    },
    deliversAgain: async () => {},
    async seen(where) {
      const chatId = where === 'private' ? officer.id : group.id;
      return [...server.world.messages.values()]
        .filter((message) => message.chat.id === chatId && message.from?.id === server.world.bot.id)
        .map((message) => seenMessage(server, message));
    },
    breaks: {
      'rate-limited': fail(429, 'Too Many Requests: retry after 7', 7),
      unreachable: async () => server.drop('sendMessage', 'before'),
      blocked: async () => officer.blocks(),
      'chat-gone': fail(400, 'Bad Request: chat not found'),
      migrated: async () => {
        server.fail('sendMessage', {
          status: 400,
          description: 'Bad Request: group chat was upgraded to a supergroup chat',
          migrateTo: -1_001_234_567_890,
        });
      },
      'too-big': fail(413, 'Request Entity Too Large'),
      invalid: fail(400, 'Bad Request: message is too long'),
    },
    close: () => server.stop(),
  };
}
