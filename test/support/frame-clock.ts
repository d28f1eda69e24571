/**
 * A picture clock that machines can read: every frame carries its number as 2 × 20 black and white blocks in
 * the top sixth of the picture, with sync blocks and a checksum. Survives compression, scaling and JPEG.
 * Below is a moving, noisy texture, so that bitrates are those of real cameras.
 */
import { spawn } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp, { type Sharp } from 'sharp';
import type { Codec } from './annexb.js';
import { passthrough, rtspTimeout, runFfmpeg, testFfmpeg } from './ffmpeg.js';

export interface StreamSettings {
  codec: Codec;
  /** even; at least 160 × 120 */
  width: number;
  height: number;
  fps: number;
  gopSeconds: number;
  kbps: number;
  /** a whole number of GOPs, so that the stream loops without a seam */
  seconds: number;
}

/** The three streams of the measurements, and small ones for quick tests. */
export const S1: StreamSettings = make('h264', 1280, 720, 15, 2, 2000, 20);
export const S2: StreamSettings = make('h264', 1920, 1080, 25, 4, 4000, 20);
export const S3: StreamSettings = make('hevc', 1920, 1080, 25, 4, 3000, 20);
export const TINY: StreamSettings = make('h264', 320, 240, 10, 1, 200, 10);
export const TINY_HEVC: StreamSettings = make('hevc', 320, 240, 10, 1, 200, 10);

function make(
  codec: Codec,
  width: number,
  height: number,
  fps: number,
  gopSeconds: number,
  kbps: number,
  seconds: number,
): StreamSettings {
  return { codec, width, height, fps, gopSeconds, kbps, seconds };
}

/** An elementary stream on disk: frame n (0-based) shows the number n. */
export interface PreparedStream extends StreamSettings {
  file: string;
  /** N, the length of the loop */
  frames: number;
}

const COLUMNS = 20;
const ROWS = 2;
/** the strip's share of the picture's height */
const STRIP = 1 / 6;
/** size the strip is scaled to for reading; each block is then 8 × 12 */
const READ_WIDTH = COLUMNS * 8;
const READ_HEIGHT = ROWS * 12;
const SYNC = [
  [1, 0, 1, 0],
  [0, 1, 0, 1],
] as const;
const BLACK = 24;
const WHITE = 228;
/** part of the cache key: raise it when pictures change */
const DRAWING = 3;

function checksum(number: number): number {
  let crc = 0x5a;
  for (const byte of [number >> 16, (number >> 8) & 0xff, number & 0xff]) {
    crc ^= byte;
    for (let i = 0; i < 8; i++) crc = crc & 0x80 ? ((crc << 1) ^ 0x07) & 0xff : (crc << 1) & 0xff;
  }
  return crc;
}

/** Blocks of a frame number (0 … 2^24 − 1), row by row, 1 = white. */
function blocks(number: number): number[][] {
  const word = number * 256 + checksum(number);
  const bits = Array.from({ length: 32 }, (_, i) => Math.floor(word / 2 ** (31 - i)) % 2);
  return SYNC.map((sync, row) => [...sync, ...bits.slice(row * 16, row * 16 + 16)]);
}

/** Reads blocks from a strip scaled to READ_WIDTH × READ_HEIGHT grey; null when it is no clock or unsure. */
function decode(grey: Uint8Array): number | null {
  const values: number[][] = [];
  for (let row = 0; row < ROWS; row++) {
    values.push(
      Array.from({ length: COLUMNS }, (_, column) => {
        let sum = 0;
        for (let y = row * 12 + 4; y < row * 12 + 8; y++)
          for (let x = column * 8 + 3; x < column * 8 + 5; x++) sum += grey[y * READ_WIDTH + x]!;
        return sum / 8;
      }),
    );
  }
  const level = (bit: number) => {
    const found = SYNC.flatMap((sync, row) => sync.map((b, i) => (b === bit ? values[row]![i]! : null)));
    const known = found.filter((value) => value !== null);
    return known.reduce((a, b) => a + b, 0) / known.length;
  };
  const black = level(0);
  const contrast = level(1) - black;
  if (contrast < 60) return null;
  let word = 0;
  for (let row = 0; row < ROWS; row++) {
    for (let column = 0; column < COLUMNS; column++) {
      const share = (values[row]![column]! - black) / contrast;
      if (share > 0.3 && share < 0.7) return null;
      const bit = share >= 0.7 ? 1 : 0;
      if (column < 4) {
        if (bit !== SYNC[row]![column]) return null;
      } else word = word * 2 + bit;
    }
  }
  const number = Math.floor(word / 256);
  return word % 256 === checksum(number) ? number : null;
}

/**
 * Frame number of one picture (JPEG, PNG, … bytes or a path), null when none can be read, as in a grey or torn
 * picture. `crop` is the part of the picture that shows the camera, in pixels (a contact sheet's cell).
 */
export async function readFrameNumber(
  picture: Uint8Array | string,
  crop?: { left: number; top: number; width: number; height: number },
): Promise<number | null> {
  const image = sharp(picture);
  const { width, height } = await image.metadata();
  const part = crop ?? { left: 0, top: 0, width, height };
  const grey = await image
    .extract({ ...part, height: Math.round(part.height * STRIP) })
    .greyscale()
    .resize(READ_WIDTH, READ_HEIGHT, { fit: 'fill' })
    .toColourspace('b-w')
    .raw()
    .toBuffer();
  return decode(grey);
}

const READ_BYTES = READ_WIDTH * READ_HEIGHT;

function stripsOf(input: string): string[] {
  const strip = `crop=iw:ih/${Math.round(1 / STRIP)}:0:0,scale=${READ_WIDTH}:${READ_HEIGHT}:flags=area,format=gray`;
  return ['-i', input, '-map', '0:v:0', '-an', '-vf', strip].concat(
    passthrough(testFfmpeg()),
    '-f',
    'rawvideo',
    'pipe:1',
  );
}

/**
 * Frame numbers of a whole video in the order shown, null for each frame that can't be read. `inputOptions` are
 * put before ffmpeg's `-i`.
 */
export async function readFrameNumbers(
  file: string,
  inputOptions: string[] = [],
): Promise<(number | null)[]> {
  const grey = await runFfmpeg([...inputOptions, ...stripsOf(file)]);
  return Array.from({ length: Math.floor(grey.length / READ_BYTES) }, (_, i) =>
    decode(grey.subarray(i * READ_BYTES, (i + 1) * READ_BYTES)),
  );
}

/**
 * Watches a live stream with a real ffmpeg over TCP: the number of each frame and when it could be seen (epoch
 * ms, some tens of ms after it was sent). Ends with the stream; leaving the loop ends ffmpeg, and so does the
 * signal, even while nothing arrives.
 */
export async function* watchFrames(
  url: string,
  signal?: AbortSignal,
): AsyncGenerator<{ number: number | null; atMs: number }> {
  const ffmpeg = testFfmpeg();
  const impatient = [
    '-fflags',
    'nobuffer',
    '-flags',
    'low_delay',
    '-threads',
    '1',
    '-analyzeduration',
    '500000',
  ];
  const child = spawn(
    ffmpeg.path,
    [
      '-loglevel',
      'quiet',
      '-rtsp_transport',
      'tcp',
      ...rtspTimeout(ffmpeg, 30),
      ...impatient,
      ...stripsOf(url),
    ],
    { stdio: ['ignore', 'pipe', 'ignore'], windowsHide: true },
  );
  const closed = once(child, 'close');
  const kill = () => child.kill('SIGKILL');
  if (signal?.aborted) kill();
  signal?.addEventListener('abort', kill, { once: true });
  try {
    let rest = Buffer.alloc(0);
    for await (const bytes of child.stdout as AsyncIterable<Buffer>) {
      const atMs = Date.now();
      rest = Buffer.concat([rest, bytes]);
      for (; rest.length >= READ_BYTES; rest = rest.subarray(READ_BYTES))
        yield { number: decode(rest.subarray(0, READ_BYTES)), atMs };
    }
  } finally {
    signal?.removeEventListener('abort', kill);
    kill();
    await closed;
  }
}

/**
 * The frame since the server's start that shows `number` in a loop of `frames` and is nearest to `near`
 * (which must be within half a loop of the truth).
 */
export function trueFrame(number: number, frames: number, near: number): number {
  return number + Math.round((near - number) / frames) * frames;
}

/** Draws frames; picture n is always the same, whoever draws it. */
export class FrameDrawing {
  private readonly textures: Buffer[];
  private readonly chroma: Buffer;
  private readonly span: number;
  private static readonly NOISE = 7;

  constructor(
    readonly width: number,
    readonly height: number,
  ) {
    this.span = width + 256;
    let state = 0x9e3779b9;
    const random = () => {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      return (state >>> 0) / 2 ** 32;
    };
    // A street's worth of rectangles over a gradient, wider than the picture so that a part of it can pass by.
    const base = new Float32Array(this.span * height);
    for (let y = 0; y < height; y++)
      for (let x = 0; x < this.span; x++)
        base[y * this.span + x] = 60 + (110 * y) / height + 12 * Math.sin(x / 37);
    for (let i = 0; i < 60; i++) {
      const w = 8 + Math.floor((random() * width) / 8);
      const h = 8 + Math.floor((random() * height) / 8);
      const left = Math.floor(random() * (this.span - w));
      const top = Math.floor(random() * (height - h));
      const shade = (random() - 0.5) * 90;
      for (let y = top; y < top + h; y++)
        for (let x = left; x < left + w; x++) base[y * this.span + x] = base[y * this.span + x]! + shade;
    }
    this.textures = Array.from({ length: FrameDrawing.NOISE }, () => {
      const noisy = Buffer.alloc(base.length);
      for (let i = 0; i < base.length; i++)
        noisy[i] = Math.max(20, Math.min(232, base[i]! + (random() - 0.5) * 14));
      return noisy;
    });
    this.chroma = Buffer.alloc((width / 2) * (height / 2) * 2, 128);
    const plane = (width / 2) * (height / 2);
    for (let y = Math.floor(height / 12) + 1; y < height / 2; y++) {
      for (let x = 0; x < width / 2; x++) {
        this.chroma[y * (width / 2) + x] = 128 + Math.round(14 * Math.sin(x / 61));
        this.chroma[plane + y * (width / 2) + x] = 128 + Math.round(14 * Math.cos(y / 43));
      }
    }
  }

  /** Frame `number` as yuv420p, limited range. */
  yuv(number: number): Buffer {
    const frame = Buffer.alloc(this.width * this.height + this.chroma.length);
    const texture = this.textures[number % FrameDrawing.NOISE]!;
    const passing = Math.floor(this.height * 0.6);
    for (let y = 0; y < this.height; y++) {
      const shift = y >= passing && y < passing + this.height / 4 ? (number * 4) % 256 : 0;
      const from = y * this.span + shift;
      texture.copy(frame, y * this.width, from, from + this.width);
    }
    const strip = Math.round(this.height * STRIP);
    const rows = blocks(number);
    for (let y = 0; y < strip; y++) {
      const row = rows[Math.min(ROWS - 1, Math.floor((y * ROWS) / strip))]!;
      for (let column = 0; column < COLUMNS; column++) {
        const left = Math.round((column * this.width) / COLUMNS);
        const right = Math.round(((column + 1) * this.width) / COLUMNS);
        frame.fill(row[column] ? WHITE : BLACK, y * this.width + left, y * this.width + right);
      }
    }
    this.chroma.copy(frame, this.width * this.height);
    return frame;
  }
}

/**
 * How near a picture is to the frame it shows: PSNR of brightness (dB) against the drawing, in the worst of
 * 16 × 9 tiles. A whole picture of our streams has more than 22; a grey or torn one less than 18, or null: no number.
 */
export async function pictureLikeness(
  picture: Uint8Array | string,
  drawing: FrameDrawing,
): Promise<number | null> {
  const number = await readFrameNumber(picture);
  if (number === null) return null;
  const small = (image: Sharp) =>
    image.greyscale().resize(160, 90, { fit: 'fill' }).toColourspace('b-w').raw().toBuffer();
  const luma = drawing.yuv(number).subarray(0, drawing.width * drawing.height);
  const full = Buffer.from(luma.map((y) => Math.max(0, Math.min(255, ((y - 16) * 255) / 219))));
  const [got, wanted] = await Promise.all([
    small(sharp(picture)),
    small(sharp(full, { raw: { width: drawing.width, height: drawing.height, channels: 1 } })),
  ]);
  const errors = new Float64Array(16 * 9);
  for (let i = 0; i < wanted.length; i++) {
    const tile = Math.floor(i / 1600) * 16 + Math.floor((i % 160) / 10);
    errors[tile] = errors[tile]! + (got[i]! - wanted[i]!) ** 2 / 100;
  }
  return 10 * Math.log10(255 ** 2 / Math.max(1e-6, ...errors));
}

function encoderArguments(settings: StreamSettings): string[] {
  const gop = Math.round(settings.fps * settings.gopSeconds);
  const common = `keyint=${gop}:min-keyint=${gop}:scenecut=0:bframes=0:aud=1:repeat-headers=1:open-gop=0`;
  const rate = [
    '-b:v',
    `${settings.kbps}k`,
    '-maxrate',
    `${settings.kbps}k`,
    '-bufsize',
    `${settings.kbps}k`,
  ];
  if (settings.codec === 'h264') {
    return ['-c:v', 'libx264', '-preset', 'veryfast', '-x264-params', common, ...rate, '-f', 'h264'];
  }
  const params = `${common}:log-level=error`;
  return ['-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params', params, ...rate, '-f', 'hevc'];
}

const underWay = new Map<string, Promise<PreparedStream>>();

/** Makes the stream, or finds it in the temp folder where an earlier run left it. */
export function prepareStream(settings: StreamSettings): Promise<PreparedStream> {
  const key = createHash('sha256')
    .update(JSON.stringify([DRAWING, ...Object.entries(settings).sort()]))
    .digest('hex')
    .slice(0, 16);
  const file = join(tmpdir(), `mat-than-test-media-${key}.${settings.codec}`);
  let work = underWay.get(key);
  if (!work) {
    work = encode(settings, file);
    underWay.set(key, work);
    work.catch(() => underWay.delete(key));
  }
  return work;
}

async function encode(settings: StreamSettings, file: string): Promise<PreparedStream> {
  const { width, height, fps } = settings;
  const frames = Math.round(fps * settings.seconds);
  const prepared = { ...settings, file, frames };
  if (existsSync(file)) return prepared;
  const drawing = new FrameDrawing(width, height);
  async function* pictures() {
    for (let n = 0; n < frames; n++) yield drawing.yuv(n);
  }
  const unfinished = `${file}.${randomUUID()}`;
  const raw = ['-f', 'rawvideo', '-pix_fmt', 'yuv420p', '-video_size', `${width}x${height}`];
  try {
    await runFfmpeg(
      ['-y', ...raw, '-framerate', String(fps), '-i', 'pipe:0', ...encoderArguments(settings), unfinished],
      { input: pictures() },
    );
    // Two workers may make the same stream at once: the same bytes' worth, the last one in stays.
    await rename(unfinished, file).catch((error: unknown) => {
      if (!existsSync(file)) throw error;
    });
  } finally {
    await rm(unfinished, { force: true });
  }
  return prepared;
}

/** Bytes of a prepared stream. */
export function streamBytes(stream: PreparedStream): Promise<Buffer> {
  return readFile(stream.file);
}
