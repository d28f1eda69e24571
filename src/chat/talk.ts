import type { Clock } from '../base/clock.js';
import type { Log } from '../base/log.js';
import { type GroupPurpose, STAFF } from '../base/roles.js';
import type { Database } from '../store/database.js';
import { makeOnce } from '../store/effects.js';
import { accountOfChat, privateChatOf } from '../store/speakers.js';
import type { Speaker, SpokenIn, Talk } from './command.js';
import { asButtons, choicesOf } from './fit.js';
import { type Activity, type Channel, type Message, placeOf, type Reply } from './message.js';
import type { Outbox } from './outbox.js';
import type { Only } from './outgoing.js';
import type { Priority } from './priority.js';
import { makeProgress } from './progress.js';
import { openQuestion } from './question.js';
import { OPEN_PRIVATE_LABEL, openPrivate, openPrivateWithoutLink } from './sentences.js';
import type { Spool } from './spool.js';

export interface TalkOptions {
  database: Database;
  clock: Clock;
  log: Log;
  channel: Channel;
  outbox: Outbox;
  spool: Spool;
  message: Message;
  inboxId: number;
  speaker: Speaker;
  group: SpokenIn | null;
  nowMs: number;
  signal: AbortSignal;
}

/** A talk, and what the dispatcher wants to know about it. */
export interface OpenTalk {
  talk: Talk;
  /** was anything said, or silence chosen? */
  answered(): boolean;
  /** Ends "is typing" and the like. */
  close(): Promise<void>;
}

/** How often "is typing" is repeated: platforms show it for about five seconds. */
const ACT_EVERY_MS = 4000;

export const asReply = (reply: Reply | string): Reply =>
  typeof reply === 'string' ? { kind: 'text', text: reply.normalize('NFC') } : reply;

export function openTalk(options: TalkOptions): OpenTalk {
  const { database, clock, channel, outbox, spool, message, inboxId, speaker } = options;
  const here = placeOf(message);
  const place = { channel: message.channel, chatId: message.chatId, userId: message.sender.userId };
  const answers: Priority = STAFF.has(speaker.role) ? 'staff-answer' : 'answer';
  const progress = makeProgress({ channel, outbox, to: here, inboxId, log: options.log });
  /** Files go only while their asker has the role, and the group the purpose, that they were asked with. */
  const conditionsOf = (reply: Reply, purpose: GroupPurpose | null): Only =>
    reply.kind === 'text'
      ? {}
      : {
          asker: { personId: speaker.personId, role: speaker.role },
          ...(purpose === null ? {} : { purpose }),
        };
  let said = 0;
  let silent = false;
  let acting: NodeJS.Timeout | undefined;

  const stopActing = () => {
    clearInterval(acting);
    acting = undefined;
  };

  async function say(reply: Reply): Promise<void> {
    const number = said;
    said += 1;
    stopActing();
    const replaces = await progress.handOver();
    await outbox.put({
      to: here,
      reply,
      key: `${inboxId}:${number}`,
      priority: answers,
      inboxId,
      only: conditionsOf(reply, options.group?.purpose ?? null),
      ...(replaces === null ? {} : { replaces }),
    });
  }

  const talk: Talk = {
    message,
    inboxId,
    speaker,
    group: options.group,
    nowMs: options.nowMs,
    limits: channel.limits,
    log: options.log,
    signal: options.signal,
    async reply(given) {
      const reply = asReply(given);
      const choices = asButtons(reply, channel.limits, options.group !== null) ? [] : choicesOf(reply);
      if (choices.length > 0)
        await openQuestion(database, place, { kind: 'menu', choices }, inboxId, clock.now());
      await say(reply);
    },
    async ask(text, choices) {
      // the question is open before it is heard: a quick answer finds it
      await openQuestion(database, place, { kind: 'menu', choices }, inboxId, clock.now());
      await say({
        kind: 'text',
        text: text.normalize('NFC'),
        buttons: choices.map((choice) => [{ label: choice.label, says: choice.says }]),
      });
    },
    async askWords(text, command) {
      await openQuestion(database, place, { kind: 'words', command }, inboxId, clock.now());
      await say(asReply(text));
    },
    progress: (text) => progress.show(text.normalize('NFC')),
    act(activity: Activity) {
      stopActing();
      const act = () => void channel.act(here, activity).catch(() => {});
      act();
      acting = setInterval(act, ACT_EVERY_MS);
      acting.unref();
    },
    async tell(to, reply, key, priority = 'notice', about = {}) {
      await outbox.put({
        ...{ to, reply: asReply(reply), key: `${inboxId}:to:${key}`, priority, inboxId },
        ...about,
      });
      if (!('personId' in to)) await openMenuFor(database, to, asReply(reply), channel, clock);
    },
    async replyPrivately(given) {
      if (options.group === null) {
        await talk.reply(given);
        return true;
      }
      const chatId = await privateChatOf(database, speaker.addressId);
      if (chatId === null) {
        const url = channel.privateChatLink();
        await say(
          url === null
            ? asReply(openPrivateWithoutLink)
            : { kind: 'text', text: openPrivate, buttons: [[{ label: OPEN_PRIVATE_LABEL, url }]] },
        );
        return false;
      }
      const number = said;
      said += 1;
      stopActing();
      const reply = asReply(given);
      await outbox.put({
        to: { channel: message.channel, chatId },
        reply,
        key: `${inboxId}:${number}`,
        priority: answers,
        inboxId,
        only: conditionsOf(reply, null),
      });
      await openMenuFor(database, { channel: message.channel, chatId }, reply, channel, clock);
      return true;
    },
    once: (name, change) => makeOnce(database, inboxId, name, change),
    spool: (fileName) => spool.forInbox(inboxId, fileName),
    staySilent() {
      silent = true;
    },
  };
  return {
    talk,
    answered: () => said > 0 || silent,
    async close() {
      stopActing();
      await progress.close();
    },
  };
}

/** Numbers that are printed in somebody's private chat must mean something when they come back. */
export async function openMenuFor(
  database: Database,
  to: { channel: string; chatId: string },
  reply: Reply,
  channel: Pick<Channel, 'name' | 'limits'>,
  clock: Clock,
): Promise<void> {
  if (channel.name !== to.channel || asButtons(reply, channel.limits, false)) return;
  const choices = choicesOf(reply);
  if (choices.length === 0) return;
  const userId = await accountOfChat(database, to.channel, to.chatId);
  if (userId !== null)
    await openQuestion(database, { ...to, userId }, { kind: 'menu', choices }, null, clock.now());
}
