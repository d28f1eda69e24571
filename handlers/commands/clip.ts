import type { ClipJob } from '../../media/types.js';
import { WorldError } from '../../src/base/errors.js';
import { sayDuration, sayRange } from '../../src/base/vietnamese/say.js';
import { command, type Talk } from '../../src/chat/command.js';
import { takesDocument } from '../../src/chat/fit.js';
import { type LinkAbout, type LinkedFile, linkWords } from '../../src/chat/outgoing.js';
import type { Camera } from '../../src/store/cameras.js';
import { privateChatOf } from '../../src/store/speakers.js';
import { askRest, type PastQuestions, readPastWish } from '../ask-past.js';
import { labelOf } from '../camera-asked.js';
import type { House } from '../house.js';
import { missingLines, recordedAgain } from '../missing.js';
import { noFootage } from '../no-footage.js';
import { MAY, mayShowHere } from '../rights.js';
import { log, privately } from '../saying.js';
import { deliver, footagePlace } from './picture.js';
import { LONGEST_S } from './storyboard-plan.js';

interface Args {
  camera: Camera;
  startMs: number;
  endMs: number;
  /** the recorded pictures as they are, as a file */
  original: boolean;
}

/** At the end of a wish: the original, please. */
const ORIGINAL = 'bản gốc';
const ORIGINAL_SAID = /[\s,]*(?:lấy |lay |cho |xin )?(?:bản|ban|tệp|tep|file|video) (?:gốc|goc)[\s.!]*$/iu;

/** Room for what a platform counts beside the file itself. */
const FILE_SHARE = 0.98;
/** A progress line is changed when so much more is done … */
const PROGRESS_STEP = 0.1;
/** … and this time has passed, ms. */
const PROGRESS_EVERY_MS = 3000;

/** `clip`: what a camera recorded, by the clock. */
export const clipCommand = (house: House) =>
  command<Args>({
    name: 'clip',
    aliases: [
      'video',
      'xem lại',
      'trích xuất',
      'lấy clip',
      'lấy video',
      'cắt clip',
      'cắt video',
      'xem clip',
      'xem video',
    ],
    summary: 'Lấy video camera theo giờ',
    example: 'clip 2 lúc 14h30 trong 30 giây',
    may: MAY.clip,
    inGroups: true,
    section: 'xem',
    async read(said, talk) {
      const words = said.normalize('NFC').replace(ORIGINAL_SAID, '');
      const original = words.length < said.normalize('NFC').length;
      const wish = await readPastWish(house, talk, words, { maxSpanS: house.settings.clipMaxSeconds });
      if (wish === null) return { kind: 'not-mine' };
      if (wish.settled !== null) {
        const { camera, span } = wish.settled;
        return { kind: 'args', args: { camera, startMs: span.startMs, endMs: span.endMs, original } };
      }
      const longer = await tooLong(house, talk, words);
      if (longer !== null) return { kind: 'answer', reply: (here) => here.ask(longer.text, longer.choices) };
      return { kind: 'answer', reply: (here) => askRest(here, wish, questions(original)) };
    },
    run: (talk, args) => clip(house, talk, args),
  });

/** A stretch that is too long for a clip: an overview of it leads to the minutes that matter. Null: it is not that. */
async function tooLong(house: House, talk: Talk, words: string) {
  const wish = await readPastWish(house, talk, words, { maxSpanS: LONGEST_S });
  if (wish?.settled?.span.kind !== 'span') return null;
  const { camera, span } = wish.settled;
  const longest = sayDuration(house.settings.clipMaxSeconds * 1000);
  return {
    text: `Khoảng này dài ${sayDuration(span.endMs - span.startMs)}, mỗi clip dài nhiều nhất ${longest}. Anh/chị xem nhanh cả đoạn để tìm đúng lúc cần, hoặc gõ đoạn ngắn hơn.`,
    choices: [
      { label: 'Xem nhanh cả đoạn', says: `xem ${camera.number} ${sayRange(span.startMs, span.endMs)}` },
    ],
  };
}

const questions = (original: boolean): PastQuestions => ({
  action: 'clip',
  says: (camera, time) =>
    ['clip', camera, time, original ? ORIGINAL : ''].filter((one) => one !== '').join(' '),
  whichCamera: 'Anh/chị lấy clip của camera nào?',
  oneAtATime: 'Mỗi lần em lấy clip một camera. Anh/chị chọn camera nào trước?',
  confirm: (camera) => `Lấy clip camera ${camera} ạ?`,
  when: (camera, number) =>
    `Anh/chị lấy clip camera ${camera} lúc nào? Bấm chọn, hoặc gõ giờ, ví dụ: clip ${number} lúc 14h30`,
  times: [
    { label: '1 phút vừa rồi', says: '1 phút vừa rồi' },
    { label: '5 phút vừa rồi', says: '5 phút vừa rồi' },
    { label: '15 phút trước', says: '15 phút trước' },
    { label: '1 giờ trước', says: '1 tiếng trước' },
  ],
});

async function clip(house: House, talk: Talk, { camera, startMs, endMs, original }: Args): Promise<void> {
  const place = footagePlace(talk);
  const note = (result: string, detail: string | null = null) =>
    log(talk, [{ action: 'clip', cameraId: camera.id, startMs, endMs, result, place, detail }]);
  const echo = `Em đang lấy ${original ? ORIGINAL : 'clip'} camera ${labelOf(camera)}:\n${sayRange(startMs, endMs)}`;
  const here = mayShowHere(talk.speaker.role, talk.group);
  if (here) await talk.progress(`${echo}…`);
  else if (!(await privately(talk, `${echo}.`))) return note('no-private-chat');
  talk.act('sending-video');

  // what goes as a link need not be parted
  const asFile = original ? takesDocument('.mp4', talk.limits) : talk.limits.video;
  const maxBytes = asFile ? Math.floor(talk.limits.fileBytes * FILE_SHARE) : 0;
  const request = { cameraId: camera.recorderId, startMs, endMs };
  let shown = 0;
  let shownMs = house.clock.now();
  const onProgress = (job: ClipJob) => {
    const nowMs = house.clock.now();
    if (!here || job.state !== 'running' || job.progress >= 1) return;
    if (job.progress - shown < PROGRESS_STEP || nowMs - shownMs < PROGRESS_EVERY_MS) return;
    [shown, shownMs] = [job.progress, nowMs];
    talk.progress(`${echo}\nĐã xong ${Math.round(job.progress * 100)}%…`).catch(() => {});
  };
  const job = await house.recorder
    .clip(
      { ...request, format: original ? 'original' : 'chat', ...(maxBytes > 0 ? { maxBytes } : {}) },
      { onProgress, signal: talk.signal },
    )
    .catch((error: unknown) => {
      if (error instanceof WorldError) return error;
      throw error;
    });
  if (job instanceof WorldError) {
    await note(job.kind);
    if (job.kind !== 'no-footage') throw job;
    await deliver(talk, await noFootage(house, camera, { startMs, endMs }));
    return;
  }
  let delivered = true;
  for (const part of job.parts) {
    const fileName = `camera-${camera.number}${job.parts.length > 1 ? `-${part.index + 1}` : ''}.mp4`;
    const path = await talk.spool(fileName);
    const { sizeBytes } = await house.recorder.savePart(job.id, part.index, path);
    const file = { path, sizeBytes, fileName, shows: shownBy(camera, part) };
    const caption = captionOf(camera, { startMs, endMs }, job, part.index);
    const { width, height, durationMs } = part;
    const last = part.index === job.parts.length - 1;
    delivered = await deliver(
      talk,
      original
        ? // As a file: what is sent as a video is made smaller on its way, and not every phone plays H.265.
          { kind: 'document', file, caption: `${caption}\n${ORIGINAL_WORDS}` }
        : {
            ...{ kind: 'video', file, caption, width, height, durationMs },
            ...(job.stream === 'sub' && last && { buttons: originalButton(camera, startMs, endMs) }),
          },
    );
  }
  if (job.parts.length > 1) await sendLink(house, talk, camera, request);
  await note(
    delivered ? 'ok' : 'no-private-chat',
    job.gaps.length === 0 ? null : `thiếu ${job.gaps.length} đoạn`,
  );
}

const shownBy = (camera: Camera, { startMs, endMs }: { startMs: number; endMs: number }) => ({
  ...{ cameraId: camera.id, camera: labelOf(camera) },
  ...{ startMs, endMs },
});

const ORIGINAL_WORDS = 'Bản gốc, đúng như camera ghi. Nếu điện thoại không mở được, anh/chị xem bằng VLC.';
const PREVIEW_WORDS = 'Đây là hình nhỏ (luồng phụ) để xem nhanh; cần nét hơn, bấm Bản gốc.';

/** Asks for the same seconds once more, in full. */
const originalButton = (camera: Camera, startMs: number, endMs: number) => {
  const range = sayRange(Math.floor(startMs / 1000) * 1000, Math.ceil(endMs / 1000) * 1000);
  return [[{ label: 'Bản gốc', says: `clip ${camera.number} ${range} ${ORIGINAL}` }]];
};

/** Less than a second at the very ends of what was asked is no gap worth words. */
const isBrim = (gap: { startMs: number; endMs: number }, asked: { startMs: number; endMs: number }) =>
  gap.endMs - gap.startMs < 1000 && (gap.startMs <= asked.startMs || gap.endMs >= asked.endMs);

/** What was asked, what is delivered, and what is missing in between. */
export function captionOf(
  camera: Pick<Camera, 'number' | 'name'>,
  asked: { startMs: number; endMs: number },
  job: Pick<ClipJob, 'parts' | 'gaps'> & Partial<Pick<ClipJob, 'stream'>>,
  index: number,
): string {
  const part = job.parts[index];
  const lines = [`Camera ${camera.number} ${camera.name}`];
  if (job.parts.length > 1 && part !== undefined)
    lines.push(`Phần ${index + 1}/${job.parts.length}: ${sayRange(part.startMs, part.endMs)}`);
  const again = part === undefined ? null : partAgain(job.parts, part);
  if (again !== null) lines.push(again);
  if (index === 0 && part !== undefined) {
    const startMs = Math.min(...job.parts.map((one) => one.startMs));
    const endMs = Math.max(...job.parts.map((one) => one.endMs));
    lines.push(`Yêu cầu: ${sayRange(asked.startMs, asked.endMs)}`);
    lines.push(`Có trong clip: ${sayRange(startMs, endMs)}`);
    if (job.stream === 'sub') lines.push(PREVIEW_WORDS);
    const gaps = job.gaps.filter((gap) => !isBrim(gap, asked));
    lines.push(...missingLines(gaps));
  }
  return lines.join('\n');
}

/** Where the clock of the machine was set back: which recording of the same time this is. */
function partAgain(parts: ClipJob['parts'], part: ClipJob['parts'][number]): string | null {
  const same = parts.filter((one) => one.startMs < part.endMs - 1000 && part.startMs < one.endMs - 1000);
  return same.length < 2 ? null : recordedAgain('khoảng giờ này', same.indexOf(part), same.length);
}

/** For whom a link in answer to this message is: for this chat where footage may be shown in it, else for the private one. */
async function linkAbout(house: House, talk: Talk): Promise<LinkAbout | null> {
  const { message, speaker, inboxId } = talk;
  const purpose = talk.group?.purpose ?? null;
  const here = mayShowHere(speaker.role, talk.group);
  const chatId = here ? message.chatId : await privateChatOf(house.db, speaker.addressId);
  if (chatId === null) return null;
  return {
    to: { channel: message.channel, chatId },
    inboxId,
    only: {
      asker: { personId: speaker.personId, role: speaker.role },
      ...(here && purpose !== null ? { purpose } : {}),
    },
  };
}

/** A clip in parts also comes as recorded by links that expire: whole in one file where that can be. */
async function sendLink(
  house: House,
  talk: Talk,
  camera: Camera,
  request: { cameraId: string; startMs: number; endMs: number },
): Promise<void> {
  const job = await house.recorder.clip({ ...request, format: 'original' }, { signal: talk.signal });
  const whole = job.parts.length === 1;
  const files: LinkedFile[] = [];
  for (const part of job.parts) {
    const fileName = `camera-${camera.number}${whole ? '' : `-${part.index + 1}`}.mp4`;
    const path = await talk.spool(fileName);
    const { sizeBytes } = await house.recorder.savePart(job.id, part.index, path);
    files.push({ path, sizeBytes, fileName, shows: shownBy(camera, part) });
  }
  const about = await linkAbout(house, talk);
  const link = about === null ? null : await house.makeLink(files, about);
  if (link === null) return;
  const text = `${whole ? 'Cả đoạn trong một tệp' : `Cả đoạn trong ${job.parts.length} tệp`}, bản gốc. Đường dẫn có hạn, anh/chị đừng chuyển cho người khác nhé.`;
  const said = linkWords(link);
  // an address that only the office's net knows is nothing a platform's button would take
  await deliver(
    talk,
    link.note === undefined
      ? { kind: 'text', text, buttons: [[{ label: 'Xem và tải cả đoạn', url: link.url }]] }
      : { kind: 'text', text: `${text}\n\n${said.with}` },
  );
  for (const reply of said.after) await deliver(talk, reply);
}
