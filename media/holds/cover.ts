import type { Hold, Range, StreamName } from '../types.js';

/**
 * A recording this near a hold counts as held: the dates of a rebuilt index differ by some milliseconds from those it
 * had before.
 */
export const EDGE_MS = 1000;

/** Does it protect anything at this moment? `nowMs`: a clock that is not ahead (`trusted-clock.ts`). */
export const inForce = (hold: Hold, nowMs: number): boolean =>
  hold.released === null && (hold.untilMs === null || hold.untilMs > nowMs);

const streamsOf = ({ streams }: Hold): StreamName[] => (streams === 'both' ? ['main', 'sub'] : [streams]);

/** What is held, by camera and stream: merged stretches, ascending. */
export class Cover {
  private readonly lines = new Map<string, Range[]>();

  constructor(holds: readonly Hold[]) {
    const loose = new Map<string, Range[]>();
    for (const hold of holds)
      for (const stream of streamsOf(hold)) {
        const key = `${hold.cameraId} ${stream}`;
        const range = { startMs: hold.startMs - EDGE_MS, endMs: hold.endMs + EDGE_MS };
        loose.set(key, [...(loose.get(key) ?? []), range]);
      }
    for (const [key, ranges] of loose) this.lines.set(key, merged(ranges));
  }

  /** The held stretch that a recording touches by any millisecond; null when it is free. */
  held(cameraId: string, stream: StreamName, { startMs, endMs }: Range): Range | null {
    const line = this.lines.get(`${cameraId} ${stream}`) ?? [];
    // the first stretch that ends after the recording begins
    let low = 0;
    let high = line.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (line[middle]!.endMs > startMs) high = middle;
      else low = middle + 1;
    }
    const next = line[low];
    return next !== undefined && next.startMs < Math.max(endMs, startMs + 1) ? next : null;
  }

  /** Every stretch, with whose it is. */
  *stretches(): Generator<Range & { cameraId: string; stream: StreamName }> {
    for (const [key, ranges] of this.lines) {
      const [cameraId, stream] = key.split(' ') as [string, StreamName];
      for (const range of ranges) yield { cameraId, stream, ...range };
    }
  }
}

function merged(ranges: Range[]): Range[] {
  const list: Range[] = [];
  for (const range of ranges.sort((a, b) => a.startMs - b.startMs)) {
    const last = list.at(-1);
    if (last !== undefined && range.startMs <= last.endMs) last.endMs = Math.max(last.endMs, range.endMs);
    else list.push({ ...range });
  }
  return list;
}
