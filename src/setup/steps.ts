import { makeConfig } from '../base/config.js';
import { WorldError } from '../base/errors.js';
import { makeToken } from '../base/seal.js';
import { type GivenPair, readPasted } from '../channels/zalo/index.js';
import type { Interview } from './interview.js';
import { tryPublicUrl, tryTelegram, tryZaloApp, tryZaloBot, tryZaloOa } from './live.js';
import { verifierCode, zaloAddresses } from './words.js';

const configOf = (interview: Interview) => makeConfig(interview.env, false);

export async function askUnit(interview: Interview): Promise<void> {
  interview.questions.say('1. Đơn vị');
  await interview.setting('COMMUNE_NAME', 'Tên đơn vị, như trong lời chào');
}

export async function askTelegram(interview: Interview): Promise<void> {
  interview.questions.say('\n2. Telegram: nhắn /newbot cho @BotFather, chép token về đây.');
  await interview.setting('TELEGRAM_BOT_TOKEN', 'Token của bot Telegram', {
    test: (token) => tryTelegram({ ...configOf(interview).telegram, token }),
  });
}

export async function askPublicUrl(interview: Interview): Promise<void> {
  interview.questions.say(
    '\n3. Tên miền công khai: cần cho Zalo OA và đường dẫn xem clip. Chỉ dùng Telegram thì bỏ qua được.',
  );
  await interview.setting('PUBLIC_URL', 'Địa chỉ, ví dụ https://xa.example.vn', {
    read: (typed) => (/^[a-z]+:\/\//i.test(typed) ? typed : `https://${typed}`).replace(/\/+$/, ''),
    test: (url) => tryPublicUrl(url, configOf(interview)),
  });
}

/** @returns the pair of tokens that was pasted and works, to be kept once `.env` is written; null: consent comes later */
export async function askZaloOa(interview: Interview): Promise<GivenPair | null> {
  const { questions } = interview;
  questions.say(
    '\n4. Zalo OA: kênh chính cho bà con. Cần một Official Account và một ứng dụng ở developers.zalo.me.',
  );
  if (!(await questions.confirm('Có dùng Zalo OA không?', interview.value('ZALO_APP_ID') !== ''))) {
    interview.set('ZALO_APP_ID', '');
    return null;
  }
  if (!(await interview.setting('ZALO_APP_ID', 'ID ứng dụng (dãy số)'))) return null;
  const hasSecret = await interview.setting('ZALO_APP_SECRET', 'Khóa bí mật của ứng dụng', {
    test: (secret) => tryZaloApp(configOf(interview).zalo, interview.value('ZALO_APP_ID'), secret),
  });
  if (!hasSecret) return null;
  await interview.setting('ZALO_OA_SECRET', 'OA Secret Key ở trang Webhook (không có thì bỏ qua)');
  questions.say(
    '    Khóa này chỉ thử được khi có tin tới: chạy xong hãy nhắn một tin cho OA rồi gõ npm run doctor.',
  );
  const publicUrl = interview.value('PUBLIC_URL');
  if (publicUrl === '')
    questions.say('  ! Zalo OA cần tên miền công khai (mục 3): chưa có thì OA không nhận được tin nhắn.');
  else {
    for (const line of zaloAddresses(publicUrl)) questions.say(`  ${line}`);
    const asked = 'Mã xác thực tên miền (tên tệp zalo_verifier….html mà Zalo đưa)';
    if (await interview.setting('ZALO_VERIFIER', asked, { read: verifierCode }))
      questions.say(
        `  Khi Mắt Thần chạy, tệp đó ở ${publicUrl}/zalo_verifier${interview.value('ZALO_VERIFIER')}.html: lúc ấy bấm "Xác thực" ở trang của Zalo.`,
      );
  }
  return askTokens(interview);
}

async function askTokens(interview: Interview): Promise<GivenPair | null> {
  const { questions } = interview;
  questions.say(
    '  Cấp quyền: dán cặp mã từ API Explorer (developers.zalo.me, Công cụ), hoặc bỏ qua và nhắn "nối Zalo OA" cho bot sau.',
  );
  for (;;) {
    const access = await questions.ask('Access token (Enter: để sau):', { secret: true });
    if (access === '') return null;
    const refresh = await questions.ask('Refresh token:', { secret: true });
    let pair: GivenPair;
    try {
      pair = readPasted(access, refresh);
    } catch (error) {
      if (!(error instanceof WorldError)) throw error;
      questions.say('  ✗ Đó không phải một cặp mã. Dán lại từng mã một.');
      continue;
    }
    questions.say('  … đang thử');
    const verdict = await tryZaloOa(configOf(interview).zalo, pair.accessToken);
    interview.show(verdict);
    if (verdict.is === 'good') return pair;
    if (verdict.is === 'unknown' && (await questions.confirm('  Vẫn giữ cặp mã này?', true))) return pair;
  }
}

export async function askZaloBot(interview: Interview): Promise<void> {
  interview.questions.say(
    '\n5. Zalo Bot (bot.zaloplatforms.com): nhắn riêng cho cán bộ, chỉ chữ và ảnh. Không bắt buộc.',
  );
  const has = await interview.setting('ZALO_BOT_TOKEN', 'Token của Zalo Bot', {
    test: (token) => {
      const { zalo, publicUrl } = configOf(interview);
      return tryZaloBot(zalo.roots.bot, token, publicUrl);
    },
  });
  if (!has || !interview.value('PUBLIC_URL').startsWith('https:')) return;
  if (interview.value('ZALO_BOT_SECRET') === '') interview.set('ZALO_BOT_SECRET', makeToken());
  interview.questions.say('    Mắt Thần tự đăng ký webhook của Zalo Bot mỗi lần khởi động.');
}
