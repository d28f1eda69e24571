import type { Attachment, Button, Message, OutFile, Place, Reply } from '../../chat/message.js';
import type { ConsoleLine } from '../../store/console.js';

/** What a line of a person keeps: the message as it was accepted. */
export interface PersonPayload {
  by: 'person';
  message: Message;
  replyTo: number | null;
}

/** What a line of the bot keeps; `path` of its files is a name in the console's folder. */
export interface BotPayload {
  by: 'bot';
  /** counts the changes of this line: a page keeps the highest */
  rev: number;
  reply: Reply;
}

export type Payload = PersonPayload | BotPayload;

/** A file of a line, by its place: `/console/files/<line>/<index>`. */
export interface KeptFile {
  stored: string;
  fileName: string;
  sizeBytes: number;
  kind: 'photo' | 'video' | 'audio' | 'document';
  width?: number;
  height?: number;
  durationMs?: number;
}

/** A line as the page shows it. */
export interface LineView {
  id: number;
  rev: number;
  chatId: string;
  sentMs: number;
  /** null = the bot */
  from: { userId: string; name: string } | null;
  kind: Reply['kind'];
  text: string;
  buttons: ({ label: string } | { label: string; url: string })[][];
  files: (Omit<KeptFile, 'stored'> & { url: string })[];
  place: Place | null;
  replyTo: number | null;
  pressed: boolean;
  /** what the page called it when it sent it */
  clientId: string | null;
}

/** One reply as `npm run say` prints it. */
export interface Answer {
  kind: Reply['kind'];
  text: string;
  buttons: string[];
  /** names in the console's folder */
  files: string[];
  chatId: string;
}

const ofReply = (item: { kind: Reply['kind']; file: OutFile }): KeptFile => ({
  stored: item.file.path,
  fileName: item.file.fileName,
  sizeBytes: item.file.sizeBytes,
  kind: item.kind === 'photo' || item.kind === 'video' ? item.kind : 'document',
  ...('width' in item && typeof item.width === 'number' ? { width: item.width } : {}),
  ...('height' in item && typeof item.height === 'number' ? { height: item.height } : {}),
  ...('durationMs' in item && typeof item.durationMs === 'number' ? { durationMs: item.durationMs } : {}),
});

const ofAttachment = (attachment: Attachment): KeptFile => ({
  stored: attachment.ref,
  fileName: attachment.fileName ?? 'tep',
  sizeBytes: attachment.sizeBytes ?? 0,
  kind: attachment.kind,
});

/** The files of a line, in order. */
export function filesOf(payload: Payload): KeptFile[] {
  if (payload.by === 'person') return payload.message.attachments.map(ofAttachment);
  const { reply } = payload;
  if (reply.kind === 'text') return [];
  return reply.kind === 'album' ? reply.items.map(ofReply) : [ofReply(reply)];
}

const textOf = (reply: Reply): string => (reply.kind === 'text' ? reply.text : (reply.caption ?? ''));

/** The rows of buttons under a line of the bot. */
export function buttonsOf(payload: Payload): Button[][] {
  return payload.by === 'bot' && payload.reply.kind !== 'album' ? (payload.reply.buttons ?? []) : [];
}

export function viewOf(line: ConsoleLine): LineView {
  const payload = line.payload as Payload;
  const person = payload.by === 'person';
  return {
    id: line.id,
    rev: person ? 0 : payload.rev,
    chatId: line.chatId,
    sentMs: line.sentMs,
    from: person ? { userId: payload.message.sender.userId, name: payload.message.sender.name } : null,
    kind: person ? 'text' : payload.reply.kind,
    text: person
      ? payload.message.startPayload === undefined
        ? payload.message.text
        : '/start'
      : textOf(payload.reply),
    buttons: buttonsOf(payload).map((row) =>
      row.map((button) => ('url' in button ? button : { label: button.label })),
    ),
    files: filesOf(payload).map(({ stored: _, ...file }, index) => ({
      ...file,
      url: `/console/files/${line.id}/${index}`,
    })),
    place: person ? (payload.message.place ?? null) : null,
    replyTo: person ? payload.replyTo : null,
    pressed: person && payload.message.pressed === true,
    clientId: person ? payload.message.externalId.slice(payload.message.externalId.indexOf(':') + 1) : null,
  };
}

export function answerOf(line: ConsoleLine): Answer | null {
  const payload = line.payload as Payload;
  if (payload.by === 'person') return null;
  return {
    kind: payload.reply.kind,
    text: textOf(payload.reply),
    buttons: buttonsOf(payload).flatMap((row) => row.map((button) => button.label)),
    files: filesOf(payload).map((file) => file.stored),
    chatId: line.chatId,
  };
}
