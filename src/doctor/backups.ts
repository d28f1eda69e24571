import type { BackupStatus } from '../base/backup-status.js';
import { DAY_MS } from '../base/clock.js';
import type { Config } from '../base/config.js';
import { sayAgo, sayMoment } from '../base/vietnamese/say.js';
import { broken, careful, type Finding, fine } from './finding.js';

/** A night that was missed is made up for; two are a fault, ms. */
const LATE_MS = 2 * DAY_MS;

/** Is there a backup, is it new, and does it lie on another disk? Pure. @param status null: none was ever tried */
export function judgeBackups(
  { backup, demo }: Pick<Config, 'backup' | 'demo'>,
  status: BackupStatus | null,
  nowMs: number,
): Finding {
  const check = 'backup';
  if (backup.dir === null)
    return demo
      ? fine(check, 'Sao lưu hằng đêm: chưa đặt, bản dùng thử không cần.')
      : careful(
          check,
          'Chưa đặt sao lưu hằng đêm: hỏng máy là mất danh sách camera, người, ủng hộ và khóa.',
          'Hãy cắm USB hoặc ổ thứ hai, đặt BACKUP_DIR và BACKUP_PASSPHRASE trong .env rồi khởi động lại.',
        );
  if (status === null)
    return careful(
      check,
      `Sao lưu hằng đêm vào ${backup.dir}: chưa có bản nào.`,
      'Hãy để máy chạy qua đêm, hoặc làm ngay một bản: npm run backup',
    );
  const { lastGoodMs, sentence, sameDisk } = status;
  const facts = { lastGoodMs, ok: status.ok, sameDisk };
  const last =
    lastGoodMs === null ? 'chưa có bản nào thành công' : `bản tốt gần nhất ${sayMoment(lastGoodMs)}`;
  if (!status.ok)
    return broken(
      check,
      `Sao lưu hằng đêm chưa làm được (${last}).`,
      sentence ?? 'Hãy chạy: npm run backup',
      facts,
    );
  if (lastGoodMs !== null && nowMs - lastGoodMs > LATE_MS)
    return broken(
      check,
      `Đã lâu không sao lưu: ${last}.`,
      'Hãy xem Mắt Thần có đang chạy không, rồi làm ngay một bản: npm run backup',
      facts,
    );
  if (sameDisk)
    return careful(
      check,
      `Sao lưu hằng đêm đang nằm cùng ổ với dữ liệu (${backup.dir}): hỏng ổ là mất cả hai.`,
      'Hãy cắm USB hoặc ổ khác và đặt BACKUP_DIR sang đó.',
      facts,
    );
  return fine(check, `Sao lưu hằng đêm: ${last} (${sayAgo(lastGoodMs ?? nowMs, nowMs)}).`, facts);
}
