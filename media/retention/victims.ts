import { DAY_MS } from '../../src/base/clock.js';
import type { SegmentRow } from '../index/rows.js';
import type { Hold } from '../types.js';

/** The newest recordings stay while the disk is only short: without them there is nothing to show at all, ms. */
export const KEEP_NEWEST_MS = 10 * 60_000;

export interface Victim {
  segment: SegmentRow;
  reason: 'age' | 'space';
}

export interface VictimFacts {
  /** closed segments, oldest first; open ones are never chosen */
  segments: SegmentRow[];
  /** held segments are never chosen */
  isHeld: (segment: SegmentRow) => boolean;
  /** the trusted time, which no wrong clock sets ahead; ages go by it */
  trustedMs: number;
  /** what recordings are dated by; the newest go by it */
  wallMs: number;
  /** days to keep a camera's recordings */
  daysOf: (cameraId: string) => number;
  /** how much younger a recording is than its date, ms: the clock was behind when it was made */
  lateMs?: (segment: SegmentRow) => number;
  /** free now, and wanted free, bytes */
  freeBytes: number;
  wantedBytes: number;
  /** recordings this near to now stay, ms; default ten minutes */
  keepNewestMs?: number;
}

/** Which recordings go: everything beyond its days, then the oldest until enough is free; never what is held. */
export function chooseVictims(facts: VictimFacts): Victim[] {
  const { segments, isHeld, trustedMs, wallMs, daysOf, wantedBytes, keepNewestMs = KEEP_NEWEST_MS } = facts;
  const oldestFirst = segments
    .filter((one) => !one.open && !isHeld(one))
    .sort((a, b) => a.startMs - b.startMs || a.id - b.id);
  const victims: Victim[] = [];
  let free = facts.freeBytes;
  const rest: SegmentRow[] = [];
  for (const segment of oldestFirst) {
    if (segment.endMs + (facts.lateMs?.(segment) ?? 0) < trustedMs - daysOf(segment.cameraId) * DAY_MS) {
      victims.push({ segment, reason: 'age' });
      free += segment.sizeBytes;
    } else rest.push(segment);
  }
  for (const segment of rest) {
    if (free >= wantedBytes) break;
    if (Math.abs(wallMs - segment.endMs) < keepNewestMs) continue;
    victims.push({ segment, reason: 'space' });
    free += segment.sizeBytes;
  }
  return victims;
}

/** The keep that goes first: the one that would end first. */
export const firstToDrop = (keeps: readonly Hold[]): Hold | undefined =>
  [...keeps].sort((a, b) => (a.untilMs ?? 0) - (b.untilMs ?? 0) || a.createdMs - b.createdMs)[0];
