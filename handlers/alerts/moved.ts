import type { CameraInfo } from '../../media/types.js';
import { isPrivateAddress } from '../../src/base/subnets.js';
import { sayClock } from '../../src/base/vietnamese/say.js';
import type { Camera } from '../../src/store/cameras.js';
import type { Database, Transaction } from '../../src/store/database.js';
import { dropSetting, readFact, settingsUnder, writeFact } from '../../src/store/settings.js';

/** A camera that was found again under another address, which nobody was told of yet. */
export interface Moved {
  /** hosts, without login */
  from: string;
  to: string;
  atMs: number;
}

const MOVED = 'alerts.moved:';
export const movedKey = (cameraId: number) => `${MOVED}${cameraId}`;

/** Keeps a move until it is told; several in a row are one, and one that came back is none. */
export async function keepMoved(tx: Transaction, cameraId: number, moved: Moved): Promise<void> {
  const from = (await readFact<Moved>(tx, movedKey(cameraId)))?.from ?? moved.from;
  if (from === moved.to) await dropSetting(tx, movedKey(cameraId));
  else await writeFact(tx, movedKey(cameraId), { ...moved, from });
}

/** Moves that nobody was told of, by camera. */
export async function untoldMoves(db: Database): Promise<Map<number, Moved>> {
  const rows = await settingsUnder(db, MOVED);
  return new Map(rows.map(({ key, value }) => [Number(key.slice(MOVED.length)), JSON.parse(value) as Moved]));
}

/** Stands in the message that the camera is back. Only for those who may see addresses: officers and its technicians. */
export const movedSentence = ({ from, to }: Moved) =>
  `Camera đổi địa chỉ trong mạng từ ${from} sang ${to}, em đã tự tìm thấy và ghi tiếp ở đó, anh/chị không phải sửa gì ạ.`;

export const movedWords = (called: string, moved: Moved) =>
  `🟢 ${called} đang có hình từ ${sayClock(moved.atMs)}. ${movedSentence(moved)}`;

/** By a name or a public address: where nothing can be looked for. */
function isOverInternet(address: string): boolean {
  const host = /^rtsps?:\/\/([^/:?]+)/i.exec(address)?.[1];
  return host !== undefined && host !== 'localhost' && !isPrivateAddress(host);
}

/** What the technician does where a lost camera can't be looked for by the recorder; null where it is looked for. */
export function stepsByHand(
  { address, identity }: Pick<CameraInfo, 'address' | 'identity'>,
  { number }: Pick<Camera, 'number'>,
): string | null {
  if (isOverInternet(address))
    return `Cách sửa: camera này nối qua internet nên hệ thống không tự tìm lại được. Ở nhà gắn camera, xin xem: 1. camera còn điện, còn mạng; 2. trang quản lý modem còn chuyển cổng của camera không (đổi modem là mất); 3. tên miền DDNS còn trỏ về đúng IP của nhà. Địa chỉ đổi thì gõ: camera sửa ${number} địa chỉ`;
  const known = identity !== null && (identity.mac !== null || (identity.endpoint && identity.serial));
  if (/^rtsps?:/i.test(address) && !known)
    return `Cách sửa: hệ thống chưa biết số máy của camera này nên không tự tìm lại được khi địa chỉ đổi. Xin xem camera còn điện, còn mạng; rồi gõ “camera tìm” để biết camera đang ở địa chỉ nào, và gõ: camera sửa ${number} địa chỉ`;
  return null;
}
