import type {
  AlbumReply,
  Button,
  ChannelLimits,
  DocumentReply,
  OutFile,
  PhotoReply,
  Reply,
  TextReply,
  VideoReply,
} from './message.js';
import { fileTooBig, kindNotTaken, noPhotoHere, noVideoHere } from './sentences.js';

export interface FitOptions {
  /** an address under which a file that can't be sent can be fetched; null when there is none */
  linkFor?: (file: OutFile) => string | null;
  /** it goes to a group */
  inGroup?: boolean;
}

const graphemes = new Intl.Segmenter('vi', { granularity: 'grapheme' });

/**
 * Cuts a text into parts of at most `max` UTF-16 units, at the end of a paragraph, a line or a word if one is not too
 * far back, and never inside a character as people see it (unless that alone is longer). Joined they are the text.
 */
export function splitText(text: string, max: number): string[] {
  const parts: string[] = [];
  let rest = text;
  while (rest.length > max) {
    const cut = chooseCut(rest, max);
    parts.push(rest.slice(0, cut));
    rest = rest.slice(cut);
  }
  if (rest !== '' || parts.length === 0) parts.push(rest);
  return parts;
}

function chooseCut(rest: string, max: number): number {
  // enough of the text to see the character that reaches over the limit
  const segments = graphemes.segment(rest.slice(0, max + 256));
  const isBoundary = (at: number) => segments.containing(at)?.index === at;
  const window = rest.slice(0, max);
  const endings: [RegExp, number][] = [
    [/\n[^\S\n]*\n\s*/g, max / 3],
    [/\n\s*/g, max / 3],
    [/\s+/g, 1],
  ];
  for (const [pattern, least] of endings) {
    let best = 0;
    for (const found of window.matchAll(pattern)) {
      const end = found.index + found[0].length;
      if (end >= least && isBoundary(end)) best = end;
    }
    if (best > 0) return best;
  }
  const start = segments.containing(max)?.index ?? max;
  if (start > 0) return start;
  // one "character" longer than the limit: at least no half of a surrogate pair
  return max > 1 && /[\ud800-\udbff]/.test(rest[max - 1]!) ? max - 1 : max;
}

/** The choices of a reply in the order in which a numbered menu counts them. */
export function choicesOf(reply: Reply): { label: string; says: string }[] {
  if (reply.kind === 'album') return [];
  return (reply.buttons ?? []).flat().filter((button) => 'says' in button);
}

/** The number by which each choice is called: the one its label begins with ("3 Cầu Cẩm Lương"), where labels have such. */
export function numbersOf(labels: string[]): (number | null)[] {
  const own = labels.map((label) => {
    const number = /^(\d{1,3})[.)]?\s/.exec(label)?.[1];
    return number === undefined ? null : Number(number);
  });
  // counted by their place only where no label has a number of its own: "2" must never mean two things
  return own.some((number) => number !== null) ? own : labels.map((_, at) => at + 1);
}

function printMenu(rows: Button[][]): string {
  const buttons = rows.flat();
  const labels = buttons.flatMap((button) => ('says' in button ? [button.label] : []));
  const numbers = numbersOf(labels);
  const own = labels.some((label) => /^\d/.test(label));
  let at = 0;
  const lines = buttons.map((button) => {
    if ('url' in button) return `${button.label}: ${button.url}`;
    const number = numbers[at++];
    return own ? button.label : `${number}. ${button.label}`;
  });
  if (own) lines.push('Trả lời số hoặc tên ở trên để chọn.');
  else if (labels.length > 0)
    lines.push(labels.length === 1 ? 'Trả lời 1 để chọn.' : `Trả lời số từ 1 đến ${labels.length} để chọn.`);
  return lines.join('\n');
}

/** Are the buttons of this reply shown as such there? Else they are printed as a numbered menu. */
export function asButtons(reply: Reply, limits: ChannelLimits, inGroup: boolean): boolean {
  const buttons = reply.kind === 'album' ? [] : (reply.buttons ?? []).flat();
  if (!limits.buttons || buttons.length === 0) return false;
  const bounds = limits.buttonBounds;
  if (bounds === undefined) return true;
  if (bounds.privateTextOnly && (inGroup || reply.kind !== 'text')) return false;
  return buttons.length <= bounds.most && buttons.every(({ label }) => label.length <= bounds.labelLength);
}

/** May a reply to a group have a numbered menu there? */
export const menusInGroups = ({ buttons, buttonBounds }: ChannelLimits): boolean =>
  !buttons || buttonBounds !== undefined;

const menuOf = (reply: Exclude<Reply, AlbumReply>, limits: ChannelLimits, { inGroup }: FitOptions) =>
  !reply.buttons?.length || asButtons(reply, limits, inGroup ?? false) ? undefined : printMenu(reply.buttons);

const joinLines = (...texts: (string | undefined)[]) => texts.filter((text) => text?.trim()).join('\n\n');

/**
 * What a channel can take of a reply, as one or several replies in order: long texts and captions are split, albums
 * parted, buttons printed as a numbered menu, files that are too big or of a kind that it can't show become a document,
 * a link or a sentence. Pure; photos are shrunk before (shrinkPhoto).
 */
export function fit(reply: Reply, limits: ChannelLimits, options: FitOptions = {}): Reply[] {
  switch (reply.kind) {
    case 'text':
      return fitText(reply, limits, options);
    case 'album':
      return fitAlbum(reply, limits, options);
    default:
      return fitFile(reply, limits, options);
  }
}

function fitText(reply: TextReply, limits: ChannelLimits, options: FitOptions): TextReply[] {
  const menu = menuOf(reply, limits, options);
  const parts = splitText(joinLines(reply.text, menu).normalize('NFC'), limits.textLength).filter(
    (part) => part.trim() !== '',
  );
  const form = limits.form && reply.form !== undefined ? { form: reply.form } : {};
  return parts.map((text, at) => ({
    kind: 'text',
    text,
    ...(at === parts.length - 1 ? form : {}),
    ...(at === parts.length - 1 && menu === undefined && reply.buttons?.length
      ? { buttons: reply.buttons }
      : {}),
  }));
}

type FileReply = PhotoReply | VideoReply | DocumentReply;

const withinPhoto = (photo: PhotoReply, limits: ChannelLimits) =>
  photo.moving === true ||
  (photo.file.sizeBytes <= limits.photoBytes &&
    (photo.width ?? 0) + (photo.height ?? 0) <= limits.photoSides &&
    Math.max(photo.width ?? 1, photo.height ?? 1) <= 20 * Math.min(photo.width ?? 1, photo.height ?? 1));

/** Is this kind of document taken at all? */
export const takesDocument = (fileName: string, { documentTypes }: ChannelLimits) =>
  documentTypes === undefined || documentTypes.some((type) => fileName.toLowerCase().endsWith(`.${type}`));

/** Can it be shown as what it is? */
function showable(reply: FileReply, limits: ChannelLimits): boolean {
  if (reply.kind === 'photo') return withinPhoto(reply, limits);
  if (reply.kind === 'video') return limits.video && reply.file.sizeBytes <= limits.fileBytes;
  return reply.file.sizeBytes <= limits.fileBytes && takesDocument(reply.file.fileName, limits);
}

function fitFile(reply: FileReply, limits: ChannelLimits, options: FitOptions): Reply[] {
  if (showable(reply, limits)) return [...fitCaption(reply, limits, options)];
  const { file, caption, buttons } = reply;
  const rest = { ...(caption === undefined ? {} : { caption }), ...(buttons ? { buttons } : {}) };
  const link = reply.kind === 'photo' ? null : (options.linkFor?.(file) ?? null);
  const asDocument = file.sizeBytes <= limits.fileBytes && takesDocument(file.fileName, limits);
  if (link === null && asDocument && reply.kind !== 'document')
    return [...fitCaption({ kind: 'document', file, ...rest }, limits, options)];
  return fitText(
    {
      kind: 'text',
      text: joinLines(caption, link ?? notTaken(reply, limits)),
      ...(buttons ? { buttons } : {}),
    },
    limits,
    options,
  );
}

const notTaken = ({ kind, file }: FileReply, limits: ChannelLimits) =>
  kind === 'video' && !limits.video
    ? noVideoHere
    : kind === 'photo' && limits.photoBytes === 0
      ? noPhotoHere
      : takesDocument(file.fileName, limits)
        ? fileTooBig(file.sizeBytes, limits.fileBytes)
        : kindNotTaken;

function fitCaption<R extends FileReply>(
  reply: R,
  limits: ChannelLimits,
  options: FitOptions,
): [R, ...TextReply[]] {
  const menu = menuOf(reply, limits, options);
  const wordless = reply.kind === 'document' && limits.documentsWordless === true;
  const words = joinLines(reply.caption, menu).normalize('NFC');
  // buttons hang on words
  const whole = words === '' && wordless && reply.buttons?.length ? reply.file.fileName : words;
  const { buttons, caption: _, ...bare } = reply;
  const shownButtons = menu === undefined && buttons?.length ? { buttons } : {};
  const [caption, rest] = cutCaption(whole, wordless ? 0 : limits.captionLength);
  const withCaption = { ...bare, ...(caption === '' ? {} : { caption }) } as R;
  if (rest === '') return [{ ...withCaption, ...shownButtons }];
  const following = fitText({ kind: 'text', text: rest, ...shownButtons }, limits, options);
  return following.length === 0 ? [{ ...withCaption, ...shownButtons }] : [withCaption, ...following];
}

/** The part that fits under a picture, and what has to follow as text. */
function cutCaption(caption: string, max: number): [string, string] {
  if (max <= 0) return ['', caption];
  const [first] = splitText(caption, max);
  return [first!.trimEnd(), caption.slice(first!.length)];
}

function fitAlbum(album: AlbumReply, limits: ChannelLimits, options: FitOptions): Reply[] {
  const fitting = limits.albumItems > 1 ? album.items.filter((item) => showable(item, limits)) : [];
  const apart = album.items.filter((item) => !fitting.includes(item));
  const [caption, rest] = cutCaption((album.caption ?? '').normalize('NFC'), limits.captionLength);
  const after: Reply[] = rest.trim() === '' ? [] : fitText({ kind: 'text', text: rest }, limits, options);
  const shown: (PhotoReply | VideoReply)[] = fitting.map((item) => {
    const { buttons: _, ...bare } = item;
    const [kept, ...texts] = fitCaption(bare, limits, options);
    after.push(...texts);
    return kept;
  });
  const replies: Reply[] = [];
  const chunks = Math.ceil(shown.length / Math.max(1, limits.albumItems));
  for (let chunk = 0, at = 0; chunk < chunks; chunk += 1) {
    const size = Math.ceil((shown.length - at) / (chunks - chunk));
    const items = shown.slice(at, at + size);
    at += size;
    replies.push(items.length === 1 ? items[0]! : { kind: 'album', items });
  }
  for (const item of apart) {
    const { buttons: _, ...bare } = item;
    replies.push(...fitFile(bare, limits, options));
  }
  if (caption !== '') {
    const first = replies[0];
    if (first?.kind === 'album') first.caption = caption;
    else if (first !== undefined && first.kind !== 'text' && first.caption === undefined)
      replies[0] = { ...first, caption };
    else replies.unshift(...fitText({ kind: 'text', text: caption }, limits, options));
  }
  return [...replies, ...after];
}
