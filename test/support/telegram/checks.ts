import fs from 'node:fs';
import sharp from 'sharp';
import { badRequest, type TgButton, type TgKeyboard } from './types.js';

export const TEXT_LENGTH = 4096;
export const CAPTION_LENGTH = 1024;
export const PHOTO_BYTES = 10 * 1024 * 1024;
export const UPLOAD_BYTES = 50 * 1024 * 1024;
export const DOWNLOAD_BYTES = 20 * 1024 * 1024;

const HTML_TAGS = /^(?:b|strong|i|em|u|ins|s|strike|del|code|pre|a|blockquote|tg-spoiler)$/;

/** What is left of a text after its entities are parsed; only plain text and HTML are known here. */
export function parseText(text: string, mode: unknown): string {
  if (mode === undefined || mode === '') return text;
  if (String(mode).toLowerCase() !== 'html') throw badRequest('unsupported parse_mode');
  const open: string[] = [];
  const bare = text.replace(
    /<(\/?)([a-z0-9-]*)[^>]*>|</gi,
    (whole, slash: string | undefined, name: string | undefined) => {
      if (name === undefined || !HTML_TAGS.test(name.toLowerCase()))
        throw badRequest(`can't parse entities: Unsupported start tag "${name ?? whole}" at byte offset 0`);
      if (slash !== '/') open.push(name.toLowerCase());
      else if (open.pop() !== name.toLowerCase())
        throw badRequest("can't parse entities: Unexpected end tag at byte offset 0");
      return '';
    },
  );
  if (open.length > 0)
    throw badRequest(`can't parse entities: Can't find end tag corresponding to start tag ${open.at(-1)}`);
  return bare
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&amp;', '&');
}

/** Text of a message: trimmed as Telegram trims it, 1–4096 UTF-16 code units. */
export function checkText(value: unknown, mode: unknown, tooLong: string): string {
  const text = parseText(String(value ?? ''), mode).trim();
  if (text === '') throw badRequest('message text is empty');
  if (text.length > TEXT_LENGTH) throw badRequest(tooLong);
  return text;
}

/** Caption: 0–1024 UTF-16 code units; undefined when there is none. */
export function checkCaption(value: unknown, mode: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  const text = parseText(String(value), mode).trim();
  if (text.length > CAPTION_LENGTH) throw badRequest('message caption is too long');
  return text === '' ? undefined : text;
}

function checkButton(button: TgButton): TgButton {
  if (typeof button.text !== 'string' || button.text.trim() === '')
    throw badRequest('can\'t parse inline keyboard button: Field "text" must be a non-empty String');
  if (button.url !== undefined) {
    const usable = /^(?:https?:\/\/)?[^\s/.]+(?:\.[^\s/.]+)+(?:[/?#:].*)?$|^tg:\/\//i.test(button.url);
    if (!usable) throw badRequest(`inline keyboard button URL '${button.url}' is invalid: Wrong HTTP URL`);
    return { text: button.text, url: button.url };
  }
  if (button.callback_data === undefined)
    throw badRequest('Text buttons are unallowed in the inline keyboard');
  const bytes = Buffer.byteLength(button.callback_data);
  if (bytes < 1 || bytes > 64) throw badRequest('BUTTON_DATA_INVALID');
  return { text: button.text, callback_data: button.callback_data };
}

/** An inline keyboard, checked; undefined when there is none or it is empty. */
export function checkKeyboard(value: unknown): TgKeyboard | undefined {
  if (value === undefined || value === null) return undefined;
  const rows = (value as TgKeyboard).inline_keyboard;
  if (!Array.isArray(rows)) throw badRequest('object expected as reply markup');
  const checked = rows.map((row) => row.map(checkButton)).filter((row) => row.length > 0);
  if (checked.flat().length > 100) throw badRequest('REPLY_MARKUP_TOO_LONG');
  return checked.length === 0 ? undefined : { inline_keyboard: checked };
}

/** Reads a photo's sides and holds them against the limits: ≤ 10 MB, w+h ≤ 10000, ratio ≤ 20. */
export async function checkPhoto(file: string): Promise<{ width: number; height: number }> {
  const size = fs.statSync(file).size;
  if (size > PHOTO_BYTES)
    throw badRequest(
      `file of size ${size} bytes is too big for a photo; the maximum size is ${PHOTO_BYTES} bytes`,
    );
  const { width, height } = await sharp(file)
    .metadata()
    .catch(() => {
      throw badRequest('IMAGE_PROCESS_FAILED');
    });
  if (width + height > 10_000 || Math.max(width, height) / Math.min(width, height) > 20)
    throw badRequest('PHOTO_INVALID_DIMENSIONS');
  return { width, height };
}

interface Box {
  type: string;
  start: number;
  end: number;
}

/** The boxes of an MP4 between two offsets. */
function boxesOf(bytes: Buffer, start: number, end: number): Box[] {
  const found: Box[] = [];
  for (let at = start; at + 8 <= end; ) {
    const small = bytes.readUInt32BE(at);
    const size =
      small === 1 && at + 16 <= end ? Number(bytes.readBigUInt64BE(at + 8)) : small === 0 ? end - at : small;
    if (size < 8 || at + size > end) break;
    found.push({
      type: bytes.toString('latin1', at + 4, at + 8),
      start: at + (small === 1 ? 16 : 8),
      end: at + size,
    });
    at += size;
  }
  return found;
}

/** What an MP4 holds: null when it is none. */
export function readMp4(file: string): { video: boolean; sound: boolean } | null {
  const bytes = fs.readFileSync(file);
  const top = boxesOf(bytes, 0, bytes.length);
  if (top[0]?.type !== 'ftyp') return null;
  const handlers = top
    .filter((box) => box.type === 'moov')
    .flatMap((moov) => boxesOf(bytes, moov.start, moov.end))
    .filter((box) => box.type === 'trak')
    .flatMap((trak) => boxesOf(bytes, trak.start, trak.end))
    .filter((box) => box.type === 'mdia')
    .flatMap((mdia) => boxesOf(bytes, mdia.start, mdia.end))
    .filter((box) => box.type === 'hdlr')
    .map((hdlr) => bytes.toString('latin1', hdlr.start + 8, hdlr.start + 12));
  return { video: handlers.includes('vide'), sound: handlers.includes('soun') };
}
