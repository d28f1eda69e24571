import { fromVietnamTime } from '../../src/base/clock.js';
import { sayDate, sayDuration, sayMoment } from '../../src/base/vietnamese/say.js';
import { readSegmentName } from '../recording/names.js';
import type { Problem, ProblemKind, VerifyReport } from './report.js';

/** What a check found, in Vietnamese, for the person at the machine. */

const WHAT: Record<ProblemKind, string> = {
  'missing-file': 'Thiếu tệp (có ghi sổ, không có lệnh xóa)',
  'changed-file': 'Tệp đã bị thay đổi',
  'unknown-file': 'Tệp lạ, sổ không ghi',
  'bad-record': 'Dòng sổ bị hỏng, không đọc được',
  edited: 'Dòng sổ bị sửa, chữ ký không khớp',
  'unknown-key': 'Dòng sổ ký bằng khóa lạ',
  removed: 'Sổ bị mất dòng ở trước dòng này',
  order: 'Dòng sổ bị đảo, chép lặp hoặc chen vào',
  'foreign-chain': 'Sổ này chép từ camera, luồng hoặc ngày khác sang',
  torn: 'Dòng cuối của sổ bị đứt (mất điện lúc ghi, hoặc bị cắt)',
  'chain-missing': 'Mất cả quyển sổ',
  cut: 'Sổ bị cắt ngắn: trước đây đã có đến dòng này',
  'head-differs': 'Sổ không khớp với mã đã gửi hoặc đã lưu',
  'keys-missing': 'Mất tệp khóa công khai, không kiểm tra được chữ ký',
  'keys-damaged': 'Tệp khóa công khai bị sửa, không kiểm tra được chữ ký',
  unreadable: 'Không đọc được, chưa kiểm tra',
};

const whenOf = (segment: string) => {
  const named = readSegmentName(segment);
  return named === null ? '' : ` · camera ${named.cameraId}, ${sayMoment(named.startMs)}`;
};

/** One line for one problem. */
export function problemWords({ kind, path, line, segment }: Problem): string {
  const where = line === undefined ? path : `${path}, dòng ${line}`;
  const about = segment === undefined ? whenOf(path) : ` · ${segment}${whenOf(segment)}`;
  return `❌ ${WHAT[kind]}: ${where}${about}`;
}

const dots = (value: number) => String(value).replace(/\B(?=(\d{3})+(?!\d))/g, '.');
const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(bytes < 1e8 ? 3 : 1).replace('.', ',')} GB`;

/** "ngày 21/11/2026" for `2026-11-21`. */
export function sayDayName(day: string): string {
  const [year, month, date] = day.split('-').map(Number);
  return `ngày ${sayDate(fromVietnamTime(year!, month!, date!, 12))}`;
}

export interface Asked {
  content: boolean;
  head: boolean;
  camera: string | null;
  from: string | null;
  to: string | null;
  /** how long it took, ms */
  tookMs: number;
  hasHeads: boolean;
}

function scopeWords({ camera, from, to }: Asked): string {
  const days =
    from !== null && from === to
      ? sayDayName(from)
      : [from && `từ ${sayDayName(from)}`, to && `đến ${sayDayName(to)}`].filter(Boolean).join(' ');
  const words = [camera && `camera ${camera}`, days].filter(Boolean).join(', ');
  return words === '' ? '' : ` (${words})`;
}

/** The summary behind the problems. */
export function reportWords(report: VerifyReport, asked: Asked): string {
  const lines = [
    `Đã kiểm tra${scopeWords(asked)} ${dots(report.chains)} quyển sổ, ${dots(report.segments)} đoạn ghi, ${dots(report.files)} tệp còn giữ (${gigabytes(report.bytes)}), ${dots(report.deleted)} lần xóa có ghi sổ, trong ${sayDuration(Math.max(1000, asked.tookMs))}.`,
    asked.content
      ? `Đã đọc và so từng byte ${gigabytes(report.hashedBytes)}.`
      : 'Mới kiểm tra sổ, chữ ký và độ lớn từng tệp. Muốn so từng byte, thêm --content.',
  ];
  if (report.recovered + report.rebuilt > 0)
    lines.push(
      `${dots(report.recovered)} đoạn được cứu sau khi máy tắt đột ngột, ${dots(report.rebuilt)} đoạn ghi sổ muộn: các đoạn này được bảo đảm kể từ lúc ghi sổ, không phải từ lúc quay.`,
    );
  if (report.open > 0) lines.push(`${dots(report.open)} tệp đang ghi dở, chưa vào sổ.`);
  if (report.leftOver > 0) lines.push(`${dots(report.leftOver)} tệp đã ghi sổ xóa nhưng vẫn còn trên ổ.`);
  if (report.unprotected > 0)
    lines.push(`${dots(report.unprotected)} tệp có từ trước khi lập sổ: không có gì bảo đảm cho chúng.`);
  for (const { key, sinceMs } of report.keys) lines.push(`Khóa ký ${key}, dùng từ ${sayMoment(sinceMs)}.`);
  if (asked.head)
    lines.push(
      report.head === null
        ? '❌ Mã của ngày KHÔNG khớp mã đã gửi vào nhóm.'
        : '✅ Mã của ngày khớp mã đã gửi vào nhóm.',
    );
  else if (!asked.hasHeads)
    lines.push(
      'Chưa so với mã đã gửi vào nhóm cán bộ. Muốn chắc chắn sổ không bị lập lại, thêm --day và --head với mã trong nhóm.',
    );
  if (report.wrong > 0)
    lines.push(`❌ Có ${dots(report.wrong)} chỗ sai. Hãy giữ nguyên ổ đĩa và báo trưởng công an.`);
  else if (report.unreadable > 0)
    lines.push(`⚠️ Có ${dots(report.unreadable)} chỗ không đọc được nên chưa kiểm tra hết.`);
  else lines.push('✅ Không phát hiện sai sót nào.');
  return lines.join('\n');
}

export const HELP = `Kiểm tra bản ghi hình có bị sửa, bị mất hay bị thêm vào không.
  npm run verify-recordings -- [tùy chọn]
  --camera cam1         chỉ một camera
  --from 2026-11-01     từ ngày (giờ Việt Nam)
  --to 2026-11-30       đến ngày
  --day 2026-11-21      đúng một ngày
  --head <mã>           so với mã của ngày đã gửi vào nhóm cán bộ (cần --day)
  --content             đọc và so từng byte (lâu), không chỉ độ lớn
  --recordings <mục>    thư mục ghi hình hoặc bản chép của nó
  --data <mục>          thư mục dữ liệu, để so với mã cuối đã lưu ở đó
  --json                in kết quả cho chương trình
Kết thúc bằng 0: đúng cả · 1: có chỗ sai · 2: chưa kiểm tra được.`;
