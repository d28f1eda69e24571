/** The one source of "now" (milliseconds since the Unix epoch, UTC); handed in so that tests can hold it still. */
export interface Clock {
  now(): number;
}

export const systemClock: Clock = { now: () => Date.now() };

/** Việt Nam has had no daylight saving since 1975: a constant offset is exact. */
export const VIETNAM_OFFSET_MS = 7 * 3_600_000;
export const DAY_MS = 86_400_000;

/** A wall-clock moment in Asia/Ho_Chi_Minh, whatever the host's zone. */
export interface VietnamTime {
  year: number;
  /** 1–12 */
  month: number;
  /** 1–31 */
  day: number;
  hour: number;
  minute: number;
  second: number;
  millisecond: number;
  /** 0 Sunday … 6 Saturday */
  weekday: number;
}

/** Splits an instant (epoch ms) into its Vietnamese calendar parts. */
export function toVietnamTime(ms: number): VietnamTime {
  const shifted = new Date(ms + VIETNAM_OFFSET_MS);
  return {
    year: shifted.getUTCFullYear(),
    month: shifted.getUTCMonth() + 1,
    day: shifted.getUTCDate(),
    hour: shifted.getUTCHours(),
    minute: shifted.getUTCMinutes(),
    second: shifted.getUTCSeconds(),
    millisecond: shifted.getUTCMilliseconds(),
    weekday: shifted.getUTCDay(),
  };
}

/** The instant (epoch ms) of a Vietnamese wall-clock time. Parts beyond their range roll over, as in Date.UTC. */
export function fromVietnamTime(
  year: number,
  month: number,
  day: number,
  hour = 0,
  minute = 0,
  second = 0,
  millisecond = 0,
): number {
  return Date.UTC(year, month - 1, day, hour, minute, second, millisecond) - VIETNAM_OFFSET_MS;
}
