import type { Attachment, Message } from '../../../chat/message.js';
import type { BotUpdate } from '../webhook/bot-events.js';

const attachment = (kind: Attachment['kind'], ref: string | null): Attachment[] =>
  ref === null ? [] : [{ kind, ref }];

/** An update as the chat core takes it; null for what is not for it. Groups are beta there, and none of ours. */
export function readIncoming(update: BotUpdate): Message | null {
  if (update.kind !== 'message' || update.chatKind === 'group') return null;
  const text = update.text.replace(/[^\S\n]+/g, ' ').trim();
  const attachments = [...attachment('photo', update.photoUrl), ...attachment('audio', update.voiceUrl)];
  const empty = text === '' && attachments.length === 0;
  return {
    ...{ kind: 'message', channel: 'zalo-bot', externalId: update.key, sentMs: update.atMs },
    ...{ chatId: update.chatId, chatKind: 'private', addressed: true },
    sender: { userId: update.userId, name: update.name },
    ...{ text, attachments },
    ...(empty ? { unreadable: true as const } : {}),
  };
}
