import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { readBackup } from '../backup/entries.js';
import { BackupFault } from '../backup/fault.js';
import { type BackedUp, backUp, backUpNightly } from '../backup/make.js';
import { askNewPassphrase, askPassphrase } from '../backup/passphrase.js';
import { ConfigError } from '../base/config.js';
import { findInstallation, type Installation } from '../base/installation.js';
import { makeLog } from '../base/log.js';
import { productVersion } from '../base/project.js';
import { sayMoment } from '../base/vietnamese/say.js';

/**
 * Backs up what is needed to go on on another machine, while the services run:
 *   npm run backup [-- --to /media/usb] [--with-reports]
 *   npm run backup -- --check mat-than-20261122-0230.backup
 * The passphrase is BACKUP_PASSPHRASE, else it is asked for. `--nightly` is what the parent process runs.
 */

// a backup is for the account that runs this and nobody else
process.umask(0o077);

const say = (line: string) => void process.stdout.write(`${line}\n`);
const terminal = { input: process.stdin, say: (text: string) => void process.stderr.write(text) };

const HOW = `Cách dùng:
  npm run backup                              sao lưu vào BACKUP_DIR
  npm run backup -- --to /media/usb           sao lưu vào thư mục này
  npm run backup -- --with-reports            kèm ảnh, video gốc của tin báo
  npm run backup -- --check <tệp>             kiểm tra một bản sao`;

const size = (bytes: number) =>
  bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${Math.round(bytes / 1e6)} MB`;

function report({ file, sizeBytes, manifest, removed, sameDisk }: BackedUp, hasKey: boolean): void {
  say(`Đã sao lưu và đọc lại kiểm tra: ${file} (${size(sizeBytes)}).`);
  say('Có trong bản sao: camera, người, nhóm, ủng hộ, tin báo, nhật ký, mục lục hình, cài đặt và khóa.');
  say(
    manifest.withReports
      ? 'Có cả ảnh, video gốc của tin báo. Không có hình camera đã ghi.'
      : 'Không có hình camera đã ghi và ảnh, video gốc của tin báo (thêm --with-reports nếu cần).',
  );
  const unusual = manifest.leftOut.filter((name) => name !== 'reports');
  if (unusual.length > 0) say(`Không đưa vào vì không phải tệp thường hoặc quá lớn: ${unusual.join(', ')}.`);
  if (removed.length > 0) say(`Đã bỏ ${removed.length} bản cũ nhất.`);
  if (sameDisk) say('! Bản sao nằm cùng ổ với dữ liệu: hỏng ổ là mất cả hai. Hãy chép sang ổ khác hoặc USB.');
  if (!hasKey)
    say(
      '! Không thấy SECRET_KEY nên địa chỉ camera trong bản sao không đọc được. Hãy chạy lệnh này trong thư mục có tệp .env.',
    );
  say('Hãy giữ mật khẩu ở nơi khác: không có mật khẩu thì không ai mở được bản sao.');
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: {
      to: { type: 'string' },
      'with-reports': { type: 'boolean' },
      check: { type: 'string' },
      nightly: { type: 'boolean' },
      help: { type: 'boolean' },
    },
    allowPositionals: true,
  });
  if (values.help === true) return say(HOW);
  if (positionals.length > 0)
    throw new BackupFault('asked-wrongly', `Không hiểu "${positionals[0]}".\n${HOW}`);
  const from = findInstallation(process.cwd(), process.env);
  const known = from.env.BACKUP_PASSPHRASE;
  const has = known !== undefined && known !== '';

  if (values.nightly === true) return nightly(from);
  if (values.check !== undefined) {
    const passphrase = has ? known : await askPassphrase(terminal, 'Mật khẩu của bản sao lưu: ');
    const { manifest, files } = await readBackup(values.check, passphrase);
    say(`Bản sao còn nguyên vẹn: ${files.length} tệp, làm lúc ${sayMoment(manifest.createdMs)}.`);
    return;
  }
  const place = values.to ?? from.config.backup.dir;
  if (place === null)
    throw new BackupFault(
      'no-place',
      `Chưa biết lưu vào đâu. Hãy gõ ví dụ: npm run backup -- --to /media/usb, hoặc đặt BACKUP_DIR trong .env.`,
    );
  report(
    await backUp(from, {
      ...{ place, version: productVersion(), withReports: values['with-reports'] === true },
      passphrase: has ? known : await askNewPassphrase(terminal),
      keep: values.to === undefined ? from.config.backup.keep : null,
    }),
    from.config.secretKey !== '',
  );
}

async function nightly(from: Installation): Promise<void> {
  // the recorder comes first
  os.setPriority(10);
  const { logLevel, logDir } = from.config;
  const { file } = await backUpNightly(
    from,
    productVersion(),
    makeLog({ name: 'backup', level: logLevel, dir: logDir }),
  );
  say(path.basename(file));
}

try {
  await main();
} catch (error) {
  const code = (error as { code?: string }).code;
  process.stderr.write(
    error instanceof BackupFault
      ? `${error.message}\n`
      : error instanceof ConfigError
        ? `Cài đặt chưa đúng, hãy sửa trong .env:\n${error.message}\n`
        : code?.startsWith('ERR_PARSE_ARGS') === true
          ? `Không hiểu lệnh này.\n${HOW}\n`
          : `Sao lưu không xong vì lỗi bất ngờ: ${String((error as Error).stack)}\n`,
  );
  process.exitCode = 1;
}
