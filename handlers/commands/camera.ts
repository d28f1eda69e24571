import type { CameraInfo } from '../../media/types.js';
import { WorldError } from '../../src/base/errors.js';
import { fold } from '../../src/base/vietnamese/text.js';
import { type Command, command, type Talk } from '../../src/chat/command.js';
import type { Button } from '../../src/chat/message.js';
import { type Camera, cameraById } from '../../src/store/cameras.js';
import { personById } from '../../src/store/people.js';
import { daysThatFit } from '../alerts/room.js';
import { askedCameras, askWhichCamera, labelOf, refuseBeyond } from '../camera-asked.js';
import { detailWords, stateMark, stateWords } from '../camera-words.js';
import type { House } from '../house.js';
import { handOver, readPast } from '../past.js';
import { toReview } from '../review.js';
import { MAY, may, mayShowHere } from '../rights.js';
import { privately, rows } from '../saying.js';
import { SCRUBBED } from './camera-add.js';
import { type CameraTask, doTask, readTask } from './camera-tasks.js';

type Args =
  | { do: 'list'; cameras: Camera[] }
  | { do: 'troubled'; cameras: Camera[] }
  | { do: 'show'; camera: Camera }
  | { do: 'task'; task: CameraTask };

/** `camera`: how the cameras are; adding, changing, switching and removing them. */
export const cameraCommand = (house: House, { pictures, clips }: { pictures: Command; clips: Command }) =>
  command<Args>({
    name: 'camera',
    aliases: ['cam', 'máy quay', 'danh sách camera', 'mắt camera'],
    summary: 'Camera nào đang ghi, camera nào mất hình',
    example: 'camera',
    may: MAY.cameraList,
    inGroups: true,
    section: 'xem',
    async read(said, talk) {
      const words = verbFirst(said);
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
      const state = aboutState(words);
      const past = state === null ? await readPast(house, clips, talk, words) : null;
      if (past !== null) return past;
      const asked = await askedCameras(house, talk, state ?? words.replace(/^\s*danh sách\s*$/iu, ''));
      if (state !== null && asked.kind === 'none')
        return { kind: 'args', args: { do: 'troubled', cameras: asked.reachable } };
      if (state !== null && asked.kind === 'unknown' && asked.near.length === 0) return { kind: 'not-mine' };
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
      // "cam 1" in haste is the picture; "camera 1" is all about it
      if (
        SHORT.test(fold(talk.message.text)) &&
        state === null &&
        asked.cameras.length === 1 &&
        !asked.whole &&
        may(talk.speaker.role, 'clip')
      )
        return handOver(pictures, talk, words);
      return asked.cameras.length === 1 && only !== undefined && !asked.whole
        ? { kind: 'args', args: { do: 'show', camera: only } }
        : { kind: 'args', args: { do: 'list', cameras: asked.cameras } };
    },
    async run(talk, args) {
      if (args.do === 'task') return doTask(house, talk, args.task);
      if (args.do === 'list') return list(house, talk, args.cameras);
      if (args.do === 'troubled') return list(house, talk, args.cameras, true);
      await show(house, talk, args.camera);
    },
  });

const SHORT = /^(?:cam|kam) ?(?:so )?\d{1,4}$/;

/** "nào hỏng", "3 hỏng từ bao giờ", "có bị mất hình không": words about how a camera is, folded. */
const STATE =
  /(?:^| )(?:nao |dang |co |con |bi |khong |ko )*(?:hong|mat hinh|mat ket noi|mat song|offline|loi|chet|khong len hinh|khong len|khong ghi|ko ghi|tinh trang|trang thai|hoat dong|chay)(?: (?:roi|khong|ko|chua|nao|tu bao gio|tu luc nao|tu khi nao|khi nao|bao gio|luc nao|the nao|ra sao|sao roi|on khong))*$/;

/** "4 đổi tên Cầu mới", "số 4 tắt": the verb goes first, as the tasks are read. */
function verbFirst(words: string): string {
  const turned =
    /^\s*(?:số\s+|so\s+)?(\d{1,4})\s+(?:(?:đổi|doi|sửa|sua)\s+(?=\S))?(tên|ten|tắt|tat|bật|bat|xóa|xoá|xoa|sửa|sua|thôn|thon|địa chỉ|dia chi|mật khẩu|mat khau|điểm lắp)(?=\s|$)\s*(.*)$/iu.exec(
      words,
    );
  if (turned === null) return words;
  const [, number, verb = '', rest] = turned;
  return /^(?:tat|bat|xoa|sua)$/.test(fold(verb))
    ? `${verb} ${number} ${rest}`.trim()
    : `sửa ${number} ${verb} ${rest}`.trim();
}

/** "3 bị sao", "3 ok chưa", "3 đã sửa xong", folded. */
const NUMBER_STATE =
  /^(?:so )?(\d{1,4}) (?:nay |dang |da |bi |con )*(?:sao|lam sao|ok|on|gi|song|xong|sua xong|sua roi|the nao|ra sao)(?: (?:chua|khong|ko|vay|roi|the|em|a)){0,3}$/;

/** What is left of words about a camera's state ("3"), or null when they are not about that. */
function aboutState(words: string): string | null {
  const folded = fold(words);
  const numbered = NUMBER_STATE.exec(folded);
  if (numbered !== null) return numbered[1] ?? '';
  const match = STATE.exec(folded);
  return match === null ? null : folded.slice(0, match.index).trim();
}

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

const [NO_HAMLET, REVIEW] = ['Chưa khai thôn', 'Cần xem lại'];
/** Groups below those of the hamlets, in their order. */
const LAST = [NO_HAMLET, REVIEW];

/** @param troubled only those without a picture */
async function list(house: House, talk: Talk, all: Camera[], troubled = false): Promise<void> {
  const infos = await infosOf(house);
  const recordingNow = (camera: Camera) => infos?.get(camera.recorderId)?.state === 'recording';
  const cameras = troubled && infos !== null ? all.filter((camera) => !recordingNow(camera)) : all;
  if (all.length > 0 && cameras.length === 0)
    return answer(talk, `Cả ${all.length} camera đang ghi, không camera nào mất hình.`, [
      [{ label: 'Ảnh tất cả', says: 'ảnh tất cả' }],
    ]);
  if (cameras.length === 0) {
    const text = may(talk.speaker.role, 'cameraChange')
      ? 'Chưa có camera nào của anh/chị. Thêm camera: gõ “camera tìm” (em tìm trong mạng) hoặc “camera thêm”.'
      : 'Chưa có camera nào để anh/chị xem.';
    return answer(talk, text, []);
  }
  const byHamlet = new Map<string, Camera[]>();
  const doubtful = await toReview(house.db);
  for (const camera of cameras) {
    const key = doubtful.has(camera.id) ? REVIEW : (camera.hamletName ?? NO_HAMLET);
    byHamlet.set(key, [...(byHamlet.get(key) ?? []), camera]);
  }
  const parts = [...byHamlet]
    .sort(([a], [b]) => LAST.indexOf(a) - LAST.indexOf(b) || a.localeCompare(b, 'vi', { numeric: true }))
    .map(([hamlet, those]) => {
      const lines = those.map((camera) => {
        const info = infos?.get(camera.recorderId);
        return infos === null
          ? `${camera.number}. ${camera.name}`
          : `${stateMark(info)} ${camera.number}. ${camera.name}${recordingNow(camera) ? '' : `: ${stateWords(info, talk.nowMs)}`}`;
      });
      return `${hamlet}\n${lines.join('\n')}`;
    });
  const recording = all.filter(recordingNow).length;
  const head =
    infos === null
      ? 'Máy ghi đang không trả lời nên chưa biết tình trạng. Các camera:'
      : `${recording}/${all.length} camera đang ghi`;
  const buttons: Button[] =
    cameras.length <= 8
      ? cameras.map((camera) => ({ label: labelOf(camera), says: `camera ${camera.number}` }))
      : [];
  await answer(talk, `${head}\n\n${parts.join('\n\n')}`, [
    ...rows(buttons),
    [
      { label: 'Ảnh tất cả', says: 'ảnh tất cả' },
      ...(talk.group === null && may(talk.speaker.role, 'cameraChange')
        ? [{ label: 'Tìm camera', says: 'camera tìm' }]
        : []),
    ],
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
    fitDays: await daysThatFit(house.db, talk.nowMs),
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
