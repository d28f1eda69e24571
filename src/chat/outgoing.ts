import fs from 'node:fs/promises';
import type { GroupPurpose, Role } from '../base/roles.js';
import { fit, takesDocument } from './fit.js';
import type { Channel, ChannelLimits, ChatAddress, OutFile, Reply, TextReply } from './message.js';
import { fileNotTaken, linkPin, noVideoHere } from './sentences.js';
import { shrinkPhoto } from './shrink-photo.js';

/** What an outbox row holds. */
export interface OutPayload {
  reply: Reply;
  /** the progress message that turns into it */
  replaces?: string;
  topic?: string;
  /** how a digest calls it; left out: by its words */
  brief?: string;
  /** it goes only as long as this holds */
  only?: Only;
  /** chats of the person in which it was tried in vain, as `placeName` writes them */
  tried?: string[];
  /** how often it was given another form; names its further parts */
  forms?: number;
}

export const placeName = ({ channel, chatId }: ChatAddress) => `${channel} ${chatId}`;

/** What was true when something was asked for, and must still be when it goes. */
export interface Only {
  /** the group it goes to has this purpose */
  purpose?: GroupPurpose;
  /** who asked for these files has this role */
  asker?: { personId: number; role: Role };
}

export interface LinkedFile extends OutFile {
  caption?: string;
}

/** For whom a link is: kept with it, and asked again when it is opened. */
export interface LinkAbout {
  to: ChatAddress;
  /** the message it answers */
  inboxId: number | null;
  only: Only;
}

/** An address under which files can be fetched. */
export interface MadeLink {
  url: string;
  /** what must be said with it: where it opens */
  note?: string;
  /** opens it together with the address; goes in a message of its own, so that who gets one on has not the other */
  pin?: string;
}

/** Makes a link to files, of which it keeps copies (the spool is cleaned); null where there is no way to them. */
export type MakeLink = (files: LinkedFile[], about: LinkAbout) => Promise<MadeLink | null>;
type LinkTo = (files: LinkedFile[]) => Promise<MadeLink | null>;

/** What is said of a link, in its message and in the one that follows. */
export const linkWords = ({ url, note, pin }: MadeLink): { with: string; after: TextReply[] } => ({
  with: note === undefined ? url : `${url}\n${note}`,
  after: pin === undefined ? [] : [{ kind: 'text', text: linkPin(pin) }],
});

/** Parts of one message share its key. */
export const partKey = (key: string, part: number) => (part === 0 ? key : `${key}#${part}`);
export const wholeKey = (key: string) => (key.includes('#') ? key.replace(/(?:#\d+)+$/, '') : key);
/** Is it a part that follows the first of its message? */
export const isLaterPart = ({ key }: { key: string }) => wholeKey(key) !== key;

/** A sent message as we keep it: the addresses in it open nothing any more. */
export const withoutTokens = (payload: string) =>
  payload.replace(/(\/(?:m|login)\/)[\w-]{43}(?![\w-])/g, '$1…');

export const readPayload = (payload: string) => JSON.parse(payload) as OutPayload;

export function filesOf(reply: Reply): OutFile[] {
  if (reply.kind === 'text') return [];
  return reply.kind === 'album' ? reply.items.map((item) => item.file) : [reply.file];
}

/** The words of a reply. */
export function wordsOf(reply: Reply): string {
  return (reply.kind === 'text' ? reply.text : reply.caption) ?? '';
}

/** What is said of one file of a reply. */
function captionOf(reply: Reply, file: OutFile): string {
  const own = reply.kind === 'album' ? reply.items.find((item) => item.file === file)?.caption : undefined;
  return own ?? wordsOf(reply);
}

/** How many messages the platform counts. */
export const costOf = (reply: Reply) => (reply.kind === 'album' ? reply.items.length : 1);

export interface PrepareOptions {
  /** a fresh path in the spool */
  spool: (fileName: string) => Promise<string>;
  makeLink?: LinkTo;
  makePreview?: MakePreview;
  /** it goes to a group */
  inGroup?: boolean;
}

/** Makes a moving picture of a video, a GIF of at most `maxBytes` at `path`; null when it can't. */
export type MakePreview = (
  video: OutFile,
  path: string,
  maxBytes: number,
) => Promise<{ sizeBytes: number; width: number; height: number } | null>;

/**
 * A reply as the channel takes it: photos shrunk, links made where a file can't go, a moving picture in place of a video
 * that can't be played, everything fitted.
 */
export async function prepare(
  reply: Reply,
  { limits }: Pick<Channel, 'limits'>,
  { spool, makeLink, makePreview, inGroup = false }: PrepareOptions,
): Promise<Reply[]> {
  const shrunk = await shrinkAll(reply, limits, spool);
  const links = new Map<string, string>();
  const after: TextReply[] = [];
  if (makeLink !== undefined)
    for (const { kind, file } of itemsOf(shrunk)) {
      if (kind === 'photo' || goesAsFile(kind, file, limits)) continue;
      const caption = captionOf(shrunk, file);
      const made = await makeLink([{ ...file, ...(caption === '' ? {} : { caption }) }]);
      if (made === null) continue;
      const said = linkWords(made);
      links.set(file.path, said.with);
      after.push(...said.after);
    }
  const shown =
    limits.videoPreview === undefined || makePreview === undefined
      ? [shrunk]
      : await previewAll(shrunk, { wanted: limits.videoPreview, spool, makePreview, links });
  const linkFor = (file: OutFile) => links.get(file.path) ?? null;
  // biome-ignore lint/suspicious/noFocusedTests: our own fit, no test
  const fitted = shown.flatMap((one) => fit(one, limits, { linkFor, inGroup }));
  return [...fitted, ...after];
}

/** What of a reply has a file of its own. */
const itemsOf = (reply: Reply) =>
  reply.kind === 'text' ? [] : reply.kind === 'album' ? reply.items : [reply];

const goesAsFile = (kind: 'video' | 'document', file: OutFile, limits: ChannelLimits) =>
  file.sizeBytes <= limits.fileBytes &&
  (kind === 'video' ? limits.video : takesDocument(file.fileName, limits));

interface PreviewOptions extends Required<Pick<PrepareOptions, 'spool' | 'makePreview'>> {
  wanted: NonNullable<ChannelLimits['videoPreview']>;
  links: ReadonlyMap<string, string>;
}

/** Puts a moving picture, its words and the link in place of each video. */
async function previewAll(reply: Reply, options: PreviewOptions): Promise<Reply[]> {
  if (reply.kind === 'album' && reply.items.some(({ kind }) => kind === 'video')) {
    const words: Reply[] = reply.caption === undefined ? [] : [{ kind: 'text', text: reply.caption }];
    const items: Reply[] = [];
    for (const item of reply.items) items.push(...(await previewAll(item, options)));
    return [...words, ...items];
  }
  if (reply.kind !== 'video') return [reply];
  const { file, caption, buttons } = reply;
  const path = await options.spool('preview.gif');
  const made = await options.makePreview(file, path, options.wanted.bytes);
  if (made === null) return [reply];
  const { sizeBytes, width, height } = made;
  const words = [caption ?? '', options.links.get(file.path) ?? noVideoHere].filter((part) => part !== '');
  const fileName = `${file.fileName.replace(/\.[A-Za-z0-9]+$/, '')}.gif`;
  return [
    {
      ...{ kind: 'photo', moving: true, width, height, file: { path, sizeBytes, fileName } },
      ...{ caption: words.join('\n\n'), ...(buttons ? { buttons } : {}) },
    },
  ];
}

async function shrinkAll(
  reply: Reply,
  limits: ChannelLimits,
  spool: (fileName: string) => Promise<string>,
): Promise<Reply> {
  const target = () => spool('small.jpg');
  if (reply.kind === 'photo') return shrinkPhoto(reply, limits, target);
  if (reply.kind !== 'album') return reply;
  const items = [];
  for (const item of reply.items)
    items.push(item.kind === 'photo' ? await shrinkPhoto(item, limits, target) : item);
  return { ...reply, items };
}

/**
 * The next smaller form of a reply that the platform found too big, however small we thought it was: an album is
 * parted, a photo or video goes as a document, a document as a link or a sentence. Null when there is none.
 */
export async function degrade(
  reply: Reply,
  limits: ChannelLimits,
  makeLink?: LinkTo,
): Promise<Reply[] | null> {
  if (reply.kind === 'text') return null;
  if (reply.kind === 'album') {
    const caption: Reply[] = reply.caption === undefined ? [] : [{ kind: 'text', text: reply.caption }];
    return [...caption, ...reply.items];
  }
  const { file, caption, buttons } = reply;
  const rest = buttons ? { buttons } : {};
  if (reply.kind !== 'document' && goesAsFile('document', file, limits))
    // biome-ignore lint/suspicious/noFocusedTests: our own fit, no test
    return fit({ kind: 'document', file, ...(caption === undefined ? {} : { caption }), ...rest }, limits);
  const made = (await makeLink?.([{ ...file, ...(caption === undefined ? {} : { caption }) }])) ?? null;
  const said = made === null ? { with: fileNotTaken(file.sizeBytes), after: [] } : linkWords(made);
  const text = [caption ?? '', said.with].filter((part) => part !== '').join('\n\n');
  // biome-ignore lint/suspicious/noFocusedTests: our own fit, no test
  return [...fit({ kind: 'text', text, ...rest }, limits), ...said.after];
}

/** Are all files of the reply still there? */
export async function filesPresent(reply: Reply): Promise<boolean> {
  for (const file of filesOf(reply))
    try {
      await fs.access(file.path);
    } catch {
      return false;
    }
  return true;
}
