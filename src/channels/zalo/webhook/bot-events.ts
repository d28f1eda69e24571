import { z } from 'zod';
import { cleanName, cleanText } from '../../../base/clean-text.js';

/** An update of the Bot Platform. */
export type BotUpdate = { key: string } & (
  | {
      kind: 'message';
      chatId: string;
      chatKind: 'private' | 'group';
      userId: string;
      name: string;
      messageId: string;
      atMs: number;
      /** NFC; the words, or the caption */
      text: string;
      photoUrl: string | null;
      voiceUrl: string | null;
      /** a sticker, or something the platform does not pass on */
      also: 'sticker' | 'unsupported' | null;
    }
  | { kind: 'unknown'; name: string; raw: unknown }
);

const id = z.union([z.string().min(1), z.number().int().transform(String)]);

const update = z.looseObject({
  event_name: z.string(),
  message: z.looseObject({
    message_id: id,
    date: z.number().optional(),
    chat: z.looseObject({ id, chat_type: z.string().optional() }),
    from: z.looseObject({ id, is_bot: z.boolean().optional(), display_name: z.string().optional() }),
    text: z.string().nullish(),
    caption: z.string().nullish(),
    photo_url: z.string().nullish(),
    photo: z.string().nullish(),
    voice_url: z.string().nullish(),
  }),
});

/** Of other kinds nothing arrives that we could read; that something came we know. */
const KNOWN: ReadonlySet<string> = new Set(['text', 'image', 'voice']);

/**
 * An update, bare or as `{"ok":true,"result":…}`; null for an empty probe. Unknown ones keep all they had. Never throws.
 * @param nowMs for an update without a time
 */
export function readBotUpdate(value: unknown, nowMs: number): BotUpdate | null {
  if (typeof value !== 'object' || value === null) return null;
  const wrapped = (value as { result?: unknown }).result;
  const inner = typeof wrapped === 'object' && wrapped !== null ? wrapped : value;
  const name = (inner as { event_name?: unknown }).event_name;
  if (typeof name !== 'string') return null;
  const read = update.safeParse(inner);
  const kind = /^message\.(\w+)\.received$/.exec(name)?.[1];
  if (!read.success || kind === undefined) {
    const part = read.success
      ? `${read.data.message.chat.id}:${read.data.message.message_id}`
      : JSON.stringify(inner);
    return { kind: 'unknown', name, raw: inner, key: `${name}:${part}` };
  }
  const { message } = read.data;
  return {
    kind: 'message',
    key: `${name}:${message.chat.id}:${message.message_id}`,
    chatId: message.chat.id,
    chatKind: message.chat.chat_type?.toUpperCase() === 'GROUP' ? 'group' : 'private',
    userId: message.from.id,
    name: cleanName(message.from.display_name ?? ''),
    messageId: message.message_id,
    atMs: message.date ?? nowMs,
    text: cleanText(message.text ?? message.caption ?? ''),
    photoUrl: message.photo_url ?? message.photo ?? null,
    voiceUrl: message.voice_url ?? null,
    also: KNOWN.has(kind) ? null : kind === 'sticker' ? kind : 'unsupported',
  };
}

/** The same from the raw body of a webhook. */
export function readBotBody(raw: Uint8Array, nowMs: number): BotUpdate | null {
  try {
    return readBotUpdate(JSON.parse(Buffer.from(raw).toString('utf8')), nowMs);
  } catch {
    return null;
  }
}
