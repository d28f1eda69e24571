import type { Clock } from '../base/clock.js';
import type { Log } from '../base/log.js';
import type { Database } from '../store/database.js';
import type { InboxRow } from '../store/inbox.js';
import {
  accountName,
  findGroup,
  identify,
  type KnownPerson,
  NO_NAME,
  noteBlocked,
  noteChatClosed,
  noteUnblocked,
  staffAmong,
} from '../store/speakers.js';
import type { Command, Fallbacks, Talk } from './command.js';
import type { ChatCounters } from './counters.js';
import { dispatch, Interrupted } from './dispatch.js';
import { menusInGroups } from './fit.js';
import { type FloodLimit, makeFloodGate, makeOnceGate, UNREADABLE_EVERY_MS } from './flood.js';
import {
  type Channel,
  type ChannelName,
  type ChatEvent,
  type Incoming,
  type Message,
  placeOf,
} from './message.js';
import type { Outbox } from './outbox.js';
import { isAnswer } from './question.js';
import { tooFast } from './sentences.js';
import type { Spool } from './spool.js';
import { openTalk } from './talk.js';

export interface HearingOptions {
  database: Database;
  clock: Clock;
  log: Log;
  commands: readonly Command[];
  fallbacks: Fallbacks;
  /** something happened to a chat; the store knows already. Runs once, or again after a crash: use keys. */
  onEvent?: (event: ChatEvent, inboxId: number) => Promise<void>;
  /** somebody asked for what they may not have: for the audit */
  onRefused?: (talk: Talk, command: Command) => Promise<void>;
  /** messages of one person (but for the staff) that are answered, 60 within a minute */
  flood?: FloodLimit;
}

interface HearingRoom extends HearingOptions {
  channels: ReadonlyMap<ChannelName, Channel>;
  outbox: Outbox;
  spool: Spool;
  counters: ChatCounters;
  /** aborts when the chat stops */
  signal: AbortSignal;
}

/** No answer to a menu is longer, letters. */
const MENU_ANSWER = 40;

/** What is done with what was heard: messages are answered, what happened to chats is noted. */
export function makeHearing(room: HearingRoom) {
  const { database, clock, log, channels, outbox, spool, counters, signal } = room;
  const flooding = makeFloodGate(room.flood);
  const mayTellUnreadable = makeOnceGate(UNREADABLE_EVERY_MS);

  /** What the staff says is answered before what everybody else says. */
  async function urgentAmong(messages: readonly Incoming[]): Promise<Set<Incoming>> {
    const asking = messages.filter((one): one is Message => one.kind === 'message' && one.addressed);
    if (asking.length === 0) return new Set();
    const accounts = asking.map(({ channel, sender }) => ({ channel, userId: sender.userId }));
    const staff = await staffAmong(database, accounts);
    return new Set(asking.filter(({ channel, sender }) => staff.has(accountName(channel, sender.userId))));
  }

  /** @param staff was its sender one of the staff when it was taken? */
  async function answer(row: InboxRow, message: Message, staff: boolean): Promise<void> {
    const channel = channels.get(message.channel);
    // its channel is off: it waits for a start with it
    if (channel === undefined) throw new Interrupted(`channel ${message.channel} is off`);
    const inGroup = message.chatKind === 'group';
    if (inGroup) outbox.noteGroup(message.channel, message.chatId);
    const group = inGroup
      ? await findGroup(database, message.channel, message.chatId, message.chatTitle)
      : null;
    if (!message.addressed) return;
    // Before anything is looked up: a flood must not cost more than it has to. Run again after a crash it was let through.
    const account = accountName(message.channel, message.sender.userId);
    if (!staff && !row.rerun) {
      const verdict = flooding(account, message.sentMs);
      if (verdict !== 'answer') return refuseFlood(row, message, verdict);
    }
    const speaker = await identify(
      database,
      message.channel,
      message.sender,
      inGroup ? null : message.chatId,
      row.receivedMs,
      Math.min(message.sentMs, row.receivedMs),
    ).then((known) => named(channel, message, known));
    await outbox.release(speaker.personId);
    // they are heard all the same; run again after a crash it was let through
    if (message.unreadable && !row.rerun && !mayTellUnreadable(account, message.sentMs)) return;
    const opened = openTalk({
      database,
      clock,
      log,
      channel,
      outbox,
      spool,
      message,
      inboxId: row.id,
      speaker,
      group,
      nowMs: row.receivedMs,
      signal,
    });
    try {
      await dispatch(
        {
          database,
          commands: room.commands,
          fallbacks: room.fallbacks,
          counters,
          ...(room.onRefused === undefined ? {} : { onRefused: room.onRefused }),
        },
        opened.talk,
        channel,
        opened.answered,
        row.rerun,
      );
    } finally {
      await opened.close();
    }
  }

  /** Some platforms tell no name with a message: then it is asked for, once. */
  async function named(channel: Channel, message: Message, speaker: KnownPerson): Promise<KnownPerson> {
    if (speaker.name !== NO_NAME || channel.nameOf === undefined) return speaker;
    return { ...speaker, name: (await channel.nameOf(message.sender.userId)) ?? NO_NAME };
  }

  /**
   * In a group without buttons a bare "2" is meant for the bot, if it asked this person there. Seen before it is written
   * down: the words of what is not meant for the bot are not kept.
   */
  async function asAddressed(incoming: Incoming): Promise<Incoming> {
    if (incoming.kind !== 'message' || incoming.addressed || incoming.text.length > MENU_ANSWER)
      return incoming;
    const limits = channels.get(incoming.channel)?.limits;
    if (incoming.text === '' || limits === undefined || !menusInGroups(limits)) return incoming;
    const { channel, chatId, text } = incoming;
    const place = { channel, chatId, userId: incoming.sender.userId };
    return (await isAnswer(database, place, text, clock.now())) ? { ...incoming, addressed: true } : incoming;
  }

  async function refuseFlood(row: InboxRow, message: Message, verdict: 'say-so' | 'quiet'): Promise<void> {
    counters.flooded += 1;
    if (verdict === 'quiet') return;
    log.warn({ inbox: row.id, channel: message.channel }, 'somebody writes too fast and is not answered');
    await outbox.put({
      to: placeOf(message),
      reply: { kind: 'text', text: tooFast },
      key: `${row.id}:flood`,
      priority: 'answer',
      inboxId: row.id,
    });
  }

  const releaseFor = async (personId: number | null) => {
    if (personId !== null) await outbox.release(personId);
  };

  async function takeEvent(row: InboxRow, event: ChatEvent): Promise<void> {
    const { channel, chatId } = event;
    // it may be told long after it happened
    const atMs = Math.min(event.sentMs, row.receivedMs);
    switch (event.event.type) {
      case 'bot-added':
        outbox.noteGroup(channel, chatId);
        await findGroup(database, channel, chatId, event.chatTitle);
        break;
      case 'bot-removed':
        await noteChatClosed(database, channel, chatId, clock.now());
        break;
      case 'blocked':
        await noteBlocked(database, channel, event.event.userId, atMs);
        break;
      case 'heard':
      case 'unblocked':
      case 'followed':
        await releaseFor(await noteUnblocked(database, channel, event.event.userId, atMs));
        break;
      case 'migrated':
        await outbox.moveChat(channel, chatId, event.event.toChatId);
        break;
    }
    try {
      await room.onEvent?.(event, row.id);
    } catch (error) {
      if (signal.aborted) throw new Interrupted('stopped while taking an event', { cause: error });
      counters.faults += 1;
      log.error({ err: error, event: event.event.type }, 'a chat event was not handled');
    }
  }

  return { urgentAmong, answer, asAddressed, takeEvent };
}
