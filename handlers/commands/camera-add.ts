import type { CameraIdentity, ProbeResult } from '../../media/types.js';
import { PersonError } from '../../src/base/errors.js';
import type { Talk } from '../../src/chat/command.js';
import { writeAudit } from '../../src/store/audit.js';
import { addCamera, assign, freeNumber, listCameras } from '../../src/store/cameras.js';
import { ensureSite, listHamlets } from '../../src/store/places.js';
import { scrubMessage } from '../../src/store/scrub.js';
import { codecWords, probeWords } from '../camera-words.js';
import type { House } from '../house.js';
import { placeOf } from '../saying.js';
import { addressesOf, hintOf, type NamedDevice, withLogin } from './camera-makes.js';

/** The recorder's id of a camera that a message adds. */
const idFor = (inboxId: number, nowMs: number) => `c${inboxId}-${nowMs.toString(36)}`;

/** The inbox id of the message that added a camera; null: it was added in another way. */
export function messageThatAdded(recorderId: string): number | null {
  const inboxId = /^c(\d+)-[0-9a-z]+$/.exec(recorderId)?.[1];
  return inboxId === undefined ? null : Number(inboxId);
}

/** What stands in the kept message in place of a secret. */
export const SCRUBBED = '[đã ẩn]';

export const DELETE_IT =
  'Tin nhắn vừa rồi có mật khẩu camera: anh/chị hãy xóa tin đó trong khung chat nhé. Em không giữ mật khẩu ở dạng đọc được.';

/** Does an address carry a user or password? */
export const hasSecret = (url: string) => /^[a-z][a-z0-9+.-]*:\/\/\S*@/i.test(url);

/** Throws with what to do when the text is no address a camera could have. */
export function checkAddress(url: string, demo: boolean): void {
  if (url.startsWith('test:')) {
    if (!demo) throw new PersonError('Địa chỉ test: chỉ dùng được trong bản dùng thử.');
    return;
  }
  // What a password may hold is the recorder's to judge: it reads an address as it was typed.
  if (!/^rtsps?:\/\/\S+$/i.test(url))
    throw new PersonError(
      'Em nhận địa chỉ bắt đầu bằng rtsp:// hoặc rtsps://, thường như: rtsp://tên:mật-khẩu@192.168.1.20:554/… Xin xem lại trong phần cài đặt của camera.',
    );
}

/** Said in a group an address would show the password to everybody: refused there, taken in private. */
export async function onlyInPrivate(talk: Talk, example: string): Promise<boolean> {
  if (talk.group === null) return false;
  await talk.reply(
    'Việc này em chỉ làm trong chat riêng, vì địa chỉ camera có mật khẩu. Nếu tin vừa rồi có mật khẩu, anh/chị hãy xóa tin đó ngay.',
  );
  await talk.replyPrivately(`Mình làm tiếp ở đây nhé. Gõ: ${example}`);
  return true;
}

export interface Login {
  user: string;
  password: string;
}

/** What follows "đăng nhập": a user, a blank, the password with whatever is in it. */
const LOGIN = /\s+(?:đăng nhập|dang nhap)(?:\s+(\S+)(?:\s+(\S.*))?)?\s*$/iu;

/** Takes the login off the end of the words; a user alone has an empty password. */
export function takeLogin(words: string): { rest: string; login: Login | null } {
  const found = LOGIN.exec(` ${words}`);
  if (found === null) return { rest: words, login: null };
  const [, user, password = ''] = found;
  const rest = ` ${words}`.slice(0, found.index).trim();
  return { rest, login: user === undefined ? null : { user, password } };
}

/** Takes a typed login out of what is kept of the message: the words after "đăng nhập", or the whole answer. */
export async function scrubLogin(house: House, talk: Talk): Promise<void> {
  const said = talk.message.text.trim();
  const typed = /(?:đăng nhập|dang nhap)\s+([\s\S]+)$/iu.exec(said)?.[1] ?? said;
  if (typed !== '') await scrubMessage(house.db, talk.inboxId, typed, SCRUBBED);
}

export interface AddTask {
  number: number | null;
  name: string | null;
  url: string | null;
  /** instead of an address: make, place and channel */
  device: NamedDevice | null;
  login: Login | null;
}

/** Adds a camera after trying its address; what is missing is asked for, the address last. */
export async function addCameraTask(house: House, talk: Talk, task: AddTask): Promise<void> {
  if (await onlyInPrivate(talk, 'camera thêm Ngã ba chợ')) {
    if (task.url !== null) await scrubMessage(house.db, talk.inboxId, task.url, SCRUBBED);
    if (task.login !== null) await scrubLogin(house, talk);
    return;
  }
  const { url } = task;
  if (url === null && task.device !== null) return addNamedDevice(house, talk, task, task.device);
  const lead = task.number === null ? '' : `${task.number} `;
  if (url === null && task.name === null)
    return talk.askWords(
      'Camera mới tên là gì ạ? Ví dụ: Ngã ba chợ\n(Để em tìm trong mạng thì gõ: camera tìm. Camera ở xa, chưa biết nối cách nào thì gõ: camera nối)',
      `camera thêm ${lead}`.trim(),
    );
  if (url === null)
    return talk.askWords(
      `Gửi em địa chỉ của camera “${task.name}”, thường như:\nrtsp://tên:mật-khẩu@192.168.1.20:554/…\nhoặc chỉ cần hãng và IP (đầu ghi thì thêm kênh), như: hikvision 192.168.1.20 kênh 2\nEm sẽ thử xem có hình không trước khi lưu. Chưa biết IP thì gõ: camera tìm`,
      `camera thêm ${lead}${task.name}`,
    );
  try {
    const subject = { ...task, addresses: [{ main: url, sub: null }], identity: null };
    checkAddress(url, house.settings.demo);
    await add(house, talk, { ...subject, secret: hasSecret(url), remark: '' });
  } finally {
    if (hasSecret(url)) await scrubMessage(house.db, talk.inboxId, url, SCRUBBED);
  }
}

/** By make, place and channel: asks for what is missing, last for user and password, and tries the make's paths. */
async function addNamedDevice(house: House, talk: Talk, task: AddTask, device: NamedDevice): Promise<void> {
  try {
    const lead = ['camera thêm', task.number, task.name, device.make]
      .filter((part) => part !== null)
      .join(' ');
    const { host } = device;
    if (host === null)
      return await talk.askWords(
        `Camera ${device.make} này ở địa chỉ IP nào ạ? Ví dụ: 192.168.1.20 (đầu ghi thì thêm kênh: 192.168.1.20 kênh 2)`,
        lead,
      );
    const addresses = addressesOf({ ...device, host });
    if (addresses.length === 0)
      throw new PersonError(
        `Em chưa biết đường dẫn các kênh của đầu ghi ${device.make}. Anh/chị gõ “camera tìm” để chọn đầu ghi, hoặc gửi địa chỉ rtsp:// của kênh.`,
      );
    const { login } = task;
    const again = `${lead} ${host}${device.port === null ? '' : `:${device.port}`}${device.channel === 1 ? '' : ` kênh ${device.channel}`} đăng nhập`;
    const hint = hintOf(device.make);
    if (login === null)
      return await talk.askWords(
        `Gửi em tên đăng nhập và mật khẩu của camera, cách nhau một dấu cách. Ví dụ: admin MatKhau123${hint === null ? '' : `\n${hint}`}\nEm che mật khẩu ngay sau khi dùng.`,
        again,
      );
    const whole = (url: string) => withLogin(url, login.user, login.password);
    await add(house, talk, {
      ...{ number: task.number, name: task.name, identity: null, secret: true, remark: '' },
      askName: true,
      addresses: addresses.map(({ main, sub }) => ({ main: whole(main), sub: whole(sub) })),
      askAgain: again,
    });
  } finally {
    if (task.login !== null) await scrubLogin(house, talk);
  }
}

/** Adds a camera found on the net, under a name to be changed. */
export const addFound = (
  house: House,
  talk: Talk,
  found: Pick<Subject, 'addresses' | 'identity' | 'remark'>,
): Promise<void> => add(house, talk, { ...found, number: null, name: null, askName: true, secret: true });

/** What is to be added. */
interface Subject {
  number: number | null;
  name: string | null;
  /** with login; the first that gives pictures is taken */
  addresses: { main: string; sub: string | null }[];
  identity: CameraIdentity | null;
  /** the message holds a password */
  secret: boolean;
  /** said besides */
  remark: string;
  /** one without a name is asked for it, once it records */
  askName?: boolean;
  /** what asks for user and password again when they are refused */
  askAgain?: string;
}

/** Tries the addresses in turn. One that is refused, or silent for all of them, ends it: cameras lock out who keeps trying. */
async function tryAddresses(
  house: House,
  addresses: Subject['addresses'],
): Promise<{ result: ProbeResult; url: string; subUrl: string | null }> {
  for (const [i, { main, sub }] of addresses.entries()) {
    const result = await house.recorder.probe({ url: main });
    if (result.ok) {
      // the smaller H.264 stream spares making H.265 over for the chat
      const wanted = sub !== null && !/^avc/.test(result.codec);
      const small = wanted ? await house.recorder.probe({ url: sub }) : null;
      return { result, url: main, subUrl: small?.ok && /^avc/.test(small.codec) ? sub : null };
    }
    const elsewhere = result.cause === 'not-found' || result.cause === 'not-video';
    if (!elsewhere || i === addresses.length - 1) return { result, url: main, subUrl: null };
  }
  throw new Error('there is no address to try');
}

async function add(house: House, talk: Talk, task: Subject): Promise<void> {
  const secret = task.secret ? `\n\n${DELETE_IT}` : '';
  const recorderId = idFor(talk.inboxId, talk.nowMs);
  const there = await house.recorder.cameras();
  const again = there.some((info) => info.id === recorderId);
  const taken = await listCameras(house.db);
  let tried: Awaited<ReturnType<typeof tryAddresses>> | null = null;
  if (!again) {
    const holder = taken.find((camera) => camera.number === task.number);
    if (holder !== undefined)
      throw new PersonError(
        `Số ${holder.number} đang là camera ${holder.name}. Xin chọn số khác, hoặc bỏ số để em tự đặt.${secret}`,
      );
    await talk.progress('Em đang thử kết nối tới camera…');
    tried = await tryAddresses(house, task.addresses);
    const { result } = tried;
    if (!result.ok) {
      const why = `Chưa thêm được. ${probeWords(result)}`;
      if (result.cause === 'refused' && task.askAgain !== undefined)
        await talk.askWords(
          `${why.replace('gửi lại địa chỉ', 'gửi lại tên và mật khẩu')} (Sai nhiều lần camera có thể tự khóa một lúc; thôi thì gõ: thôi)${secret}`,
          task.askAgain,
        );
      else await talk.reply(`${why}${secret}`);
      return;
    }
  }
  const number = task.number ?? (await freeNumber(house.db));
  const name = (task.name ?? `Camera ${number}`).slice(0, 80);
  const info = again
    ? await house.recorder.camera(recorderId)
    : await house.recorder.addCamera({
        ...{ id: recorderId, name, url: tried!.url },
        ...(tried!.subUrl !== null && { subUrl: tried!.subUrl }),
        ...(task.identity !== null && { identity: task.identity }),
      });
  const added = await talk.once('camera.add', async (tx) => {
    const site = await ensureSite(tx, name, null);
    const id = await addCamera(tx, { number, recorderId, name, siteId: site.id });
    if (talk.speaker.role === 'technician') await assign(tx, talk.speaker.personId, id);
    await writeAudit(tx, [
      {
        atMs: talk.nowMs,
        personId: talk.speaker.personId,
        personName: talk.speaker.name,
        action: 'camera.add',
        cameraId: id,
        place: placeOf(talk),
        result: 'ok',
        detail: info.address,
      },
    ]);
    return { number, name, needsHamlet: site.hamletId === null };
  });
  const hamlets = added.needsHamlet ? await listHamlets(house.db) : [];
  // The recorder begins only now: the picture's size is known from the trial.
  const { width, height, codec } = tried?.result.ok ? tried.result : info;
  const picture = width === null ? '' : ` (${width}×${height}, ${codecWords(codec)})`;
  const text = `Đã thêm camera ${added.number} ${added.name}${picture}, đang bắt đầu ghi.${task.remark}${secret}`;
  if (task.name === null && task.askName)
    return talk.ask(`${text}\n\nĐặt tên cho camera này nhé?`, [
      { label: 'Đặt tên', says: `camera sửa ${added.number} tên` },
      { label: `Giữ tên ${added.name}`, says: `camera ${added.number}` },
    ]);
  if (hamlets.length === 0)
    await talk.reply({
      kind: 'text',
      text: `${text}\n\nKhai thêm thôn, hộ gắn camera, đường truyền: bấm Sửa.`,
      buttons: [
        [
          { label: 'Xem ảnh', says: `ảnh ${added.number}` },
          { label: 'Sửa', says: `camera sửa ${added.number}` },
        ],
      ],
    });
  else
    await talk.ask(
      `${text}\n\nCamera này ở thôn nào?`,
      hamlets.slice(0, 12).map((hamlet) => ({
        label: hamlet.name,
        says: `camera sửa ${added.number} thôn ${hamlet.name}`,
      })),
    );
}
