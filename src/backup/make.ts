import fs from 'node:fs/promises';
import path from 'node:path';
import { readBackupStatus, writeBackupStatus } from '../base/backup-status.js';
import { type Clock, systemClock } from '../base/clock.js';
import { syncFolder, writeSynced } from '../base/durable.js';
import { readEnvFile } from '../base/env-file.js';
import type { Installation } from '../base/installation.js';
import type { Log } from '../base/log.js';
import { backupName, choose, chooseOld } from './chosen.js';
import { type Manifest, readBackup, SETTINGS_ENTRY, type Source, writeBackup } from './entries.js';
import { BackupFault, placeFault } from './fault.js';
import { LONGEST_MS } from './nightly.js';
import type { SealOptions } from './sealed-file.js';
import { migrationsOf, snapshot } from './snapshot.js';

export const SHORTEST_PASSPHRASE = 10;

/** Throws with a sentence when a passphrase is none, or too easy to guess. */
export function checkPassphrase(passphrase: string | undefined): string {
  if (passphrase === undefined || passphrase === '')
    throw new BackupFault(
      'no-passphrase',
      'Chưa có mật khẩu sao lưu. Hãy đặt BACKUP_PASSPHRASE trong .env, và ghi mật khẩu đó ra giấy cất nơi khác: không có nó thì không khôi phục được.',
    );
  if ([...passphrase.normalize('NFC')].length < SHORTEST_PASSPHRASE)
    throw new BackupFault(
      'weak-passphrase',
      `Mật khẩu sao lưu cần ít nhất ${SHORTEST_PASSPHRASE} ký tự. Một câu bốn năm từ dễ nhớ là tốt nhất.`,
    );
  return passphrase;
}

export interface BackUpOptions {
  /** folder the backup goes to; it must be there */
  place: string;
  passphrase: string;
  version: string;
  withReports?: boolean;
  /** so many stay, this one included; null = none is removed */
  keep?: number | null;
  clock?: Clock;
  seal?: SealOptions;
}

export interface BackedUp {
  /** absolute */
  file: string;
  sizeBytes: number;
  manifest: Manifest;
  /** names of older backups that were removed */
  removed: string[];
  /** it lies on the same disk as the data */
  sameDisk: boolean;
}

/** Left behind by a backup that was killed: the longest that may still be under way is done by then, ms. */
const LEFTOVER_MS = LONGEST_MS + 3_600_000;

async function sweep(folder: string, pattern: RegExp, nowMs: number): Promise<void> {
  for (const name of await fs.readdir(folder)) {
    if (!pattern.test(name)) continue;
    const full = path.join(folder, name);
    if (nowMs - (await fs.stat(full)).mtimeMs > LEFTOVER_MS)
      await fs.rm(full, { recursive: true, force: true });
  }
}

/** The settings file as it is; keys that came from the environment instead are added, or nothing could be opened. */
async function settingsText({ keyFile, config }: Installation): Promise<Buffer> {
  const text = await fs.readFile(keyFile, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  const there = readEnvFile(keyFile);
  const keys = { SECRET_KEY: config.secretKey, RECORDER_TOKEN: config.recorderToken };
  const missing = Object.entries(keys).filter(([name, value]) => value !== '' && there[name] !== value);
  return Buffer.from(
    missing.length === 0
      ? text
      : `${text.replace(/\n*$/, text === '' ? '' : '\n')}${missing.map(([name, value]) => `${name}=${value}\n`).join('')}`,
  );
}

async function isSameDisk(a: string, b: string): Promise<boolean> {
  return (await fs.stat(a)).dev === (await fs.stat(b)).dev;
}

/** A name that no backup of this place has yet. */
async function freeName(place: string, ms: number): Promise<string> {
  const there = new Set(await fs.readdir(place));
  for (let again = 1; ; again += 1) {
    const name = backupName(ms, again);
    if (!there.has(name)) return name;
  }
}

/**
 * Makes one backup while the services run: snapshots of the databases, the settings and keys, every small file of the
 * data folder. Written as `.part`, synced, read back from its first to its last byte, renamed; only then do older ones
 * go. A failure leaves them all.
 * @throws BackupFault
 */
export async function backUp(from: Installation, options: BackUpOptions): Promise<BackedUp> {
  const { config } = from;
  const { clock = systemClock, withReports = false, keep = null } = options;
  const place = path.resolve(options.place);
  const passphrase = checkPassphrase(options.passphrase);
  const nowMs = clock.now();
  const chosen = await choose(
    config.dataDir,
    [config.recordingsDir, config.logDir, place],
    withReports,
  ).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (chosen === null || chosen.databases.length === 0)
    throw new BackupFault('nothing-there', `Chưa có dữ liệu để sao lưu trong ${config.dataDir}.`);
  const sameDisk = await isSameDisk(place, config.dataDir).catch((error: unknown) => {
    throw placeFault(error, place);
  });
  const before = await readBackupStatus(config.dataDir);
  if (sameDisk && before?.place === place && !before.sameDisk)
    throw new BackupFault(
      'place-missing',
      `Không thấy ổ lưu bản sao: ${place} lúc này nằm trên chính ổ chứa dữ liệu. Hãy cắm lại ổ hoặc USB.`,
    );

  await sweep(config.dataDir, /^backup-work-/, nowMs);
  const work = await fs.mkdtemp(path.join(config.dataDir, 'backup-work-'));
  let part: string | null = null;
  try {
    const sources: Source[] = [{ path: SETTINGS_ENTRY, bytes: await settingsText(from) }];
    const migrations: Record<string, string[]> = {};
    for (const name of chosen.databases) {
      const copy = path.join(work, name);
      await snapshot(name, path.join(config.dataDir, name), copy);
      await fs.chmod(copy, 0o600);
      migrations[name] = await migrationsOf(copy);
      sources.push({ path: name, file: copy });
    }
    for (const name of chosen.files)
      sources.push({ path: name, file: path.join(config.dataDir, ...name.split('/')) });
    const manifest: Manifest = {
      ...{ kind: 'manifest', version: options.version, createdMs: nowMs, demo: config.demo, withReports },
      ...{
        dataDir: config.dataDir,
        recordingsDir: config.recordingsDir,
        migrations,
        leftOut: chosen.leftOut,
      },
    };

    const toPlace = (error: unknown) => {
      throw placeFault(error, place);
    };
    await sweep(place, /^mat-than-.*\.backup\.[0-9a-z]+\.part$/, nowMs).catch(toPlace);
    const name = await freeName(place, nowMs).catch(toPlace);
    part = path.join(place, `${name}.${process.pid.toString(36)}.part`);
    const sizeBytes = await writeSynced(part, writeBackup(manifest, sources, passphrase, options.seal)).catch(
      toPlace,
    );
    await readBack(part, passphrase).catch(toPlace);
    const file = path.join(place, name);
    await fs.rename(part, file).catch(toPlace);
    part = null;
    await syncFolder(place).catch(toPlace);
    const removed = keep === null ? [] : chooseOld(await fs.readdir(place), keep, name);
    for (const old of removed) await fs.rm(path.join(place, old), { force: true }).catch(toPlace);
    return { file, sizeBytes, manifest, removed, sameDisk };
  } finally {
    if (part !== null) await fs.rm(part, { force: true }).catch(() => {});
    await fs.rm(work, { recursive: true, force: true });
  }
}

/** The count of its files stands at its end: reading it finds none missing. */
async function readBack(file: string, passphrase: string): Promise<void> {
  await readBackup(file, passphrase).catch((error: unknown) => {
    if (!(error instanceof BackupFault)) throw error;
    throw new BackupFault(
      'place-failed',
      'Ghi xong nhưng đọc lại bản sao thì không đúng: ổ lưu bản sao có thể đang hỏng. Hãy thay ổ khác. Các bản sao cũ vẫn còn.',
      { cause: error },
    );
  });
}

/** The nightly one: into BACKUP_DIR, with BACKUP_PASSPHRASE, and what came of it kept for the bot to tell. */
export async function backUpNightly(
  from: Installation,
  version: string,
  log: Log,
  changes: Partial<BackUpOptions> = {},
): Promise<BackedUp> {
  const { config, env } = from;
  const clock = changes.clock ?? systemClock;
  try {
    if (config.backup.dir === null)
      throw new BackupFault('no-place', 'Chưa đặt BACKUP_DIR trong .env nên chưa biết sao lưu vào đâu.');
    const done = await backUp(from, {
      ...{ place: config.backup.dir, passphrase: env.BACKUP_PASSPHRASE ?? '', version },
      keep: config.backup.keep,
      ...changes,
    });
    const { sizeBytes, sameDisk, removed } = done;
    const file = path.basename(done.file);
    const place = path.dirname(done.file);
    await writeBackupStatus(config.dataDir, {
      ok: true,
      atMs: clock.now(),
      file,
      sizeBytes,
      place,
      sameDisk,
    });
    log.info({ file, sizeBytes, removed, sameDisk }, 'backed up');
    return done;
  } catch (error) {
    log.error({ err: error }, 'the backup failed');
    const sentence =
      error instanceof BackupFault
        ? error.message
        : 'Sao lưu gặp lỗi. Chi tiết nằm trong backup.log ở thư mục logs.';
    await writeBackupStatus(config.dataDir, { ok: false, atMs: clock.now(), sentence });
    throw error;
  }
}
