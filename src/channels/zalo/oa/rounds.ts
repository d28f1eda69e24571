import { backoffMs } from '../../../base/backoff.js';
import type { Clock } from '../../../base/clock.js';
import type { Log } from '../../../base/log.js';
import type { Incoming, Message } from '../../../chat/message.js';
import type { ChatMessage } from '../api/chat-message.js';
import type { OaClient } from '../api/oa.js';
import { catchUp, makeGroupCatchUp } from './catch-up.js';
import { type InTurn, makeTurns } from './turns.js';

/** A message may be listed later than another that is younger, ms. */
export const OUT_OF_ORDER_MS = 60_000;
/** Zalo tries an event again for two hours, then turns the webhook off: this is how long words wait at most then. */
const EVERY_MS = 180_000;

export interface RoundsOptions {
  client: OaClient;
  store: {
    /** up to when everything was heard, by Zalo's clock; null: never asked */
    heardUpTo(): Promise<number | null>;
    noteHeardUpTo(ms: number): Promise<void>;
    /** the groups that we are in */
    groupIds(): Promise<string[]>;
    /** the same of groups, by their id; those that were never asked for are missing */
    groupsHeardUpTo(): Promise<Record<string, number>>;
    noteGroupsHeardUpTo(marks: Record<string, number>): Promise<void>;
  };
  /** a listed message as the bot takes it; null for what is not for it. `groupId` null: the conversation with the OA */
  read: (given: ChatMessage, groupId: string | null) => Message | null;
  /** a message is taken; `id`: as what it is there, `fresh`: by this */
  accept: (incoming: Incoming) => Promise<{ id: string; fresh: boolean }>;
  log: Log;
  clock: Clock;
  signal: AbortSignal;
  pauses: { firstMs: number; mostMs: number };
  everyMs?: number | undefined;
  /** the OA has answered: first of all, and after each `wake` */
  onAccount: (oa: { name: string; id: string | null }) => Promise<void>;
  /** the webhook does not bring what people write */
  onMissed: () => Promise<void>;
  /** a round got through: everything up to here is heard, everywhere */
  onCaughtUp: (upToMs: number) => void;
}

export interface Rounds {
  /** Runs until the signal aborts. */
  run(): Promise<void>;
  /** Resolves when the first round has come to its end, or we stopped. */
  readonly begun: Promise<void>;
  /** A message came by the webhook. */
  heard(externalId: string): void;
  /** There are new tokens: the next try is made now. */
  wake(): void;
}

/**
 * Asks Zalo again and again what people wrote, since the webhook may be shut off without a word to us. Only a round that
 * got through moves the mark up to which everything was heard.
 */
export function makeRounds(options: RoundsOptions): Rounds {
  const { client, store, read, accept, log, clock, signal } = options;
  const catchUpGroups = makeGroupCatchUp({ client, read, accept, signal, log });
  let wake: () => void = () => {};
  /** who the OA is must be asked: it may be another one */
  let stale = true;
  let hasBegun: () => void = () => {};
  const begun = new Promise<void>((resolve) => {
    hasBegun = resolve;
  });
  /** found by the last round, and not brought by the webhook since */
  let awaited = new Set<string>();
  /** brought by the webhook while a round is under way */
  let brought: Set<string> | null = null;

  const rest = async (ms: number): Promise<void> => {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
      signal.addEventListener('abort', wake, { once: true });
    });
    // else an outage of days piles them up
    signal.removeEventListener('abort', wake);
  };

  /** Does it until it works or we stop. */
  async function persist(work: () => Promise<void>): Promise<void> {
    for (let tries = 1; !signal.aborted; tries += 1)
      try {
        return await work();
      } catch (error) {
        if (signal.aborted) return;
        const ms = backoffMs(tries, options.pauses.firstMs, options.pauses.mostMs);
        log.warn({ err: error, againInMs: Math.round(ms) }, 'Zalo was not reached, trying again');
        await rest(ms);
      }
  }

  async function greet(): Promise<void> {
    stale = false;
    const oa = await client.oa(signal).catch((error: unknown) => {
      stale = true;
      throw error;
    });
    log.info({ oa: oa.name, package: oa.package_name }, 'connected to Zalo');
    await options.onAccount({ name: oa.name, id: oa.oa_id ?? null });
  }

  /** @param heardMs for groups that were never asked for @param upToMs of what was asked for before them */
  async function groupRound(inTurn: InTurn, heardMs: number | null, upToMs: number) {
    const marks = await store.groupsHeardUpTo();
    const sinceMs = (id: string) => {
      const ms = marks[id] ?? heardMs;
      return ms === null ? null : ms - OUT_OF_ORDER_MS;
    };
    const ids = await store.groupIds();
    const done = await catchUpGroups(
      ids.map((id) => ({ id, sinceMs: sinceMs(id) })),
      inTurn,
    );
    const next: Record<string, number> = {};
    for (const id of ids) {
      const newestMs = done.marks.get(id);
      // it was asked for after the people: what it had not by then is newer than all of theirs
      const mark = newestMs === undefined ? marks[id] : Math.max(newestMs, upToMs, marks[id] ?? 0);
      if (mark !== undefined) next[id] = mark;
    }
    if (JSON.stringify(next) !== JSON.stringify(marks)) await store.noteGroupsHeardUpTo(next);
    return { ...done, upToMs: Math.min(upToMs, ...Object.values(next)) };
  }

  async function round(first: boolean): Promise<void> {
    brought = new Set();
    const inTurn = makeTurns(signal);
    const heardMs = await store.heardUpTo();
    const people = await catchUp({
      ...{ client, accept, inTurn, signal, log, nowMs: clock.now() },
      read: (given) => read(given, null),
      sinceMs: heardMs === null ? null : heardMs - OUT_OF_ORDER_MS,
    });
    // nobody ever wrote: whatever comes is new
    const mark = people.upToMs ?? heardMs ?? 0;
    if (mark !== heardMs) await store.noteHeardUpTo(mark);
    const groups = await groupRound(inTurn, heardMs, mark);
    options.onCaughtUp(groups.upToMs);
    const missed = [...people.missed, ...groups.missed];
    if (missed.length > 0) log.info({ messages: missed.length }, 'caught up with what was written to the OA');
    if (people.left || groups.left)
      log.warn('more was written to the OA meanwhile than can be caught up with');
    if (awaited.size > 0) await options.onMissed();
    // after an outage of ours Zalo may still be about to tell
    const ids = first ? [] : missed.map(({ externalId }) => externalId);
    awaited = new Set(ids.filter((id) => brought?.has(id) !== true));
    brought = null;
  }

  return {
    begun,
    heard(externalId) {
      awaited.delete(externalId);
      brought?.add(externalId);
    },
    wake() {
      stale = true;
      wake();
    },
    async run() {
      signal.addEventListener('abort', hasBegun, { once: true });
      for (let first = true; !signal.aborted; first = false) {
        if (stale) await persist(greet);
        await persist(() => round(first));
        hasBegun();
        if (!signal.aborted) await rest(options.everyMs ?? EVERY_MS);
      }
    },
  };
}
