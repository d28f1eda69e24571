import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';

/** The systemd unit that starts Mắt Thần with the machine and stops it in order. Paths are absolute. */
export function printUnit(where: { folder: string; node: string; user: string }): string {
  const quoted = (text: string) => (/[\s"\\]/.test(text) ? `"${text.replace(/["\\]/g, '\\$&')}"` : text);
  return `[Unit]
Description=Mat Than: commune cameras and chat bot
Wants=network-online.target
After=network-online.target time-sync.target

[Service]
Type=simple
User=${where.user}
WorkingDirectory=${where.folder.replace(/ /g, '\\x20')}
ExecStart=${quoted(where.node)} ${quoted(path.join(where.folder, 'src', 'bin', 'start.mjs'))}
Restart=always
RestartSec=5
KillMode=mixed
TimeoutStopSec=30
Nice=-5
NoNewPrivileges=true
PrivateTmp=false

[Install]
WantedBy=multi-user.target
`;
}

/** How it starts with the machine on Windows, step by step. Paths are absolute. */
export const windowsSteps = (where: { folder: string; node: string }): string[] => [
  'Mở Task Scheduler (gõ "Task Scheduler" ở nút Start), chọn Create Task…',
  'Thẻ General: Name là "Mat Than", chọn "Run whether user is logged on or not" và "Run with highest privileges".',
  'Thẻ Triggers: New…, Begin the task: "At startup".',
  `Thẻ Actions: New…, Program/script: ${where.node}`,
  `   Add arguments: "${path.join(where.folder, 'src', 'bin', 'start.mjs')}"`,
  `   Start in: ${where.folder}`,
  'Thẻ Settings: bỏ chọn "Stop the task if it runs longer than", chọn "If the task fails, restart every: 1 minute".',
  'Bấm OK, gõ mật khẩu Windows, rồi bấm chuột phải vào tác vụ, chọn Run.',
];

export const UNIT = '/etc/systemd/system/mat-than.service';

function main(): number {
  const folder = process.cwd();
  const user = process.env.SUDO_USER ?? os.userInfo().username;
  const unit = printUnit({ folder, node: process.execPath, user });
  const say = (line: string) => void process.stdout.write(`${line}\n`);
  if (process.argv.includes('--print')) {
    process.stdout.write(unit);
    return 0;
  }
  if (process.platform !== 'linux' || !fs.existsSync('/run/systemd/system')) {
    say('Máy này không dùng systemd. Trên Windows:');
    for (const step of windowsSteps({ folder, node: process.execPath })) say(`  ${step}`);
    return 1;
  }
  if (process.getuid?.() !== 0) {
    say('Cần quyền quản trị. Hãy chạy: sudo npm run service');
    return 1;
  }
  fs.writeFileSync(UNIT, unit);
  for (const args of [['daemon-reload'], ['enable', '--now', 'mat-than.service']]) {
    const { status, stderr } = spawnSync('systemctl', args, { encoding: 'utf8' });
    if (status !== 0) {
      say(`systemctl ${args.join(' ')} không chạy được: ${stderr}`);
      return 1;
    }
  }
  say('Xong: Mắt Thần chạy cùng máy từ nay. Xem trạng thái: systemctl status mat-than');
  return 0;
}

if (process.argv[1]?.endsWith('service.js')) process.exitCode = main();
