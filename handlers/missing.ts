import type { Coverage } from '../media/types.js';
import { sayDuration, sayRange } from '../src/base/vietnamese/say.js';
import { gapWords } from './alerts/causes.js';

const GAPS_TOLD = 8;

/** What is missing, a line each: when, how long, why. */
export function missingLines(gaps: Coverage['gaps']): string[] {
  const more = gaps.length - GAPS_TOLD;
  return [
    ...gaps
      .slice(0, GAPS_TOLD)
      .map(
        ({ startMs, endMs, cause }) =>
          `Thiếu ${sayRange(startMs, endMs)} (${sayDuration(endMs - startMs)}): ${gapWords(cause)}`,
      ),
    ...(more > 0 ? [`… và ${more} đoạn thiếu nữa`] : []),
  ];
}

/** Where the clock of the machine was set back: which recording (from 0) of the same time this is. */
export const recordedAgain = (time: string, index: number, of: number): string =>
  `Đồng hồ máy ghi từng bị chỉnh lùi nên ${time} được ghi ${of} lần. Đây là bản ghi lần ${index + 1}.`;
