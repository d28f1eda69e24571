/** Records with many cameras at once, through the real service and a real RTSP server, and looks for every frame. */

import { cpus } from 'node:os';
import { join } from 'node:path';
import type { RecorderClient } from '../media/types.js';
import { readFrameNumbers, S1 } from '../test/support/frame-clock.js';
import type { GstServer } from '../test/support/gst/gst-server.js';
import { mean, percentile, show } from './figures.js';
import { Film, type Frames, framesOf, missingOf, picturesOf } from './film-frames.js';
import { measure, type Span } from './processes.js';
import { addCameras, type BenchRecorder, recordedFiles, startRecorder, tellingOutages } from './recorder.js';
import type { BenchOptions } from './run.js';
import { pause, type Served, whileServing } from './scene.js';

/** Connecting and the first keyframes are not what ten minutes of recording cost. */
export const WARM_UP_SECONDS = 20;
/** The service is asked so often how its cameras are, ms. */
const LOOK_MS = 2000;
/** What was sent has this long to arrive: a recorder that lags has lost nothing yet, s. */
const CATCH_UP_SECONDS = 60;
/** Cameras whose pictures are decoded and read too, as a check on telling frames by their size. */
export const DECODED = 2;
const SETTINGS = S1;

/** A stretch of time with so many cameras. */
export interface Stretch {
  cameras: number;
  startMs: number;
  endMs: number;
  service: Span;
  server: Span;
  /** how well the server kept time */
  late: { worstMs: number; skipped: number };
  /** share of all cores that were busy with anything, 0–1 */
  busy: number;
  /** at each look: the oldest of the cameras' newest pictures, ms */
  ageMs: number[];
  /** how long each look took to be answered, ms */
  answerMs: number[];
  /** cameras that were not recording at a look */
  notRecording: number;
  /** holes in what the index says of the cameras */
  gaps: number;
}

export interface Judged extends Stretch {
  /** that were due */
  frames: number;
  /** of them not in the files */
  missing: number;
  /** cameras that miss some */
  incomplete: number;
}

const cameraId = (i: number) => `cam${i + 1}`;

function busyTicks(): { busy: number; all: number } {
  const times = cpus().map((cpu) => cpu.times);
  const all = times.reduce((sum, { user, nice, sys, idle, irq }) => sum + user + nice + sys + idle + irq, 0);
  return { busy: all - times.reduce((sum, { idle }) => sum + idle, 0), all };
}

/** Looks at the cameras again and again until told to stop. */
async function look(client: RecorderClient, cameras: number, signal: AbortSignal) {
  const seen = { ageMs: [] as number[], answerMs: [] as number[], notRecording: 0 };
  while (!signal.aborted) {
    const begun = performance.now();
    const infos = await client.cameras();
    seen.answerMs.push(performance.now() - begun);
    const recording = infos.filter(({ state }) => state === 'recording');
    seen.notRecording += cameras - recording.length;
    seen.ageMs.push(Date.now() - Math.min(...recording.map(({ newestFrameMs }) => newestFrameMs ?? 0)));
    await pause(LOOK_MS / 1000);
  }
  return seen;
}

async function gapsOf(client: RecorderClient, cameras: number, range: { startMs: number; endMs: number }) {
  let gaps = 0;
  for (let i = 0; i < cameras; i++) gaps += (await client.coverage(cameraId(i), range)).gaps.length;
  return gaps;
}

/** Waits until every camera's newest picture is from after `endMs`, for as long as it may take. */
async function untilReached(client: RecorderClient, endMs: number): Promise<void> {
  for (const until = Date.now() + CATCH_UP_SECONDS * 1000; Date.now() < until; await pause(1)) {
    const infos = await client.cameras();
    if (infos.every(({ newestFrameMs }) => (newestFrameMs ?? 0) > endMs)) return;
  }
}

/** Records for `seconds` with the cameras there are. */
async function stretch(
  { client, pid }: BenchRecorder,
  server: GstServer,
  cameras: number,
  seconds: number,
): Promise<Stretch> {
  const enough = new AbortController();
  const startMs = Date.now();
  const before = busyTicks();
  await server.late();
  const looking = look(client, cameras, enough.signal);
  const samples = Math.max(5, Math.round(seconds / 10));
  const [service, serving] = await Promise.all([
    measure([pid], seconds, samples),
    measure([server.pid], seconds, samples),
  ]);
  const after = busyTicks();
  const endMs = Date.now();
  enough.abort();
  const seen = await looking;
  const late = await server.late();
  await untilReached(client, endMs);
  const gaps = await gapsOf(client, cameras, { startMs, endMs });
  const busy = (after.busy - before.busy) / (after.all - before.all);
  return { cameras, startMs, endMs, service, server: serving, late, busy, ...seen, gaps };
}

/** How many frames of the stretch are there, by their numbers. */
function judge(one: Stretch, { server, paths }: Served, frames: readonly Frames[]): Judged {
  const sums = { frames: 0, missing: 0, incomplete: 0 };
  for (const [i, { runs }] of frames.slice(0, one.cameras).entries()) {
    const path = paths[i]!;
    const span = { first: server.frameAt(path, one.startMs), last: server.frameAt(path, one.endMs) };
    const missing = missingOf(runs, span);
    sums.frames += span.last - span.first + 1;
    sums.missing += missing;
    sums.incomplete += missing > 0 ? 1 : 0;
  }
  return { ...one, ...sums };
}

/** Frames of some files told by their size that decoding tells otherwise. */
async function disagreeing(recorder: BenchRecorder, film: Film, cameras: number): Promise<number> {
  let wrong = 0;
  for (let i = 0; i < Math.min(DECODED, cameras); i++) {
    for (const { file } of await recordedFiles(join(recorder.folder, 'recordings'), cameraId(i))) {
      const bySize = film.numbers(await picturesOf(file));
      const seen = await readFrameNumbers(file);
      wrong += Math.abs(seen.length - bySize.length);
      wrong += seen.filter((number, at) => at < bySize.length && number !== bySize[at]).length;
    }
  }
  return wrong;
}

export interface Scaled {
  stretches: Judged[];
  /** pictures in the files that are no frame of the film, or in the wrong place */
  strange: number;
  /** frames that decoding tells otherwise than their size, of `DECODED` cameras */
  disagreeing: number;
  /** why no further cameras were tried */
  ended: string | null;
}

/** Records with each number of cameras in turn, ever more of them, until a stretch is not `good` or the list ends. */
export async function scaled(
  steps: readonly { cameras: number; seconds: number }[],
  good: (one: Stretch) => boolean,
  say: BenchOptions['say'],
): Promise<Scaled> {
  return whileServing(SETTINGS, Math.max(...steps.map(({ cameras }) => cameras)), async (served) => {
    const { server, paths, stream } = served;
    const film = await Film.of(stream);
    const recorder = await startRecorder({ MIN_FREE_PERCENT: '0', MIN_FREE_GB: '0' });
    try {
      await using _ = tellingOutages(recorder.client, say);
      const done: Stretch[] = [];
      let ended: string | null = null;
      let added = 0;
      for (const { cameras, seconds } of steps) {
        say(`${cameras} cameras: connecting`);
        const urls = paths.slice(added, cameras).map((path) => server.url(path));
        try {
          await addCameras(recorder.client, urls, added);
        } catch (error) {
          ended = `${cameras} cameras did not all connect: ${String(error)}`;
          break;
        }
        added = cameras;
        await pause(WARM_UP_SECONDS);
        say(`${cameras} cameras: ${seconds} s`);
        const one = await stretch(recorder, server, cameras, seconds);
        say(`${cameras} cameras: ${inShort(one)}`);
        done.push(one);
        if (!good(one)) break;
      }
      await recorder.end();
      say('counting frames');
      const frames: Frames[] = [];
      for (let i = 0; i < added; i++)
        frames.push(
          await framesOf(
            await recordedFiles(join(recorder.folder, 'recordings'), cameraId(i)),
            film,
            server,
            paths[i]!,
          ),
        );
      return {
        stretches: done.map((one) => judge(one, served, frames)),
        strange: frames.reduce((sum, { strange, cut }) => sum + strange.length + cut, 0),
        disagreeing: await disagreeing(recorder, film, added),
        ended,
      };
    } finally {
      await recorder.stop();
    }
  });
}

/** A stretch in a line. */
export const inShort = ({ service, server, busy, ageMs, answerMs, notRecording, gaps, late }: Stretch) =>
  `recorder ${show(service.cores)} cores, ${show(mean(service.pssMb))} MB; server ${show(server.cores)} cores, up to ${show(late.worstMs)} ms late, ${late.skipped} frames left out; machine ${show(busy * 100)} % busy; newest picture at most ${show(Math.max(...ageMs))} ms old; answers ${show(percentile(answerMs, 0.95))} ms p95; ${gaps} gaps, ${notRecording} times not recording`;
