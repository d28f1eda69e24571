import fs from 'node:fs/promises';
import type { Clock } from '../base/clock.js';
import { WorldError } from '../base/errors.js';
import type { Log } from '../base/log.js';
import type { Database } from '../store/database.js';
import {
  countWaitingElsewhere,
  heldOutgoing,
  holdsFor,
  markFailed,
  markSent,
  mergeOutgoing,
  type NewOutgoing,
  type OutboxRow,
  putEach,
  putOutgoing,
  waitingOutgoing,
} from '../store/outbox.js';
import { groupChatIds, moveChat, purposeOf } from '../store/speakers.js';
import type { TellAbout } from './command.js';
import type { ChatCounters } from './counters.js';
import { type Digests, digestWith, PLAIN_DIGEST } from './digest.js';
import { gather } from './gather.js';
import { addressOf, type Lane, type Line, makeLine, weightOf } from './lines.js';
import type { Channel, ChannelName, ChatAddress, Recipient, Reply, Sent } from './message.js';
import { makeNotSent } from './not-sent.js';
import {
  filesOf,
  filesPresent,
  type MakeLink,
  type MakePreview,
  type Only,
  type OutPayload,
  partKey,
  readPayload,
  wholeKey,
  withoutTokens,
} from './outgoing.js';
import type { Troubles } from './pass-on.js';
import { PRIORITY, type Priority } from './priority.js';
import { rightsEnded } from './sentences.js';
import type { Spool } from './spool.js';
import { stillHolds } from './still-holds.js';

export interface Outgoing extends TellAbout {
  /** a chat, or a person wherever they can be reached */
  to: Recipient;
  reply: Reply;
  /** its files are another message's: they are copied */
  ownFiles?: true;
  /** put twice, sent once */
  key: string;
  priority: Priority;
  inboxId: number | null;
  replaces?: string;
  /** what must still be true when it goes, however long it waited; left out: an officers' group must still be one */
  only?: Only;
}

export interface OutboxOptions {
  database: Database;
  clock: Clock;
  log: Log;
  channels: ReadonlyMap<ChannelName, Channel>;
  spool: Spool;
  counters: ChatCounters;
  makeLink?: MakeLink;
  makePreview?: MakePreview;
  /** kinds of digests; what is not named here becomes a plain list */
  digests?: Digests;
  /** more than so many waiting messages of one digest kind to one chat are merged */
  digestOver?: number;
  /** monotonic milliseconds, for waiting */
  elapsedMs?: () => number;
  /** a row was written that still has to go */
  onWaiting: (row: OutboxRow) => void;
  /** a row will not be sent any more: it was sent, failed, or merged; or it is held */
  onSettled: (row: OutboxRow) => Promise<void>;
  /** something for a person goes to this chat of theirs */
  onAddressed?: (to: ChatAddress, reply: Reply) => Promise<void>;
  /** a person can't be reached; told at each start again, as long as it is so */
  onHeld?: (row: OutboxRow, reply: Reply) => Promise<void>;
  /** a message went to the group's general topic, as its own is gone */
  onTopicGone?: (to: ChatAddress) => Promise<void>;
  /** chats that can't be written to; left out: what was meant for a group is given up */
  troubles?: Troubles;
}

/**
 * Sends what must arrive: the most urgent first (`PRIORITY`), by age within one of these; one at a time per chat, at the
 * pace the channel allows. A row is marked sent right after the channel has taken it: killed in between, the
 * service sends that one again after its restart. That is the only duplicate there can be. To keep it at one per kill,
 * words and small pictures go one at a time per channel; only uploads, which take long, go a few side by side.
 *
 * What is meant for a person goes to one of their chats (`reachable`). Where that turns out to be closed, or its platform
 * does not answer, it goes to the next; where there is none it is held until the person writes.
 */
export interface Outbox {
  /** Writes a message down and starts it on its way; false when its key was put before. Throws when it is empty. */
  put(outgoing: Outgoing): Promise<boolean>;
  start(): Promise<void>;
  /** The platform was heard from: what waits for the network is tried now. */
  wake(channel: ChannelName): void;
  moveChat(channel: ChannelName, from: string, to: string): Promise<void>;
  noteGroup(channel: ChannelName, chatId: string): void;
  /** The person was heard: what was held for them goes. */
  release(personId: number): Promise<void>;
  /** May a message that need not arrive (progress) go right now? Takes its place in the rates if so. */
  spare(to: ChatAddress): boolean;
  waiting(): number;
  /** Waits for what is just being sent, at most `deadlineMs`. */
  stop(deadlineMs: number): Promise<void>;
}

/** files of a reply larger than this, together, make it an upload */
const UPLOAD_BYTES = 64_000;
/** messages written down in one statement */
const TOGETHER = 50;
const AT_ONCE = { words: 1, upload: 4 };

const loadOf = (row: OutboxRow): keyof typeof AT_ONCE =>
  weightOf(row).bytes > UPLOAD_BYTES ? 'upload' : 'words';

export function makeOutbox(options: OutboxOptions): Outbox {
  const { database, clock, log, channels, spool, counters } = options;
  const elapsed = options.elapsedMs ?? (() => performance.now());
  const digestOver = options.digestOver ?? 5;
  const lines = new Map<ChannelName, Line>();
  for (const channel of channels.values()) lines.set(channel.name, makeLine(channel, options.digests));
  let running = false;
  let stopped = false;
  const underWay = new Set<Promise<void>>();
  const { failed, redirect, prepareFor, reach } = makeNotSent({
    ...{ options, lines, elapsed, pump, put, settle, merge, move },
    stopped: () => stopped,
  });

  function pump(line: Line): void {
    if (!running || stopped) return;
    clearTimeout(line.timer);
    const now = elapsed();
    let nextMs = Number.POSITIVE_INFINITY;
    for (const { lane, row } of line.ready(now)) {
      const load = loadOf(row);
      if (line.sending[load] >= AT_ONCE[load]) continue;
      const waitMs = line.waitMs(lane, row, now);
      if (waitMs > 0) {
        nextMs = Math.min(nextMs, now + waitMs);
        continue;
      }
      line.take(lane, row, now);
      lane.busy = true;
      line.sending[load] += 1;
      const work = deliver(line, lane, row)
        .catch((error) => log.error({ err: error, outbox: row.id }, 'the outbox stumbled'))
        .finally(() => {
          lane.busy = false;
          line.sending[load] -= 1;
          underWay.delete(work);
          pump(line);
        });
      underWay.add(work);
    }
    nextMs = Math.min(nextMs, line.nextWakeMs(now));
    if (Number.isFinite(nextMs))
      line.timer = setTimeout(() => pump(line), Math.min(60_000, Math.max(1, nextMs - now)));
  }

  async function deliver(line: Line, lane: Lane, first: OutboxRow): Promise<void> {
    const row = first.digest === null ? first : await merge(lane, first);
    const payload = readPayload(row.payload);
    const to = addressOf(line, lane, payload);
    let sent: Sent;
    try {
      if (!(await stillHolds(database, to, payload.only ?? {}))) return await withhold(line, lane, row);
      if (!(await filesPresent(payload.reply))) throw new WorldError('not-found', 'a file to send is gone');
      sent = await line.channel.send(to, payload.reply, {
        ...(payload.replaces === undefined ? {} : { replaces: payload.replaces }),
        ...(row.inboxId === null ? {} : { inboxId: row.inboxId }),
      });
    } catch (error) {
      await failed(line, lane, row, payload, error);
      return;
    }
    counters.sent += 1;
    lane.remove(row);
    await untilRecorded(() => markSent(database, row.id, sent.ids, withoutTokens(row.payload), clock.now()));
    if (line.succeeded(elapsed())) line.wake();
    if (sent.topicGone)
      await options.onTopicGone?.(to).catch((error: unknown) => {
        log.error({ err: error }, 'that a topic is gone was not minded; the next message tells it again');
      });
    await settle(row);
  }

  async function withhold(line: Line, lane: Lane, row: OutboxRow): Promise<void> {
    log.warn({ outbox: row.id, key: row.key }, 'withheld: the rights changed while it waited');
    counters.failed += 1;
    lane.remove(row);
    if (row.inboxId !== null)
      await put({
        to: addressOf(line, lane, readPayload(row.payload)),
        reply: { kind: 'text', text: rightsEnded },
        key: `${row.inboxId}:withheld:${lane.chatId}`,
        priority: 'answer',
        inboxId: row.inboxId,
      });
    await markFailed(database, row.id, 'withheld: rights changed', clock.now());
    await settle(row);
  }

  /** The platform has it: sending it again because our disk stumbled would be wrong, so we insist. */
  async function untilRecorded(record: () => Promise<void>): Promise<void> {
    for (let tries = 1; ; tries += 1)
      try {
        return await record();
      } catch (error) {
        log.error({ err: error, tries }, 'a sent message could not be recorded');
        if (stopped || tries >= 60) return;
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
  }

  /** Many of a kind have piled up for a chat: one message says them all. */
  async function merge(lane: Lane, row: OutboxRow): Promise<OutboxRow> {
    const merged = digestWith(lane.rows, row, {
      ...{ over: digestOver, textLength: lane.limits.textLength },
      say: (options.digests?.[row.digest!] ?? PLAIN_DIGEST).say,
    });
    if (merged === null) return row;
    const { alike, text } = merged;
    const reply: Reply = { kind: 'text', text };
    const { only, topic } = readPayload(row.payload);
    const digest = await mergeOutgoing(
      database,
      alike.map((other) => other.id),
      {
        key: `digest:${alike[0]!.id}-${alike.at(-1)!.id}`,
        channel: row.channel,
        chatId: lane.chatId,
        payload: JSON.stringify({
          reply,
          ...(topic === undefined ? {} : { topic }),
          ...(only === undefined ? {} : { only }),
        } satisfies OutPayload),
        priority: row.priority,
        inboxId: null,
        personId: row.personId,
        digest: null,
        createdMs: Math.min(...alike.map((other) => other.createdMs)),
      },
      clock.now(),
    );
    if (digest === null) return row;
    counters.merged += alike.length;
    for (const other of alike) lane.remove(other);
    lane.add(digest);
    options.onWaiting(digest);
    for (const other of alike) await settle(other);
    return digest;
  }

  async function settle(row: OutboxRow) {
    if (row.inboxId === null) {
      const whole = wholeKey(row.key);
      const more = [...lines.values()].some((line) => line.has(whole));
      if (!more) await spool.cleanKey(whole).catch(() => {});
    }
    await options.onSettled(row);
  }

  async function move(line: Line, from: string, to: string) {
    await moveChat(database, line.channel.name, from, to);
    line.move(from, to);
    pump(line);
  }

  /** What may wait longer than the message it was said for: its files are its own. */
  async function onItsOwn(outgoing: Outgoing): Promise<Outgoing> {
    const [reply, ...more] = structuredClone([outgoing.reply, ...(outgoing.more ?? [])]);
    for (const file of [reply!, ...more].flatMap(filesOf)) {
      const own = await spool.forKey(outgoing.key, file.fileName);
      await fs.copyFile(file.path, own);
      file.path = own;
    }
    return { ...outgoing, reply: reply!, more, inboxId: null };
  }

  async function put(said: Outgoing): Promise<boolean> {
    const personId = 'personId' in said.to ? said.to.personId : null;
    const outlives = said.ownFiles === true || (personId !== null && said.inboxId !== null);
    const outgoing = outlives ? await onItsOwn(said) : said;
    const { key, inboxId, replaces } = outgoing;
    const to = 'personId' in outgoing.to ? (await reach(outgoing.to.personId))[0] : outgoing.to;
    if (to === undefined) return putHeld(outgoing, personId!);
    const line = lines.get(to.channel);
    // alerts and reports that were meant for officers stay among officers
    const only =
      outgoing.only ??
      ((await purposeOf(database, to.channel, to.chatId)) === 'officers'
        ? { purpose: 'officers' as const }
        : {});
    const parts: Reply[] = [];
    for (const reply of [outgoing.reply, ...(outgoing.more ?? [])])
      if (line === undefined) parts.push(reply);
      else parts.push(...(await prepareFor(line.channel, reply, key, { to, inboxId, only })));
    if (parts.length === 0) throw new Error('an empty reply');
    const rows = await putParts(
      parts.map((reply, at) => ({
        key: partKey(key, at),
        channel: to.channel,
        chatId: to.chatId,
        payload: JSON.stringify({
          reply,
          ...(at === 0 && replaces !== undefined ? { replaces } : {}),
          ...(to.topic === undefined ? {} : { topic: to.topic }),
          ...(at === 0 && outgoing.brief !== undefined ? { brief: outgoing.brief } : {}),
          ...(Object.keys(only).length === 0 ? {} : { only }),
        } satisfies OutPayload),
        priority: PRIORITY[outgoing.priority],
        inboxId,
        personId,
        // the first part stands for all
        digest: at === 0 ? (outgoing.digest ?? null) : null,
        createdMs: clock.now(),
      })),
    );
    if (rows === null) return false;
    if (personId !== null) await options.onAddressed?.(to, outgoing.reply);
    if (line === undefined) {
      log.warn({ channel: to.channel, key }, 'a message waits for a channel that is off');
      return true;
    }
    for (const row of rows) if (line.add(row, elapsed())) options.onWaiting(row);
    pump(line);
    return true;
  }

  const putOne = gather((messages: NewOutgoing[]) => putEach(database, messages), TOGETHER);

  /** What answers say at the same time shares one durable write; the parts of one message go together in their own. */
  async function putParts(parts: NewOutgoing[]): Promise<OutboxRow[] | null> {
    if (parts.length > 1) return putOutgoing(database, parts);
    const row = await putOne(parts[0]!);
    return row === null ? null : [row];
  }

  async function putHeld(outgoing: Outgoing, personId: number) {
    const { reply, more = [], key, inboxId, priority, only } = outgoing;
    const rows = await putOutgoing(
      database,
      [reply, ...more].map((part, at) => ({
        ...{ channel: '', chatId: '', inboxId, personId, digest: null, createdMs: clock.now() },
        key: partKey(key, at),
        payload: JSON.stringify({
          reply: part,
          ...(only === undefined ? {} : { only }),
        } satisfies OutPayload),
        priority: PRIORITY[priority],
        state: 'held' as const,
      })),
    );
    if (rows?.[0] !== undefined) await options.onHeld?.(rows[0], reply);
    return rows !== null;
  }

  return {
    put,
    async start() {
      const names = [...lines.keys()];
      for (const line of lines.values())
        for (const chatId of await groupChatIds(database, line.channel.name)) line.groups.add(chatId);
      for (const row of await waitingOutgoing(database, names)) {
        const line = lines.get(row.channel as ChannelName)!;
        if (line.add(row, elapsed())) options.onWaiting(row);
      }
      const elsewhere = await countWaitingElsewhere(database, names);
      if (elsewhere > 0) log.warn({ messages: elsewhere }, 'messages wait for channels that are off');
      running = true;
      for (const line of lines.values()) pump(line);
      for (const row of await heldOutgoing(database))
        await options.onHeld?.(row, readPayload(row.payload).reply);
    },
    async release(personId) {
      const held = (await holdsFor(database, personId)) ? await heldOutgoing(database, personId) : [];
      const [to] = held.length === 0 ? [] : await reach(personId);
      if (to === undefined) return;
      for (const row of held) {
        const { tried: _, ...payload } = readPayload(row.payload);
        await redirect(row, payload, to, 'held');
      }
      pump(lines.get(to.channel)!);
    },
    wake(channel) {
      const line = lines.get(channel);
      if (line?.wake()) pump(line);
    },
    async moveChat(channel, from, to) {
      const line = lines.get(channel);
      if (line !== undefined) await move(line, from, to);
    },
    noteGroup: (channel, chatId) => void lines.get(channel)?.groups.add(chatId),
    spare(to) {
      const line = lines.get(to.channel);
      if (line === undefined || stopped) return false;
      return line.spare(to.chatId, elapsed());
    },
    waiting: () => [...lines.values()].reduce((sum, line) => sum + line.size(), 0),
    async stop(deadlineMs) {
      stopped = true;
      for (const line of lines.values()) clearTimeout(line.timer);
      let timer: NodeJS.Timeout | undefined;
      const deadline = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, deadlineMs);
      });
      await Promise.race([Promise.allSettled([...underWay]), deadline]);
      clearTimeout(timer);
    },
  };
}
