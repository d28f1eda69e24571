import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { readSettings } from '../base/config.js';
import { readEnvFile } from '../base/env-file.js';

const USAGE =
  'Cách dùng: npm run say -- --as canbo [--in nhom-canbo] [--file anh.jpg] [--press "nhãn nút"] "ảnh 1"';

/** Why nothing could be said; `message` is a sentence for the person at the shell. */
export class CannotSay extends Error {
  override name = 'CannotSay';
}

interface State {
  person: { userId: string };
  people: { userId: string; name: string; roleName: string }[] | null;
  chats: { chatId: string; kind: string; title: string }[];
  csrf: string;
  latest: Record<
    string,
    { id: number; from: unknown; buttons: ({ label: string } | { label: string; url: string })[][] }[]
  >;
}

interface Turn {
  done: boolean;
  answers?: { kind: string; text: string; buttons: string[]; files: string[]; chatId: string }[];
}

interface Door {
  url: string;
  key: string;
}

const NOT_RUNNING =
  'Bản dùng thử chưa chạy. Hãy chạy npm start ở một cửa sổ khác, chờ hiện đường dẫn, rồi thử lại.';

function findDoor(given: Record<string, string | undefined>): Door {
  const env = { ...readEnvFile(path.resolve('.env')), ...given };
  const file = path.join(path.resolve(readSettings(env).DATA_DIR), 'demo', 'say.json');
  try {
    return JSON.parse(fs.readFileSync(file, 'utf8')) as Door;
  } catch (error) {
    throw new CannotSay(NOT_RUNNING, { cause: error });
  }
}

async function ask<T>(door: Door, where: string, init: RequestInit = {}): Promise<T> {
  let response: Response;
  try {
    response = await fetch(new URL(where, door.url), {
      ...init,
      headers: { ...init.headers, 'x-demo-key': door.key, origin: new URL(door.url).origin },
    });
  } catch (error) {
    throw new CannotSay(NOT_RUNNING, { cause: error });
  }
  const text = await response.text();
  if (response.ok) return JSON.parse(text) as T;
  let sentence = text;
  try {
    sentence = (JSON.parse(text) as { error?: string }).error ?? text;
  } catch {
    // not one of our answers: shown as it is
  }
  throw new CannotSay(sentence);
}

const fold = (text: string) =>
  text.normalize('NFD').replace(/\p{M}/gu, '').replace(/[đĐ]/g, 'd').toLowerCase().trim();

/** The newest button of that label in a chat: the whole label first, else one that contains the words. */
function findButton(state: State, chatId: string, label: string) {
  const lines = (state.latest[chatId] ?? []).filter((line) => line.from === null).reverse();
  const wanted = fold(label);
  for (const fits of [
    (each: string) => fold(each) === wanted,
    (each: string) => fold(each).includes(wanted),
  ]) {
    for (const line of lines)
      for (const [row, buttons] of line.buttons.entries())
        for (const [column, button] of buttons.entries())
          if (!('url' in button) && fits(button.label)) return { line: line.id, row, column };
  }
  throw new CannotSay(`Không thấy nút "${label}" trong chat này.`);
}

/**
 * Says something to the demo through the same channel as the page, and waits until the answer is complete.
 * @param args as on the command line: --as canbo [--in nhom-canbo] [--file photo.jpg] [--press "label"] "ảnh 1"
 * @param env the process's environment; `.env` in the working folder fills what is missing
 * @param print takes one JSON line for each reply, in its final form
 */
export async function sayOnce(
  args: string[],
  env: Record<string, string | undefined>,
  print: (line: string) => void,
): Promise<void> {
  const { values, positionals } = parseArgs({
    args,
    options: {
      as: { type: 'string' },
      in: { type: 'string' },
      file: { type: 'string', multiple: true },
      press: { type: 'string' },
      place: { type: 'string' },
    },
    allowPositionals: true,
  });
  const text = positionals.join(' ').normalize('NFC');
  const files = values.file ?? [];
  if (values.as === undefined) throw new CannotSay(USAGE);
  if (text.trim() === '' && files.length === 0 && values.press === undefined && values.place === undefined)
    throw new CannotSay(USAGE);
  const place = values.place?.split(',').map(Number);
  if (place !== undefined && (place.length !== 2 || place.some((part) => !Number.isFinite(part))))
    throw new CannotSay('Vị trí viết như: --place 20.1234,105.4567');

  const door = findDoor(env);
  const as = `as=${encodeURIComponent(values.as)}`;
  const everybody = await ask<State>(door, '/console/api/state');
  if (!everybody.people?.some((person) => person.userId === values.as))
    throw new CannotSay(
      `Không có người "${values.as}". Có: ${(everybody.people ?? []).map((person) => `${person.userId} (${person.roleName})`).join(', ')}.`,
    );
  const state = await ask<State>(door, `/console/api/state?${as}`);
  const chat = state.chats.find((each) => each.chatId === (values.in ?? state.person.userId));
  if (chat === undefined)
    throw new CannotSay(
      `${values.as} không ở trong nhóm "${values.in}". Có: ${
        state.chats
          .filter((each) => each.kind === 'group')
          .map((each) => each.chatId)
          .join(', ') || 'không nhóm nào'
      }.`,
    );

  const words: Record<string, unknown> = { chatId: chat.chatId, clientId: randomUUID(), text };
  if (values.press !== undefined) words.press = findButton(state, chat.chatId, values.press);
  if (place !== undefined) words.place = { latitude: place[0], longitude: place[1] };
  const headers = { 'x-csrf': state.csrf };
  let init: RequestInit;
  if (files.length === 0)
    init = {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify(words),
    };
  else {
    const form = new FormData();
    for (const [name, value] of Object.entries(words))
      if (typeof value === 'string') form.append(name, value);
    if (place !== undefined) {
      form.append('latitude', String(place[0]));
      form.append('longitude', String(place[1]));
    }
    for (const file of files) form.append('file', await openFile(file), path.basename(file));
    init = { method: 'POST', headers, body: form };
  }
  const { inboxId } = await ask<{ inboxId: number }>(door, `/console/api/say?${as}`, init);

  let turn: Turn;
  do turn = await ask<Turn>(door, `/console/api/turn/${inboxId}?${as}`);
  while (!turn.done);
  for (const answer of turn.answers ?? []) print(printed(answer, chat.chatId));
}

/** One JSON line for a reply; `files` lists all of an album, `chat` says where when it was answered elsewhere. */
function printed(answer: NonNullable<Turn['answers']>[number], chatId: string): string {
  const [first, ...more] = answer.files;
  return JSON.stringify({
    kind: answer.kind,
    text: answer.text,
    buttons: answer.buttons,
    ...(first === undefined ? {} : { file: first }),
    ...(more.length === 0 ? {} : { files: answer.files }),
    ...(answer.chatId === chatId ? {} : { chat: answer.chatId }),
  });
}

const TYPES: Record<string, string> = {
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.png': 'image/png',
  '.webp': 'image/webp',
  '.mp4': 'video/mp4',
  '.webm': 'video/webm',
  '.mp3': 'audio/mpeg',
  '.ogg': 'audio/ogg',
  '.pdf': 'application/pdf',
};

async function openFile(file: string): Promise<Blob> {
  try {
    return await fs.openAsBlob(file, {
      type: TYPES[path.extname(file).toLowerCase()] ?? 'application/octet-stream',
    });
  } catch (error) {
    throw new CannotSay(`Không đọc được tệp ${file}.`, { cause: error });
  }
}
