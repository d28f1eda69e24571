import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { toVietnamTime } from '../base/clock.js';
import { sayAgo, sayDuration, sayMoment } from '../base/vietnamese/say.js';
import { broken, careful, type Finding, fine } from './finding.js';

export interface ClockFacts {
  nowMs: number;
  /** the newest thing recorded or noted; null: nothing yet */
  newestMs: number | null;
  /** how far our clock is ahead of the network's, ms; null: nobody told the time */
  aheadMs: number | null;
  /** systemd: is the clock kept by the network? null: not told */
  synchronized: boolean | null;
}

const SET =
  'Hãy bật tự chỉnh giờ: sudo timedatectl set-ntp true; nếu cúp điện là sai giờ thì thay pin trên bo mạch chủ.';

/** Recordings are stamped by this clock: is it right? Pure. */
export function judgeClock({ nowMs, newestMs, aheadMs, synchronized }: ClockFacts): Finding {
  const check = 'clock';
  const facts = { newestMs, aheadMs, synchronized };
  const now = sayMoment(nowMs);
  if (aheadMs !== null && Math.abs(aheadMs) > 60_000)
    return broken(
      check,
      `Đồng hồ máy (${now}) ${aheadMs > 0 ? 'nhanh' : 'chậm'} ${sayDuration(Math.abs(aheadMs))} so với giờ trên mạng: hình ghi ra sẽ sai giờ.`,
      SET,
      facts,
    );
  if (toVietnamTime(nowMs).year < 2026)
    return broken(check, `Đồng hồ máy chỉ ${now}, chắc chắn sai.`, SET, facts);
  if (newestMs !== null && newestMs - nowMs > 5 * 60_000)
    return broken(
      check,
      `Đồng hồ máy chỉ ${now}, nhưng lần ghi gần nhất lại là ${sayMoment(newestMs)}: đồng hồ đã bị lùi, hoặc trước đó chạy nhanh.`,
      SET,
      facts,
    );
  if (aheadMs !== null && Math.abs(aheadMs) > 5000)
    return careful(
      check,
      `Đồng hồ máy ${aheadMs > 0 ? 'nhanh' : 'chậm'} ${sayDuration(Math.abs(aheadMs))} so với giờ trên mạng.`,
      SET,
      facts,
    );
  if (synchronized === false)
    return careful(
      check,
      `Đồng hồ máy: ${now}${aheadMs === null ? '' : ', đúng với giờ trên mạng'}, nhưng chưa tự chỉnh theo mạng nên sẽ lệch dần.`,
      SET,
      facts,
    );
  const last = newestMs === null || newestMs > nowMs ? '' : ` Lần ghi gần nhất: ${sayAgo(newestMs, nowMs)}.`;
  const checked = aheadMs === null ? ' (không hỏi được giờ trên mạng để so)' : ', đúng với giờ trên mạng';
  return fine(check, `Đồng hồ máy: ${now} giờ Việt Nam${checked}.${last}`, facts);
}

/** What systemd says of the clock; null where it can't be asked. */
export async function askSystemd(): Promise<boolean | null> {
  try {
    const { stdout } = await promisify(execFile)('timedatectl', ['show', '-p', 'NTPSynchronized'], {
      timeout: 4000,
    });
    const said = /NTPSynchronized=(yes|no)/.exec(stdout)?.[1];
    return said === undefined ? null : said === 'yes';
  } catch {
    return null;
  }
}
