/**
 * The real product as processes, as `npm start` runs it: its own folder, its own ports, talked to as a person would.
 * For the tests from end to end and for benches; `dist/` must be built.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { makeRecorderClient } from '../../media/client.js';
import type { RecorderClient } from '../../media/types.js';
import { SETTINGS } from '../../src/base/config.js';
import { readEnvFile } from '../../src/base/env-file.js';
import { sayOnce } from '../../src/bin/say-once.js';
import { projectRoot } from './project-root.js';

/** One reply as `npm run say` prints it. */
export interface Said {
  kind: 'text' | 'photo' | 'video' | 'document' | 'album';
  text: string;
  buttons: string[];
  /** on this disk */
  file?: string;
  files?: string[];
  /** where it was answered, when not where it was said */
  chat?: string;
}

/** One line of a demo chat, as the page shows it. */
export interface ChatLine {
  id: number;
  /** null = the bot */
  from: { userId: string } | null;
  kind: string;
  text: string;
  buttons: { label: string }[][];
  files: { url: string; kind: string; sizeBytes: number }[];
}

export interface SayWhere {
  /** a group; else the private chat */
  in?: string;
  files?: string[];
  /** the label of a button of the newest line that has it, instead of words */
  press?: string;
}

export interface Running {
  pid: number;
  command: string;
}

export interface Product {
  /** holds the working folder (`cwd`, with `.env`) and DATA_DIR (`data`) */
  folder: string;
  cwd: string;
  /** DATA_DIR */
  data: string;
  /** where databases, logs and recordings are: DATA_DIR, in the demo DATA_DIR/demo */
  home: string;
  url: string;
  port: number;
  recorderPort: number;
  env: Record<string, string>;
  pid: number;
  /** everything said in the terminal so far */
  terminal(): string;
  /** what the services wrote to their logs as a warning or worse */
  complaints(): string[];
  /** resolves with the match when the terminal says it */
  hears(words: RegExp, withinMs?: number): Promise<RegExpMatchArray>;
  /** resolves when the services answer for the first time; how long that took, ms */
  ready: Promise<number>;
  /** resolves when the parent has ended */
  ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  recorder(): RecorderClient;
  /** speaks in the demo and gives back the answer once it is complete */
  say(as: string, text: string, where?: SayWhere): Promise<Said[]>;
  /** the newest lines of a demo chat, oldest first, as this person sees them */
  chat(as: string, chatId: string): Promise<ChatLine[]>;
  /** the service's process of this moment */
  service(name: 'bot' | 'recorder'): number;
  /** parent, services and their ffmpegs that live now, those that lost their parent too */
  processes(): Promise<Running[]>;
  /** asks it to end as Ctrl-C or systemd would; resolves when the parent is gone */
  stop(signal?: 'SIGINT' | 'SIGTERM'): Promise<void>;
  /** kills the parent and whatever is left of its children */
  kill(): Promise<void>;
}

export interface StartOptions {
  env?: Record<string, string>;
  /** lines of the `.env` in its working folder, as a person would write them; else what is there stays */
  envFile?: Record<string, string>;
  /** start again where an earlier one ran, with its ports */
  after?: Pick<Product, 'folder' | 'port' | 'recorderPort'>;
  /** folder of another version, built; default this one */
  root?: string;
  /** as `npm start` does, looking first whether something is to be installed or built */
  prepare?: boolean;
  /** default true: resolve only once it is ready; false: for those that shall refuse */
  untilReady?: boolean;
}

const READY_MS = 60_000;
const products = new Set<Product>();
const folders = new Set<string>();

/**
 * Asks until the answer is there; throws with `what` when it does not come in time, read only then so that it can tell
 * what is there instead. Faults while asking count as "not yet".
 */
export async function eventually<T>(
  what: string | (() => string),
  ask: () => Promise<T | null | undefined | false> | T | null | undefined | false,
  withinMs = 20_000,
): Promise<T> {
  const deadline = Date.now() + withinMs;
  let fault: unknown;
  for (;;) {
    try {
      const answer = await ask();
      if (answer !== null && answer !== undefined && answer !== false) return answer;
      fault = undefined;
    } catch (error) {
      fault = error;
    }
    if (Date.now() > deadline)
      throw new Error(
        `not within ${withinMs} ms: ${typeof what === 'function' ? what() : what}`,
        fault === undefined ? {} : { cause: fault },
      );
    await pause(50);
  }
}

/** A port nobody listens on, outside the range from which the system gives ports to clients. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    const server = net.createServer();
    const free = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!free) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
}

/** Does somebody listen on this port of this machine? */
export function isTaken(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = net.connect(port, '127.0.0.1');
    connection.once('connect', () => {
      connection.destroy();
      resolve(true);
    });
    connection.once('error', () => resolve(false));
  });
}

interface Listed extends Running {
  parent: number;
}

/** All processes of this machine that are no zombies. */
async function listProcesses(): Promise<Listed[]> {
  const { stdout } = await promisify(execFile)('ps', ['-e', '-o', 'pid=,ppid=,stat=,args='], {
    maxBuffer: 16 * 1024 * 1024,
  });
  return stdout.split('\n').flatMap((line) => {
    const match = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(line);
    if (match === null || match[3]!.startsWith('Z')) return [];
    return [{ pid: Number(match[1]), parent: Number(match[2]), command: match[4]! }];
  });
}

/** Starts the product in a folder of its own. */
export async function startProduct(options: StartOptions = {}): Promise<Product> {
  const root = options.root ?? projectRoot;
  const main = path.join(root, 'dist', 'src', 'main.js');
  if (!fs.existsSync(main)) throw new Error('dist/ is missing: run npm run build first');
  const folder = options.after?.folder ?? fs.mkdtempSync(path.join(os.tmpdir(), 'mat-than-e2e-'));
  folders.add(folder);
  const at = (...parts: string[]) => path.join(folder, ...parts);
  fs.mkdirSync(at('cwd'), { recursive: true });
  if (options.envFile !== undefined) {
    const lines = Object.entries(options.envFile).map(([name, value]) => `${name}=${value}\n`);
    fs.writeFileSync(at('cwd', '.env'), lines.join(''));
  }
  const port = options.after?.port ?? (await freePort());
  const recorderPort = options.after?.recorderPort ?? (await freePort());
  const env: Record<string, string> = {
    ...clean(process.env),
    DATA_DIR: at('data'),
    PORT: String(port),
    RECORDER_PORT: String(recorderPort),
    // A full disk on the machine that tests is no fault of the product.
    MIN_FREE_PERCENT: '0',
    MIN_FREE_GB: '0',
    // As under npm: it ends when whoever started it is gone, so that no test run leaves one behind.
    npm_lifecycle_event: 'start',
    ...options.env,
  };
  const startedMs = Date.now();
  const script = options.prepare ? path.join(root, 'src', 'bin', 'start.mjs') : main;
  const child = spawn(process.execPath, [script], {
    cwd: at('cwd'),
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    windowsHide: true,
  });
  const product = wrap(child, { folder, port, recorderPort, env, startedMs });
  products.add(product);
  if (options.untilReady !== false) await product.ready;
  return product;
}

/** The host's environment without settings of ours. */
function clean(env: NodeJS.ProcessEnv): Record<string, string> {
  const ours = new Set<string>(SETTINGS.map((setting) => setting.name));
  ours.delete('FFMPEG_PATH');
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) =>
      value === undefined || ours.has(name) || name.startsWith('MAT_THAN_') || name.startsWith('VITEST')
        ? []
        : [[name, value]],
    ),
  );
}

function wrap(
  child: ChildProcess,
  about: {
    folder: string;
    port: number;
    recorderPort: number;
    env: Record<string, string>;
    startedMs: number;
  },
): Product {
  const { folder, port, recorderPort, env } = about;
  const data = env.DATA_DIR!;
  const cwd = path.join(folder, 'cwd');
  let words = '';
  const heard = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => {
      words += text;
      for (const check of heard) check();
    });
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.once('close', (code, signal) => {
      resolve({ code, signal });
      for (const check of heard) check();
    });
  });

  const hears = (pattern: RegExp, withinMs = 15_000) =>
    new Promise<RegExpMatchArray>((resolve, reject) => {
      const check = () => {
        const match = pattern.exec(words);
        if (match !== null) done(() => resolve(match));
        else if (child.exitCode !== null || child.signalCode !== null)
          done(() => reject(new Error(`it ended and never said ${pattern}; it said:\n${words}`)));
      };
      const timer = setTimeout(
        () => done(() => reject(new Error(`not said within ${withinMs} ms: ${pattern}; said:\n${words}`))),
        withinMs,
      );
      const done = (how: () => void) => {
        clearTimeout(timer);
        heard.delete(check);
        how();
      };
      heard.add(check);
      check();
    });

  const ready = hears(/Ctrl-C/, READY_MS).then(() => Date.now() - about.startedMs);
  ready.catch(() => {});

  const seen = new Map<number, string>();
  const processes = async () => {
    const all = await listProcesses();
    if (child.exitCode === null && child.signalCode === null) seen.set(child.pid!, 'parent');
    for (let grown = true; grown; ) {
      grown = false;
      for (const each of all)
        if (!seen.has(each.pid) && seen.has(each.parent)) {
          seen.set(each.pid, each.command);
          grown = true;
        }
    }
    return all.filter((each) => seen.has(each.pid)).map(({ pid, command }) => ({ pid, command }));
  };

  const product: Product = {
    folder,
    cwd,
    data,
    get home() {
      return fs.existsSync(path.join(data, 'demo')) ? path.join(data, 'demo') : data;
    },
    url: `http://127.0.0.1:${port}`,
    port,
    recorderPort,
    env,
    pid: child.pid!,
    terminal: () => words,
    complaints: () =>
      ['bot.log', 'recorder.log'].flatMap((name) => {
        const file = path.join(product.home, 'logs', name);
        const lines = fs.existsSync(file) ? fs.readFileSync(file, 'utf8').split('\n') : [];
        return lines.filter((line) => /"level":"?(?:40|50|60|warn|error|fatal)\b/.test(line));
      }),
    hears,
    ready,
    ended,
    recorder() {
      const keys = {
        ...readEnvFile(path.join(cwd, '.env')),
        ...readEnvFile(path.join(data, 'demo', '.env')),
      };
      return makeRecorderClient({
        url: `http://127.0.0.1:${recorderPort}`,
        token: keys.RECORDER_TOKEN ?? '',
      });
    },
    async say(as, text, where = {}) {
      const args = ['--as', as];
      if (where.in !== undefined) args.push('--in', where.in);
      for (const file of where.files ?? []) args.push('--file', file);
      if (where.press !== undefined) args.push('--press', where.press);
      const lines: string[] = [];
      await sayOnce([...args, '--', text], { DATA_DIR: data }, (line) => void lines.push(line));
      return lines.map((line) => JSON.parse(line) as Said);
    },
    async chat(as, chatId) {
      const door = JSON.parse(fs.readFileSync(path.join(data, 'demo', 'say.json'), 'utf8')) as {
        url: string;
        key: string;
      };
      const answer = await fetch(new URL(`/console/api/state?as=${as}`, door.url), {
        headers: { 'x-demo-key': door.key },
      });
      if (!answer.ok) throw new Error(`the console answered ${answer.status}`);
      const state = (await answer.json()) as { latest: Record<string, ChatLine[]> };
      return state.latest[chatId] ?? [];
    },
    service(name) {
      const log = fs.readFileSync(path.join(product.home, 'logs', 'parent.log'), 'utf8');
      const pids = log.split('\n').flatMap((line) => {
        if (line === '') return [];
        const entry = JSON.parse(line) as { msg?: string; service?: string; pid?: number };
        return entry.msg === 'service started' && entry.service === name ? [entry.pid!] : [];
      });
      const pid = pids.at(-1);
      if (pid === undefined) throw new Error(`${name} was never started`);
      return pid;
    },
    processes,
    async stop(signal = 'SIGTERM') {
      await processes().catch(() => {});
      child.kill(signal);
      await ended;
    },
    async kill() {
      await processes().catch(() => {});
      child.kill('SIGKILL');
      for (const { pid } of await processes().catch(() => [])) end(pid);
      await ended;
      products.delete(product);
    },
  };
  return product;
}

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // gone already
  }
}

/** Ends every product that was started and takes its folders away; for `afterAll`, whatever happened before. */
export async function endProducts(): Promise<void> {
  await Promise.all([...products].map((product) => product.kill()));
  for (const folder of folders) fs.rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  folders.clear();
}

/** "lúc 14:30:05 ngày 21/11/2026": a moment as one would type it, by Vietnam's clock. */
export function typedMoment(ms: number): string {
  const at = new Date(ms + 7 * 3_600_000);
  const two = (n: number) => String(n).padStart(2, '0');
  return `lúc ${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:${two(at.getUTCSeconds())} ngày ${at.getUTCDate()}/${at.getUTCMonth() + 1}/${at.getUTCFullYear()}`;
}
