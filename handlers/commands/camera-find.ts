import type { FoundDevice, OnvifDescription, OnvifProfile } from '../../media/types.js';
import { sayDuration } from '../../src/base/vietnamese/say.js';
import type { Talk } from '../../src/chat/command.js';
import type { Button } from '../../src/chat/message.js';
import { listCameras } from '../../src/store/cameras.js';
import { labelOf } from '../camera-asked.js';
import { probeWords } from '../camera-words.js';
import type { House } from '../house.js';
import { addFound, type Login, onlyInPrivate, scrubLogin } from './camera-add.js';
import { OTHER_MAKE, withLogin } from './camera-makes.js';

/** A device of `camera tìm`, as far as it is chosen. */
export interface FindTask {
  /** null: what is there is looked for */
  at: { host: string; port: number | null } | null;
  /** 1-based, of a recorder */
  channel: number | null;
  login: Login | null;
}

/** So long a login typed for one channel of a recorder serves for its others; it is kept in memory only. */
const REMEMBERED_MS = 10 * 60_000;
const MOST_BUTTONS = 20;
/** A camera's clock off by more is worth a word, s. */
const CLOCK_OFF_S = 60;

const remembered = new WeakMap<House, Map<string, Login & { untilMs: number }>>();

const keyOf = (talk: Talk, host: string) => `${talk.speaker.personId} ${host}`;

function remember(house: House, talk: Talk, host: string, login: Login): void {
  const logins = remembered.get(house) ?? new Map<string, Login & { untilMs: number }>();
  remembered.set(house, logins);
  for (const [key, { untilMs }] of logins) if (untilMs < talk.nowMs) logins.delete(key);
  logins.set(keyOf(talk, host), { ...login, untilMs: talk.nowMs + REMEMBERED_MS });
}

function recall(house: House, talk: Talk, host: string): Login | null {
  const login = remembered.get(house)?.get(keyOf(talk, host));
  return login === undefined || login.untilMs < talk.nowMs ? null : login;
}

/** `camera tìm`: what is on the net → choose → user and password → it records, and asks for its name. */
export async function findCameraTask(house: House, talk: Talk, task: FindTask): Promise<void> {
  try {
    if (await onlyInPrivate(talk, 'camera tìm')) return;
    if (task.at === null) return await listFound(house, talk);
    const { at, channel } = task;
    const login = task.login ?? (channel === null ? null : recall(house, talk, at.host));
    const said = `camera tìm ${at.host}${at.port === null ? '' : `:${at.port}`}${channel === null ? '' : ` kênh ${channel}`} đăng nhập`;
    if (login === null) return await askLogin(talk, at.host, said);
    await talk.progress('Em đang hỏi camera…');
    const device = await house.recorder.describe({
      ...{ host: at.host, user: login.user, password: login.password },
      ...(at.port !== null && { port: at.port }),
    });
    if (!device.ok) return await sayWhyNot(talk, device, at.host, said);
    const sources = bySource(device.profiles);
    if (sources.length === 0) {
      await talk.reply(
        'Thiết bị này nhận mật khẩu nhưng không có luồng hình nào. Xin xem lại phần cài đặt hình của nó.',
      );
      return;
    }
    remember(house, talk, at.host, login);
    const chosen = sources[(channel ?? 1) - 1];
    if (sources.length > 1 && (channel === null || chosen === undefined))
      return await askChannel(talk, at, sources.length);
    await add(house, talk, device, chosen ?? sources[0]!, login);
  } finally {
    if (task.login !== null) await scrubLogin(house, talk);
  }
}

async function askLogin(talk: Talk, host: string, command: string): Promise<void> {
  await talk.askWords(
    `Gửi em tên đăng nhập và mật khẩu của thiết bị ${host}, cách nhau một dấu cách. Ví dụ: admin MatKhau123\nEm che mật khẩu ngay sau khi dùng.`,
    command,
  );
}

async function sayWhyNot(
  talk: Talk,
  device: Extract<OnvifDescription, { ok: false }>,
  host: string,
  command: string,
): Promise<void> {
  if (device.cause === 'refused')
    return talk.askWords(
      'Camera có trả lời nhưng không nhận tên hoặc mật khẩu. Nhiều camera cần bật ONVIF và tạo tài khoản ONVIF riêng trong phần cài đặt mạng. Anh/chị gửi lại tên và mật khẩu nhé (sai nhiều lần camera có thể tự khóa một lúc); hoặc gõ: thôi',
      command,
    );
  await talk.reply(
    device.cause === 'unreachable'
      ? `Chưa thêm được. ${probeWords({ ...device, cause: 'unreachable' })}`
      : `Thiết bị ${host} không trả lời theo chuẩn ONVIF. Anh/chị thêm theo hãng, ví dụ: camera thêm Cổng chợ hikvision ${host}`,
  );
}

const bySource = (profiles: OnvifProfile[]): OnvifProfile[][] => {
  const sources = new Map<string, OnvifProfile[]>();
  for (const profile of profiles)
    sources.set(profile.source ?? '', [...(sources.get(profile.source ?? '') ?? []), profile]);
  return [...sources.values()];
};

async function askChannel(
  talk: Talk,
  at: { host: string; port: number | null },
  count: number,
): Promise<void> {
  const place = `${at.host}${at.port === null ? '' : `:${at.port}`}`;
  await talk.ask(
    `Đây là đầu ghi có ${count} kênh. Thêm kênh nào ạ? (kênh khác thêm sau, trong 10 phút không phải gõ lại mật khẩu)`,
    Array.from({ length: Math.min(count, 32) }, (_, i) => ({
      label: `Kênh ${i + 1}`,
      says: `camera tìm ${place} kênh ${i + 1}`,
    })),
  );
}

async function add(
  house: House,
  talk: Talk,
  device: Extract<OnvifDescription, { ok: true }>,
  profiles: OnvifProfile[],
  login: Login,
): Promise<void> {
  const [main, ...others] = profiles.map(({ rtspUrl }) => withLogin(rtspUrl, login.user, login.password));
  const offS = device.timeOffsetS ?? 0;
  const clock =
    Math.abs(offS) <= CLOCK_OFF_S
      ? ''
      : `\nĐồng hồ của camera đang ${offS > 0 ? 'nhanh' : 'chậm'} ${sayDuration(Math.abs(offS) * 1000)}: giờ ghi hình vẫn đúng, nhưng chữ giờ in trên hình thì sai, nên chỉnh lại trong cài đặt camera.`;
  await addFound(house, talk, {
    addresses: [{ main: main!, sub: others.at(-1) ?? null }],
    identity: device.identity,
    remark: clock,
  });
}

async function listFound(house: House, talk: Talk): Promise<void> {
  await talk.progress('Em đang tìm camera trong mạng, khoảng 10 giây…');
  const [found, cameras] = await Promise.all([house.recorder.discover(), listCameras(house.db)]);
  const fresh = found.filter(({ cameraIds }) => cameraIds.length === 0);
  const known = found.filter(({ cameraIds }) => cameraIds.length > 0);
  const recorded = known.map(({ host, cameraIds }) => {
    const those = cameras.filter(({ recorderId }) => cameraIds.includes(recorderId));
    return `• ${host}: ${those.length === 0 ? 'đang ghi' : those.map(labelOf).join(', ')}`;
  });
  const already = recorded.length === 0 ? '' : `\n\nĐã có trong hệ thống:\n${recorded.join('\n')}`;
  // a recorder has further channels
  const buttons = [...fresh, ...known].slice(0, MOST_BUTTONS).map(buttonOf);
  if (found.length === 0) {
    await talk.reply(NOT_FOUND);
    return;
  }
  await talk.ask(
    fresh.length === 0
      ? `Em không thấy camera mới nào trong mạng.${already}`
      : `Em thấy ${fresh.length} thiết bị chưa được ghi. Chọn cái nào ạ?${already}`,
    buttons,
  );
}

const NOT_FOUND =
  'Em không thấy camera nào trong mạng của máy chủ. Xin xem camera đã có điện và cắm chung mạng với máy chủ chưa.\n\nCamera ở nhà dân (mạng khác) thì nối bằng VPN WireGuard, hoặc tên miền động (DDNS) và mở cổng, rồi thêm bằng: camera thêm <tên> <hãng> <địa chỉ>. Gõ “camera nối” để xem cách nào hợp.';

function buttonOf({
  host,
  port,
  onvif,
  make,
  model,
  name,
  cameraIds,
}: FoundDevice): Button & { says: string } {
  const what =
    [make, model].filter((part) => part !== null).join(' ') || name || (onvif ? 'ONVIF' : 'không rõ hãng');
  const mark = cameraIds.length > 0 ? ' (đã có)' : '';
  return {
    label: `${host} · ${what.slice(0, 40)}${mark}`,
    says: onvif ? `camera tìm ${host}:${port}` : `camera thêm ${OTHER_MAKE} ${host}`,
  };
}

/** Ways to a camera, which to choose, what they need and risk. Figures: 2 Mbit/s for 720p, 4 Mbit/s for 1080p. */
export const WAYS = [
  'Có ba cách nối camera về máy chủ:',
  '1. Cùng mạng: camera cắm chung mạng với máy chủ (trụ sở, hoặc cáp kéo về). Tốt nhất, không tốn đường truyền ra ngoài. Gõ: camera tìm',
  '2. VPN WireGuard: camera ở nhà dân, modem hay một thiết bị nhỏ ở đó nối VPN về máy chủ. Nên chọn cách này cho mọi camera ở mạng khác: không mở cổng ra internet, không phụ thuộc IP của nhà. Máy chủ khai mạng VPN trong OWN_SUBNETS.',
  '3. Tên miền động (DDNS) và mở cổng 554 ở modem: dễ làm, nhưng cả internet gõ cửa được camera. Chỉ dùng khi không có VPN; phải đổi mật khẩu mạnh, đổi cổng, cập nhật camera. Mạng không có IP công cộng (4G, nhiều gói cáp quang) thì không dùng được. Gõ: camera thêm <tên> <hãng> <tên miền:cổng>',
  'Đường truyền: cách 2 và 3 cần chiều lên của nhà dân khoảng 2 Mbps cho camera HD (720p), 3 Mbps cho Full HD H.265, 4 Mbps cho Full HD H.264, chạy suốt ngày đêm. Nên để dư gấp rưỡi.',
  'Khi modem đổi địa chỉ: cách 1 và 2 hệ thống tự tìm lại camera. Cách 3 thì chỉ tên miền tự đổi theo; còn lại kỹ thuật viên phải xem DDNS và cổng ở modem.',
].join('\n\n');
