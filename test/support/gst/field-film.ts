/** Films as cameras of the field make them: B-frames, keyframes where they please, another size in mid-stream. */
import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Codec } from '../annexb.js';
import { probeFile, runFfmpeg } from '../ffmpeg.js';
import { FrameDrawing } from '../frame-clock.js';

export interface Shot {
  width: number;
  height: number;
  /** how many */
  frames: number;
}

export interface FieldFilmSettings {
  codec: Codec;
  fps: number;
  /** one behind the other in one stream, each encoded by itself */
  shots: Shot[];
  /** frames of each shot that are keyframes; the first always is */
  keys: number[];
  /** for x264 or x265 */
  bframes?: number;
}

/** An elementary stream whose frame n, in the order shown, shows the number n. */
export interface FieldFilm {
  file: string;
  codec: Codec;
  fps: number;
  /** N, the length of the loop */
  frames: number;
  /** which frame each unit shows, in the order sent */
  order: number[];
}

/** part of the cache key: raise it when films change */
const MAKING = 3;

/** Makes the film, or finds it in the temp folder where an earlier run left it. */
export async function fieldFilm(settings: FieldFilmSettings): Promise<FieldFilm> {
  const { codec, fps, shots } = settings;
  const key = createHash('sha256')
    .update(JSON.stringify([MAKING, settings]))
    .digest('hex')
    .slice(0, 16);
  const file = join(tmpdir(), `mat-than-test-field-${key}.${codec}`);
  const orderFile = `${file}.json`;
  const frames = shots.reduce((sum, shot) => sum + shot.frames, 0);
  if (!existsSync(file) || !existsSync(orderFile)) {
    const order: number[] = [];
    const parts: Buffer[] = [];
    for (const shot of shots) {
      const made = await encodeShot(settings, shot, order.length);
      parts.push(made.bytes);
      order.push(...made.order);
    }
    const unfinished = `${file}.${randomUUID()}`;
    await writeFile(unfinished, Buffer.concat(parts));
    await writeFile(`${unfinished}.json`, JSON.stringify(order));
    await rename(`${unfinished}.json`, orderFile);
    await rename(unfinished, file);
  }
  const order = JSON.parse(await readFile(orderFile, 'utf8')) as number[];
  return { file, codec, fps, frames, order };
}

async function encodeShot(
  { codec, fps, keys, bframes = 0 }: FieldFilmSettings,
  { width, height, frames }: Shot,
  firstNumber: number,
): Promise<{ bytes: Buffer; order: number[] }> {
  const drawing = new FrameDrawing(width, height);
  async function* pictures() {
    for (let n = 0; n < frames; n++) yield drawing.yuv(firstNumber + n);
  }
  const timed = join(tmpdir(), `mat-than-test-shot-${randomUUID()}.nut`);
  const common = `keyint=${frames}:min-keyint=1:scenecut=0:bframes=${bframes}:b-adapt=0:repeat-headers=1:open-gop=0`;
  const encoder =
    codec === 'h264'
      ? ['-c:v', 'libx264', '-preset', 'veryfast', '-x264-params', common]
      : ['-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params', `${common}:log-level=error`];
  const times = keys.filter((frame) => frame < frames).map((frame) => (frame / fps).toFixed(4));
  try {
    await runFfmpeg(
      [
        ...['-y', '-f', 'rawvideo', '-pix_fmt', 'yuv420p', '-video_size', `${width}x${height}`],
        ...['-framerate', String(fps), '-i', 'pipe:0', ...encoder, '-b:v', '300k'],
        ...['-force_key_frames', times.join(','), '-f', 'nut', timed],
      ],
      { input: pictures() },
    );
    const { packets = [] } = await probeFile(timed, { packets: true });
    if (packets.length !== frames) throw new Error(`${packets.length} of ${frames} frames were encoded`);
    const shown = packets.map((packet) => Number(packet.pts_time));
    const first = Math.min(...shown);
    const order = shown.map((time) => firstNumber + Math.round((time - first) * fps));
    const delimited = `${codec}_metadata=aud=insert`;
    const bytes = await runFfmpeg(['-i', timed, '-c', 'copy', '-bsf:v', delimited, '-f', codec, 'pipe:1']);
    return { bytes, order };
  } finally {
    await rm(timed, { force: true });
  }
}
