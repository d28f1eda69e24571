import process from 'node:process';
import { parseArgs } from 'node:util';
import { BackupFault } from '../backup/fault.js';
import { askPassphrase } from '../backup/passphrase.js';
import { restore } from '../backup/restore.js';
import { readEnvFile } from '../base/env-file.js';
import { projectRoot } from '../base/project.js';
import { DatabaseFault } from '../migrate.js';

/**
 * Brings an installation back from a backup:
 *   npm run restore -- mat-than-20261122-0230.backup [--data-dir /srv/mat-than] [--replace]
 */

process.umask(0o077);

const say = (line: string) => void process.stdout.write(`${line}\n`);
const terminal = { input: process.stdin, say: (text: string) => void process.stderr.write(text) };

const HOW = `Cách dùng:
  npm run restore -- <tệp sao lưu>                       khôi phục vào thư mục dữ liệu ghi trong bản sao
  npm run restore -- <tệp sao lưu> --data-dir <thư mục>  khôi phục vào thư mục khác
  thêm --replace                                         thay dữ liệu đang có (dữ liệu cũ được chuyển sang bên)`;

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: { 'data-dir': { type: 'string' }, replace: { type: 'boolean' }, help: { type: 'boolean' } },
    allowPositionals: true,
  });
  if (values.help === true) return say(HOW);
  const [file, ...rest] = positionals;
  if (file === undefined || rest.length > 0) throw new BackupFault('asked-wrongly', HOW);
  const cwd = process.cwd();
  const options = {
    ...{ file, cwd, root: projectRoot(), dataDir: values['data-dir'] ?? null },
    replace: values.replace === true,
  };
  const known = process.env.BACKUP_PASSPHRASE || readEnvFile('.env').BACKUP_PASSPHRASE || '';
  const asked = () => askPassphrase(terminal, 'Mật khẩu của bản sao lưu (gõ không hiện chữ): ');
  const restored = await restore({ ...options, passphrase: known || (await asked()) }).catch(
    async (error) => {
      // an old file may have been sealed with an older passphrase than the settings know
      if (
        known === '' ||
        !(error instanceof BackupFault) ||
        error.kind !== 'wrong-passphrase' ||
        !process.stdin.isTTY
      )
        throw error;
      return restore({ ...options, passphrase: await asked() });
    },
  );
  for (const line of restored.summary) say(line);
}

try {
  await main();
} catch (error) {
  const code = (error as { code?: string }).code;
  process.stderr.write(
    error instanceof BackupFault || error instanceof DatabaseFault
      ? `${error.message}\n`
      : code?.startsWith('ERR_PARSE_ARGS') === true
        ? `Không hiểu lệnh này.\n${HOW}\n`
        : `Khôi phục không xong vì lỗi bất ngờ: ${String((error as Error).stack)}\n`,
  );
  process.exitCode = 1;
}
