import fs from 'node:fs/promises';
import { sayDays } from '../../handlers/alerts/room.js';
import { type Disk, wantedFree } from '../../media/retention/disk-state.js';
import { DAY_MS } from '../base/clock.js';
import type { DatabaseLook } from './databases.js';
import { nearestFolder } from './disk.js';
import { broken, careful, type Finding, fine, saySize } from './finding.js';

/** A camera's stream where nothing was measured yet: 2 Mbps, bytes a day. */
const CAMERA_BYTES_A_DAY = (2_000_000 / 8) * 86_400;
/** So little is as good as full, bytes. */
const AS_GOOD_AS_FULL = 300_000_000;
/** Less than this was recorded lately: too short to tell a pace, ms. */
const PACE_NEEDS_MS = 10 * 60_000;

/** Kinds of file system that recordings should not be on (statfs f_type). */
const STRANGE: Record<number, { says: string; todo: string }> = {
  16914836: {
    says: 'nằm trong bộ nhớ tạm (RAM): tắt máy là mất hết',
    todo: 'Hãy đặt RECORDINGS_DIR và DATA_DIR trong .env sang một ổ đĩa thật.',
  },
  26985: { says: 'nằm trên ổ mạng (NFS): đứt mạng là ngừng ghi', todo: 'Hãy đặt sang ổ gắn trong máy.' },
  4283649346: {
    says: 'nằm trên ổ mạng (Windows/SMB): đứt mạng là ngừng ghi',
    todo: 'Hãy đặt sang ổ gắn trong máy.',
  },
  4266872130: {
    says: 'nằm trên ổ mạng (Windows/SMB): đứt mạng là ngừng ghi',
    todo: 'Hãy đặt sang ổ gắn trong máy.',
  },
};

/** A camera that is to be recorded: how much that is, and for how long it was promised to be kept. */
export interface Pace {
  bytesADay: number;
  /** measured lately, or guessed at 2 Mbps */
  measured: boolean;
  days: number;
}

/** The pace of each camera that is switched on: as measured on the last day, else guessed. Pure. */
export function pacesOf(look: Pick<DatabaseLook, 'sizes' | 'cameras'> | null, retentionDays: number): Pace[] {
  const lately = new Map(look?.sizes?.lately.map((one) => [one.cameraId, one]));
  return (look?.cameras ?? [])
    .filter(({ enabled }) => enabled)
    .map(({ id, retentionDays: own }) => {
      const { bytes, spanMs } = lately.get(id) ?? { bytes: 0, spanMs: 0 };
      const measured = spanMs >= PACE_NEEDS_MS && bytes > 0;
      return {
        bytesADay: measured ? (bytes / spanMs) * DAY_MS : CAMERA_BYTES_A_DAY,
        ...{ measured, days: own ?? retentionDays },
      };
    });
}

/** All cameras together, bytes a day. Pure. */
export const dailyBytes = (paces: readonly Pace[]) =>
  paces.reduce((sum, { bytesADay }) => sum + bytesADay, 0);

/**
 * How old recordings get before the oldest of all must go for room, days: a camera's go by age after its own days and
 * leave the room to the others. Null: every camera's days fit. Pure.
 */
export function daysThatFit(roomBytes: number, paces: readonly Pace[]): number | null {
  let left = roomBytes;
  let reached = 0;
  for (const { days } of [...paces].sort((a, b) => a.days - b.days)) {
    const going = dailyBytes(paces.filter((one) => one.days > reached));
    if (going * (days - reached) > left) return reached + Math.max(0, left) / going;
    left -= going * (days - reached);
    reached = Math.max(reached, days);
  }
  return null;
}

export interface SpaceFacts {
  disk: Disk;
  /** files that can still be made; null: not told */
  freeFiles: number | null;
  minFreeBytes: number;
  minFreePercent: number;
  demo: boolean;
  paces: Pace[];
  recordedBytes: number;
  /** recorded, and held by officers: no room for anything else */
  heldBytes: number;
  /** false: the recorder can't read its holds, so it deletes nothing */
  deleting: boolean;
}

/** "30 ngày", or "từ 7 đến 45 ngày" where cameras have their own. */
function promised(paces: readonly Pace[]): string {
  const days = paces.map((one) => one.days);
  const [least, most] = [Math.min(...days), Math.max(...days)];
  return least === most ? `${most} ngày` : `từ ${least} đến ${most} ngày`;
}

const NOTHING_DELETED =
  'lúc này máy ghi không xóa đoạn cũ nào (xem dòng về các đoạn đang giữ) nên ổ đầy là ngừng ghi';

/** Is there room for the days that were promised, at the present pace of recording? Pure. */
export function judgeSpace(facts: SpaceFacts): Finding {
  const { disk, minFreeBytes, minFreePercent, paces, recordedBytes, heldBytes, deleting } = facts;
  const wanted = wantedFree(disk, minFreeBytes, minFreePercent);
  const room = `còn trống ${saySize(disk.freeBytes)} trên ${saySize(disk.totalBytes)}`;
  const roomBytes = Math.max(0, disk.freeBytes - wanted + recordedBytes - heldBytes);
  const days = daysThatFit(roomBytes, paces);
  const lackingBytes = Math.max(0, paces.reduce((sum, one) => sum + one.bytesADay * one.days, 0) - roomBytes);
  const bytesADay = paces.length === 0 ? null : dailyBytes(paces);
  const told = { ...disk, wantedBytes: wanted, bytesADay, days, lackingBytes, heldBytes };
  const more = 'Hãy dọn bớt tệp trên ổ đó, gắn ổ lớn hơn và đặt RECORDINGS_DIR sang đó';
  if (disk.freeBytes < AS_GOOD_AS_FULL)
    return broken('disk-space', `Ổ ghi hình gần như đã đầy: ${room}.`, `${more}.`, told);
  if (facts.freeFiles !== null && facts.freeFiles < 10_000)
    return broken(
      'disk-space',
      `Ổ ghi hình còn chỗ nhưng chỉ tạo thêm được ${facts.freeFiles} tệp nữa.`,
      'Hãy xóa các tệp nhỏ không cần trên ổ đó, hoặc gắn ổ khác.',
      told,
    );
  if (disk.freeBytes < wanted && recordedBytes < wanted)
    return broken(
      'disk-space',
      `Ổ ghi hình sắp đầy vì những tệp khác: ${room}, dưới mức cần giữ ${saySize(wanted)}; ${deleting ? 'hình mới ghi sẽ bị xóa gần như ngay' : NOTHING_DELETED}.`,
      `${more}; hoặc giảm MIN_FREE_PERCENT, MIN_FREE_GB trong .env.`,
      told,
    );
  if (paces.length === 0) return fine('disk-space', `Ổ ghi hình ${room}.`, told);
  const guess = paces.every(({ measured }) => measured) ? '' : ', ước tính 2 Mbps cho camera chưa đo được';
  if (days === null)
    return fine('disk-space', `Ổ ghi hình ${room}, đủ giữ ${promised(paces)} như đã đặt${guess}.`, told);
  const held = heldBytes > 0 ? ` Các đoạn đang giữ chiếm ${saySize(heldBytes)}.` : '';
  return careful(
    'disk-space',
    `Ổ ghi hình ${room}: với nhịp ghi hiện nay chỉ giữ được ${sayDays(days)}, trong khi đã đặt ${promised(paces)}${guess}; ${deleting ? 'đoạn cũ nhất sẽ bị xóa sớm' : NOTHING_DELETED}.${held}`,
    `${facts.demo ? 'Bản dùng thử vẫn chạy tốt; khi chạy thật hãy' : 'Hãy'} gắn ổ lớn hơn (cần thêm khoảng ${saySize(lackingBytes)}) và đặt RECORDINGS_DIR sang đó; hoặc giảm bitrate, đổi sang H.265 trong camera; hoặc ghi luồng phụ thay luồng chính; hoặc đặt ít ngày hơn (RETENTION_DAYS, camera sửa <số> số ngày giữ hình).`,
    told,
  );
}

/** Is the folder on a disk that is meant for it? */
export async function checkSpace(
  config: {
    recordingsDir: string;
    retentionDays: number;
    minFreePercent: number;
    minFreeBytes: number;
    demo: boolean;
  },
  look: DatabaseLook | null,
  { heldBytes, deleting }: Pick<SpaceFacts, 'heldBytes' | 'deleting'>,
): Promise<Finding[]> {
  const at = await nearestFolder(config.recordingsDir);
  const stat = await fs.statfs(at);
  const found = [
    judgeSpace({
      disk: { freeBytes: stat.bavail * stat.bsize, totalBytes: stat.blocks * stat.bsize },
      freeFiles: stat.files > 0 ? stat.ffree : null,
      ...config,
      paces: pacesOf(look, config.retentionDays),
      recordedBytes: look?.sizes?.recordedBytes ?? 0,
      ...{ heldBytes, deleting },
    }),
  ];
  const strange = STRANGE[stat.type];
  if (strange !== undefined && !config.demo)
    found.push(careful('disk-kind', `Thư mục ghi hình ${strange.says}.`, strange.todo));
  const [own, root] = await Promise.all([fs.stat(at), fs.stat('/')].map((one) => one.catch(() => null)));
  if (/^\/(mnt|media)\//.test(config.recordingsDir) && own?.dev !== undefined && own.dev === root?.dev)
    found.push(
      careful(
        'disk-mounted',
        `${config.recordingsDir} đang nằm trên ổ hệ thống: có lẽ ổ ghi hình chưa được gắn.`,
        'Hãy xem ổ đã cắm chưa và được gắn khi máy khởi động chưa (dòng trong /etc/fstab), rồi khởi động lại máy.',
      ),
    );
  return found;
}
