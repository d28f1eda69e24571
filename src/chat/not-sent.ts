import { randomBytes } from 'node:crypto';
import { WorldError } from '../base/errors.js';
import { noteWindowClosed } from '../store/accounts.js';
import { hold, markFailed, markRetry, type OutboxRow, putOutgoing, readdress } from '../store/outbox.js';
import { noteChatClosed } from '../store/speakers.js';
import { addressOf, type Lane, type Line } from './lines.js';
import type { Channel, ChannelName, ChatAddress, Reply } from './message.js';
import type { OutboxOptions, Outgoing } from './outbox.js';
import {
  degrade,
  filesPresent,
  isLaterPart,
  type LinkAbout,
  type LinkedFile,
  type OutPayload,
  placeName,
  prepare,
  readPayload,
  wholeKey,
  wordsOf,
} from './outgoing.js';
import { makePassOn, type Troubles, type WhyNot } from './pass-on.js';
import { PRIORITY, priorityOf } from './priority.js';
import { reachPerson } from './reach.js';
import { afterFailure } from './retry.js';
import { fileGone, undelivered } from './sentences.js';

/** part numbers of what was parted for another form: so many for each */
const FURTHER_PARTS = 1000;
/** so many rows are minded as passed on; told twice, others hear a thing once all the same */
const MOST_MINDED = 50_000;
/** failures after which what is meant for a person tries another chat of theirs */
const ELSEWHERE_AFTER = 3;

/** The outbox, as far as what was not sent needs it. */
export interface OutboxRoom {
  options: OutboxOptions;
  lines: ReadonlyMap<ChannelName, Line>;
  /** monotonic ms */
  elapsed: () => number;
  pump: (line: Line) => void;
  put: (outgoing: Outgoing) => Promise<boolean>;
  settle: (row: OutboxRow) => Promise<void>;
  /** Makes one of many that are alike; else gives the row back. */
  merge: (lane: Lane, row: OutboxRow) => Promise<OutboxRow>;
  move: (line: Line, from: string, to: string) => Promise<void>;
  stopped: () => boolean;
}

/**
 * What becomes of a message that a channel did not take: it is tried again, in another form, in another chat of the same
 * person; or it is held until the person writes, or given up with a word about it.
 */
export function makeNotSent(room: OutboxRoom) {
  const { options, lines, elapsed, pump, put, settle, merge, move } = room;
  const { database, clock, log, channels, spool, counters } = options;
  /** rows that were passed on, or for which there is nobody: minded so that they are not looked at each time */
  const passedBehind = new Set<number>();

  async function failed(line: Line, lane: Lane, row: OutboxRow, payload: OutPayload, error: unknown) {
    const { priority, attempts, createdMs } = row;
    const next = afterFailure(error, { priority, attempts, ageMs: clock.now() - createdMs });
    const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    if (next.do === 'leave' || room.stopped()) return;
    const about = { err: error, outbox: row.id, key: row.key, channel: row.channel, attempts };
    switch (next.do) {
      case 'wait':
      case 'retry':
        if (await onlyAPersonHelps(line, lane, row, payload, error, reason)) return;
        counters.retries += 1;
        if (next.do === 'retry') {
          row.attempts += 1;
          if (row.attempts >= ELSEWHERE_AFTER && (await goElsewhere(line, lane, row, payload, next.ms)))
            return;
        }
        line.holdBack(lane, row, next.do, next.ms, elapsed());
        log.warn({ ...about, againInMs: next.ms }, 'a message did not go, it will be tried again');
        await markRetry(database, row.id, reason, clock.now() + next.ms);
        return;
      case 'move':
        if (next.to === lane.chatId) {
          await noteClosed(line, lane, error);
          if (await passedOn(line, lane, row, payload, 'closed', reason)) return;
          return giveUp(line, lane, row, payload, 'closed', about, reason);
        }
        log.info({ ...about, to: next.to }, 'a group has a new id');
        await move(line, lane.chatId, next.to);
        return;
      case 'degrade': {
        const about = { to: addressOf(line, lane, payload), inboxId: row.inboxId, only: payload.only ?? {} };
        const smaller = await degrade(payload.reply, line.channel.limits, linksFor(about));
        if (smaller === null || smaller.length === 0)
          return giveUp(line, lane, row, payload, 'invalid', about, reason);
        log.warn(about, 'too big for the platform, sent as something smaller');
        await reshape(row, payload, smaller);
        return;
      }
      case 'give-up':
        if (next.why === 'closed') await noteClosed(line, lane, error);
        if (next.why === 'closed' && row.personId !== null) {
          if (!(await goElsewhere(line, lane, row, payload, null)))
            await holdBack(lane, row, payload, reason);
          return;
        }
        if (next.why === 'closed' && (await passedOn(line, lane, row, payload, 'closed', reason))) return;
        return giveUp(line, lane, row, payload, next.why, about, reason);
    }
  }

  /** Sends what was for this chat alone to others; false when there is nobody. */
  async function passedOn(
    line: Line,
    lane: Lane,
    row: OutboxRow,
    payload: OutPayload,
    why: WhyNot,
    reason: string,
  ): Promise<boolean> {
    if (row.personId !== null) return false;
    const whole = wholeKey(row.key);
    const rows = lane.rows.filter((other) => other === row || wholeKey(other.key) === whole);
    const from = addressOf(line, lane, payload);
    try {
      if (!(await passOn(from, rows, why))) return false;
    } catch (error) {
      // as it was: it is tried again, or given up and logged
      log.error({ err: error, outbox: row.id }, 'a message could not be passed on');
      return false;
    }
    log.warn({ outbox: row.id, key: row.key, channel: row.channel, why }, 'passed on to others');
    counters.passedOn += 1;
    for (const one of rows) {
      lane.remove(one);
      await markFailed(database, one.id, `passed on: ${reason}`, clock.now());
      await settle(one);
    }
    return true;
  }

  /**
   * What waits in this group behind that row would meet the same refusal: it goes other ways now, each once. Gathered first;
   * what others heard by itself is gathered no more, or they would hear it again with the rest.
   */
  async function passOnBehind(line: Line, lane: Lane, head: OutboxRow, reason: string): Promise<void> {
    head.digest = null;
    for (const waiting of [...lane.rows]) {
      if (waiting === head || waiting.personId !== null || isLaterPart(waiting)) continue;
      if (passedBehind.has(waiting.id) || !lane.rows.includes(waiting)) continue;
      const row = waiting.digest === null ? waiting : await merge(lane, waiting);
      if (passedBehind.size >= MOST_MINDED) passedBehind.clear();
      passedBehind.add(row.id);
      row.digest = null;
      await passedOn(line, lane, row, readPayload(row.payload), 'channel', reason);
    }
  }

  /** Trying again is in vain: those who can help are told, and it goes another way, if there is one. */
  async function onlyAPersonHelps(
    line: Line,
    lane: Lane,
    row: OutboxRow,
    payload: OutPayload,
    error: unknown,
    reason: string,
  ): Promise<boolean> {
    const need = error instanceof WorldError ? error.needsHuman : undefined;
    if (need === undefined) return false;
    await tellTrouble((troubles) => troubles.needsHuman(line.channel.name, need));
    if (row.personId === null) {
      const gone = await passedOn(line, lane, row, payload, 'channel', reason);
      if (line.groups.has(lane.chatId)) await passOnBehind(line, lane, row, reason);
      return gone;
    }
    const here = placeName({ channel: line.channel.name, chatId: lane.chatId });
    // where it came from in vain: it is tried here again, with patience
    if (payload.tried?.some((place) => place !== here)) return false;
    return goElsewhere(line, lane, row, payload, null);
  }

  const tellTrouble = async (tell: (troubles: Troubles) => Promise<void>) => {
    try {
      if (options.troubles !== undefined) await tell(options.troubles);
    } catch (error) {
      log.error({ err: error }, 'a trouble could not be told');
    }
  };

  /** The same message in another form or place: its first part takes its row, the others follow it. */
  async function reshape(
    row: OutboxRow,
    payload: OutPayload,
    [first, ...more]: Reply[],
    from: 'waiting' | 'held' = 'waiting',
  ): Promise<boolean> {
    const forms = (payload.forms ?? 0) + 1;
    const { channel, chatId, priority, inboxId, personId, createdMs } = row;
    const same = {
      ...(payload.topic === undefined ? {} : { topic: payload.topic }),
      ...(payload.only === undefined ? {} : { only: payload.only }),
    };
    const rows =
      more.length === 0
        ? null
        : await putOutgoing(
            database,
            more.map((reply, at) => ({
              ...{ channel, chatId, priority, inboxId, personId, createdMs, digest: null },
              key: `${row.key}#${FURTHER_PARTS * forms + at}`,
              payload: JSON.stringify({ reply, ...same } satisfies OutPayload),
            })),
          );
    row.payload = JSON.stringify({ ...payload, reply: first!, forms } satisfies OutPayload);
    // its further parts stand apart from it: no digest may take it alone
    if (more.length > 0) row.digest = null;
    const to = { channel, chatId, payload: row.payload, digest: row.digest };
    if (!(await readdress(database, row.id, to, from))) return false;
    const line = lines.get(channel as ChannelName)!;
    for (const part of rows ?? []) if (line.add(part, elapsed())) options.onWaiting(part);
    return true;
  }

  const reach = (personId: number) => reachPerson(database, channels, personId, clock.now());
  const passOn = makePassOn({ database, troubles: options.troubles, put, clock, reach });

  const linksFor = (about: LinkAbout) => {
    const { makeLink } = options;
    return makeLink && ((files: LinkedFile[]) => makeLink(files, about));
  };

  /** A reply as a channel takes it; `about`: where it goes, for what, and while what holds. */
  const prepareFor = (channel: Channel, reply: Reply, key: string, about: LinkAbout) => {
    const { inboxId } = about;
    const makeLink = linksFor(about);
    return prepare(reply, channel, {
      spool: (name) => (inboxId === null ? spool.forKey(wholeKey(key), name) : spool.forInbox(inboxId, name)),
      ...(makeLink === undefined ? {} : { makeLink }),
      ...(options.makePreview === undefined ? {} : { makePreview: options.makePreview }),
      inGroup: lines.get(channel.name)?.groups.has(about.to.chatId) ?? false,
    });
  };

  /** Puts what is meant for a person on its way to a chat of theirs, in the form its channel takes. */
  async function redirect(row: OutboxRow, payload: OutPayload, to: ChatAddress, from: 'waiting' | 'held') {
    const line = lines.get(to.channel)!;
    const { replaces: _replaces, topic: _topic, reply, ...rest } = payload;
    const about = { to, inboxId: row.inboxId, only: payload.only ?? {} };
    const parts = await prepareFor(line.channel, reply, row.key, about);
    row.channel = to.channel;
    row.chatId = to.chatId;
    if (!(await reshape(row, { ...rest, reply }, parts, from))) return;
    await options.onAddressed?.(to, reply);
    if (line.add(row, elapsed()) && from === 'held') options.onWaiting(row);
  }

  /**
   * Tries another chat of the person. @param retryMs the patience to have where every one was tried in vain; null: this
   * one is closed, it need not be tried again
   */
  async function goElsewhere(
    line: Line,
    lane: Lane,
    row: OutboxRow,
    payload: OutPayload,
    retryMs: number | null,
  ): Promise<boolean> {
    if (row.personId === null) return false;
    const here = placeName({ channel: line.channel.name, chatId: lane.chatId });
    const others = (await reach(row.personId)).filter((to) => placeName(to) !== here);
    const untried = others.find((to) => payload.tried?.includes(placeName(to)) !== true);
    const to = untried ?? others[0];
    if (to === undefined) return false;
    log.warn({ outbox: row.id, from: line.channel.name, to: to.channel }, 'a person is tried elsewhere');
    lane.remove(row);
    const tried = untried === undefined ? [here] : [...(payload.tried ?? []), here];
    await redirect(row, { ...payload, tried }, to, 'waiting');
    const next = lines.get(to.channel)!;
    if (untried === undefined && retryMs !== null)
      next.holdBack(next.laneOf(to.chatId), row, 'retry', retryMs, elapsed());
    pump(next);
    return true;
  }

  async function noteClosed(line: Line, lane: Lane, error: unknown) {
    if (error instanceof WorldError && error.kind === 'window-closed')
      await noteWindowClosed(database, line.channel.name, lane.chatId);
    else await noteChatClosed(database, line.channel.name, lane.chatId, clock.now());
    if (line.groups.has(lane.chatId))
      await tellTrouble((troubles) =>
        troubles.groupClosed({ channel: line.channel.name, chatId: lane.chatId }),
      );
  }

  /** Its files stay: it may still go. */
  async function holdBack(lane: Lane, row: OutboxRow, { reply }: OutPayload, reason: string) {
    lane.remove(row);
    await hold(database, row.id, reason);
    await options.onSettled(row);
    await options.onHeld?.(row, reply);
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
          priority: row.priority < PRIORITY.answer ? priorityOf(row.priority) : 'answer',
          inboxId: row.inboxId,
        });
    }
    await markFailed(database, row.id, `${why} (${code}): ${reason}`, clock.now());
    await settle(row);
  }

  return { failed, redirect, prepareFor, reach };
}
