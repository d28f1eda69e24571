import { setTimeout as pause } from 'node:timers/promises';
import { DAY_MS } from '../base/clock.js';
import { pruneQueues } from '../store/inbox.js';
import { expireHeld, heldOutgoing, type OutboxRow, waitingOutgoing } from '../store/outbox.js';
import type { TellAbout } from './command.js';
import { type ChatCounters, makeCounters } from './counters.js';
import type { Digests } from './digest.js';
import { makeCode } from './dispatch.js';
import { type HearingOptions, makeHearing } from './hearing.js';
import { makeInbox } from './inbox.js';
import {
  type Channel,
  type ChannelName,
  type ChatAddress,
  type Incoming,
  placeOf,
  type Recipient,
  type Reply,
} from './message.js';
import { makeOutbox, type Outbox } from './outbox.js';
import { type MakeLink, type MakePreview, wholeKey, wordsOf } from './outgoing.js';
import type { Troubles } from './pass-on.js';
import { type Priority, priorityOf } from './priority.js';
import { reachPerson } from './reach.js';
import { setAside } from './sentences.js';
import { makeSpool } from './spool.js';
import { asReply, openMenuFor } from './talk.js';
import { makeTurns } from './turns.js';

export interface ChatOptions extends HearingOptions {
  channels: Channel[];
  /** folder for files on their way out; the chat's own */
  spoolDir: string;
  makeLink?: MakeLink;
  /** Makes a moving picture of a video for channels that play none. */
  makePreview?: MakePreview;
  /** kinds of messages that become a digest when they pile up; what is not named here becomes a plain list */
  digests?: Digests;
  digestOver?: number;
  /** Something for a person waits until they write; at each start again, as long as it does: use keys. */
  onHeld?: (held: Held, tell: Chat['tell']) => Promise<void>;
  /** A message went to the general topic of a group, as its own is gone. */
  onTopicGone?: (to: ChatAddress) => Promise<void>;
  /** chats that can't be written to */
  troubles?: Troubles;
  /** messages of different chats answered at the same time, 16 */
  mostAtOnce?: number;
  /** a message suspected of killing the process is run alone after so much life of the process, ms; 1000 */
  aloneAfterMs?: number;
  /** so long such a run holds up others, ms; 5000 */
  aloneMs?: number;
}

/** What waits for a person who can't be reached. */
export interface Held {
  personId: number;
  /** the key it was told under */
  key: string;
  text: string;
  /** what the person asked for; else something they were to be told */
  answer: boolean;
  createdMs: number;
}

export interface TellOptions extends TellAbout {
  /** put twice, sent once */
  key: string;
  priority: Priority;
}

/** The chat core: inbox, dispatcher and outbox behind the channels. Making it does nothing; `start` acts. */
export interface Chat {
  /** Takes a message or event; resolves when it is durably written down. Channels started by `start` use this. */
  accept(incoming: Incoming): Promise<{ inboxId: number; fresh: boolean }>;
  /** Answers what was left by the last run, sends what waits, starts the channels; aborting `signal` stops. */
  start(signal?: AbortSignal): Promise<void>;
  /** Stops channels, then inbox, then outbox; what is not done waits for the next start. At most about 7 s. */
  stop(): Promise<void>;
  /**
   * Says something durably to any chat, or to a person wherever they can be reached, not in answer to a message. False
   * when the key was used before.
   */
  tell(to: Recipient, reply: Reply | string, options: TellOptions): Promise<boolean>;
  /** Can this person be written to now? If not, what is told waits until they write. */
  reaches(personId: number): Promise<boolean>;
  /** A path for a file of a reply that will be told under this key; deleted when it has gone. */
  spoolFor(key: string, fileName: string): Promise<string>;
  /** Resolves when the message was handled and every reply to it has gone (or failed for good). */
  turnDone(inboxId: number): Promise<void>;
  /** Resolves when nothing is to be answered or sent. */
  drained(): Promise<void>;
  channel(name: ChannelName): Channel | undefined;
  /** Forgets answered messages older than `days`; the schedule calls it. */
  prune(days: number): Promise<number>;
  readonly counters: Readonly<ChatCounters>;
  waiting(): { inbox: number; outbox: number };
}

/** What is held for a person who does not write for so long is given up, days. */
const HELD_DAYS = 30;
/** parts of the time a service has to end, 8 s: what hangs in one must not take the others' */
const STOP_MS = { channels: 2000, inbox: 2500, outbox: 2500 };
const CHANNEL_RETRY_MS = 10_000;

export function makeChat(options: ChatOptions): Chat {
  const { database, clock, log } = options;
  const channels = new Map(options.channels.map((channel) => [channel.name, channel]));
  const counters = makeCounters();
  const spool = makeSpool(options.spoolDir);
  const stopping = new AbortController();
  const turns = makeTurns((inboxId) =>
    spool.cleanInbox(inboxId).catch((error) => log.warn({ err: error }, 'the spool was not cleaned')),
  );
  let drainWaiters: (() => void)[] = [];
  const toOthers = (row: OutboxRow) => row.key.startsWith(`${row.inboxId}:to:`);

  const outbox: Outbox = makeOutbox({
    database,
    clock,
    log,
    channels,
    spool,
    counters,
    ...(options.makeLink === undefined ? {} : { makeLink: options.makeLink }),
    ...(options.makePreview === undefined ? {} : { makePreview: options.makePreview }),
    ...(options.digests === undefined ? {} : { digests: options.digests }),
    ...(options.digestOver === undefined ? {} : { digestOver: options.digestOver }),
    ...(options.troubles === undefined ? {} : { troubles: options.troubles }),
    onWaiting(row) {
      if (row.inboxId !== null) turns.waiting(row.inboxId, toOthers(row));
    },
    async onAddressed(to, reply) {
      const channel = channels.get(to.channel);
      if (channel !== undefined) await openMenuFor(database, to, reply, channel, clock);
    },
    async onHeld(row, reply) {
      log.warn(
        { outbox: row.id, key: row.key, personId: row.personId },
        'held: the person cannot be reached',
      );
      const held = {
        ...{ personId: row.personId!, key: wholeKey(row.key), createdMs: row.createdMs },
        ...{ text: wordsOf(reply), answer: /answer$/.test(priorityOf(row.priority)) },
      };
      await options.onHeld?.(held, chat.tell);
    },
    ...(options.onTopicGone === undefined ? {} : { onTopicGone: options.onTopicGone }),
    async onSettled(row) {
      if (row.inboxId !== null) await turns.settled(row.inboxId, toOthers(row));
      lookDrained();
    },
  });

  const hearing = makeHearing({ ...options, channels, outbox, spool, counters, signal: stopping.signal });
  const inbox = makeInbox({
    database,
    clock,
    log,
    counters,
    signal: stopping.signal,
    onWaiting: (inboxId) => turns.began(inboxId),
    ...(options.mostAtOnce === undefined ? {} : { mostAtOnce: options.mostAtOnce }),
    ...(options.aloneAfterMs === undefined ? {} : { aloneAfterMs: options.aloneAfterMs }),
    ...(options.aloneMs === undefined ? {} : { aloneMs: options.aloneMs }),
    urgentAmong: hearing.urgentAmong,
    answer: (row, incoming, urgent) =>
      incoming.kind === 'event' ? hearing.takeEvent(row, incoming) : hearing.answer(row, incoming, urgent),
    async setAside(row, incoming) {
      const code = makeCode();
      log.error({ inbox: row.id, attempts: row.attempts, code }, 'a message that crashed us is set aside');
      if (incoming.kind === 'message' && incoming.addressed)
        await outbox.put({
          to: placeOf(incoming),
          reply: { kind: 'text', text: setAside(code) },
          key: `${row.id}:aside`,
          priority: 'answer',
          inboxId: row.id,
        });
    },
    async onDone(inboxId) {
      await turns.handled(inboxId);
      // after the inbox itself has let go of it
      setImmediate(lookDrained);
    },
  });

  const idle = () => inbox.waiting() === 0 && outbox.waiting() === 0;
  function lookDrained(): void {
    if (drainWaiters.length === 0 || !idle()) return;
    const waiters = drainWaiters;
    drainWaiters = [];
    for (const waiter of waiters) waiter();
  }

  async function startChannel(channel: Channel): Promise<void> {
    while (!stopping.signal.aborted)
      try {
        await channel.start(chat.accept);
        log.info({ channel: channel.name }, 'the channel is open');
        return;
      } catch (error) {
        log.error({ err: error, channel: channel.name }, 'the channel did not start, trying again');
        await pause(CHANNEL_RETRY_MS, undefined, { signal: stopping.signal }).catch(() => {});
      }
  }

  let stopped: Promise<void> | null = null;
  /** @param why a ServiceFault: what is under way counts as a crash */
  function stop(why?: unknown): Promise<void> {
    stopped ??= (async () => {
      stopping.abort(why);
      const closed = Promise.allSettled(options.channels.map((channel) => channel.stop()));
      await Promise.race([closed, pause(STOP_MS.channels, undefined, { ref: false })]);
      await inbox.stop(STOP_MS.inbox);
      await outbox.stop(STOP_MS.outbox);
    })();
    return stopped;
  }

  const chat: Chat = {
    async accept(incoming) {
      const taken = await inbox.accept(await hearing.asAddressed(incoming));
      if (taken.fresh) outbox.wake(incoming.channel);
      return taken;
    },
    async start(signal) {
      signal?.addEventListener('abort', () => void stop(signal.reason));
      // the messages first: a folder in the spool stays while its message may still be run
      const messages = await inbox.load();
      const rows = [
        ...(await waitingOutgoing(database, [...channels.keys()])),
        ...(await heldOutgoing(database)),
      ];
      await spool.cleanLeftovers({
        inboxIds: new Set([
          ...messages,
          ...rows.flatMap((row) => (row.inboxId === null ? [] : [row.inboxId])),
        ]),
        keys: new Set(rows.filter((row) => row.inboxId === null).map((row) => wholeKey(row.key))),
      });
      await outbox.start();
      inbox.start();
      // one channel that can't start never holds up another
      const first = options.channels.map((channel) => startChannel(channel));
      await Promise.race([Promise.all(first), new Promise((resolve) => setTimeout(resolve, 2000).unref())]);
    },
    stop: () => stop(),
    async tell(to, given, { key, priority, ...about }) {
      const reply = asReply(given);
      const channel = 'personId' in to ? undefined : channels.get(to.channel);
      if (channel !== undefined) await openMenuFor(database, to as ChatAddress, reply, channel, clock);
      return outbox.put({ to, reply, key, priority, inboxId: null, ...about });
    },
    spoolFor: (key, fileName) => spool.forKey(key, fileName),
    turnDone: (inboxId) => turns.done(inboxId),
    drained: () =>
      idle() ? Promise.resolve() : new Promise<void>((resolve) => void drainWaiters.push(resolve)),
    channel: (name) => channels.get(name),
    async prune(days) {
      const nowMs = clock.now();
      const given = await expireHeld(database, nowMs - HELD_DAYS * DAY_MS, nowMs);
      for (const key of given) await spool.cleanKey(wholeKey(key));
      return pruneQueues(database, nowMs - days * DAY_MS);
    },
    reaches: async (personId) => (await reachPerson(database, channels, personId, clock.now())).length > 0,
    counters,
    waiting: () => ({ inbox: inbox.waiting(), outbox: outbox.waiting() }),
  };
  return chat;
}
