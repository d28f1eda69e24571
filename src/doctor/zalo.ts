import { pino } from 'pino';
import { DAY_MS } from '../base/clock.js';
import type { Config } from '../base/config.js';
import { WorldError } from '../base/errors.js';
import { sayAgo, sayDate, sayMoment } from '../base/vietnamese/say.js';
import { lookAtTokens, makeOaClient, type TokensLook, ZaloError } from '../channels/zalo/index.js';
import { broken, careful, type Finding, fine } from './finding.js';
import { checkBot } from './zalo-bot.js';
import { askOa } from './zalo-oa.js';

/** What the running bot tells of its channels of Zalo (part of `/healthz`). */
export interface ZaloHealth {
  /** the OA's webhook since the start of the bot; null: no OA */
  oa: {
    heardMs: number | null;
    taken: number;
    dropped: number;
    droppedSince: number;
    late: number;
  } | null;
}

export interface ZaloSituation {
  config: Pick<Config, 'zalo' | 'publicUrl' | 'dataDir' | 'secretKey' | 'demo'>;
  /** this account may not look into the data folder */
  hidden: boolean;
  running: boolean;
  nowMs: number;
  timeoutMs: number;
}

const CALL_FOR_CONSENT =
  'Trưởng công an hãy nhắn "nối Zalo OA" cho bot, người quản trị OA mở đường dẫn nhận được và bấm đồng ý (hoặc chạy npm run setup và dán cặp mã mới).';
const LOG = pino({ level: 'silent' });
/** A refresh takes a minute at the most; an open one that is older has been lost, ms. */
const OPEN_MS = 5 * 60_000;
/** Told so long before the refresh token ends, ms. */
const SOON_MS = 14 * DAY_MS;
/** Zalo's console knocks once without a signature when the address is stored, and so may anybody. */
const UNSIGNED = 3;
/** So many without one that is signed, for so long: strangers, or the key has changed, ms. */
const UNSIGNED_SINCE = 10;
const FORGED_MS = 3_600_000;
/** An OA that hears nothing for so long is looked at, ms. */
const QUIET_MS = 7 * DAY_MS;

/** Everything of Zalo but its address on the internet. Never throws for what Zalo does. */
export async function checkZalo(situation: ZaloSituation, signal: AbortSignal): Promise<Finding[]> {
  const { zalo, demo } = situation.config;
  if (zalo.appId === null && zalo.botToken === null)
    return [
      fine(
        'zalo',
        demo
          ? 'Zalo: chưa nối, bản dùng thử không cần.'
          : 'Zalo: chưa nối. Muốn bà con nhắn qua Zalo thì chạy npm run setup.',
      ),
    ];
  const [oa, bot] = await Promise.all([checkOa(situation, signal), checkBot(situation, signal)]);
  return [...oa, ...bot];
}

async function checkOa(situation: ZaloSituation, signal: AbortSignal): Promise<Finding[]> {
  const { config, hidden, nowMs, timeoutMs, running } = situation;
  const { zalo } = config;
  const check = 'zalo-tokens';
  if (zalo.appId === null) return [];
  if (zalo.appSecret === null)
    return [
      broken(
        'zalo-oa',
        'Có ZALO_APP_ID nhưng thiếu ZALO_APP_SECRET nên Zalo OA không chạy.',
        'Hãy lấy Khóa bí mật của ứng dụng ở developers.zalo.me rồi chạy npm run setup.',
      ),
    ];
  if (hidden)
    return [
      careful(
        check,
        'Không xem được cặp mã của Zalo OA, vì tài khoản này không được phép vào thư mục dữ liệu.',
        'Hãy chạy lại bằng tài khoản đang chạy Mắt Thần, hoặc: sudo npm run doctor',
      ),
    ];
  let look: TokensLook | null;
  try {
    look = await lookAtTokens(config);
  } catch {
    return [
      broken(
        check,
        'Không đọc được cặp mã của Zalo OA đã lưu (khóa SECRET_KEY đã đổi, hoặc tệp hỏng).',
        `Hãy xem dòng về khóa SECRET_KEY ở mục Cài đặt. ${CALL_FOR_CONSENT}`,
      ),
    ];
  }
  const kept = judgeTokens(look, { nowMs, running });
  if (look === null || look.refusedMs !== null) return [kept];
  // a token that ended by our clock is Zalo's to judge all the same: our clock may be wrong
  const latest = async () => (await lookAtTokens(config))?.accessToken ?? look.accessToken;
  const client = makeOaClient({
    ...{ root: zalo.roots.api, log: LOG, timeoutMs },
    // never a refresh, which is the bot's: refused, only what the bot has put there meanwhile is tried
    tokens: { current: latest, renewed: latest },
  });
  try {
    return [...(await askOa(client, { perMinute: zalo.perMinute, nowMs, signal })), kept];
  } catch (error) {
    if (!(error instanceof WorldError)) throw error;
    return [judgeRefusal(error, look, { running, nowMs, host: new URL(zalo.roots.api).host }), kept];
  }
}

/** What the file of tokens says by itself. Pure. */
export function judgeTokens(
  look: TokensLook | null,
  { nowMs, running }: { nowMs: number; running: boolean },
): Finding {
  const check = 'zalo-tokens';
  if (look === null)
    return broken(
      check,
      'Zalo OA đã khai nhưng chưa được cấp quyền nên chưa nhắn qua Zalo được.',
      CALL_FOR_CONSENT,
    );
  const { obtainedMs, consentEndsMs, unansweredMs, refusedMs } = look;
  const facts = { obtainedMs, accessEndsMs: look.accessEndsMs, consentEndsMs, unansweredMs, refusedMs };
  if (refusedMs !== null)
    return broken(
      check,
      `Zalo không cho làm mới mã nữa (từ ${sayMoment(refusedMs)}): người quản trị OA phải cấp quyền lại.`,
      CALL_FOR_CONSENT,
      facts,
    );
  const since = `lấy ${sayAgo(obtainedMs, nowMs)}`;
  if (nowMs >= consentEndsMs)
    return broken(
      check,
      `Cặp mã Zalo OA ${since}, mã làm mới chỉ dùng được 3 tháng nên đã hết hạn ngày ${sayDate(consentEndsMs)}.`,
      CALL_FOR_CONSENT,
      facts,
    );
  if (unansweredMs !== null && nowMs - unansweredMs > OPEN_MS)
    return careful(
      check,
      `Lần làm mới mã lúc ${sayMoment(unansweredMs)} chưa có trả lời của Zalo.`,
      running
        ? 'Mắt Thần đang tự thử lại. Nếu Zalo từ chối, trưởng công an sẽ được báo kèm đường dẫn cấp quyền.'
        : 'Hãy chạy npm start: Mắt Thần sẽ tự thử lại.',
      facts,
    );
  if (consentEndsMs - nowMs < SOON_MS)
    return careful(
      check,
      `Cặp mã Zalo OA ${since}, sắp hết hạn ngày ${sayDate(consentEndsMs)}.`,
      running
        ? 'Lẽ ra Mắt Thần làm mới mỗi ngày: hãy xem máy có mạng tới oauth.zaloapp.com không.'
        : 'Hãy chạy npm start trước ngày đó, Mắt Thần sẽ tự làm mới; để quá thì phải cấp quyền lại.',
      facts,
    );
  return fine(
    check,
    `Cặp mã Zalo OA: ${since}, Mắt Thần tự làm mới mỗi ngày. Nếu máy tắt liền tới ${sayDate(consentEndsMs)} thì phải cấp quyền lại.`,
    facts,
  );
}

function judgeRefusal(
  error: WorldError,
  look: TokensLook,
  { running, nowMs, host }: { running: boolean; nowMs: number; host: string },
): Finding {
  const check = 'zalo-oa';
  if (!(error instanceof ZaloError))
    return broken(
      check,
      `Không tới được Zalo tại ${host}: không ai trả lời, hoặc trả lời không phải là của Zalo.`,
      'Hãy xem máy có mạng không; nếu có, hãy chờ vài phút rồi chạy lại npm run doctor. Có đặt ZALO_API_ROOT trong .env thì xem lại.',
    );
  const facts = { code: error.code };
  if (error.remedy === 'back-off')
    return careful(
      check,
      `Zalo đang bận hoặc từ chối tạm thời (mã ${error.code}).`,
      'Hãy chờ vài phút rồi chạy lại npm run doctor.',
      facts,
    );
  if (error.remedy !== 'refresh')
    return broken(
      check,
      `Zalo từ chối OA này (mã ${error.code}).`,
      'Hãy xem OA ở oa.zalo.me (còn gói, đã xác thực) và ứng dụng ở developers.zalo.me (đang bật, đã nối với OA).',
      facts,
    );
  if (running)
    return careful(
      check,
      `Zalo không nhận mã truy cập đang giữ (mã ${error.code}).`,
      'Mắt Thần tự lấy mã mới khi cần nhắn: hãy nhắn thử một tin cho OA rồi chạy lại npm run doctor. Nếu vẫn vậy, hãy cấp quyền lại bằng cách nhắn "nối Zalo OA" cho bot.',
      facts,
    );
  const old = nowMs >= look.accessEndsMs;
  return careful(
    check,
    old
      ? `Mã truy cập Zalo OA đã hết hạn từ ${sayMoment(look.accessEndsMs)}, vì Mắt Thần không chạy để làm mới.`
      : `Zalo không nhận mã truy cập đang giữ (mã ${error.code}).`,
    'Hãy chạy npm start: Mắt Thần tự lấy mã mới. Công cụ khám máy này không làm thay, vì mỗi mã làm mới chỉ dùng được một lần.',
    facts,
  );
}

/** Is the webhook of the OA alive, by what came in? Pure. @param storedMs of the newest message that the database has */
export function judgeHeard(
  health: ZaloHealth['oa'],
  storedMs: number | null,
  { nowMs, publicUrl }: { nowMs: number; publicUrl: string },
): Finding {
  const check = 'zalo-webhook';
  const heardMs = health?.heardMs ?? storedMs;
  const facts = { heardMs, ...(health ?? {}) };
  const address = `${publicUrl.replace(/\/+$/, '')}/zalo/oa`;
  if (health !== null && health.taken === 0 && health.dropped >= UNSIGNED)
    return broken(
      check,
      `Có ${health.dropped} tin gửi tới webhook nhưng chữ ký không khớp nên đã bị bỏ, chưa tin nào dùng được.`,
      'Hãy chép lại OA Secret Key ở trang Webhook của developers.zalo.me vào ZALO_OA_SECRET, xem ZALO_APP_ID có đúng ứng dụng đó không, rồi khởi động lại.',
      facts,
    );
  if (heardMs === null)
    return careful(
      check,
      'Chưa có tin nào của Zalo OA tới máy này.',
      `Hãy xem Webhook URL ở developers.zalo.me có đúng là ${address} và đang bật không, rồi nhắn thử một tin cho OA.`,
      facts,
    );
  if (health !== null && health.droppedSince >= UNSIGNED_SINCE && nowMs - heardMs > FORGED_MS)
    return careful(
      check,
      `Từ tin gần nhất (${sayAgo(heardMs, nowMs)}) có ${health.droppedSince} tin gửi tới webhook mà chữ ký không khớp nên đã bị bỏ.`,
      'Nếu OA Secret Key vừa được đổi ở developers.zalo.me: hãy chép lại vào ZALO_OA_SECRET rồi khởi động lại. Nếu không, đó là người lạ thử cửa: hãy nhắn thử một tin cho OA.',
      facts,
    );
  const last = `Webhook của Zalo OA: tin gần nhất ${sayAgo(heardMs, nowMs)}`;
  if (health !== null && health.late > 0)
    return careful(
      check,
      `${last}; ${health.late} lần không ghi kịp trong 2 giây nên Zalo phải gửi lại.`,
      'Hãy xem mục Ổ đĩa: ổ quá chậm hoặc máy quá bận thì Zalo có thể tự tắt webhook.',
      facts,
    );
  if (nowMs - heardMs > QUIET_MS)
    return careful(
      check,
      `${last}, đã khá lâu.`,
      `Hãy nhắn thử một tin cho OA. Nếu không thấy trả lời, mở developers.zalo.me xem webhook ${address} có bị tắt không.`,
      facts,
    );
  return fine(check, `${last}.`, facts);
}
