import { setMaxListeners } from 'node:events';
import net from 'node:net';
import PQueue from 'p-queue';
import { causeWords } from '../../handlers/alerts/causes.js';
import { codecWords, probeWords } from '../../handlers/camera-words.js';
import { probe } from '../../media/probe.js';
import { type Address, parseAddress } from '../../media/source/address.js';
import type { LoginGuard } from '../../media/source/login-guard.js';
import type { CameraInfo, ProbeResult } from '../../media/types.js';
import type { Ffmpeg } from '../base/ffmpeg.js';
import type { Seal } from '../base/seal.js';
import { sayAgo, sayMoment } from '../base/vietnamese/say.js';
import { broken, careful, type Finding, fine } from './finding.js';
import type { CameraFact } from './look-at-database.js';

/** At most so many are asked for pictures at once, and so many whether they are there at all. */
const AT_ONCE = 8;
const KNOCKS_AT_ONCE = 16;
const CONNECT_MS = 2500;
const PICTURE_MS = 11_000;

/** "Camera 5 Cổng chợ"; without its number where only the recorder knows it. */
function called({ number, name }: { number: number | null; name: string }): string {
  if (number !== null) return `Camera ${number} ${name}`;
  return /^cam(era)?\b/i.test(name) ? name : `Camera ${name}`;
}

const factsOf = (camera: { id: string; number: number | null }, state: string, cause: string | null) => ({
  ...{ id: camera.id, number: camera.number, state, cause },
});

/** What the running recorder says of its cameras. Pure. @param names what people call them, by the recorder's id */
export function judgeRunning(cameras: CameraInfo[], names: CameraFact[], nowMs: number): Finding[] {
  const known = new Map(names.map((one) => [one.id, one]));
  const order = (one: CameraInfo) => known.get(one.id)?.number ?? Number.POSITIVE_INFINITY;
  return [...cameras]
    .sort((a, b) => order(a) - order(b))
    .map((info) =>
      judgeInfo(info, known.get(info.id) ?? { id: info.id, number: null, name: info.name }, nowMs),
    );
}

function judgeInfo(
  info: CameraInfo,
  camera: Pick<CameraFact, 'id' | 'number' | 'name'>,
  nowMs: number,
): Finding {
  const facts = factsOf(camera, info.state, info.cause);
  const who = called(camera);
  switch (info.state) {
    case 'recording': {
      const picture = info.width === null ? '' : ` (${info.width}×${info.height}, ${codecWords(info.codec)})`;
      return fine('camera', `${who}: đang ghi${picture}.`, facts);
    }
    case 'starting':
      return careful(
        'camera',
        `${who}: đang kết nối.`,
        'Hãy chờ nửa phút rồi chạy lại npm run doctor.',
        facts,
      );
    case 'off':
      return switchedOff(camera);
    case 'down': {
      const { reason, hint } = causeWords(info.cause);
      const since = `từ ${sayMoment(info.sinceMs)} (${sayAgo(info.sinceMs, nowMs)})`;
      return broken('camera', `${who}: mất hình ${since}, ${reason}.`, hint ?? TURN_ON, facts);
    }
  }
}

const TURN_ON = 'Nếu muốn ghi lại, hãy bật camera này trong chat.';

const switchedOff = (camera: Pick<CameraFact, 'id' | 'number' | 'name'>): Finding =>
  careful('camera', `${called(camera)}: đã được tắt nên không ghi.`, TURN_ON, factsOf(camera, 'off', null));

/** Does anybody answer at this host and port? */
function answers(host: string, port: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ host, port, signal });
    const end = (yes: boolean) => {
      socket.destroy();
      resolve(yes);
    };
    socket.setTimeout(CONNECT_MS, () => end(false));
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
  });
}

/** Host and port of an address; null for a test picture. Its login is encoded, so the first @ ends it. */
function hostOf(address: Address): { name: string; port: number } | null {
  if (address.kind !== 'rtsp') return null;
  const [, scheme, host = '', port] =
    /^(rtsps?):\/\/(?:[^@/]*@)?(\[[^\]]*\]|[^:/?#]+)(?::(\d+))?/.exec(address.url) ?? [];
  return { name: host.replace(/^\[|\]$/g, ''), port: Number(port ?? (scheme === 'rtsps' ? 322 : 554)) };
}

type Tried = ProbeResult | 'no-time';

/** Is anybody there? Null: yes, or it is for the probe to say. */
async function knock(url: string, signal: AbortSignal): Promise<Tried | null> {
  if (signal.aborted) return 'no-time';
  let host: ReturnType<typeof hostOf>;
  try {
    host = hostOf(parseAddress(url));
  } catch {
    return { ok: false, cause: 'bad-address', detail: '' };
  }
  if (host === null || (await answers(host.name, host.port, signal))) return null;
  return signal.aborted ? 'no-time' : { ok: false, cause: 'unreachable', detail: '' };
}

/** Are there pictures? Somebody is there. */
async function tryPictures(
  ffmpeg: Ffmpeg,
  camera: { url: string; transport: 'tcp' | 'udp' },
  signal: AbortSignal,
  guard: LoginGuard,
): Promise<Tried> {
  if (signal.aborted) return 'no-time';
  const limit = AbortSignal.timeout(PICTURE_MS);
  const result = await probe(ffmpeg, camera, AbortSignal.any([signal, limit]), guard);
  if (result.ok) return result;
  if (signal.aborted && !limit.aborted) return 'no-time';
  // it took the connection and said nothing that could be judged
  return limit.aborted && result.cause === 'unreachable' ? { ...result, cause: 'silent' } : result;
}

/**
 * Tries every camera while the recorder is away, some at a time, until the signal ends it; those without a turn are said
 * to have had none. A password that a host refused, now or lately when the recorder tried it, is not tried by its next
 * channel too: the host would lock us out.
 */
export async function tryCameras(
  cameras: CameraFact[],
  names: CameraFact[],
  { ffmpeg, seal, guard, signal }: { ffmpeg: Ffmpeg; seal: Seal; guard: LoginGuard; signal: AbortSignal },
): Promise<Finding[]> {
  // one for every camera under way
  setMaxListeners(0, signal);
  const known = new Map(names.map((one) => [one.id, one]));
  const knocks = new PQueue({ concurrency: KNOCKS_AT_ONCE });
  const queue = new PQueue({ concurrency: AT_ONCE });
  const tryOne = async (camera: CameraFact): Promise<Finding> => {
    const shown = { ...camera, ...known.get(camera.id), id: camera.id };
    if (!camera.enabled) return switchedOff(shown);
    let url: string;
    try {
      url = seal.open(camera.urlSealed ?? '');
    } catch {
      return broken(
        'camera',
        `${called(shown)}: không đọc được địa chỉ đã lưu.`,
        'Hãy xem dòng về khóa SECRET_KEY ở mục Cài đặt.',
        factsOf(shown, 'unknown', null),
      );
    }
    const absent = await knocks.add(() => knock(url, signal), { throwOnTimeout: true });
    const tried =
      absent ??
      (await queue.add(() => tryPictures(ffmpeg, { url, transport: camera.transport }, signal, guard), {
        throwOnTimeout: true,
      }));
    return judgeTried(shown, tried);
  };
  return Promise.all(cameras.map(tryOne));
}

/** What trying an address means. Pure. */
export function judgeTried(
  camera: { id: string; number: number | null; name: string },
  tried: Tried,
): Finding {
  const who = called(camera);
  if (tried === 'no-time')
    return careful(
      'camera',
      `${who}: chưa kịp thử.`,
      'Hãy chạy Mắt Thần (npm start) rồi chạy lại npm run doctor để xem đủ mọi camera.',
      factsOf(camera, 'unknown', null),
    );
  if (tried.ok)
    return fine(
      'camera',
      `${who}: có hình (${tried.width}×${tried.height}, ${codecWords(tried.codec)}).`,
      factsOf(camera, 'reachable', null),
    );
  if (tried.cause === 'bad-address') {
    const says = `${who}: địa chỉ đã lưu không đúng dạng.`;
    return broken('camera', says, probeWords(tried), factsOf(camera, 'down', tried.cause));
  }
  const { reason, hint } = causeWords(tried.cause);
  return broken('camera', `${who}: ${reason}.`, hint ?? '', factsOf(camera, 'down', tried.cause));
}
