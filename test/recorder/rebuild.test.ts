import fs from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RecorderIndex } from '../../media/index/index.js';
import { hashFile } from '../../media/integrity/hash.js';
import { Integrity } from '../../media/integrity/integrity.js';
import { chainPath, DAYS_FILE, type PictureFacts } from '../../media/integrity/record.js';
import { verifyRecordings } from '../../media/integrity/verify.js';
import { hourFolder, segmentName } from '../../media/recording/names.js';
import { recover } from '../../media/recording/recover.js';
import { gapsOf } from '../../media/recording/restore.js';
import { Tampering } from '../../media/tampering.js';
import { DAY_MS, fromVietnamTime } from '../../src/base/clock.js';
import { makeKey, makeSeal } from '../../src/base/seal.js';
import { runFfmpeg } from '../support/ffmpeg.js';
import { holdsFor } from './holds-stand.js';
import { migrate, quiet, tempFolder } from './stand.js';

const NOON = fromVietnamTime(2026, 11, 21, 12);
const CHAIN = chainPath({ cameraId: 'cam1', stream: 'main', day: '2026-11-21' });
const PICTURES: PictureFacts = { codec: 'hvc1.1.6.L93.B0', width: 1920, height: 1080 };
let folder: string;
let film: Buffer;

beforeAll(async () => {
  folder = await tempFolder();
  const file = path.join(folder, 'film.mp4');
  await runFfmpeg([
    ...['-f', 'lavfi', '-i', 'testsrc2=size=160x120:rate=10', '-t', '4', '-c:v', 'libx264', '-g', '10'],
    ...['-movflags', '+empty_moov+default_base_moof+frag_keyframe+skip_trailer', '-f', 'mp4', file],
  ]);
  film = await fs.readFile(file);
}, 60_000);
afterAll(() => fs.rm(folder, { recursive: true, force: true }));

/** An archive with its chains, and indexes that know nothing of it. */
async function archive() {
  const place = await fs.mkdtemp(path.join(folder, 'archive-'));
  const root = path.join(place, 'recordings');
  const seal = makeSeal(makeKey());
  const clock = {
    ms: NOON - 3_600_000,
    now() {
      return clock.ms++;
    },
  };
  const integrity = new Integrity({ root, dataDir: place, seal, log: quiet, clock });
  await integrity.start();
  clock.ms = NOON;
  /** A file of the given minute, and its record. */
  const put = async (minute: number, bytes: Buffer, pictures: Partial<PictureFacts> = PICTURES) => {
    const startMs = NOON + minute * 60_000;
    const relative = `${hourFolder('cam1', 'main', startMs)}/${segmentName('cam1', 'main', startMs)}.mp4`;
    await fs.mkdir(path.dirname(path.join(root, relative)), { recursive: true });
    await fs.writeFile(path.join(root, relative), bytes);
    const hashed = await hashFile(path.join(root, relative));
    const span = { path: relative, startMs, endMs: startMs + 58_000 };
    await integrity.recordSegment({ ...span, ...hashed, ...pictures, how: 'written' });
    return relative;
  };
  let index: RecorderIndex | null = null;
  const told: unknown[][] = [];
  /** Recovery over an index of its own, new unless `same`; it lacks what was told from `sinceMs` on. */
  const rebuild = async (lifeMs: number | null = NOON + 3_600_000, same = false, sinceMs = 1) => {
    if (!same) {
      await index?.close();
      await fs.rm(path.join(place, 'recorder.db'), { force: true });
      index = await RecorderIndex.open(await migrate(place), seal);
    }
    const tampering = new Tampering({
      ...{ index: index!, integrity, log: quiet, settled: async () => {} },
      holds: holdsFor(index!, () => clock.ms),
      tell: (kind, _camera, { removed, changed }) => told.push([kind, removed, changed]),
    });
    const doors = { root, index: index!, integrity, tampering, log: quiet, isOurs: () => false };
    const lastRow = await index!.segments.newestId();
    const openGaps = await index!.gaps.open();
    const lost = { sinceMs, lifeMs, startedMs: clock.ms + DAY_MS, openGaps };
    return { index: index!, report: await recover({ ...doors, lost, onRecovered() {} }, lastRow) };
  };
  const rows = (of: RecorderIndex) => of.segments.page(0, 100);
  return { root, place, clock, integrity, put, rebuild, rows, told };
}

const whole = { startMs: 0, endMs: NOON + 10 * DAY_MS };

describe('an index rebuilt from the chains', () => {
  it('takes over what the records say of files as large as they say, without reading them, in their order', async () => {
    const one = await archive();
    const garbage = Buffer.from('no recording at all');
    const files = [await one.put(5, garbage), await one.put(2, film)];
    const { index, report } = await one.rebuild();
    expect(report).toMatchObject({ indexed: 2, fromRecords: 2, whole: true });
    // recorded first stands first, whatever the clock said then
    expect((await one.rows(index)).map((row) => ({ ...row, id: 0 }))).toEqual(
      files.map((path, i) => {
        const startMs = NOON + (i === 0 ? 5 : 2) * 60_000;
        const sizeBytes = i === 0 ? garbage.length : film.length;
        const span = { path, startMs, endMs: startMs + 58_000, sizeBytes, ...PICTURES };
        return { id: 0, cameraId: 'cam1', stream: 'main', open: false, ...span };
      }),
    );
    await index.close();
  });

  it('reads the head where a record is of the older kind, and the whole file where size or record do not fit', async () => {
    const one = await archive();
    const older = await one.put(0, film, {});
    const longer = await one.put(1, film);
    const unrecorded = await one.put(2, film);
    await fs.appendFile(path.join(one.root, longer), Buffer.alloc(10));
    const chain = path.join(one.root, CHAIN);
    const lines = (await fs.readFile(chain, 'utf8')).split('\n');
    // the last line is torn
    await fs.writeFile(chain, `${lines.slice(0, 2).join('\n')}\n${lines[2]!.slice(0, 100)}`);
    const { index, report } = await one.rebuild();
    expect(report).toMatchObject({ indexed: 3, fromRecords: 1 });
    const rows = new Map((await one.rows(index)).map((row) => [row.path, row]));
    expect(rows.get(older)).toMatchObject({ width: 160, height: 120, endMs: NOON + 58_000 });
    expect(rows.get(older)!.codec).toMatch(/^avc1/);
    const read = { width: 160, endMs: NOON + 60_000 + 4000, sizeBytes: film.length + 10 };
    expect(rows.get(longer)).toMatchObject(read);
    expect(rows.get(unrecorded)).toMatchObject({ width: 160, endMs: NOON + 120_000 + 4000 });
    await index.close();
  });

  it('tells what is gone and what was cut, but not what we deleted, and once', async () => {
    const one = await archive();
    const ours = await one.put(0, film);
    const others = [await one.put(1, film), await one.put(2, film)];
    const cut = await one.put(3, film);
    await one.put(4, film);
    const span = { startMs: NOON, endMs: NOON + 58_000, sizeBytes: film.length };
    await one.integrity.recordDeletion({ path: ours, ...span, reason: 'space' });
    for (const file of [ours, ...others]) await fs.rm(path.join(one.root, file));
    await fs.truncate(path.join(one.root, cut), film.length / 2);
    for (let times = 0; times < 2; times++) {
      const { index, report } = await one.rebuild();
      expect(report).toMatchObject({ indexed: 2, fromRecords: 1, whole: true });
      expect(one.told).toEqual([['footage-changed', 2, 1]]);
      const gaps = await index.gaps.within('cam1', 'main', whole);
      const minutes = gaps.map(({ startMs, endMs, cause }) => [
        (startMs - NOON) / 60_000,
        endMs! - NOON,
        cause,
      ]);
      expect(minutes).toEqual([
        [1, 118_000, 'removed-by-others'],
        [2, 178_000, 'removed-by-others'],
        [expect.any(Number), 238_000, 'damaged'],
      ]);
      await index.close();
    }
  });

  it('knows again what was deleted and why, gaps with their causes and clock steps, once', async () => {
    const one = await archive();
    const gone = await one.put(0, film);
    const span = { startMs: NOON, endMs: NOON + 58_000, sizeBytes: film.length };
    await one.integrity.recordDeletion({ path: gone, ...span, reason: 'space' });
    await fs.rm(path.join(one.root, gone));
    const gap = { cameraId: 'cam1', stream: 'main' as const, startMs: NOON + 60_000 };
    await one.integrity.recordGap({ ...gap, endMs: null, cause: 'unreachable' });
    one.clock.ms = NOON + DAY_MS;
    await one.integrity.recordGap({ ...gap, endMs: NOON + DAY_MS, cause: 'unreachable' });
    await one.integrity.recordGap({ ...gap, startMs: NOON + DAY_MS + 5000, endMs: null, cause: 'silent' });
    await one.integrity.recordClockStep({ fromMs: NOON, toMs: NOON + 3_600_000 });
    const lifeMs = NOON + DAY_MS + 9000;
    for (const same of [false, true]) {
      const { index } = await one.rebuild(lifeMs, same);
      expect(await index.deletions.within('cam1', 'main', whole)).toEqual([
        expect.objectContaining({ ...span, reason: 'space' }),
      ]);
      const gaps = await index.gaps.within('cam1', 'main', whole);
      expect(gaps.map(({ startMs, endMs, cause }) => [startMs, endMs, cause])).toEqual([
        [NOON + 60_000, NOON + DAY_MS, 'unreachable'],
        [NOON + DAY_MS + 5000, lifeMs, 'silent'],
      ]);
      expect(await index.clockSteps.within(whole)).toEqual([{ fromMs: NOON, toMs: NOON + 3_600_000 }]);
      if (same) await index.close();
    }
    await one.integrity.stop();
    const { wrong } = await verifyRecordings({
      root: one.root,
      workers: 1,
      content: true,
      nowMs: one.clock.ms,
    });
    expect(wrong).toBe(0);
  });

  it('one that is only older learns what was told since: deletions of any day, gaps, and how open ones ended', async () => {
    const one = await archive();
    const files = [await one.put(0, film), await one.put(1, film)];
    const { index } = await one.rebuild();
    const gap = { cameraId: 'cam1', stream: 'main' as const };
    const begin = async (facts: { startMs: number; cause: 'unreachable' | 'silent' }, known: boolean) => {
      await one.integrity.recordGap({ ...gap, ...facts, endMs: null });
      if (known) await index.gaps.add({ ...gap, ...facts, endMs: null });
    };
    const ended = { startMs: NOON + 2 * 60_000, cause: 'unreachable' as const };
    await begin(ended, true);
    // the index is of this moment
    one.clock.ms = NOON + 3 * DAY_MS;
    const span = { startMs: NOON, endMs: NOON + 58_000, sizeBytes: film.length };
    await one.integrity.recordDeletion({ path: files[0]!, ...span, reason: 'age' });
    await fs.rm(path.join(one.root, files[0]!));
    await one.integrity.recordGap({ ...gap, ...ended, endMs: NOON + 2 * DAY_MS });
    await begin({ startMs: NOON + 2.5 * DAY_MS, cause: 'silent' }, false);
    const lifeMs = NOON + 3 * DAY_MS;
    for (let times = 0; times < 2; times++) {
      await one.rebuild(lifeMs, true, NOON + 2 * DAY_MS);
      expect((await one.rows(index)).map((row) => row.path)).toEqual([files[1]]);
      expect(await index.deletions.within('cam1', 'main', whole)).toEqual([
        expect.objectContaining({ ...span, reason: 'age' }),
      ]);
      const gaps = await index.gaps.within('cam1', 'main', whole);
      expect(gaps.map(({ startMs, endMs, cause }) => [startMs, endMs, cause])).toEqual([
        [ended.startMs, NOON + 2 * DAY_MS, 'unreachable'],
        [NOON + 2.5 * DAY_MS, lifeMs, 'silent'],
      ]);
      expect(one.told).toEqual([]);
    }
    await index.close();
  });

  it('a disk that takes nothing: gaps and steps are owed and written later, in order', async () => {
    const one = await archive();
    for (const file of [CHAIN, DAYS_FILE]) await fs.mkdir(path.join(one.root, file), { recursive: true });
    const gap = { cameraId: 'cam1', stream: 'main' as const, startMs: NOON, cause: 'disk' as const };
    await one.integrity.recordGap({ ...gap, endMs: null });
    await one.integrity.recordClockStep({ fromMs: NOON, toMs: NOON + 7000 });
    await one.integrity.recordGap({ ...gap, endMs: NOON + 5000 });
    for (const file of [CHAIN, DAYS_FILE]) await fs.rmdir(path.join(one.root, file));
    await one.integrity.stop();
    const { index } = await one.rebuild();
    expect(await index.gaps.within('cam1', 'main', whole)).toEqual([
      expect.objectContaining({ startMs: NOON, endMs: NOON + 5000, cause: 'disk' }),
    ]);
    expect(await index.clockSteps.within(whole)).toEqual([{ fromMs: NOON, toMs: NOON + 7000 }]);
    await index.close();
  });

  it('that can not read everything says so, and drops no row', async () => {
    const one = await archive();
    const file = await one.put(0, film);
    const { index } = await one.rebuild();
    const hour = path.join(one.root, path.dirname(file));
    // a file in the folder's place can't be listed
    await fs.rm(hour, { recursive: true });
    await fs.writeFile(hour, '');
    const { report } = await one.rebuild(null, true);
    expect(report).toMatchObject({ whole: false, droppedRows: 0 });
    expect(await one.rows(index)).toHaveLength(1);
    await index.close();
  });
});

describe('gaps read from records', () => {
  const record = (n: number, startMs: number, endMs: number | null, cause = 'silent', stream = 'main') =>
    ({ kind: 'gap', n, at: n, cameraId: 'cam1', stream, startMs, endMs, cause }) as never;

  it('end where they were ended, else where the next begins, the last one at the last sign of life', () => {
    const records = [
      record(1, 10, null),
      record(2, 20, null, 'broken'),
      // what began when it was thought to have begun, and was dated better at its end
      record(3, 18, 30, 'broken'),
      record(4, 5, null, 'disk', 'sub'),
      record(5, 40, null, 'refused'),
      // told late, while another lasts
      record(6, 34, 36, 'disk'),
    ];
    const told = (lifeMs: number | null) =>
      gapsOf(records, lifeMs).map((gap) => [gap.stream, gap.startMs, gap.endMs, gap.cause]);
    const ended = [
      ['main', 10, 20, 'silent'],
      ['main', 18, 30, 'broken'],
      ['main', 34, 36, 'disk'],
    ];
    expect(told(50)).toEqual([...ended, ['sub', 5, 50, 'disk'], ['main', 40, 50, 'refused']]);
    expect(told(null)).toEqual(ended);
    expect(told(30)).toEqual([...ended, ['sub', 5, 30, 'disk']]);
  });
});
