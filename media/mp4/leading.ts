/**
 * Open GOPs: pictures that come after a keyframe but are shown before it need the GOP before theirs. Where a cut
 * begins with such a keyframe they can't be decoded, so they are left out, and the keyframe is the first one shown.
 */
import type { TrackRun } from './moof.js';

export interface Leading {
  /** how many samples to leave out of each run; they follow the keyframe, or open the runs after it */
  dropped: number[];
  /** how long they last together, ticks: the keyframe is shown that much after its place in the file */
  ticks: number;
}

/** `runs`: pictures from a keyframe on, read one by one as long as there is something to leave out. */
export function leadingOf(runs: Iterable<TrackRun>): Leading {
  const leading: Leading = { dropped: [], ticks: 0 };
  let keyShown: number | null = null;
  let origin = 0n;
  for (const run of runs) {
    if (keyShown === null && !run.offsets) break;
    if (keyShown !== null && run.keys[0]) break;
    let first = 0;
    let time: number;
    if (keyShown === null) {
      origin = run.startTicks;
      keyShown = run.offsets![0]!;
      time = run.durations[0]!;
      first = 1;
    } else {
      time = Number(run.startTicks - origin);
    }
    let dropped = 0;
    for (let i = first; i < run.sizes.length && time + (run.offsets?.[i] ?? 0) < keyShown; i++) {
      dropped++;
      time += run.durations[i]!;
      leading.ticks += run.durations[i]!;
    }
    leading.dropped.push(dropped);
    if (first + dropped < run.sizes.length) break;
  }
  return leading;
}
