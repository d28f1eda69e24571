import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs/promises';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RecorderIndex } from '../../media/index/index.js';
import { ChainFile } from '../../media/integrity/chain.js';
import { hashFile } from '../../media/integrity/hash.js';
import { Integrity } from '../../media/integrity/integrity.js';
import { KEYS_FILE, openKeys } from '../../media/integrity/keys.js';
import { HEADS_FILE } from '../../media/integrity/known-heads.js';
import { chainPath, DAYS_FILE, dayDigest, genesisOf, readRecord } from '../../media/integrity/record.js';
import type { Problem } from '../../media/integrity/report.js';
import { type VerifyOptions, verifyRecordings } from '../../media/integrity/verify.js';
import { diskCalls, RecordingDisk } from '../../media/recording/disk.js';
import { hourFolder, segmentName } from '../../media/recording/names.js';
import { recover } from '../../media/recording/recover.js';
import { SegmentFile } from '../../media/recording/segment-file.js';
import type { StreamName } from '../../media/types.js';
import { DAY_MS, fromVietnamTime } from '../../src/base/clock.js';
import { makeKey, makeSeal } from '../../src/base/seal.js';
import { runFfmpeg } from '../support/ffmpeg.js';
import { cameraIs, filesIn, migrate, projectRoot, quiet, startStand, tempFolder, until } from './stand.js';

const DAY = '2026-11-21';
const NOON = fromVietnamTime(2026, 11, 21, 12);
let folder: string;

beforeAll(async () => {
  folder = await tempFolder();
});
afterAll(() => fs.rm(folder, { recursive: true, force: true }));

/** An archive of its own with its keys, and a clock that stands. */
async function archive(given: { place?: string; key?: string; nowMs?: number } = {}) {
  const place = given.place ?? (await fs.mkdtemp(path.join(folder, 'archive-')));
  const root = path.join(place, 'recordings');
  await fs.mkdir(root, { recursive: true });
  const clock = {
    ms: given.nowMs ?? NOON - 3_600_000,
    now() {
      return this.ms;
    },
  };
  const seal = makeSeal(given.key ?? makeKey());
  const integrity = new Integrity({ root, dataDir: place, seal, log: quiet, clock });
  await integrity.start();
  clock.ms = Math.max(clock.ms, NOON);
  const write = async (startMs: number, bytes: Buffer, cameraId = 'cam1', stream: StreamName = 'main') => {
    const relative = `${hourFolder(cameraId, stream, startMs)}/${segmentName(cameraId, stream, startMs)}.mp4`;
    await fs.mkdir(path.dirname(path.join(root, relative)), { recursive: true });
    await fs.writeFile(path.join(root, relative), bytes);
    return relative;
  };
  /** A file of a minute, recorded. */
  const put = async (minute: number, cameraId = 'cam1', stream: StreamName = 'main', dayMs = NOON) => {
    const startMs = dayMs + minute * 60_000;
    const relative = await write(
      startMs,
      Buffer.from(`${cameraId} ${stream} ${minute} `.repeat(9)),
      cameraId,
      stream,
    );
    const hashed = await hashFile(path.join(root, relative));
    const facts = { path: relative, startMs, endMs: startMs + 60_000 };
    await integrity.recordSegment({ ...facts, ...hashed, how: 'written' });
    return relative;
  };
  const remove = async (relative: string, reason = 'age') => {
    const { size } = await fs.stat(path.join(root, relative));
    await integrity.recordDeletion({
      path: relative,
      startMs: NOON,
      endMs: NOON + 60_000,
      sizeBytes: size,
      reason,
    });
    await fs.rm(path.join(root, relative));
  };
  const chain = chainPath({ cameraId: 'cam1', stream: 'main', day: DAY });
  const lines = async (of = chain) =>
    (await fs.readFile(path.join(root, of), 'utf8')).split('\n').slice(0, -1);
  const setLines = (wanted: string[], of = chain) =>
    fs.writeFile(path.join(root, of), wanted.map((line) => `${line}\n`).join(''));
  const check = async (options: Partial<VerifyOptions> = {}) => {
    const problems: Problem[] = [];
    const report = await verifyRecordings({
      ...{ root, workers: 2, nowMs: Date.now() + DAY_MS, headsFile: path.join(place, HEADS_FILE) },
      ...options,
      onProblem: (problem) => problems.push(problem),
    });
    return { report, problems, kinds: problems.map(({ kind }) => kind) };
  };
  const at = (relative: string) => path.join(root, relative);
  return { place, root, clock, integrity, write, put, remove, chain, lines, setLines, check, at };
}

describe('a chain', () => {
  it('holds each segment with hash, place in the chain and signature, and verifies', async () => {
    const one = await archive();
    const files = [await one.put(0), await one.put(1), await one.put(2)];
    const records = (await one.lines()).map((line) => readRecord(line)!);
    expect(records.map(({ n }) => n)).toEqual([1, 2, 3]);
    expect(records.map((record) => record.kind === 'segment' && record.path)).toEqual(files);
    const fields = 'n kind path startMs endMs sizeBytes sha256 how prev at key sig'.split(' ').sort();
    expect(Object.keys(records[0]!).sort()).toEqual(fields);
    expect(records[0]!.prev).toBe(genesisOf({ cameraId: 'cam1', stream: 'main', day: DAY }));
    const { report, problems } = await one.check({ content: true });
    expect(problems).toEqual([]);
    expect(report).toMatchObject({ chains: 1, segments: 3, files: 3, deleted: 0, wrong: 0, unprotected: 0 });
    expect(report.hashedBytes).toBe(report.bytes);
    await one.integrity.stop();
  });

  it('takes many files that close at once in order', async () => {
    const one = await archive();
    await Promise.all(
      Array.from({ length: 60 }, (_, minute) => one.put(minute, minute % 2 ? 'cam1' : 'cam2')),
    );
    expect((await one.lines()).map((line) => readRecord(line)!.n)).toEqual(
      Array.from({ length: 30 }, (_, index) => index + 1),
    );
    expect((await one.check({ content: true })).problems).toEqual([]);
  });

  it('goes on after a restart, and keeps a legal deletion, once, before the file is gone', async () => {
    const key = makeKey();
    const one = await archive({ key });
    const files = [await one.put(0), await one.put(1)];
    await one.integrity.stop();
    const two = await archive({ key, place: one.place });
    await two.put(2);
    await two.remove(files[0]!, 'space');
    await two.integrity.recordDeletion({
      ...{ startMs: 0, endMs: 1, sizeBytes: 1 },
      path: files[0]!,
      reason: 'space',
    });
    await two.integrity.stop();
    const last = readRecord((await two.lines()).at(-1)!)!;
    const first = readRecord((await two.lines())[0]!)!;
    expect(last).toMatchObject({ n: 4, kind: 'deleted', reason: 'space', path: files[0] });
    expect(last.kind === 'deleted' && last.sha256).toBe(first.kind === 'segment' && first.sha256);
    const { report, problems } = await two.check({ content: true });
    expect(problems).toEqual([]);
    expect(report).toMatchObject({ segments: 3, deleted: 1, files: 2 });
    expect(report.keys).toHaveLength(1);
  });

  it('stays when the day is empty, and the day still verifies', async () => {
    const one = await archive();
    await one.remove(await one.put(0));
    await fs.rmdir(one.at(hourFolder('cam1', 'main', NOON)));
    expect(await filesIn(one.root)).toEqual([one.chain, KEYS_FILE]);
    expect((await one.check({ content: true })).report).toMatchObject({ wrong: 0, deleted: 1, files: 0 });
  });

  it('cuts a torn last line off and records its segment again', async () => {
    const key = makeKey();
    const one = await archive({ key });
    const files = [await one.put(0), await one.put(1)];
    await one.integrity.stop();
    await fs.rm(path.join(one.place, HEADS_FILE));
    const text = await fs.readFile(one.at(one.chain));
    await fs.truncate(one.at(one.chain), text.length - 40);
    expect((await one.check()).kinds.sort()).toEqual(['torn', 'unknown-file']);
    const two = await archive({ key, place: one.place });
    for (const [minute, file] of files.entries())
      await two.integrity.recordFound({
        ...{
          path: file,
          startMs: NOON + minute * 60_000,
          endMs: NOON + (minute + 1) * 60_000,
          how: 'rebuilt',
        },
      });
    const { problems, report } = await two.check({ content: true });
    expect(problems).toEqual([]);
    expect(report).toMatchObject({ segments: 2, rebuilt: 1 });
    expect(await two.lines()).toHaveLength(2);
  });

  it('owes what it can not write, and writes it when the disk takes it', async () => {
    const one = await archive();
    await fs.mkdir(one.at(one.chain), { recursive: true });
    await one.put(0);
    await one.put(1);
    await one.remove(await one.put(2));
    await fs.rmdir(one.at(one.chain));
    expect((await one.check()).kinds).toEqual(['unknown-file', 'unknown-file']);
    await one.integrity.stop();
    const { report, problems } = await one.check({ content: true });
    expect(problems).toEqual([]);
    expect(report).toMatchObject({ segments: 3, deleted: 1, files: 2 });
    const [segment, , , deleted] = [...(await one.lines())].map((line) => readRecord(line)!);
    expect(segment!.kind).toBe('segment');
    expect(deleted).toMatchObject({ kind: 'deleted', sha256: expect.stringMatching(/^[0-9a-f]{64}$/) });
  });
});

describe('verification finds', () => {
  /** Six files of cam1, two of another stream and camera, and then what somebody did. */
  async function tampered(
    act: (one: Awaited<ReturnType<typeof archive>>, files: string[]) => Promise<unknown>,
    options: Partial<VerifyOptions> = {},
  ) {
    const one = await archive();
    const files: string[] = [];
    for (let minute = 0; minute < 6; minute++) files.push(await one.put(minute));
    await one.put(0, 'cam1', 'sub');
    await one.put(0, 'cam2');
    await one.integrity.stop();
    expect((await one.check({ content: true })).problems).toEqual([]);
    await act(one, files);
    const found = await one.check(options);
    return { ...found, files, chain: one.chain, one };
  }

  it('a changed byte of a recording, by content', async () => {
    const change = async (one: { at: (file: string) => string }, [, file]: string[]) => {
      const bytes = await fs.readFile(one.at(file!));
      bytes[3]! ^= 1;
      await fs.writeFile(one.at(file!), bytes);
    };
    expect((await tampered(change)).problems).toEqual([]);
    const { problems, files } = await tampered(change, { content: true });
    expect(problems).toMatchObject([{ kind: 'changed-file', path: files[1] }]);
  });

  it('another size, without reading', async () => {
    const { problems, files } = await tampered((one, [file]) => fs.appendFile(one.at(file!), 'x'));
    expect(problems).toMatchObject([{ kind: 'changed-file', path: files[0] }]);
  });

  it('a removed segment', async () => {
    const { problems, files } = await tampered((one, [, , file]) => fs.rm(one.at(file!)));
    expect(problems).toMatchObject([{ kind: 'missing-file', path: files[2] }]);
  });

  it('a foreign file', async () => {
    let foreign = '';
    const { problems } = await tampered(async (one) => {
      foreign = await one.write(NOON + 30 * 60_000, Buffer.from('not ours'));
    });
    expect(problems).toEqual([{ kind: 'unknown-file', path: foreign }]);
  });

  it('two lines in another order', async () => {
    const { problems, chain } = await tampered(async (one) => {
      const [a, b, c, ...rest] = await one.lines();
      await one.setLines([a!, c!, b!, ...rest]);
    });
    expect(problems.length).toBeGreaterThan(0);
    expect(problems.every((one) => one.path === chain && ['removed', 'order'].includes(one.kind))).toBe(true);
    expect(problems[0]).toMatchObject({ line: 2 });
  });

  it('an edited line, and names its segment', async () => {
    const { problems, chain, files } = await tampered(async (one) => {
      const lines = await one.lines();
      lines[2] = lines[2]!.replace(/"startMs":\d+/, '"startMs":1');
      await one.setLines(lines);
    });
    expect(problems).toEqual([{ kind: 'edited', path: chain, line: 3, segment: files[2] }]);
  });

  it('an edited last line', async () => {
    const { problems, chain, files } = await tampered(
      async (one) => {
        const lines = await one.lines();
        lines[5] = lines[5]!.replace('"written"', '"rebuilt"');
        await one.setLines(lines);
      },
      { headsFile: null },
    );
    expect(problems).toEqual([{ kind: 'edited', path: chain, line: 6, segment: files[5] }]);
  });

  it('a removed line', async () => {
    const { problems, chain, files } = await tampered(async (one) => {
      const lines = await one.lines();
      await one.setLines(lines.filter((_, index) => index !== 3));
    });
    expect(problems).toMatchObject([
      { kind: 'removed', path: chain, line: 4 },
      { kind: 'unknown-file', path: files[3] },
    ]);
  });

  it('a chain cut short together with its files, by the heads kept in DATA_DIR', async () => {
    const cut = async (one: Awaited<ReturnType<typeof archive>>, files: string[]) => {
      await one.setLines((await one.lines()).slice(0, 4));
      await fs.rm(one.at(files[4]!));
      await fs.rm(one.at(files[5]!));
    };
    const { problems, chain } = await tampered(cut);
    expect(problems).toMatchObject([{ kind: 'cut', path: chain, line: 6 }]);
    expect((await tampered(cut, { headsFile: null })).problems).toEqual([]);
  });

  it('a day that is gone as a whole', async () => {
    const { problems, chain } = await tampered((one) =>
      fs.rm(path.dirname(one.at(one.chain)), { recursive: true }),
    );
    expect(problems).toMatchObject([{ kind: 'chain-missing', path: chain }]);
  });

  it('a chain copied from another camera', async () => {
    const { problems, chain } = await tampered(async (one) =>
      fs.copyFile(one.at(chainPath({ cameraId: 'cam2', stream: 'main', day: DAY })), one.at(one.chain)),
    );
    const first = problems.find(({ kind }) => kind === 'foreign-chain');
    expect(first).toMatchObject({ path: chain, line: 1 });
  });

  it('lines signed by a key of somebody else', async () => {
    const { problems, chain } = await tampered(
      async (one) => {
        const stranger = await fs.mkdtemp(path.join(folder, 'stranger-'));
        const keys = await openKeys(stranger, stranger, makeSeal(makeKey()), NOON);
        const id = { cameraId: 'cam1', stream: 'main' as const, day: DAY };
        const forged = new ChainFile(path.join(stranger, 'chain.jsonl'), genesisOf(id));
        for (const line of await one.lines()) {
          const { n: _n, prev: _prev, at, key: _key, sig: _sig, ...facts } = readRecord(line)!;
          await forged.append(facts, keys, at);
        }
        await fs.copyFile(forged.file, one.at(one.chain));
      },
      { headsFile: null },
    );
    expect(problems).toMatchObject([{ kind: 'unknown-key', path: chain }]);
  });

  it('keys that are gone, and keys that were changed', async () => {
    expect((await tampered((one) => fs.rm(one.at(KEYS_FILE)))).kinds).toEqual(['keys-missing']);
    const changed = await tampered(async (one) => {
      const text = await fs.readFile(one.at(KEYS_FILE), 'utf8');
      await fs.writeFile(one.at(KEYS_FILE), text.replace(/"sinceMs": \d+/, '"sinceMs": 5'));
    });
    expect(changed.kinds).toEqual(['keys-damaged']);
  });

  it('any byte flipped in any recording, chain or key file', async () => {
    const one = await archive();
    for (let minute = 0; minute < 4; minute++) await one.put(minute);
    await one.remove(await one.put(4));
    await one.put(0, 'cam2', 'sub');
    one.clock.ms = NOON + DAY_MS;
    expect((await one.integrity.heads(DAY)).closed).toBe(true);
    await one.integrity.stop();
    expect((await one.check({ content: true })).problems).toEqual([]);
    const files = await filesIn(one.root);
    expect(files).toContain(DAYS_FILE);
    const anyFlip = fc.record({
      file: fc.constantFrom(...files),
      where: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
      bit: fc.integer({ min: 0, max: 7 }),
    });
    await fc.assert(
      fc.asyncProperty(anyFlip, async ({ file, where, bit }) => {
        const whole = await fs.readFile(one.at(file));
        const bytes = Buffer.from(whole);
        bytes[Math.floor(where * bytes.length)]! ^= 1 << bit;
        await fs.writeFile(one.at(file), bytes);
        try {
          const { report } = await one.check({ content: true, headsFile: null, workers: 1 });
          expect(report.wrong).toBeGreaterThan(0);
        } finally {
          await fs.writeFile(one.at(file), whole);
        }
      }),
      { numRuns: 150 },
    );
    expect((await one.check({ content: true })).problems).toEqual([]);
  }, 60_000);
});

describe("a day's heads", () => {
  it('are one digest, stay once the day is over, and are found in the chains later', async () => {
    const one = await archive();
    const files = [await one.put(0), await one.put(1, 'cam2')];
    expect(await one.integrity.heads(DAY)).toMatchObject({ closed: false, segments: 2 });
    one.clock.ms = fromVietnamTime(2026, 11, 22, 0, 6);
    const closed = await one.integrity.heads(DAY);
    expect(closed).toMatchObject({ closed: true, segments: 2, chains: [{ cameraId: 'cam1', n: 1 }, {}] });
    expect(closed.digest).toBe(dayDigest(DAY, closed.chains));
    await one.remove(files[0]!);
    expect(await one.integrity.heads(DAY)).toEqual(closed);
    await one.integrity.stop();
    const asked = { from: DAY, to: DAY, head: closed.digest };
    expect((await one.check(asked)).report).toMatchObject({ wrong: 0, head: 'closed' });
    await fs.rm(one.at(DAYS_FILE));
    expect((await one.check({ ...asked, headsFile: null })).report).toMatchObject({
      wrong: 0,
      head: 'present',
    });
    expect((await one.check({ ...asked, head: '0'.repeat(64), headsFile: null })).kinds).toEqual([
      'head-differs',
    ]);
  });

  it('find a whole archive made anew by whoever holds the key', async () => {
    const key = makeKey();
    const one = await archive({ key });
    const files = [await one.put(0), await one.put(1)];
    one.clock.ms = NOON + DAY_MS;
    const { digest } = await one.integrity.heads(DAY);
    await one.integrity.stop();
    await fs.rm(one.at('cam1'), { recursive: true });
    await fs.rm(one.at(DAYS_FILE));
    await fs.rm(path.join(one.place, HEADS_FILE));
    const forger = await archive({ key, place: one.place });
    expect(await forger.put(0)).toBe(files[0]);
    await forger.integrity.stop();
    expect((await forger.check({ content: true })).problems).toEqual([]);
    const { problems } = await forger.check({ from: DAY, to: DAY, head: digest });
    expect(problems).toMatchObject([{ kind: 'head-differs' }]);
  });

  it('are closed by themselves, days that passed while the machine was off too', async () => {
    const key = makeKey();
    const one = await archive({ key });
    await one.put(0);
    await one.put(0, 'cam1', 'main', NOON + DAY_MS);
    await one.integrity.stop();
    const later = await archive({ key, place: one.place, nowMs: NOON + 5 * DAY_MS });
    await until('both days are closed', async () => {
      const text = await fs.readFile(later.at(DAYS_FILE), 'utf8').catch(() => '');
      return text.includes(`"day":"${DAY}"`) && text.includes('"day":"2026-11-22"');
    });
    await later.integrity.stop();
    expect((await later.check()).problems).toEqual([]);
  }, 30_000);
});

describe('keys', () => {
  it('are sealed, and a lost one is followed by a new one: old records stay verifiable', async () => {
    const one = await archive();
    await one.put(0);
    await one.integrity.stop();
    const files = (await fs.readdir(one.place)).filter((name) => name.includes('key'));
    expect(files).toHaveLength(1);
    expect((await fs.stat(path.join(one.place, files[0]!))).mode & 0o077).toBe(0);
    expect(await fs.readFile(path.join(one.place, files[0]!), 'utf8')).not.toContain('PRIVATE');
    // the .env with SECRET_KEY is lost: another one can't open the seal
    const two = await archive({ place: one.place, key: makeKey() });
    await two.put(1);
    await two.integrity.stop();
    const { report, problems } = await two.check({ content: true });
    expect(problems).toEqual([]);
    expect(report.keys).toHaveLength(2);
    expect(new Set((await two.lines()).map((line) => readRecord(line)!.key)).size).toBe(2);
  });

  it('are the same after the recordings were moved to an empty disk', async () => {
    const key = makeKey();
    const one = await archive({ key });
    await one.put(0);
    await one.integrity.stop();
    await fs.rm(one.root, { recursive: true });
    const two = await archive({ key, place: one.place });
    await two.put(1);
    await two.integrity.stop();
    const { report, problems } = await two.check({ content: true });
    expect(problems).toEqual([]);
    expect(report.keys).toHaveLength(1);
  });
});

describe('recording', () => {
  let film: Buffer;
  beforeAll(async () => {
    const file = path.join(folder, 'film.mp4');
    await runFfmpeg([
      ...['-f', 'lavfi', '-i', 'testsrc2=size=160x120:rate=10', '-t', '4', '-c:v', 'libx264', '-g', '10'],
      ...['-movflags', '+empty_moov+default_base_moof+frag_keyframe+skip_trailer', '-f', 'mp4', file],
    ]);
    film = await fs.readFile(file);
  }, 60_000);

  it('hashes as it writes: what the chain says is what is in the file', async () => {
    const file = path.join(folder, 'segment.recording.mp4');
    const { scanFile } = await import('../../media/mp4/scan.js');
    const source = path.join(folder, 'film.mp4');
    const scanned = (await scanFile(source))!;
    const errors: unknown[] = [];
    const disk = new RecordingDisk('ssd', diskCalls(folder), quiet);
    const segment = new SegmentFile(file, scanned.init, disk, (error) => errors.push(error));
    for (const one of scanned.fragments)
      segment.push({ ...one, bytes: film.subarray(one.offset, one.offset + one.size), arrivedMs: NOON });
    expect(segment.sha256).toBeNull();
    expect(await segment.finish()).toBe(true);
    expect(errors).toEqual([]);
    expect({ sha256: segment.sha256, sizeBytes: segment.writtenBytes }).toEqual(await hashFile(file));
  });

  it('that died between the new name and the record is healed by recovery', async () => {
    const one = await archive();
    const index = await RecorderIndex.open(await migrate(one.place), makeSeal(makeKey()));
    const named = await one.write(NOON, film);
    const open = (await one.write(NOON + 60_000, film.subarray(0, film.length - 50))).replace(
      '.mp4',
      '.recording.mp4',
    );
    await fs.rename(one.at(open.replace('.recording', '')), one.at(open));
    expect((await one.check()).kinds).toEqual(['unknown-file']);
    const doors = { root: one.root, index, log: quiet, isOurs: () => false, onRecovered() {} };
    for (let round = 0; round < 2; round++)
      await recover({ ...doors, integrity: one.integrity }, await index.segments.newestId());
    const { report, problems } = await one.check({ content: true });
    expect(problems).toEqual([]);
    expect(report).toMatchObject({ segments: 2, recovered: 1, rebuilt: 1, files: 2 });
    const paths = (await one.lines())
      .map((line) => readRecord(line))
      .map((record) => record?.kind === 'segment' && record.path);
    expect(paths).toContain(named);
    await index.close();
  });

  it('that goes for space has the record of its deletion', async () => {
    const key = makeKey();
    const oldMs = Date.now() - 40 * DAY_MS;
    const one = await archive({ key, nowMs: oldMs });
    await migrate(one.place);
    const startMs = oldMs + 3_600_000;
    const file = await one.write(startMs, film);
    const hashed = await hashFile(one.at(file));
    await one.integrity.recordSegment({
      path: file,
      startMs,
      endMs: startMs + 4000,
      ...hashed,
      how: 'written',
    });
    await one.integrity.stop();
    const readDisk = async () => {
      const there = (await filesIn(one.root)).includes(file);
      return { freeBytes: there ? 500_000 : 900_000, totalBytes: 1_000_000 };
    };
    const stand = await startStand({ readDisk }, { secretKey: key, minFreeBytes: 800_000 }, one.place);
    await stand.service.recorder.recovered;
    await until('the retention took it', async () => {
      await stand.service.retention.run();
      return !(await filesIn(one.root)).includes(file);
    });
    await stand.service.stop();
    const records = (await one.lines(`${file.split('/').slice(0, 3).join('/')}/chain.jsonl`)).map(readRecord);
    expect(records).toMatchObject([
      { kind: 'segment', path: file, sha256: hashed.sha256 },
      { kind: 'deleted', path: file, sha256: hashed.sha256, reason: 'space' },
    ]);
    const { problems } = await one.check({ content: true });
    expect(problems).toEqual([]);
  }, 60_000);

  it('of the real service is in the chain file by file, over the API, after a restart, and on a copied disk', async () => {
    const stand = await startStand({ segmentMs: 2000 });
    try {
      await stand.client.addCamera({ id: 'cam1', name: 'Cổng chợ', url: 'test:street' });
      await cameraIs(stand.client, 'cam1', 'recording');
      const [today] = await until('three files are closed', async () => {
        const days = (await filesIn(stand.config.recordingsDir)).map((file) => file.split('/')[2]!);
        const day = days.find((one) => /^\d{4}-/.test(one ?? ''));
        if (day === undefined) return null;
        return (await stand.client.chainHeads(day)).segments >= 3 ? [day] : null;
      });
      await stand.restart();
      await cameraIs(stand.client, 'cam1', 'recording');
      await expect(stand.client.chainHeads('2026-13-77')).rejects.toMatchObject({ kind: 'invalid' });
      const live = await verifyRecordings({
        ...{ root: stand.config.recordingsDir, workers: 2, content: true, nowMs: Date.now() },
        headsFile: path.join(stand.folder, HEADS_FILE),
      });
      expect(live).toMatchObject({ wrong: 0, unreadable: 0 });
      await stand.service.stop();
      const copy = path.join(folder, 'copied');
      await fs.cp(stand.config.recordingsDir, copy, { recursive: true });
      const found = await verifyRecordings({ root: copy, workers: 2, content: true, nowMs: Date.now() });
      expect(found).toMatchObject({ wrong: 0, unreadable: 0, open: 0 });
      const mp4 = (await filesIn(copy)).filter((file) => file.endsWith('.mp4'));
      expect(found.files).toBe(mp4.length);
      expect(found.segments).toBeGreaterThanOrEqual(4);
      expect(today).toMatch(/^\d{4}-\d\d-\d\d$/);
    } finally {
      await stand.end();
    }
  }, 60_000);
});

describe('npm run verify-recordings', () => {
  beforeAll(() => {
    const built = spawnSync(process.execPath, [path.join(projectRoot, 'src/bin/build.mjs')], {
      encoding: 'utf8',
    });
    expect(built.status, built.stderr).toBe(0);
  }, 120_000);

  /** The program in a process of its own, elsewhere, with nothing of this installation in its environment. */
  async function run(...args: string[]) {
    const main = path.join(projectRoot, 'dist/media/integrity/main.js');
    const child = spawn(process.execPath, [main, ...args], {
      cwd: folder,
      env: { PATH: process.env.PATH ?? '' },
    });
    let out = '';
    let err = '';
    child.stdout.on('data', (piece) => (out += piece));
    child.stderr.on('data', (piece) => (err += piece));
    const [code] = await once(child, 'close');
    return { code: code as number, out, err };
  }

  it('says in Vietnamese and by its exit code how it is', async () => {
    const one = await archive();
    const files = [await one.put(0), await one.put(1)];
    one.clock.ms = NOON + DAY_MS;
    const { digest } = await one.integrity.heads(DAY);
    await one.integrity.stop();
    const well = await run('--recordings', one.root, '--day', DAY, '--head', digest, '--content');
    expect(well).toMatchObject({ code: 0, err: '' });
    expect(well.out).toContain('✅ Không phát hiện sai sót nào.');
    expect(well.out).toContain('Mã của ngày khớp mã đã gửi vào nhóm');
    await fs.rm(one.at(files[1]!));
    const wrong = await run('--recordings', one.root);
    expect(wrong.code).toBe(1);
    expect(wrong.out).toContain(`❌ Thiếu tệp (có ghi sổ, không có lệnh xóa): ${files[1]}`);
    expect(wrong.out).toContain('12:01:00, thứ bảy 21/11/2026');
    const json = JSON.parse((await run('--recordings', one.root, '--json')).out);
    expect(json).toMatchObject({ ok: false, wrong: 1, problems: [{ kind: 'missing-file', path: files[1] }] });
    expect((await run('--recordings', one.root, '--from', '2026-11-22')).code).toBe(0);
  });

  it('says what keeps it from checking', async () => {
    expect(await run('--recordings', path.join(folder, 'nowhere'))).toMatchObject({ code: 2, out: '' });
    const one = await archive();
    expect(await run('--recordings', one.root, '--head', 'abc')).toMatchObject({ code: 2 });
    expect((await run('--recordings', one.root, '--from', '21/11/2026')).err).toContain('2026-11-21');
    expect((await run('--tất-cả')).code).toBe(2);
  });
});
