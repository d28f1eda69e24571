import type { Clock } from '../base/clock.js';
import type { HumanNeed } from '../base/errors.js';
import type { Database } from '../store/database.js';
import { senderOf } from '../store/inbox.js';
import { isOutgoingKnown, keyOfOutgoing, type OutboxRow } from '../store/outbox.js';
import { accountOfChat, personOfAccount, purposeOf } from '../store/speakers.js';
import type { ChannelName, ChatAddress, Recipient, Reply } from './message.js';
import type { Outgoing } from './outbox.js';
import { type Only, type OutPayload, readPayload, wholeKey } from './outgoing.js';
import { priorityOf } from './priority.js';
import { copyQuestion } from './question.js';

/** To whom something goes instead, and under which key. */
export interface Instead {
  to: Recipient;
  key: string;
  /** said before its words */
  preface?: string;
}

/**
 * `closed`: the chat takes nothing any more. `channel`: its whole platform takes nothing until a person acts: only
 * others who are heard on another one are of use.
 */
export type WhyNot = 'closed' | 'channel';

/** What the house does about chats that can't be written to: it knows the people. */
export interface Troubles {
  /** A group turned out to be closed. Told again for each message that meets it: use keys. */
  groupClosed(group: ChatAddress): Promise<void>;
  /** Only a person can mend it. Told again at each try: use keys. */
  needsHuman(channel: ChannelName, need: HumanNeed): Promise<void>;
  /**
   * Who hears what was meant for this group. The key is the message's; where others were told the same at once, it is the
   * one under which they were told, so that they hear it once.
   */
  insteadOf(group: ChatAddress, key: string, why: WhyNot): Promise<Instead[]>;
}

export interface PassOnOptions {
  database: Database;
  troubles: Troubles | undefined;
  put: (outgoing: Outgoing) => Promise<boolean>;
  clock: Clock;
  /** the chats in which the person can be written to now, the best first */
  reach: (personId: number) => Promise<ChatAddress[]>;
}

/** Is it said to somebody else than the one who wrote? */
const toOthers = ({ inboxId, key }: OutboxRow) => inboxId === null || key.startsWith(`${inboxId}:to:`);

/** The first and the last of what it stands for. */
const DIGEST = /^digest:(\d+)-(\d+)$/;

/** Finds others for what a chat does not take. */
export function makePassOn({ database, troubles, put, clock, reach }: PassOnOptions) {
  /** The person, where they can be told: always when this chat alone is closed (it is held, at worst). */
  async function asPerson(userId: string | null, from: ChatAddress, whole: string, why: WhyNot) {
    const personId = userId === null ? null : await personOfAccount(database, from.channel, userId);
    if (personId === null) return null;
    const chats = await reach(personId);
    if (why === 'channel' && chats.every(({ channel }) => channel === from.channel)) return null;
    const here =
      chats[0] === undefined ? null : await accountOfChat(database, chats[0].channel, chats[0].chatId);
    // the numbers of a menu mean something there too
    if (here !== null)
      await copyQuestion(
        database,
        { channel: from.channel, chatId: from.chatId, userId: userId! },
        { channel: chats[0]!.channel, chatId: chats[0]!.chatId, userId: here },
        clock.now(),
      );
    return [{ to: { personId }, key: `${whole}:elsewhere` }];
  }

  /** Keys of what a digest stands for; its own where they are forgotten. */
  async function keysOf(row: OutboxRow, ids: number[]): Promise<string[]> {
    const keys = (await Promise.all(ids.map((id) => keyOfOutgoing(database, id)))).filter(
      (key) => key !== null,
    );
    return keys.length > 0 ? keys : [row.key];
  }

  const isGroup = async ({ channel, chatId }: ChatAddress) =>
    (await purposeOf(database, channel, chatId)) !== undefined;

  /** Those who are still to be told; null where there is nobody. */
  async function insteadOf(from: ChatAddress, row: OutboxRow, why: WhyNot): Promise<Instead[] | null> {
    const whole = wholeKey(row.key);
    if (!(await isGroup(from)))
      return asPerson(await accountOfChat(database, from.channel, from.chatId), from, whole, why);
    // who asked in the group hears the answer in private
    if (!toOthers(row)) return asPerson(await senderOf(database, row.inboxId!), from, whole, why);
    const digest = DIGEST.exec(row.key);
    const keys = digest === null ? [whole] : await keysOf(row, digest.slice(1).map(Number));
    const untold: Instead[] = [];
    const found = await Promise.all(keys.map((key) => troubles?.insteadOf(from, wholeKey(key), why) ?? []));
    if ((found[0] ?? []).length === 0) return null;
    for (const [at, one] of found[0]!.entries()) {
      const twins = found.flatMap((each) => each[at]?.key ?? []);
      const known = await Promise.all(twins.map((key) => isOutgoingKnown(database, key)));
      if (known.every((is) => is)) continue;
      // a digest has no twin, but what it stands for has
      untold.push(digest === null ? one : { ...one, key: `${whole}:${one.key}` });
    }
    return untold;
  }

  /** What must hold is the asker's role alone: the group it went to is another now, or none. */
  const onlyFor = ({ asker }: Only, to: Recipient): Pick<Outgoing, 'only'> =>
    'personId' in to ? { only: asker === undefined ? {} : { asker } } : {};

  /**
   * Sends what this chat does not take to others.
   * @param rows all parts of one message that still wait, in order
   * @returns false when it is still to be tried here: there is nobody else, or the chat will take it once its platform does
   */
  return async function passOn(from: ChatAddress, rows: OutboxRow[], why: WhyNot): Promise<boolean> {
    const first = rows[0]!;
    const payloads: OutPayload[] = rows.map((row) => readPayload(row.payload));
    const instead = await insteadOf(from, first, why);
    if (instead === null) return false;
    for (const { to, key, preface } of instead) {
      const [reply, ...more] = payloads.map((payload, at) => withPreface(payload.reply, at, preface));
      await put({
        ...{ to, reply: reply!, more, key, inboxId: null, ownFiles: true },
        priority: priorityOf(first.priority),
        ...(first.digest === null ? {} : { digest: first.digest }),
        ...(payloads[0]!.brief === undefined ? {} : { brief: payloads[0]!.brief }),
        ...onlyFor(payloads[0]!.only ?? {}, to),
      });
    }
    const lateIsGood = why === 'channel' && toOthers(first) && (await isGroup(from));
    return !lateIsGood;
  };
}

function withPreface(reply: Reply, at: number, preface: string | undefined): Reply {
  if (at > 0 || preface === undefined) return reply;
  if (reply.kind === 'text') return { ...reply, text: `${preface}\n${reply.text}` };
  return { ...reply, caption: [preface, reply.caption ?? ''].filter((part) => part !== '').join('\n') };
}
