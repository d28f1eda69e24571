/** An index that is lost and rebuilt, and recordings that are verified. */
import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { promisify } from 'node:util';
import { RecorderIndex } from '../media/index/index.js';
import { Integrity } from '../media/integrity/integrity.js';
import { recover } from '../media/recording/recover.js';
import { DAY_MS } from '../src/base/clock.js';
import { makeLog } from '../src/base/log.js';
import { migrateIndex } from '../src/migrate.js';
import { projectRoot } from '../test/support/project-root.js';
import { type Archive, FIRST_DAY_MS, makeArchive, makeLargeFiles } from './archive.js';
import type { Section } from './figures.js';
import { percentile, show } from './figures.js';
import type { BenchOptions } from './run.js';

const CAMERAS = 20;
const DAYS = 7;
const LARGE_FILES = 600;
/** Disks and machines are noisy: what bounds the content check is measured beside it, so many times in turn. */
const CONTENT_ROUNDS = 3;
/** A minute of 2 Mbps, bytes. */
const LARGE_BYTES = 15_000_000;
/** The recording may wait so long for us, ms. */
const STALL_MS = 50;
const log = makeLog({ name: 'rebuild', level: 'warn', dir: null });

interface Rebuilt {
  files: number;
  fromRecords: number;
  deletions: number;
  seconds: number;
  cpuSeconds: number;
  stallMs: number;
}

/** A new index over the archive, by the recorder's own recovery. */
export async function rebuildIndex({ root, dataDir, seal }: Archive, kept = false): Promise<Rebuilt> {
  if (!kept) {
    for (const end of ['', '-wal', '-shm']) await rm(join(dataDir, `recorder.db${end}`), { force: true });
    await migrateIndex(projectRoot, join(dataDir, 'recorder.db'));
  }
  const index = await RecorderIndex.open(join(dataDir, 'recorder.db'), seal);
  const clock = { now: () => FIRST_DAY_MS + DAYS * DAY_MS };
  const integrity = new Integrity({ root, dataDir, seal, log, clock });
  await integrity.start();
  const stalls = monitorEventLoopDelay({ resolution: 1 });
  const lost = kept ? null : { sinceMs: 1, lifeMs: clock.now(), startedMs: clock.now(), openGaps: [] };
  const doors = { root, index, integrity, log, isOurs: () => false, onRecovered() {}, lost };
  const lastRow = await index.segments.newestId();
  const cpu = process.cpuUsage();
  const begunMs = performance.now();
  stalls.enable();
  const report = await recover(doors, lastRow);
  stalls.disable();
  const seconds = (performance.now() - begunMs) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  if (!report.whole || (kept && report.droppedRows > 0))
    throw new Error('the archive could not be read whole');
  const deletions = (await index.deletions.page({ cameraId: 'cam1', limit: 1000 })).length;
  await integrity.stop();
  await index.close();
  return {
    ...{ files: report.indexed, fromRecords: report.fromRecords, deletions },
    ...{ seconds, cpuSeconds: (user + system) / 1e6, stallMs: stalls.max / 1e6 },
  };
}

interface Verified {
  seconds: number;
  report: { files: number; bytes: number; hashedBytes: number; wrong: number };
}

/** `npm run verify-recordings` as a person starts it. */
async function verify({ root, dataDir }: Archive, ...more: string[]): Promise<Verified> {
  const main = join(projectRoot, 'dist', 'media', 'integrity', 'main.js');
  const begunMs = performance.now();
  const { stdout } = await promisify(execFile)(process.execPath, [
    ...[main, '--recordings', root, '--data', dataDir, '--json', ...more],
  ]);
  const seconds = (performance.now() - begunMs) / 1000;
  const report = JSON.parse(stdout) as Verified['report'];
  if (report.wrong > 0) throw new Error(`${report.wrong} problems in an archive that is whole`);
  return { seconds, report };
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((one) => one.isFile() && one.name.endsWith('.mp4'))
    .map((one) => join(one.parentPath, one.name));
}

function run(program: string, args: string[]): number {
  const begunMs = performance.now();
  const done = spawnSync(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  if (done.status !== 0) throw new Error(`${program} failed: ${done.stderr}`);
  return (performance.now() - begunMs) / 1000;
}

/** Forgets what the system has of the files in memory, so that they come from the disk. */
function forget(files: string[]): void {
  for (const file of files) run('dd', [`if=${file}`, 'iflag=nocache', 'count=0', 'status=none']);
}

/** MB/s of one process that reads the files from the disk, and of one that hashes what is in memory. */
function limits(files: string[], bytes: number): { diskMbs: number; shaMbs: number } {
  forget(files);
  const diskMbs = bytes / 1e6 / run('sh', ['-c', 'cat "$@" > /dev/null', 'sh', ...files]);
  const hash = `const { createHash } = require('node:crypto');
    const piece = Buffer.alloc(1e6, 7);
    const begun = performance.now();
    const hash = createHash('sha256');
    for (let i = 0; i < 2000; i++) hash.update(piece);
    hash.digest();
    process.stdout.write(String(2000 / ((performance.now() - begun) / 1000)));`;
  const shaMbs = Number(spawnSync(process.execPath, ['-e', hash], { encoding: 'utf8' }).stdout);
  return { diskMbs, shaMbs };
}

const each = async <T>(work: (folder: string) => Promise<T>): Promise<T> => {
  const folder = await mkdtemp(join(tmpdir(), 'mat-than-bench-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};

/** `cameras` (20) × 7 days of one-minute files, at least 200,000 of them for the figures that count. */
export async function rebuild({ cameras = CAMERAS, say }: BenchOptions): Promise<Section[]> {
  const row = (name: string, { files, seconds, cpuSeconds, stallMs, fromRecords }: Rebuilt) => [
    ...[name, String(files), String(fromRecords), seconds, files / seconds, cpuSeconds, stallMs],
  ];
  const [whole, again, presence, archive] = await each(async (folder) => {
    say('an archive is made');
    const archive = await makeArchive(folder, { cameras, days: DAYS });
    say(`${archive.files} files, ${archive.deletions} deletions on record; its index is lost`);
    const whole = await rebuildIndex(archive);
    if (whole.files !== archive.files || whole.fromRecords !== archive.files || whole.deletions === 0)
      throw new Error(`${whole.files} of ${archive.files} files were indexed`);
    say('the same start with an index that is whole');
    const again = await rebuildIndex(archive, true);
    say('presence check');
    return [whole, again, await verify(archive), archive] as const;
  });
  say('records of the older kind, and files without records');
  const older = await each(async (folder) =>
    rebuildIndex(await makeArchive(folder, { cameras: 2, days: 3, older: () => true })),
  );
  const unrecorded = await each(async (folder) =>
    rebuildIndex(await makeArchive(folder, { cameras: 1, days: 2, recorded: () => false })),
  );
  say('content check');
  const content = await each(async (folder) => {
    const large = await makeLargeFiles(folder, LARGE_FILES, LARGE_BYTES);
    const files = await filesBelow(large.root);
    const rounds: { diskMbs: number; shaMbs: number; mbs: number }[] = [];
    for (let round = 0; round < CONTENT_ROUNDS; round += 1) {
      const bounds = limits(files, LARGE_FILES * LARGE_BYTES);
      forget(files);
      const { seconds, report } = await verify(large, '--content');
      rounds.push({ ...bounds, mbs: report.hashedBytes / 1e6 / seconds });
    }
    const middle = (of: (round: (typeof rounds)[number]) => number) => percentile(rounds.map(of), 0.5);
    return {
      ...{ diskMbs: middle((one) => one.diskMbs), shaMbs: middle((one) => one.shaMbs) },
      ...{
        mbs: middle((one) => one.mbs),
        share: middle((one) => one.mbs / Math.min(one.diskMbs, one.shaMbs)),
      },
    };
  });
  const perHalfMillion = (presence.seconds * 500_000) / presence.report.files;
  const pace = whole.files / whole.seconds;
  return [
    {
      title: `An index of ${archive.files} files, lost and rebuilt`,
      how: `${cameras} cameras × ${DAYS} days of one-minute files (links to a film a camera, chains signed), and a day before of which ${archive.deletions} files were deleted. By the recorder's own recovery in one process with the real index; everything was just written, so it is in memory. The longest stall is of the event loop that also records. Files without records are read whole, hashed and recorded.`,
      columns: ['', 'files', 'from records', 's', 'files/s', 'CPU s', 'longest stall ms'],
      rows: [
        row('from the chains', whole),
        row('from chains of the older kind, heads read', older),
        row('without chains, files read', unrecorded),
        [
          'index whole: compared only',
          String(archive.files),
          '–',
          again.seconds,
          archive.files / again.seconds,
          again.cpuSeconds,
          again.stallMs,
        ],
      ],
      bars: [
        { what: 'rebuild ≥ 20,000 files/s', figure: `${show(pace)} files/s`, reached: pace >= 20_000 },
        {
          what: `the recording waits ≤ ${STALL_MS} ms`,
          figure: `${show(Math.max(whole.stallMs, again.stallMs))} ms`,
          reached: Math.max(whole.stallMs, again.stallMs) <= STALL_MS,
        },
      ],
    },
    {
      title: 'npm run verify-recordings',
      how: `Presence: the archive above. Content: ${LARGE_FILES} files of ${LARGE_BYTES / 1e6} MB, read from the disk (not from memory), the whole command with its start; in turn with it one process that only reads them and one that only hashes, ${CONTENT_ROUNDS} times each. Medians; the share is that of the rounds.`,
      columns: ['', 's', 'MB/s'],
      rows: [
        [`presence of ${presence.report.files} files`, presence.seconds, '–'],
        ['reading from the disk, one process', '–', content.diskMbs],
        ['SHA-256, one core', '–', content.shaMbs],
        ['content', '–', content.mbs],
      ],
      bars: [
        {
          what: 'presence ≤ 60 s per 0.5 million files',
          figure: `${show(perHalfMillion)} s`,
          reached: perHalfMillion <= 60,
        },
        {
          what: 'content ≥ 80 % of the lower of disk and SHA-256',
          figure: `${show(content.share * 100)} %`,
          reached: content.share >= 0.8,
        },
      ],
    },
  ];
}
