import type { CameraInfo } from '../../media/types.js';
import { WorldError } from '../../src/base/errors.js';
import { command, type Talk } from '../../src/chat/command.js';
import type { Button } from '../../src/chat/message.js';
import { type Camera, cameraById } from '../../src/store/cameras.js';
import { personById } from '../../src/store/people.js';
import { askedCameras, askWhichCamera, labelOf, refuseBeyond } from '../camera-asked.js';
import { detailWords, stateMark, stateWords } from '../camera-words.js';
import type { House } from '../house.js';
import { MAY, may, mayShowHere } from '../rights.js';
import { privately, rows } from '../saying.js';
import { SCRUBBED } from './camera-add.js';
import { type CameraTask, doTask, readTask } from './camera-tasks.js';

type Args =
  | { do: 'list'; cameras: Camera[] }
  | { do: 'show'; camera: Camera }
  | { do: 'task'; task: CameraTask };

/** `camera`: how the cameras are; adding, changing, switching and removing them. */
export const cameraCommand = (house: House) =>
  command<Args>({
    name: 'camera',
    aliases: ['cam', 'máy quay', 'danh sách camera', 'mắt camera'],
    summary: 'Camera nào đang ghi, camera nào mất hình',
    example: 'camera',
    may: MAY.cameraList,
    inGroups: true,
    section: 'xem',
    async read(words, talk) {
      // Run again after a crash, when the secret is out of it: all was done and said but for the last tick.
      if (words.includes(SCRUBBED))
        return {
          kind: 'answer',
          reply: (here) => here.reply('Em đã xử lý tin này. Gõ “camera” để xem danh sách.'),
        };
      const task = await readTask(house, talk, words);
      if (task !== null)
        return task.kind === 'task'
          ? { kind: 'args', args: { do: 'task', task: task.task } }
          : { kind: 'answer', reply: task.reply };
      const asked = await askedCameras(house, talk, words.replace(/^\s*danh sách\s*$/iu, ''));
      if (asked.kind === 'not-mine') return { kind: 'not-mine' };
      if (asked.kind === 'none') return { kind: 'args', args: { do: 'list', cameras: asked.reachable } };
      if (asked.kind === 'beyond')
        return { kind: 'answer', reply: (here) => refuseBeyond(here, asked.cameras, 'camera.show') };
      if (asked.kind === 'ambiguous' || asked.kind === 'unknown')
        return {
          kind: 'answer',
          reply: (here) => askWhichCamera(here, asked, (camera) => `camera ${camera}`),
        };
      const only = asked.cameras[0];
      return asked.cameras.length === 1 && only !== undefined && !asked.whole
        ? { kind: 'args', args: { do: 'show', camera: only } }
        : { kind: 'args', args: { do: 'list', cameras: asked.cameras } };
    },
    async run(talk, args) {
      if (args.do === 'task') return doTask(house, talk, args.task);
      if (args.do === 'list') return list(house, talk, args.cameras);
      await show(house, talk, args.camera);
    },
  });

/** Says it here where what belongs to the cameras may be seen, else in private. */
async function answer(talk: Talk, text: string, buttons: Button[][]): Promise<void> {
  const reply = { kind: 'text' as const, text, buttons };
  if (mayShowHere(talk.speaker.role, talk.group)) await talk.reply(reply);
  else await privately(talk, reply);
}

async function infosOf(house: House): Promise<Map<string, CameraInfo> | null> {
  return house.recorder.cameras().then(
    (infos) => new Map(infos.map((info) => [info.id, info])),
    (error: unknown) => {
      if (error instanceof WorldError) return null;
      throw error;
    },
  );
}

async function list(house: House, talk: Talk, cameras: Camera[]): Promise<void> {
  if (cameras.length === 0) {
    const text = may(talk.speaker.role, 'cameraChange')
      ? 'Chưa có camera nào của anh/chị. Thêm camera: gõ “camera thêm”.'
      : 'Chưa có camera nào để anh/chị xem.';
    return answer(talk, text, []);
  }
  const infos = await infosOf(house);
  const byHamlet = new Map<string, Camera[]>();
  for (const camera of cameras) {
    const key = camera.hamletName ?? 'Chưa khai thôn';
    byHamlet.set(key, [...(byHamlet.get(key) ?? []), camera]);
  }
  const parts = [...byHamlet]
    .sort(
      ([a], [b]) =>
        Number(a === 'Chưa khai thôn') - Number(b === 'Chưa khai thôn') ||
        a.localeCompare(b, 'vi', { numeric: true }),
    )
    .map(([hamlet, those]) => {
      const lines = those.map((camera) => {
        const info = infos?.get(camera.recorderId);
        return infos === null
          ? `${camera.number}. ${camera.name}`
          : `${stateMark(info)} ${camera.number}. ${camera.name}: ${stateWords(info, talk.nowMs)}`;
      });
      return `${hamlet}\n${lines.join('\n')}`;
    });
  const recording = cameras.filter((camera) => infos?.get(camera.recorderId)?.state === 'recording').length;
  const head =
    infos === null
      ? 'Máy ghi đang không trả lời nên chưa biết tình trạng. Các camera:'
      : `${recording}/${cameras.length} camera đang ghi`;
  const buttons: Button[] =
    cameras.length <= 8
      ? cameras.map((camera) => ({ label: labelOf(camera), says: `camera ${camera.number}` }))
      : [];
  await answer(talk, `${head}\n\n${parts.join('\n\n')}`, [
    ...rows(buttons),
    [{ label: 'Ảnh tất cả', says: 'ảnh tất cả' }],
  ]);
}

async function show(house: House, talk: Talk, camera: Camera): Promise<void> {
  const infos = await infosOf(house);
  const { role } = talk.speaker;
  const technicians = (await Promise.all(camera.technicianIds.map((id) => personById(house.db, id)))).flatMap(
    (person) => (person === null ? [] : [person.name]),
  );
  // The phone is for those who call the household, and only in private.
  const phone =
    camera.householdPhoneSealed === null || talk.group !== null || role === 'hamletHead'
      ? null
      : house.seal.open(camera.householdPhoneSealed);
  const info = infos?.get(camera.recorderId);
  const fresh = (await cameraById(house.db, camera.id)) ?? camera;
  const text = detailWords(fresh, info, {
    technicians,
    phone,
    retentionDays: house.settings.retentionDays,
    nowMs: talk.nowMs,
  });
  const n = camera.number;
  const buttons: Button[] = [{ label: 'Xem ảnh', says: `ảnh ${n}` }];
  if (may(role, 'clip')) buttons.push({ label: 'Lấy clip', says: `clip ${n}` });
  if (may(role, 'cameraChange'))
    buttons.push(
      { label: 'Sửa', says: `camera sửa ${n}` },
      info?.enabled === false
        ? { label: 'Bật', says: `camera bật ${n}` }
        : { label: 'Tắt', says: `camera tắt ${n}` },
      { label: 'Xóa', says: `camera xóa ${n}` },
    );
  await answer(talk, infos === null ? `${text}\n(Máy ghi đang không trả lời)` : text, rows(buttons));
}
