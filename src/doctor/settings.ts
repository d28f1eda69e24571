import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { SETTINGS } from '../base/config.js';
import { makeSeal } from '../base/seal.js';
import { editDistance } from '../base/vietnamese/names.js';
import type { DatabaseLook } from './databases.js';
import { broken, careful, type Finding, fine } from './finding.js';
import type { Situation } from './situation.js';

/** The known name nearest to a misspelt one; null when none is near. Pure. */
export function nearestSetting(name: string): string | null {
  const most = Math.max(2, Math.floor(name.length / 3));
  const near = SETTINGS.map((setting) => ({
    name: setting.name,
    far: editDistance(name.toUpperCase().replace(/[^A-Z0-9]+/g, '_'), setting.name, most),
  })).sort((a, b) => a.far - b.far)[0];
  return near !== undefined && Number.isFinite(near.far) ? near.name : null;
}

/** A key pasted alone on a line ends in "=" as well: only what looks like a setting's name is repeated. */
const mayBeShown = (name: string) =>
  name.length <= 30 && (/^[A-Z][A-Z_]*$/.test(name) || nearestSetting(name) !== null);

/** Names that our own tools understand besides the table. */
const OURS = /^(MAT_THAN_|TZ$|NODE_|HTTPS?_PROXY$|NO_PROXY$)/;

/** Lines of `.env` that do nothing: unknown names, no `=`. Values are never repeated. */
export function checkEnvLines(file: string): Finding[] {
  if (!fs.existsSync(file)) return [];
  let lines: string[];
  try {
    lines = fs.readFileSync(file, 'utf8').split(/\r?\n/);
  } catch {
    return [
      broken(
        'env-readable',
        `Không đọc được tệp cài đặt ${file}.`,
        'Hãy chạy lệnh này bằng tài khoản đang chạy Mắt Thần, hoặc sửa quyền của tệp.',
      ),
    ];
  }
  const known = new Set<string>(SETTINGS.map((setting) => setting.name));
  return lines.flatMap((line, i): Finding[] => {
    if (/^\s*(#|$)/.test(line)) return [];
    const name = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_ -]*?)\s*=/.exec(line)?.[1];
    const where = `dòng ${i + 1} của ${path.basename(file)}`;
    if (name !== undefined && (known.has(name) || OURS.test(name))) return [];
    if (name === undefined || !mayBeShown(name))
      return [
        careful(
          'env-line',
          `Không hiểu ${where} nên đã bỏ qua.`,
          'Mỗi dòng phải có dạng TÊN=giá trị; dòng ghi chú bắt đầu bằng dấu #.',
        ),
      ];
    const near = nearestSetting(name);
    return [
      careful(
        'env-name',
        `Không có cài đặt nào tên ${name} (${where}) nên dòng này không có tác dụng.`,
        near === null
          ? 'Hãy xóa dòng đó, hoặc xem các tên đúng trong tệp .env.example.'
          : `Có phải ý là ${near}? Hãy sửa tên trong .env rồi khởi động lại.`,
        { name, near },
      ),
    ];
  });
}

/** Who may read a file with keys. */
function checkPrivate(file: string): Finding[] {
  if (process.platform === 'win32' || !fs.existsSync(file)) return [];
  const stat = fs.statSync(file);
  if (!stat.isFile() || (stat.mode & 0o077) === 0) return [];
  return [
    careful(
      'env-private',
      `Tài khoản khác trên máy này đọc được khóa và token trong ${file}.`,
      `Hãy chạy: chmod 600 '${file}'`,
      { mode: (stat.mode & 0o777).toString(8) },
    ),
  ];
}

/** Is there a key, and does it open what is stored? */
export function checkKey(situation: Situation, looks: DatabaseLook[]): Finding[] {
  const { config, keyFile, installed } = situation;
  const sealed = looks.flatMap((look) => look.sealed ?? []);
  if (config.secretKey === '') {
    if (!installed) return [fine('secret-key', 'Khóa mã hóa: chưa có, sẽ được tạo ở lần chạy đầu.')];
    return [
      broken(
        'secret-key',
        `Thiếu khóa SECRET_KEY trong ${keyFile} nên không đọc được địa chỉ camera đã lưu.`,
        config.demo
          ? `Hãy xóa thư mục ${config.dataDir} rồi chạy lại npm start.`
          : 'Hãy chép lại tệp .env từ bản sao lưu.',
      ),
    ];
  }
  let seal: ReturnType<typeof makeSeal>;
  try {
    seal = makeSeal(config.secretKey);
  } catch {
    return [
      broken(
        'secret-key',
        `Khóa SECRET_KEY trong ${keyFile} không đúng dạng (phải là 32 byte, viết theo base64 hoặc hex).`,
        'Hãy chép lại dòng SECRET_KEY từ bản sao lưu của tệp .env.',
      ),
    ];
  }
  const opens = sealed.filter((text) => {
    try {
      seal.open(text);
      return true;
    } catch {
      return false;
    }
  }).length;
  if (opens === sealed.length)
    return [
      fine(
        'secret-key',
        sealed.length === 0
          ? 'Khóa mã hóa: có.'
          : `Khóa mã hóa: có, và mở được dữ liệu đã lưu.${config.demo ? '' : ' Nhớ giữ một bản sao tệp .env ở nơi khác.'}`,
      ),
    ];
  return [
    broken(
      'secret-key',
      `Khóa SECRET_KEY trong ${keyFile} không khớp với dữ liệu: không mở được ${sealed.length - opens} trên ${sealed.length} mục đã mã hóa.`,
      'Hãy chép lại dòng SECRET_KEY cũ từ bản sao lưu của tệp .env; mất hẳn thì phải nhập lại địa chỉ từng camera.',
    ),
  ];
}

/** Values, names and permissions of `.env`, the key. */
export function checkSettings(situation: Situation, looks: DatabaseLook[]): Finding[] {
  const { bad, envFile, keyFile, refused, config } = situation;
  const found: Finding[] = bad.map(({ name, given, wanted }) =>
    broken(
      'setting-value',
      `Cài đặt ${name}${given === null ? '' : `=${given}`} không dùng được: ${wanted}.`,
      'Hãy sửa dòng đó trong tệp .env (xem mẫu trong .env.example) rồi khởi động lại.',
      { name },
    ),
  );
  if (refused !== null)
    found.push(
      broken('mode', refused.slice(0, refused.indexOf('. ') + 1), refused.slice(refused.indexOf('. ') + 2)),
    );
  found.push(...checkEnvLines(envFile));
  if (keyFile !== envFile) found.push(...checkPrivate(keyFile));
  found.push(...checkPrivate(envFile));
  if (found.length === 0)
    found.push(
      fine(
        'settings',
        fs.existsSync(envFile)
          ? `Tệp ${envFile} đọc được, mọi cài đặt đều hợp lệ.`
          : config.demo
            ? 'Chưa có tệp .env, đang dùng cài đặt mặc định của bản dùng thử.'
            : 'Chưa có tệp .env, đang dùng cài đặt mặc định.',
      ),
    );
  return [...found, ...checkKey(situation, looks)];
}
