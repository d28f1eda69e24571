import { randomBytes } from 'node:crypto';
import http from 'node:http';
import { pino } from 'pino';
import { type Config, isLoopback } from '../base/config.js';
import { WorldError } from '../base/errors.js';
import { makeBotClient, makeOaClient, ZaloError } from '../channels/zalo/index.js';
import { checkTelegram } from '../doctor/telegram.js';

/** What the world says of a setting. `unknown`: nobody answered, so it may be right. */
export interface Verdict {
  is: 'good' | 'wrong' | 'unknown';
  lines: string[];
}

const TIMEOUT_MS = 15_000;
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
    lines: findings.flatMap(({ says, todo }) => (todo === undefined ? [says] : [says, todo])),
  };
}

/** Does the Bot Platform know this token? */
export async function tryZaloBot(root: string, token: string): Promise<Verdict> {
  try {
    const me = await makeBotClient({ root, token, log, timeoutMs: TIMEOUT_MS }).me();
    const groups = me.can_join_groups === true ? '' : ' Bot chỉ nhắn riêng từng người, không vào nhóm.';
    return { is: 'good', lines: [`Zalo nhận token của bot ${me.account_name ?? me.id}.${groups}`] };
  } catch (error) {
    return judge(
      error,
      'Zalo không nhận token này',
      `Không tới được Zalo tại ${new URL(root).host}: hãy xem máy có mạng không.`,
    );
  }
}

const PRODUCTS = ['gmf10', 'gmf50', 'gmf100', 'gmf1000'] as const;
const QUOTAS = ['sub_quota', 'purchase_quota', 'reward_quota'] as const;

/** Shows the OA that an access token belongs to, and what its package allows. The refresh token is not touched. */
export async function tryZaloOa(zalo: Config['zalo'], accessToken: string): Promise<Verdict> {
  // this token and no other: a refresh would use up its pair
  const tokens = { current: async () => accessToken, renewed: async () => accessToken };
  const { api: root, business: businessRoot } = zalo.roots;
  const client = makeOaClient({ root, businessRoot, tokens, log, timeoutMs: TIMEOUT_MS });
  try {
    const oa = await client.oa();
    const until = oa.package_valid_through_date;
    return {
      is: 'good',
      lines: [
        `Zalo nhận mã của OA “${oa.name}”${oa.is_verified === true ? ' (đã xác thực)' : ''}.`,
        `Gói: ${oa.package_name ?? 'không rõ'}${until === undefined ? '' : `, dùng đến ${until}`}.`,
        ...(oa.is_verified === false
          ? ['OA chưa xác thực: Zalo có thể từ chối nhắn tin (mã -221). Hãy xác thực OA trong oa.zalo.me.']
          : []),
        ...(await groupLines(client)),
        `Giới hạn đang đặt: ${zalo.perMinute} lượt gọi mỗi phút (ZALO_PER_MINUTE).`,
      ],
    };
  } catch (error) {
    return judge(
      error,
      'Zalo không nhận access token này',
      `Không tới được Zalo tại ${new URL(root).host}: hãy xem máy có mạng không.`,
    );
  }
}

/** Which groups (GMF) the package allows. */
async function groupLines(client: ReturnType<typeof makeOaClient>): Promise<string[]> {
  const lines: string[] = [];
  try {
    for (const product of PRODUCTS) {
      let free = 0;
      let used = 0;
      for (const quotaType of QUOTAS)
        for (const { used_id: usedBy } of await client.groupAssets({ product, quotaType })) {
          if (usedBy === undefined || usedBy === null || usedBy === '') free += 1;
          else used += 1;
        }
      if (free + used > 0)
        lines.push(`Nhóm tới ${product.slice(3)} người: ${used} nhóm đang dùng, còn tạo được ${free}.`);
    }
  } catch (error) {
    if (!(error instanceof WorldError)) throw error;
    return ['Gói này không cho xem quyền tạo nhóm (GMF): tin cảnh báo vào nhóm có thể phải đi qua Telegram.'];
  }
  return lines.length > 0
    ? lines
    : ['Gói này không có nhóm (GMF): tin báo chung cho cán bộ phải đi qua Telegram, hoặc mua thêm gói nhóm.'];
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
