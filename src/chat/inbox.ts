import type { Clock } from '../base/clock.js';
import type { Log } from '../base/log.js';
import type { Database } from '../store/database.js';
import {
  beginAttempt,
  finishIncoming,
  type InboxRow,
  putIncoming,
  waitingIncoming,
  withdrawAttempt,
} from '../store/inbox.js';
import type { ChatCounters } from './counters.js';
import { Interrupted } from './dispatch.js';
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
  /** aborted when the service stops: nothing new is begun */
  signal: AbortSignal;
  /** messages of different chats answered at the same time */
  mostAtOnce?: number;
}

/**
 * Takes every message once and answers them in order within a chat, side by side across chats. What was not answered
 * when the process died is answered after the next start. A message that took the process down with it is run alone
 * the third time, and set aside if the process dies again.
 */
export interface Inbox {
  /** Resolves when the message is durably written down. */
  accept(incoming: Incoming): Promise<{ inboxId: number; fresh: boolean }>;
  start(): Promise<void>;
  waiting(): number;
  /** No new work; waits for the work under way, at most `deadlineMs`. */
  stop(deadlineMs: number): Promise<void>;
}

const CRASHES_ALLOWED = 3;
/** before a message is tried again that failed for a reason of ours (the disk, the database) */
const AGAIN_MS = 1000;

interface Waiting {
  row: InboxRow;
  incoming: Incoming;
}

export function makeInbox(options: InboxOptions): Inbox {
  const { database, clock, log, counters } = options;
  const mostAtOnce = options.mostAtOnce ?? 16;
  const chats = new Map<string, Waiting[]>();
  const busy = new Set<string>();
  const known = new Set<number>();
  const underWay = new Set<Promise<void>>();
  let alone = false;
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
    if (!running || stopped || alone || options.signal.aborted) return;
    for (const [chat, queue] of chats) {
      if (underWay.size >= mostAtOnce) return;
      if (busy.has(chat)) continue;
      const next = queue[0];
      if (next === undefined) {
        chats.delete(chat);
        continue;
      }
      const suspect = next.row.attempts >= CRASHES_ALLOWED - 1;
      if (suspect && underWay.size > 0) {
        // let the others finish first, and begin nothing new meanwhile
        return;
      }
      begin(chat, queue, next, suspect);
      if (suspect) return;
    }
  }

  function begin(chat: string, queue: Waiting[], next: Waiting, suspect: boolean): void {
    busy.add(chat);
    alone = suspect;
    const work = handle(next)
      .catch((error) => {
        log.error({ err: error, inbox: next.row.id }, 'the inbox stumbled');
        // set aside already, and even that failed: it stays in the store for the next start
        if (next.row.attempts >= CRASHES_ALLOWED) return 'over' as const;
        next.row.attempts += 1;
        return 'again' as const;
      })
      .then(async (end) => {
        underWay.delete(work);
        if (suspect) alone = false;
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

  async function handle({ row, incoming }: Waiting): Promise<'over'> {
    if (row.attempts >= CRASHES_ALLOWED) {
      counters.setAside += 1;
      await options.setAside(row, incoming);
    } else {
      await beginAttempt(database, row.id);
      try {
        await options.answer(row, incoming);
      } catch (error) {
        if (!(error instanceof Interrupted)) throw error;
        await withdrawAttempt(database, row.id);
        return 'over';
      }
    }
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
      const { inboxId, fresh } = await putIncoming(
        database,
        { channel, chatId, externalId, payload },
        receivedMs,
      );
      if (!fresh) {
        counters.duplicates += 1;
        return { inboxId, fresh };
      }
      counters.accepted += 1;
      enqueue({ id: inboxId, channel, chatId, payload, receivedMs, attempts: 0 }, incoming);
      pump();
      return { inboxId, fresh };
    },
    async start() {
      for (const row of await waitingIncoming(database)) enqueue(row, JSON.parse(row.payload) as Incoming);
      running = true;
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
    },
  };
}

const normalise = (incoming: Incoming): Incoming =>
  incoming.kind === 'event'
    ? incoming
    : {
        ...incoming,
        // what people say to each other in a group is none of our business, and is not kept
        text: incoming.addressed ? incoming.text.normalize('NFC') : '',
        attachments: incoming.addressed ? incoming.attachments : [],
        sender: { ...incoming.sender, name: incoming.sender.name.normalize('NFC') },
      };
