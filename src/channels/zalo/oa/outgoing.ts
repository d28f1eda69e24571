import fs from 'node:fs/promises';
import { WorldError } from '../../../base/errors.js';
import type { Button, OutFile, PhotoReply, Reply } from '../../../chat/message.js';
import { ZaloError } from '../api/errors.js';
import type { OaButton, OaMessage } from '../api/messages.js';
import type { OaClient } from '../api/oa.js';

const MIMES: Record<string, string> = {
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  png: 'image/png',
  gif: 'image/gif',
  pdf: 'application/pdf',
  doc: 'application/msword',
  docx: 'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
  csv: 'text/csv',
};

const endingOf = (fileName: string) => /\.([A-Za-z0-9]+)$/.exec(fileName)?.[1]?.toLowerCase() ?? '';

/**
 * Mentions are written "[@id]": words that people sent must not call anybody. The wide sign takes no more room than the
 * other, so that what was made to fit still fits.
 */
const asWritten = (text: string) => text.normalize('NFC').replace(/\[@/g, '[＠');

const oaButtons = (buttons: Button[][] | undefined): OaButton[] =>
  (buttons ?? []).flat().map((button) => ({
    title: button.label,
    does: 'url' in button ? { url: button.url } : { says: button.says },
  }));

export interface Sending {
  client: OaClient;
  /** the chat is a group */
  group: boolean;
  chatId: string;
  /** picture of the form for name and phone; null: no form */
  formImage: string | null;
}

/** @throws WorldError */
async function send({ client, group, chatId }: Sending, message: OaMessage): Promise<string[]> {
  const sent = group ? await client.sendToGroup(chatId, message) : await client.sendToPerson(chatId, message);
  return sent.message_id === undefined ? [] : [sent.message_id];
}

/** What was uploaded lives for a week, but may be gone at once: then it is uploaded once more. */
async function withUpload(upload: () => Promise<string>, use: (id: string) => Promise<string[]>) {
  try {
    return await use(await upload());
  } catch (error) {
    if (!(error instanceof ZaloError) || error.remedy !== 'upload-again') throw error;
    return use(await upload());
  }
}

async function readFile(file: OutFile) {
  const bytes = await fs.readFile(file.path).catch(() => null);
  if (bytes === null || bytes.length === 0)
    throw new WorldError('invalid', `the file ${file.fileName} to send is missing or empty`);
  const mime = MIMES[endingOf(file.fileName)] ?? 'application/octet-stream';
  return { bytes: new Uint8Array(bytes), fileName: file.fileName, mime };
}

async function sendPhoto(to: Sending, photo: PhotoReply): Promise<string[]> {
  const text = photo.caption === undefined ? {} : { text: asWritten(photo.caption) };
  const file = await readFile(photo.file);
  if (photo.moving)
    return withUpload(
      () => to.client.uploadGif(file),
      (attachmentId) =>
        send(to, {
          ...{ kind: 'gif', attachmentId, ...text },
          ...{ width: photo.width ?? 480, height: photo.height ?? 270 },
        }),
    );
  return withUpload(
    () => to.client.uploadImage(file),
    (attachmentId) => send(to, { kind: 'image', attachmentId, ...text }),
  );
}

async function sendText(to: Sending, text: string, buttons: Button[][] | undefined): Promise<string[]> {
  const shown = oaButtons(buttons);
  const message = { kind: 'text' as const, text: asWritten(text) };
  return send(to, shown.length === 0 ? message : { ...message, buttons: shown });
}

/**
 * Sends a reply that was made to fit: one message, so that it is never sent again in part.
 * @returns its id, where Zalo tells one @throws WorldError
 */
export async function deliver(to: Sending, reply: Reply): Promise<string[]> {
  switch (reply.kind) {
    case 'text':
      if (reply.form !== undefined && to.formImage !== null)
        return send(to, { kind: 'ask-info', ...reply.form, imageUrl: to.formImage });
      return sendText(to, reply.text, reply.buttons);
    case 'photo':
      return sendPhoto(to, reply);
    case 'document': {
      const file = await readFile(reply.file);
      return withUpload(
        () => to.client.uploadFile(file),
        (token) => send(to, { kind: 'file', token }),
      );
    }
    case 'album':
    case 'video':
      throw new WorldError('invalid', `Zalo takes no ${reply.kind}`);
  }
}
