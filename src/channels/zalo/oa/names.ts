import { setTimeout as pause } from 'node:timers/promises';
import PQueue from 'p-queue';
import { cleanName } from '../../../base/clean-text.js';
import type { Log } from '../../../base/log.js';
import type { OaClient } from '../api/oa.js';
import { makeMinuteBudget } from './budget.js';

export interface NamesOptions {
  client: Pick<OaClient, 'person' | 'group'>;
  log: Log;
  /** false: there is no such account (yet) */
  nameAccount: (userId: string, name: string) => Promise<boolean>;
  nameGroup: (groupId: string, name: string) => Promise<boolean>;
  signal: AbortSignal;
}

/** At most so many are remembered as known; then all are asked for again in time. */
const REMEMBERED = 5000;
/** Who is to be greeted does not wait longer, ms. */
const SOON_MS = 3000;
/** Answers go by the same calls a minute. */
const PER_MINUTE = 20;

export interface Names {
  /** Asks beside the talk, once; remembered when it stands in the store. */
  person(userId: string): void;
  group(groupId: string): void;
  /** It has another name now. */
  groupChanged(groupId: string): void;
  /** How somebody is called, within seconds; null when Zalo does not tell. */
  personNow(userId: string): Promise<string | null>;
  settled(): Promise<void>;
}

/** Events bring no names: each person and group is asked for, and named in the store. */
export function makeNames({ client, log, nameAccount, nameGroup, signal }: NamesOptions): Names {
  const queue = new PQueue({ concurrency: 2 });
  const budget = makeMinuteBudget(PER_MINUTE);
  const known = new Set<string>();
  const asking = new Map<string, Promise<string>>();
  const learning = new Set<Promise<unknown>>();

  /** One question at a time for each; refused at once when the minute is used up, not after a wait in the queue. */
  async function ask(
    key: string,
    question: () => Promise<string | undefined>,
    priority = 0,
  ): Promise<string> {
    const under = asking.get(key);
    if (under !== undefined) return under;
    budget.take(false);
    const asked = queue
      .add(async () => cleanName((await question()) ?? ''), { priority })
      .then((name) => name ?? '')
      .finally(() => asking.delete(key));
    asking.set(key, asked);
    return asked;
  }

  function learn(key: string, asked: Promise<string>, store: (name: string) => Promise<boolean>) {
    const work = (async () => {
      try {
        const name = await asked;
        if (name === '') return null;
        if (await store(name)) {
          if (known.size >= REMEMBERED) known.clear();
          known.add(key);
        }
        return name;
      } catch (error) {
        // the next message asks again
        if (!signal.aborted) log.debug({ err: error }, 'Zalo did not tell a name');
        return null;
      }
    })();
    learning.add(work);
    void work.finally(() => learning.delete(work));
    return work;
  }

  const learnPerson = (userId: string, priority?: number) => {
    const key = `person ${userId}`;
    const question = async () => (await client.person(userId, signal)).display_name;
    return learn(key, ask(key, question, priority), (name) => nameAccount(userId, name));
  };
  const learnGroup = (groupId: string) => {
    const key = `group ${groupId}`;
    const question = async () => (await client.group(groupId, signal)).name;
    return learn(key, ask(key, question), (name) => nameGroup(groupId, name));
  };

  return {
    person(userId) {
      if (!known.has(`person ${userId}`) && !signal.aborted) void learnPerson(userId);
    },
    group(groupId) {
      if (!known.has(`group ${groupId}`) && !signal.aborted) void learnGroup(groupId);
    },
    groupChanged(groupId) {
      known.delete(`group ${groupId}`);
      if (!signal.aborted) void learnGroup(groupId);
    },
    async personNow(userId) {
      if (signal.aborted) return null;
      return Promise.race([learnPerson(userId, 1), pause(SOON_MS, null, { ref: false })]);
    },
    async settled() {
      await Promise.allSettled([...learning]);
    },
  };
}
