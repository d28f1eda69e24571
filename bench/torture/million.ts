/** A million files: an index rebuilt from them while a camera is recorded, starts, lists and the presence check at that size. */
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { createClient } from '@libsql/client';
import { HEADS_FILE } from '../../media/integrity/known-heads.js';
import { verifyRecordings } from '../../media/integrity/verify.js';
import { DAY_MS } from '../../src/base/clock.js';
import { eventually } from '../../test/support/product.js';
import { makeArchive } from './archive.js';
import type { Campaign } from './campaign.js';
import { openStage, type Stage } from './stage.js';

const FILES = 1_000_000;
const REBUILT_MS = 3_600_000;
const START_MS = 10_000;
const DAY_LIST_MS = 50;
const MONTH_MS = 100;

/** Waits until the index has so many closed files. */
async function untilRows(stage: Stage, files: number): Promise<void> {
  const database = createClient({ url: `file:${join(stage.recorder.folder, 'recorder.db')}` });
  try {
    for (const until = Date.now() + REBUILT_MS; ; await wait(250)) {
      const { rows } = await database.execute('SELECT count(*) AS "files" FROM "Segment" WHERE "open" = 0');
      const found = Number(rows[0]?.files);
      if (found >= files) return;
      if (Date.now() > until) throw new Error(`${found} of ${files} files have a row`);
    }
  } finally {
    database.close();
  }
}

async function tookMs(work: () => Promise<unknown>): Promise<number> {
  const begunMs = performance.now();
  await work();
  return performance.now() - begunMs;
}

/** How long a question takes, five times. */
async function asked(stage: Stage, id: string, startMs: number, endMs: number): Promise<number[]> {
  const times: number[] = [];
  for (let n = 0; n < 5; n += 1)
    times.push(await tookMs(() => stage.recorder.client.coverage(id, { startMs, endMs })));
  return times;
}

export const millionFiles: Campaign = {
  what: 'an archive of a million one-minute files (real folders and signed chains, files hard-linked) found by a recorder whose index knows nothing, while it records a camera; then started again',
  ...{ rounds: 1, lanes: 1, roundsAPlace: 1, needs: [] },
  bars: {
    'start to recording, index known': START_MS,
    "a day's list": DAY_LIST_MS,
    "a month's coverage": MONTH_MS,
  },
  async open({ scale, patience }) {
    const files = Math.ceil(FILES * scale);
    const archive = await makeArchive(files, (line) => scale === 1 && process.stderr.write(`${line}\n`));
    return {
      async round() {
        const figures: Record<string, number[]> = {};
        const wrong: string[] = [];
        // the camera that is recorded meanwhile is none of the archive's
        const stage = await openStage({ patience, ids: ['moi'], root: archive.root });
        try {
          const rebuiltMs = await tookMs(() => untilRows(stage, archive.files));
          figures['index rebuilt after'] = [rebuiltMs];
          figures['per 1,000 files rebuilt'] = [(rebuiltMs * 1000) / archive.files];
          const began = [...stage.beganMs][0]!;
          const { gaps } = await stage.recorder.client.coverage(began[0], {
            startMs: began[1],
            endMs: Date.now(),
          });
          if (gaps.length > 0) wrong.push(`the camera has ${gaps.length} gaps while the index is rebuilt`);
          await stage.recorder.end();
          const begunMs = Date.now();
          await stage.recorder.restart();
          await eventually(
            'it records',
            async () => ((await stage.camera(began[0])).newestFrameMs ?? 0) > begunMs,
            120_000,
          );
          figures['start to recording, index known'] = [Date.now() - begunMs];
          const id = archive.cameras[0]!;
          await stage.recorder.client.addCamera({ id, name: id, url: 'test:street', enabled: false });
          figures["a day's list"] = await asked(stage, id, archive.startMs, archive.startMs + DAY_MS);
          figures["a month's coverage"] = await asked(stage, id, archive.endMs - 30 * DAY_MS, archive.endMs);
          figures['presence check'] = [
            await tookMs(() => presence(archive.root, stage, archive.files, wrong)),
          ];
        } finally {
          await stage.close();
        }
        return { figures, wrong };
      },
      close: () => archive.remove(),
    };
  },
};

async function presence(root: string, stage: Stage, files: number, wrong: string[]): Promise<void> {
  const report = await verifyRecordings({
    ...{ root, headsFile: join(stage.recorder.folder, HEADS_FILE), workers: 2, nowMs: Date.now() },
    onProblem: ({ kind, path }) => wrong.length < 20 && wrong.push(`verify: ${kind} ${path}`),
  });
  if (report.files < files) wrong.push(`verify finds ${report.files} of ${files} files`);
}
