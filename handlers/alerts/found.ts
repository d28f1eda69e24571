import type { CameraInfo } from '../../media/types.js';
import { WorldError } from '../../src/base/errors.js';
import { fold } from '../../src/base/vietnamese/text.js';
import { writeAudit } from '../../src/store/audit.js';
import {
  addCamera,
  type Camera,
  everyCamera,
  freeNumber,
  listCameras,
  removeCamera,
} from '../../src/store/cameras.js';
import { inTransaction, type Transaction } from '../../src/store/database.js';
import { isIncomingDone } from '../../src/store/inbox.js';
import { beginOutage } from '../../src/store/outages.js';
import { peopleByRole } from '../../src/store/people.js';
import { ensureSite } from '../../src/store/places.js';
import { dropSetting, readFact, writeFact } from '../../src/store/settings.js';
import { labelOf } from '../camera-asked.js';
import { messageThatAdded } from '../commands/camera-add.js';
import type { House } from '../house.js';
import { askForReview, reviewed } from '../review.js';
import type { Aside, Say } from './planned.js';

/** What was put in agreement and not told yet. */
interface Untold {
  /** our ids of cameras that were taken over */
  found: number[];
  /** cameras that were removed */
  gone: { id: number; label: string }[];
}

const UNTOLD = 'alerts.cameras';
/** a message that removes a camera is done in this time */
const REMOVAL_MS = 60_000;

const noticed = (atMs: number) => ({
  ...{ atMs, personId: null, personName: 'Mắt Thần', place: 'recorder', result: 'ok' },
});

/** What people will call it: the recorder's name, unless another camera has it or it says nothing but a number. Pure. */
export function nameFor(given: string, number: number, taken: ReadonlySet<string>): string {
  const name = given.normalize('NFC').trim().slice(0, 80);
  if (name === '' || /^camera \d+$/i.test(name)) return `Camera ${number}`;
  for (let n = 1; ; n += 1) {
    const tried = n === 1 ? name : `${name} (${n})`;
    if (!taken.has(fold(tried))) return tried;
  }
}

async function takeOne(tx: Transaction, info: CameraInfo, nowMs: number): Promise<number> {
  const taken = new Set((await listCameras(tx)).map(({ name }) => fold(name)));
  const number = await freeNumber(tx);
  const name = nameFor(info.name, number, taken);
  const site = await ensureSite(tx, name, null);
  const id = await addCamera(tx, { number, recorderId: info.id, name, siteId: site.id });
  await askForReview(tx, id);
  if (info.state === 'down')
    await beginOutage(tx, { cameraId: id, sinceMs: info.sinceMs, reason: info.cause ?? 'unknown' });
  await writeAudit(tx, [{ ...noticed(nowMs), action: 'camera.found', cameraId: id, detail: info.address }]);
  return id;
}

/** Cameras in chat that the recorder does not have any more since they were removed: after a backup that was brought back. */
async function removedSince(house: House, infos: readonly CameraInfo[]): Promise<Camera[]> {
  const there = new Set(infos.map(({ id }) => id));
  const missing = (await listCameras(house.db)).filter(({ recorderId }) => !there.has(recorderId));
  if (missing.length === 0) return [];
  // one that is being removed in chat now is left to it
  const beforeMs = house.clock.now() - REMOVAL_MS;
  const removed = (await house.recorder.removedCameras()).filter(({ removedMs }) => removedMs < beforeMs);
  return missing.filter(({ recorderId }) => removed.some(({ id }) => id === recorderId));
}

/**
 * Puts our cameras and the recorder's in agreement, as they may differ after a backup was brought back: one that the
 * recorder has and we never had gets a row; one that was removed at the recorder is removed here. One that was removed in
 * chat is never taken over: where the recorder has it all the same (its index was lost while its list beside the
 * recordings could not be written) it is removed there again. One that a message is adding now is left to it.
 * @param infos what the recorder has, just asked for
 */
export async function takeOver(house: House, infos: readonly CameraInfo[]): Promise<void> {
  const { db, clock, log, recorder } = house;
  // Asked after the recorder was: a message that is done by now has left its row.
  const adding = new Set<string>();
  for (const { id } of infos) {
    const message = messageThatAdded(id);
    if (message !== null && !(await isIncomingDone(db, message))) adding.add(id);
  }
  const before = await everyCamera(db);
  for (const { id } of infos)
    if (before.get(id)?.removed) {
      log.warn(
        { camera: id },
        'the recorder has a camera that was removed in chat: it is removed there again',
      );
      await recorder.removeCamera(id).catch((error: unknown) => {
        // removed in chat while we asked
        if (!(error instanceof WorldError && error.kind === 'not-found')) throw error;
      });
    }
  const unknown = infos.filter(({ id }) => !before.has(id) && !adding.has(id));
  const gone = await removedSince(house, infos);
  if (unknown.length === 0 && gone.length === 0) return;
  await inTransaction(db, async (tx) => {
    const known = await everyCamera(tx);
    const untold = (await readFact<Untold>(tx, UNTOLD)) ?? { found: [], gone: [] };
    const nowMs = clock.now();
    for (const info of unknown) if (!known.has(info.id)) untold.found.push(await takeOne(tx, info, nowMs));
    for (const camera of gone) {
      if (known.get(camera.recorderId)?.removed) continue;
      await removeCamera(tx, camera.id, nowMs);
      await reviewed(tx, camera.id);
      await writeAudit(tx, [
        { ...noticed(nowMs), action: 'camera.remove', cameraId: camera.id, detail: labelOf(camera) },
      ]);
      untold.gone.push({ id: camera.id, label: labelOf(camera) });
    }
    if (untold.found.length + untold.gone.length > 0) await writeFact(tx, UNTOLD, untold);
  });
}

const lines = (found: readonly Camera[]) =>
  found.map(({ number, name }) => `• ${number}. ${name}`).join('\n');

/** For the officers: what was found, what can be done with it at once, and what a person must see to. */
function foundWords(found: readonly [Camera, ...Camera[]]): string {
  const n = found[0].number;
  return `📷 Máy ghi đang ghi ${found.length} camera mà sổ camera của em không có, thường là camera thêm sau lần sao lưu cuối. Em đã nhận lại, xem ảnh và nhận báo mất hình được ngay:
${lines(found)}
Số có thể khác trước. Nhờ anh/chị xem lại từng camera (trong danh sách, mục “Cần xem lại”): gõ “ảnh ${n}” để nhận ra, “camera sửa ${n} thôn …” để khai thôn, rồi khai hộ gắn camera và giao kỹ thuật viên. Camera không dùng nữa thì gõ “camera xóa ${n}”.`;
}

const goneWords = (labels: readonly string[]) =>
  `📷 Camera đã xóa sau lần sao lưu cuối nên em xóa lại khỏi sổ: ${labels.join(', ')}. Hình đã ghi vẫn giữ đủ số ngày. Nếu vẫn cần camera này thì gõ “camera thêm”.`;

/** For the technicians, who reach a camera only once the chief gives it to them. */
const foundForTechnicians = (found: readonly Camera[]) =>
  `📷 Em vừa nhận lại ${found.length} camera từ máy ghi mà sổ camera không có:\n${lines(found)}\nCamera nào anh/chị vẫn phụ trách thì nhờ trưởng công an giao lại, gõ: camera sửa <số> giao <tên anh/chị>.`;

/** Tells officers and technicians once which cameras were taken over or removed, and what is to be done. */
export async function tellFound(house: House, say: Say): Promise<void> {
  const { db } = house;
  const untold = await readFact<Untold>(db, UNTOLD);
  if (untold === null) return;
  const [first, ...others] = (await listCameras(db)).filter(({ id }) => untold.found.includes(id));
  const texts = untold.gone.length === 0 ? [] : [goneWords(untold.gone.map(({ label }) => label))];
  const asides: Aside[] = [];
  const key = `cameras-found:${[...untold.found, ...untold.gone.map(({ id }) => -id)].join(',')}`;
  if (first !== undefined) {
    texts.unshift(foundWords([first, ...others]));
    const personIds = (await peopleByRole(db, 'technician')).map(({ id }) => id);
    asides.push({ key, text: foundForTechnicians([first, ...others]), personIds });
  }
  // taken over and removed in chat before it was told
  if (texts.length === 0) return dropSetting(db, UNTOLD);
  await say({ key, text: texts.join('\n\n'), asides, facts: { [UNTOLD]: null } });
}
