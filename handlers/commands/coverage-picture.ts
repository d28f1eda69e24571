import type { Coverage, Range } from '../../media/types.js';
import { toVietnamTime } from '../../src/base/clock.js';
import { sayDate, sayShortClock } from '../../src/base/vietnamese/say.js';
import { gapWords } from '../alerts/causes.js';
import type { Sheet } from './contact-sheet.js';
import { cut, drawn, forXml, sheetOf } from './drawing.js';

/** One camera's line. */
export interface CoverageRow {
  name: string;
  coverage: Pick<Coverage, 'recorded' | 'gaps' | 'held'>;
}

const WIDTH = 1280;
const LEFT = 300;
const RIGHT = 28;
const HEAD = 84;
const ROW = 40;
const BAR = 24;
const FOOT = 64;
/** A gap of a second in a day is still seen. */
const LEAST_PX = 2;

const RECORDED = { color: '#2f9e5b', words: 'có hình' };
const HELD = { color: '#ffd43b', words: 'đang được giữ' };
const CAMERA = { color: '#e4572e', words: 'camera mất kết nối' };
const KINDS: Record<string, { color: string; words: string }> = {
  'switched-off': { color: '#6b7280', words: 'camera tắt' },
  'recorder-down': { color: '#9b5de5', words: 'máy ghi ngừng' },
  disk: { color: '#9b5de5', words: 'ổ cứng không ghi được' },
  deleted: { color: '#39404d', words: 'đã xóa' },
  'removed-by-others': { color: '#e5179b', words: 'bị người khác xóa' },
  damaged: { color: '#f4a3d4', words: 'tệp hình hỏng' },
  'clock-set': { color: '#4dabf7', words: 'đồng hồ máy được chỉnh' },
  unknown: { color: '#8d6e63', words: 'chưa rõ' },
  settings: { color: '#22b8cf', words: 'đổi cài đặt camera' },
};
const kindOf = (cause: string) => KINDS[cause] ?? CAMERA;

/** Why something is missing, in few words; what ails a camera in its own. */
export const gapShortly = (cause: string): string => KINDS[cause]?.words ?? gapWords(cause);

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const STEPS = [MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 3 * HOUR];
const LONG_STEPS = [6 * HOUR, 12 * HOUR, 24 * HOUR];

/** Moments to mark on an axis, round ones in Vietnamese time, at most about a dozen. */
export function ticksOf({ startMs, endMs }: Range): number[] {
  const step = [...STEPS, ...LONG_STEPS].find((one) => (endMs - startMs) / one <= 12) ?? 24 * HOUR;
  const { hour, minute, second } = toVietnamTime(startMs);
  const midnight = startMs - hour * HOUR - minute * MINUTE - second * 1000 - (startMs % 1000);
  const first = midnight + Math.ceil((startMs - midnight) / step) * step;
  return Array.from({ length: Math.floor((endMs - first) / step) + 1 }, (_, i) => first + i * step);
}

interface BarBox {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** A bar of a stretch of time (SVG): green what is recorded, in the color of its cause what is not; held parts underlined. */
export function coverageBar(
  { recorded, gaps, held }: CoverageRow['coverage'],
  asked: Range,
  box: BarBox,
): string {
  const x = (ms: number) => box.left + ((ms - asked.startMs) / (asked.endMs - asked.startMs)) * box.width;
  const bar = ({ startMs, endMs }: Range, color: string, least = 0, top = box.top, height = box.height) => {
    const wide = Math.max(least, x(endMs) - x(startMs));
    return `<rect x="${x(startMs).toFixed(1)}" y="${top}" width="${wide.toFixed(1)}" height="${height}" fill="${color}"/>`;
  };
  return [
    bar(asked, '#1f2530'),
    ...recorded.map((one) => bar(one, RECORDED.color)),
    ...gaps.map((one) => bar(one, kindOf(one.cause).color, LEAST_PX)),
    ...held.map((one) => bar(one, HELD.color, LEAST_PX, box.top + box.height, 4)),
  ].join('');
}

/** What is recorded of a stretch of time, a line for each camera: colors say what is there and why something is not. */
export async function coveragePicture(title: string, asked: Range, rows: CoverageRow[]): Promise<Sheet> {
  const height = HEAD + rows.length * ROW + FOOT;
  const width = WIDTH - LEFT - RIGHT;
  const x = (ms: number) => LEFT + ((ms - asked.startMs) / (asked.endMs - asked.startMs)) * width;
  const days = asked.endMs - asked.startMs > 24 * HOUR;
  const axis = ticksOf(asked).map((ms) => {
    const midnight = toVietnamTime(ms).hour === 0 && toVietnamTime(ms).minute === 0;
    const day = days && midnight ? sayDate(ms).replace(/\/\d{4}$/, '') : null;
    const label = day ?? (midnight && ms === asked.endMs ? '24:00' : sayShortClock(ms));
    return `<line x1="${x(ms)}" y1="${HEAD - 8}" x2="${x(ms)}" y2="${height - FOOT}" stroke="#2c3340"/><text x="${x(ms)}" y="${HEAD - 16}" text-anchor="middle" font-size="15" fill="#b9c2d0">${label}</text>`;
  });
  const lines = rows.map(({ name, coverage }, i) => {
    const top = HEAD + i * ROW + (ROW - BAR) / 2;
    const bar = coverageBar(coverage, asked, { left: LEFT, top, width, height: BAR });
    return `${bar}<text x="16" y="${top + 18}" font-size="17" fill="#ffffff">${forXml(cut(name, 30))}</text>`;
  });
  const all = rows.flatMap(({ coverage }) => coverage);
  const used = [
    ...(all.some(({ recorded }) => recorded.length > 0) ? [RECORDED] : []),
    ...new Set(all.flatMap(({ gaps }) => gaps.map(({ cause }) => kindOf(cause)))),
    ...(all.some(({ held }) => held.length > 0) ? [HELD] : []),
  ];
  let at = 16;
  const legend = used.map(({ color, words }) => {
    const left = at;
    at += 44 + words.length * 9;
    return `<rect x="${left}" y="${height - 40}" width="18" height="18" fill="${color}"/><text x="${left + 26}" y="${height - 25}" font-size="16" fill="#b9c2d0">${words}</text>`;
  });
  const heading = `<text x="16" y="38" font-size="24" font-weight="700" fill="#ffffff">${forXml(title)}</text>`;
  const drawing = drawn(WIDTH, height, [heading, ...axis, ...lines, ...legend].join(''));
  const jpeg = await sheetOf(WIDTH, height, [drawing], 88);
  return { jpeg, width: WIDTH, height };
}
