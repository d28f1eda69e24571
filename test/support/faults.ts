/** Faults of the disk beneath a running process, put in the kernel's mouth by strace; real ones: bench/torture/mounts.ts. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

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
