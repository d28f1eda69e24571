import fs from 'node:fs/promises';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ArchiveCheck, daysFor, differenceOf, dueRound, pauseFor } from '../../media/archive-check.js';
import { RecorderIndex } from '../../media/index/index.js';
import type { Problem } from '../../media/integrity/report.js';
import { verifyRecordings } from '../../media/integrity/verify.js';
import { readSegmentName, segmentName } from '../../media/recording/names.js';
import { Tampering } from '../../media/tampering.js';
import type { RecorderEvent } from '../../media/types.js';
import { makeKey, makeSeal } from '../../src/base/seal.js';
import { holdsFor } from './holds-stand.js';
import { cameraIs, migrate, quiet, type Stand, startStand, tempFolder, until } from './stand.js';

const HOUR = 3_600_000;
const FAST = { everyMs: { newest: 300, whole: 600 }, againMs: 300 };

describe('what is looked at next', () => {
  it('the newest two days often, everything now and then, the newest first', () => {
    expect(dueRound({}, 0)).toBe('newest');
    expect(dueRound({ newest: 0 }, 1000)).toBe('whole');
    expect(dueRound({ newest: 0, whole: 1000 }, HOUR - 1)).toBeNull();
    expect(dueRound({ newest: 0, whole: 1000 }, HOUR)).toBe('newest');
    expect(dueRound({ newest: 6 * HOUR, whole: 1000 }, 6 * HOUR + 1000)).toBe('whole');
    const days = ['a/main/2026-11-22/', 'b/main/2026-11-21/', 'a/main/2026-11-19/'];
    expect(daysFor('newest', days)).toEqual(days.slice(0, 2));
    expect(daysFor('whole', days)).toEqual(days);
  });

  it('slowly, and yet a month of 70 cameras within some hours', () => {
    const hours = 70 * 30 * 24;
    expect(hours * pauseFor(hours, 6 * HOUR)).toBeLessThanOrEqual(3 * HOUR);
    expect(pauseFor(hours, 6 * HOUR)).toBeGreaterThan(150);
    expect(pauseFor(1, 6 * HOUR)).toBe(5000);
  });

  it('and nothing is said of what can not be looked at, is open or is ours', () => {
    const at = (second: number) => `cam1_main_2026-11-21T14-03-0${second}.000+0700.mp4`;
    const row = (second: number, open = false) => ({
      id: second,
      path: at(second),
      sizeBytes: 5,
      open,
      startMs: 0,
      endMs: 1,
    });
    const rows = [row(1), row(2), row(3, true), row(4), row(5)];
    const file = (sizeBytes: number) => ({ sizeBytes, isFile: true });
    const looks = new Map([
      [at(1), undefined],
      [at(2), null],
      [at(3), null],
      [at(4), file(6)],
      [at(5), file(6)],
      [at(6), file(6)],
      ['chép.mp4', file(6)],
      [at(7), file(6)],
    ]);
    const found = differenceOf(rows, looks, (path) => path === at(5) || path === at(7));
    expect(found).toEqual({ removed: [row(2)], added: [at(6)], changed: [row(4)] });
  });
});

describe('an archive that others were at', () => {
  let stand: Stand | undefined;
  afterEach(() => stand?.end());

  it('is mended beside the recording, told with numbers, and the chains still tell what was done', async () => {
    stand = await startStand({ segmentMs: 1000, check: FAST }, { secretKey: makeKey() });
    const { client } = stand;
    const events: RecorderEvent[] = [];
    const enough = new AbortController();
    const listening = (async () => {
      for await (const event of client.events(0, enough.signal)) events.push(event);
    })().catch(() => {});
    await client.addCamera({ id: 'cam1', name: 'Cổng chợ', url: 'test:street' });
    await cameraIs(client, 'cam1', 'recording');
    const closed = await until('some files are closed', () => {
      const found = events
        .filter((event) => event.kind === 'segment-closed')
        .map(({ data }) => String(data.path));
      return found.length >= 4 && found;
    });
    expect(events.filter((event) => event.kind === 'footage-changed')).toEqual([]);
    const root = path.join(stand.folder, 'recordings');
    const [gone, cut, copied] = closed as [string, string, string];
    const startMs = readSegmentName(gone)!.startMs + 1;
    const foreign = `${path.posix.dirname(gone)}/${segmentName('cam1', 'main', startMs)}.mp4`;
    await fs.copyFile(path.join(root, copied), path.join(root, foreign));
    await fs.truncate(path.join(root, cut), Math.floor((await fs.stat(path.join(root, cut))).size / 2));
    await fs.rm(path.join(root, gone));
    const told = await until('it is told', () => {
      const all = events.filter((event) => event.kind === 'footage-changed').map(({ data }) => data);
      const sum = (what: string) => all.reduce((total, data) => total + Number(data[what]), 0);
      const counts = { removed: sum('removed'), added: sum('added'), changed: sum('changed') };
      return counts.removed + counts.added + counts.changed >= 3 && { counts, cameras: all[0]!.cameras };
    });
    expect(told).toEqual({ counts: { removed: 1, added: 1, changed: 1 }, cameras: ['Cổng chợ'] });
    // the place of the file that is gone is taken by the foreign one
    const range = { startMs: startMs + 100, endMs: startMs + 500 };
    expect((await client.coverage('cam1', range)).recorded).toEqual([range]);
    enough.abort();
    await listening;
    await stand.service.stop();
    const problems: Problem[] = [];
    await verifyRecordings({
      ...{ root, workers: 1, content: true, nowMs: Date.now() + HOUR },
      onProblem: (problem) => problems.push(problem),
    });
    expect(problems.map(({ kind, path }) => [kind, path]).sort()).toEqual(
      [
        ['missing-file', gone],
        ['changed-file', cut],
        ['unknown-file', foreign],
      ].sort(),
    );
    stand.service = { ...stand.service, stop: async () => {} };
  }, 60_000);
});

describe('a check that finds a file gone', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await tempFolder();
  });
  afterAll(() => fs.rm(folder, { recursive: true, force: true }));

  const file = `cam1/main/2026-11-21/14/${segmentName('cam1', 'main', Date.UTC(2026, 10, 21, 7))}.mp4`;
  /** An index with one row whose file is not there. */
  async function lost(readable: () => Promise<boolean>) {
    const place = await fs.mkdtemp(path.join(folder, 'check-'));
    const root = path.join(place, 'recordings');
    await fs.mkdir(root);
    const index = await RecorderIndex.open(await migrate(place), makeSeal(makeKey()));
    const span = {
      cameraId: 'cam1',
      stream: 'main' as const,
      startMs: Date.UTC(2026, 10, 21, 7),
      sizeBytes: 9,
    };
    const row = { ...span, endMs: span.startMs + 60_000, path: file };
    await index.segments.add({ ...row, codec: 'avc1.64001f', width: 1, height: 1, open: false });
    const told: unknown[] = [];
    const holds = holdsFor(index, () => row.endMs);
    const tell = (kind: string) => told.push(kind);
    const tampering = new Tampering({ index, log: quiet, holds, tell, settled: async () => {} });
    const check = new ArchiveCheck({
      ...{ root, index, log: quiet, tampering, ...FAST, againMs: 10 },
      ...{ isOurs: () => false, agreed: async () => {}, readable },
    });
    return { index, row, told, check, rows: () => index.segments.page(0, 10) };
  }

  it('does nothing while the disk can not be read', async () => {
    let asked = 0;
    const one = await lost(async () => ++asked > 3);
    one.check.start();
    await until('it was asked three times', () => asked >= 3);
    expect(asked > 3 || (await one.rows()).length === 1).toBe(true);
    await until('the disk is back', async () => (await one.rows()).length === 0);
    expect(asked).toBeGreaterThan(3);
    await until('it is told', () => one.told.length > 0);
    expect(one.told).toEqual(['footage-changed']);
    await one.check.stop();
    await one.index.close();
  });

  it('says nothing of one that we deleted ourselves', async () => {
    const one = await lost(async () => true);
    await one.index.deletions.add({ ...one.row, atMs: one.row.endMs, reason: 'age' });
    one.check.start();
    await until('the row is dropped', async () => (await one.rows()).length === 0);
    await one.check.stop();
    expect(one.told).toEqual([]);
    await one.index.close();
  });
});
