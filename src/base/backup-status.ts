import fs from 'node:fs/promises';
import path from 'node:path';

/** How the last backup into BACKUP_DIR went: written by the backup, read by the bot, which tells people. */
export interface BackupStatus {
  /** end of the last try, epoch ms */
  atMs: number;
  ok: boolean;
  /** end of the last one that was written and read back, epoch ms; null = none yet */
  lastGoodMs: number | null;
  /** first failure since then, epoch ms; null = the last try worked */
  failingSinceMs: number | null;
  /** what to do about it, Vietnamese; null when ok */
  sentence: string | null;
  /** name and size in bytes of the newest good backup */
  file: string | null;
  sizeBytes: number | null;
  /** folder of the newest good backup */
  place: string | null;
  /** it lies on the same disk as the data */
  sameDisk: boolean;
}

const NAME = 'backup-status.json';

/** Null when there was no backup yet, or the file can't be read. */
export async function readBackupStatus(dataDir: string): Promise<BackupStatus | null> {
  try {
    return JSON.parse(await fs.readFile(path.join(dataDir, NAME), 'utf8')) as BackupStatus;
  } catch {
    return null;
  }
}

/** What the last try came to. */
export type BackupOutcome =
  | { ok: true; atMs: number; file: string; sizeBytes: number; place: string; sameDisk: boolean }
  | { ok: false; atMs: number; sentence: string };

/** Pure: the status after this outcome. */
export function nextBackupStatus(before: BackupStatus | null, outcome: BackupOutcome): BackupStatus {
  if (outcome.ok) {
    const { atMs, file, sizeBytes, place, sameDisk } = outcome;
    return {
      ...{ atMs, ok: true, lastGoodMs: atMs, failingSinceMs: null, sentence: null },
      ...{ file, sizeBytes, place, sameDisk },
    };
  }
  return {
    atMs: outcome.atMs,
    ok: false,
    lastGoodMs: before?.lastGoodMs ?? null,
    failingSinceMs: before?.failingSinceMs ?? outcome.atMs,
    sentence: outcome.sentence,
    file: before?.file ?? null,
    sizeBytes: before?.sizeBytes ?? null,
    place: before?.place ?? null,
    sameDisk: before?.sameDisk ?? false,
  };
}

/** Keeps what the last try came to, whole or not at all. */
export async function writeBackupStatus(dataDir: string, outcome: BackupOutcome): Promise<void> {
  const next = nextBackupStatus(await readBackupStatus(dataDir), outcome);
  const file = path.join(dataDir, NAME);
  const handle = await fs.open(`${file}.new`, 'w', 0o600);
  try {
    await handle.writeFile(JSON.stringify(next));
    await handle.sync();
  } finally {
    await handle.close();
  }
  await fs.rename(`${file}.new`, file);
}
