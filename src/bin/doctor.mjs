// `npm run doctor`: plain JavaScript, so that it can say what is wrong even where nothing is installed or built.
import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { prepare, root } from './prepare.mjs';

const json = process.argv.includes('--json');
const program = path.join(root, 'dist', 'src', 'bin', 'doctor.js');

/** One finding from before the doctor itself could run. */
function tell(check, says, todo) {
  process.exitCode = 1;
  if (!json) return void process.stdout.write(`  ✗ ${says}\n      → ${todo}\n\n`);
  const finding = { section: 'Phần mềm', check, mark: 'bad', says, todo };
  process.stdout.write(`${JSON.stringify({ ok: false, findings: [finding] }, null, 2)}\n`);
}

function failed(error) {
  const message = error instanceof Error ? error.message : String(error);
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 9))
    return tell(
      'node',
      `Node ${process.versions.node} quá cũ: Mắt Thần cần Node 20.9 trở lên.`,
      'Hãy tải bản LTS tại https://nodejs.org, cài đè rồi chạy lại.',
    );
  if (/ENOSPC|no space left/i.test(message))
    return tell('software', 'Ổ đĩa chứa phần mềm đã đầy.', 'Hãy xóa bớt tệp trên ổ đó rồi chạy lại.');
  if (/EACCES|EPERM|EROFS|permission denied/i.test(message))
    return tell(
      'software',
      `Tài khoản này không ghi được vào thư mục phần mềm ${root}.`,
      'Hãy chạy lại bằng tài khoản đã cài Mắt Thần.',
    );
  if (/^npm /.test(message))
    return tell(
      'software',
      'Chưa cài được các gói cần thiết.',
      'Hãy xem máy có mạng không (lần cài đầu cần mạng), rồi chạy lại npm run doctor.',
    );
  return tell(
    'software',
    'Phần mềm bị thiếu hoặc hỏng tệp nên chưa dịch được.',
    `Hãy tải lại Mắt Thần, hoặc xóa hai thư mục node_modules và dist trong ${root} rồi chạy lại.`,
  );
}

let ready = true;
try {
  prepare({ say: (line) => process.stderr.write(`${line}\n`) });
} catch (error) {
  // an older build may still tell what else is wrong
  ready = fs.existsSync(program);
  if (!ready || json) failed(error);
  else process.stdout.write('  ! Bản đang có chưa dựng lại được, khám bằng bản dựng lần trước.\n\n');
  ready = ready && !json;
}
if (ready) {
  process.argv[1] = program;
  await import(pathToFileURL(program).href).catch(failed);
}
