/** Linux tells once that a sync failed, and forgets what could not be written: no later sync may be believed. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { verifyRecordings } from '../../media/integrity/verify.js';
import { recoverFile, scanFile } from '../../media/mp4/scan.js';
import { type DiskCalls, diskCalls, RecordingDisk } from '../../media/recording/disk.js';
import { withoutLosses } from '../../media/recording/losses.js';
import { SegmentFile } from '../../media/recording/segment-file.js';
import { runFfmpeg } from '../support/ffmpeg.js';
import { cameraIs, filesIn, quiet, startStand, tempFolder, until } from './stand.js';

const EIO = Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' });
const FULL = Object.assign(new Error('ENOSPC: no space left, write'), { code: 'ENOSPC' });

const cleanups: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

/** The real disk; while `bad`, syncs are as given: one that fails tells it to whoever asked, and only once. */
function disk(root: string) {
  const real = diskCalls(root);
  const bad = { batch: false, file: 0, write: false, folder: false };
  const calls: DiskCalls = {
    ...real,
    writeNow(fd, bytes) {
      if (bad.write) throw FULL;
      return real.writeNow(fd, bytes);
    },
    async write(handle, bytes) {
      if (bad.write) throw FULL;
      return real.write(handle, bytes);
    },
    async syncFiles(fds) {
      if (!bad.batch) return real.syncFiles(fds);
      return fds.map((fd) => ({ fd, error: EIO }));
    },
    async syncFile(handle) {
      if (bad.file > 0 && bad.file-- > 0) throw EIO;
      await real.syncFile(handle);
    },
    async syncFolder(folder) {
      if (bad.folder) throw EIO;
      await real.syncFolder(folder);
    },
    async syncDisk() {
      return !bad.batch && bad.file === 0 && real.syncDisk();
    },
  };
  return { bad, calls };
}

/** four seconds, a fragment each */
let film: string;
beforeAll(async () => {
  film = path.join(await tempFolder(), 'film.mp4');
  await runFfmpeg([
    ...['-f', 'lavfi', '-i', 'testsrc2=size=160x120:rate=10', '-t', '4', '-c:v', 'libx264', '-g', '10'],
    ...['-movflags', '+empty_moov+default_base_moof+frag_keyframe+skip_trailer', '-f', 'mp4', film],
  ]);
}, 60_000);
afterAll(() => fs.rm(path.dirname(film), { recursive: true, force: true }));

describe.each(['ssd', 'hdd'] as const)('a file on a disk (%s) of which a sync fails', (kind) => {
  let root: string;
  beforeEach(async () => {
    root = await tempFolder();
    cleanups.push(() => fs.rm(root, { recursive: true, force: true }));
  });

  /** A file with half of the film durable, and the other half written after it. */
  async function half() {
    const { bad, calls } = disk(root);
    const errors: unknown[] = [];
    const scanned = (await scanFile(film))!;
    const bytes = await fs.readFile(film);
    const file = path.join(root, 'x.recording.mp4');
    const segment = new SegmentFile(file, scanned.init, new RecordingDisk(kind, calls, quiet), (error) =>
      errors.push(error),
    );
    const push = (from: number, to: number) => {
      for (const one of scanned.fragments.slice(from, to))
        segment.push({
          ...{ ...one, bytes: bytes.subarray(one.offset, one.offset + one.size) },
          arrivedMs: Date.now(),
        });
    };
    const all = scanned.fragments.length;
    push(0, all / 2);
    await until(
      'half of it is durable',
      () => segment.durableBytes > 0 && segment.fragments.length === all / 2,
    );
    await until('all that is written is durable', () => segment.durableBytes === segment.writtenBytes);
    const durable = segment.writtenBytes;
    return { segment, file, bad, errors, all, durable, push, rest: () => push(all / 2, all) };
  }

  it('keeps what was durable before, though every later sync says that all is well', async () => {
    const { segment, file, bad, errors, all, durable, rest } = await half();
    bad.batch = true;
    rest();
    await until('it is told', () => errors.length > 0);
    bad.batch = false;
    expect(segment.writtenBytes).toBeGreaterThan(durable);
    expect(await segment.finish()).toBe(true);
    expect(segment.fragments).toHaveLength(all / 2);
    expect([segment.writtenBytes, segment.durableBytes, segment.sha256]).toEqual([durable, durable, null]);
    expect((await scanFile(file))!.fragments).toHaveLength(all / 2);
    expect((await fs.stat(file)).size).toBe(durable);
  });

  it('does so too when it is the sync of its end that fails, once', async () => {
    const { segment, file, bad, errors, durable, rest } = await half();
    rest();
    bad.file = 1;
    expect(await segment.finish()).toBe(true);
    expect(errors).toEqual([EIO]);
    expect((await fs.stat(file)).size).toBe(durable);
  });

  it('is left to recovery where it can not be cut, and recovery believes no more', async () => {
    const { segment, file, bad, all, durable, rest } = await half();
    rest();
    bad.file = 2;
    await expect(segment.finish()).rejects.toBe(EIO);
    expect(segment.durableBytes).toBe(durable);
    await fs.copyFile(film, file);
    const { fragments } = (await scanFile(film))!;
    const { offset, size } = fragments[all / 2]!;
    const kept = await recoverFile(file, offset + size + 1);
    expect(kept?.fragments).toHaveLength(all / 2 + 1);
    expect((await fs.stat(file)).size).toBe(offset + size);
    expect(await recoverFile(file, 10)).toBeNull();
  });

  it('loses nothing that was written when only a write failed', async () => {
    const { segment, bad, errors, all, file, push } = await half();
    push(all / 2, all / 2 + 1);
    await until('one more is written', () => segment.fragments.length === all / 2 + 1);
    bad.write = true;
    push(all / 2 + 1, all);
    await until('it is told', () => errors.length > 0);
    expect(await segment.finish()).toBe(true);
    expect((await scanFile(file))!.fragments).toHaveLength(all / 2 + 1);
    expect((await fs.stat(file)).size).toBe(segment.durableBytes);
  });
});

describe('what a disk did not keep', () => {
  it('moves the end of the pictures back where nothing came after it; else it is a hole', () => {
    const loss = (startMs: number, endMs: number) => ({ startMs, endMs });
    expect(withoutLosses(9000, [])).toEqual({ endMs: 9000, holes: [] });
    expect(withoutLosses(9000, [loss(7000, 9000), loss(5000, 7000)])).toEqual({ endMs: 5000, holes: [] });
    expect(withoutLosses(9000, [loss(3000, 4000), loss(8000, 8990)])).toEqual({
      endMs: 8000,
      holes: [loss(3000, 4000)],
    });
  });

  it('is a gap with its cause, and the chain vouches for nothing of it', async () => {
    let bad = disk('').bad;
    /** so long a failing sync keeps everybody waiting, ms */
    const STANDS_MS = 4000;
    const stand = await startStand({
      segmentMs: 3_600_000,
      diskCalls: (root) => {
        const made = disk(root);
        bad = made.bad;
        return {
          ...made.calls,
          async syncFiles(fds) {
            const answer = await made.calls.syncFiles(fds);
            if (answer.length > 0) await new Promise((resolve) => setTimeout(resolve, STANDS_MS));
            return answer;
          },
        };
      },
    });
    cleanups.push(() => stand.end());
    const { client, config } = stand;
    await client.addCamera({ id: 'cam', name: 'cam', url: 'test:street' });
    const { sinceMs } = await cameraIs(client, 'cam', 'recording');
    await until('some seconds are durable', () => Date.now() > sinceMs + 4000);
    bad.batch = true;
    // nor can the file be cut: that is for the recovery
    bad.file = 1;
    const badMs = Date.now();
    await until('more is written than is durable', () => Date.now() > badMs + 3000);
    const [open] = (await filesIn(config.recordingsDir)).filter((file) => file.endsWith('.recording.mp4'));
    const written = await fs.readFile(path.join(config.recordingsDir, open!));
    const down = await cameraIs(client, 'cam', 'down', 20_000);
    expect(down.cause).toBe('disk');
    const away = await client.coverage('cam', { startMs: Math.ceil(sinceMs), endMs: Date.now() });
    expect([away.recorded, away.gaps.map(({ cause }) => cause)], 'while the disk is bad').toEqual([
      [],
      ['disk'],
    ]);
    await fs.writeFile(path.join(config.recordingsDir, open!), written);
    bad.batch = false;
    await cameraIs(client, 'cam', 'recording', 30_000);
    const { recorded, gaps } = await until(
      'the file left open is there, and what it lost has its cause',
      async () => {
        const files = (await filesIn(config.recordingsDir)).filter((file) => file.endsWith('.recording.mp4'));
        const found = await client.coverage('cam', { startMs: Math.ceil(sinceMs), endMs: Date.now() });
        const known = found.gaps.every(({ cause }) => cause !== 'unknown');
        return files.length === 1 && found.recorded.length === 2 && known && found;
      },
      30_000,
    );
    expect(gaps.map(({ cause }) => cause)).toEqual(['disk']);
    expect(gaps[0]!.startMs).toBe(recorded[0]!.endMs);
    expect(gaps[0]!.startMs, 'what was written since is not believed').toBeLessThan(badMs + 1500);
    expect(gaps[0]!.endMs - gaps[0]!.startMs).toBeGreaterThan(STANDS_MS);
    await stand.service.stop();
    const problems: unknown[] = [];
    const onProblem = (problem: unknown) => problems.push(problem);
    const root = config.recordingsDir;
    const report = await verifyRecordings({ root, content: true, workers: 1, nowMs: Date.now(), onProblem });
    expect(problems).toEqual([]);
    expect(report.segments).toBeGreaterThanOrEqual(2);
  }, 90_000);

  it('goes again when it was nothing whole and is back after the next mount', async () => {
    let bad = disk('').bad;
    const stand = await startStand({
      segmentMs: 60_000,
      diskCalls: (root) => {
        const made = disk(root);
        bad = made.bad;
        return made.calls;
      },
    });
    cleanups.push(() => stand.end());
    const { client, config } = stand;
    const open = async () =>
      (await filesIn(config.recordingsDir)).filter((file) => file.endsWith('.recording.mp4'));
    bad.batch = true;
    await client.addCamera({ id: 'cam', name: 'cam', url: 'test:street' });
    const [file] = await until('a file is begun', async () => (await open()).length > 0 && open());
    bad.folder = true;
    await cameraIs(client, 'cam', 'down', 20_000);
    const begun = (await fs.readFile(film)).subarray(0, 100);
    await fs.writeFile(path.join(config.recordingsDir, file!), begun);
    Object.assign(bad, { batch: false, folder: false });
    const { sinceMs } = await cameraIs(client, 'cam', 'recording', 30_000);
    await until('it is gone', async () => !(await open()).includes(file!), 30_000);
    const { gaps } = await client.coverage('cam', { startMs: sinceMs - 1000, endMs: sinceMs });
    expect(gaps.map(({ cause }) => cause)).toEqual(['disk']);
  }, 90_000);
});
