/** What a clip says that it lacks, against what it shows: the film's own frames, told by the sizes of its pictures. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ClipJob, ClipRequest, Range } from '../../media/types.js';
import { probeFile } from '../../test/support/ffmpeg.js';
import { trueFrame } from '../../test/support/frame-clock.js';
import { Film } from '../film-frames.js';
import type { Stage } from './stage.js';

/** A shorter hole is told by no clip, ms (plan.ts, GAP_TOLERANCE_MS), and a frame is dated by when it arrived. */
const LEAST_MS = 500;
const DATED_MS = 300;

export interface JudgedClip {
  job: ClipJob;
  /** what is missing and not told, and what is told missing and shown */
  wrong: string[];
  /** how much of what was asked is not shown, ms */
  lackingMs: number;
}

/**
 * Makes a clip (the original) and compares what it shows with the gaps it tells. Throws as `client.clip` does. A hole in it must be
 * shorter than half the camera's loop.
 */
export async function judgedClip(
  { recorder, server, stream }: Pick<Stage, 'recorder' | 'server' | 'stream'>,
  { cameraId, startMs, endMs }: Pick<ClipRequest, 'cameraId' | 'startMs' | 'endMs'>,
): Promise<JudgedClip> {
  const { client } = recorder;
  const job = await client.clip({ cameraId, startMs, endMs, format: 'original' });
  const film = await Film.of(stream);
  const mount = `/${cameraId}`;
  const shown = new Set<number>();
  const wrong: string[] = [];
  for (const part of job.parts) {
    const file = join(recorder.folder, `judged-${cameraId}-${part.index}.mp4`);
    await client.savePart(job.id, part.index, file);
    const { packets = [], streams } = await probeFile(file, { packets: true });
    const video = streams.findIndex((one) => one.codec_type === 'video');
    await rm(file);
    const pictures = packets
      .filter((packet) => packet.stream_index === video)
      .map((packet) => ({ size: Number(packet.size), key: packet.flags.startsWith('K') }));
    let near = server.frameAt(mount, part.startMs);
    for (const number of film.numbers(pictures)) {
      if (number === null) {
        wrong.push('a picture of the clip is none of the film');
        continue;
      }
      const frame = trueFrame(number, stream.frames, near);
      shown.add(frame);
      near = frame + 1;
    }
  }
  const first = server.frameAt(mount, startMs + DATED_MS) + 1;
  const last = server.frameAt(mount, endMs - DATED_MS);
  const frameMs = 1000 / stream.fps;
  let lackingMs = 0;
  for (let frame = first; frame <= last; frame++) {
    const from = frame;
    while (frame <= last && !shown.has(frame)) frame++;
    if (frame === from) continue;
    const lacking = { startMs: server.sentMs(mount, from), endMs: server.sentMs(mount, frame - 1) + frameMs };
    lackingMs += lacking.endMs - lacking.startMs;
    if (lacking.endMs - lacking.startMs > LEAST_MS + frameMs && !within(lacking, job.gaps))
      wrong.push(
        `${Math.round(lacking.endMs - lacking.startMs)} ms from ${lacking.startMs} are missing, not told`,
      );
  }
  for (const gap of job.gaps) {
    const there = [...shown].filter((frame) => {
      const sentMs = server.sentMs(mount, frame);
      return sentMs > gap.startMs + DATED_MS && sentMs < gap.endMs - DATED_MS;
    });
    if (there.length > 0) wrong.push(`${there.length} frames are shown within a gap told (${gap.cause})`);
  }
  return { job, wrong, lackingMs };
}

/** Is a stretch within what is told, gaps that touch each other taken together? */
function within({ startMs, endMs }: Range, gaps: readonly Range[]): boolean {
  let atMs = startMs;
  for (const gap of [...gaps].sort((a, b) => a.startMs - b.startMs))
    if (gap.startMs <= atMs + DATED_MS) atMs = Math.max(atMs, gap.endMs);
  return atMs >= endMs - DATED_MS;
}
