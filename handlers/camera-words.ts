import type { CameraInfo, ProbeResult } from '../media/types.js';
import { sayAgo } from '../src/base/vietnamese/say.js';
import type { Camera } from '../src/store/cameras.js';
import { causeWords } from './alerts/causes.js';
import { stepsByHand } from './alerts/moved.js';
import { fitWords } from './alerts/room.js';
import { since } from './alerts/words.js';

/** How a camera is, in words: "đang ghi", "mất hình từ 14:02:10, không kết nối được". */
export function stateWords(info: CameraInfo | undefined, nowMs: number): string {
  if (info === undefined) return 'chưa có trên máy ghi';
  switch (info.state) {
    case 'recording':
      return `đang ghi từ ${since(info.sinceMs, nowMs)}`;
    case 'starting':
      return 'đang kết nối';
    case 'off':
      return `đã tắt từ ${since(info.sinceMs, nowMs)}`;
    case 'down':
      return `mất hình từ ${since(info.sinceMs, nowMs)}, ${causeWords(info.cause).reason}`;
  }
}

export const stateMark = (info: CameraInfo | undefined): string =>
  info === undefined ? '⚪' : { recording: '🟢', starting: '🟡', down: '🔴', off: '⚪' }[info.state];

/** Everything about one camera that its keepers may know; the phone comes in opened, or null. */
export function detailWords(
  camera: Camera,
  info: CameraInfo | undefined,
  about: {
    technicians: string[];
    phone: string | null;
    retentionDays: number;
    /** what fits on the disk; null: all that was promised */
    fitDays: number | null;
    nowMs: number;
  },
): string {
  const place = camera.site;
  const days = info?.retentionDays ?? about.retentionDays;
  const spot =
    place?.latitude == null || place.longitude == null
      ? null
      : `https://maps.google.com/?q=${place.latitude},${place.longitude}`;
  const lines = [
    `${stateMark(info)} Camera ${camera.number} · ${camera.name}`,
    `Tình trạng: ${stateWords(info, about.nowMs)}`,
    info?.newestFrameMs == null ? null : `Hình mới nhất: ${sayAgo(info.newestFrameMs, about.nowMs)}`,
    `Thôn: ${camera.hamletName ?? 'chưa khai'}`,
    `Điểm lắp: ${place?.name ?? 'chưa khai'}`,
    spot === null ? null : `Bản đồ: ${spot}`,
    camera.householdName === null
      ? null
      : `Hộ gắn camera: ${camera.householdName}${about.phone === null ? '' : ` · ${about.phone}`}${camera.consentMs === null ? ' · chưa ghi đồng ý' : ` · đồng ý ${since(camera.consentMs, about.nowMs)}`}`,
    camera.line === null ? null : `Đường truyền: ${camera.line}`,
    camera.switch === null ? null : `Switch: ${camera.switch}`,
    about.technicians.length === 0 ? null : `Kỹ thuật viên: ${about.technicians.join(', ')}`,
    info?.width == null
      ? null
      : `Hình: ${info.width}×${info.height}, ${codecWords(info.codec)}${info.audio ? ', có tiếng' : ''}`,
    `Giữ hình: ${days} ngày${fitWords(days, about.fitDays)}`,
    info === undefined ? null : `Địa chỉ: ${info.address}`,
    info?.state === 'down' ? stepsByHand(info, camera) : null,
  ];
  return lines.filter((line) => line !== null).join('\n');
}

export const codecWords = (codec: string | null): string =>
  codec === null
    ? 'chưa rõ kiểu nén'
    : /^(hvc1|hev1|hevc)/.test(codec)
      ? 'H.265'
      : /^avc/.test(codec)
        ? 'H.264'
        : codec;

/** What to do about an address that gave no picture. */
export function probeWords(result: Extract<ProbeResult, { ok: false }>): string {
  switch (result.cause) {
    case 'bad-address':
      return 'Địa chỉ chưa đúng dạng. Địa chỉ thường như: rtsp://tên:mật-khẩu@192.168.1.20:554/…';
    case 'refused':
      return 'Camera có trả lời nhưng không nhận tên hoặc mật khẩu. Xin kiểm tra lại mật khẩu rồi gửi lại địa chỉ.';
    case 'unreachable':
      return 'Không kết nối được tới camera. Xin xem camera đã có điện, có mạng, và địa chỉ IP, cổng đã đúng chưa.';
    case 'not-found':
      return 'Camera có trả lời nhưng không có luồng hình ở đường dẫn này. Xin xem lại phần sau dấu / của địa chỉ.';
    case 'not-video':
      return 'Địa chỉ này không trả về hình H.264 hoặc H.265. Xin xem lại đường dẫn, hoặc đổi kiểu nén trong cài đặt camera.';
    case 'silent':
      return 'Camera nhận kết nối nhưng không gửi hình. Xin khởi động lại camera rồi thử lại.';
  }
}
