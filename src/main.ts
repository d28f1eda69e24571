import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { startNightly } from './backup/nightly.js';
import { unfinishedRestore } from './backup/unfinished.js';
import { systemClock } from './base/clock.js';
import { type Config, ConfigError, makeConfig } from './base/config.js';
import { ensureKeys } from './base/env-file.js';
import { takeFolder } from './base/folder-lock.js';
import { findInstallation } from './base/installation.js';
import { type Log, makeLog } from './base/log.js';
import { checkPorts } from './doctor/ports.js';
import { DatabaseFault, migrate, migrateIndex } from './migrate.js';
import { supervise } from './supervise.js';

/** The parent of both services: decides the mode, prepares keys and databases, keeps recorder and bot alive. */

// Recordings, reports and databases are for the account that runs this and nobody else on the machine.
process.umask(0o077);

const built = fileURLToPath(new URL('..', import.meta.url));
const root = path.join(built, '..');
const say = (line: string) => void process.stdout.write(`${line}\n`);
// a terminal that was closed must not end the recording
process.stdout.on('error', () => {});

/** A new key in place of a lost one would make every camera's address unreadable without a word. */
const keyLost = (keyFile: string, demoFolder: string | null) =>
  demoFolder === null
    ? `Thiếu SECRET_KEY trong ${keyFile}: không có khóa này thì không đọc được địa chỉ camera đã lưu. Hãy chép lại tệp .env từ bản sao. Nếu mất hẳn, gõ SECRET_KEY mới (32 byte, base64) vào .env rồi thêm lại camera.`
    : `Thiếu khóa của bản dùng thử (${keyFile}). Hãy xóa thư mục ${demoFolder} rồi chạy lại npm start.`;

function settle(): { config: Config; env: NodeJS.ProcessEnv } | string {
  const { keyFile, env, dataRoot, mode, config, installed } = findInstallation(process.cwd(), process.env);
  const unfinished = unfinishedRestore(dataRoot) ?? unfinishedRestore(path.join(dataRoot, 'demo'));
  if (unfinished !== null) return unfinished;
  if (mode.mode === 'refused') return mode.sentence;
  const { demo } = config;
  if (installed && config.secretKey === '') return keyLost(keyFile, demo ? config.dataDir : null);
  const keys = ensureKeys(keyFile, demo ? {} : env);
  const all = { ...env, ...keys, MAT_THAN_DEMO: demo ? '1' : '0' };
  return { config: makeConfig(all, demo), env: all };
}

/** So long the first lines wait for the recorder, ms. */
const RECORDER_PATIENCE_MS = 10_000;
/** Services whose parent was killed end within this time and free their ports, ms. */
const OLD_ONES_GONE_MS = 10_000;

/** Why a port can't be opened and what to do, or null. Asked before anything is touched: what runs there may be ours. */
async function portObstacle(config: Config): Promise<string | null> {
  const found = await checkPorts(config, { bot: null, recorder: 'away' }, OLD_ONES_GONE_MS, (port) =>
    say(`Cổng ${port} đang bận, chờ một lát…`),
  );
  const bad = found.find(({ mark }) => mark === 'bad');
  return bad === undefined ? null : `${bad.says} ${bad.todo ?? ''}`;
}

async function run(config: Config, env: NodeJS.ProcessEnv, log: Log): Promise<void> {
  say(config.demo ? 'Mắt Thần · bản dùng thử (demo)' : 'Mắt Thần');
  const [aside] = await Promise.all([
    migrateIndex(root, path.join(config.dataDir, 'recorder.db')),
    migrate(root, 'bot', path.join(config.dataDir, 'bot.db')),
  ]);
  if (aside !== null) {
    log.error({ aside }, 'the index was broken and is made anew');
    say(
      `Mục lục hình (recorder.db) bị hỏng nên đã được để riêng thành ${path.basename(aside)}. Máy vẫn ghi hình; mục lục đang được lập lại từ các tệp hình.`,
    );
  }
  const service = (name: string, script: string, with_: NodeJS.ProcessEnv) =>
    supervise({ name, script: path.join(built, ...script.split('/')), env: with_, log, say });
  // nobody but the backup has any business with its passphrase, nor the recorder with chats
  const { BACKUP_PASSPHRASE: _passphrase, ...botEnv } = env;
  const recorderEnv = Object.fromEntries(
    Object.entries(botEnv).filter(([name]) => !/^(TELEGRAM|ZALO)_/.test(name)),
  );
  const recorder = service('recorder', 'media/main.js', recorderEnv);
  const bot = service('bot', 'src/bot.js', botEnv);
  const nightly =
    config.backup.dir === null
      ? null
      : startNightly({
          ...{ dataDir: config.dataDir, env, log, clock: systemClock },
          program: path.join(built, 'src', 'bin', 'backup.js'),
        });

  let stopping = false;
  const stop = async () => {
    if (stopping) return;
    stopping = true;
    say('Đang dừng…');
    nightly?.stop();
    await Promise.all([bot.stop(), recorder.stop()]);
    log.info('stopped');
    say('Đã dừng. Chạy lại bằng: npm start');
    process.exit(0);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void stop());
  // npm's shell dies of a SIGTERM without passing it on: the end of our parent is an order to stop as well.
  const startedBy = process.ppid;
  if (process.env.npm_lifecycle_event !== undefined)
    setInterval(() => process.ppid !== startedBy && void stop(), 1000).unref();

  const port = await bot.ready;
  // a recorder that can't start (no ffmpeg) has said why; the bot is there all the same
  await Promise.race([
    recorder.ready,
    new Promise((resolve) => setTimeout(resolve, RECORDER_PATIENCE_MS).unref()),
  ]);
  const host = config.host.includes(':') ? `[${config.host}]` : config.host;
  say('');
  if (config.console) {
    say(`  Mở trình duyệt · open:  http://${host}:${port}/console`);
    if (config.demo) say('  Hoặc gõ · or type:      npm run say -- --as canbo "ảnh 1"');
  }
  if (config.telegram.token !== null) say('  Telegram: nhắn cho bot của bạn · write to your bot');
  const { appId, botToken } = config.zalo;
  if (appId !== null) say('  Zalo OA: nhắn cho OA của bạn · write to your OA');
  if (botToken !== null) say('  Zalo Bot: nhắn cho bot của bạn · write to your bot');
  if (config.telegram.token === null && appId === null && botToken === null && !config.demo)
    say('  Chưa nối Telegram hay Zalo: camera vẫn được ghi, chưa có kênh chat. Chạy: npm run setup');
  say(`  Dữ liệu · data:         ${config.dataDir}`);
  say(`  Nhật ký · logs:         ${config.logDir}`);
  say('  Dừng · stop:            Ctrl-C');
  say('');
}

try {
  const settled = settle();
  if (typeof settled === 'string') {
    say(settled);
    process.exit(1);
  }
  const { config, env } = settled;
  fs.mkdirSync(config.dataDir, { recursive: true });
  const holder = await takeFolder(config.dataDir);
  if (holder !== null) {
    say(
      `Mắt Thần đang chạy trên thư mục này rồi (tiến trình ${holder}). Dừng nó trước, hoặc đặt DATA_DIR khác.`,
    );
    process.exit(1);
  }
  const obstacle = await portObstacle(config);
  if (obstacle !== null) {
    say(obstacle);
    process.exit(1);
  }
  const log = makeLog({ name: 'parent', level: config.logLevel, dir: config.logDir });
  await run(config, env, log).catch((error: unknown) => {
    log.fatal({ err: error }, 'could not start');
    throw error;
  });
} catch (error) {
  const text = error instanceof Error ? error.message : String(error);
  say(
    error instanceof ConfigError
      ? `Cài đặt chưa đúng, hãy sửa trong .env:\n${text}`
      : error instanceof DatabaseFault
        ? text
        : `Không khởi động được: ${text}`,
  );
  process.exit(1);
}
