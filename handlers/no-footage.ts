import type { Coverage, Range } from '../media/types.js';
import { DAY_MS } from '../src/base/clock.js';
import { sayClock, sayMoment, sayRange } from '../src/base/vietnamese/say.js';
import type { Button, Reply } from '../src/chat/message.js';
import type { Camera } from '../src/store/cameras.js';
import { gapWords } from './alerts/causes.js';
import { labelOf } from './camera-asked.js';
import type { House } from './house.js';

/** What is known around a range in which nothing is recorded; epoch ms. */
export interface Around {
  nowMs: number;
  retentionDays: number;
  gaps: Coverage['gaps'];
  /** by the list there are recordings in the range: what is there can't be read */
  listed: boolean;
  /** is there anything recorded before the range? */
  before: boolean;
  /** where the recording goes on after the range; null where nothing follows */
  nextMs: number | null;
}

const UNREADABLE =
  'đã ghi được, nhưng tệp hình không đọc được: đã hỏng hoặc vừa bị xóa khỏi ổ cứng; hãy báo kỹ thuật viên kiểm tra ổ cứng';

/** Pure: why there is nothing, as far as it is known; begins in lower case. */
export function whyNothing(asked: Range, around: Around): string {
  const { gaps, listed, nowMs, retentionDays, before, nextMs } = around;
  const lost = gaps.filter(({ cause }) => cause === 'removed-by-others' || cause === 'damaged');
  if (lost.length > 0 || listed)
    return [...new Set([...lost.map(({ cause }) => gapWords(cause)), ...(listed ? [UNREADABLE] : [])])].join(
      '; ',
    );
  if (nowMs - asked.startMs > retentionDays * DAY_MS)
    return `hình chỉ giữ ${retentionDays} ngày, đoạn này đã hết hạn lưu`;
  if (gaps.some((gap) => gap.cause === 'deleted'))
    return 'đoạn này không còn, đã được xóa để lấy chỗ ghi hình mới';
  const known = [...new Set(gaps.filter((gap) => gap.cause !== 'unknown').map((gap) => gapWords(gap.cause)))];
  if (!before && nextMs !== null) return `lúc đó camera chưa bắt đầu ghi. Hình có từ ${sayMoment(nextMs)}`;
  if (!before) return known.length > 0 ? known.join('; ') : 'camera này chưa ghi được hình nào';
  return known.length > 0 ? known.join('; ') : gapWords('unknown');
}

/** What is wished to be seen: a clip, one picture, or an overview. */
export type Look = 'clip' | 'ảnh' | 'xem';

const OVERVIEW_MS = 600_000;

/** Texts that show what is nearest: the last before, and the first after. */
const NEAREST: Record<Look, { last: (ms: number) => string; first: (ms: number) => string }> = {
  clip: {
    last: (ms) => `${sayMoment(secondFrom(ms - 31_000))} trong 30 giây`,
    first: (ms) => `${sayMoment(secondFrom(ms))} trong 30 giây`,
  },
  ảnh: {
    last: (ms) => `lúc ${sayMoment(secondFrom(ms) - 1000)}`,
    first: (ms) => `lúc ${sayMoment(secondFrom(ms))}`,
  },
  xem: {
    last: (ms) => sayRange(secondFrom(ms) - OVERVIEW_MS, secondFrom(ms)),
    first: (ms) => sayRange(secondFrom(ms), secondFrom(ms) + OVERVIEW_MS),
  },
};

const secondFrom = (ms: number) => Math.ceil(ms / 1000) * 1000;

/** The answer to a wish to see what is not recorded: why, and buttons to the nearest that is. */
export async function noFootage(
  house: House,
  camera: Camera,
  asked: Range,
  look: Look = 'clip',
): Promise<Reply> {
  const id = camera.recorderId;
  const nowMs = house.clock.now();
  const info = await house.recorder.camera(id);
  const retentionDays = info.retentionDays ?? house.settings.retentionDays;
  const { gaps, recorded } = await house.recorder.coverage(id, asked);
  const after = await house.recorder.coverage(id, {
    startMs: asked.endMs,
    endMs: Math.max(nowMs, asked.endMs + 1),
  });
  const oldest = Math.min(asked.startMs - 1, nowMs - (retentionDays + 1) * DAY_MS);
  const earlier = await house.recorder.coverage(id, { startMs: oldest, endMs: asked.startMs });
  const nextMs = after.recorded[0]?.startMs ?? null;
  const lastMs = earlier.recorded.at(-1)?.endMs ?? null;
  const around = { nowMs, retentionDays, gaps, listed: recorded.length > 0 };
  const why = whyNothing(asked, { ...around, before: lastMs !== null, nextMs });
  const button = (label: string, time: string): Button[] => [
    { label, says: `${look} ${camera.number} ${time}` },
  ];
  const buttons = [
    ...(lastMs !== null && lastMs - 30_000 > 0
      ? [button(`Hình cuối trước đó (${sayClock(lastMs)})`, NEAREST[look].last(lastMs))]
      : []),
    ...(nextMs === null
      ? []
      : [button(`Hình đầu tiên sau đó (${sayClock(nextMs)})`, NEAREST[look].first(nextMs))]),
    [{ label: 'Tình trạng camera', says: `camera ${camera.number}` }],
  ];
  const when = look === 'ảnh' ? sayMoment(asked.startMs) : sayRange(asked.startMs, asked.endMs);
  return {
    kind: 'text',
    text: `Camera ${labelOf(camera)} không có hình lúc ${when}: ${why}.`,
    buttons,
  };
}
