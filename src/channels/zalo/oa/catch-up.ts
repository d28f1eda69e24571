import { setTimeout as pause } from 'node:timers/promises';
import { cleanText } from '../../../base/clean-text.js';
import { WorldError, type WorldKind } from '../../../base/errors.js';
import type { Log } from '../../../base/log.js';
import type { Incoming, Message } from '../../../chat/message.js';
import type { OaClient } from '../api/oa.js';
import type { ChatMessage } from '../api/people.js';

/** The most the API gives at a time. */
const PAGE = 10;
/** Conversations looked through; more than these did not write in an outage. */
const MOST_CHATS = 200;
/** Messages of one person. */
const MOST_MESSAGES = 100;

const FROM_PERSON = 1;

const KINDS: Record<string, Message['attachments'][number]['kind']> = {
  photo: 'photo',
  image: 'photo',
  gif: 'photo',
  video: 'video',
  voice: 'audio',
  audio: 'audio',
  file: 'document',
};

/** [?] the shape of `location` in this answer: coordinates as JSON. */
function placeOf(location: string | undefined): Message['place'] | null {
  try {
    const read = JSON.parse(location ?? '') as { latitude?: unknown; longitude?: unknown };
    const [latitude, longitude] = [Number(read.latitude), Number(read.longitude)];
    return Number.isFinite(latitude) && Number.isFinite(longitude) ? { latitude, longitude } : null;
  } catch {
    return null;
  }
}

/** A message out of a conversation; null for the OA's own, and for what has nothing in it. */
export function readChatMessage(given: ChatMessage, nowMs: number): Message | null {
  const userId = given.from_id;
  if (given.src !== FROM_PERSON || userId === undefined) return null;
  const kind = KINDS[given.type ?? 'text'];
  const place = placeOf(given.location);
  const text = cleanText(given.message ?? '').trim();
  const attachments = kind !== undefined && given.url !== undefined ? [{ kind, ref: given.url }] : [];
  if (text === '' && attachments.length === 0 && place === null) return null;
  return {
    ...{ kind: 'message', channel: 'zalo-oa', externalId: `m:${given.message_id}` },
    ...{ chatId: userId, chatKind: 'private', sentMs: given.time ?? nowMs },
    sender: { userId, name: given.from_display_name ?? '' },
    ...{ text, attachments, addressed: true },
    ...(place === null ? {} : { place }),
  };
}

export interface CatchUp {
  client: Pick<OaClient, 'recentChats' | 'conversation'>;
  /** everything up to here was heard, by Zalo's clock, epoch ms; null: nothing is looked for, only the time is asked */
  sinceMs: number | null;
  nowMs: number;
  accept: (incoming: Incoming) => Promise<{ fresh: boolean }>;
  signal: AbortSignal;
  log: Log;
  /** between two calls, ms: answers go by the same calls a minute */
  paceMs?: number;
}

export interface CaughtUp {
  /** everything up to here is heard now, by Zalo's clock, epoch ms; null: nobody ever wrote */
  upToMs: number | null;
  /** what the webhook had not brought, in the order it was taken */
  missed: Message[];
  /** there was more than we look through */
  left: boolean;
}

/** Of these refusals the next try knows no more: the others must not wait for one conversation. */
const HOPELESS: ReadonlySet<WorldKind> = new Set(['invalid', 'blocked', 'window-closed', 'not-found']);

/** The first calls go at once, the others in this pace: 30 a minute of the usual 100. */
const AT_ONCE = 10;
const PACE_MS = 2000;

/**
 * Takes what people wrote to the OA while we were not told: each conversation that has something newer, oldest message
 * first. What came by webhook as well is known by its id, or by what it is (twice.ts). Groups are not looked through: their
 * words are for each other. Where nothing is newer it costs one call.
 * @throws WorldError: nothing may be taken for heard
 */
export async function catchUp(options: CatchUp): Promise<CaughtUp> {
  const { client, sinceMs, nowMs, accept, signal, log, paceMs = PACE_MS } = options;
  let calls = 0;
  /** One call in its turn; where the minute is used up it waits for the next. */
  async function inTurn<T>(call: () => Promise<T>): Promise<T> {
    calls += 1;
    if (calls > AT_ONCE) await pause(paceMs, undefined, { signal });
    for (;;)
      try {
        return await call();
      } catch (error) {
        if (!(error instanceof WorldError) || error.kind !== 'rate-limited') throw error;
        await pause((error.retryAfterS ?? 60) * 1000, undefined, { signal });
      }
  }

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
      if (userId !== undefined) people.add(userId);
    }
    if (newer.length === PAGE) continue;
    left = false;
    break;
  }
  const missed: Message[] = [];
  /** All that this person wrote meanwhile, oldest first. */
  async function wordsOf(userId: string): Promise<Message[]> {
    const found: Message[] = [];
    for (let offset = 0; ; offset += PAGE) {
      const page = await inTurn(() => client.conversation(userId, { offset, count: PAGE }, signal));
      const newer = page.filter(isNewer);
      for (const message of newer) {
        const read = readChatMessage(message, nowMs);
        if (read !== null) found.push(read);
      }
      if (newer.length < PAGE) break;
      if (offset + PAGE >= MOST_MESSAGES) {
        left = true;
        break;
      }
    }
    return found.sort((a, b) => a.sentMs - b.sentMs);
  }

  // who wrote last comes first in the list
  for (const userId of [...people].reverse()) {
    const found = await wordsOf(userId).catch((error: unknown) => {
      if (!(error instanceof WorldError) || !HOPELESS.has(error.kind)) throw error;
      log.warn({ err: error }, 'a conversation could not be read');
      return [];
    });
    for (const message of found) if ((await accept(message)).fresh) missed.push(message);
  }
  return { upToMs, missed, left };
}
