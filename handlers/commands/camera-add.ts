import { PersonError } from '../../src/base/errors.js';
import type { Talk } from '../../src/chat/command.js';
import { writeAudit } from '../../src/store/audit.js';
import { addCamera, assign, freeNumber, listCameras } from '../../src/store/cameras.js';
import { ensureSite, listHamlets } from '../../src/store/places.js';
import { scrubMessage } from '../../src/store/scrub.js';
import { codecWords, probeWords } from '../camera-words.js';
import type { House } from '../house.js';
import { placeOf } from '../saying.js';

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

/** Adds a camera after trying its address; what is missing is asked for, the address last. */
export async function addCameraTask(
  house: House,
  talk: Talk,
  task: { number: number | null; name: string | null; url: string | null },
): Promise<void> {
  if (await onlyInPrivate(talk, 'camera thêm Ngã ba chợ')) {
    if (task.url !== null) await scrubMessage(house.db, talk.inboxId, task.url, SCRUBBED);
    return;
  }
  const { url } = task;
  const lead = task.number === null ? '' : `${task.number} `;
  if (url === null && task.name === null)
    return talk.askWords('Camera mới tên là gì ạ? Ví dụ: Ngã ba chợ', `camera thêm ${lead}`.trim());
  if (url === null)
    return talk.askWords(
      `Gửi em địa chỉ của camera “${task.name}”, thường như:\nrtsp://tên:mật-khẩu@192.168.1.20:554/…\nEm sẽ thử xem có hình không trước khi lưu.`,
      `camera thêm ${lead}${task.name}`,
    );
  try {
    await add(house, talk, { ...task, url });
  } finally {
    if (hasSecret(url)) await scrubMessage(house.db, talk.inboxId, url, SCRUBBED);
  }
}

async function add(
  house: House,
  talk: Talk,
  task: { number: number | null; name: string | null; url: string },
): Promise<void> {
  const secret = hasSecret(task.url) ? `\n\n${DELETE_IT}` : '';
  checkAddress(task.url, house.settings.demo);
  const recorderId = `c${talk.inboxId}-${talk.nowMs.toString(36)}`;
  const there = await house.recorder.cameras();
  const again = there.some((info) => info.id === recorderId);
  const taken = await listCameras(house.db);
  let seen: { codec: string | null; width: number | null; height: number | null } | null = null;
  if (!again) {
    const holder = taken.find((camera) => camera.number === task.number);
    if (holder !== undefined)
      throw new PersonError(
        `Số ${holder.number} đang là camera ${holder.name}. Xin chọn số khác, hoặc bỏ số để em tự đặt.${secret}`,
      );
    await talk.progress('Em đang thử kết nối tới camera…');
    const probe = await house.recorder.probe({ url: task.url });
    if (!probe.ok) {
      await talk.reply(`Chưa thêm được. ${probeWords(probe)}${secret}`);
      return;
    }
    seen = probe;
  }
  const number = task.number ?? (await freeNumber(house.db));
  const name = (task.name ?? `Camera ${number}`).slice(0, 80);
  const info = again
    ? await house.recorder.camera(recorderId)
    : await house.recorder.addCamera({ id: recorderId, name, url: task.url });
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
  const { width, height, codec } = seen ?? info;
  const picture = width === null ? '' : ` (${width}×${height}, ${codecWords(codec)})`;
  const text = `Đã thêm camera ${added.number} ${added.name}${picture}, đang bắt đầu ghi.${secret}`;
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
