/**
 * What a recorder asked of the file system, in order: read from its real system calls (strace). From that a folder can
 * be made as a power cut at any moment could have left it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { access } from 'node:fs/promises';
import { createInterface } from 'node:readline';

export type Op =
  | { kind: 'create' | 'mkdir' | 'unlink'; path: string }
  | { kind: 'rename'; from: string; to: string }
  | { kind: 'write'; path: string; bytes: number }
  | { kind: 'truncate'; path: string; size: number }
  /** of a file's data or of a folder's entries, as they were when the call began */
  | { kind: 'sync'; path: string }
  /** of everything on the disk */
  | { kind: 'sync-all'; path: string };

export interface Logged {
  op: Op;
  /** epoch ms at which the call began, and had its effect */
  beganMs: number;
  endedMs: number;
}

const CALLS =
  'openat,mkdir,rename,renameat,renameat2,unlink,unlinkat,write,writev,pwrite64,fdatasync,fsync,syncfs,ftruncate';

export interface Tracing {
  stop(): Promise<void>;
}

/** Follows a running process, all its threads and what it starts from now on, until stopped. */
export async function traceWrites(pid: number, logFile: string): Promise<Tracing> {
  const strace: ChildProcess = spawn(
    'strace',
    ['-f', '-ttt', '-T', '-y', '-s', '0', '-e', `trace=${CALLS}`, '-o', logFile, '-p', String(pid)],
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
    async stop() {
      strace.kill('SIGINT');
      await ended;
    },
  };
}

const LINE = /^(\d+) +(\d+\.\d+) (.*)$/;
const UNFINISHED = / <unfinished \.\.\.>$/;
const RESUMED = /^<\.\.\. \w+ resumed>(.*)$/;
const DONE = /^(\w+)\((.*)\) += (-?\d+)(.*?)(?: <(\d+\.\d+)>)?$/;
const paths = (text: string) => [...text.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map((found) => found[1]!);
const fdPath = (text: string) => /^\d+<([^>]*)>/.exec(text)?.[1];

function opOf(call: string, args: string, result: number): Op | null {
  if (result < 0) return null;
  const named = paths(args);
  switch (call) {
    case 'openat':
      return args.includes('O_CREAT') && named[0] ? { kind: 'create', path: named[0] } : null;
    case 'mkdir':
      return { kind: 'mkdir', path: named[0]! };
    case 'rename':
    case 'renameat':
    case 'renameat2':
      return { kind: 'rename', from: named[0]!, to: named[1]! };
    case 'unlink':
    case 'unlinkat':
      return { kind: 'unlink', path: named[0]! };
  }
  const path = fdPath(args);
  if (path === undefined || !path.startsWith('/')) return null;
  if (call === 'syncfs') return { kind: 'sync-all', path };
  if (call === 'fdatasync' || call === 'fsync') return { kind: 'sync', path };
  if (call === 'ftruncate') return { kind: 'truncate', path, size: Number(args.split(',').at(-1)) };
  return { kind: 'write', path, bytes: result };
}

/** The calls that touched something below `root`, in the order in which they had their effect. */
export async function readLog(logFile: string, root: string): Promise<Logged[]> {
  await access(logFile);
  const open = new Map<string, { text: string; beganMs: number }>();
  const logged: Logged[] = [];
  for await (const line of createInterface({ input: createReadStream(logFile) })) {
    const [, pid, seconds, rest] = LINE.exec(line) ?? [];
    if (pid === undefined) continue;
    const atMs = Number(seconds) * 1000;
    if (UNFINISHED.test(rest!)) {
      open.set(pid, { text: rest!.replace(UNFINISHED, ''), beganMs: atMs });
      continue;
    }
    const resumed = RESUMED.exec(rest!);
    const begun = resumed === null ? undefined : open.get(pid);
    if (resumed !== null && begun === undefined) continue;
    const text = begun === undefined ? rest! : begun.text + resumed![1]!;
    open.delete(pid);
    const [, call, args, result, , took] = DONE.exec(text) ?? [];
    if (call === undefined) continue;
    const op = opOf(call, args!, Number(result));
    if (op === null) continue;
    const touched = op.kind === 'rename' ? op.to : op.path;
    if (touched !== root && !touched.startsWith(`${root}/`)) continue;
    const beganMs = begun?.beganMs ?? atMs;
    logged.push({ op, beganMs, endedMs: beganMs + Number(took ?? 0) * 1000 });
  }
  return logged.sort((a, b) => a.endedMs - b.endedMs);
}
