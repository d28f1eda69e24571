import { WorldError } from '../../../base/errors.js';
import type { Log } from '../../../base/log.js';
import type { Incoming, Message } from '../../../chat/message.js';
import type { ChatMessage } from '../api/chat-message.js';
import type { OaClient } from '../api/oa.js';
import { HOPELESS, type InTurn } from './turns.js';

/** The most the API gives at a time. */
const PAGE = 10;
/** Conversations looked through; more than these did not write in an outage. */
const MOST_CHATS = 200;
/** Messages of one person. */
const MOST_MESSAGES = 100;

const FROM_PERSON = 1;

export interface CatchUp {
  client: Pick<OaClient, 'recentChats' | 'conversation'>;
  /** everything up to here was heard, by Zalo's clock, epoch ms; null: nothing is looked for, only the time is asked */
  sinceMs: number | null;
  nowMs: number;
  /** a listed message as the bot takes it; null for what is not for it */
  read: (given: ChatMessage) => Message | null;
  accept: (incoming: Incoming) => Promise<{ fresh: boolean }>;
  inTurn: InTurn;
  signal: AbortSignal;
  log: Log;
}

export interface CaughtUp {
  /** everything up to here is heard now, by Zalo's clock, epoch ms; null: nobody ever wrote */
  upToMs: number | null;
  /** what the webhook had not brought, in the order it was taken */
  missed: Message[];
  /** there was more than we look through */
  left: boolean;
}

/**
 * Takes what people wrote to the OA while we were not told: each conversation that has something newer, oldest message
 * first. What came by webhook as well is known by its id, or by what it is (twice.ts). Where nothing is newer it costs one
 * call.
 * @throws WorldError: nothing may be taken for heard
 */
export async function catchUp(options: CatchUp): Promise<CaughtUp> {
  const { client, sinceMs, nowMs, read, accept, inTurn, signal, log } = options;
  const isNewer = ({ time }: ChatMessage) => sinceMs !== null && (time ?? nowMs) > sinceMs;
  const people = new Set<string>();
  let upToMs: number | null = null;
  let left = true;
  for (let offset = 0; offset < MOST_CHATS; offset += PAGE) {
    const chats = await inTurn(() => client.recentChats({ offset, count: PAGE }, signal));
    for (const { time } of chats) if (time !== undefined) upToMs = Math.max(upToMs ?? 0, time);
    const newer = chats.filter(isNewer);
    for (const chat of newer) {
      const userId = chat.src === FROM_PERSON ? chat.from_id : chat.to_id;
      if (typeof userId === 'string') people.add(userId);
    }
    if (newer.length === PAGE) continue;
    left = false;
    break;
  }
  const missed: Message[] = [];
  // who wrote last comes first in the list
  for (const userId of [...people].reverse()) {
    const words = await newerWords({
      ...{ most: MOST_MESSAGES, sinceMs, read },
      whenMs: ({ time }) => time ?? nowMs,
      ask: (offset) => inTurn(() => client.conversation(userId, { offset, count: PAGE }, signal)),
    }).catch((error: unknown) => {
      if (!(error instanceof WorldError) || !HOPELESS.has(error.kind)) throw error;
      log.warn({ err: error }, 'a conversation could not be read');
      return { found: [], left: false };
    });
    left ||= words.left;
    for (const message of words.found) if ((await accept(message)).fresh) missed.push(message);
  }
  return { upToMs, missed, left };
}

interface Words {
  /** a page of a conversation, newest first */
  ask: (offset: number) => Promise<ChatMessage[]>;
  /** messages looked through */
  most: number;
  /** null: nothing is looked for */
  sinceMs: number | null;
  /** when it was said; null: nobody knows, and it is none to answer */
  whenMs: (given: ChatMessage) => number | null;
  read: (given: ChatMessage) => Message | null;
}

/** All that is newer in a conversation, oldest first; `left`: there was more than we look through. */
async function newerWords({
  ask,
  most,
  sinceMs,
  whenMs,
  read,
}: Words): Promise<{ found: Message[]; newestMs: number | null; left: boolean }> {
  const isNewer = (given: ChatMessage) => sinceMs !== null && (whenMs(given) ?? 0) > sinceMs;
  const isOld = (given: ChatMessage) => !isNewer(given) && whenMs(given) !== null;
  const found: Message[] = [];
  let newestMs: number | null = null;
  let left = true;
  for (let offset = 0; offset < most; offset += PAGE) {
    const page = await ask(offset);
    for (const { time } of page) if (time !== undefined) newestMs = Math.max(newestMs ?? 0, time);
    for (const message of page.filter(isNewer)) {
      const one = read(message);
      if (one !== null) found.push(one);
    }
    if (page.length === PAGE && sinceMs !== null && !page.some(isOld)) continue;
    left = false;
    break;
  }
  return { found: found.sort((a, b) => a.sentMs - b.sentMs), newestMs, left };
}

/** Messages of one group: there is more talk among each other than to us. */
const MOST_OF_GROUP = 200;

export interface GroupCatchUp {
  client: Pick<OaClient, 'groupConversation'>;
  read: (given: ChatMessage, groupId: string) => Message | null;
  accept: (incoming: Incoming) => Promise<{ fresh: boolean }>;
  signal: AbortSignal;
  log: Log;
}

export interface GroupsCaughtUp {
  /** by Zalo's clock: everything in these groups is heard up to there */
  marks: Map<string, number>;
  missed: Message[];
  left: boolean;
}

/**
 * The same for groups, each of which must be asked for: it costs one call for each. What a group refuses, or all of them,
 * holds up nobody: it is asked again in the next round, and stands in the log once.
 */
export function makeGroupCatchUp({ client, read, accept, signal, log }: GroupCatchUp) {
  /** what was refused, by group */
  const told = new Map<string, string>();
  function tell(groupId: string, error: WorldError): void {
    if (told.get(groupId) !== error.message) log.warn({ err: error }, 'a group could not be read');
    told.set(groupId, error.message);
  }

  /** @param groups each with what was heard of it; null: nothing is looked for, only the time is asked */
  return async (
    groups: readonly { id: string; sinceMs: number | null }[],
    inTurn: InTurn,
  ): Promise<GroupsCaughtUp> => {
    const done: GroupsCaughtUp = { marks: new Map(), missed: [], left: false };
    for (const { id, sinceMs } of groups) {
      try {
        const { found, newestMs, left } = await newerWords({
          ...{ most: MOST_OF_GROUP, sinceMs },
          whenMs: ({ time }) => time ?? null,
          read: (given) => read(given, id),
          ask: async (offset) =>
            (await inTurn(() => client.groupConversation(id, { offset, count: PAGE }, signal))).items,
        });
        told.delete(id);
        for (const message of found) if ((await accept(message)).fresh) done.missed.push(message);
        done.left ||= left;
        done.marks.set(id, newestMs ?? 0);
      } catch (error) {
        if (signal.aborted || !(error instanceof WorldError)) throw error;
        tell(id, error);
        // the package, the rights, the network: the same for all of them
        if (!HOPELESS.has(error.kind)) break;
      }
    }
    return done;
  };
}
