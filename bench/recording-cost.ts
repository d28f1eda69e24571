/** What recording costs: the whole service (Node and its children) beside as many bare ffmpegs, at the same moment. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findFfmpeg } from '../src/base/ffmpeg.js';
import { S1 } from '../test/support/frame-clock.js';
import { mean, type Section, show } from './figures.js';
import { measure, type Span } from './processes.js';
import { addCameras, startRecorder } from './recorder.js';
import type { BenchOptions } from './run.js';
import { pause, whileServing } from './scene.js';

/** Connecting, the first keyframes, compiling and the first memory are not what a day of recording costs. */
export const WARM_UP_SECONDS = 60;

async function bytesBelow(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && entry.name.endsWith('.mp4'));
  const sizes = await Promise.all(
    files.map((file) => stat(join(file.parentPath, file.name)).catch(() => null)),
  );
  // one that has just got its final name is counted by it
  if (sizes.includes(null)) return bytesBelow(folder);
  return sizes.reduce((sum, one) => sum + (one?.size ?? 0), 0);
}

export interface Run extends Span {
  /** what was written during the measurement, Mbit/s */
  mbps: number;
}

export async function watch(pids: number[], folder: string, seconds: number): Promise<Run> {
  const before = await bytesBelow(folder);
  const span = await measure(pids, seconds);
  const written = (await bytesBelow(folder)) - before;
  return { ...span, mbps: (written * 8) / span.seconds / 1e6 };
}

export interface Recording {
  pids: number[];
  folder: string;
  /** throws unless everything still runs */
  check(): void;
  stop(): Promise<void>;
}

const TRIES = 4;

/** One `ffmpeg -c copy -f segment` that writes: one that the server did not serve is started again. */
async function bareFfmpeg(ffmpeg: string, url: string, out: string): Promise<ChildProcess> {
  for (let tries = 1; ; tries++) {
    const child = spawn(
      ffmpeg,
      [
        ...['-nostdin', '-loglevel', 'error', '-rtsp_transport', 'tcp', '-i', url, '-an', '-c', 'copy'],
        ...['-f', 'segment', '-segment_time', '60', '-segment_format', 'mp4', '-segment_format_options'],
        ...['movflags=+frag_keyframe+empty_moov+default_base_moof', `${out}_%05d.mp4`],
      ],
      { stdio: 'ignore' },
    );
    for (const until = Date.now() + 15_000; Date.now() < until && runs(child); await pause(0.1))
      if ((await stat(`${out}_00000.mp4`).catch(() => null))?.size) return child;
    await end([child]);
    if (tries === TRIES) throw new Error(`a bare ffmpeg wrote nothing, ${TRIES} times`);
  }
}

const runs = (child: ChildProcess) => child.exitCode === null && child.signalCode === null;

async function end(children: ChildProcess[]): Promise<void> {
  const ended = children.filter(runs).map((child) => once(child, 'exit'));
  for (const child of children) child.kill('SIGKILL');
  await Promise.all(ended);
}

/** As many `ffmpeg -c copy -f segment` as there are cameras: one minute a file, fragmented MP4. */
export async function bareFfmpegs(urls: string[]): Promise<Recording> {
  const ffmpeg = await findFfmpeg({ configured: process.env.FFMPEG_PATH });
  const folder = await mkdtemp(join(tmpdir(), 'mat-than-bench-bare-'));
  const children: ChildProcess[] = [];
  const stop = async () => {
    await end(children);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const begin = async (url: string, i: number) =>
      children.push(await bareFfmpeg(ffmpeg.path, url, join(folder, `cam${i}`)));
    await Promise.all(urls.map(begin));
  } catch (error) {
    await stop();
    throw error;
  }
  const check = () => {
    if (!children.every(runs)) throw new Error('a bare ffmpeg ended by itself');
  };
  return { pids: children.map((child) => child.pid!), folder, check, stop };
}

/** The recorder service with the same cameras, added through its API. */
export async function wholeService(urls: string[]): Promise<Recording> {
  const recorder = await startRecorder();
  const { pid, stop } = recorder;
  try {
    await addCameras(recorder.client, urls);
  } catch (error) {
    await stop();
    throw error;
  }
  return { pids: [pid], folder: join(recorder.folder, 'recordings'), check: () => {}, stop };
}

/** The row "recording, 30 cameras at 2 Mbps": `rounds` times (3) `seconds` (60), after the warm-up. */
export async function recordingCost({
  cameras = 30,
  seconds = 60,
  rounds = 3,
  say,
}: BenchOptions): Promise<Section[]> {
  const bare: Run[] = [];
  const service: Run[] = [];
  await whileServing(S1, cameras, async ({ server, paths }) => {
    const urls = paths.map((path) => server.url(path));
    const recordings: Recording[] = [];
    try {
      say(`${cameras} cameras, recorded by as many bare ffmpegs and by the service`);
      for (const begin of [wholeService, bareFfmpegs]) recordings.push(await begin(urls));
      await pause(WARM_UP_SECONDS);
      for (let round = 0; round < rounds; round++) {
        say(`round ${round + 1} of ${rounds}, ${seconds} s`);
        const [ours, theirs] = await Promise.all(
          recordings.map(({ pids, folder }) => watch(pids, folder, seconds)),
        );
        service.push(ours!);
        bare.push(theirs!);
        for (const { check } of recordings) check();
      }
    } finally {
      for (const { stop } of recordings) await stop();
    }
  });

  const of = (runs: Run[], what: (run: Run) => number) => mean(runs.map(what));
  const perHour = (runs: Run[]) => of(runs, (run) => (run.cores * 3600) / cameras);
  const memory = (runs: Run[]) => of(runs, (run) => mean(run.pssMb));
  const row = (name: string, runs: Run[]) => [
    name,
    perHour(runs),
    of(runs, (run) => run.cores).toFixed(3),
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
      how: `${rounds} rounds of ${seconds} s, both at the same time, after ${WARM_UP_SECONDS} s to warm up; the same ffmpeg, cameras (gst-rtsp-server on loopback), moment and disk; CPU and memory (PSS) of all processes, Node and children.`,
      columns: ['', 'CPU s / camera-hour', 'cores', 'PSS MB', 'MB / camera', 'Mbit/s written', 'processes'],
      rows: [row('bare ffmpeg -c copy -f segment', bare), row('whole service', service)],
      bars: [
        {
          what: 'CPU ≤ 1.6 × bare, hashing and syncing included',
          figure: `${show(ratio)} × (each round: ${each})`,
          reached: ratio <= 1.6,
        },
        {
          what: `memory ≤ bare + 3 MB a camera + 120 MB (${show(allowedMb)} MB)`,
          figure: `${show(memory(service))} MB`,
          reached: memory(service) <= allowedMb,
        },
      ],
    },
  ];
}
