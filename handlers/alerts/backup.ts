import { readBackupStatus } from '../../src/base/backup-status.js';
import { sayMoment } from '../../src/base/vietnamese/say.js';
import { readFact, writeFact } from '../../src/store/settings.js';
import type { House } from '../house.js';
import { tellOfficers } from './recipients.js';

interface Told {
  /** the failure that was told, by its beginning */
  failingSinceMs: number;
  /** that it works again was told too */
  okTold: boolean;
}

const TOLD = 'alerts.backup';
/** The place that was told to be no other disk. */
const SAME_DISK = 'alerts.backup-same-disk';

/** Says once each: the nightly backup fails, works again, lies on the very disk it shall save. */
export async function tellBackup(house: House): Promise<void> {
  const { db, settings } = house;
  const status = await readBackupStatus(settings.dataDir);
  if (status === null) return;
  const told = await readFact<Told>(db, TOLD);
  const say = async (key: string, text: string, next: Told) => {
    await tellOfficers(house, key, text);
    // told before it is marked: repeated after a crash, the outbox knows the key
    await writeFact(db, TOLD, next);
  };
  const since = status.failingSinceMs;
  if (since !== null && told?.failingSinceMs !== since) {
    const last =
      status.lastGoodMs === null
        ? 'Chưa có bản sao nào thành công.'
        : `Bản sao gần nhất còn dùng được: ${sayMoment(status.lastGoodMs)}.`;
    await say(
      `backup-failed:${since}`,
      `🟠 Sao lưu hằng đêm chưa làm được. ${status.sentence ?? ''}\n${last} Máy sẽ tự thử lại mỗi giờ.`,
      { failingSinceMs: since, okTold: false },
    );
  } else if (since === null && told !== null && !told.okTold)
    await say(
      `backup-ok:${told.failingSinceMs}`,
      `🟢 Sao lưu đã làm được trở lại lúc ${sayMoment(status.lastGoodMs ?? status.atMs)}.`,
      { ...told, okTold: true },
    );
  if (status.ok && status.sameDisk && (await readFact<string>(db, SAME_DISK)) !== status.place) {
    await tellOfficers(
      house,
      `backup-same-disk:${status.place}`,
      `🟠 Bản sao lưu hằng đêm đang nằm cùng ổ với dữ liệu (${status.place}): hỏng ổ là mất cả hai. Nhờ kỹ thuật viên cắm USB hoặc ổ khác, rồi đặt BACKUP_DIR sang đó.`,
    );
    await writeFact(db, SAME_DISK, status.place);
  }
}
