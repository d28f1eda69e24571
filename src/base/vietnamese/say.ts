import { toVietnamTime } from '../clock.js';

/** 0 Sunday … 6 Saturday, lower case. */
export const WEEKDAYS = ['chủ nhật', 'thứ hai', 'thứ ba', 'thứ tư', 'thứ năm', 'thứ sáu', 'thứ bảy'] as const;

const two = (value: number) => String(value).padStart(2, '0');

/** "14:30:05" */
export function sayClock(ms: number): string {
  const at = toVietnamTime(ms);
  return `${two(at.hour)}:${two(at.minute)}:${two(at.second)}`;
}

/** "14:30", with seconds only when there are any */
export function sayShortClock(ms: number): string {
  const clock = sayClock(ms);
  return clock.endsWith(':00') ? clock.slice(0, -3) : clock;
}

/** "21/11/2026" */
export function sayDate(ms: number): string {
  const at = toVietnamTime(ms);
  return `${at.day}/${at.month}/${at.year}`;
}

/** "thứ bảy 21/11/2026" */
export function sayDay(ms: number): string {
  return `${WEEKDAYS[toVietnamTime(ms).weekday]} ${sayDate(ms)}`;
}

/** "14:30:00, thứ bảy 21/11/2026" (epoch ms, Vietnam time) */
export function sayMoment(ms: number): string {
  return `${sayClock(ms)}, ${sayDay(ms)}`;
}

/**
 * "14:30:00–14:30:30, thứ bảy 21/11/2026"; across midnight both days are said:
 * "23:59:50, thứ sáu 20/11/2026 – 00:00:20, thứ bảy 21/11/2026". To the second, and readable by readSpan.
 */
export function sayRange(startMs: number, endMs: number): string {
  if (sayDate(startMs) === sayDate(endMs)) {
    return `${sayClock(startMs)}–${sayClock(endMs)}, ${sayDay(startMs)}`;
  }
  return `${sayMoment(startMs)} – ${sayMoment(endMs)}`;
}

/** "2 phút 5 giây", "1 giờ 30 phút", "2 ngày 3 giờ" (whole seconds; beyond a day: days and hours). */
export function sayDuration(ms: number): string {
  let seconds = Math.max(0, Math.round(ms / 1000));
  const days = Math.floor(seconds / 86_400);
  seconds -= days * 86_400;
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  const parts: string[] = [];
  if (days) parts.push(`${days} ngày`);
  if (hours) parts.push(`${hours} giờ`);
  if (!days && minutes) parts.push(`${minutes} phút`);
  if (!days && seconds % 60) parts.push(`${seconds % 60} giây`);
  return parts.join(' ') || '0 giây';
}

/** How long ago, in one unit: "vừa xong" (under 10 s), "45 giây trước", "10 phút trước", "3 ngày trước". */
export function sayAgo(thenMs: number, nowMs: number): string {
  const seconds = Math.max(0, Math.floor((nowMs - thenMs) / 1000));
  if (seconds < 10) return 'vừa xong';
  if (seconds < 60) return `${seconds} giây trước`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} phút trước`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} giờ trước`;
  return `${Math.floor(seconds / 86_400)} ngày trước`;
}
