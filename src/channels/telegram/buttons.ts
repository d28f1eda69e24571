import type { InlineKeyboardButton, InlineKeyboardMarkup } from 'grammy/types';
import type { Button } from '../../chat/message.js';

/** Keeps what a button says when that is longer than Telegram's 64 bytes; the same words have the same key. */
export interface ButtonStore {
  /** @returns a key of at most 40 bytes */
  put(says: string): Promise<string>;
  /** null when the key is unknown */
  get(key: string): Promise<string | null>;
}

const DATA_BYTES = 64;
const STORED = '#b:';

/** The callback data of a button: its words, or the key under which they are stored. */
export async function toData(says: string, store: ButtonStore): Promise<string> {
  const words = says.normalize('NFC');
  if (Buffer.byteLength(words) <= DATA_BYTES && !words.startsWith(STORED)) return words;
  return `${STORED}${await store.put(words)}`;
}

/** What a pressed button says; null when it was stored and is no longer known. */
export async function fromData(data: string, store: ButtonStore): Promise<string | null> {
  if (!data.startsWith(STORED)) return data.normalize('NFC');
  return await store.get(data.slice(STORED.length));
}

/** Telegram refuses a whole message for a link to a bare host name such as "localhost". */
export const linkIsTaken = (url: string) =>
  /^tg:\/\//i.test(url) || /^https?:\/\/[^\s/:]+\.[^\s/:]+/i.test(url);

/** The inline keyboard of a reply; undefined when there is nothing to press. */
export async function toKeyboard(
  rows: Button[][] | undefined,
  store: ButtonStore,
): Promise<InlineKeyboardMarkup | undefined> {
  const keyboard: InlineKeyboardButton[][] = [];
  for (const row of rows ?? []) {
    const line: InlineKeyboardButton[] = [];
    for (const button of row) {
      const text = button.label.normalize('NFC');
      if ('says' in button) line.push({ text, callback_data: await toData(button.says, store) });
      else if (linkIsTaken(button.url)) line.push({ text, url: button.url });
    }
    if (line.length > 0) keyboard.push(line);
  }
  return keyboard.length === 0 ? undefined : { inline_keyboard: keyboard };
}

/** Links that can't be buttons, as lines of text. */
export const linkLines = (rows: Button[][] | undefined): string[] =>
  (rows ?? [])
    .flat()
    .filter((button) => 'url' in button && !linkIsTaken(button.url))
    .map((button) => ('url' in button ? `${button.label}: ${button.url}` : ''));
