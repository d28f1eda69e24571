import { execFile } from 'node:child_process';
import process from 'node:process';
import { type BackupStatus, readBackupStatus, writeBackupStatus } from '../base/backup-status.js';
import { type Clock, DAY_MS, fromVietnamTime, toVietnamTime } from '../base/clock.js';
import type { Log } from '../base/log.js';

/** The backup of a night is due from here on, Vietnam's time. */
const DUE = { hour: 2, minute: 30 };
/** After a failure it is tried again this much later: a stick that was plugged in again, ms. */
const AGAIN_MS = 3_600_000;
const LOOK_MS = 60_000;
/** A backup that takes longer hangs on a dead disk, ms. */
export const LONGEST_MS = 3 * 3_600_000;

/** Pure: is one due? Also where the machine was off at night, and where the clock was set back past the last one. */
export function isBackupDue(
  nowMs: number,
  status: Pick<BackupStatus, 'atMs' | 'lastGoodMs'> | null,
): boolean {
  const at = toVietnamTime(nowMs);
  const today = fromVietnamTime(at.year, at.month, at.day, DUE.hour, DUE.minute);
  const slot = today <= nowMs ? today : today - DAY_MS;
  const isPast = (ms: number | null | undefined): ms is number => ms != null && ms <= nowMs;
  if (status === null) return true;
  if (isPast(status.lastGoodMs) && status.lastGoodMs >= slot) return false;
  return !isPast(status.atMs) || nowMs - status.atMs >= AGAIN_MS;
}

interface NightlyOptions {
  dataDir: string;
  /** the built `backup` program */
  program: string;
  env: NodeJS.ProcessEnv;
  log: Log;
  clock: Clock;
  lookEveryMs?: number;
}

/** Runs the backup as a child when it is due, one at a time, until `stop`. */
export function startNightly(options: NightlyOptions): { stop(): void } {
  const { dataDir, program, env, log, clock, lookEveryMs = LOOK_MS } = options;
  let running = false;
  let stopped = false;
  let kill = () => {};

  async function run(): Promise<void> {
    const startedMs = clock.now();
    const failed = await new Promise<Error | null>((resolve) => {
      const child = execFile(
        process.execPath,
        [program, '--nightly'],
        { env, timeout: LONGEST_MS, killSignal: 'SIGKILL' },
        (error) => resolve(error),
      );
      kill = () => void child.kill('SIGTERM');
    });
    if (failed === null || stopped) return;
    const status = await readBackupStatus(dataDir);
    if (status !== null && !status.ok && status.atMs >= startedMs) return;
    // it could not even say why
    log.error({ err: failed }, 'the backup ended without a word');
    const sentence =
      'Sao lưu dừng giữa chừng mà không rõ lý do. Chi tiết nằm trong parent.log ở thư mục logs.';
    await writeBackupStatus(dataDir, { ok: false, atMs: clock.now(), sentence });
  }

  async function look(): Promise<void> {
    if (running || stopped) return;
    running = true;
    try {
      if (isBackupDue(clock.now(), await readBackupStatus(dataDir))) await run();
    } catch (error) {
      log.error({ err: error }, 'the nightly backup');
    } finally {
      running = false;
    }
  }
  const timer = setInterval(() => void look(), lookEveryMs);
  return {
    stop() {
      stopped = true;
      clearInterval(timer);
      kill();
    },
  };
}
