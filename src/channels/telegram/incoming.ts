import type { MessageEntity, Message as TelegramMessage, Update, User, UserFromGetMe } from 'grammy/types';
import type { Attachment, ChatEvent, Incoming, Message, Sender } from '../../chat/message.js';

/** The kinds of updates we ask for. Edited messages are not among them: of a live location the first place counts. */
export const ALLOWED_UPDATES = ['message', 'callback_query', 'my_chat_member'] as const;

const nfc = (text: string) => text.normalize('NFC');

/**
 * Our id of an update. Telegram counts updates per bot, so the bot's own number is part of it: after a change of the
 * bot (a new token) old ids are not met again.
 */
export const updateId = (bot: UserFromGetMe, update: Update) => `u${bot.id}.${update.update_id}`;

const senderOf = (user: User): Sender => ({
  userId: String(user.id),
  name: nfc([user.first_name, user.last_name].filter(Boolean).join(' ')) || String(user.id),
});

/** Only of a forum's topic: in other groups a thread is no more than a chain of replies. */
const topicOf = (message: TelegramMessage) =>
  message.is_topic_message === true && message.message_thread_id !== undefined
    ? { topic: String(message.message_thread_id) }
    : {};

const chatTitle = (chat: TelegramMessage['chat']) =>
  chat.title === undefined ? {} : { chatTitle: nfc(chat.title) };

/** What Telegram says of a file: its id, name, type and size, as far as they are known. */
interface TelegramFile {
  file_id: string;
  file_name?: string | undefined;
  mime_type?: string | undefined;
  file_size?: number | undefined;
}

function attach(kind: Attachment['kind'], file: TelegramFile): Attachment {
  return {
    kind,
    ref: file.file_id,
    ...(file.file_name === undefined ? {} : { fileName: nfc(file.file_name) }),
    ...(file.mime_type === undefined ? {} : { mime: file.mime_type }),
    ...(file.file_size === undefined ? {} : { sizeBytes: file.file_size }),
  };
}

/** The file of a message. An animation also stands in `document`: it is a video without sound. */
function attachmentOf(message: TelegramMessage): Attachment | null {
  if (message.photo !== undefined) {
    const sizes = [...message.photo].sort((a, b) => b.width * b.height - a.width * a.height);
    return sizes[0] === undefined ? null : attach('photo', { ...sizes[0], mime_type: 'image/jpeg' });
  }
  if (message.animation !== undefined) return attach('video', message.animation);
  if (message.video !== undefined) return attach('video', message.video);
  if (message.video_note !== undefined) return attach('video', message.video_note);
  if (message.voice !== undefined) return attach('audio', message.voice);
  if (message.audio !== undefined) return attach('audio', message.audio);
  if (message.document !== undefined) return attach('document', message.document);
  return null;
}

interface Words {
  text: string;
  /** by mention or slash */
  addressed: boolean;
  /** the slash command names another bot */
  forAnother: boolean;
  startPayload?: string;
}

/** The words of a message: NFC, without the bot's own name; whether they are meant for it. */
function readWords(raw: string, entities: MessageEntity[], bot: UserFromGetMe): Words {
  const own = `@${bot.username.toLowerCase()}`;
  let text = raw;
  let addressed = false;
  let forAnother = false;
  // offsets hold while we cut from the end
  for (const entity of [...entities].sort((a, b) => b.offset - a.offset)) {
    const word = raw.slice(entity.offset, entity.offset + entity.length);
    const cut = (from: number, put: string) => {
      text = text.slice(0, from) + put + text.slice(entity.offset + entity.length);
    };
    if (
      (entity.type === 'mention' && word.toLowerCase() === own) ||
      (entity.type === 'text_mention' && entity.user.id === bot.id)
    ) {
      addressed = true;
      cut(entity.offset, ' ');
    } else if (entity.type === 'bot_command' && entity.offset === 0) {
      const at = word.indexOf('@');
      if (at >= 0 && word.slice(at).toLowerCase() !== own) forAnother = true;
      else {
        addressed = true;
        if (at >= 0) cut(at, '');
      }
    }
  }
  // "/ảnh" is no command to Telegram, but it is to us
  if (raw.startsWith('/') && !forAnother) addressed = true;
  if (addressed)
    text = text
      .replace(/[^\S\n]+/g, ' ')
      .replace(/^[\s,:;]+/, '')
      .trim();
  text = nfc(text);
  const start = /^\/start(?:\s+([A-Za-z0-9_-]{1,64}))$/.exec(text);
  if (start?.[1] !== undefined) return { text: '/start', addressed, forAnother, startPayload: start[1] };
  return { text, addressed, forAnother };
}

/** What happens in a private chat without anybody's word: not to be answered. */
const HAPPENINGS = [
  ...(['pinned_message', 'message_auto_delete_timer_changed', 'chat_background_set', 'boost_added'] as const),
  ...(['write_access_allowed', 'connected_website', 'passport_data', 'web_app_data'] as const),
  ...(['users_shared', 'chat_shared', 'proximity_alert_triggered', 'managed_bot_created'] as const),
  ...(['successful_payment', 'refunded_payment', 'gift', 'unique_gift', 'gift_upgrade_sent'] as const),
  ...(['checklist_tasks_done', 'checklist_tasks_added', 'poll_option_added', 'poll_option_deleted'] as const),
  ...(['paid_message_price_changed', 'direct_message_price_changed'] as const),
  ...(['forum_topic_created', 'forum_topic_edited', 'forum_topic_closed', 'forum_topic_reopened'] as const),
] as const satisfies (keyof TelegramMessage)[];

function readMessage(message: TelegramMessage, id: string, bot: UserFromGetMe): Incoming | null {
  const { chat, from } = message;
  if (chat.type === 'channel' || from === undefined || from.id === bot.id) return null;
  const base = { channel: 'telegram' as const, externalId: id, sentMs: message.date * 1000 };
  if (message.migrate_to_chat_id !== undefined)
    return {
      kind: 'event',
      ...base,
      chatId: String(chat.id),
      ...chatTitle(chat),
      event: { type: 'migrated', toChatId: String(message.migrate_to_chat_id) },
    };
  if (message.migrate_from_chat_id !== undefined)
    return {
      kind: 'event',
      ...base,
      chatId: String(message.migrate_from_chat_id),
      ...chatTitle(chat),
      event: { type: 'migrated', toChatId: String(chat.id) },
    };
  // other bots, and posts of a linked channel; an anonymous administrator speaks for the chat itself
  if (message.is_automatic_forward === true || (from.is_bot && message.sender_chat === undefined))
    return null;

  const words = readWords(
    message.text ?? message.caption ?? '',
    message.entities ?? message.caption_entities ?? [],
    bot,
  );
  const attachment = attachmentOf(message);
  const place = message.location ?? message.venue?.location;
  const inPrivate = chat.type === 'private';
  // a sticker, a poll, a contact: nothing the bot could do something with; who sent it to us is told so
  const empty = words.text === '' && attachment === null && place === undefined && !words.addressed;
  if (empty && (!inPrivate || HAPPENINGS.some((kind) => message[kind] !== undefined))) return null;
  if (words.forAnother && !inPrivate) return null;
  return {
    kind: 'message',
    ...base,
    chatId: String(chat.id),
    chatKind: inPrivate ? 'private' : 'group',
    ...chatTitle(chat),
    ...topicOf(message),
    sender: senderOf(from),
    text: words.text,
    attachments: attachment === null ? [] : [attachment],
    ...(empty ? { unreadable: true as const } : {}),
    ...(place === undefined ? {} : { place: { latitude: place.latitude, longitude: place.longitude } }),
    addressed: inPrivate || words.addressed || message.reply_to_message?.from?.id === bot.id,
    ...(message.media_group_id === undefined ? {} : { albumId: message.media_group_id }),
    ...(words.startPayload === undefined ? {} : { startPayload: words.startPayload }),
  };
}

const OUT = new Set(['left', 'kicked']);

function readMembership(change: NonNullable<Update['my_chat_member']>, id: string): ChatEvent | null {
  const { chat } = change;
  const was = change.old_chat_member;
  const is = change.new_chat_member;
  const inside = (member: typeof was) =>
    !OUT.has(member.status) && (member.status !== 'restricted' || member.is_member);
  if (chat.type === 'channel' || inside(was) === inside(is)) return null;
  const base = {
    kind: 'event' as const,
    channel: 'telegram' as const,
    chatId: String(chat.id),
    ...chatTitle(chat),
    externalId: id,
    sentMs: change.date * 1000,
  };
  if (chat.type === 'private')
    return {
      ...base,
      event: { type: inside(is) ? 'unblocked' : 'blocked', userId: String(change.from.id) },
    };
  if (inside(is)) return { ...base, event: { type: 'bot-added', by: senderOf(change.from) } };
  return { ...base, event: { type: 'bot-removed' } };
}

/** A message or event out of an update; null for what is not for us. Pressed buttons are `readPress`'s. */
export function readUpdate(update: Update, bot: UserFromGetMe): Incoming | null {
  const id = updateId(bot, update);
  if (update.message !== undefined) return readMessage(update.message, id, bot);
  if (update.my_chat_member !== undefined) return readMembership(update.my_chat_member, id);
  return null;
}

/**
 * A pressed button as the message that it says.
 * @param says what the button says, from its data
 */
export function readPress(update: Update, bot: UserFromGetMe, says: string, nowMs: number): Message | null {
  const query = update.callback_query;
  const chat = query?.message?.chat;
  if (query === undefined || chat === undefined || chat.type === 'channel') return null;
  return {
    kind: 'message',
    channel: 'telegram',
    chatId: String(chat.id),
    chatKind: chat.type === 'private' ? 'private' : 'group',
    ...chatTitle(chat),
    ...(query.message === undefined || query.message.date === 0 ? {} : topicOf(query.message)),
    externalId: updateId(bot, update),
    sender: senderOf(query.from),
    sentMs: nowMs,
    text: nfc(says),
    attachments: [],
    addressed: true,
    pressed: true,
  };
}
