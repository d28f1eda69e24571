import fs from 'node:fs/promises';
import { type Ffmpeg, runFfmpeg } from '../base/ffmpeg.js';

/** What is seen of a clip before it plays. */
export interface Look {
  /** as ffmpeg calls it ("h264", "hevc"); null when it could not be told */
  codec: string | null;
  /** a poster was written */
  poster: boolean;
}

const LOOK_MS = 20_000;

/**
 * Writes the first picture of a clip as JPEG and tells its codec. For footage of our own cameras only: files of
 * strangers are decoded nowhere but in the intake.
 */
export async function lookAt(ffmpeg: Pick<Ffmpeg, 'path'>, clip: string, poster: string): Promise<Look> {
  const result = await runFfmpeg(
    ffmpeg,
    [
      ...['-hide_banner', '-nostdin', '-i', `file:${clip}`, '-frames:v', '1'],
      ...['-vf', "scale='min(960,iw)':-2", '-q:v', '5', '-f', 'mjpeg', '-y', `file:${poster}`],
    ],
    { timeoutMs: LOOK_MS, nice: true, maxOutputBytes: 1024 },
  );
  const codec = /Input #0[\s\S]*?Stream #0:\d+[^\n]*?: Video: (\w+)/.exec(result.stderr)?.[1] ?? null;
  const size = (await fs.stat(poster).catch(() => null))?.size ?? 0;
  if (result.code === 0 && size > 0) return { codec, poster: true };
  await fs.rm(poster, { force: true });
  return { codec, poster: false };
}
