/** Faults of the disk beneath a running process: real answers of the kernel's, or put in its mouth by strace. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

export interface Fault {
  /** the disk is well again */
  heal(): Promise<void>;
}

/**
 * From now on these system calls of the process fail; only those that touch one of `paths`, when given (strace compares
 * whole paths).
 */
export async function failCalls(
  pid: number,
  calls: string,
  error: 'EIO' | 'EROFS',
  paths: string[] = [],
): Promise<Fault> {
  const strace: ChildProcess = spawn(
    'strace',
    [
      ...['-f', '-p', String(pid), '-o', '/dev/null', '-e', `trace=${calls}`],
      ...['-e', `inject=${calls}:error=${error}`, ...paths.flatMap((one) => ['-P', one])],
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const ended = once(strace, 'exit');
  let words = '';
  await new Promise<void>((resolve, reject) => {
    strace.stderr!.setEncoding('utf8').on('data', (text: string) => {
      words += text;
      if (/attached/.test(words)) resolve();
    });
    void ended.then(() => reject(new Error(`strace ended: ${words}`)));
  });
  return {
    async heal() {
      strace.kill('SIGINT');
      await ended;
    },
  };
}

export interface LoopDisk {
  /** as when the kernel gives up on a disk: read-only at once, with files open; healed by a check and a new mount */
  turnReadOnly(): Fault;
  remove(): void;
}

function run(program: string, ...args: string[]): void {
  const { status, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr}`);
}

/** A file that is just being tried may be open for a moment. */
async function unmounted(folder: string): Promise<void> {
  for (const untilMs = Date.now() + 20_000; ; await pause(50)) {
    if (spawnSync('umount', [folder]).status === 0) return;
    if (Date.now() > untilMs) throw new Error(`${folder} stays in use`);
  }
}

/** Mounts an ext4 of its own on `folder`; the image lies beside it. */
export async function mountLoopDisk(folder: string, megabytes: number): Promise<LoopDisk> {
  const image = path.join(path.dirname(folder), `${path.basename(folder)}.ext4`);
  await fs.mkdir(folder, { recursive: true });
  await fs.writeFile(image, '');
  await fs.truncate(image, megabytes * 1024 * 1024);
  run('mkfs.ext4', '-q', image);
  // between two mounts nobody shall write to the folder beneath
  run('mount', '-t', 'tmpfs', '-o', 'ro', 'none', folder);
  run('mount', '-o', 'loop', image, folder);
  return {
    turnReadOnly() {
      run('mount', '-o', 'remount,abort', folder);
      return {
        async heal() {
          await unmounted(folder);
          // 1: faults were mended
          const { status, stderr } = spawnSync('e2fsck', ['-p', image], { encoding: 'utf8' });
          if (status !== 0 && status !== 1) throw new Error(`e2fsck: ${stderr}`);
          run('mount', '-o', 'loop', image, folder);
        },
      };
    },
    remove() {
      spawnSync('umount', ['-l', folder]);
      spawnSync('umount', ['-l', folder]);
    },
  };
}
