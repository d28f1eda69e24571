import fs from 'node:fs/promises';
import path from 'node:path';
import { DAY_MS } from '../src/base/clock.js';
import { pruneExpired } from '../src/store/prune.js';
import { tellBackup } from './alerts/backup.js';
import { tellDayDigest } from './alerts/day-digest.js';
import { tellRoom } from './alerts/room.js';
import { settleMembers } from './group-members.js';
import type { House } from './house.js';
import { forwardAlbums } from './reports/album.js';
import { fetchLateFiles } from './reports/late-files.js';

/** Something the clock sets off. Lines are cron's, in Asia/Ho_Chi_Minh. */
export interface Job {
  name: string;
  cron: string;
  /** what it is for, for the README */
  about: string;
  run(house: House): Promise<void>;
}

/** Answered messages are kept so long, days. */
const QUEUE_DAYS = 14;
/** Files of a report that no row names are what a crash left; they go after this time, ms. */
const ORPHAN_MS = 2 * DAY_MS;

export const JOBS: Job[] = [
  {
    name: 'forward-albums',
    cron: '* * * * *',
    about: 'Chuyển nốt các album tin báo còn lại sau khi máy bị tắt đột ngột',
    run: forwardAlbums,
  },
  {
    name: 'fetch-late-files',
    cron: '* * * * *',
    about: 'Tải tiếp các tệp của tin báo mà kênh chat chưa đưa được lúc tin đến',
    run: fetchLateFiles,
  },
  {
    name: 'settle-members',
    cron: '* * * * *',
    about:
      'Đưa người vừa thôi quyền ra khỏi nhóm cán bộ, mời cán bộ mới vào, thử lại khi kênh chat chưa làm được',
    run: settleMembers,
  },
  {
    name: 'tell-backup',
    cron: '* * * * *',
    about: 'Báo cán bộ một lần khi sao lưu hằng đêm không được, và một lần khi được trở lại',
    run: tellBackup,
  },
  {
    name: 'tell-day-digest',
    cron: '*/15 * * * *',
    about: 'Sau nửa đêm, gửi nhóm cán bộ mã niêm phong bản ghi hình của ngày vừa qua, mỗi ngày một lần',
    run: tellDayDigest,
  },
  {
    name: 'tell-room',
    cron: '5 8 * * *',
    about: 'Báo cán bộ khi ổ ghi hình không giữ đủ số ngày đã đặt, khi đổi nhiều, và khi đủ trở lại',
    run: tellRoom,
  },
  {
    name: 'prune-queues',
    cron: '20 3 * * *',
    about: 'Quên các tin đã trả lời xong từ 14 ngày trước',
    run: async (house) => void (await house.pruneQueues(QUEUE_DAYS)),
  },
  {
    name: 'prune-expired',
    cron: '30 3 * * *',
    about: 'Dọn đường dẫn, phiên đăng nhập, câu hỏi đã hết hạn',
    run: (house) => pruneExpired(house.db, house.clock.now()),
  },
  {
    name: 'prune-report-leftovers',
    cron: '40 3 * * *',
    about: 'Dọn thư mục rỗng và tệp dở dang của tin báo',
    run: (house) => sweepReports(path.join(house.settings.dataDir, 'reports'), house.clock.now() - ORPHAN_MS),
  },
];

/** Removes half-fetched files older than `beforeMs`, and folders left empty. */
async function sweepReports(dir: string, beforeMs: number): Promise<void> {
  const entries = await fs.readdir(dir, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    const inside = path.join(dir, entry.name);
    if (entry.isDirectory()) {
      await sweepReports(inside, beforeMs);
      const { mtimeMs } = await fs.stat(inside);
      if (mtimeMs < beforeMs && (await fs.readdir(inside)).length === 0) await fs.rmdir(inside);
    } else if (entry.name.endsWith('.part') && (await fs.stat(inside)).mtimeMs < beforeMs)
      await fs.rm(inside, { force: true });
  }
}
