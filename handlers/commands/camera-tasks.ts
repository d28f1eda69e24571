import { after, fold, readWords } from '../../src/base/vietnamese/text.js';
import type { Talk } from '../../src/chat/command.js';
import { type Camera, listCameras } from '../../src/store/cameras.js';
import { askedCameras, askWhichCamera, labelOf, refuseBeyond } from '../camera-asked.js';
import { findCameras } from '../find.js';
import type { House } from '../house.js';
import { may, reaches } from '../rights.js';
import { insists, log, rows, sayInPrivate } from '../saying.js';
import { type AddTask, addCameraTask, takeLogin } from './camera-add.js';
import { removeCameraTask, setField, switchCamera } from './camera-change.js';
import { FIELDS, type FieldName } from './camera-fields.js';
import { type FindTask, findCameraTask, WAYS } from './camera-find.js';
import { readDevice, readPlace } from './camera-makes.js';

/** What is to be done to the cameras. */
export type CameraTask =
  | ({ do: 'add' } & AddTask)
  | ({ do: 'find' } & FindTask)
  | { do: 'fields'; camera: Camera }
  | { do: 'set'; camera: Camera; field: FieldName; value: string }
  | { do: 'switch'; camera: Camera; on: boolean }
  | { do: 'remove'; camera: Camera; sure: boolean };

type ReadTask =
  | { kind: 'task'; task: CameraTask }
  | { kind: 'answer'; reply: (talk: Talk) => Promise<void> }
  | null;

const VERBS: [string, 'add' | 'find' | 'ways' | 'edit' | 'off' | 'on' | 'remove'][] = [
  ['thêm mới', 'add'],
  ['thêm', 'add'],
  ['tìm', 'find'],
  ['dò', 'find'],
  ['nối', 'ways'],
  ['sửa', 'edit'],
  ['đổi', 'edit'],
  ['đặt', 'edit'],
  ['khai', 'edit'],
  ['tắt', 'off'],
  ['ngừng', 'off'],
  ['bật', 'on'],
  ['xóa', 'remove'],
  ['xoá', 'remove'],
  ['gỡ', 'remove'],
];

/** Any address, wherever it stands among the words. */
const ADDRESS = /(?:^|\s)((?:[a-z][a-z0-9+.-]*:\/\/|test:)\S+)/iu;

/** Reads what follows "camera" as a task; null when the words are no task. */
export async function readTask(house: House, talk: Talk, words: string): Promise<ReadTask> {
  const read = readWords(words);
  let verb: (typeof VERBS)[number][1] | null = null;
  let rest = '';
  for (const [said, meant] of VERBS) {
    const next = after(read, 0, said);
    if (next < 0) continue;
    verb = meant;
    rest = read.text.slice(read.tokens[next - 1]?.end ?? 0).trim();
    break;
  }
  if (verb === null) return null;
  if (verb === 'add') return readAdd(talk, rest);
  if (verb === 'find') return readFind(talk, rest);
  if (verb === 'ways') return readWays(talk, rest);
  const all = await listCameras(house.db);
  if (verb === 'edit') {
    const set = readSet(all, rest);
    if (set !== null) return allowed(talk, set.camera, { do: 'set', ...set });
  }
  const sure = /\s+(chắc chắn|chac chan)\s*$/iu;
  const asked = await askedCameras(house, talk, verb === 'remove' ? rest.replace(sure, '') : rest);
  if (asked.kind === 'not-mine') return null;
  const said = words.slice(0, words.length - rest.length).trim();
  if (asked.kind === 'ambiguous' || asked.kind === 'unknown')
    return asked.kind === 'unknown' && asked.near.length === 0 && !insists(talk)
      ? null
      : {
          kind: 'answer',
          reply: (here) => askWhichCamera(here, asked, (camera) => `camera ${said} ${camera}`),
        };
  if (asked.kind === 'beyond')
    return { kind: 'answer', reply: (here) => refuseBeyond(here, asked.cameras, 'camera.change') };
  if (asked.kind === 'none')
    return rest === '' ? { kind: 'answer', reply: (here) => pick(here, asked.reachable, said) } : null;
  const only = asked.cameras[0];
  if (asked.whole || asked.cameras.length !== 1 || only === undefined)
    return {
      kind: 'answer',
      reply: (here) => pick(here, asked.cameras, said),
    };
  if (verb === 'edit') return allowed(talk, only, { do: 'fields', camera: only });
  if (verb === 'remove') return allowed(talk, only, { do: 'remove', camera: only, sure: sure.test(rest) });
  return allowed(talk, only, { do: 'switch', camera: only, on: verb === 'on' });
}

async function pick(talk: Talk, cameras: Camera[], said: string): Promise<void> {
  if (!may(talk.speaker.role, 'cameraChange')) return refuse(talk, null);
  if (cameras.length === 0) {
    await talk.reply('Chưa có camera nào của anh/chị. Thêm camera: gõ “camera thêm”.');
    return;
  }
  await sayInPrivate(
    talk,
    'Camera nào ạ? Mỗi lần một camera thôi nhé.',
    rows(
      cameras
        .slice(0, 12)
        .map((camera) => ({ label: labelOf(camera), says: `camera ${said} ${camera.number}` })),
    ),
  );
}

async function refuse(talk: Talk, camera: Camera | null): Promise<void> {
  await log(talk, [{ action: 'camera.change', cameraId: camera?.id ?? null, result: 'not-allowed' }]);
  await talk.reply('Thêm, sửa, tắt, xóa camera là việc của trưởng công an và kỹ thuật viên ạ.');
}

function allowed(talk: Talk, camera: Camera, task: CameraTask): ReadTask {
  if (!may(talk.speaker.role, 'cameraChange'))
    return { kind: 'answer', reply: (here) => refuse(here, camera) };
  if (!reaches(talk.speaker, camera))
    return { kind: 'answer', reply: (here) => refuseBeyond(here, [camera], 'camera.change') };
  return { kind: 'task', task };
}

function readAdd(talk: Talk, whole: string): ReadTask {
  const { rest, login } = takeLogin(whole);
  const url = ADDRESS.exec(rest);
  const words = (url === null ? rest : rest.replace(url[1] ?? '', ' ')).replace(/\s+/g, ' ').trim();
  const named = url === null ? readDevice(words) : null;
  const spoken = named?.before ?? words;
  const numbered = /^(?:số\s*|so\s*)?(\d{1,4})\b[\s.:,-]*(.*)$/iu.exec(spoken);
  const name = (numbered?.[2] ?? spoken).replace(/^(?:tên|ten)\s+/iu, '').trim();
  // "camera thêm đẹp quá đi mất": a name is short
  if (url === null && !insists(talk) && fold(spoken).split(' ').length > 8) return null;
  if (!may(talk.speaker.role, 'cameraChange')) return { kind: 'answer', reply: (here) => refuse(here, null) };
  return {
    kind: 'task',
    task: {
      do: 'add',
      number: numbered?.[1] === undefined ? null : Number(numbered[1]),
      name: name === '' ? null : name,
      url: url?.[1] ?? null,
      ...{ device: named?.device ?? null, login },
    },
  };
}

const CHANNEL = /\s+(?:kênh|kenh)\s*(\d{1,3})$/iu;

/** "", "192.168.1.64:80", "192.168.1.64 kênh 2 đăng nhập admin …" */
function readFind(talk: Talk, whole: string): ReadTask {
  const { rest, login } = takeLogin(whole);
  const place = rest.replace(CHANNEL, '').trim();
  const at = readPlace(place);
  if (at === null && !/^(?:|camera|cam|mới|moi|thiết bị|thiet bi)$/iu.test(place)) return null;
  if (!may(talk.speaker.role, 'cameraChange')) return { kind: 'answer', reply: (here) => refuse(here, null) };
  const channel = CHANNEL.exec(rest)?.[1];
  return {
    kind: 'task',
    task: { do: 'find', at, channel: channel === undefined ? null : Number(channel), login },
  };
}

function readWays(talk: Talk, rest: string): ReadTask {
  if (rest !== '' && !/^(?:camera|thế nào|the nao|cách nào|cach nao|ra sao|mạng|mang)$/iu.test(rest))
    return null;
  if (!may(talk.speaker.role, 'cameraChange')) return { kind: 'answer', reply: (here) => refuse(here, null) };
  return {
    kind: 'answer',
    reply: (here) =>
      here
        .replyPrivately({
          kind: 'text',
          text: WAYS,
          buttons: [[{ label: 'Tìm camera', says: 'camera tìm' }]],
        })
        .then(() => {}),
  };
}

/** "5 tên Cổng chợ mới", "cổng chợ hộ ông Bình": the camera before, the field's word, the value after. */
function readSet(all: Camera[], rest: string): { camera: Camera; field: FieldName; value: string } | null {
  const read = readWords(rest);
  for (let i = 1; i < read.tokens.length; i += 1)
    for (const field of FIELDS)
      for (const said of field.said) {
        const next = after(read, i, said);
        if (next < 0) continue;
        const found = findCameras(all, read.text.slice(0, read.tokens[i]?.start ?? 0));
        const only = found.kind === 'some' ? found.cameras[0] : undefined;
        if (found.kind !== 'some' || found.cameras.length !== 1 || only === undefined) continue;
        const value = read.text
          .slice(read.tokens[next - 1]?.end ?? 0)
          .replace(/^\s*[:=]?\s*(?:là\s+)?/u, '')
          .trim();
        return { camera: only, field: field.name, value };
      }
  return null;
}

export async function doTask(house: House, talk: Talk, task: CameraTask): Promise<void> {
  switch (task.do) {
    case 'add':
      return addCameraTask(house, talk, task);
    case 'find':
      return findCameraTask(house, talk, task);
    case 'fields':
      return askField(talk, task.camera);
    case 'set':
      return setField(house, talk, task.camera, task.field, task.value);
    case 'switch':
      return switchCamera(house, talk, task.camera, task.on);
    case 'remove':
      return removeCameraTask(house, talk, task.camera, task.sure);
  }
}

async function askField(talk: Talk, camera: Camera): Promise<void> {
  const fields = FIELDS.filter((field) => !('chiefOnly' in field) || talk.speaker.role === 'chief');
  await sayInPrivate(
    talk,
    `Sửa gì ở camera ${labelOf(camera)}? Anh/chị bấm chọn, hoặc gõ luôn, ví dụ: camera sửa ${camera.number} thôn Thôn 1`,
    rows(
      fields.map((field) => ({ label: field.label, says: `camera sửa ${camera.number} ${field.said[0]}` })),
      3,
    ),
  );
}
