import fs from 'node:fs/promises';
import path from 'node:path';
import { readHold } from '../../media/holds/read-hold.js';
import type { HoldsHealth } from '../../media/types.js';
import { broken, careful, type Finding, fine } from './finding.js';

/** Names of the holds' files that are no holds; none where the folder can't be looked into. Changes nothing. */
export async function spoiltHolds(recordingsDir: string): Promise<string[]> {
  const folder = path.join(recordingsDir, 'holds');
  const names = await fs.readdir(folder).catch(() => []);
  const spoilt: string[] = [];
  for (const name of names.sort()) {
    if (!name.endsWith('.json')) continue;
    const hold = readHold(await fs.readFile(path.join(folder, name), 'utf8').catch(() => ''));
    if (hold === null || `${hold.id}.json` !== name) spoilt.push(name);
  }
  return spoilt;
}

/** Whether it is known what may not be deleted. Pure. @param health of the running recorder; null: it does not run */
export function judgeHolds(health: HoldsHealth | null, spoilt: readonly string[]): Finding[] {
  const files = spoilt.map((name) => `holds/${name}`).join(', ');
  const facts = { spoilt, fault: health?.fault ?? null };
  if (health === null)
    return spoilt.length === 0
      ? []
      : [
          careful(
            'holds',
            `Có ${spoilt.length} tệp về các đoạn đang giữ không đọc được: ${files}.`,
            'Hãy chạy Mắt Thần (npm start): máy ghi viết lại tệp từ mục lục nếu mục lục còn. Rồi chạy lại npm run doctor.',
            facts,
          ),
        ];
  if (health.readable)
    return [fine('holds', `Danh sách các đoạn đang giữ đọc được (${health.holds} lượt giữ).`, facts)];
  return [
    broken(
      'holds',
      `Không đọc được danh sách các đoạn đang giữ${files === '' ? ' (thư mục holds trong thư mục ghi hình)' : `: ${files}`}. Để khỏi xóa nhầm, máy ghi không xóa đoạn cũ nào nữa; ổ đầy là ngừng ghi.`,
      files === ''
        ? 'Hãy xem ổ ghi hình còn cắm chặt không và tài khoản chạy Mắt Thần có quyền vào thư mục holds không. Đọc được là máy ghi tự chạy tiếp.'
        : 'Hãy chép lại tệp đó từ bản sao của ổ ghi hình nếu có. Không có thì hỏi cán bộ đã yêu cầu giữ đoạn nào, tạo lượt giữ mới cho đoạn ấy (media/README.md, mục Holds), rồi chuyển tệp hỏng ra ngoài thư mục holds; đừng xóa tệp. Trong một phút máy ghi tự chạy tiếp.',
      facts,
    ),
  ];
}
