// Plain JavaScript without packages: it runs in a fresh clone, before anything is installed.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));
const at = (...parts) => path.join(root, ...parts);
const lockFile = at('.prepare.lock');

function run(what, command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, encoding: 'utf8', ...options });
  if (result.status === 0) return;
  process.stderr.write(`${result.stdout ?? ''}${result.stderr ?? ''}`);
  const why = result.error ? result.error.message : `exit ${result.status ?? result.signal}`;
  throw new Error(`${what} failed (${why}). The lines above say why.`);
}

function npm(...args) {
  const script = process.env.npm_execpath;
  if (script?.endsWith('.js')) run(`npm ${args[0]}`, process.execPath, [script, ...args]);
  else
    run(`npm ${args[0]}`, process.platform === 'win32' ? 'npm.cmd' : 'npm', args, {
      shell: process.platform === 'win32',
    });
}

const hash = (...texts) => createHash('sha256').update(texts.join('\0')).digest('hex');
const read = (file) => (fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '');

/** Does `work` unless the stamp says that it was done for exactly this input. */
function once(stamp, input, work) {
  if (read(stamp) === input) return;
  work();
  fs.mkdirSync(path.dirname(stamp), { recursive: true });
  fs.writeFileSync(stamp, input);
}

/** Path, size and change time of every source file: a cheap fingerprint of the tree. */
function fingerprint(folders) {
  const seen = [];
  const walk = (folder) => {
    for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
      const full = path.join(folder, entry.name);
      if (entry.isDirectory()) walk(full);
      else if (/\.(ts|json)$/.test(entry.name)) {
        const { size, mtimeMs } = fs.statSync(full);
        seen.push(`${full}:${size}:${mtimeMs}`);
      }
    }
  };
  for (const folder of folders) if (fs.existsSync(at(folder))) walk(at(folder));
  return hash(...seen.sort());
}

/** One preparation at a time in this folder; a lock whose process is gone is taken over. */
function withLock(work) {
  const deadline = Date.now() + 10 * 60_000;
  for (;;) {
    try {
      fs.writeFileSync(lockFile, String(process.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
      const owner = Number(read(lockFile));
      let alive = true;
      try {
        process.kill(owner, 0);
      } catch (probe) {
        alive = probe.code === 'EPERM';
      }
      if (owner > 0 && !alive) fs.rmSync(lockFile, { force: true });
      else if (Date.now() > deadline)
        throw new Error(`Another preparation (process ${owner}) holds ${lockFile}.`);
      else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
    }
  }
  try {
    work();
  } finally {
    fs.rmSync(lockFile, { force: true });
  }
}

/** Installs packages, generates the database clients and builds into dist/, each only when something changed. */
export function prepare({ say = () => {} } = {}) {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 9)) {
    throw new Error(
      `Mắt Thần cần Node 20.9 trở lên (máy này: ${process.version}). Tải tại nodejs.org rồi chạy lại.`,
    );
  }
  withLock(() => {
    const lock = hash(read(at('package-lock.json')), process.version, process.platform, process.arch);
    once(at('node_modules', '.mat-than-installed'), lock, () => {
      say('Đang cài các gói cần thiết (lần đầu, khoảng một phút) · installing packages…');
      npm('ci', '--no-progress', '--loglevel=error');
    });
    for (const name of ['bot', 'recorder']) {
      const schema = read(at('prisma', name, 'schema.prisma'));
      const output = at('prisma', name, path.normalize(/output\s*=\s*"([^"]+)"/.exec(schema)[1]));
      once(path.join(output, '.stamp'), hash(schema, lock), () => {
        say(`Đang tạo phần truy cập dữ liệu · generating the ${name} database client…`);
        prisma('generate', name, {});
      });
    }
    const sources = ['src', 'handlers', 'media', 'bench', path.join('test', 'support')];
    const input = hash(
      fingerprint(sources),
      read(at('tsconfig.json')),
      read(at('tsconfig.build.json')),
      lock,
    );
    once(at('dist', '.built'), input, () => {
      say('Đang dịch mã nguồn · building…');
      run('Building', process.execPath, [
        at('node_modules', 'typescript', 'bin', 'tsc'),
        '-p',
        'tsconfig.build.json',
      ]);
    });
  });
}

/** Runs the Prisma CLI on one of the two schemas, offline. */
export function prisma(command, name, env) {
  const words = command.split(' ');
  run(
    `prisma ${command} (${name})`,
    process.execPath,
    [
      at('node_modules', 'prisma', 'build', 'index.js'),
      ...words,
      '--config',
      at('prisma', name, 'prisma.config.ts'),
    ],
    {
      env: {
        ...process.env,
        CHECKPOINT_DISABLE: '1',
        PRISMA_HIDE_UPDATE_MESSAGE: '1',
        NO_UPDATE_NOTIFIER: '1',
        ...env,
      },
    },
  );
}
