import fs from 'node:fs/promises';
import type { Coverage, Loss, Range } from '../../media/types.js';
import { DAY_MS } from '../../src/base/clock.js';
import { PersonError } from '../../src/base/errors.js';
import { readSpan, type SpanReading } from '../../src/base/vietnamese/moment.js';
import {
  sayDate,
  sayDay,
  sayDuration,
  sayMoment,
  sayRange,
  sayShortClock,
} from '../../src/base/vietnamese/say.js';
import { command, type Talk } from '../../src/chat/command.js';
import type { Camera } from '../../src/store/cameras.js';
import { gapWords } from '../alerts/causes.js';
import { daysThatFit, sayDays } from '../alerts/room.js';
import { askedCameras, askWhichCamera, labelOf, refuseBeyond } from '../camera-asked.js';
import type { House } from '../house.js';
import { MAY, mayShowHere } from '../rights.js';
import { privately, rows } from '../saying.js';
import { coveragePicture } from './coverage-picture.js';

interface Args extends Range {
  cameras: Camera[];
}

const LONGEST_S = 7 * 86_400;
/** A moment is looked at with so much on either side, ms. */
const AROUND_MS = 3_600_000;
const HOUR_MS = 3_600_000;
/** Lines of one picture; more cameras make more pictures. */
const LINES = 40;
const GAPS_TOLD = 8;
/** Cameras that began within so much began together, ms. */
const TOGETHER_MS = 60_000;

/** `lichsu`: what there is of a camera's recordings, what is missing, and why. */
export const historyCommand = (house: House) =>
  command<Args>({
    name: 'lichsu',
    aliases: ['lịch sử', 'lịch sử ghi', 'lịch sử ghi hình', 'lịch sử camera', 'xem lịch sử'],
    summary: 'Xem camera ghi được những lúc nào, thiếu đoạn nào, vì sao',
    example: 'lịch sử 1 hôm qua',
    may: MAY.cameraList,
    inGroups: true,
    section: 'xem',
    async read(words, talk) {
      const span = readSpan(words, {
        nowMs: talk.nowMs,
        clipSeconds: house.settings.clipSeconds,
        maxSpanS: LONGEST_S,
        wholeDays: true,
      });
      const asked = await askedCameras(house, talk, span.rest, span.kind !== 'none');
      switch (asked.kind) {
        case 'not-mine':
          return { kind: 'not-mine' };
        case 'beyond':
          return { kind: 'answer', reply: (here) => refuseBeyond(here, asked.cameras, 'camera.show') };
        case 'ambiguous':
        case 'unknown':
          return {
            kind: 'answer',
            reply: (here) =>
              askWhichCamera(here, asked, (camera) => `lịch sử ${camera} ${timeOf(span)}`.trim()),
          };
      }
      const cameras = asked.kind === 'none' ? asked.reachable : asked.cameras;
      const range = rangeOf(span, talk.nowMs);
      if ('say' in range) {
        const named = cameras.map((camera) => camera.number).join(', ');
        return {
          kind: 'answer',
          reply: (here) =>
            range.choices.length === 0
              ? Promise.reject(new PersonError(range.say))
              : here.ask(
                  range.say,
                  range.choices.map(({ label, says }) => ({ label, says: `lịch sử ${named} ${says}` })),
                ),
        };
      }
      return { kind: 'args', args: { cameras, ...range } };
    },
    run: (talk, args) => history(house, talk, args),
  });

const timeOf = (span: SpanReading) =>
  span.kind === 'span' ? sayRange(span.startMs, span.endMs).replace('–', ' đến ') : '';

type Asking = { say: string; choices: { label: string; says: string }[] };

/** The stretch to look at: today where no time is said, an hour on either side of a moment. */
function rangeOf(span: SpanReading, nowMs: number): Range | Asking {
  switch (span.kind) {
    case 'span':
      return { startMs: span.startMs, endMs: span.endMs };
    case 'moment':
      return { startMs: span.atMs - AROUND_MS, endMs: Math.min(nowMs, span.atMs + AROUND_MS) };
    case 'question':
      return { say: span.question, choices: span.choices };
    case 'error':
      return { say: span.sentence, choices: [] };
    case 'none': {
      const today = readSpan('hôm nay', { nowMs, clipSeconds: 30, maxSpanS: LONGEST_S, wholeDays: true });
      return today.kind === 'span' ? today : { startMs: nowMs - HOUR_MS, endMs: nowMs };
    }
  }
}

async function history(house: House, talk: Talk, { cameras, startMs, endMs }: Args): Promise<void> {
  if (cameras.length === 0) throw new PersonError('Chưa có camera nào. Gõ “camera” để xem danh sách.');
  const asked = { startMs, endMs };
  talk.act('sending-photo');
  const coverages = await house.recorder.coverages(
    cameras.map(({ recorderId }) => recorderId),
    asked,
  );
  const found = cameras.map((camera, i) => ({ camera, coverage: sinceBegun(coverages[i]!) }));
  for (let from = 0; from < found.length; from += LINES) {
    const page = found.slice(from, from + LINES);
    const title = page.length === 1 ? `Camera ${labelOf(page[0]!.camera)}` : `${found.length} camera`;
    const picture = await coveragePicture(
      `${title} · ${stretchWords(asked)}`,
      asked,
      page.map(({ camera, coverage }) => ({ name: labelOf(camera), coverage })),
    );
    const fileName = `lich-su-${from / LINES + 1}.jpg`;
    const path = await talk.spool(fileName);
    await fs.writeFile(path, picture.jpeg);
    const reply = {
      kind: 'photo' as const,
      file: { path, sizeBytes: picture.jpeg.length, fileName },
      caption: [
        page.length === 1 ? oneInWords(page[0]!.camera, page[0]!.coverage) : manyInWords(page),
        ...shortOfRoom(page, talk.nowMs, await daysThatFit(house.db, talk.nowMs)),
      ].join('\n'),
      width: picture.width,
      height: picture.height,
      buttons: rows(buttonsOf(page, asked)),
    };
    if (mayShowHere(talk.speaker.role, talk.group)) await talk.reply(reply);
    else if (!(await privately(talk, reply))) return;
  }
}

/** "cả ngày thứ sáu 20/11/2026", "18:00–24:00, thứ sáu 20/11/2026"; to the minute, unlike a clip's. */
export function stretchWords({ startMs, endMs }: Range): string {
  if (sayDay(startMs) !== sayDay(endMs - 1)) return sayRange(startMs, endMs);
  const [from, to] = [sayShortClock(startMs), sayShortClock(endMs)];
  if (from === '00:00' && to === '00:00') return `cả ngày ${sayDay(startMs)}`;
  return `${from}–${to === '00:00' ? '24:00' : to}, ${sayDay(startMs)}`;
}

/** What is missing from before a camera ever recorded is not missing. */
function sinceBegun(coverage: Coverage): Coverage {
  const { asked, begunMs } = coverage;
  const [first, ...others] = coverage.gaps;
  if (first?.cause !== 'unknown' || first.startMs > asked.startMs) return coverage;
  return begunMs !== null && begunMs < asked.startMs ? coverage : { ...coverage, gaps: others };
}

const total = (ranges: readonly Range[]) => ranges.reduce((sum, one) => sum + one.endMs - one.startMs, 0);

/** "Có hình 23 giờ 48 phút, đủ 99,2%." never rounded up to all of it. */
export function shareWords({ recorded, gaps }: Pick<Coverage, 'recorded' | 'gaps'>): string {
  const [thereMs, missingMs] = [total(recorded), total(gaps)];
  if (thereMs === 0 && gaps.length === 0)
    return 'Không có hình nào trong khoảng này: lúc đó camera chưa bắt đầu ghi.';
  if (thereMs === 0) return 'Không có hình nào trong khoảng này.';
  if (gaps.length === 0) return `Có hình ${sayDuration(thereMs)}, đủ không thiếu đoạn nào.`;
  const percent = Math.min(99.9, Math.floor((thereMs / (thereMs + missingMs)) * 1000) / 10);
  return `Có hình ${sayDuration(thereMs)}, đạt ${String(percent).replace('.', ',')}%. Thiếu ${sayDuration(missingMs)}:`;
}

/** When within the stretch a camera began to record; null: before it, or not in it. */
function begunIn({ asked, recorded, gaps }: Coverage): number | null {
  const firstMs = Math.min(recorded[0]?.startMs ?? asked.startMs, gaps[0]?.startMs ?? asked.endMs);
  return firstMs > asked.startMs + 1000 ? firstMs : null;
}

function oneInWords(camera: Camera, coverage: Coverage): string {
  const { asked, gaps, held, clockSteps } = coverage;
  const begunMs = begunIn(coverage);
  const longest = [...gaps].sort((a, b) => b.endMs - b.startMs - (a.endMs - a.startMs)).slice(0, GAPS_TOLD);
  const told = gaps.filter((gap) => longest.includes(gap));
  return [
    `Camera ${labelOf(camera)}`,
    stretchWords(asked),
    ...(begunMs === null ? [] : [`Camera bắt đầu ghi từ ${sayMoment(begunMs)}.`]),
    shareWords(coverage),
    ...told.map(
      (gap) =>
        `• ${sayRange(gap.startMs, gap.endMs)} (${sayDuration(gap.endMs - gap.startMs)}): ${gapWords(gap.cause)}`,
    ),
    ...(gaps.length > told.length ? [`… và ${gaps.length - told.length} đoạn ngắn hơn`] : []),
    ...clockSteps
      .filter(({ fromMs, toMs }) => toMs < fromMs)
      .map(({ fromMs, toMs }) => `Đồng hồ máy bị chỉnh lùi: ${sayRange(toMs, fromMs)} được ghi hai lần.`),
    ...(held.length > 0 ? [`Đang được giữ, không bị xóa: ${sayDuration(total(held))}.`] : []),
  ].join('\n');
}

function manyInWords(page: { camera: Camera; coverage: Coverage }[]): string {
  const asked = page[0]!.coverage.asked;
  const lacking = page.filter(({ coverage }) => coverage.gaps.length > 0);
  const worst = [...lacking].sort((a, b) => total(b.coverage.gaps) - total(a.coverage.gaps));
  const none = page.filter(({ coverage }) => coverage.recorded.length === 0 && coverage.gaps.length === 0);
  const late = page.filter((one) => !none.includes(one) && begunIn(one.coverage) !== null);
  const whole = page.length - lacking.length - none.length;
  return [
    stretchWords(asked),
    ...begunWords(late, page.length),
    ...(none.length === 0 ? [] : [`${those(none, page.length)} lúc đó chưa bắt đầu ghi, nên không có hình.`]),
    ...enoughWords(whole, page.length, late.length > 0, lacking.length > 0),
    ...worst
      .slice(0, GAPS_TOLD)
      .map(({ camera, coverage }) => `• ${labelOf(camera)}: thiếu ${sayDuration(total(coverage.gaps))}`),
    ...(['removed-by-others', 'damaged'] as const).flatMap((cause) => lostOf(page, cause)),
  ].join('\n');
}

/** "Cả 4 camera", "Camera 3, 7", "12 camera" */
function those(some: readonly { camera: Camera }[], all: number): string {
  if (some.length === all) return `Cả ${all} camera`;
  if (some.length > GAPS_TOLD) return `${some.length} camera`;
  return `Camera ${some.map(({ camera }) => camera.number).join(', ')}`;
}

/** Since when there is anything of those that began within the stretch. */
function begunWords(late: readonly { camera: Camera; coverage: Coverage }[], all: number): string[] {
  const times = late.flatMap(({ coverage }) => begunIn(coverage) ?? []).sort((a, b) => a - b);
  const [first, last] = [times[0], times.at(-1)];
  if (first === undefined || last === undefined) return [];
  const when = last - first < TOGETHER_MS ? sayMoment(first) : `${sayMoment(first)} đến ${sayMoment(last)}`;
  const verb = last - first < TOGETHER_MS ? 'bắt đầu ghi từ' : 'lần lượt bắt đầu ghi, từ';
  return [`${those(late, all)} ${verb} ${when}.`];
}

function enoughWords(whole: number, all: number, someLate: boolean, someLack: boolean): string[] {
  const since = someLate ? ' từ lúc bắt đầu ghi' : '';
  if (someLack) return [`${whole}/${all} camera đủ hình${since}. Thiếu nhiều nhất:`];
  if (whole === 0) return [];
  return whole === all
    ? [`Cả ${all} camera có hình đủ${since}, không thiếu đoạn nào.`]
    : [`${whole} camera còn lại có hình đủ${since}, không thiếu đoạn nào.`];
}

/** Of which cameras something that was recorded is lost, and how. */
function lostOf(page: { camera: Camera; coverage: Coverage }[], cause: Loss): string[] {
  const cameras = page.filter(({ coverage }) => coverage.gaps.some((gap) => gap.cause === cause));
  const named = cameras.slice(0, GAPS_TOLD).map(({ camera }) => labelOf(camera));
  const more = cameras.length > named.length ? ` và ${cameras.length - named.length} camera nữa` : '';
  return cameras.length === 0 ? [] : [`‼️ ${named.join(', ')}${more} có đoạn ${gapWords(cause)}.`];
}

/** Why old footage is not there, where the disk is too small for it. */
function shortOfRoom(page: { coverage: Coverage }[], nowMs: number, fitDays: number | null): string[] {
  const deleted = page.some(({ coverage }) => coverage.gaps.some(({ cause }) => cause === 'deleted'));
  const { startMs } = page[0]!.coverage.asked;
  if (fitDays === null || !deleted || nowMs - startMs < fitDays * DAY_MS) return [];
  return [`Ổ ghi hình hiện chỉ đủ ${sayDays(fitDays)}, đoạn cũ hơn phải xóa sớm để lấy chỗ ghi tiếp.`];
}

function buttonsOf(page: { camera: Camera; coverage: Coverage }[], asked: Range) {
  if (page.length === 1) return [{ label: 'Tình trạng camera', says: `camera ${page[0]!.camera.number}` }];
  const day = sayDay(asked.startMs) === sayDay(asked.endMs - 1) ? sayDate(asked.startMs) : '';
  return [...page]
    .filter(({ coverage }) => coverage.gaps.length > 0)
    .sort((a, b) => total(b.coverage.gaps) - total(a.coverage.gaps))
    .slice(0, 4)
    .map(({ camera }) => ({ label: labelOf(camera), says: `lịch sử ${camera.number} ${day}`.trim() }));
}
