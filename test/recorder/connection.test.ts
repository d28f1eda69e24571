import fs from 'node:fs/promises';
import path from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { RecorderIndex } from '../../media/index/index.js';
import { scanFile } from '../../media/mp4/scan.js';
import { Connection } from '../../media/recording/connection.js';
import { diskCalls, RecordingDisk } from '../../media/recording/disk.js';
import { makeKey, makeSeal } from '../../src/base/seal.js';
import { runFfmpeg } from '../support/ffmpeg.js';
import { migrate, quiet, tempFolder } from './stand.js';

const SECONDS = 24;
const SEGMENT_MS = 3000;
/** The first picture was taken then. */
const TAKEN_MS = Date.UTC(2026, 10, 21, 7);

let folder: string | undefined;
afterEach(async () => {
  vi.restoreAllMocks();
  if (folder) await fs.rm(folder, { recursive: true, force: true });
});

describe('pictures that come late and then in a heap', () => {
  it('are dated when they were taken, in files that do not overlap', async () => {
    folder = await tempFolder();
    const film = path.join(folder, 'film.mp4');
    await runFfmpeg([
      ...['-f', 'lavfi', '-i', 'testsrc2=size=160x120:rate=10', '-t', String(SECONDS)],
      ...['-c:v', 'libx264', '-g', '10', '-bf', '0', '-f', 'mp4', '-movflags'],
      ...['+empty_moov+default_base_moof+frag_keyframe+skip_trailer', film],
    ]);
    const root = path.join(folder, 'recordings');
    const index = await RecorderIndex.open(await migrate(folder), makeSeal(makeKey()));
    const disk = new RecordingDisk('ssd', diskCalls(root), quiet);
    const doors = { root, segmentMs: SEGMENT_MS, disk, index, log: quiet, tell: () => {} };
    const connection = new Connection('cam1', 'main', doors, () => {});
    const { init, fragments } = (await scanFile(film))!;
    const bytes = await fs.readFile(film);
    connection.init(init);
    let nowMs = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
    // a second each: 5 s late, they come twice as fast as they were taken until nothing is late any more
    for (const [i, one] of fragments.entries()) {
      nowMs = Math.max(6000 + i * 500, (i + 1) * 1000);
      const own = bytes.subarray(one.offset, one.offset + one.size);
      connection.fragment({ ...one, bytes: own, arrivedMs: TAKEN_MS + nowMs });
    }
    vi.restoreAllMocks();
    await connection.finish();
    const rows = (await index.segments.page(0, 100)).sort((a, b) => a.startMs - b.startMs);
    await index.close();
    expect(rows.length).toBeGreaterThan(4);
    // a fragment is given away one frame late
    expect(Math.abs(rows[0]!.startMs - TAKEN_MS)).toBeLessThanOrEqual(100);
    expect(Math.abs(rows.at(-1)!.endMs - TAKEN_MS - SECONDS * 1000)).toBeLessThanOrEqual(100);
    for (const [i, row] of rows.slice(1).entries())
      expect(Math.abs(row.startMs - rows[i]!.endMs), row.path).toBeLessThanOrEqual(50);
  });
});
