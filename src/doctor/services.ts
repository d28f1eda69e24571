import { makeRecorderClient } from '../../media/client.js';
import type { CameraInfo, Health, RecorderClient } from '../../media/types.js';
import type { Config } from '../base/config.js';
import { WorldError } from '../base/errors.js';
import { folderHolder } from '../base/folder-lock.js';
import { sayAgo, sayMoment } from '../base/vietnamese/say.js';
import { broken, careful, type Finding, fine } from './finding.js';
import type { ZaloHealth } from './zalo.js';

export interface ServicesLook {
  /** the process that runs this data folder; null: none */
  parent: number | null;
  /** what the web server said of itself; null: it does not answer, or is not ours */
  bot: { ok: boolean; zalo: ZaloHealth } | null;
  /** ours: it knows our token · stranger: a recorder that doesn't · away */
  recorder: 'ours' | 'stranger' | 'away';
  health: Health | null;
  cameras: CameraInfo[] | null;
}

const ANSWER_MS = 4000;

/** Asks both services. Never throws. */
export async function lookAtServices(config: Config): Promise<ServicesLook> {
  const client = makeRecorderClient({
    url: `http://127.0.0.1:${config.recorderPort}`,
    token: config.recorderToken,
    timeoutMs: ANSWER_MS,
  });
  const [parent, bot, recorder] = await Promise.all([
    folderHolder(config.dataDir).catch(() => null),
    askBot(config),
    askRecorder(client),
  ]);
  // somebody else's web server may answer on our port: it is ours only while somebody runs this folder (whose lock
  // another account may not see)
  return { parent, bot: parent === null && recorder.recorder !== 'ours' ? null : bot, ...recorder };
}

async function askBot({ host, port }: Config): Promise<ServicesLook['bot']> {
  const where =
    host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '[::1]' : host.includes(':') ? `[${host}]` : host;
  try {
    const response = await fetch(`http://${where}:${port}/healthz`, {
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    const body = (await response.json()) as { ok?: unknown; zalo?: ZaloHealth };
    return typeof body?.ok === 'boolean' ? { ok: body.ok, zalo: body.zalo ?? { oa: null } } : null;
  } catch {
    return null;
  }
}

async function askRecorder(
  client: RecorderClient,
): Promise<Pick<ServicesLook, 'recorder' | 'health' | 'cameras'>> {
  const health = await client.health().catch(() => null);
  try {
    return { recorder: 'ours', health, cameras: await client.cameras() };
  } catch (error) {
    const away = health === null || !(error instanceof WorldError);
    return { recorder: away ? 'away' : 'stranger', health: null, cameras: null };
  }
}

const START = 'Hãy chạy npm start (hoặc nếu đã cài dịch vụ: sudo systemctl start mat-than).';

/** What runs, and since when. Pure. */
export function judgeServices(
  look: ServicesLook,
  { installed, demo, nowMs }: { installed: boolean; demo: boolean; nowMs: number },
): Finding[] {
  const { parent, bot, recorder, health } = look;
  const facts = { pid: parent, bot: bot !== null, recorder };
  if (parent === null && recorder !== 'ours') {
    if (!installed)
      return [careful('running', 'Mắt Thần chưa chạy lần nào ở đây.', 'Hãy gõ: npm start', facts)];
    return [
      demo
        ? careful('running', 'Bản dùng thử đang không chạy.', 'Hãy gõ: npm start', facts)
        : broken('running', 'Mắt Thần đang không chạy nên không camera nào được ghi.', START, facts),
    ];
  }
  const found: Finding[] = [];
  if (recorder === 'ours') {
    const since =
      health === null ? '' : ` từ ${sayMoment(health.startedMs)} (${sayAgo(health.startedMs, nowMs)})`;
    const told = { ...facts, startedMs: health?.startedMs ?? null };
    found.push(
      health !== null && !health.ok
        ? broken(
            'recorder',
            `Máy ghi đang chạy nhưng không ghi được vào ổ đĩa${since}.`,
            'Hãy xem mục Ổ đĩa ở trên, rồi khởi động lại Mắt Thần.',
            told,
          )
        : fine('recorder', `Máy ghi đang chạy${since}.`, told),
    );
  } else
    found.push(
      broken(
        'recorder',
        recorder === 'stranger'
          ? 'Ở cổng của máy ghi có một máy ghi khác trả lời, không phải của thư mục này.'
          : 'Máy ghi không trả lời nên không biết có đang ghi hình không.',
        recorder === 'stranger'
          ? 'Hãy đặt RECORDER_PORT khác trong .env, hoặc dừng Mắt Thần kia.'
          : 'Hãy chờ một phút rồi chạy lại npm run doctor; vẫn vậy thì khởi động lại Mắt Thần và xem recorder.log trong thư mục logs.',
        facts,
      ),
    );
  found.push(
    bot?.ok === true
      ? fine('bot', 'Bot và trang web đang chạy.', facts)
      : broken(
          'bot',
          'Bot không trả lời nên không ai nhắn được (việc ghi hình không bị ảnh hưởng).',
          'Hãy chờ một phút rồi chạy lại npm run doctor; vẫn vậy thì khởi động lại Mắt Thần và xem bot.log trong thư mục logs.',
          facts,
        ),
  );
  return found;
}
