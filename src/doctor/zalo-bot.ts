import { pino } from 'pino';
import type { Config } from '../base/config.js';
import { WorldError } from '../base/errors.js';
import { type BotAccount, botWebhookAt, makeBotClient, ZaloError } from '../channels/zalo/index.js';
import { broken, careful, type Finding, fine } from './finding.js';

const LOG = pino({ level: 'silent' });

export interface BotSituation {
  config: Pick<Config, 'zalo' | 'publicUrl'>;
  running: boolean;
  timeoutMs: number;
}

/** The bot of the Bot Platform: its token, what it can do, and whether it hears. Never throws for what Zalo does. */
export async function checkBot(situation: BotSituation, signal: AbortSignal): Promise<Finding[]> {
  const { zalo, publicUrl } = situation.config;
  const check = 'zalo-bot';
  if (zalo.botToken === null) return [];
  const host = new URL(zalo.roots.bot).host;
  const client = makeBotClient({
    ...{ root: zalo.roots.bot, token: zalo.botToken, log: LOG, timeoutMs: situation.timeoutMs },
  });
  try {
    const found = sayBot(await client.me(signal), publicUrl);
    const url = (await client.webhook(signal)).url ?? '';
    const ours = publicUrl === null || zalo.botSecret === null ? '' : botWebhookAt(publicUrl);
    // where it does not run it has not set its own yet
    if (url !== ours && (situation.running || url !== ''))
      found.push(
        careful(
          'zalo-bot-webhook',
          url === ''
            ? 'Zalo Bot chưa có webhook của máy này nên tin chưa tới được.'
            : ours === ''
              ? 'Zalo Bot đang gửi tin tới một địa chỉ khác (webhook), nên máy này không tự hỏi tin được.'
              : 'Zalo Bot đang gửi tin tới một địa chỉ khác, không phải máy này.',
          'Hãy dừng chương trình khác dùng cùng ZALO_BOT_TOKEN (nếu có) rồi khởi động lại Mắt Thần: nó tự đặt lại lúc khởi động.',
          { set: url !== '' },
        ),
      );
    return found;
  } catch (error) {
    if (!(error instanceof WorldError)) throw error;
    if (error instanceof ZaloError && error.remedy !== 'back-off')
      return [
        broken(
          check,
          `Zalo không nhận ZALO_BOT_TOKEN (mã ${error.code}).`,
          'Hãy chép lại token ở bot.zaloplatforms.com vào .env (hoặc chạy npm run setup) rồi khởi động lại.',
          { code: error.code },
        ),
      ];
    return [
      broken(
        check,
        `Không tới được Zalo Bot tại ${host}, hoặc Zalo đang bận.`,
        'Hãy xem máy có mạng không; nếu có, hãy chờ vài phút rồi chạy lại npm run doctor.',
      ),
    ];
  }
}

/**
 * What a bot can do and what not, for setup and the doctor alike. Pure.
 * @param publicUrl null: no pictures
 */
export function sayBot(me: BotAccount, publicUrl: string | null): Finding[] {
  const type = me.account_type === undefined ? '' : ` (loại ${me.account_type})`;
  const groups =
    me.can_join_groups === true
      ? 'Zalo cho bot này vào nhóm, nhưng Mắt Thần chỉ dùng bot để nhắn riêng'
      : 'Bot chỉ nhắn riêng từng người, không vào nhóm được';
  const facts = { type: me.account_type ?? null, groups: me.can_join_groups ?? null };
  const found = [
    fine(
      'zalo-bot',
      `Zalo nhận token của bot ${me.account_name ?? me.id}${type}. ${groups}${publicUrl === null ? '' : '; ảnh gửi được, video và tệp thì bằng đường dẫn'}.`,
      { ...facts, photos: publicUrl !== null },
    ),
  ];
  if (publicUrl === null)
    found.push(
      careful(
        'zalo-bot-photos',
        'Chưa có tên miền công khai (PUBLIC_URL) nên Zalo Bot không gửi được ảnh và clip: ai nhắn qua bot chỉ nhận được chữ.',
        'Muốn có ảnh thì đặt PUBLIC_URL bằng npm run setup; hoặc cán bộ dùng Telegram hay Zalo OA.',
      ),
    );
  return found;
}
