/** How many messages of one person are answered within a time. */
export interface FloodLimit {
  messages: number;
  withinMs: number;
}

/** Nobody types so fast; an album of photos is far below. */
export const FLOOD: FloodLimit = { messages: 60, withinMs: 60_000 };

/** What becomes of a message: answered, or not answered with one sentence that says so, or in silence after it. */
export type FloodVerdict = 'answer' | 'say-so' | 'quiet';

/**
 * Counts what each person says, by when it was said, so that a day's messages that come at once after a break are no
 * flood. Beyond the limit one sentence says so; then that person is not answered until they have paused long enough.
 */
export function makeFloodGate(limit: FloodLimit = FLOOD): (person: string, sentMs: number) => FloodVerdict {
  const people = new Map<string, { times: number[]; told: boolean }>();
  return (person, sentMs) => {
    if (people.size > 5000)
      for (const [one, { times }] of people) {
        const newest = times.at(-1) ?? 0;
        if (newest < sentMs - limit.withinMs) people.delete(one);
      }
    let said = people.get(person);
    if (said === undefined) {
      said = { times: [], told: false };
      people.set(person, said);
    }
    // a clock that was set back: what was said "later" counts no more
    said.times = said.times.filter((ms) => ms > sentMs - limit.withinMs && ms <= sentMs + limit.withinMs);
    said.times.push(sentMs);
    if (said.times.length <= limit.messages) {
      said.told = false;
      return 'answer';
    }
    // the oldest go first: the window stays full only while the person goes on
    said.times.splice(0, said.times.length - limit.messages - 1);
    if (said.told) return 'quiet';
    said.told = true;
    return 'say-so';
  };
}

/** Who sends a row of stickers hears once in so long that they can't be read. */
export const UNREADABLE_EVERY_MS = 5 * 60_000;

/**
 * Lets each person through once within a time, by when they said it.
 * @returns is it their turn?
 */
export function makeOnceGate(everyMs: number): (person: string, sentMs: number) => boolean {
  const last = new Map<string, number>();
  return (person, sentMs) => {
    const before = last.get(person);
    // a clock that was set back: what was said "later" counts no more
    if (before !== undefined && Math.abs(sentMs - before) < everyMs) return false;
    last.delete(person);
    last.set(person, sentMs);
    for (const oldest of last.keys()) {
      if (last.size <= 5000) break;
      last.delete(oldest);
    }
    return true;
  };
}
