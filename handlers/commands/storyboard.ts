import fs from 'node:fs/promises';
import type { Coverage, Range, Still } from '../../media/types.js';
import { toVietnamTime } from '../../src/base/clock.js';
import { WorldError } from '../../src/base/errors.js';
import { sayClock, sayDate, sayDuration, sayRange, sayShortClock } from '../../src/base/vietnamese/say.js';
import { fold } from '../../src/base/vietnamese/text.js';
import { command, type Talk } from '../../src/chat/command.js';
import type { Camera } from '../../src/store/cameras.js';
import { askRest, isTalk, type PastQuestions, readPastWish } from '../ask-past.js';
import { labelOf } from '../camera-asked.js';
import type { House } from '../house.js';
import { missingLines } from '../missing.js';
import { noFootage } from '../no-footage.js';
import { MAY } from '../rights.js';
import { insists, log } from '../saying.js';
import { contactSheet, type Sheet, type SheetStyle, type Tile } from './contact-sheet.js';
import { coverageBar, gapShortly } from './coverage-picture.js';
import { stretchWords } from './history.js';
import { deliver, footagePlace } from './picture.js';
import { buttonsOf, FRAMES, LONGEST_S, needsExact, type Slot, slotsOf, spanOf } from './storyboard-plan.js';

interface Args extends Range {
  camera: Camera;
}

/** Less than this at the ends of what was asked is no gap worth words, ms. */
const BRIM_MS = 1000;

const STYLE: Omit<SheetStyle, 'strip'> = {
  ...{ columns: 3, tileWidth: 420, tileHeight: 236 },
  ...{ head: 60, heading: 32, foot: 46, title: 34, line: 0, reason: 30 },
};
const STRIP = 26;

/** `xem`: a stretch of the past at one glance, to be looked into closer and closer. */
export const storyboardCommand = (house: House) =>
  command<Args>({
    name: 'xem',
    aliases: ['xem nhanh', 'bảng hình', 'xem bảng hình', 'lướt', 'tua'],
    summary: 'Xem nhanh một khoảng giờ bằng một bảng hình, bấm để xem kỹ hơn',
    example: 'xem 1 13h-14h',
    may: MAY.clip,
    inGroups: true,
    section: 'xem',
    async read(words, talk) {
      const wish = await readPastWish(house, talk, words, { maxSpanS: LONGEST_S, wholeDays: true });
      if (wish === null) return { kind: 'not-mine' };
      // "xem 3" is a picture of now
      const bare = wish.span.kind === 'none' && fold(words) !== '';
      if ((bare && !insists(talk)) || isTalk(wish, talk)) return { kind: 'not-mine' };
      if (wish.settled !== null) {
        const { camera, span: said } = wish.settled;
        return { kind: 'args', args: { camera, ...spanOf(said, talk.nowMs) } };
      }
      return { kind: 'answer', reply: (here) => askRest(here, wish, QUESTIONS) };
    },
    run: (talk, args) => storyboard(house, talk, args),
  });

const QUESTIONS: PastQuestions = {
  action: 'storyboard',
  says: (camera, time) => `xem ${camera} ${time}`.trim(),
  whichCamera: 'Anh/chị xem nhanh camera nào?',
  oneAtATime: 'Mỗi lần em xem nhanh một camera. Anh/chị chọn camera nào trước?',
  confirm: (camera) => `Xem nhanh camera ${camera} ạ?`,
  when: (camera, number) =>
    `Anh/chị xem camera ${camera} khoảng nào? Bấm chọn, hoặc gõ giờ, ví dụ: xem ${number} 22h-23h đêm qua`,
  times: [
    { label: '1 giờ vừa rồi', says: '1 tiếng vừa rồi' },
    { label: 'Hôm nay', says: 'hôm nay' },
    { label: 'Tối qua', says: 'tối qua' },
    { label: 'Hôm qua', says: 'hôm qua' },
  ],
};

async function storyboard(house: House, talk: Talk, { camera, ...asked }: Args): Promise<void> {
  talk.act('sending-photo');
  const note = (result: string, detail: string | null = null) =>
    log(talk, [
      { action: 'storyboard', cameraId: camera.id, ...asked, result, place: footagePlace(talk), detail },
    ]);
  const found = await look(house, talk, camera, asked).catch((error: unknown) => {
    if (error instanceof WorldError) return error;
    throw error;
  });
  if (found instanceof WorldError) {
    await note(found.kind);
    throw found;
  }
  const { coverage, slots, stills } = found;
  const shown = slots.filter(({ atMs }) => atMs !== null && (stills.get(atMs)?.pictures.length ?? 0) > 0);
  if (shown.length === 0) {
    await note('no-footage');
    await deliver(talk, await noFootage(house, camera, asked, 'xem'));
    return;
  }
  const made = await draw(camera, asked, found);
  const fileName = `xem-${camera.number}.jpg`;
  const path = await talk.spool(fileName);
  await fs.writeFile(path, made.jpeg);
  const clipMaxMs = house.settings.clipMaxSeconds * 1000;
  const delivered = await deliver(talk, {
    kind: 'photo',
    file: {
      ...{ path, sizeBytes: made.jpeg.length, fileName },
      shows: { cameraId: camera.id, camera: labelOf(camera), ...asked },
    },
    caption: captionOf(camera, asked, coverage, shown.length),
    ...{ width: made.width, height: made.height },
    buttons: buttonsOf(camera.number, asked, slots, { nowMs: talk.nowMs, clipMaxMs }),
  });
  await note(
    delivered ? 'ok' : 'no-private-chat',
    shown.length < slots.length ? `thiếu ${slots.length - shown.length} hình` : null,
  );
}

interface Found {
  coverage: Coverage;
  slots: Slot[];
  /** by moment */
  stills: Map<number, Still>;
}

async function look(house: House, talk: Talk, camera: Camera, asked: Range): Promise<Found> {
  const { recorderId: cameraId } = camera;
  const coverage = await house.recorder.coverage(cameraId, asked);
  const slots = slotsOf(asked, coverage);
  const moments = slots.flatMap(({ atMs }) => atMs ?? []);
  if (moments.length === 0) return { coverage, slots, stills: new Map() };
  const frame = needsExact(asked) ? 'exact' : 'keyframe';
  const stills = await house.recorder.stills(
    { cameraId, moments, frame, width: STYLE.tileWidth },
    talk.signal,
  );
  return { coverage, slots, stills: new Map(stills.map((still) => [still.atMs, still])) };
}

/** The sheet: each slot's picture with its true time, or why there is none; above them what is recorded. */
function draw(camera: Camera, asked: Range, { coverage, slots, stills }: Found): Promise<Sheet> {
  const dayLong = asked.endMs - asked.startMs > 24 * 3_600_000;
  const clock = (ms: number) => {
    const { day, month } = toVietnamTime(ms);
    return dayLong ? `${sayClock(ms).slice(0, 5)} ${day}/${month}` : sayClock(ms);
  };
  const tiles = slots.map((slot, i): Tile => {
    const still = slot.atMs === null ? undefined : stills.get(slot.atMs);
    const picture = still?.pictures[0];
    const title = `${i + 1} · ${clock(picture?.frameMs ?? slot.startMs)}`;
    if (picture !== undefined) return { title, line: '', jpeg: picture.jpeg, reason: null };
    const cause = still === undefined ? slot.cause : still.cause;
    const why = cause === null ? 'hình chưa kịp về' : gapShortly(cause);
    return { title, line: '', jpeg: null, reason: `Không có hình: ${why}` };
  });
  return contactSheet(`${labelOf(camera)} · ${headingOf(asked)}`, tiles, {
    ...STYLE,
    strip: { height: STRIP, draw: (box) => coverageBar(coverage, asked, { ...box, height: STRIP - 6 }) },
  });
}

/** "22:00–23:00, thứ sáu 20/11/2026", "0:00 18/11 – 12:00 20/11": as much as fits above the pictures. */
function headingOf(asked: Range): string {
  if (sayDate(asked.startMs) === sayDate(asked.endMs - 1)) return stretchWords(asked);
  const of = (ms: number) => `${sayShortClock(ms)} ${sayDate(ms).replace(/\/\d{4}$/, '')}`;
  return `${of(asked.startMs)} – ${of(asked.endMs)}`;
}

function captionOf(camera: Camera, asked: Range, coverage: Coverage, shown: number): string {
  const gaps = coverage.gaps.filter(
    ({ startMs, endMs }) => endMs - startMs >= BRIM_MS || (startMs > asked.startMs && endMs < asked.endMs),
  );
  const again = coverage.clockSteps.filter(({ fromMs, toMs }) => toMs < fromMs);
  return [
    `Camera ${labelOf(camera)}`,
    stretchWords(asked),
    `${shown} hình, cách nhau ${sayDuration((asked.endMs - asked.startMs) / FRAMES)}.`,
    ...missingLines(gaps),
    ...again.map(
      ({ fromMs, toMs }) =>
        `Đồng hồ máy bị chỉnh lùi: ${sayRange(toMs, fromMs)} được ghi hai lần, bảng này là lần ghi đầu.`,
    ),
    needsExact(asked)
      ? 'Chọn số của một hình để lấy đúng hình đó.'
      : 'Chọn số của một hình để xem kỹ từ hình đó đến hình sau.',
  ].join('\n');
}
