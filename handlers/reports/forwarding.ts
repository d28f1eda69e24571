import fs from 'node:fs/promises';
import path from 'node:path';
import type { DocumentReply, PhotoReply, Reply, VideoReply } from '../../src/chat/message.js';
import type { TakenFile } from '../../src/intake/types.js';
import { personById } from '../../src/store/people.js';
import { reportByCode } from '../../src/store/reports.js';
import { officersChats, recipientName } from '../alerts/recipients.js';
import type { House } from '../house.js';
import { urgencyOf } from './urgency.js';

/** Longer words stand before the pictures instead of under them. */
const CAPTION = 900;
const ALBUM = 10;

/** What of a taken file its forwarding needs. */
export type ForwardedFile = Pick<TakenFile, 'path' | 'shown'>;

/**
 * The words on the first picture; pictures together as albums, what could not be decoded as documents.
 * @param spool gives a path for a copy
 */
export async function repliesOf(
  spool: (fileName: string) => Promise<string>,
  code: string,
  words: string,
  files: ForwardedFile[],
): Promise<[Reply, ...Reply[]]> {
  const pictures = files.filter((file) => file.shown !== null);
  const together: ForwardedFile[][] = [];
  for (let from = 0; from < pictures.length; from += ALBUM) together.push(pictures.slice(from, from + ALBUM));
  for (const file of files) if (file.shown === null) together.push([file]);

  const replies: Reply[] = [];
  if (together.length === 0 || words.length > CAPTION) replies.push({ kind: 'text', text: words });
  let count = 0;
  for (const group of together) {
    const caption = replies.length === 0 ? { caption: words } : {};
    const items: (PhotoReply | VideoReply | DocumentReply)[] = [];
    for (const file of group) {
      count += 1;
      items.push(await copied(file, `${code}-${count}`, spool));
    }
    const [only] = items;
    if (items.length === 1 && only !== undefined) replies.push({ ...only, ...caption });
    else replies.push({ kind: 'album', items: items.filter((item) => item.kind !== 'document'), ...caption });
  }
  return replies as [Reply, ...Reply[]];
}

/**
 * Sends files of a report on to the officers, beside any talk.
 * @param part.key put twice, sent once
 */
export async function forwardFiles(
  house: House,
  part: { key: string; code: string; words: string; files: ForwardedFile[] },
): Promise<void> {
  const { spoolFor } = house;
  if (spoolFor === undefined) return;
  const { code, words, files } = part;
  const report = await reportByCode(house.db, code);
  const sender = report === null ? null : await personById(house.db, report.personId);
  const more = !words.includes('\n');
  const urgency = urgencyOf(sender?.role ?? 'guest', {
    ...{ code, more, text: more ? '' : (report?.text ?? ''), files: files.length },
  });
  for (const chat of (await officersChats(house.db)).chats) {
    const key = `${part.key}:0:${recipientName(chat)}`;
    const spool = (fileName: string) => spoolFor.call(house, key, fileName);
    const [first, ...rest] = await repliesOf(spool, code, words, files);
    await house.tell(chat, first, { key, more: rest, ...urgency });
  }
}

async function copied(
  file: ForwardedFile,
  stem: string,
  spool: (fileName: string) => Promise<string>,
): Promise<PhotoReply | VideoReply | DocumentReply> {
  const from = file.shown?.path ?? file.path;
  const suffix =
    path
      .extname(from)
      .replace(/[^A-Za-z0-9.]/g, '')
      .slice(0, 8) || '.bin';
  const fileName = `${stem}${suffix}`;
  const to = await spool(fileName);
  await fs.copyFile(from, to);
  const out = { path: to, sizeBytes: (await fs.stat(to)).size, fileName };
  if (file.shown === null) return { kind: 'document', file: out };
  const { kind, width, height, durationMs } = file.shown;
  return kind === 'photo'
    ? { kind, file: out, width, height }
    : { kind, file: out, width, height, durationMs };
}
