import { existsSync } from 'node:fs';
import path from 'node:path';

/** Lies in a data folder while a restore puts the new in the place of the old. */
export const MARKER = 'restore-unfinished';

/** Vietnamese: why nothing may start on this folder, since a restore ended in the middle; null when none did. */
export function unfinishedRestore(home: string): string | null {
  return existsSync(path.join(home, MARKER))
    ? `Lần khôi phục trước vào ${home} chưa xong. Hãy chạy lại: npm run restore -- <tệp sao lưu> --replace`
    : null;
}
