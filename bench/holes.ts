/** Frames that are in no file, against what the index tells of and what was done to the cameras. */
import { join } from 'node:path';
import type { Range } from '../media/types.js';
import { show } from './figures.js';
import { Film, framesOf } from './film-frames.js';
import { recordedFiles } from './recorder.js';
import type { Served } from './scene.js';

export interface Holes {
  /** stretches of frames that were due and are in no file */
  count: number;
  /** in words: those that nothing done to the camera explains */
  unexplained: string[];
  /** in words: those that the index does not tell of */
  untold: string[];
  /** in words: pictures that are no frame of the film, or in the wrong place */
  strange: string[];
  /** last pictures before a connection broke, of which only the beginning came */
  cut: number;
}

/** By how much a hole's ends may differ from what is told of it, ms: files are dated by arrival. */
const DATED_MS = 1500;
/** A cut connection takes the fragment under way along, and is cut a moment after it was ordered, ms. */
const BEFORE_MS = 2000;
const AFTER_MS = 5000;

/**
 * Looks at every frame of cameras `cam1` … in a service's folder.
 * @param told what the index says is missing, by camera
 * @param drops when a mount's viewers were cut off
 */
export async function holesOf(
  folder: string,
  { server, paths, stream }: Served,
  told: readonly (readonly Range[])[],
  drops: readonly { path: string; atMs: number }[],
  span: Range,
): Promise<Holes> {
  const film = await Film.of(stream);
  const holes: Holes = { count: 0, unexplained: [], untold: [], strange: [], cut: 0 };
  for (const [i, path] of paths.entries()) {
    const { runs, strange, cut } = await framesOf(
      await recordedFiles(join(folder, 'recordings'), `cam${i + 1}`),
      film,
      server,
      path,
    );
    holes.strange.push(...strange.map((words) => `cam${i + 1}: ${words}`));
    holes.cut += cut;
    const edges = [
      { first: Number.NEGATIVE_INFINITY, last: server.frameAt(path, span.startMs) },
      ...runs.filter(
        ({ first, last }) =>
          server.sentMs(path, last) > span.startMs && server.sentMs(path, first) < span.endMs,
      ),
      { first: server.frameAt(path, span.endMs), last: Number.POSITIVE_INFINITY },
    ];
    for (const [k, after] of edges.slice(1).entries()) {
      const before = edges[k]!;
      if (after.first <= before.last + 1) continue;
      const hole = { startMs: server.sentMs(path, before.last + 1), endMs: server.sentMs(path, after.first) };
      const words = `cam${i + 1} ${show((hole.endMs - hole.startMs) / 1000)} s from ${new Date(hole.startMs).toISOString()}`;
      holes.count += 1;
      const near = (range: Range) =>
        range.startMs < hole.endMs + DATED_MS && range.endMs > hole.startMs - DATED_MS;
      const isExplained = drops.some(
        ({ path: dropped, atMs }) =>
          dropped === path && hole.startMs > atMs - BEFORE_MS && hole.startMs < atMs + AFTER_MS,
      );
      if (!isExplained) holes.unexplained.push(words);
      if (!told[i]!.some(near)) holes.untold.push(words);
    }
  }
  return holes;
}
