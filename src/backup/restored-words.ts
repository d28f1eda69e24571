import { existsSync } from 'node:fs';
import { sayDuration, sayMoment } from '../base/vietnamese/say.js';
import type { Restored } from './restore.js';
import { ask } from './snapshot.js';

/** How much of everything is back. */
export interface Facts {
  cameras: number;
  people: number;
  donations: number;
  reports: number;
  audit: number;
  segments: number;
}

export async function readFacts(bot: string, recorder: string): Promise<Facts> {
  const count = async (file: string, from: string) =>
    existsSync(file) ? Number((await ask(file, `SELECT count(*) FROM ${from}`)) ?? 0) : 0;
  return {
    cameras: await count(recorder, 'Camera WHERE removedMs IS NULL'),
    segments: await count(recorder, 'Segment'),
    people: await count(bot, 'Person WHERE removedMs IS NULL'),
    donations: await count(bot, 'Donation'),
    reports: await count(bot, 'Report'),
    audit: await count(bot, 'Audit'),
  };
}

/** Vietnamese lines that say what is back and what is not. */
export function summarize(restored: Omit<Restored, 'summary'>, facts: Facts, nowMs: number): string[] {
  const { manifest, home, recordingsDir, files } = restored;
  const age = nowMs - manifest.createdMs;
  const originals = files.filter(({ path: name }) => name.startsWith('reports/')).length;
  const lines = [
    `Đã khôi phục vào ${home} từ bản sao lúc ${sayMoment(manifest.createdMs)}${age >= 60_000 ? ` (${sayDuration(age)} trước)` : ''}.`,
    '',
    'Đã có lại:',
    `  • ${facts.cameras} camera, ${facts.people} người, ${facts.donations} khoản ủng hộ, ${facts.reports} tin báo, ${facts.audit} dòng nhật ký`,
    `  • mục lục ${facts.segments} đoạn hình, cài đặt và khóa`,
  ];
  if (originals > 0) lines.push(`  • ${originals} ảnh, video gốc của tin báo`);
  lines.push('', 'Không có trong bản sao:');
  lines.push(
    existsSync(recordingsDir)
      ? `  • Hình đã ghi: đang nằm ở ${recordingsDir}. Khi chạy, máy ghi tự tìm lại mọi đoạn hình ở đó, kể cả đoạn ghi sau lúc sao lưu.`
      : `  • Hình đã ghi: không bao giờ nằm trong bản sao. Nếu ổ ghi hình cũ còn, hãy gắn vào ${recordingsDir} rồi mới chạy; máy ghi tự tìm lại mọi đoạn hình.`,
  );
  if (manifest.leftOut.includes('reports'))
    lines.push('  • Ảnh, video gốc của tin báo (bản sao này làm không có --with-reports).');
  lines.push(
    `  • Mọi thay đổi sau ${sayMoment(manifest.createdMs)}: người, ủng hộ thêm sau lúc đó phải nhập lại. Camera thêm, sửa, xóa sau lúc đó thì máy ghi đọc lại từ ổ ghi hình, bot nhận theo và báo cán bộ camera nào cần khai lại thôn, hộ.`,
  );
  if (restored.settled > 0)
    lines.push(
      `  • ${restored.settled} tin nhắn đang chờ lúc sao lưu: không gửi lại nữa, vì máy cũ đã xử lý sau đó.`,
    );
  if (restored.oldFolder !== null) lines.push('', `Dữ liệu có sẵn trước đây nằm ở ${restored.oldFolder}.`);
  if (restored.oldEnvFile !== null) lines.push(`Tệp .env cũ được giữ thành ${restored.oldEnvFile}.`);
  if (restored.settingsApart)
    lines.push(
      '',
      `Tệp .env ở đây được giữ nguyên. Cài đặt và khóa của bản sao nằm ở ${restored.envFile}: chép đè lên .env nếu muốn dùng.`,
    );
  if (restored.keysFit === false)
    lines.push(
      '',
      '! Khóa SECRET_KEY trong bản sao không mở được địa chỉ camera: phải thêm lại địa chỉ camera.',
    );
  lines.push('', 'Nếu máy cũ còn chạy, hãy tắt hẳn nó trước. Rồi gõ: npm start');
  return lines;
}
