import { randomBytes } from 'node:crypto';
import http from 'node:http';
import { pino } from 'pino';
import { type Config, isLoopback } from '../base/config.js';
import { WorldError } from '../base/errors.js';
import { botWebhookAt, makeBotClient, makeOaClient, tryApp, ZaloError } from '../channels/zalo/index.js';
import type { Finding } from '../doctor/finding.js';
import { checkTelegram } from '../doctor/telegram.js';
import { sayBot } from '../doctor/zalo-bot.js';
import { askOa } from '../doctor/zalo-oa.js';

/** What the world says of a setting. `unknown`: nobody answered, so it may be right. */
export interface Verdict {
  is: 'good' | 'wrong' | 'unknown';
  lines: string[];
}

const TIMEOUT_MS = 15_000;
/** Zalo's words for an app. Source: chat-apis.md §1.1. */
const APP_INACTIVE = -14002;
const SECRET_WRONG = -14004;
const log = pino({ level: 'silent' });
const within = () => AbortSignal.timeout(TIMEOUT_MS);

/** A refusal means that it is wrong; anything else may pass. */
function judge(error: unknown, wrong: string, unreachable: string): Verdict {
  if (error instanceof ZaloError && error.remedy !== 'back-off')
    return { is: 'wrong', lines: [`${wrong} (mã ${error.code}).`] };
  if (error instanceof WorldError) return { is: 'unknown', lines: [unreachable] };
  throw error;
}

/** Does Telegram know this token? */
export async function tryTelegram(telegram: Config['telegram']): Promise<Verdict> {
  const { findings } = await checkTelegram(telegram, false, within());
  const facts = findings.map((finding) => finding.facts ?? {});
  const refused = facts.some(({ shape, status }) => shape === false || status === 401 || status === 404);
  const known = facts.some(({ username }) => username !== undefined);
  return {
    is: known ? 'good' : refused ? 'wrong' : 'unknown',
    lines: linesOf(findings),
  };
}

const linesOf = (findings: Finding[]): string[] =>
  findings.flatMap(({ says, todo }) => (todo === undefined ? [says] : [says, todo]));

const away = (root: string) => `Không tới được Zalo tại ${new URL(root).host}: hãy xem máy có mạng không.`;

/** Does the Bot Platform know this token, and what can its bot do? @param publicUrl as it will be; null: no pictures */
export async function tryZaloBot(root: string, token: string, publicUrl: string | null): Promise<Verdict> {
  const client = makeBotClient({ root, token, log, timeoutMs: TIMEOUT_MS });
  try {
    const lines = linesOf(sayBot(await client.me(), publicUrl));
    const { url } = await client.webhook();
    const address = publicUrl === null ? '' : botWebhookAt(publicUrl);
    if (url && url !== address)
      lines.push(
        'Bot này đang gửi tin tới một địa chỉ khác: Mắt Thần sẽ đổi về máy này khi khởi động; chương trình kia (nếu còn dùng) sẽ không nhận được tin nữa.',
      );
    return { is: 'good', lines };
  } catch (error) {
    return judge(error, 'Zalo không nhận token này', away(root));
  }
}

/** Do the OA's app and its secret fit? Zalo is asked; no token of the OA's is used up. */
export async function tryZaloApp(zalo: Config['zalo'], appId: string, appSecret: string): Promise<Verdict> {
  const { oauth: root } = zalo.roots;
  try {
    await tryApp({ root, appId, appSecret }, { timeoutMs: TIMEOUT_MS });
    return { is: 'good', lines: ['Zalo nhận ID ứng dụng và khóa bí mật này.'] };
  } catch (error) {
    if (!(error instanceof ZaloError)) return judge(error, '', away(root));
    if (error.code === SECRET_WRONG)
      return {
        is: 'wrong',
        lines: [
          `Khóa bí mật này không phải của ứng dụng ${appId} (mã ${error.code}).`,
          'Hãy chép lại cả hai từ cùng một ứng dụng ở developers.zalo.me (ID sai thì Enter cho qua rồi chạy lại npm run setup).',
        ],
      };
    if (error.code === APP_INACTIVE)
      return {
        is: 'unknown',
        lines: [
          `Ứng dụng ${appId} đang tắt, hoặc ID chưa đúng (mã ${error.code}).`,
          'Hãy xem ID, và gạt ứng dụng sang "Đang hoạt động" ở developers.zalo.me: đang tắt thì không cấp quyền được.',
        ],
      };
    return {
      is: 'unknown',
      lines: [`Zalo trả lời mã ${error.code}, nên chưa biết chắc: hãy xem lại ID và khóa bí mật.`],
    };
  }
}

/** Shows the OA that an access token belongs to, and what its package allows. The refresh token is not touched. */
export async function tryZaloOa(zalo: Config['zalo'], accessToken: string): Promise<Verdict> {
  // this token and no other: a refresh would use up its pair
  const tokens = { current: async () => accessToken, renewed: async () => accessToken };
  const { api: root } = zalo.roots;
  const client = makeOaClient({ root, tokens, log, timeoutMs: TIMEOUT_MS });
  try {
    const found = await askOa(client, { perMinute: zalo.perMinute, nowMs: Date.now() });
    return { is: 'good', lines: linesOf(found) };
  } catch (error) {
    return judge(error, 'Zalo không nhận access token này', away(root));
  }
}

/** Does what is sent to PUBLIC_URL arrive at this machine's port? Opens the port for a moment, where it is free. */
export async function tryPublicUrl(
  publicUrl: string,
  { host, port }: { host: string; port: number },
): Promise<Verdict> {
  const origin = new URL(publicUrl).origin;
  const word = randomBytes(16).toString('hex');
  const server = http.createServer((request, response) => {
    response.writeHead(request.url?.endsWith(`/setup/${word}`) ? 200 : 404);
    response.end(request.url?.endsWith(`/setup/${word}`) ? word : '');
  });
  const ours = await new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, host, () => resolve(true));
  });
  const path = ours ? `/setup/${word}` : '/healthz';
  const insecure = publicUrl.startsWith('https:')
    ? []
    : ['Địa chỉ này không phải https: Zalo và Telegram không gửi tin tới đó được.'];
  try {
    const answer = await fetch(publicUrl.replace(/\/+$/, '') + path, { signal: within(), redirect: 'error' });
    const said = (await answer.text()).slice(0, 1000);
    const arrived = ours ? said === word : /"ok":(true|false)/.test(said);
    if (arrived)
      return {
        is: insecure.length === 0 ? 'good' : 'unknown',
        lines: [
          ours
            ? `${origin} dẫn đúng tới máy này.`
            : `${origin} dẫn tới một máy Mắt Thần đang chạy (cổng ${port} của máy này đang bận nên không dò kỹ hơn được).`,
          ...insecure,
        ],
      };
    return {
      is: 'unknown',
      lines: [
        `${origin} có trả lời (mã ${answer.status}) nhưng không dẫn tới máy này.`,
        `Hãy trỏ đường hầm hoặc Caddy về http://${isLoopback(host) ? '127.0.0.1' : host}:${port} (README, mục "a public name").`,
      ],
    };
  } catch {
    return {
      is: 'unknown',
      lines: [
        `Không mở được ${origin} từ máy này.`,
        'Hãy xem tên miền, chứng chỉ https và đường hầm (hoặc Caddy); làm xong chạy lại npm run setup.',
      ],
    };
  } finally {
    server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
  }
}
