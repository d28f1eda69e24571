import { cleanName, cleanText } from '../base/clean-text.js';
import type { Clock } from '../base/clock.js';
import { type Log, redact } from '../base/log.js';
import { ServiceFault } from '../base/service.js';
import type { Database } from '../store/database.js';
import {
  beginAttempt,
  finishIncoming,
  type InboxRow,
  type NewIncoming,
  putIncoming,
  waitingIncoming,
  withdrawAttempt,
} from '../store/inbox.js';
import { cleanMessage } from '../store/scrub.js';
import type { ChatCounters } from './counters.js';
import { Interrupted } from './dispatch.js';
import { gather } from './gather.js';
import type { Incoming } from './message.js';

export interface InboxOptions {
  database: Database;
  clock: Clock;
  log: Log;
  counters: ChatCounters;
  /** Answers one; throws Interrupted when it is to be answered after the next start. */
  answer: (row: InboxRow, incoming: Incoming) => Promise<void>;
  /** Says that a message is set aside. */
  setAside: (row: InboxRow, incoming: Incoming) => Promise<void>;
  /** the message is done, its row says so */
  onDone: (inboxId: number) => Promise<void>;
  /** a message was taken that is to be answered */
  onWaiting: (inboxId: number) => void;
  /** aborted when the service stops, with a ServiceFault when that is why: nothing new is begun */
  signal: AbortSignal;
  /** messages of different chats answered at the same time */
  mostAtOnce?: number;
  aloneAfterMs?: number;
  aloneMs?: number;
}

/**
 * Takes every message once and answers them in order within a chat, side by side across chats. What was not answered
 * when the process died is answered after the next start.
 *
 * A message may itself be what kills the process. Dying in company proves nothing against it, nor does dying right
 * after the start: a run that got no further twice is repeated alone, once the process has lived for a while, and a
 * message during whose lonely runs the process died three times is set aside with an apology. A lonely run keeps the
 * others waiting for some seconds, not longer; an orderly stop counts for nothing.
 */
export interface Inbox {
  /** Resolves when the message is durably written down. */
  accept(incoming: Incoming): Promise<{ inboxId: number; fresh: boolean }>;
  /** Queues what an earlier life left; returns the ids. Before `start`. */
  load(): Promise<number[]>;
  start(): void;
  waiting(): number;
  /** No new work; waits for the work under way, at most `deadlineMs`. What is not done then was not begun, either. */
  stop(deadlineMs: number): Promise<void>;
}

/** so many runs that got no further: from then on it is run alone */
const SUSPECT_AFTER = 2;
const SET_ASIDE_AFTER = SUSPECT_AFTER + 3;
/** how long the process must have lived before the first lonely run; doubled for each further one */
const ALONE_AFTER_MS = 1000;
/** so long a message that is to be run alone holds up others: first until they are done, then while it is run */
const ALONE_MS = 5000;
/** messages written down in one transaction */
const TOGETHER = 100;
/** before a message is tried again that failed for a reason of ours (the disk, the database) */
const AGAIN_MS = 1000;

interface Waiting {
  row: InboxRow;
  incoming: Incoming;
}

export function makeInbox(options: InboxOptions): Inbox {
  const { database, clock, log, counters } = options;
  const mostAtOnce = options.mostAtOnce ?? 16;
  const aloneMs = options.aloneMs ?? ALONE_MS;
  const put = gather((messages: NewIncoming[]) => putIncoming(database, messages), TOGETHER);
  const chats = new Map<string, Waiting[]>();
  const busy = new Set<string>();
  const known = new Set<number>();
  const underWay = new Set<Promise<void>>();
  /** the rows of what is under way: counted as begun */
  const atWork = new Set<InboxRow>();
  /** suspects for which a later look is arranged */
  const looks = new Set<number>();
  /** since when a suspect waits for the others to finish, steady ms */
  let heldUpMs: number | null = null;
  let startedMs = 0;
  /** what is run alone just now */
  let alone: Waiting | null = null;
  let running = false;
  let stopped = false;

  function enqueue(row: InboxRow, incoming: Incoming): void {
    if (known.has(row.id)) return;
    known.add(row.id);
    options.onWaiting(row.id);
    const chat = `${row.channel} ${row.chatId}`;
    const queue = chats.get(chat);
    if (queue === undefined) chats.set(chat, [{ row, incoming }]);
    else {
      let at = queue.length;
      while (at > 0 && queue[at - 1]!.row.id > row.id) at -= 1;
      queue.splice(at, 0, { row, incoming });
    }
  }

  function pump(): void {
    if (!running || stopped || alone !== null || options.signal.aborted) return;
    const suspect = dueSuspect();
    if (suspect !== null) {
      // the others finish first, and nothing new begins meanwhile
      if (mayBegin()) begin(...suspect, true);
      return;
    }
    for (const [chat, queue] of chats) {
      if (underWay.size >= mostAtOnce) return;
      if (queue.length === 0 && !busy.has(chat)) chats.delete(chat);
      const next = queue[0];
      if (next !== undefined && !busy.has(chat) && !isSuspect(next.row)) begin(chat, queue, next, false);
    }
  }

  /** Is it a suspect's turn? One of the others may hang, and must not hold up everybody. */
  function mayBegin(): boolean {
    const now = performance.now();
    if (underWay.size > 0 && heldUpMs === null) {
      heldUpMs = now;
      setTimeout(pump, aloneMs + 1).unref();
    }
    if (underWay.size > 0 && now - (heldUpMs ?? now) < aloneMs) return false;
    heldUpMs = null;
    return true;
  }

  /** A fault of ours ends the process in order, too; but what was under way may have been its cause. */
  const orderly = () => !(options.signal.reason instanceof ServiceFault);

  const isSuspect = ({ attempts }: InboxRow) => attempts >= SUSPECT_AFTER && attempts < SET_ASIDE_AFTER;

  /** A message to be run alone whose time has come; for others a later look is arranged. */
  function dueSuspect(): [string, Waiting[], Waiting] | null {
    for (const [chat, queue] of chats) {
      const next = queue[0];
      if (next === undefined || busy.has(chat) || !isSuspect(next.row)) continue;
      const afterMs = (options.aloneAfterMs ?? ALONE_AFTER_MS) * 2 ** (next.row.attempts - SUSPECT_AFTER);
      const waitMs = startedMs + afterMs - performance.now();
      if (waitMs <= 0) return [chat, queue, next];
      if (!looks.has(next.row.id)) {
        looks.add(next.row.id);
        setTimeout(() => {
          looks.delete(next.row.id);
          pump();
        }, waitMs + 1).unref();
      }
    }
    return null;
  }

  function begin(chat: string, queue: Waiting[], next: Waiting, suspect: boolean): void {
    busy.add(chat);
    if (suspect) alone = next;
    // what would kill the process has had its time: the others go on beside it
    const bound = suspect ? setTimeout(() => endAlone(next), aloneMs) : undefined;
    const work = handle(next)
      .catch((error) => {
        log.error({ err: error, inbox: next.row.id }, 'the inbox stumbled');
        // set aside already, and even that failed: it stays in the store for the next start
        if (next.row.attempts >= SET_ASIDE_AFTER) return 'over' as const;
        next.row.attempts += 1;
        next.row.rerun = true;
        return 'again' as const;
      })
      .then(async (end) => {
        underWay.delete(work);
        clearTimeout(bound);
        if (alone === next) alone = null;
        if (end === 'again') {
          setTimeout(() => {
            busy.delete(chat);
            pump();
          }, AGAIN_MS).unref();
          return;
        }
        queue.shift();
        known.delete(next.row.id);
        busy.delete(chat);
        pump();
      });
    underWay.add(work);
  }

  function endAlone(one: Waiting): void {
    if (alone !== one) return;
    alone = null;
    pump();
  }

  async function handle({ row, incoming }: Waiting): Promise<'over'> {
    if (row.attempts >= SET_ASIDE_AFTER) {
      counters.setAside += 1;
      await options.setAside(row, incoming);
    } else {
      await beginAttempt(database, row);
      atWork.add(row);
      try {
        await options.answer(row, incoming);
      } catch (error) {
        if (!(error instanceof Interrupted)) throw error;
        if (orderly()) await withdrawAttempt(database, row);
        return 'over';
      } finally {
        atWork.delete(row);
      }
    }
    // a camera's address, whoever sent it and whatever became of it: its password is not kept
    if (incoming.kind === 'message' && redact(incoming.text) !== incoming.text)
      await cleanMessage(database, row.id, redact);
    await finishIncoming(database, row.id, clock.now());
    counters.handled += 1;
    await options.onDone(row.id);
    return 'over';
  }

  return {
    async accept(given) {
      const incoming = normalise(given);
      const receivedMs = clock.now();
      const payload = JSON.stringify(incoming);
      const { channel, chatId, externalId } = incoming;
      const { inboxId, fresh } = await put({ channel, chatId, externalId, payload, receivedMs });
      if (!fresh) {
        counters.duplicates += 1;
        return { inboxId, fresh };
      }
      counters.accepted += 1;
      enqueue(
        { id: inboxId, channel, chatId, payload, receivedMs, attempts: 0, rerun: false, progress: 0 },
        incoming,
      );
      pump();
      return { inboxId, fresh };
    },
    async load() {
      const rows = await waitingIncoming(database);
      for (const row of rows) enqueue(row, JSON.parse(row.payload) as Incoming);
      return rows.map((row) => row.id);
    },
    start() {
      running = true;
      startedMs = performance.now();
      pump();
    },
    waiting: () => known.size,
    async stop(deadlineMs) {
      stopped = true;
      let timer: NodeJS.Timeout | undefined;
      const deadline = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, deadlineMs);
      });
      await Promise.race([Promise.allSettled([...underWay]), deadline]);
      clearTimeout(timer);
      // what has not come to an end is no crash either
      if (orderly()) await Promise.all([...atWork].map((row) => withdrawAttempt(database, row)));
    },
  };
}

const normalise = (incoming: Incoming): Incoming => {
  const title = incoming.chatTitle === undefined ? {} : { chatTitle: cleanName(incoming.chatTitle) };
  if (incoming.kind === 'event') return { ...incoming, ...title };
  return {
    ...incoming,
    ...title,
    // what people say to each other in a group is none of our business, and is not kept
    text: incoming.addressed ? cleanText(incoming.text) : '',
    attachments: incoming.addressed
      ? incoming.attachments.map((one) =>
          one.fileName === undefined ? one : { ...one, fileName: cleanName(one.fileName) },
        )
      : [],
    sender: { ...incoming.sender, name: cleanName(incoming.sender.name) },
  };
};
