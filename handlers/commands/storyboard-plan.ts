/** Which moments an overview shows and where its buttons lead. Pure. */
import type { Coverage, GapCause, Range } from '../../media/types.js';
import { toVietnamTime } from '../../src/base/clock.js';
import type { SpanReading } from '../../src/base/vietnamese/moment.js';
import { sayMoment, sayRange, sayShortClock } from '../../src/base/vietnamese/say.js';
import type { Button } from '../../src/chat/message.js';

/** Three across and five down: what a phone held upright shows legibly. */
export const FRAMES = 15;
const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
export const LONGEST_S = 7 * 86_400;
const SHORTEST_MS = 5000;
/** Frames nearer to each other than this are the exact ones: keyframes stand as far apart. */
const EXACT_MS = 3000;
/** A look closer goes so much beyond both frames: an hour → 5 minutes → 25 seconds. */
const BEYOND = 1 / 8;
/** … and the other way. */
const WIDER = 12;

/** The stretch from one frame to the next. */
export interface Slot extends Range {
  /** what is shown of it: the first that is recorded; null: nothing is */
  atMs: number | null;
  /** why nothing is; null where something is, and where it is still to come */
  cause: GapCause | null;
}

/** What is looked at: an hour from a full hour on, else five minutes on either side of a moment; nothing still to come. */
export function spanOf(said: Extract<SpanReading, { kind: 'span' | 'moment' }>, nowMs: number): Range {
  if (said.kind === 'span') return within(said, nowMs);
  const { atMs } = said;
  if (atMs % HOUR_MS === 0 && atMs + 10 * MINUTE_MS <= nowMs)
    return within({ startMs: atMs, endMs: atMs + HOUR_MS }, nowMs);
  return within({ startMs: atMs - 5 * MINUTE_MS, endMs: atMs + 5 * MINUTE_MS }, nowMs);
}

function within({ startMs, endMs }: Range, nowMs: number): Range {
  const end = Math.min(Math.max(endMs, startMs + SHORTEST_MS), nowMs);
  return { startMs: Math.min(startMs, end - SHORTEST_MS), endMs: end };
}

const lengthOf = ({ startMs, endMs }: Range) => endMs - startMs;

/** Must the frames be the exact ones? */
export const needsExact = (asked: Range): boolean => lengthOf(asked) / FRAMES < EXACT_MS;

/** The slots of a stretch: as many frames, evenly. */
export function slotsOf(asked: Range, { recorded, gaps }: Pick<Coverage, 'recorded' | 'gaps'>): Slot[] {
  const step = lengthOf(asked) / FRAMES;
  const round = step >= 1000 ? 1000 : 1;
  const edge = (i: number) => asked.startMs + Math.round((i * step) / round) * round;
  return Array.from({ length: FRAMES }, (_, i): Slot => {
    const slot = { startMs: edge(i), endMs: i === FRAMES - 1 ? asked.endMs : edge(i + 1) };
    const there = recorded.map((range) => shared(range, slot)).find((range) => lengthOf(range) > 0);
    const missing = gaps
      .map((gap) => ({ ...gap, ...shared(gap, slot) }))
      .sort((a, b) => lengthOf(b) - lengthOf(a))[0];
    const cause = missing !== undefined && lengthOf(missing) > 0 ? missing.cause : null;
    return { ...slot, atMs: there?.startMs ?? null, cause: there === undefined ? cause : null };
  });
}

const shared = (a: Range, b: Range): Range => ({
  startMs: Math.max(a.startMs, b.startMs),
  endMs: Math.min(a.endMs, b.endMs),
});

/** "22:04", with the day where the stretch is longer than one. */
export function timeOfSlot({ startMs }: Range, asked: Range): string {
  const clock = sayShortClock(Math.floor(startMs / 1000) * 1000);
  if (lengthOf(asked) <= 24 * HOUR_MS) return clock;
  const { day, month } = toVietnamTime(startMs);
  return `${clock} ${day}/${month}`;
}

/** The stretch from a frame to the next, and a little beyond both; whole seconds. */
function closer(slot: Range, nowMs: number): Range {
  const beyond = lengthOf(slot) * BEYOND;
  return within(
    {
      startMs: Math.floor((slot.startMs - beyond) / 1000) * 1000,
      endMs: Math.ceil((slot.endMs + beyond) / 1000) * 1000,
    },
    nowMs,
  );
}

/**
 * Buttons under an overview: each recorded slot's number leads closer, or to the very picture where it can't be closer;
 * then earlier, later, wider, and a clip of it all where it isn't too long.
 */
export function buttonsOf(
  camera: number,
  asked: Range,
  slots: readonly Slot[],
  { nowMs, clipMaxMs }: { nowMs: number; clipMaxMs: number },
): Button[][] {
  const xem = (label: string, range: Range): Button => ({
    label,
    says: `xem ${camera} ${sayRange(range.startMs, range.endMs)}`,
  });
  const leaf = needsExact(asked);
  const numbered = slots.flatMap((slot, i): Button[] => {
    if (slot.atMs === null) return [];
    const label = `${i + 1}. ${timeOfSlot(slot, asked)}`;
    return [
      leaf
        ? { label, says: `ảnh ${camera} lúc ${sayMoment(Math.ceil(slot.atMs / 1000) * 1000)}` }
        : xem(label, closer(slot, nowMs)),
    ];
  });
  const length = lengthOf(asked);
  const middle = (asked.startMs + asked.endMs) / 2;
  const half = Math.min(length * WIDER, 24 * HOUR_MS) / 2;
  const wide = within(
    {
      startMs: Math.floor((middle - half) / MINUTE_MS) * MINUTE_MS,
      endMs: Math.ceil((middle + half) / MINUTE_MS) * MINUTE_MS,
    },
    nowMs,
  );
  const others = [
    xem('Trước', { startMs: asked.startMs - length, endMs: asked.startMs }),
    ...(asked.endMs < nowMs - 1000
      ? [xem('Sau', within({ startMs: asked.endMs, endMs: asked.endMs + length }, nowMs))]
      : []),
    ...(length < 24 * HOUR_MS ? [xem('Rộng hơn', wide)] : []),
    ...(length <= clipMaxMs && numbered.length > 0
      ? [{ label: 'Clip', says: `clip ${camera} ${sayRange(asked.startMs, asked.endMs)}` }]
      : []),
  ];
  return [...rowsOf(numbered, 3), ...rowsOf(others, 4)];
}

const rowsOf = (buttons: Button[], width: number): Button[][] =>
  Array.from({ length: Math.ceil(buttons.length / width) }, (_, i) =>
    buttons.slice(i * width, (i + 1) * width),
  );
