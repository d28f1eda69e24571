/** The numbered film as a camera would have had it recorded some time ago: segment files where the recorder looks for them. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { SegmentInfo } from '../../media/clip.js';
import type { Fragment, StreamInit } from '../../media/fragment.js';
import { arrivalLagMs, prftFor } from '../../media/mp4/prft.js';
import { FragmentReader } from '../../media/mp4/reader.js';
import { hourFolder, segmentName } from '../../media/recording/names.js';
import { runFfmpeg } from './ffmpeg.js';
import type { PreparedStream } from './frame-clock.js';

export interface PastFilm {
  /** the recordings' folder */
  root: string;
  cameraId: string;
  stream: PreparedStream;
  /** when frame 0 was shown first */
  startMs: number;
  seconds: number;
  /** a new file with the first keyframe after so much; default 60 */
  segmentSeconds?: number;
}

/** Frame `number` of the loop and of later ones is shown at `startMs` + n / fps. @returns the files, oldest first */
export async function recordPast(film: PastFilm): Promise<SegmentInfo[]> {
  const { root, cameraId, stream, startMs, seconds, segmentSeconds = 60 } = film;
  const { init, fragments } = await fragmentsOf(stream);
  const loopTicks = BigInt(Math.round((stream.frames * init.timescale) / stream.fps));
  const msOf = (ticks: bigint) => (Number(ticks) * 1000) / init.timescale;
  const files: SegmentInfo[] = [];
  let pieces: Buffer[] = [];
  const finish = async () => {
    const file = files.at(-1);
    if (file === undefined) return;
    await mkdir(dirname(file.path), { recursive: true });
    await writeFile(file.path, Buffer.concat([init.bytes, ...pieces]));
    pieces = [];
  };
  for (let loop = 0; ; loop++)
    for (const one of fragments) {
      const fragment = shifted(one, BigInt(loop) * loopTicks);
      const fromMs = startMs + msOf(fragment.startTicks);
      if (fromMs >= startMs + seconds * 1000) {
        await finish();
        return files;
      }
      const endMs = fromMs + msOf(BigInt(fragment.durationTicks));
      const open = files.at(-1);
      if (open === undefined || (fragment.key && fromMs - open.startMs >= segmentSeconds * 1000 - 1)) {
        await finish();
        const name = `${segmentName(cameraId, 'main', fromMs)}.mp4`;
        files.push({
          path: join(root, hourFolder(cameraId, 'main', fromMs), name),
          startMs: fromMs,
          endMs,
        });
      }
      files.at(-1)!.endMs = endMs;
      const arrivedMs = Math.round(endMs + arrivalLagMs(fragment, init.timescale));
      pieces.push(Buffer.from(prftFor({ ...fragment, arrivedMs }, init)), fragment.bytes);
    }
}

/** One loop of the film as the recorder's ffmpeg gives it: a fragment each half second and at each keyframe. */
async function fragmentsOf(stream: PreparedStream): Promise<{ init: StreamInit; fragments: Fragment[] }> {
  const bytes = await runFfmpeg([
    ...['-f', stream.codec, '-framerate', String(stream.fps), '-i', stream.file, '-c', 'copy'],
    ...['-movflags', 'empty_moov+default_base_moof+frag_keyframe', '-frag_duration', '500000'],
    ...['-f', 'mp4', 'pipe:1'],
  ]);
  let init: StreamInit | undefined;
  const fragments: Fragment[] = [];
  const reader = new FragmentReader({
    init: (one) => {
      init ??= one;
    },
    fragment: (one) => void fragments.push({ ...one, bytes: Buffer.from(one.bytes) }),
  });
  reader.push(bytes);
  if (init === undefined) throw new Error('no film');
  const begin = fragments[0]!.startTicks;
  return { init, fragments: fragments.map((one) => shifted(one, -begin)) };
}

/** The same pictures so many ticks later. */
function shifted(fragment: Fragment, ticks: bigint): Fragment {
  const bytes = Buffer.from(fragment.bytes);
  const startTicks = fragment.startTicks + ticks;
  const tfdt = bytes.indexOf('tfdt', 0, 'latin1');
  if (bytes[tfdt + 4] === 1) bytes.writeBigUInt64BE(startTicks, tfdt + 8);
  else bytes.writeUInt32BE(Number(startTicks), tfdt + 8);
  return { ...fragment, bytes, startTicks };
}
