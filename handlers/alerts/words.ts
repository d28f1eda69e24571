import { toVietnamTime } from '../../src/base/clock.js';
import { sayClock, sayDuration, sayMoment } from '../../src/base/vietnamese/say.js';
import type { Camera } from '../../src/store/cameras.js';
import type { Outage } from '../../src/store/outages.js';
import { causeWords } from './causes.js';

export interface TellableOutage {
  outage: Outage;
  camera: Camera;
}

const sameDay = (a: number, b: number) => {
  const [x, y] = [toVietnamTime(a), toVietnamTime(b)];
  return x.year === y.year && x.month === y.month && x.day === y.day;
};

/** "14:02:10", with the day when it is not today's. */
export const since = (ms: number, nowMs: number) => (sameDay(ms, nowMs) ? sayClock(ms) : sayMoment(ms));

/** "Camera 5 Cổng chợ (thôn 1)" */
export const called = (camera: Camera) =>
  `Camera ${camera.number} ${camera.name}${camera.hamletName === null ? '' : ` (${camera.hamletName})`}`;

function whom(camera: Camera): string {
  const lines = [
    camera.householdName === null ? null : `Hộ gắn camera: ${camera.householdName}`,
    camera.line === null ? null : `Đường truyền: ${camera.line}`,
    camera.switch === null ? null : `Switch: ${camera.switch}`,
  ].filter((line) => line !== null);
  return lines.length === 0 ? '' : `\n${lines.join('\n')}`;
}

export function downWords({ outage, camera }: TellableOutage, nowMs: number): string {
  const { reason, hint } = causeWords(outage.reason);
  return `🔴 ${called(camera)} mất hình từ ${since(outage.sinceMs, nowMs)}: ${reason}.${whom(camera)}${hint === null ? '' : `\n${hint}`}`;
}

export function backWords({ outage, camera }: TellableOutage): string {
  const backMs = outage.backMs ?? outage.sinceMs;
  return `🟢 ${called(camera)} đã có hình trở lại lúc ${sayClock(backMs)}, mất ${sayDuration(backMs - outage.sinceMs)}.`;
}

export function pastWords({ outage, camera }: TellableOutage, nowMs: number): string {
  const backMs = outage.backMs ?? outage.sinceMs;
  return `🟡 ${called(camera)} đã mất hình từ ${since(outage.sinceMs, nowMs)} đến ${since(backMs, nowMs)} (${sayDuration(backMs - outage.sinceMs)}): ${causeWords(outage.reason).reason}. Bây giờ đã có hình.`;
}

export function floodWords(outages: TellableOutage[], nowMs: number): string {
  const lines = outages.map(
    ({ outage, camera }) =>
      `• ${called(camera)}, từ ${since(outage.sinceMs, nowMs)}: ${causeWords(outage.reason).reason}`,
  );
  return `🔴 ${outages.length} camera cùng mất hình:\n${lines.join('\n')}\nNhiều camera cùng lúc thường do mất điện hoặc đứt mạng một khu. Hãy kiểm tra đường truyền chung trước.`;
}

export function floodBackWords(outages: TellableOutage[]): string {
  const lines = outages.map(
    ({ outage, camera }) =>
      `• ${called(camera)}, mất ${sayDuration((outage.backMs ?? outage.sinceMs) - outage.sinceMs)}`,
  );
  return `🟢 ${outages.length} camera đã có hình trở lại:\n${lines.join('\n')}`;
}

export const flapWords = (camera: Camera, times: number) =>
  `🟡 ${called(camera)} chập chờn: ${times} lần mất hình trong một giờ qua. Em tạm thôi báo từng lần, và sẽ báo khi camera ổn định 30 phút hoặc mất hẳn.\nThường do dây mạng lỏng, wifi yếu hoặc nguồn điện kém.`;

export const steadyWords = (camera: Camera) =>
  `🟢 ${called(camera)} đã ổn định trở lại, 30 phút nay không mất hình.`;

export const recorderAwayWords = (sinceMs: number, nowMs: number) =>
  `🔴 Máy ghi không trả lời từ ${since(sinceMs, nowMs)}. Lúc này không xem được hình và có thể không ghi được.\nHãy xem máy chủ còn bật không, rồi khởi động lại Mắt Thần.`;

export const recorderBackWords = (sinceMs: number, backMs: number) =>
  `🟢 Máy ghi đã chạy lại, sau ${sayDuration(backMs - sinceMs)}.`;

const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1).replace('.', ',')} GB`;

export const diskLowWords = (freeBytes: number, totalBytes: number) =>
  `🟠 Ổ cứng ghi hình sắp đầy: còn ${gigabytes(freeBytes)}${totalBytes > 0 ? ` trên ${gigabytes(totalBytes)}` : ''}. Các đoạn cũ nhất sẽ bị xóa sớm hơn hạn. Hãy dọn bớt hoặc gắn thêm ổ.`;

/** The machine's clock was set: what that means for who looks for footage by the clock. */
export const clockSetWords = (fromMs: number, toMs: number) =>
  toMs > fromMs
    ? `🟠 Đồng hồ máy ghi hình vừa được chỉnh nhanh lên ${sayDuration(toMs - fromMs)}: từ ${sayMoment(fromMs)} thành ${sayMoment(toMs)}. Hình không mất, nhưng không có giờ nào ở giữa. Trước lúc đó giờ trên hình có thể chậm hơn giờ thật.`
    : `🟠 Đồng hồ máy ghi hình vừa bị chỉnh lùi ${sayDuration(fromMs - toMs)}: từ ${sayMoment(fromMs)} về ${sayMoment(toMs)}. Hình không mất: khoảng giờ ấy được ghi hai lần, khi lấy clip em gửi cả hai bản. Nhờ kỹ thuật viên xem lại đồng hồ máy có đúng không.`;

export const diskOkWords = (freeBytes: number) =>
  `🟢 Ổ cứng ghi hình đã có chỗ trở lại: còn ${gigabytes(freeBytes)}.`;
