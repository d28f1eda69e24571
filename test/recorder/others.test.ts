import { spawnSync } from 'node:child_process';
import fs from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { rowsOf } from '../../bench/torture/checker.js';
import { openStage, type Stage } from '../../bench/torture/stage.js';
import { judgedClip } from '../../bench/torture/told-gaps.js';
import { RecorderIndex } from '../../media/index/index.js';
import type { SegmentRow } from '../../media/index/rows.js';
import { verifyRecordings } from '../../media/integrity/verify.js';
import { scanFile } from '../../media/mp4/scan.js';
import { makeKey, makeSeal } from '../../src/base/seal.js';
import { migrateIndex } from '../../src/migrate.js';
import { projectRoot, until } from './stand.js';

beforeAll(() => {
  const built = spawnSync(process.execPath, [path.join(projectRoot, 'src/bin/build.mjs')], {
    encoding: 'utf8',
  });
  expect(built.status, built.stderr).toBe(0);
}, 120_000);

let stage: Stage | undefined;
afterEach(async () => {
  await stage?.close();
  stage = undefined;
});

/** Closed files of a camera, oldest first; waits for so many. */
const closedOf = (of: Stage, cameraId: string, least: number) =>
  until(
    `${least} files of ${cameraId} are closed`,
    async () => {
      const rows = (await rowsOf(of.recorder)).filter((row) => row.cameraId === cameraId && !row.open);
      return rows.length >= least && rows.sort((a, b) => a.startMs - b.startMs);
    },
    60_000,
  );

const told = (of: Stage) =>
  of.events.filter(({ kind }) => kind === 'footage-changed').map(({ data }) => data);
const causesOf = async (of: Stage, { cameraId, startMs, endMs }: SegmentRow) =>
  (await of.recorder.client.coverage(cameraId, { startMs: startMs + 300, endMs: endMs - 300 })).gaps.map(
    ({ cause }) => cause,
  );

/** Waits until the recovery of this start is done, and what it says is heard. */
async function agreed(of: Stage): Promise<void> {
  await of.recording();
  await until('index and files agree', async () => {
    const files = new Set(await fs.readdir(of.root, { recursive: true }));
    const rows = (await rowsOf(of.recorder)).filter((row) => !row.open);
    return rows.every((row) => files.has(row.path));
  });
}

async function loseIndex({ recorder }: Stage): Promise<void> {
  const file = path.join(recorder.folder, 'recorder.db');
  for (const end of ['', '-wal', '-shm']) await fs.rm(`${file}${end}`, { force: true });
  await migrateIndex(projectRoot, file);
}

describe.skipIf(process.platform === 'win32')('what others did while the recorder was away', () => {
  it('is told at its start, once, held footage too, and keeps its cause over a lost index', async () => {
    stage = await openStage({ cameras: 2 });
    const { recorder, root, held } = stage;
    const [first, second, third] = await closedOf(stage, 'cam1', 3);
    const [other, ours] = await closedOf(stage, 'cam2', 2);
    expect(first!.path).toBe(held!.paths[0]);
    await recorder.kill();
    for (const row of [first!, other!]) await fs.rm(path.join(root, row.path));
    // a death of the retention between its deletion's row and the segment's
    const aside = path.join(recorder.folder, 'aside');
    await fs.rename(path.join(root, ours!.path), aside);
    const index = await RecorderIndex.open(path.join(recorder.folder, 'recorder.db'), makeSeal(makeKey()));
    await index.deletions.add({ ...ours!, atMs: Date.now(), reason: 'space' });
    await index.close();
    await recorder.restart();
    await until('it is told', () => told(stage!).length > 0);
    await agreed(stage);
    expect(told(stage)).toEqual([
      {
        ...{ removed: 2, added: 0, changed: 0, held: 1 },
        cameras: expect.arrayContaining(['cam1', 'cam2']),
        holds: [expect.objectContaining({ camera: 'cam1', by: 'Đại úy An', why: 'vụ trộm' })],
      },
    ]);
    expect(await causesOf(stage, first!)).toEqual(['removed-by-others']);
    expect(await causesOf(stage, other!)).toEqual(['removed-by-others']);
    expect(await causesOf(stage, ours!)).toEqual(['deleted']);

    // the oldest file is gone, and yet the camera began with it
    const since = await recorder.client.coverage('cam1', {
      startMs: first!.startMs - 60_000,
      endMs: second!.endMs,
    });
    expect(since.gaps.map(({ cause }) => cause)).toEqual(['unknown', 'removed-by-others']);
    expect(since.gaps[1]!.startMs - first!.startMs).toBeLessThan(1000);

    // the index is lost, one more file is gone and one is cut: only these are news
    await recorder.kill();
    await loseIndex(stage);
    await fs.rename(aside, path.join(root, ours!.path));
    await fs.rm(path.join(root, third!.path));
    await fs.truncate(path.join(root, second!.path), Math.floor(second!.sizeBytes / 2));
    await recorder.restart();
    await until('the news is told', () => told(stage!).length > 1);
    await agreed(stage);
    expect(told(stage).slice(1)).toEqual([
      {
        removed: 1,
        added: 0,
        changed: 1,
        held: expect.any(Number),
        cameras: ['cam1'],
        holds: expect.anything(),
      },
    ]);
    for (const row of [first!, other!, third!])
      expect(await causesOf(stage, row), row.path).toEqual(['removed-by-others']);
    expect(await causesOf(stage, second!)).toEqual(['damaged']);

    // and nothing is news when it is lost once more
    await recorder.kill();
    await loseIndex(stage);
    const seen = stage.events.length;
    await recorder.restart();
    await agreed(stage);
    await stage.told('segment-closed', seen, 30_000, 'cam1');
    expect(told(stage)).toHaveLength(2);
    expect(await causesOf(stage, first!)).toEqual(['removed-by-others']);
    expect(await causesOf(stage, second!)).toEqual(['damaged']);

    // the chains still show what was done, and take what was noted of it
    const problems: string[] = [];
    await verifyRecordings({
      ...{ root, workers: 1, content: false, nowMs: Date.now() },
      onProblem: ({ kind, path: where }) => problems.push(`${kind} ${where}`),
    });
    expect(problems.sort()).toEqual(
      [
        ...[first!, other!, third!].map((row) => `missing-file ${row.path}`),
        `changed-file ${second!.path}`,
      ].sort(),
    );
  }, 180_000);
});

describe.skipIf(process.platform === 'win32')(
  'a file taken that was being written when the recorder was killed',
  () => {
    it('is told too, from its begin to the last sign of life', async () => {
      stage = await openStage({ cameras: 1, holding: false, env: { MAT_THAN_SEGMENT_MS: '21600000' } });
      const { recorder, root } = stage;
      const beganMs = stage.beganMs.get('cam1')!;
      await until(
        'it lives for 12 s more',
        async () => {
          const index = await RecorderIndex.open(
            path.join(recorder.folder, 'recorder.db'),
            makeSeal(makeKey()),
          );
          const lifeMs = await index.settings.lastLife();
          await index.close();
          return (lifeMs ?? 0) - beganMs > 12_000;
        },
        60_000,
      );
      await recorder.kill();
      const [open, ...more] = await rowsOf(recorder);
      expect([open?.open, more]).toEqual([true, []]);
      await fs.rm(path.join(root, open!.path));
      await recorder.restart();
      await until('it is told', () => told(stage!).length > 0);
      expect(told(stage)).toMatchObject([{ removed: 1, cameras: ['cam1'] }]);
      const { gaps } = await recorder.client.coverage('cam1', {
        startMs: beganMs + 500,
        endMs: beganMs + 11_000,
      });
      expect(gaps.map(({ cause }) => cause)).toEqual(['removed-by-others']);
    }, 120_000);
  },
);

describe.skipIf(process.platform === 'win32')('a clip tells what it lacks as it is', () => {
  it('where a file is gone, has a hole, or was cut a moment after it was closed', async () => {
    stage = await openStage({ cameras: 1, holding: false });
    const { root } = stage;
    const [before, gone, between, torn, after] = await closedOf(stage, 'cam1', 6);
    const clip = (from: SegmentRow, to: SegmentRow) =>
      judgedClip(stage!, { cameraId: 'cam1', startMs: from.startMs + 200, endMs: to.endMs - 200 });

    await fs.rm(path.join(root, gone!.path));
    const withoutOne = await clip(before!, between!);
    expect(withoutOne.wrong).toEqual([]);
    expect(withoutOne.job.gaps.map(({ cause }) => cause)).toEqual(['removed-by-others']);
    expect(Math.abs(withoutOne.lackingMs - (gone!.endMs - gone!.startMs))).toBeLessThan(700);

    const file = path.join(root, torn!.path);
    const { fragments } = (await scanFile(file))!;
    const hit = fragments.findIndex(({ key }, i) => i > 0 && key);
    const handle = await fs.open(file, 'r+');
    await handle.write(Buffer.alloc(4096), 0, 4096, fragments[hit]!.offset - 20);
    await handle.close();
    const holed = await clip(between!, after!);
    expect(holed.wrong).toEqual([]);
    expect(holed.job.gaps.map(({ cause }) => cause)).toEqual(['damaged']);
    // a GOP of a second, not the rest of the file
    expect(holed.lackingMs).toBeGreaterThan(900);
    expect(holed.lackingMs).toBeLessThan(1300);

    // its head is gone, with the first fragments: read by the head of the file beside it
    const whole = await fs.open(path.join(root, before!.path), 'r+');
    await whole.write(Buffer.alloc(4096), 0, 4096, 0);
    await whole.close();
    const alone = { cameraId: 'cam1', startMs: before!.startMs + 200, endMs: before!.endMs - 200 };
    const headless = await judgedClip(stage, alone);
    expect(headless.wrong).toEqual([]);
    expect(headless.job.gaps.map(({ cause }) => cause)).toEqual(['damaged']);
    expect(headless.lackingMs).toBeLessThan(1300);

    const seen = stage.events.length;
    const { data } = await stage.told('segment-closed', seen, 30_000, 'cam1');
    await fs.truncate(path.join(root, String(data.path)), Math.floor(Number(data.sizeBytes) / 2));
    const cut = await judgedClip(stage, {
      cameraId: 'cam1',
      startMs: Number(data.startMs) - 4000,
      endMs: Number(data.endMs) + 1500,
    });
    expect(cut.wrong).toEqual([]);
    expect(cut.job.gaps.map(({ cause }) => cause)).toEqual(['damaged']);
    expect(cut.lackingMs).toBeLessThan(Number(data.endMs) - Number(data.startMs));
    expect(cut.lackingMs).toBeGreaterThan(800);
  }, 120_000);
});
