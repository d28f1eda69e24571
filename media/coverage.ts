import type { GapRow } from './index/rows.js';
import type { ClockStep, Coverage, GapCause, Loss, Range } from './types.js';

/**
 * Shorter holes are the seams between files, not gaps, ms. Another value calls for a migration that empties RecordedDay.
 */
export const SEAM_MS = 500;
/** What is left over beside a known cause, shorter than this, belongs to it: causes are dated less well than pictures. */
const SLIVER_MS = 1500;

/** A file goes on over a clock step until its next keyframe, and the step is noticed a moment later. */
const STEP_SEEN_MS = 15_000;

type Gap = Coverage['gaps'][number];

export const isLoss = (cause: GapCause): cause is Loss =>
  cause === 'removed-by-others' || cause === 'damaged';

/** Merges overlapping and touching ranges. */
export function mergeRanges(ranges: Range[]): Range[] {
  const merged: Range[] = [];
  for (const range of [...ranges].sort((a, b) => a.startMs - b.startMs)) {
    const last = merged.at(-1);
    if (last !== undefined && range.startMs - last.endMs <= SEAM_MS)
      last.endMs = Math.max(last.endMs, range.endMs);
    else merged.push({ startMs: range.startMs, endMs: range.endMs });
  }
  return merged;
}

/** What is missing between `asked.startMs` and `asked.endMs`. */
function holesIn(recorded: Range[], asked: Range): Range[] {
  const holes: Range[] = [];
  let at = asked.startMs;
  for (const range of [...recorded, { startMs: asked.endMs, endMs: asked.endMs }]) {
    if (range.startMs - at > SEAM_MS) holes.push({ startMs: at, endMs: range.startMs });
    at = Math.max(at, range.endMs);
  }
  return holes;
}

/**
 * Takes out of `open` what `group` explains and adds it to `parts`; gives back what is left. All ascending by start, the
 * earlier of a group wins. In one pass: a month of deletions by age has tens of thousands.
 */
function take(open: Range[], group: Gap[], parts: Gap[]): Range[] {
  const left: Range[] = [];
  const queue = open.map((range) => ({ ...range }));
  let at = 0;
  for (const one of group) {
    // what ends before it begins is touched by no later one either
    while (at < queue.length && queue[at]!.endMs <= one.startMs) left.push(queue[at++]!);
    while (at < queue.length && queue[at]!.startMs < one.endMs) {
      const range = queue[at]!;
      const startMs = Math.max(range.startMs, one.startMs);
      const endMs = Math.min(range.endMs, one.endMs);
      parts.push({ startMs, endMs, cause: one.cause });
      if (startMs > range.startMs) left.push({ startMs: range.startMs, endMs: startMs });
      if (endMs < range.endMs) {
        range.startMs = endMs;
        break;
      }
      at++;
    }
  }
  return [...left, ...queue.slice(at)];
}

/** Gives each piece of one hole the first cause known for it, in the order of `known`; nothing where none is. */
function split(hole: Range, known: readonly Gap[]): Gap[] {
  let open: Range[] = [hole];
  const parts: Gap[] = [];
  for (const one of known) {
    const next: Range[] = [];
    for (const range of open) {
      const startMs = Math.max(range.startMs, one.startMs);
      const endMs = Math.min(range.endMs, one.endMs);
      if (endMs <= startMs) next.push(range);
      else {
        parts.push({ startMs, endMs, cause: one.cause });
        if (startMs > range.startMs) next.push({ startMs: range.startMs, endMs: startMs });
        if (endMs < range.endMs) next.push({ startMs: endMs, endMs: range.endMs });
      }
    }
    open = next;
  }
  return parts;
}

/**
 * Splits holes (ascending) by why: a time that never was, what was deleted, what was lost, then the gaps' causes, else
 * unknown.
 */
function explain(holes: Range[], facts: CoverageFacts): Gap[] {
  const { gaps, deletions, waiting = [], clockSteps } = facts;
  const rows = gaps.map(({ startMs, endMs, cause }) => ({
    ...{ startMs, endMs: endMs ?? Number.POSITIVE_INFINITY, cause },
  }));
  const groups: Gap[][] = [
    clockSteps.map((step) => skipped(step, 0)),
    mergeRanges(deletions).map((range) => ({ ...range, cause: 'deleted' as const })),
    rows.filter(({ cause }) => isLoss(cause)),
    rows.filter(({ cause }) => !isLoss(cause)),
    waiting.map((range) => ({ ...range, cause: 'disk' as const })),
    clockSteps.map((step) => skipped(step, STEP_SEEN_MS)),
  ];
  const parts: Gap[] = [];
  let open = holes;
  for (const group of groups) {
    const real = group.filter(({ startMs, endMs }) => endMs > startMs);
    open = take(
      open,
      real.sort((one, other) => one.startMs - other.startMs),
      parts,
    );
  }
  parts.push(...open.map((range) => ({ ...range, cause: 'unknown' as const })));
  parts.sort((one, other) => one.startMs - other.startMs);
  let at = 0;
  return holes.flatMap(({ endMs }) => {
    const from = at;
    while (at < parts.length && parts[at]!.startMs < endMs) at++;
    return joined(parts.slice(from, at), 'unknown');
  });
}

export interface FilmFacts {
  /** what the film lacks */
  lacking: readonly Range[];
  /** what was said to be recorded before it was made */
  recorded: readonly Range[];
  /** what is known to be missing, what is surest first */
  gaps: readonly Gap[];
  /** recordings whose files are not there */
  gone: readonly Range[];
}

/**
 * Why a film lacks these stretches: as it is known. What was said to be recorded and yet is not in the film could not be
 * read. Nothing is said of what nobody speaks of: it is still to come.
 */
export function explainLacking({ lacking, recorded, gaps, gone }: FilmFacts): Gap[] {
  const known: Gap[] = [
    ...gaps,
    ...gone.map(({ startMs, endMs }) => ({ startMs, endMs, cause: 'removed-by-others' as const })),
    ...recorded.map(({ startMs, endMs }) => ({ startMs, endMs, cause: 'damaged' as const })),
  ];
  return lacking.flatMap((hole) =>
    joined(split({ startMs: Math.round(hole.startMs), endMs: Math.round(hole.endMs) }, known), 'damaged').map(
      (gap) => ({ ...gap, startMs: Math.round(gap.startMs), endMs: Math.round(gap.endMs) }),
    ),
  );
}

/** What a step forward left out; `beside`: how far around it. */
const skipped = ({ fromMs, toMs }: ClockStep, beside: number): Gap => ({
  startMs: fromMs - beside,
  endMs: toMs + (toMs > fromMs ? beside : -beside),
  cause: 'clock-set',
});

/** In order of time; slivers of the cause `rest` go to their neighbour, neighbours of one cause are joined. */
function joined(parts: Gap[], rest: Gap['cause']): Gap[] {
  const list = parts.map((part) => ({ ...part })).sort((a, b) => a.startMs - b.startMs);
  for (let i = 0; list.length > 1 && i < list.length; i++) {
    const part = list[i]!;
    if (part.cause !== rest || part.endMs - part.startMs > SLIVER_MS) continue;
    const neighbour = list[i + 1] ?? list[i - 1]!;
    part.cause = neighbour.cause;
  }
  const result: Gap[] = [];
  for (const part of list) {
    const last = result.at(-1);
    if (last !== undefined && last.cause === part.cause && part.startMs - last.endMs <= SEAM_MS)
      last.endMs = Math.max(last.endMs, part.endMs);
    else result.push(part);
  }
  return result;
}

export interface CoverageFacts {
  cameraId: string;
  stream: Coverage['stream'];
  asked: Range;
  segments: Range[];
  gaps: GapRow[];
  /** what was deleted */
  deletions: Range[];
  /** what waits for a bad disk: told as its gap where nothing else is known; default nothing */
  waiting?: Range[];
  /** those that touch `asked` */
  clockSteps: ClockStep[];
  /** what is held, clipped to `asked`; default nothing */
  held?: Coverage['held'];
  /** up to here a missing picture is a gap; later ones are still to come */
  untilMs: number;
}

/** What is recorded of a range, and each gap with its cause. Gaps end at `untilMs`. */
export function coverageOf(facts: CoverageFacts): Omit<Coverage, 'begunMs'> {
  const { cameraId, stream, asked, segments, clockSteps, held = [], untilMs } = facts;
  const recorded = mergeRanges(segments)
    .map(({ startMs, endMs }) => ({
      startMs: Math.round(Math.max(startMs, asked.startMs)),
      endMs: Math.round(Math.min(endMs, asked.endMs)),
    }))
    .filter(({ startMs, endMs }) => endMs > startMs);
  const span = { startMs: asked.startMs, endMs: Math.min(asked.endMs, untilMs) };
  const missing = span.endMs > span.startMs ? holesIn(recorded, span) : [];
  return {
    ...{ cameraId, stream, asked, recorded, clockSteps, held },
    gaps: explain(missing, facts).map((gap) => ({
      ...gap,
      startMs: Math.round(gap.startMs),
      endMs: Math.round(gap.endMs),
    })),
  };
}
