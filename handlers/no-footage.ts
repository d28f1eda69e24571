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

/** The answer to a wish for a clip where nothing is recorded: why, and a button to the nearest that is. */
export async function noFootage(house: House, camera: Camera, asked: Range): Promise<Reply> {
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
  const clip = (label: string, startMs: number): Button[] => [
    { label, says: `clip ${camera.number} ${sayMoment(Math.ceil(startMs / 1000) * 1000)} trong 30 giây` },
  ];
  const buttons = [
    ...(lastMs !== null && lastMs - 30_000 > 0
      ? [clip(`Hình cuối trước đó (${sayClock(lastMs)})`, lastMs - 31_000)]
      : []),
    ...(nextMs === null ? [] : [clip(`Hình đầu tiên sau đó (${sayClock(nextMs)})`, nextMs)]),
    [{ label: 'Tình trạng camera', says: `camera ${camera.number}` }],
  ];
  return {
    kind: 'text',
    text: `Camera ${labelOf(camera)} không có hình lúc ${sayRange(asked.startMs, asked.endMs)}: ${why}.`,
    buttons,
  };
}
