import fs from 'node:fs';
import { type Api, InputFile, InputMediaBuilder } from 'grammy';
import type { InlineKeyboardMarkup } from 'grammy/types';
import { WorldError } from '../../base/errors.js';
import type {
  AlbumReply,
  ChatAddress,
  DocumentReply,
  OutFile,
  PhotoReply,
  Reply,
  Sent,
  TextReply,
  VideoReply,
} from '../../chat/message.js';
import { type ButtonStore, linkLines, toKeyboard } from './buttons.js';
import { type ApiSignal, type Connection, uploadMs } from './connection.js';
import { notModified, refusedChange, topicGone } from './errors.js';

type FileReply = PhotoReply | VideoReply | DocumentReply;

const MOST_ITEMS = 10;
const nfc = (text: string) => text.normalize('NFC');

/** Files of a reply, checked to be there and small enough before a byte is sent. @throws WorldError invalid, too-big */
async function weigh(files: OutFile[], fileBytes: number): Promise<number> {
  let total = 0;
  for (const file of files) {
    const found = await fs.promises.stat(file.path).catch(() => null);
    if (found === null || found.size === 0)
      throw new WorldError('invalid', `the file ${file.fileName} to send is missing or empty`);
    if (found.size > fileBytes)
      throw new WorldError(
        'too-big',
        `${file.fileName} has ${found.size} bytes, Telegram takes ${fileBytes}`,
      );
    total += found.size;
  }
  return total;
}

const input = (file: OutFile) =>
  new InputFile(file.path, file.fileName.replace(/[^A-Za-z0-9._-]/g, '_') || 'file');

const seconds = (durationMs: number) => Math.max(1, Math.round(durationMs / 1000));

const videoFields = (reply: VideoReply) => ({
  width: reply.width,
  height: reply.height,
  duration: seconds(reply.durationMs),
  supports_streaming: true,
});

function toMedia(reply: FileReply, caption: string | undefined) {
  const words = caption === undefined || caption === '' ? {} : { caption: nfc(caption) };
  if (reply.kind === 'photo') return InputMediaBuilder.photo(input(reply.file), words);
  if (reply.kind === 'video')
    return InputMediaBuilder.video(input(reply.file), { ...words, ...videoFields(reply) });
  return InputMediaBuilder.document(input(reply.file), words);
}

const withLinks = (text: string | undefined, reply: TextReply | FileReply): string =>
  [text ?? '', ...linkLines(reply.buttons)].filter((line) => line !== '').join('\n');

/** Where in a group; a topic that is gone is no reason to say nothing (`outsideTopic`). */
export const inTopic = ({ topic }: Pick<ChatAddress, 'topic'>) =>
  topic === undefined ? {} : { message_thread_id: Number(topic) };

/** Sends; where the topic was deleted or closed meanwhile, once more into the group itself. */
async function outsideTopic(to: ChatAddress, send: (to: ChatAddress) => Promise<string[]>): Promise<Sent> {
  try {
    return { ids: await send(to) };
  } catch (error) {
    if (to.topic === undefined || !topicGone(error)) throw error;
    const { topic: _, ...group } = to;
    return { ids: await send(group), topicGone: true };
  }
}

const PLAIN = { link_preview_options: { is_disabled: true } };

async function sendNew(
  api: Api,
  to: ChatAddress,
  reply: TextReply | FileReply,
  keyboard: InlineKeyboardMarkup | undefined,
  signal: ApiSignal,
): Promise<string> {
  const { chatId } = to;
  const markup = { ...inTopic(to), ...(keyboard === undefined ? {} : { reply_markup: keyboard }) };
  if (reply.kind === 'text') {
    const text = nfc(withLinks(reply.text, reply));
    return String((await api.sendMessage(chatId, text, { ...markup, ...PLAIN }, signal)).message_id);
  }
  const caption = nfc(withLinks(reply.caption, reply));
  const other = { ...markup, ...(caption === '' ? {} : { caption }) };
  const file = input(reply.file);
  const message =
    reply.kind === 'photo'
      ? await api.sendPhoto(chatId, file, other, signal)
      : reply.kind === 'video'
        ? await api.sendVideo(chatId, file, { ...other, ...videoFields(reply) }, signal)
        : await api.sendDocument(chatId, file, { ...other, disable_content_type_detection: true }, signal);
  return String(message.message_id);
}

async function change(
  api: Api,
  chatId: string,
  messageId: number,
  reply: TextReply | FileReply,
  keyboard: InlineKeyboardMarkup | undefined,
  signal: ApiSignal,
): Promise<void> {
  const markup = keyboard === undefined ? {} : { reply_markup: keyboard };
  if (reply.kind === 'text') {
    const text = nfc(withLinks(reply.text, reply));
    await api.editMessageText(chatId, messageId, text, { ...markup, ...PLAIN }, signal);
  } else {
    const media = toMedia(reply, withLinks(reply.caption, reply));
    await api.editMessageMedia(chatId, messageId, media, markup, signal);
  }
}

async function sendAlbum(
  connection: Connection,
  address: ChatAddress,
  reply: AlbumReply,
  timeoutMs: number,
): Promise<Sent> {
  const media = reply.items.map((item, index) => {
    const caption = index === 0 ? (reply.caption ?? item.caption) : item.caption;
    return toMedia(item, caption) as ReturnType<typeof InputMediaBuilder.photo>;
  });
  return connection.call(
    'sendMediaGroup',
    (api, signal) =>
      outsideTopic(address, async (to) => {
        const messages = await api.sendMediaGroup(to.chatId, media, inTopic(to), signal);
        return messages.map((message) => String(message.message_id));
      }),
    { timeoutMs },
  );
}

const METHOD_OF = {
  text: 'sendMessage',
  photo: 'sendPhoto',
  video: 'sendVideo',
  document: 'sendDocument',
} as const;

/**
 * Sends a reply, or changes the earlier message into it. Where Telegram refuses the change, the reply is sent anew and
 * the old message deleted.
 * @throws WorldError
 */
export async function deliver(
  connection: Connection,
  buttons: ButtonStore,
  address: ChatAddress,
  reply: Reply,
  { replaces, fileBytes }: { replaces?: string | undefined; fileBytes: number },
): Promise<Sent> {
  const { chatId } = address;
  if (reply.kind === 'album' && reply.items.length === 1) {
    const only = reply.items[0] as PhotoReply | VideoReply;
    const caption = reply.caption ?? only.caption;
    const single = caption === undefined ? only : { ...only, caption };
    return await deliver(connection, buttons, address, single, { replaces, fileBytes });
  }
  if (reply.kind === 'album' && (reply.items.length === 0 || reply.items.length > MOST_ITEMS))
    throw new WorldError('invalid', `an album has 2–${MOST_ITEMS} items, not ${reply.items.length}`);

  const files =
    reply.kind === 'text' ? [] : reply.kind === 'album' ? reply.items.map((item) => item.file) : [reply.file];
  const timeoutMs = uploadMs(await weigh(files, fileBytes));
  const old = replaces !== undefined && /^\d+$/.test(replaces) ? Number(replaces) : null;

  if (reply.kind === 'album') {
    const sent = await sendAlbum(connection, address, reply, timeoutMs);
    if (old !== null) await forget(connection, chatId, old);
    return sent;
  }

  const keyboard = await toKeyboard(reply.buttons, buttons);
  if (old !== null) {
    const changed = await connection.call(
      reply.kind === 'text' ? 'editMessageText' : 'editMessageMedia',
      async (api, signal) => {
        try {
          await change(api, chatId, old, reply, keyboard, signal);
          return true;
        } catch (error) {
          if (notModified(error)) return true;
          if (refusedChange(error)) return false;
          throw error;
        }
      },
      { timeoutMs },
    );
    if (changed) return { ids: [String(old)] };
  }
  const sent = await connection.call(
    METHOD_OF[reply.kind],
    (api, signal) => outsideTopic(address, async (to) => [await sendNew(api, to, reply, keyboard, signal)]),
    { timeoutMs },
  );
  if (old !== null) await forget(connection, chatId, old);
  return sent;
}

/** Deletes an earlier message of ours, best effort: it may be gone or too old. */
async function forget(connection: Connection, chatId: string, messageId: number): Promise<void> {
  await connection
    .call('deleteMessage', (api, signal) => api.deleteMessage(chatId, messageId, signal))
    .catch(() => {});
}
