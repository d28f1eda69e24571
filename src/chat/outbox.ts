import { randomBytes } from 'node:crypto';
import type { Clock } from '../base/clock.js';
import { WorldError } from '../base/errors.js';
import type { Log } from '../base/log.js';
import type { Database } from '../store/database.js';
import {
  countWaitingElsewhere,
  markFailed,
  markRetry,
  markSent,
  mergeOutgoing,
  type OutboxRow,
  putOutgoing,
  rewritePayload,
  waitingOutgoing,
} from '../store/outbox.js';
import { groupChatIds, moveChat, noteChatClosed, purposeOf } from '../store/speakers.js';
import type { ChatCounters } from './counters.js';
import { type Lane, type Line, makeLine } from './lines.js';
import type { Channel, ChannelName, ChatAddress, Reply, Sent } from './message.js';
import {
  degrade,
  filesOf,
  filesPresent,
  type LinkAbout,
  type LinkedFile,
  type MakeLink,
  type Only,
  type OutPayload,
  partKey,
  prepare,
  readPayload,
  wholeKey,
  withoutTokens,
  wordsOf,
} from './outgoing.js';
import { afterFailure } from './retry.js';
import { fileGone, manyMessages, rightsEnded, undelivered } from './sentences.js';
import type { Spool } from './spool.js';
import { stillHolds } from './still-holds.js';

export const PRIORITY = { alert: 0, answer: 1, notice: 2 } as const;
export type Priority = keyof typeof PRIORITY;

export interface Outgoing {
  to: ChatAddress;
  reply: Reply;
  /** put twice, sent once */
  key: string;
  priority: Priority;
  inboxId: number | null;
  /** messages of one kind to one chat are merged into a digest when they pile up */
  digest?: string;
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
  /** the text of a digest by kind, from the texts it stands for; kinds not named get a plain list */
  digests?: Record<string, (texts: string[]) => string>;
  /** more than so many waiting messages of one digest kind to one chat are merged */
  digestOver?: number;
  /** monotonic milliseconds, for waiting */
  elapsedMs?: () => number;
  /** a row was written that still has to go */
  onWaiting: (row: OutboxRow) => void;
  /** a row will not be sent any more: it was sent, failed, or merged */
  onSettled: (row: OutboxRow) => Promise<void>;
}

/**
 * Sends what must arrive: alerts first, then answers, then notices; by age within one of these; one at a time per chat,
 * at the pace the channel allows. A row is marked sent right after the channel has taken it: killed in between, the
 * service sends that one again after its restart. That is the only duplicate there can be. To keep it at one per kill,
 * words and small pictures go one at a time per channel; only uploads, which take long, go a few side by side.
 */
export interface Outbox {
  /** Writes a message down and starts it on its way; false when its key was put before. Throws when it is empty. */
  put(outgoing: Outgoing): Promise<boolean>;
  start(): Promise<void>;
  /** The platform was heard from: what waits for the network is tried now. */
  wake(channel: ChannelName): void;
  moveChat(channel: ChannelName, from: string, to: string): Promise<void>;
  noteGroup(channel: ChannelName, chatId: string): void;
  /** May a message that need not arrive (progress) go right now? Takes its place in the rates if so. */
  spare(to: ChatAddress): boolean;
  waiting(): number;
  /** Waits for what is just being sent, at most `deadlineMs`. */
  stop(deadlineMs: number): Promise<void>;
}

/** files of a reply larger than this, together, make it an upload */
const UPLOAD_BYTES = 64_000;
const AT_ONCE = { words: 1, upload: 4 };
/** part numbers of what was parted after the platform refused it */
const FURTHER_PARTS = 1000;

function loadOf(row: OutboxRow): keyof typeof AT_ONCE {
  const bytes = filesOf(readPayload(row.payload).reply).reduce((sum, file) => sum + file.sizeBytes, 0);
  return bytes > UPLOAD_BYTES ? 'upload' : 'words';
}

const addressOf = (line: Line, lane: Lane, { topic }: OutPayload): ChatAddress => ({
  ...{ channel: line.channel.name, chatId: lane.chatId },
  ...(topic === undefined ? {} : { topic }),
});

export function makeOutbox(options: OutboxOptions): Outbox {
  const { database, clock, log, channels, spool, counters } = options;
  const elapsed = options.elapsedMs ?? (() => performance.now());
  const digestOver = options.digestOver ?? 5;
  const lines = new Map<ChannelName, Line>();
  for (const channel of channels.values()) lines.set(channel.name, makeLine(channel));
  let running = false;
  let stopped = false;
  const underWay = new Set<Promise<void>>();
  const linksFor = (about: LinkAbout) => {
    const { makeLink } = options;
    return makeLink && ((files: LinkedFile[]) => makeLink(files, about));
  };

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
    let sent: Sent;
    try {
      const to = addressOf(line, lane, payload);
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

  async function failed(line: Line, lane: Lane, row: OutboxRow, payload: OutPayload, error: unknown) {
    const { priority, attempts, createdMs } = row;
    const next = afterFailure(error, { priority, attempts, ageMs: clock.now() - createdMs });
    const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    if (next.do === 'leave' || stopped) return;
    const about = { err: error, outbox: row.id, key: row.key, channel: row.channel, attempts };
    switch (next.do) {
      case 'wait':
      case 'retry':
        counters.retries += 1;
        if (next.do === 'retry') row.attempts += 1;
        line.holdBack(lane, row, next.do, next.ms, elapsed());
        log.warn({ ...about, againInMs: next.ms }, 'a message did not go, it will be tried again');
        await markRetry(database, row.id, reason, clock.now() + next.ms);
        return;
      case 'move':
        if (next.to === lane.chatId) return giveUp(line, lane, row, payload, 'closed', about, reason);
        log.info({ ...about, to: next.to }, 'a group has a new id');
        await move(line, lane.chatId, next.to);
        return;
      case 'degrade': {
        const smaller = await degrade(
          payload.reply,
          line.channel.limits,
          linksFor({
            to: addressOf(line, lane, payload),
            inboxId: row.inboxId,
            only: payload.only ?? {},
          }),
        );
        if (smaller === null || smaller.length === 0)
          return giveUp(line, lane, row, payload, 'invalid', about, reason);
        log.warn(about, 'too big for the platform, sent as something smaller');
        return replaceBy(lane, row, payload, smaller);
      }
      case 'give-up':
        return giveUp(line, lane, row, payload, next.why, about, reason);
    }
  }

  /** The same message in another form: its first part takes its row, the others follow it. */
  async function replaceBy(lane: Lane, row: OutboxRow, payload: OutPayload, [first, ...more]: Reply[]) {
    const rows =
      more.length === 0
        ? null
        : await putOutgoing(
            database,
            more.map((reply, at) => ({
              key: `${row.key}#${FURTHER_PARTS + at}`,
              channel: row.channel,
              chatId: lane.chatId,
              payload: JSON.stringify({
                reply,
                ...(payload.topic === undefined ? {} : { topic: payload.topic }),
                ...(payload.only === undefined ? {} : { only: payload.only }),
              } satisfies OutPayload),
              priority: row.priority,
              inboxId: row.inboxId,
              digest: null,
              createdMs: row.createdMs,
            })),
          );
    row.payload = JSON.stringify({ ...payload, reply: first! } satisfies OutPayload);
    await rewritePayload(database, row.id, row.payload);
    for (const part of rows ?? []) if (lane.add(part)) options.onWaiting(part);
  }

  async function giveUp(
    line: Line,
    lane: Lane,
    row: OutboxRow,
    payload: OutPayload,
    why: 'closed' | 'invalid' | 'too-old' | 'fault',
    about: object,
    reason: string,
  ) {
    const code = randomBytes(3).toString('hex').toUpperCase();
    counters.failed += 1;
    log.error({ ...about, why, code }, 'a message could not be delivered');
    lane.remove(row);
    if (why === 'closed') await noteChatClosed(database, line.channel.name, lane.chatId, clock.now());
    if ((why === 'invalid' || why === 'fault') && !row.key.endsWith(':undelivered')) {
      const gone = !(await filesPresent(payload.reply));
      const text =
        row.inboxId !== null
          ? gone
            ? fileGone
            : undelivered(code)
          : payload.reply.kind === 'text'
            ? ''
            : wordsOf(payload.reply);
      if (text !== '')
        await put({
          to: addressOf(line, lane, payload),
          reply: { kind: 'text', text },
          key: `${row.key}:undelivered`,
          priority: row.priority === 0 ? 'alert' : 'answer',
          inboxId: row.inboxId,
        });
    }
    await markFailed(database, row.id, `${why} (${code}): ${reason}`, clock.now());
    await settle(row);
  }

  /** Many of a kind have piled up for a chat: one message says them all. */
  async function merge(lane: Lane, row: OutboxRow): Promise<OutboxRow> {
    const all = lane.rows.filter((other) => other.digest === row.digest && other.priority === row.priority);
    if (all.length <= digestOver) return row;
    const textOf = (rows: OutboxRow[]) =>
      (options.digests?.[row.digest!] ?? manyMessages)(
        rows.map((other) => wordsOf(readPayload(other.payload).reply)).filter((text) => text !== ''),
      );
    // what does not fit into one message stays for the next: nothing is cut off
    let alike = all;
    while (alike.length > 1 && textOf(alike).length > lane.limits.textLength)
      alike = alike.slice(0, Math.max(1, Math.floor(alike.length * 0.8)));
    if (alike.length === 1 || !alike.includes(row)) return row;
    const reply: Reply = { kind: 'text', text: textOf(alike) };
    const { only } = readPayload(row.payload);
    const digest = await mergeOutgoing(
      database,
      alike.map((other) => other.id),
      {
        key: `digest:${alike[0]!.id}-${alike.at(-1)!.id}`,
        channel: row.channel,
        chatId: lane.chatId,
        payload: JSON.stringify({ reply, ...(only === undefined ? {} : { only }) } satisfies OutPayload),
        priority: row.priority,
        inboxId: null,
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
    const whole = wholeKey(row.key);
    const more = [...lines.values()].some((line) => line.has(whole));
    if (row.inboxId === null && !more) await spool.cleanKey(whole).catch(() => {});
    await options.onSettled(row);
  }

  async function move(line: Line, from: string, to: string) {
    await moveChat(database, line.channel.name, from, to);
    line.move(from, to);
    pump(line);
  }

  async function put(outgoing: Outgoing): Promise<boolean> {
    const { to, key, inboxId, replaces } = outgoing;
    const line = lines.get(to.channel);
    // alerts and reports that were meant for officers stay among officers
    const only =
      outgoing.only ??
      ((await purposeOf(database, to.channel, to.chatId)) === 'officers'
        ? { purpose: 'officers' as const }
        : {});
    const makeLink = linksFor({ to, inboxId, only });
    const parts =
      line === undefined
        ? [outgoing.reply]
        : await prepare(outgoing.reply, line.channel, {
            spool: (name) => (inboxId === null ? spool.forKey(key, name) : spool.forInbox(inboxId, name)),
            ...(makeLink === undefined ? {} : { makeLink }),
          });
    if (parts.length === 0) throw new Error('an empty reply');
    const rows = await putOutgoing(
      database,
      parts.map((reply, at) => ({
        key: partKey(key, at),
        channel: to.channel,
        chatId: to.chatId,
        payload: JSON.stringify({
          reply,
          ...(at === 0 && replaces !== undefined ? { replaces } : {}),
          ...(to.topic === undefined ? {} : { topic: to.topic }),
          ...(Object.keys(only).length === 0 ? {} : { only }),
        } satisfies OutPayload),
        priority: PRIORITY[outgoing.priority],
        inboxId,
        digest: parts.length === 1 ? (outgoing.digest ?? null) : null,
        createdMs: clock.now(),
      })),
    );
    if (rows === null) return false;
    if (line === undefined) {
      log.warn({ channel: to.channel, key }, 'a message waits for a channel that is off');
      return true;
    }
    for (const row of rows) if (line.add(row, elapsed())) options.onWaiting(row);
    pump(line);
    return true;
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
