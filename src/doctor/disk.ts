import { randomBytes } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { POWER_CUT_MS } from '../../media/recording/disk.js';
import { type DiskKind, spins } from '../../media/recording/disk-kind.js';
import { type Account, accountName } from './accounts.js';
import { broken, careful, type Finding, fine, sayNumber, saySize } from './finding.js';

/** The folder itself, or the nearest one above it that is there. */
export async function nearestFolder(folder: string): Promise<string> {
  for (let at = folder; ; at = path.dirname(at)) {
    const there = await fs.stat(at).then(
      (stat) => stat.isDirectory(),
      () => false,
    );
    if (there || path.dirname(at) === at) return at;
  }
}

/** Opens a file that is gone with its handle, however this process ends. */
async function openVanishing(folder: string): Promise<fs.FileHandle> {
  const file = path.join(folder, `.kham-may-${process.pid}-${randomBytes(4).toString('hex')}`);
  const handle = await fs.open(file, 'wx', 0o600);
  try {
    await fs.unlink(file);
  } catch (error) {
    await handle.close();
    await fs.rm(file, { force: true });
    throw error;
  }
  return handle;
}

export interface FolderOptions {
  check: string;
  /** Vietnamese, as it begins a sentence: "Thư mục dữ liệu" */
  called: string;
  folder: string;
  /** the account that the installed service runs as; null: none installed */
  serviceUser: string | null;
  me: Account;
  /** recordings there should be in it, bytes; 0: it may well be missing */
  expectedBytes?: number;
}

/** Can it be written, and by whom? */
export async function checkFolder(options: FolderOptions): Promise<Finding> {
  const { check, called, folder, serviceUser, me, expectedBytes = 0 } = options;
  const stat = await fs.stat(folder).catch((error: NodeJS.ErrnoException) => error);
  if (stat instanceof Error && (stat.code === 'EACCES' || stat.code === 'EPERM'))
    return broken(
      check,
      `${called} ${folder}: tài khoản ${me.name} không được phép vào.`,
      'Hãy chạy lại bằng tài khoản đang chạy Mắt Thần, hoặc: sudo npm run doctor',
    );
  if (stat instanceof Error && stat.code !== 'ENOENT')
    return broken(
      check,
      `${called} ${folder} không mở được${stat.code === 'ENOTDIR' ? ': trên đường dẫn có một tệp chứ không phải thư mục' : ''}.`,
      'Hãy sửa lại đường dẫn trong .env, hoặc xem quyền của các thư mục phía trên.',
    );
  if (stat instanceof Error && expectedBytes > 0)
    return broken(
      check,
      `Không thấy ${called.toLowerCase()} ${folder}, trong khi mục lục còn ghi ${saySize(expectedBytes)} hình ở đó.`,
      'Có lẽ ổ ghi hình chưa được cắm hoặc chưa được gắn: hãy xem dây cắm, dòng của ổ trong /etc/fstab, rồi khởi động lại máy.',
    );
  if (!(stat instanceof Error) && !stat.isDirectory())
    return broken(
      check,
      `${called} ${folder} là một tệp, không phải thư mục.`,
      'Hãy đổi tên tệp đó, hoặc đặt thư mục khác trong .env (DATA_DIR, RECORDINGS_DIR).',
    );
  const at = stat instanceof Error ? await nearestFolder(folder) : folder;
  const fault = await openVanishing(at).then(
    (handle) => handle.close().then(() => null),
    (error: NodeJS.ErrnoException) => error.code ?? 'unknown',
  );
  const full = fault === 'ENOSPC' || fault === 'EDQUOT';
  if (full)
    return broken(
      check,
      `${called} ${folder}: ổ đĩa đã đầy, không ghi thêm được.`,
      'Hãy xóa bớt tệp trên ổ đó, hoặc gắn thêm ổ.',
    );
  if (fault === 'EROFS')
    return broken(
      check,
      `${called} ${folder}: ổ đĩa đang ở chế độ chỉ đọc.`,
      'Ổ có thể bị lỗi hoặc rút đột ngột: hãy khởi động lại máy; nếu vẫn vậy, nhờ kỹ thuật viên kiểm tra ổ.',
    );
  if (fault === 'EIO')
    return broken(
      check,
      `${called} ${folder}: ổ đĩa báo lỗi khi ghi.`,
      'Hãy kiểm tra dây cắm và thay ổ; chép ngay những gì cần giữ.',
    );
  const owner = await accountName((stat instanceof Error ? await fs.stat(at) : stat).uid);
  if (fault !== null) {
    const mine = serviceUser ?? me.name;
    const chown = `sudo chown -R ${mine} '${at}'`;
    return broken(
      check,
      `${called} ${folder}: tài khoản ${me.name} không ghi được (thư mục thuộc tài khoản ${owner}).`,
      // whoever runs this may be the wrong account: taking the folder away from the right one would stop it
      owner === mine
        ? `Hãy chạy: chmod u+rwx '${at}'`
        : `Nếu Mắt Thần vẫn chạy bằng tài khoản ${owner}, hãy chạy lại bằng tài khoản đó; nếu bằng ${mine}, hãy chạy: ${chown}`,
      { error: fault },
    );
  }
  if (stat instanceof Error) return fine(check, `${called} ${folder}: chưa có, sẽ được tạo ở lần chạy đầu.`);
  if (serviceUser !== null && serviceUser !== owner && serviceUser !== 'root')
    return broken(
      check,
      `${called} ${folder} thuộc tài khoản ${owner}, còn dịch vụ chạy bằng tài khoản ${serviceUser}.`,
      `Hãy chạy: sudo chown -R ${serviceUser} '${folder}'`,
    );
  return fine(check, `${called} ${folder}: ghi được (thuộc tài khoản ${owner}).`, { folder, owner });
}

export interface Speed {
  /** written and made durable, bytes a second */
  bytesPerSecond: number;
  /** to make one small write durable: the 95th of a hundred, ms */
  syncP95Ms: number;
  syncs: number;
}

const PIECE = 1024 * 1024;
const SMALL = 64 * 1024;

/** Writes a few megabytes and makes them durable; leaves nothing behind. Ends early on a slow disk, after `limitMs`. */
export async function measureSpeed(
  folder: string,
  { megabytes = 16, syncs = 40, limitMs = 5000 } = {},
): Promise<Speed> {
  const handle = await openVanishing(folder);
  try {
    const begun = performance.now();
    const left = () => limitMs - (performance.now() - begun);
    const piece = randomBytes(PIECE);
    let written = 0;
    while (written < megabytes && (written === 0 || left() > limitMs / 2)) {
      await handle.write(piece, 0, PIECE, written * PIECE);
      written += 1;
      // as the recorder does: what is left in memory would make the figure a lie
      if (written % 4 === 0 || written === megabytes) await handle.datasync();
    }
    await handle.datasync();
    const seconds = (performance.now() - begun) / 1000;
    const took: number[] = [];
    while (took.length < syncs && (took.length < 3 || left() > 0)) {
      await handle.write(piece, 0, SMALL, (written + 1) * PIECE + took.length * SMALL);
      const at = performance.now();
      await handle.datasync();
      took.push(performance.now() - at);
    }
    return {
      bytesPerSecond: (written * PIECE) / seconds,
      syncP95Ms: percentile(took, 0.95),
      syncs: took.length,
    };
  } finally {
    await handle.close();
  }
}

/** The value that `share` of all are not above. Pure. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(sorted.length * share) - 1))] ?? 0;
}

/** Is the disk fast enough for these cameras? Pure. @param spinning as the kernel says; null: not told */
export function judgeSpeed(speed: Speed, bytesADay: number, spinning: boolean | null): Finding {
  const needed = bytesADay / 86_400;
  const rate = `${sayNumber(speed.bytesPerSecond / 1e6, 0)} MB mỗi giây`;
  const wait = `${sayNumber(speed.syncP95Ms, speed.syncP95Ms < 10 ? 1 : 0)} ms`;
  const facts = { ...speed, neededBytesPerSecond: needed, spinning };
  if (needed > 0 && speed.bytesPerSecond < needed * 1.5)
    return broken(
      'disk-speed',
      `Ổ ghi hình quá chậm: ghi được ${rate}, các camera cần khoảng ${sayNumber(needed / 1e6)} MB mỗi giây.`,
      'Hãy ghi vào ổ khác nhanh hơn (SSD, hoặc ổ cứng chuyên cho camera), hoặc giảm chất lượng hình trong camera.',
      facts,
    );
  if (speed.syncP95Ms > 1000)
    return broken(
      'disk-speed',
      `Ổ ghi hình có lúc đứng hơn một giây (${wait}) mỗi lần chốt dữ liệu: hình có thể bị mất từng đoạn.`,
      'Ổ có thể sắp hỏng hoặc là thẻ nhớ, USB chậm: hãy thay bằng SSD hay ổ cứng chuyên cho camera.',
      facts,
    );
  if (speed.syncP95Ms > 150 || speed.bytesPerSecond < 10e6)
    return careful(
      'disk-speed',
      `Ổ ghi hình chậm: ${rate}, mỗi lần chốt dữ liệu mất tới ${wait}; nếu cúp điện có thể mất thêm vài giây hình cuối.`,
      'Đừng để chương trình khác ghi nhiều vào ổ này; ghi nhiều camera thì nên dùng SSD hay ổ cứng chuyên cho camera.',
      facts,
    );
  const kind = spinning === true ? 'ổ cứng quay (HDD), ' : '';
  return fine(
    'disk-speed',
    `Tốc độ ổ ghi hình: ${kind}${rate}, chốt dữ liệu trong ${wait}: đủ nhanh.`,
    facts,
  );
}

/** What a power cut costs, and whether the setting fits the disk. Pure. @param spinning as the kernel says; null: not told */
export function judgeSyncing(setting: DiskKind | 'auto', spinning: boolean | null): Finding {
  const kind = setting === 'auto' ? (spinning === true ? 'hdd' : 'ssd') : setting;
  const most = sayNumber(POWER_CUT_MS[kind] / 1000, 0);
  const facts = { setting, kind, spinning };
  if (kind === 'ssd' && spinning === true)
    return careful(
      'disk-sync',
      'Ổ ghi hình là ổ cứng quay (HDD) nhưng DISK_KIND=ssd: chốt từng tệp liên tục, ổ quay không theo kịp nhiều camera.',
      'Hãy đặt DISK_KIND=auto trong .env rồi chạy lại.',
      facts,
    );
  return fine(
    'disk-sync',
    `Chốt dữ liệu kiểu ${kind === 'hdd' ? 'ổ cứng quay (HDD): cả ổ một lượt' : 'SSD: từng tệp'}; cúp điện mất nhiều nhất ${most} giây hình cuối.`,
    facts,
  );
}

export async function checkSpeed(folder: string): Promise<{ speed: Speed; spinning: boolean | null } | null> {
  const at = await nearestFolder(folder);
  try {
    return { speed: await measureSpeed(at), spinning: await spins(at) };
  } catch {
    // why it can't be written is said by the check of the folder
    return null;
  }
}
