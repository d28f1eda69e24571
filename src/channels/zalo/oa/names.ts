import PQueue from 'p-queue';
import { cleanName } from '../../../base/clean-text.js';
import type { Log } from '../../../base/log.js';
import type { OaClient } from '../api/oa.js';

export interface NamesOptions {
  client: OaClient;
  log: Log;
  nameAccount: (userId: string, name: string) => Promise<void>;
  nameGroup: (groupId: string, name: string) => Promise<void>;
}

/** At most so many are remembered as asked for; then all are asked for again in time. */
const REMEMBERED = 5000;

/** Names share the minute's calls with the answers: when a crowd of new people writes they must not use them up. */
const PER_MINUTE = 20;

/** Events bring no names: each person and group is asked for once, beside the talk, and named in the store. */
export function makeNames({ client, log, nameAccount, nameGroup }: NamesOptions) {
  const queue = new PQueue({ concurrency: 1, interval: 60_000, intervalCap: PER_MINUTE });
  const asked = new Set<string>();
  const ask = (key: string, work: (signal: AbortSignal) => Promise<void>, signal: AbortSignal) => {
    if (asked.has(key) || signal.aborted) return;
    if (asked.size >= REMEMBERED) asked.clear();
    asked.add(key);
    void queue
      .add(() => work(signal))
      .catch((error: unknown) => {
        // the next message asks again
        asked.delete(key);
        if (!signal.aborted) log.debug({ err: error }, 'Zalo did not tell a name');
      });
  };
  return {
    person: (userId: string, signal: AbortSignal) =>
      ask(
        `person ${userId}`,
        async () => {
          const name = cleanName((await client.person(userId, signal)).display_name);
          if (name !== '') await nameAccount(userId, name);
        },
        signal,
      ),
    group: (groupId: string, signal: AbortSignal) =>
      ask(
        `group ${groupId}`,
        async () => {
          const name = cleanName((await client.group(groupId, signal)).name ?? '');
          if (name !== '') await nameGroup(groupId, name);
        },
        signal,
      ),
    settled: () => queue.onIdle(),
    /** Asks for no more names; resolves when none is being asked for. */
    stop() {
      queue.clear();
      return queue.onIdle();
    },
  };
}
