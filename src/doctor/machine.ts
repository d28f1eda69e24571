import { execFile } from 'node:child_process';
import fs from 'node:fs/promises';
import os from 'node:os';
import process from 'node:process';
import { promisify } from 'node:util';
import { printUnit, UNIT } from '../bin/service.js';
import { broken, careful, type Finding, fine, saySize } from './finding.js';

/** What a recorder takes: itself, and an ffmpeg for each camera (ffmpeg 5 or newer), bytes. */
const SERVICES_BYTES = 350_000_000;
const CAMERA_BYTES = 20_000_000;
/** Open files: of the services themselves, and for each camera (pipes, file, sockets). */
const SERVICES_FILES = 200;
const CAMERA_FILES = 16;

export const checkNode = (): Finding =>
  fine('node', `Node ${process.versions.node}, đủ mới.`, { version: process.versions.node });

/** Bytes that can still be had, of all there are. */
export async function readMemory(): Promise<{ availableBytes: number; totalBytes: number }> {
  const text = await fs.readFile('/proc/meminfo', 'utf8').catch(() => '');
  const available = /^MemAvailable:\s+(\d+) kB/m.exec(text)?.[1];
  return {
    availableBytes: available === undefined ? os.freemem() : Number(available) * 1024,
    totalBytes: os.totalmem(),
  };
}

/** Pure. @param running the services already have their share */
export function judgeMemory(
  { availableBytes, totalBytes }: { availableBytes: number; totalBytes: number },
  cameras: number,
  running: boolean,
): Finding {
  const needed = running ? 150_000_000 : SERVICES_BYTES + cameras * CAMERA_BYTES;
  const room = `còn ${saySize(availableBytes)} trên ${saySize(totalBytes)}`;
  const facts = { availableBytes, totalBytes, neededBytes: needed };
  const todo = 'Hãy đóng bớt chương trình khác trên máy này, hoặc lắp thêm RAM.';
  if (availableBytes < needed / 2)
    return broken('memory', `Bộ nhớ (RAM) sắp hết: ${room}, cần khoảng ${saySize(needed)}.`, todo, facts);
  if (availableBytes < needed)
    return careful('memory', `Bộ nhớ (RAM) hơi ít: ${room}, cần khoảng ${saySize(needed)}.`, todo, facts);
  return fine('memory', `Bộ nhớ (RAM): ${room}.`, facts);
}

/** The limit of open files that Node raises itself to: the hard one. Null where it can't be told. */
export async function readFileLimit(pid: number | null): Promise<number | null> {
  const text = await fs.readFile(`/proc/${pid ?? 'self'}/limits`, 'utf8').catch(() => '');
  const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(text)?.[1];
  if (hard === undefined) return null;
  return hard === 'unlimited' ? Number.POSITIVE_INFINITY : Number(hard);
}

/** Pure. */
export function judgeFileLimit(limit: number | null, cameras: number): Finding[] {
  if (limit === null) return [];
  const needed = SERVICES_FILES + cameras * CAMERA_FILES;
  if (limit >= needed)
    return [
      fine(
        'open-files',
        `Số tệp được mở cùng lúc: ${Number.isFinite(limit) ? limit : 'không giới hạn'}, đủ dùng.`,
        {
          limit: Number.isFinite(limit) ? limit : null,
        },
      ),
    ];
  return [
    broken(
      'open-files',
      `Máy chỉ cho mở ${limit} tệp cùng lúc, ${cameras} camera cần khoảng ${needed}.`,
      'Hãy chạy Mắt Thần bằng dịch vụ (sudo npm run service), hoặc nâng giới hạn: ulimit -n 65536.',
      { limit, needed },
    ),
  ];
}

/** The installed unit; null when there is none. */
export const readUnit = (file = UNIT): Promise<string | null> => fs.readFile(file, 'utf8').catch(() => null);

/** The account a unit runs as. */
export const unitUser = (unit: string | null): string | null =>
  unit === null ? null : (/^User=(.+)$/m.exec(unit)?.[1] ?? 'root');

/** One word of systemctl's: "enabled", "inactive"; null when it does not answer. */
async function systemctl(question: string): Promise<string | null> {
  try {
    const { stdout } = await promisify(execFile)('systemctl', [question, 'mat-than.service'], {
      timeout: 4000,
    });
    return stdout.trim();
  } catch (error) {
    // it says "no" by its exit code
    return (error as { stdout?: string }).stdout?.trim() || null;
  }
}

/** Does Mắt Thần start with the machine? */
export async function checkService(options: {
  folder: string;
  demo: boolean;
  unit: string | null;
  ask?: (question: string) => Promise<string | null>;
}): Promise<Finding> {
  const { folder, demo, unit, ask = systemctl } = options;
  const check = 'service';
  if (unit === null) {
    if (demo) return fine(check, 'Tự chạy khi bật máy: chưa cài, bản dùng thử không cần.');
    return careful(
      check,
      'Mắt Thần chưa được cài để tự chạy khi bật máy: cúp điện xong sẽ không tự ghi lại.',
      process.platform === 'linux'
        ? 'Hãy chạy: sudo npm run service'
        : 'Hãy chạy npm run service để xem cách cài.',
    );
  }
  const line = (text: string, name: string) => new RegExp(`^${name}=(.*)$`, 'm').exec(text)?.[1];
  const ours = printUnit({ folder, node: process.execPath, user: unitUser(unit) ?? 'root' });
  if (line(unit, 'WorkingDirectory') !== line(ours, 'WorkingDirectory'))
    return careful(
      check,
      'Dịch vụ tự chạy khi bật máy đang trỏ tới một thư mục khác.',
      `Nếu thư mục đúng là ${folder}, hãy chạy tại đây: sudo npm run service`,
      { folder: line(unit, 'WorkingDirectory') ?? null },
    );
  const node = line(unit, 'ExecStart')?.match(/^"?([^"\s]+)/)?.[1];
  if (
    node !== undefined &&
    (await fs.access(node).then(
      () => false,
      () => true,
    ))
  )
    return broken(
      check,
      `Dịch vụ tự chạy gọi ${node} nhưng tệp đó không còn (có lẽ Node đã được cài lại).`,
      'Hãy chạy lại: sudo npm run service',
    );
  const [enabled, active] = await Promise.all([ask('is-enabled'), ask('is-active')]);
  if (active === 'failed')
    return broken(
      check,
      'Dịch vụ tự chạy đã bị lỗi và đang dừng.',
      'Hãy xem lý do: journalctl -u mat-than -n 50, rồi: sudo systemctl restart mat-than',
    );
  if (enabled !== null && enabled !== 'enabled')
    return careful(
      check,
      'Dịch vụ tự chạy đã cài nhưng đang bị tắt.',
      'Hãy chạy: sudo systemctl enable --now mat-than',
    );
  return fine(check, `Tự chạy khi bật máy: đã cài${active === 'active' ? ', đang chạy' : ''}.`, {
    enabled,
    active,
  });
}
