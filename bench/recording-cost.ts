/** What recording costs: the whole service (Node and its children) beside as many bare ffmpegs. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findFfmpeg } from '../src/base/ffmpeg.js';
import { S1 } from '../test/support/frame-clock.js';
import { mean, type Section, show } from './figures.js';
import { measure, type Span } from './processes.js';
import { startRecorder, untilRecording } from './recorder.js';
import type { BenchOptions } from './run.js';
import { pause, whileServing } from './scene.js';

/** Connecting, the first keyframes and the first memory are not what a day of recording costs. */
const WARM_UP_SECONDS = 20;

async function bytesBelow(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && entry.name.endsWith('.mp4'));
  const sizes = await Promise.all(files.map((file) => stat(join(file.parentPath, file.name))));
  return sizes.reduce((sum, { size }) => sum + size, 0);
}

interface Run extends Span {
  /** what was written during the measurement, Mbit/s */
  mbps: number;
}

async function watch(pids: number[], folder: string, seconds: number): Promise<Run> {
  await pause(WARM_UP_SECONDS);
  const before = await bytesBelow(folder);
  const span = await measure(pids, seconds);
  const written = (await bytesBelow(folder)) - before;
  return { ...span, mbps: (written * 8) / span.seconds / 1e6 };
}

/** As many `ffmpeg -c copy -f segment` as there are cameras: one minute a file, fragmented MP4. */
export async function bareFfmpegs(urls: string[], seconds: number): Promise<Run> {
  const ffmpeg = await findFfmpeg({ configured: process.env.FFMPEG_PATH });
  const folder = await mkdtemp(join(tmpdir(), 'mat-than-bench-bare-'));
  const children: ChildProcess[] = urls.map((url, i) =>
    spawn(
      ffmpeg.path,
      [
        ...['-nostdin', '-loglevel', 'error', '-rtsp_transport', 'tcp', '-i', url, '-an', '-c', 'copy'],
        ...['-f', 'segment', '-segment_time', '60', '-segment_format', 'mp4', '-segment_format_options'],
        ...['movflags=+frag_keyframe+empty_moov+default_base_moof', join(folder, `cam${i}_%05d.mp4`)],
      ],
      { stdio: 'ignore' },
    ),
  );
  try {
    return await watch(
      children.map((child) => child.pid!),
      folder,
      seconds,
    );
  } finally {
    const ended = children.map((child) => once(child, 'exit'));
    for (const child of children) child.kill('SIGKILL');
    await Promise.all(ended);
    await rm(folder, { recursive: true, force: true });
  }
}

/** The recorder service with the same cameras, added through its API. */
async function wholeService(urls: string[], seconds: number): Promise<Run> {
  const recorder = await startRecorder();
  try {
    for (const [i, url] of urls.entries()) {
      await recorder.client.addCamera({ id: `cam${i}`, name: `Camera ${i}`, url });
    }
    await untilRecording(recorder.client, urls.length, 180);
    return await watch([recorder.pid], join(recorder.folder, 'recordings'), seconds);
  } finally {
    await recorder.stop();
  }
}

/** The row "recording, 30 cameras at 2 Mbps": `rounds` times (2) `seconds` (60) each way, after the warm-up. */
export async function recordingCost({
  cameras = 30,
  seconds = 60,
  rounds = 2,
  say,
}: BenchOptions): Promise<Section[]> {
  const bare: Run[] = [];
  const service: Run[] = [];
  await whileServing(S1, cameras, async ({ server, paths }) => {
    const urls = paths.map((path) => server.url(path));
    for (let round = 0; round < rounds; round++) {
      say(`round ${round + 1} of ${rounds}: ${cameras} bare ffmpegs, ${seconds} s`);
      bare.push(await bareFfmpegs(urls, seconds));
      say(`round ${round + 1} of ${rounds}: the service, ${seconds} s`);
      service.push(await wholeService(urls, seconds));
    }
  });

  const of = (runs: Run[], what: (run: Run) => number) => mean(runs.map(what));
  const perHour = (runs: Run[]) => of(runs, (run) => (run.cores * 3600) / cameras);
  const memory = (runs: Run[]) => of(runs, (run) => mean(run.pssMb));
  const row = (name: string, runs: Run[]) => [
    name,
    perHour(runs),
    of(runs, (run) => run.cores),
    memory(runs),
    memory(runs) / cameras,
    of(runs, (run) => run.mbps),
    String(runs[0]!.processes),
  ];
  const ratio = perHour(service) / perHour(bare);
  const each = service.map((run, i) => show(run.cores / bare[i]!.cores)).join(', ');
  const allowedMb = memory(bare) + 3 * cameras + 120;
  return [
    {
      title: `Recording ${cameras} cameras (720p15, 2 Mbps)`,
      how: `${rounds} rounds of ${seconds} s each way in turn, after ${WARM_UP_SECONDS} s to warm up; the same ffmpeg, cameras (gst-rtsp-server on loopback) and disk; CPU and memory (PSS) of all processes, Node and children.`,
      columns: ['', 'CPU s / camera-hour', 'cores', 'PSS MB', 'MB / camera', 'Mbit/s written', 'processes'],
      rows: [row('bare ffmpeg -c copy -f segment', bare), row('whole service', service)],
      bars: [
        { what: 'CPU ≤ 1.3 × bare', figure: `${show(ratio)} × (each round: ${each})`, reached: ratio <= 1.3 },
        {
          what: `memory ≤ bare + 3 MB a camera + 120 MB (${show(allowedMb)} MB)`,
          figure: `${show(memory(service))} MB`,
          reached: memory(service) <= allowedMb,
        },
      ],
    },
  ];
}
