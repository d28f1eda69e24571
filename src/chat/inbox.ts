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
import { type Door, makeDoor } from './door.js';
import { gather } from './gather.js';
import type { Incoming } from './message.js';

export interface InboxOptions {
  database: Database;
  clock: Clock;
  log: Log;
  counters: ChatCounters;
  /** Which of these go before all others? Asked once for each, when it is taken. */
  urgentAmong: (messages: readonly Incoming[]) => Promise<ReadonlySet<Incoming>>;
  /** Answers one; throws Interrupted when it is to be answered after the next start. */
  answer: (row: InboxRow, incoming: Incoming, urgent: boolean) => Promise<void>;
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
  door?: Door;
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
/** of the places at work everybody but the staff may take so much: one is always free for an officer */
const COMMON_SHARE = 0.75;
/** messages of everybody but the staff at work while the door is busy: taking waits for the queries of each */
const BUSY_AT_ONCE = 3;
/** before a message is tried again that failed for a reason of ours (the disk, the database) */
const AGAIN_MS = 1000;

interface Waiting {
  row: InboxRow;
  incoming: Incoming;
  urgent: boolean;
}

/** What waits in one chat, in the order in which it was written. */
interface ChatQueue {
  name: string;
  waiting: Waiting[];
  /** of what waits, so much is urgent: then what was said before it hurries too */
  urgent: number;
}

export function makeInbox(options: InboxOptions): Inbox {
  const { database, clock, log, counters } = options;
  const mostAtOnce = options.mostAtOnce ?? 16;
  const aloneMs = options.aloneMs ?? ALONE_MS;
  const mostCommon = Math.max(1, Math.floor(mostAtOnce * COMMON_SHARE));
  const put = gather(putAll, TOGETHER);
  const door = options.door ?? makeDoor();
  const chats = new Map<string, ChatQueue>();
  /** chats with something to answer in which nothing is being answered; who waits longest comes first */
  const ready = { urgent: new Set<ChatQueue>(), common: new Set<ChatQueue>() };
  const known = new Set<number>();
  const underWay = new Set<Promise<void>>();
  /** the rows of what is under way: counted as begun */
  const atWork = new Set<InboxRow>();
  const busy = new Set<ChatQueue>();
  let commonAtWork = 0;
  /** suspects for which a later look is arranged */
  const looks = new Set<number>();
  let suspects = 0;
  let looking = false;
  /** since when a suspect waits for the others to finish, steady ms */
  let heldUpMs: number | null = null;
  let startedMs = 0;
  /** what is run alone just now */
  let alone: Waiting | null = null;
  let running = false;
  let stopped = false;

  async function putAll(messages: { incoming: Incoming; row: NewIncoming }[]) {
    const rows = messages.map(({ row }) => row);
    const all = messages.map(({ incoming }) => incoming);
    const [taken, urgent] = await Promise.all([putIncoming(database, rows), urgentOf(all)]);
    return all.map((incoming, at) => ({ ...taken[at]!, urgent: urgent.has(incoming) }));
  }

  /** They are durable: not knowing who hurries is no reason to take them again. */
  const urgentOf = (messages: readonly Incoming[]): Promise<ReadonlySet<Incoming>> =>
    options.urgentAmong(messages).catch((error: unknown) => {
      log.error({ err: error }, 'who goes first was not found out');
      return new Set<Incoming>();
    });

  function enqueue(one: Waiting): void {
    const { row } = one;
    if (known.has(row.id)) return;
    known.add(row.id);
    options.onWaiting(row.id);
    const name = `${row.channel} ${row.chatId}`;
    let chat = chats.get(name);
    if (chat === undefined) {
      chat = { name, waiting: [], urgent: 0 };
      chats.set(name, chat);
    }
    let at = chat.waiting.length;
    while (at > 0 && chat.waiting[at - 1]!.row.id > row.id) at -= 1;
    chat.waiting.splice(at, 0, one);
    if (one.urgent) chat.urgent += 1;
    if (isSuspect(row)) suspects += 1;
    if (!busy.has(chat)) makeReady(chat);
  }

  function makeReady(chat: ChatQueue): void {
    const set = chat.urgent > 0 ? ready.urgent : ready.common;
    if (set === ready.urgent) ready.common.delete(chat);
    set.add(chat);
  }

  function pump(): void {
    if (!running || stopped || alone !== null || options.signal.aborted) return;
    const suspect = suspects === 0 ? null : dueSuspect();
    if (suspect !== null) {
      // the others finish first, and nothing new begins meanwhile
      if (mayBegin()) begin(suspect, true);
      return;
    }
    for (const chat of ready.urgent) {
      if (underWay.size >= mostAtOnce) return;
      if (!isSuspect(chat.waiting[0]!.row)) begin(chat, false);
    }
    const most = door.isBusy() ? Math.min(BUSY_AT_ONCE, mostCommon) : mostCommon;
    for (const chat of ready.common) {
      if (underWay.size >= mostAtOnce || commonAtWork >= mostCommon) return;
      if (commonAtWork >= most) return void lookAgain();
      if (!isSuspect(chat.waiting[0]!.row)) begin(chat, false);
    }
  }

  /** The door falls quiet without a word: those at work may take long, and the others need not wait for them. */
  function lookAgain(): void {
    if (looking) return;
    looking = true;
    setTimeout(() => {
      looking = false;
      pump();
    }, door.quietAfterMs).unref();
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

  /** The chat of a message to be run alone whose time has come; for others a later look is arranged. */
  function dueSuspect(): ChatQueue | null {
    for (const chat of [...ready.urgent, ...ready.common]) {
      const next = chat.waiting[0]!;
      if (!isSuspect(next.row)) continue;
      const afterMs = (options.aloneAfterMs ?? ALONE_AFTER_MS) * 2 ** (next.row.attempts - SUSPECT_AFTER);
      const waitMs = startedMs + afterMs - performance.now();
      if (waitMs <= 0) return chat;
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

  function begin(chat: ChatQueue, suspect: boolean): void {
    const next = chat.waiting[0]!;
    const common = ready.common.delete(chat);
    ready.urgent.delete(chat);
    busy.add(chat);
    if (common) commonAtWork += 1;
    if (suspect) alone = next;
    // what would kill the process has had its time: the others go on beside it
    const bound = suspect ? setTimeout(() => endAlone(next), aloneMs) : undefined;
    const free = () => {
      busy.delete(chat);
      if (chat.waiting.length > 0) makeReady(chat);
      else chats.delete(chat.name);
      pump();
    };
    const before = isSuspect(next.row);
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
        if (common) commonAtWork -= 1;
        clearTimeout(bound);
        if (alone === next) alone = null;
        suspects += Number(end === 'again' && isSuspect(next.row)) - Number(before);
        if (end === 'again') {
          setTimeout(free, AGAIN_MS).unref();
          return;
        }
        chat.waiting.shift();
        if (next.urgent) chat.urgent -= 1;
        known.delete(next.row.id);
        free();
      });
    underWay.add(work);
  }

  function endAlone(one: Waiting): void {
    if (alone !== one) return;
    alone = null;
    pump();
  }

  async function handle({ row, incoming, urgent }: Waiting): Promise<'over'> {
    if (row.attempts >= SET_ASIDE_AFTER) {
      counters.setAside += 1;
      await options.setAside(row, incoming);
    } else {
      await beginAttempt(database, row);
      atWork.add(row);
      try {
        await options.answer(row, incoming, urgent);
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
      door.knock();
      const incoming = normalise(given);
      const receivedMs = clock.now();
      const payload = JSON.stringify(incoming);
      const { channel, chatId, externalId } = incoming;
      const written = { channel, chatId, externalId, payload, receivedMs };
      const { inboxId, fresh, urgent } = await put({ incoming, row: written });
      if (!fresh) {
        counters.duplicates += 1;
        return { inboxId, fresh };
      }
      counters.accepted += 1;
      const row = { id: inboxId, channel, chatId, payload, receivedMs };
      enqueue({ row: { ...row, attempts: 0, rerun: false, progress: 0 }, incoming, urgent });
      pump();
      return { inboxId, fresh };
    },
    async load() {
      const rows = await waitingIncoming(database);
      const all = rows.map((row) => ({ row, incoming: JSON.parse(row.payload) as Incoming }));
      const urgent = await urgentOf(all.map(({ incoming }) => incoming));
      for (const { row, incoming } of all) enqueue({ row, incoming, urgent: urgent.has(incoming) });
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
