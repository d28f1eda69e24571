/** Archives as a commune has them: a real tree, valid files, signed chains. */
import { createHash, randomBytes } from 'node:crypto';
import { linkSync, mkdirSync } from 'node:fs';
import { copyFile, mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { openKeys } from '../media/integrity/keys.js';
import {
  chainPath,
  type Facts,
  genesisOf,
  type PictureFacts,
  type SegmentFacts,
  sha256,
  writeRecord,
} from '../media/integrity/record.js';
import { readHead } from '../media/mp4/scan.js';
import { hourFolder, segmentName } from '../media/recording/names.js';
import { DAY_MS, fromVietnamTime } from '../src/base/clock.js';
import { makeKey, makeSeal, type Seal } from '../src/base/seal.js';
import { runFfmpeg } from '../test/support/ffmpeg.js';

const MINUTE_MS = 60_000;
export const FIRST_DAY_MS = fromVietnamTime(2026, 11, 1);

export interface Archive {
  root: string;
  dataDir: string;
  seal: Seal;
  files: number;
  /** records of deletions, of a day that is gone */
  deletions: number;
}

export interface ArchiveSize {
  cameras: number;
  days: number;
  /** cameras (by number, from 0) whose records are of the older kind, without codec and size */
  older?: (camera: number) => boolean;
  /** false: a day of a camera without a chain, so that its files must be read */
  recorded?: (camera: number, day: number) => boolean;
}

async function signerOf(folder: string) {
  const [root, dataDir, seal] = [join(folder, 'recordings'), join(folder, 'data'), makeSeal(makeKey())];
  await mkdir(root, { recursive: true });
  await mkdir(dataDir, { recursive: true });
  return { root, dataDir, seal, signer: await openKeys(root, dataDir, seal, FIRST_DAY_MS - DAY_MS) };
}

/** Four seconds of video; each camera's files are links to its own copy, since ext4 takes 65,000 links a file. */
async function makeFilm(folder: string, camera: number): Promise<string> {
  const film = join(folder, 'film.mp4');
  if (camera === 0)
    await runFfmpeg([
      ...['-f', 'lavfi', '-i', 'testsrc2=size=160x120:rate=5', '-t', '4', '-c:v', 'libx264', '-g', '10'],
      ...['-movflags', '+empty_moov+default_base_moof+frag_keyframe+skip_trailer', '-f', 'mp4', film],
    ]);
  const copy = join(folder, `film-${camera}.mp4`);
  await copyFile(film, copy);
  return copy;
}

/** Every minute of each camera and day, one file; and a day before them of which everything was deleted. */
export async function makeArchive(folder: string, size: ArchiveSize): Promise<Archive> {
  const { root, dataDir, seal, signer } = await signerOf(folder);
  const archive = { root, dataDir, seal, files: 0, deletions: 0 };
  for (let camera = 0; camera < size.cameras; camera++) {
    const film = await makeFilm(folder, camera);
    const bytes = await readFile(film);
    const { codec, width, height } = (await readHead(film))!;
    const pictures: Partial<PictureFacts> = size.older?.(camera) ? {} : { codec, width, height };
    const fact = { sizeBytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
    const cameraId = `cam${camera + 1}`;
    for (let day = -1; day < size.days; day++) {
      const facts: Facts[] = [];
      for (let minute = 0; minute < 1440; minute++) {
        const startMs = FIRST_DAY_MS + day * DAY_MS + minute * MINUTE_MS;
        const hour = hourFolder(cameraId, 'main', startMs);
        const path = `${hour}/${segmentName(cameraId, 'main', startMs)}.mp4`;
        const span = { path, startMs, endMs: startMs + MINUTE_MS };
        facts.push({ kind: 'segment', ...span, ...fact, how: 'written', ...pictures } satisfies Facts);
        if (day < 0) continue;
        if (minute % 60 === 0) mkdirSync(join(root, hour), { recursive: true });
        linkSync(film, join(root, path));
        archive.files++;
      }
      if (day < 0)
        for (const one of [...facts] as (SegmentFacts & { kind: 'segment' })[]) {
          const { how: _how, codec: _codec, width: _width, height: _height, ...span } = one;
          facts.push({ ...span, kind: 'deleted', reason: 'age' });
          archive.deletions++;
        }
      if (size.recorded?.(camera, day) ?? true) await writeChain(root, facts, signer);
    }
  }
  return archive;
}

async function writeChain(
  root: string,
  facts: readonly Facts[],
  signer: Parameters<typeof writeRecord>[2],
): Promise<void> {
  const first = facts[0] as SegmentFacts;
  const [cameraId, , day] = first.path.split('/');
  const chain = { cameraId: cameraId!, stream: 'main' as const, day: day! };
  let prev = genesisOf(chain);
  const lines = facts.map((one, i) => {
    const line = writeRecord(one, { n: i + 1, prev, at: first.startMs + (i + 1) * MINUTE_MS }, signer);
    prev = sha256(line);
    return `${line}\n`;
  });
  const file = join(root, chainPath(chain));
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, lines.join(''));
}

/** Files as large as a minute of 2 Mbps, of one camera; what is in them does not matter to a hash. */
export async function makeLargeFiles(folder: string, files: number, sizeBytes: number): Promise<Archive> {
  const { root, dataDir, seal, signer } = await signerOf(folder);
  const facts: Facts[] = [];
  for (let minute = 0; minute < files; minute++) {
    const startMs = FIRST_DAY_MS + minute * MINUTE_MS;
    const path = `${hourFolder('cam1', 'main', startMs)}/${segmentName('cam1', 'main', startMs)}.mp4`;
    const bytes = randomBytes(sizeBytes);
    await mkdir(dirname(join(root, path)), { recursive: true });
    const handle = await open(join(root, path), 'w');
    await handle.writeFile(bytes);
    await handle.sync();
    await handle.close();
    const hash = createHash('sha256').update(bytes).digest('hex');
    const span = { path, startMs, endMs: startMs + MINUTE_MS };
    facts.push({ kind: 'segment', ...span, sizeBytes, sha256: hash, how: 'written' });
  }
  await writeChain(root, facts, signer);
  return { root, dataDir, seal, files, deletions: 0 };
}
