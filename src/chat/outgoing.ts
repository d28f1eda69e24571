import fs from 'node:fs/promises';
import type { GroupPurpose, Role } from '../base/roles.js';
import { fit, takesDocument } from './fit.js';
import type { Channel, ChannelLimits, ChatAddress, OutFile, Reply } from './message.js';
import { fileNotTaken, noVideoHere } from './sentences.js';
import { shrinkPhoto } from './shrink-photo.js';

/** What an outbox row holds. */
export interface OutPayload {
  reply: Reply;
  /** the progress message that turns into it */
  replaces?: string;
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

/** Parts of one message share its key. */
export const partKey = (key: string, part: number) => (part === 0 ? key : `${key}#${part}`);
export const wholeKey = (key: string) => key.replace(/(?:#\d+)+$/, '');

export const readPayload = (payload: string) => JSON.parse(payload) as OutPayload;

export function filesOf(reply: Reply): OutFile[] {
  if (reply.kind === 'text') return [];
  return reply.kind === 'album' ? reply.items.map((item) => item.file) : [reply.file];
}

/** The words of a reply. */
export function wordsOf(reply: Reply): string {
  return (reply.kind === 'text' ? reply.text : reply.caption) ?? '';
}

/** How many messages the platform counts. */
export const costOf = (reply: Reply) => (reply.kind === 'album' ? reply.items.length : 1);

export interface PrepareOptions {
  /** a fresh path in the spool */
  spool: (fileName: string) => Promise<string>;
  /** Makes a signed link to a file (which it must keep: the spool is cleaned); null when links are off. */
  makeLink?: (file: OutFile) => Promise<string | null>;
  makePreview?: MakePreview;
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
  { spool, makeLink, makePreview }: PrepareOptions,
): Promise<Reply[]> {
  const shrunk = await shrinkAll(reply, limits, spool);
  const links = new Map<string, string | null>();
  if (makeLink !== undefined)
    for (const { kind, file } of itemsOf(shrunk))
      if (kind !== 'photo' && !goesAsFile(kind, file, limits)) links.set(file.path, await makeLink(file));
  const shown =
    limits.videoPreview === undefined || makePreview === undefined
      ? [shrunk]
      : await previewAll(shrunk, { wanted: limits.videoPreview, spool, makePreview, links });
  // biome-ignore lint/suspicious/noFocusedTests: our own fit, no test
  return shown.flatMap((one) => fit(one, limits, { linkFor: (file) => links.get(file.path) ?? null }));
}

/** What of a reply has a file of its own. */
const itemsOf = (reply: Reply) =>
  reply.kind === 'text' ? [] : reply.kind === 'album' ? reply.items : [reply];

const goesAsFile = (kind: 'video' | 'document', file: OutFile, limits: ChannelLimits) =>
  file.sizeBytes <= limits.fileBytes &&
  (kind === 'video' ? limits.video : takesDocument(file.fileName, limits));

interface PreviewOptions extends Required<Pick<PrepareOptions, 'spool' | 'makePreview'>> {
  wanted: NonNullable<ChannelLimits['videoPreview']>;
  links: ReadonlyMap<string, string | null>;
}

/** Puts a moving picture, its words and the link in place of each video. */
async function previewAll(reply: Reply, options: PreviewOptions): Promise<Reply[]> {
  if (reply.kind === 'album') {
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
  makeLink?: (file: OutFile) => Promise<string | null>,
): Promise<Reply[] | null> {
  if (reply.kind === 'text') return null;
  if (reply.kind === 'album') {
    const caption: Reply[] = reply.caption === undefined ? [] : [{ kind: 'text', text: reply.caption }];
    return [...caption, ...reply.items];
  }
  const { file, caption, buttons } = reply;
  const rest = buttons ? { buttons } : {};
  if (reply.kind !== 'document' && file.sizeBytes <= limits.fileBytes)
    return [{ kind: 'document', file, ...(caption === undefined ? {} : { caption }), ...rest }];
  const link = (await makeLink?.(file)) ?? null;
  const text = [caption ?? '', link ?? fileNotTaken(file.sizeBytes)]
    .filter((part) => part !== '')
    .join('\n\n');
  // biome-ignore lint/suspicious/noFocusedTests: our own fit, no test
  return fit({ kind: 'text', text, ...rest }, limits);
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
