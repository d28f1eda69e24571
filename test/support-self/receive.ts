/** A real ffmpeg as the client of the test servers: what it receives, and when. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rtspTimeout, runProgram, testFfmpeg } from '../support/ffmpeg.js';
import { readFrameNumbers } from '../support/frame-clock.js';

/** Don't study the stream for seconds before the first byte is written. */
const QUICK = ['-analyzeduration', '500000'];

export interface Received {
  code: number | null;
  stderr: string;
  numbers: (number | null)[];
}

/** Records `seconds` of a stream as ffmpeg does and reads the numbers of its frames. */
export async function receive(
  url: string,
  seconds: number,
  options: { transport?: 'tcp' | 'udp' } = {},
): Promise<Received> {
  const folder = await mkdtemp(join(tmpdir(), 'mat-than-receive-'));
  const file = join(folder, 'received.mkv');
  const ffmpeg = testFfmpeg();
  try {
    const run = await runProgram(ffmpeg.path, [
      ...['-hide_banner', '-loglevel', 'warning', '-rtsp_transport', options.transport ?? 'tcp', ...QUICK],
      ...[...rtspTimeout(ffmpeg, 5), '-i', url, '-an', '-t', String(seconds), '-c', 'copy', file],
    ]);
    const numbers = run.code === 0 ? await readFrameNumbers(file) : [];
    return { code: run.code, stderr: run.stderr, numbers };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Yields the sizes of what ffmpeg copies from the stream, as it arrives; ends with ffmpeg. */
export async function* arriving(url: string): AsyncGenerator<number> {
  const ffmpeg = testFfmpeg();
  const child = spawn(
    ffmpeg.path,
    ['-loglevel', 'quiet', '-rtsp_transport', 'tcp', ...QUICK, ...rtspTimeout(ffmpeg, 30), '-i', url].concat([
      ...['-an', '-c', 'copy', '-f', 'mpegts', '-flush_packets', '1', 'pipe:1'],
    ]),
    { stdio: ['ignore', 'pipe', 'ignore'] },
  );
  const closed = once(child, 'close');
  try {
    for await (const bytes of child.stdout as AsyncIterable<Buffer>) yield bytes.length;
  } finally {
    child.kill('SIGKILL');
    await closed;
  }
}

/** Checks that every number follows the one before it, round a loop of `frames`; gives back the first. */
export function inOrder(numbers: (number | null)[], frames: number): boolean {
  return numbers.every((number, i) => i === 0 || number === ((numbers[i - 1] ?? -2) + 1) % frames);
}

/**
 * Takes what is still under way, until nothing has arrived for a second or the stream has ended. `next` is what
 * arrives after the silence.
 */
export async function untilSilent(
  stream: AsyncGenerator<number>,
): Promise<{ ended: boolean; next: Promise<IteratorResult<number>> }> {
  for (;;) {
    const next = stream.next();
    let timer: NodeJS.Timeout | undefined;
    const second = new Promise<null>((go) => {
      timer = setTimeout(() => go(null), 1000);
    });
    const result = await Promise.race([next, second]);
    clearTimeout(timer);
    if (result === null || result.done) return { ended: result !== null, next };
  }
}
