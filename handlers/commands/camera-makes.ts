import { isIP } from 'node:net';
import { fold } from '../../src/base/vietnamese/text.js';

/** Where a device of one make keeps its streams. */
interface Make {
  name: string;
  /** how people call it, folded */
  said: readonly string[];
  /** a recorder's channels have paths of their own */
  channels: boolean;
  port: number;
  paths: (channel: number) => { main: string; sub: string };
  /** what to know about user and password */
  hint: string | null;
}

const hikvision = (n: number) => ({ main: `/Streaming/Channels/${n}01`, sub: `/Streaming/Channels/${n}02` });
const dahua = (n: number) => ({
  main: `/cam/realmonitor?channel=${n}&subtype=0`,
  sub: `/cam/realmonitor?channel=${n}&subtype=1`,
});
const uniview = (n: number) => ({ main: `/unicast/c${n}/s0/live`, sub: `/unicast/c${n}/s1/live` });
const tpLink = () => ({ main: '/stream1', sub: '/stream2' });
const SAFETY_CODE = 'Mật khẩu thường là mã an toàn in trên tem dưới đáy camera, tên đăng nhập là admin.';

/**
 * Paths by make, each as public documents give them (looked up in November 2026):
 * - Hikvision `/Streaming/Channels/<channel>0<1 main, 2 sub>`, the same for its recorders from 2012 on: manufacturer's
 *   "RTSP URL" note as cited by zwplayer.com/articles/device/ip-camera-rtsp-url-guide.html and help.dayta.ai.
 * - Dahua `/cam/realmonitor?channel=<n>&subtype=<0 main, 1 sub>`: help.dayta.ai and haomeiwen.com/subject/gcosyctx.html,
 *   both after Dahua's own wiki. KBVision and Imou are Dahua's devices under other names and take its paths.
 * - Ezviz `/h264/ch<n>/<main|sub>/av_stream`, Hikvision's older form (haomeiwen.com, zwplayer.com "EZVIZ series").
 * - Tapo and Vigi `/stream1`, `/stream2`: TP-Link's FAQ 2680 as cited by actutana.com and the wiki of phit/vigilatus.
 *   Vigi's recorders are added by ONVIF ("camera tìm").
 * - Uniview `/unicast/c<n>/s<0 main, 1 sub>/live` for cameras and recorders: mofulls.pixnet.net/blog/post/351191279.
 * - "khác": the commonest of these are tried in turn.
 */
export const MAKES = [
  {
    name: 'Hikvision',
    said: ['hikvision', 'hik', 'hilook'],
    channels: true,
    port: 554,
    paths: hikvision,
    hint: null,
  },
  { name: 'Dahua', said: ['dahua', 'dahoa'], channels: true, port: 554, paths: dahua, hint: null },
  {
    name: 'KBVision',
    said: ['kbvision', 'kb vision', 'kbone'],
    channels: true,
    port: 554,
    paths: dahua,
    hint: null,
  },
  { name: 'Imou', said: ['imou'], channels: true, port: 554, paths: dahua, hint: SAFETY_CODE },
  {
    ...{ name: 'Ezviz', said: ['ezviz'], channels: true, port: 554, hint: SAFETY_CODE },
    paths: (n: number) => ({ main: `/h264/ch${n}/main/av_stream`, sub: `/h264/ch${n}/sub/av_stream` }),
  },
  {
    ...{ name: 'Tapo', said: ['tapo', 'tp link tapo'], channels: false, port: 554, paths: tpLink },
    hint: 'Với Tapo, xin tạo trước “Tài khoản camera” trong ứng dụng Tapo (Cài đặt nâng cao) và dùng tài khoản đó.',
  },
  {
    name: 'Vigi',
    said: ['vigi', 'tp link vigi', 'tp link'],
    channels: false,
    port: 554,
    paths: tpLink,
    hint: null,
  },
  { name: 'Uniview', said: ['uniview', 'unv'], channels: true, port: 554, paths: uniview, hint: null },
] as const satisfies readonly Make[];

export const OTHER_MAKE = 'khác';
const OTHER = new Set(['khac', 'hang khac', 'khong ro', 'generic', 'onvif']);

/** A device as a technician names it: make, place, channel. */
export interface NamedDevice {
  /** a name of MAKES, or "khác" */
  make: string;
  /** IP address or name; null: not said yet */
  host: string | null;
  /** of RTSP; null: the make's own */
  port: number | null;
  /** 1-based */
  channel: number;
}

/**
 * Addresses a device may have its streams at, the likeliest first. Pure.
 * @returns an empty list where this make has no such channel
 */
export function addressesOf(device: NamedDevice & { host: string }): { main: string; sub: string }[] {
  const { make, host, channel } = device;
  const known = MAKES.filter(
    (one) => one.name === make || (make === OTHER_MAKE && one !== MAKES[2] && one !== MAKES[3]),
  );
  const addresses = known
    .filter((one) => channel === 1 || one.channels)
    .map((one) => {
      const at = `rtsp://${isIP(host) === 6 ? `[${host}]` : host}:${device.port ?? one.port}`;
      const { main, sub } = one.paths(channel);
      return { main: at + main, sub: at + sub };
    });
  return addresses.filter((one, i) => addresses.findIndex((other) => other.main === one.main) === i);
}

export const hintOf = (make: string): string | null => MAKES.find((one) => one.name === make)?.hint ?? null;

/** An address with its login, everything in it encoded. */
export function withLogin(url: string, user: string, password: string): string {
  const encoded = (text: string) =>
    encodeURIComponent(text).replace(
      /[!'()*]/g,
      (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
    );
  return url.replace(/^(rtsps?:\/\/)/i, `$1${encoded(user)}:${encoded(password)}@`);
}

const PLACE =
  /^(?:\d{1,3}(?:\.\d{1,3}){3}|(?=[a-z0-9.-]*[a-z])[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9-]+)+)(?::\d{1,5})?$/i;
const CHANNEL = /\s+(?:kênh|kenh|channel|ch)\s*(?:số\s*|so\s*)?(\d{1,3})\s*$/iu;

/** "192.168.1.64", "nha.ddns.net:8554" → host and port; null for anything else. */
export function readPlace(text: string): { host: string; port: number | null } | null {
  if (!PLACE.test(text)) return null;
  const [host = '', said] = text.split(':');
  const port = said === undefined ? null : Number(said);
  if (/^[\d.]+$/.test(host) && isIP(host) !== 4) return null;
  return port !== null && (port < 1 || port > 65_535) ? null : { host, port };
}

/**
 * Reads "Cổng chợ hikvision 192.168.1.64:554 kênh 2": the name before, the make, the place, the channel.
 * Null when there is neither a make with a place nor a make at the very end.
 */
export function readDevice(text: string): { before: string; device: NamedDevice } | null {
  const channel = Number(CHANNEL.exec(` ${text}`)?.[1] ?? 1);
  const words = ` ${text}`.replace(CHANNEL, '').trim().split(/\s+/);
  const place = readPlace(words.at(-1) ?? '');
  if (place !== null) words.pop();
  if (words.at(-1) !== undefined && fold(words.at(-1)!) === 'ip') words.pop();
  for (const length of [3, 2, 1]) {
    if (words.length < length) continue;
    const said = fold(words.slice(-length).join(' ')).replaceAll('-', ' ');
    const found = MAKES.find((one) => (one.said as readonly string[]).includes(said));
    const make = found?.name ?? (OTHER.has(said) && place !== null ? OTHER_MAKE : null);
    if (make === null) continue;
    const before = words
      .slice(0, -length)
      .join(' ')
      .replace(/\s+(?:hãng|hang)$/iu, '');
    return { before, device: { make, host: place?.host ?? null, port: place?.port ?? null, channel } };
  }
  return null;
}
