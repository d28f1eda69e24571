import type { Config } from '../base/config.js';
import { broken, careful, type Finding, fine } from './finding.js';

/** An event of Zalo that came by the public name so lately shows that it can be reached, ms. */
const LATELY_MS = 3_600_000;

export interface PublicSituation {
  config: Pick<Config, 'publicUrl' | 'zalo' | 'demo'>;
  running: boolean;
  /** the newest event that Zalo posted, epoch ms */
  heardMs: number | null;
  nowMs: number;
}

/**
 * Can people and Zalo reach PUBLIC_URL, and is it us? As far as this machine can tell: some modems lead no machine behind
 * them to their own name.
 */
export async function checkPublicUrl(situation: PublicSituation, signal: AbortSignal): Promise<Finding[]> {
  const { publicUrl, zalo } = situation.config;
  if (publicUrl === null) return judgeMissing(situation.config);
  const found: Finding[] = [];
  const shown = new URL(publicUrl).origin;
  if (!publicUrl.startsWith('https:')) {
    const says = `PUBLIC_URL=${shown} không phải https: hình gửi qua đường dẫn có thể bị xem trộm`;
    found.push(
      zalo.appId === null
        ? careful('public-url-https', `${says}.`, 'Hãy dùng địa chỉ https.')
        : broken('public-url-https', `${says}, và Zalo không gửi tin tới đó.`, 'Hãy dùng địa chỉ https.'),
    );
  }
  if (!situation.running)
    return [
      ...found,
      careful(
        'public-url',
        `PUBLIC_URL=${shown}: chưa thử được vì Mắt Thần đang không chạy.`,
        'Hãy chạy npm start rồi chạy lại npm run doctor.',
      ),
    ];
  return [...found, ...(await knock(publicUrl, situation, signal))];
}

/** What does not work without a public name. */
function judgeMissing({ zalo, demo }: PublicSituation['config']): Finding[] {
  const check = 'public-url';
  const mend =
    'Hãy làm theo README, mục "a public name", đặt PUBLIC_URL=https://… trong .env rồi chạy npm run setup.';
  if (zalo.appId !== null)
    return [
      broken(
        check,
        'Chưa có PUBLIC_URL: tin bà con nhắn Zalo OA không tới được đây, clip không có đường dẫn để xem, và không cấp quyền cho OA qua chat được.',
        mend,
      ),
    ];
  if (zalo.botToken !== null)
    return [
      careful(check, 'Chưa có PUBLIC_URL: Zalo Bot chỉ gửi được chữ, không gửi được ảnh và clip.', mend),
    ];
  return [
    fine(
      check,
      demo
        ? 'PUBLIC_URL: chưa đặt, bản dùng thử không cần.'
        : 'PUBLIC_URL: chưa đặt. Telegram không cần; clip quá lớn thì chỉ mở được trong mạng cơ quan.',
    ),
  ];
}

async function knock(
  publicUrl: string,
  { config, heardMs, nowMs }: PublicSituation,
  signal: AbortSignal,
): Promise<Finding[]> {
  const { zalo } = config;
  const shown = new URL(publicUrl).origin;
  const open = async (path: string, isOurs: (body: string) => boolean): Promise<boolean> => {
    try {
      const response = await fetch(`${publicUrl.replace(/\/+$/, '')}${path}`, { signal, redirect: 'error' });
      return response.ok && isOurs((await response.text()).slice(0, 10_000));
    } catch {
      return false;
    }
  };
  const isHealth = (body: string) => /^\s*\{"ok":true\b/.test(body);
  const [health, hook, page] = await Promise.all([
    open('/healthz', isHealth),
    zalo.appId === null ? null : open('/zalo/oa', (body) => body === 'ok'),
    zalo.verifier === null
      ? null
      : open(`/zalo_verifier${zalo.verifier}.html`, (body) => body.includes(zalo.verifier!)),
  ]);
  const check = 'public-url';
  const facts = { health, hook, page, heardMs };
  if (!health) {
    if (heardMs !== null && nowMs - heardMs < LATELY_MS)
      return [
        careful(
          check,
          `Không mở được PUBLIC_URL=${shown} từ máy này, nhưng Zalo vừa gửi tin tới nên từ ngoài có lẽ vẫn mở được.`,
          'Nhiều modem không cho máy bên trong mở tên miền của chính nó: hãy mở thử bằng điện thoại đã tắt wifi.',
          facts,
        ),
      ];
    return [
      broken(
        check,
        `Không mở được PUBLIC_URL=${shown} từ máy này.`,
        'Hãy mở thử bằng điện thoại đã tắt wifi. Không được thì xem tên miền, chứng chỉ https và đường chuyển tiếp tới máy này; hoặc bỏ PUBLIC_URL trong .env.',
        facts,
      ),
    ];
  }
  const found = [fine(check, `PUBLIC_URL=${shown}: mở được.`, facts)];
  if (hook === false)
    found.push(
      broken(
        'zalo-webhook-address',
        `${shown} mở được nhưng ${shown}/zalo/oa thì không, nên Zalo không gửi tin tới được.`,
        'Hãy để đường hầm hoặc Caddy chuyển tiếp mọi đường dẫn, không chỉ trang đầu; nếu vừa khai Zalo thì khởi động lại Mắt Thần.',
      ),
    );
  if (page === false)
    found.push(
      broken(
        'zalo-verifier',
        `Trang xác thực tên miền ${shown}/zalo_verifier….html không mở được.`,
        'Hãy khởi động lại Mắt Thần, và để đường hầm hoặc Caddy chuyển tiếp mọi đường dẫn.',
      ),
    );
  if (zalo.appId !== null && zalo.verifier === null)
    found.push(
      careful(
        'zalo-verifier',
        'Chưa có mã xác thực tên miền của Zalo (ZALO_VERIFIER).',
        'Nếu developers.zalo.me chưa báo tên miền đã xác thực: lấy mã ở đó rồi chạy npm run setup.',
      ),
    );
  return found;
}
