/** More than so many within this time, and the door is busy. */
const BUSY = { knocks: 20, withinMs: 1000 };

/** Watches how fast messages come in. */
export interface Door {
  /** something came, new or told again */
  knock(): void;
  /** Does so much come in that answering must stand back? */
  isBusy(): boolean;
  /** after this time without a knock it is quiet again, ms */
  readonly quietAfterMs: number;
}

/** @param elapsedMs monotonic milliseconds */
export function makeDoor(elapsedMs: () => number = () => performance.now()): Door {
  const knocks: number[] = [];
  const forget = () => {
    const sinceMs = elapsedMs() - BUSY.withinMs;
    while (knocks[0] !== undefined && knocks[0] <= sinceMs) knocks.shift();
  };
  return {
    quietAfterMs: BUSY.withinMs,
    knock() {
      forget();
      // one more than needed to be busy says nothing new
      if (knocks.length > BUSY.knocks) knocks.shift();
      knocks.push(elapsedMs());
    },
    isBusy() {
      forget();
      return knocks.length > BUSY.knocks;
    },
  };
}
