import { createReadStream, existsSync } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { type Clock, systemClock, toVietnamTime } from '../base/clock.js';
import { syncFolder, writeSynced } from '../base/durable.js';
import { readEnvText } from '../base/env-file.js';
import { takeFolder } from '../base/folder-lock.js';
import { makeSeal } from '../base/seal.js';
import { migrate } from '../migrate.js';
import { isLeftOut } from './chosen.js';
import { type Manifest, type ReadBackup, readBackup, SETTINGS_ENTRY } from './entries.js';
import { BackupFault } from './fault.js';
import { type Facts, readFacts, summarize } from './restored-words.js';
import { ask, checkDatabase, settleQueues } from './snapshot.js';
import { MARKER } from './unfinished.js';

export interface RestoreOptions {
  file: string;
  passphrase: string;
  /** folder of the project: its migrations */
  root: string;
  /** folder whose `.env` the services read */
  cwd: string;
  /** DATA_DIR; null = the one the backup's settings name */
  dataDir: string | null;
  /** move what is there aside */
  replace: boolean;
  clock?: Clock;
}

export interface Restored {
  manifest: Manifest;
  files: ReadBackup['files'];
  /** folder of the databases: DATA_DIR, in the demo DATA_DIR/demo */
  home: string;
  /** where the settings went */
  envFile: string;
  /** the settings of this machine stayed; the backup's lie at `envFile` and are not used yet */
  settingsApart: boolean;
  /** where what was there before lies now; null = nothing was there */
  oldFolder: string | null;
  oldEnvFile: string | null;
  /** messages that waited then and are not sent or answered now */
  settled: number;
  /** the keys open the camera addresses; null = there is no camera */
  keysFit: boolean | null;
  recordingsDir: string;
  /** Vietnamese lines that say what is back and what is not */
  summary: string[];
}

/** What waited in a backup of this age has been done by the machine that went on, ms. */
const QUEUES_STALE_MS = 10 * 60_000;
/**
 * In a data folder, and never in the way: recordings and what belongs to them, logs, what was set aside before, what
 * this machine measured. The heads of the chains that are here are newer than a backup's, so they show more.
 */
const STAYS =
  /^(recordings|reports|logs|demo|console|links|clips|lost\+found|recorder-clock\.json|refused-logins\.json|chain-heads\.json|old-.*|restore-.*|backup-work-.*)$/;

const two = (value: number) => String(value).padStart(2, '0');
function stampOf(ms: number): string {
  const at = toVietnamTime(ms);
  return `${at.year}${two(at.month)}${two(at.day)}-${two(at.hour)}${two(at.minute)}${two(at.second)}`;
}

const readAll = async (bytes: AsyncIterable<Buffer>) => {
  const parts: Buffer[] = [];
  for await (const part of bytes) parts.push(part);
  return Buffer.concat(parts).toString('utf8');
};

/** Checks every byte of the file, and that this software knows its data. Changes nothing. */
async function inspect({
  file,
  passphrase,
  root,
}: RestoreOptions): Promise<ReadBackup & { settings: string }> {
  let settings = '';
  const read = await readBackup(file, passphrase, async (name, bytes) => {
    if (name === SETTINGS_ENTRY) settings = await readAll(bytes);
  });
  for (const name of ['bot', 'recorder']) {
    const known = new Set(await fs.readdir(path.join(root, 'prisma', name, 'migrations')));
    const seen = read.manifest.migrations[`${name}.db`] ?? [];
    if (seen.some((one) => !known.has(one)))
      throw new BackupFault(
        'newer-data',
        `Bản sao lưu này do Mắt Thần ${read.manifest.version} tạo, mới hơn phần mềm trên máy này. Hãy cập nhật phần mềm rồi khôi phục lại.`,
      );
  }
  return { ...read, settings };
}

/** Settings with DATA_DIR changed, everything else as it was. Pure. */
export function withDataDir(settings: string, dataDir: string): string {
  const line = `DATA_DIR=${dataDir}`;
  const found = /^[ \t]*(?:export[ \t]+)?DATA_DIR[ \t]*=.*$/m;
  return found.test(settings)
    ? settings.replace(found, () => line)
    : `${settings.replace(/\n*$/, '\n')}${line}\n`;
}

async function refuseWhatRuns(folder: string): Promise<void> {
  if (!existsSync(folder)) return;
  const holder = await takeFolder(folder);
  if (holder !== null && holder !== process.pid)
    throw new BackupFault(
      'in-use',
      `Mắt Thần đang chạy trên thư mục ${folder} (tiến trình ${holder}). Hãy dừng nó trước (Ctrl-C, hoặc sudo systemctl stop mat-than) rồi khôi phục lại.`,
    );
}

interface SettingsPlan {
  file: string;
  text: string;
  apart: boolean;
  /** the one that is there goes here first */
  aside: string | null;
}

/** Where the backup's settings go. A demo's lie in its own folder and go with its files. */
async function planSettings(
  options: RestoreOptions,
  manifest: Manifest,
  text: string,
  dataDir: string,
  home: string,
  stamp: string,
): Promise<SettingsPlan> {
  if (manifest.demo) return { file: path.join(home, '.env'), text, apart: false, aside: null };
  const file = path.join(options.cwd, '.env');
  const named = path.resolve(options.cwd, readEnvText(text).DATA_DIR || './data');
  const fitting = named === dataDir ? text : withDataDir(text, dataDir);
  const there = await fs.readFile(file, 'utf8').catch(() => null);
  if (there === null || there === fitting) return { file, text: fitting, apart: false, aside: null };
  if (options.replace) return { file, text: fitting, apart: false, aside: `${file}.old-${stamp}` };
  if (options.dataDir !== null)
    return { file: path.join(home, '.env.from-backup'), text: fitting, apart: true, aside: null };
  throw new BackupFault(
    'settings-there',
    `Ở đây đã có tệp cài đặt ${file}. Thêm --replace để thay bằng cài đặt trong bản sao (tệp cũ được giữ lại thành .env.old-…), hoặc thêm --data-dir để khôi phục vào thư mục khác mà không đụng tới nó.`,
  );
}

/**
 * Brings an installation back. The whole file is checked before anything is changed; the data is made ready (written,
 * brought to the newest migration, checked) in a folder beside; then what is there is moved aside and the new is moved
 * in. Killed in between, nothing is lost and nothing starts until it is done again.
 * @throws BackupFault, or DatabaseFault when the data can't be brought up to date
 */
export async function restore(options: RestoreOptions): Promise<Restored> {
  const nowMs = (options.clock ?? systemClock).now();
  const stamp = stampOf(nowMs);
  const { manifest, files, settings } = await inspect(options);
  const named = readEnvText(settings);
  const dataDir = path.resolve(
    options.cwd,
    options.dataDir ?? (manifest.demo ? './data' : named.DATA_DIR || './data'),
  );
  const home = manifest.demo ? path.join(dataDir, 'demo') : dataDir;
  const recordingsDir =
    manifest.demo || !named.RECORDINGS_DIR
      ? path.join(home, 'recordings')
      : path.resolve(options.cwd, named.RECORDINGS_DIR);

  await refuseWhatRuns(home);
  await refuseWhatRuns(recordingsDir);
  const there = existsSync(home) ? await fs.readdir(home) : [];
  const occupying = there.filter((name) => !STAYS.test(name));
  if (occupying.length > 0 && !options.replace)
    throw new BackupFault(
      'not-empty',
      `Thư mục ${home} đã có dữ liệu (${occupying.slice(0, 4).join(', ')}). Thêm --replace để thay; dữ liệu cũ được chuyển sang thư mục old-… chứ không xóa. Hoặc chọn thư mục khác bằng --data-dir.`,
    );
  const plan = await planSettings(options, manifest, settings, dataDir, home, stamp);

  await fs.mkdir(home, { recursive: true, mode: 0o700 });
  await refuseWhatRuns(home);
  for (const name of there)
    if (name.startsWith('restore-') && name !== MARKER)
      await fs.rm(path.join(home, name), { recursive: true, force: true });
  const ready = await fs.mkdtemp(path.join(home, 'restore-'));
  let settled = 0;
  let keysFit: boolean | null = null;
  let facts: Facts;
  try {
    await readBackup(options.file, options.passphrase, async (name, bytes) => {
      // nothing that we would not have put in: it would land among recordings, logs or another installation
      if (name !== SETTINGS_ENTRY && !isLeftOut(name.split('/')[0]!))
        await writeSynced(path.join(ready, ...name.split('/')), bytes);
    });
    const bot = path.join(ready, 'bot.db');
    const recorder = path.join(ready, 'recorder.db');
    for (const [name, file] of [
      ['bot', bot],
      ['recorder', recorder],
    ] as const) {
      if (!existsSync(file)) continue;
      await migrate(options.root, name, file);
      await checkDatabase(`${name}.db`, file);
    }
    if (existsSync(bot) && nowMs - manifest.createdMs > QUEUES_STALE_MS)
      settled = await settleQueues(bot, nowMs);
    keysFit = await doKeysFit(recorder, named.SECRET_KEY);
    facts = await readFacts(bot, recorder);
    for (const name of await fs.readdir(ready))
      if (/\.db-(wal|shm|journal)$/.test(name)) await fs.rm(path.join(ready, name));
  } catch (error) {
    await fs.rm(ready, { recursive: true, force: true });
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC')
      throw new BackupFault(
        'place-full',
        `Ổ đĩa chứa ${home} không đủ chỗ. Chưa có gì bị thay đổi. Hãy giải phóng ổ rồi khôi phục lại.`,
        { cause: error },
      );
    throw error;
  }

  // From here to the end nothing may start: half of it would be the old and half the new.
  await fs.rm(path.join(home, MARKER), { force: true });
  await writeSynced(path.join(home, MARKER), [Buffer.from(stamp)]);
  await syncFolder(home);
  const gone = (await fs.readdir(home)).filter((name) => !STAYS.test(name) && name !== MARKER);
  const oldFolder = gone.length === 0 ? null : path.join(home, `old-${stamp}`);
  if (oldFolder !== null) {
    await fs.mkdir(oldFolder, { mode: 0o700 });
    for (const name of gone) await fs.rename(path.join(home, name), path.join(oldFolder, name));
    await syncFolder(oldFolder);
  }
  await moveIn(ready, home);
  const oldEnvFile = await putSettings(plan);
  await syncFolder(home);
  await fs.rm(path.join(home, MARKER), { force: true });
  await fs.rm(ready, { recursive: true, force: true });
  await syncFolder(home);

  const restored = {
    ...{ manifest, files, home, envFile: plan.file, settingsApart: plan.apart, oldFolder, oldEnvFile },
    ...{ settled, keysFit, recordingsDir },
  };
  return { ...restored, summary: summarize(restored, facts, nowMs) };
}

/** Moves every file of `from` to its place in `to`; one that stayed there (a report's original) is left as it is. */
async function moveIn(from: string, to: string): Promise<void> {
  for (const entry of await fs.readdir(from, { withFileTypes: true })) {
    const [source, target] = [path.join(from, entry.name), path.join(to, entry.name)];
    if (!existsSync(target)) await moveFile(source, target);
    else if (entry.isDirectory()) await moveIn(source, target);
  }
  await syncFolder(to);
}

/** A folder that stayed may lie on another disk (`reports` behind a link): there a file is whole before it has its name. */
async function moveFile(source: string, target: string): Promise<void> {
  try {
    await fs.rename(source, target);
    return;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
  }
  if ((await fs.stat(source)).isDirectory()) {
    await fs.mkdir(target, { mode: 0o700 });
    await moveIn(source, target);
    return;
  }
  await fs.rm(`${target}.part`, { force: true });
  await writeSynced(`${target}.part`, createReadStream(source));
  await fs.rename(`${target}.part`, target);
}

async function putSettings({ file, text, aside }: SettingsPlan): Promise<string | null> {
  if (aside !== null)
    await fs.copyFile(file, aside, fs.constants.COPYFILE_EXCL).then(() => fs.chmod(aside, 0o600));
  const next = `${file}.new`;
  await fs.rm(next, { force: true });
  await writeSynced(next, [Buffer.from(text)]);
  await fs.rename(next, file);
  await syncFolder(path.dirname(file));
  return aside;
}

async function doKeysFit(recorder: string, key: string | undefined): Promise<boolean | null> {
  if (!existsSync(recorder)) return null;
  const sealed = await ask(recorder, 'SELECT urlSealed FROM Camera LIMIT 1');
  if (typeof sealed !== 'string') return null;
  try {
    makeSeal(key ?? '').open(sealed);
    return true;
  } catch {
    return false;
  }
}
