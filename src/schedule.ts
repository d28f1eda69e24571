import cron from 'node-cron';
import type { Log } from './base/log.js';

/** Something that is done when the clock speaks. */
export interface Job {
  name: string;
  /** when, as cron says it ("0 3 * * *"), in Vietnam's time */
  cron: string;
  run(signal: AbortSignal): Promise<void>;
}

/** Runs the jobs until the signal aborts; one that fails is logged and comes again at its next time. */
export function startSchedule(jobs: readonly Job[], log: Log, signal: AbortSignal): void {
  const tasks = jobs.map((job) =>
    cron.schedule(
      job.cron,
      async () => {
        try {
          await job.run(signal);
        } catch (error) {
          log.error({ err: error, job: job.name }, 'a job failed');
        }
      },
      { name: job.name, timezone: 'Asia/Ho_Chi_Minh', noOverlap: true },
    ),
  );
  signal.addEventListener('abort', () => {
    for (const task of tasks) void task.destroy();
  });
}
