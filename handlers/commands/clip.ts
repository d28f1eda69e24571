import type { ClipJob } from '../../media/types.js';
import { PersonError, WorldError } from '../../src/base/errors.js';
import { readSpan, type SpanReading } from '../../src/base/vietnamese/moment.js';
import { sayDuration, sayRange } from '../../src/base/vietnamese/say.js';
import { command, type Talk } from '../../src/chat/command.js';
import { takesDocument } from '../../src/chat/fit.js';
import { type LinkAbout, type LinkedFile, linkWords } from '../../src/chat/outgoing.js';
import type { Camera } from '../../src/store/cameras.js';
import { privateChatOf } from '../../src/store/speakers.js';
import { gapWords } from '../alerts/causes.js';
import { type Asked, askedCameras, askWhichCamera, labelOf, refuseBeyond } from '../camera-asked.js';
import type { House } from '../house.js';
import { noFootage } from '../no-footage.js';
import { MAY, mayShowHere } from '../rights.js';
import { insists, log, privately } from '../saying.js';
import { deliver, footagePlace } from './picture.js';

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
      const span = readSpan(words, {
        nowMs: talk.nowMs,
        clipSeconds: house.settings.clipSeconds,
        maxSpanS: house.settings.clipMaxSeconds,
      });
      const timed = span.kind === 'moment' || span.kind === 'span' || span.kind === 'error';
      const asked = await askedCameras(house, talk, span.rest, timed);
      if (asked.kind === 'not-mine') return { kind: 'not-mine' };
      if (
        asked.kind === 'unknown' &&
        asked.near.length === 0 &&
        span.kind === 'none' &&
        !insists(talk) &&
        !/\d/.test(asked.heard)
      )
        return { kind: 'not-mine' };
      const only = asked.kind === 'cameras' ? asked.cameras[0] : undefined;
      const settled = span.kind === 'span' || span.kind === 'moment';
      if (settled && asked.kind === 'cameras' && asked.cameras.length === 1 && only !== undefined)
        return { kind: 'args', args: { camera: only, startMs: span.startMs, endMs: span.endMs, original } };
      return { kind: 'answer', reply: (here) => askRest(here, asked, span, words, original) };
    },
    run: (talk, args) => clip(house, talk, args),
  });

/** The time words of a text: what is left of it without the camera's words. */
function timeWords(words: string, rest: string): string {
  let left = words.normalize('NFC');
  for (const word of rest.split(/[^\p{L}\p{M}\d]+/u).filter((one) => one !== ''))
    left = left.replace(new RegExp(`(?<![\\p{L}\\p{M}\\d])${word}(?![\\p{L}\\p{M}\\d])`, 'u'), ' ');
  return left.replace(/\s+/g, ' ').trim();
}

/** Asks for what is missing or unclear: first the camera, then the time. */
async function askRest(
  talk: Talk,
  asked: Asked,
  span: SpanReading,
  words: string,
  original: boolean,
): Promise<void> {
  const asOriginal = original ? ` ${ORIGINAL}` : '';
  const time = `${span.kind === 'none' ? '' : ` ${timeWords(words, span.rest)}`}${asOriginal}`;
  if (asked.kind === 'beyond') return refuseBeyond(talk, asked.cameras, 'clip');
  if (asked.kind === 'ambiguous' || asked.kind === 'unknown')
    return askWhichCamera(talk, asked, (camera) => `clip ${camera}${time}`);
  const several = asked.kind === 'none' ? asked.reachable : asked.kind === 'cameras' ? asked.cameras : [];
  const only = several[0];
  if (only === undefined) throw new PersonError('Chưa có camera nào. Gõ “camera” để xem danh sách.');
  if (several.length > 1) {
    await talk.ask(
      asked.kind === 'none'
        ? 'Anh/chị lấy clip của camera nào?'
        : 'Mỗi lần em lấy clip một camera. Anh/chị chọn camera nào trước?',
      several
        .slice(0, 12)
        .map((camera) => ({ label: labelOf(camera), says: `clip ${camera.number}${time}` })),
    );
    return;
  }
  if (span.kind === 'error') throw new PersonError(span.sentence);
  if (span.kind === 'question') {
    if (span.choices.length === 0) throw new PersonError(span.question);
    await talk.ask(
      span.question,
      span.choices.map((choice) => ({
        label: choice.label,
        says: `clip ${only.number} ${choice.says}${asOriginal}`,
      })),
    );
    return;
  }
  if (span.kind !== 'none') {
    // one camera in all and none named
    await talk.ask(`Lấy clip camera ${labelOf(only)} ạ?`, [
      { label: 'Đúng', says: `clip ${only.number}${time}` },
    ]);
    return;
  }
  await talk.ask(
    `Anh/chị lấy clip camera ${labelOf(only)} lúc nào? Bấm chọn, hoặc gõ giờ, ví dụ: clip ${only.number} lúc 14h30`,
    [
      { label: '1 phút vừa rồi', says: `clip ${only.number} 1 phút vừa rồi` },
      { label: '5 phút vừa rồi', says: `clip ${only.number} 5 phút vừa rồi` },
      { label: '15 phút trước', says: `clip ${only.number} 15 phút trước` },
      { label: '1 giờ trước', says: `clip ${only.number} 1 tiếng trước` },
    ],
  );
}

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
  const again = part === undefined ? null : recordedAgain(job.parts, part);
  if (again !== null) lines.push(again);
  if (index === 0 && part !== undefined) {
    const startMs = Math.min(...job.parts.map((one) => one.startMs));
    const endMs = Math.max(...job.parts.map((one) => one.endMs));
    lines.push(`Yêu cầu: ${sayRange(asked.startMs, asked.endMs)}`);
    lines.push(`Có trong clip: ${sayRange(startMs, endMs)}`);
    if (job.stream === 'sub') lines.push(PREVIEW_WORDS);
    const gaps = job.gaps.filter((gap) => !isBrim(gap, asked));
    for (const gap of gaps.slice(0, 8))
      lines.push(
        `Thiếu ${sayRange(gap.startMs, gap.endMs)} (${sayDuration(gap.endMs - gap.startMs)}): ${gapWords(gap.cause)}`,
      );
    if (gaps.length > 8) lines.push(`… và ${gaps.length - 8} đoạn thiếu nữa`);
  }
  return lines.join('\n');
}

/** Where the clock of the machine was set back: which recording of the same time this is. */
function recordedAgain(parts: ClipJob['parts'], part: ClipJob['parts'][number]): string | null {
  const same = parts.filter((one) => one.startMs < part.endMs - 1000 && part.startMs < one.endMs - 1000);
  if (same.length < 2) return null;
  return `Đồng hồ máy ghi từng bị chỉnh lùi nên khoảng giờ này được ghi ${same.length} lần. Đây là bản ghi lần ${same.indexOf(part) + 1}.`;
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
