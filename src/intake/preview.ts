import fs from 'node:fs/promises';
import PQueue from 'p-queue';
import sharp from 'sharp';
import { type Ffmpeg, runFfmpeg } from '../base/ffmpeg.js';
import type { Log } from '../base/log.js';
import type { MakePreview } from '../chat/outgoing.js';

/** From good to small: the first that fits is taken. Source: chat-apis.md §5. */
const STEPS = [
  { width: 480, fps: 6 },
  { width: 400, fps: 5 },
  { width: 320, fps: 4 },
] as const;

const SECONDS = 6;
const TIME_MS = 30_000;

/** One pass to a GIF with a palette of its own. */
export const previewArguments = (
  input: string,
  output: string,
  { width, fps }: { width: number; fps: number },
): string[] => [
  ...['-hide_banner', '-nostdin', '-v', 'error', '-t', String(SECONDS), '-i', `file:${input}`],
  ...['-an', '-filter_complex'],
  `[0:v]fps=${fps},scale=${width}:-2:flags=lanczos,split[a][b];[a]palettegen=max_colors=96:stats_mode=diff[p];[b][p]paletteuse=dither=bayer:bayer_scale=5:diff_mode=rectangle`,
  ...['-loop', '0', '-f', 'gif', '-y', `file:${output}`],
];

/** Makes the moving pictures that go where no video can be played: the first seconds, one at a time. */
export function makePreviews({ ffmpeg, log }: { ffmpeg: Ffmpeg; log: Log }): MakePreview {
  const queue = new PQueue({ concurrency: 1 });
  type Made = Awaited<ReturnType<MakePreview>>;

  async function make(input: string, output: string, maxBytes: number): Promise<Made> {
    for (const step of STEPS) {
      const { code, stderr } = await runFfmpeg(ffmpeg, previewArguments(input, output, step), {
        timeoutMs: TIME_MS,
        nice: true,
      });
      if (code !== 0) {
        log.warn({ code, stderr: stderr.slice(-300) }, 'no preview of a video could be made');
        break;
      }
      const { size } = await fs.stat(output);
      if (size > maxBytes) continue;
      const { width, height } = await sharp(output).metadata();
      return { sizeBytes: size, width, height };
    }
    await fs.rm(output, { force: true });
    return null;
  }
  return (video, path, maxBytes) => queue.add(() => make(video.path, path, maxBytes)) as Promise<Made>;
}
