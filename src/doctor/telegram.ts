import http from 'node:http';
import https from 'node:https';
import { makeAgent } from '../channels/telegram/connection.js';
import { webhookAt } from '../channels/telegram/webhook.js';
import { broken, careful, type Finding, fine } from './finding.js';

export interface TelegramSettings {
  token: string | null;
  apiRoot: string;
  proxy: string | null;
  webhookUrl: string | null;
}

/** An answer of the Bot API's server, or of what stands in its way; null: nobody answered. */
export interface Answer {
  status: number;
  /** of the header Date, epoch ms; to the second */
  dateMs: number | null;
  /** the middle of asking and answer, by our clock */
  askedMs: number;
  body: unknown;
}

const ANSWER_BYTES = 100_000;

/** Asks the Bot API, through the proxy if there is one. @param method null: only for the time */
export function askTelegram(
  { token, apiRoot, proxy }: TelegramSettings,
  method: string | null,
  signal: AbortSignal,
): Promise<Answer | null> {
  const root = apiRoot.replace(/\/+$/, '');
  const url = method === null || token === null ? `${root}/` : `${root}/bot${token}/${method}`;
  return new Promise((resolve) => {
    const begunMs = Date.now();
    try {
      const agent = makeAgent(root, proxy);
      const get = url.startsWith('https:') ? https.get : http.get;
      const asked = get(url, { agent, signal, headers: { Connection: 'close' } }, (response) => {
        const askedMs = (begunMs + Date.now()) / 2;
        const dateMs = Date.parse(response.headers.date ?? '');
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (piece: string) => {
          text += piece;
          if (text.length > ANSWER_BYTES) response.destroy();
        });
        response.on('error', () => {});
        response.on('close', () =>
          resolve({
            status: response.statusCode ?? 0,
            dateMs: Number.isNaN(dateMs) ? null : dateMs,
            askedMs,
            body: readJson(text),
          }),
        );
      });
      asked.on('error', () => resolve(null));
    } catch {
      resolve(null);
    }
  });
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

type ApiBody = { ok?: unknown; result?: Record<string, unknown> } | null;
const resultOf = (answer: Answer | null) => {
  const body = answer?.body as ApiBody;
  return body?.ok === true ? (body.result ?? {}) : null;
};

const where = ({ apiRoot, proxy }: TelegramSettings) =>
  `${new URL(apiRoot).host}${proxy === null ? '' : ' (qua TELEGRAM_PROXY)'}`;

/** Does Telegram know the token? One answer serves the clock's check too. */
export async function checkTelegram(
  settings: TelegramSettings,
  demo: boolean,
  signal: AbortSignal,
): Promise<{ findings: Finding[]; answer: Answer | null }> {
  const { token, proxy } = settings;
  const check = 'telegram';
  if (token === null) {
    const answer = await askTelegram(settings, null, signal);
    const finding = demo
      ? fine(check, 'Telegram: chưa có token, bản dùng thử không cần.')
      : careful(
          check,
          'Chưa có TELEGRAM_BOT_TOKEN trong .env: camera vẫn được ghi nhưng không nhắn qua Telegram được.',
          'Hãy nhắn /newbot cho @BotFather trên Telegram, chép token vào .env rồi khởi động lại.',
        );
    return { findings: [finding], answer };
  }
  if (proxy !== null && !/^(socks\w*|https?):\/\//i.test(proxy))
    return {
      findings: [
        broken(
          check,
          'TELEGRAM_PROXY không đúng dạng.',
          'Hãy viết bắt đầu bằng http://, https:// hoặc socks5:// trong .env.',
        ),
      ],
      answer: null,
    };
  if (!/^\d{5,}:[\w-]{20,}$/.test(token))
    return {
      findings: [
        broken(
          check,
          'TELEGRAM_BOT_TOKEN không có dạng của một token (dãy số, dấu hai chấm, rồi dãy chữ).',
          'Hãy chép lại nguyên token mà @BotFather đã gửi vào .env, không thừa dấu cách.',
          { shape: false },
        ),
      ],
      answer: await askTelegram(settings, null, signal),
    };
  const answer = await askTelegram(settings, 'getMe', signal);
  const me = resultOf(answer);
  if (me === null) return { findings: [judgeRefusal(settings, answer)], answer };
  const name = typeof me.username === 'string' ? `@${me.username}` : '';
  const hook = resultOf(await askTelegram(settings, 'getWebhookInfo', signal));
  const ours = settings.webhookUrl === null ? null : webhookAt(settings.webhookUrl);
  const findings = [
    typeof hook?.url === 'string' && hook.url !== '' && hook.url !== ours
      ? careful(
          check,
          `Bot ${name} đang được một phần mềm khác nhận tin (webhook).`,
          'Khi chạy, Mắt Thần sẽ tự gỡ webhook đó; nếu bot này còn dùng cho việc khác, hãy tạo bot riêng ở @BotFather.',
          { username: me.username, webhook: true },
        )
      : fine(
          check,
          `Telegram nhận token của bot ${name}. Từ đây không dò được máy khác có dùng cùng token không: nếu bot lúc trả lời lúc không, hãy tìm máy đó.`,
          { username: me.username, webhook: false },
        ),
  ];
  return { findings, answer };
}

function judgeRefusal(settings: TelegramSettings, answer: Answer | null): Finding {
  const check = 'telegram';
  const at = where(settings);
  if (answer === null)
    return broken(
      check,
      `Không tới được Telegram tại ${at}.`,
      settings.proxy === null
        ? 'Hãy xem máy có mạng không; nếu nhà mạng chặn Telegram, đặt TELEGRAM_PROXY hoặc TELEGRAM_API_ROOT trong .env.'
        : 'Hãy xem máy có mạng không và TELEGRAM_PROXY trong .env còn dùng được không.',
    );
  // a 401 or 404 with the Bot API's own JSON is about the token; another page is somebody in between
  const own = typeof (answer.body as ApiBody)?.ok === 'boolean';
  if (own && (answer.status === 401 || answer.status === 404))
    return broken(
      check,
      'Telegram không nhận TELEGRAM_BOT_TOKEN: token sai hoặc đã bị thu hồi.',
      'Hãy nhắn /token cho @BotFather để lấy token đúng, chép vào .env rồi khởi động lại.',
      { status: answer.status },
    );
  if (answer.status === 407)
    return broken(
      check,
      'TELEGRAM_PROXY đòi tên và mật khẩu.',
      'Hãy sửa TELEGRAM_PROXY trong .env theo dạng http://tên:mật-khẩu@máy:cổng.',
    );
  if (own)
    return careful(
      check,
      `Telegram đang bận hoặc từ chối tạm thời (mã ${answer.status}).`,
      'Hãy chờ vài phút rồi chạy lại npm run doctor.',
      { status: answer.status },
    );
  return broken(
    check,
    `${at} có trả lời nhưng không phải là Telegram (mã ${answer.status}): có thể mạng đang chặn Telegram.`,
    'Hãy đặt TELEGRAM_PROXY trong .env, hoặc sửa TELEGRAM_API_ROOT.',
    { status: answer.status },
  );
}
