import { cleanName, cleanText } from '../../../base/clean-text.js';
import type { Message, Place } from '../../../chat/message.js';
import type { ChatMessage } from '../api/chat-message.js';
import type { OaAttachment, OaMessageEvent } from '../webhook/oa-events.js';
import { type OwnAccount, readMessage } from './incoming.js';

const FROM_OA = 0;
const FROM_PERSON = 1;

const KINDS: Record<string, OaAttachment['kind']> = {
  ...{ photo: 'photo', image: 'photo', gif: 'gif', video: 'video' },
  ...{ voice: 'audio', audio: 'audio', file: 'file' },
};

/** [?] the shape of `location` in this answer: coordinates as JSON. */
function placeOf(location: string | null | undefined): Place | null {
  try {
    const read = JSON.parse(location ?? '') as { latitude?: unknown; longitude?: unknown };
    const [latitude, longitude] = [Number(read.latitude), Number(read.longitude)];
    return Number.isFinite(latitude) && Number.isFinite(longitude) ? { latitude, longitude } : null;
  } catch {
    return null;
  }
}

/** In a group `src` may be missing [?]: what is not surely a person's is none. */
function isOfPerson({ src, from_id: fromId, message_id: id }: ChatMessage, own: OwnAccount): boolean {
  if (src === FROM_OA || fromId === own.id || own.isOwn(id)) return false;
  return src === FROM_PERSON || own.id !== null;
}

/** Words with the links they came with, as the webhook tells them. */
function wordsOf(given: ChatMessage, links: boolean): Pick<OaMessageEvent, 'text' | 'also'> {
  const text = given.message ?? '';
  if (!links) return { text: cleanText(text), also: null };
  const about = given.links ?? [given];
  const card = about.some(({ description }) => /"phone"\s*:/.test(description ?? ''));
  const parts = card ? [text] : [text, ...about.flatMap(({ description, url }) => [description, url])];
  const said = parts.filter((part) => typeof part === 'string' && part !== '');
  return { text: cleanText([...new Set(said)].join('\n')), also: card ? 'business-card' : 'link' };
}

/**
 * A message out of a conversation as its webhook would have brought it; null for the OA's own, and for what is not for the
 * bot.
 * @param groupId null: the conversation with the OA
 */
export function readListed(
  given: ChatMessage,
  groupId: string | null,
  own: OwnAccount,
  nowMs: number,
): Message | null {
  const userId = given.from_id ?? null;
  if (userId === null || !isOfPerson(given, own)) return null;
  const type = (given.type ?? 'text').toLowerCase();
  const kind = KINDS[type];
  const { text, also } = wordsOf(given, /^(links?|business_card)$/.test(type));
  const read = readMessage(
    {
      ...{ kind: 'message', userId, groupId, messageId: given.message_id, text },
      ...{ quoteId: given.quote_message_id ?? null, place: placeOf(given.location) },
      attachments: kind !== undefined && given.url ? [{ kind, url: given.url }] : [],
      also: type === 'sticker' ? 'sticker' : also,
      ...{ atMs: given.time ?? nowMs, key: given.message_id, oaId: null },
    },
    own,
  );
  if (read === null) return null;
  return { ...read, sender: { userId, name: cleanName(given.from_display_name ?? '') } };
}
