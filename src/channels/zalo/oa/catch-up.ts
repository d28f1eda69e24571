import { cleanText } from '../../../base/clean-text.js';
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
  /** everything up to here was heard, epoch ms */
  sinceMs: number;
  nowMs: number;
  accept: (incoming: Incoming) => Promise<unknown>;
  signal: AbortSignal;
}

/**
 * Takes what people wrote to the OA while we could not be told: each conversation that has something newer, oldest message
 * first. What came by webhook as well is known by its id, or by what it is (twice.ts). Groups are not looked through: their words are for each other.
 * @returns how many messages were offered
 */
export async function catchUp({ client, sinceMs, nowMs, accept, signal }: CatchUp): Promise<number> {
  const people = new Set<string>();
  for (let offset = 0; offset < MOST_CHATS; offset += PAGE) {
    const chats = await client.recentChats({ offset, count: PAGE }, signal);
    const newer = chats.filter((chat) => (chat.time ?? nowMs) > sinceMs);
    for (const chat of newer) {
      const userId = chat.src === FROM_PERSON ? chat.from_id : chat.to_id;
      if (userId !== undefined) people.add(userId);
    }
    if (newer.length < PAGE) break;
  }
  const found: Message[] = [];
  for (const userId of people)
    for (let offset = 0; offset < MOST_MESSAGES; offset += PAGE) {
      const page = await client.conversation(userId, { offset, count: PAGE }, signal);
      const newer = page.filter((message) => (message.time ?? nowMs) > sinceMs);
      for (const message of newer) {
        const read = readChatMessage(message, nowMs);
        if (read !== null) found.push(read);
      }
      if (newer.length < PAGE) break;
    }
  found.sort((a, b) => a.sentMs - b.sentMs);
  for (const message of found) await accept(message);
  return found.length;
}
