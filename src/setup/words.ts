import type { Config } from '../base/config.js';

/** What is pasted into Zalo's console. Pure. */
export const zaloAddresses = (publicUrl: string): string[] => [
  'Dán vào trang ứng dụng ở developers.zalo.me:',
  `  Webhook URL:                 ${publicUrl}/zalo/oa   (Mắt Thần phải đang chạy khi bấm Lưu)`,
  `  Official Account Callback:   ${publicUrl}/zalo/callback`,
  `  Tên miền cần xác thực:       ${new URL(publicUrl).host}`,
  'Bật các sự kiện: tin nhắn người dùng và nhóm, theo dõi, chia sẻ thông tin, rút lại thông tin, thu hồi quyền.',
];

/** The code in what a person pasted: the file's name, its address, or the code alone. Pure. */
export const verifierCode = (pasted: string): string =>
  /zalo_verifier([A-Za-z0-9_-]+)(?:\.html)?/.exec(pasted)?.[1] ?? pasted;

/** What is on, and what is missing and how to get it. Pure. @param tokens of the OA: kept already, or just pasted */
export function summary(config: Config, tokens: boolean): { on: string[]; missing: string[] } {
  const { telegram, zalo, publicUrl } = config;
  const on: string[] = [];
  const missing: string[] = [];
  if (telegram.token !== null) on.push('Telegram');
  else missing.push('Telegram: chưa có token.');
  const secure = publicUrl?.startsWith('https:') === true;
  if (publicUrl !== null) on.push(`Tên miền ${publicUrl}`);
  if (!secure)
    missing.push(
      publicUrl === null
        ? 'Tên miền công khai: clip dài chỉ gửi được trong mạng cơ quan, Zalo OA không nhận được tin (README, mục "a public name").'
        : 'Tên miền https: Zalo và Telegram chỉ gửi tin tới địa chỉ https.',
    );
  if (zalo.appId !== null && zalo.appSecret !== null) {
    on.push(`Zalo OA${tokens ? '' : ' (chờ cấp quyền)'}`);
    if (!tokens)
      missing.push(
        'Quyền của Zalo OA: khởi động xong, trưởng công an nhắn "nối Zalo OA" cho bot để lấy đường dẫn.',
      );
    if (zalo.verifier === null)
      missing.push('Mã xác thực tên miền của Zalo: lấy ở developers.zalo.me, rồi chạy lại npm run setup.');
  } else if (zalo.appId !== null) missing.push('Zalo OA: thiếu khóa bí mật của ứng dụng.');
  if (zalo.botToken !== null) {
    on.push('Zalo Bot');
    if (!secure) missing.push('Ảnh qua Zalo Bot: cần tên miền https để Zalo lấy ảnh.');
  }
  return { on, missing };
}
