/** A large archive as the recorder would have left it: real folders and chains, its files hard links of a few. */
import { copyFileSync, linkSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as breathe } from 'node:timers/promises';
import { hashFile } from '../../media/integrity/hash.js';
import { openKeys } from '../../media/integrity/keys.js';
import {
  chainPath,
  dayOf,
  genesisOf,
  type Signer,
  sha256,
  writeRecord,
} from '../../media/integrity/record.js';
import { hourFolder, segmentName } from '../../media/recording/names.js';
import { DAY_MS } from '../../src/base/clock.js';
import { makeKey, makeSeal } from '../../src/base/seal.js';
import { runFfmpeg } from '../../test/support/ffmpeg.js';

const MINUTE_MS = 60_000;
const FILES_A_DAY = DAY_MS / MINUTE_MS;
/** ext4 takes 65,000 links of one file. */
const LINKS = 60_000;

export interface Archive {
  /** absolute; all of it lies below, and goes with `remove` */
  root: string;
  files: number;
  cameras: string[];
  /** begin of the oldest day, end of the newest, epoch ms */
  startMs: number;
  endMs: number;
  remove(): Promise<void>;
}

/** A minute in small pictures, with a fragment a second. */
async function film(file: string): Promise<void> {
  await runFfmpeg([
    ...['-f', 'lavfi', '-i', 'testsrc2=size=160x120:rate=2', '-t', '60', '-c:v', 'libx264', '-g', '2'],
    ...['-movflags', '+empty_moov+default_base_moof+frag_keyframe+skip_trailer', '-f', 'mp4', file],
  ]);
}

/** Makes at least `files` files of up to 70 cameras, whole days that end yesterday. */
export async function makeArchive(files: number, say: (line: string) => void): Promise<Archive> {
  const folder = await mkdtemp(join(tmpdir(), 'mat-than-archive-'));
  const root = join(folder, 'recordings');
  await mkdir(root);
  await mkdir(join(folder, 'keys'));
  // signed by a key whose private half went with another machine: what it signed stays verifiable
  const signer = await openKeys(root, join(folder, 'keys'), makeSeal(makeKey()), Date.now() - 400 * DAY_MS);
  const first = join(folder, 'film.mp4');
  await film(first);
  const { sha256: hash } = await hashFile(first);
  const facts = { sha256: hash, sizeBytes: statSync(first).size, how: 'written' as const };
  const count = Math.max(1, Math.min(70, Math.round(files / FILES_A_DAY / 10)));
  const cameras = Array.from({ length: count }, (_, i) => `cam${i + 1}`);
  const days = Math.ceil(files / count / FILES_A_DAY);
  const endMs = Date.parse(`${dayOf(Date.now())}T00:00:00+07:00`);
  let source = first;
  let made = 0;
  const link = (path: string) => {
    if (made > 0 && made % LINKS === 0) {
      source = join(folder, `film-${made / LINKS}.mp4`);
      copyFileSync(first, source);
    }
    linkSync(source, path);
    made += 1;
  };
  for (const id of cameras) {
    for (let day = days; day > 0; day -= 1) {
      makeDay(root, id, endMs - day * DAY_MS, { link, signer, facts });
      await breathe();
    }
    say(`${made} files of ${cameras.length} cameras`);
  }
  return {
    ...{ root, files: made, cameras, startMs: endMs - days * DAY_MS, endMs },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

function makeDay(
  root: string,
  id: string,
  dayMs: number,
  with_: {
    link(path: string): void;
    signer: Signer;
    facts: { sha256: string; sizeBytes: number; how: 'written' };
  },
): void {
  const chain = { cameraId: id, stream: 'main' as const, day: dayOf(dayMs) };
  let prev = genesisOf(chain);
  const lines: string[] = [];
  for (let minute = 0; minute < FILES_A_DAY; minute += 1) {
    const startMs = dayMs + minute * MINUTE_MS;
    const endMs = startMs + MINUTE_MS;
    const hour = hourFolder(id, 'main', startMs);
    if (minute % 60 === 0) mkdirSync(join(root, hour), { recursive: true });
    const path = `${hour}/${segmentName(id, 'main', startMs)}.mp4`;
    with_.link(join(root, path));
    const record = { kind: 'segment' as const, path, startMs, endMs, ...with_.facts };
    const line = writeRecord(record, { n: minute + 1, prev, at: endMs }, with_.signer);
    prev = sha256(line);
    lines.push(`${line}\n`);
  }
  writeFileSync(join(root, chainPath(chain)), lines.join(''));
}
