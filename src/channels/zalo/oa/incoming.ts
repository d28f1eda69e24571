import type { Attachment, ChatEvent, Incoming, Message } from '../../../chat/message.js';
import type { OaAttachment, OaEvent, OaMessageEvent } from '../webhook/oa-events.js';

/** What one must know of the OA to read its events. */
export interface OwnAccount {
  /** null while it is not known */
  id: string | null;
  /** as people see it; null while it is not known */
  name: string | null;
  /** ids of messages that the OA sent: an answer to one is meant for us */
  isOwn(messageId: string): boolean;
}

/** The same message by webhook and by catching up has the same id. */
const idOf = (event: OaEvent): string =>
  event.kind === 'message' && event.messageId !== null ? `m:${event.messageId}` : event.key;

const KINDS: Record<OaAttachment['kind'], Attachment['kind']> = {
  photo: 'photo',
  gif: 'photo',
  video: 'video',
  audio: 'audio',
  file: 'document',
};

const attachmentOf = (given: OaAttachment): Attachment => ({
  kind: KINDS[given.kind],
  ref: given.url,
  ...(given.fileName === undefined ? {} : { fileName: given.fileName }),
  ...(given.sizeBytes === undefined ? {} : { sizeBytes: given.sizeBytes }),
});

/** "[@123]" is how Zalo writes a mention. */
const MENTION = /\[@\d+\]/g;

/** Takes the OA's own name off ("@Công an xã Cẩm Lương ảnh 1"); was it there? */
function withoutMention(text: string, name: string | null): { text: string; mentioned: boolean } {
  const bare = text.replace(MENTION, ' ');
  if (name === null) return { text: bare, mentioned: false };
  const at = bare.toLocaleLowerCase('vi').indexOf(`@${name.toLocaleLowerCase('vi')}`);
  if (at < 0) return { text: bare, mentioned: false };
  return { text: `${bare.slice(0, at)} ${bare.slice(at + 1 + name.length)}`, mentioned: true };
}

/** What a person said; null for what is not for the bot. */
export function readMessage(event: OaEvent & OaMessageEvent, own: OwnAccount): Message | null {
  const { groupId, userId } = event;
  const { text, mentioned } =
    groupId === null ? { text: event.text, mentioned: false } : withoutMention(event.text, own.name);
  const words = text.replace(/[^\S\n]+/g, ' ').trim();
  const card = event.also === 'business-card';
  const empty = card || (words === '' && event.attachments.length === 0 && event.place === null);
  // a sticker, a card: nothing the bot could do something with; who sent it to us is told so
  if (empty && groupId !== null && !mentioned) return null;
  const quoted = event.quoteId !== null && own.isOwn(event.quoteId);
  return {
    ...{ kind: 'message', channel: 'zalo-oa', externalId: idOf(event), sentMs: event.atMs },
    ...{ chatId: groupId ?? userId, chatKind: groupId === null ? 'private' : 'group' },
    sender: { userId, name: '' },
    text: card ? '' : words,
    attachments: event.attachments.map(attachmentOf),
    ...(empty && groupId === null ? { unreadable: true as const } : {}),
    ...(event.place === null ? {} : { place: event.place }),
    addressed: groupId === null || mentioned || quoted || words.startsWith('/'),
  };
}

/** An event as the chat core takes it; null for what is not for it. */
export function readIncoming(event: OaEvent, own: OwnAccount): Incoming | null {
  const about = (chatId: string) =>
    ({ kind: 'event', channel: 'zalo-oa', chatId, externalId: idOf(event), sentMs: event.atMs }) as const;
  const happened = (chatId: string, what: ChatEvent['event']): ChatEvent => ({
    ...about(chatId),
    event: what,
  });
  switch (event.kind) {
    case 'message':
      return readMessage(event, own);
    case 'follow':
      return happened(event.userId, { type: 'followed', userId: event.userId });
    case 'unfollow':
      return happened(event.userId, { type: 'blocked', userId: event.userId });
    case 'opened-chat':
      return happened(event.userId, { type: 'heard', userId: event.userId });
    case 'info':
      return happened(event.userId, {
        type: 'shared-info',
        userId: event.userId,
        info: {
          ...(event.info.name === undefined ? {} : { name: event.info.name }),
          ...(event.info.phone === undefined ? {} : { phone: event.info.phone }),
          ...addressOf(event.info),
        },
      });
    case 'withdraw':
      return happened(event.userId, { type: 'withdrew', userId: event.userId });
    case 'echo':
      if (event.adminId === null) return null;
      return happened(event.toId, {
        type: 'answered-by-hand',
        adminId: event.adminId,
        toUserId: event.toId,
        text: event.text,
      });
    case 'group':
      if (event.change === 'made') {
        const by = { userId: event.userIds[0] ?? '', name: '' };
        return happened(event.groupId, { type: 'bot-added', by });
      }
      if (event.change === 'ended') return happened(event.groupId, { type: 'bot-removed' });
      if (event.userIds.length === 0) return null;
      if (event.change === 'asked-to-join')
        return happened(event.groupId, { type: 'asked-to-join', userIds: event.userIds });
      if (event.change === 'joined' || event.change === 'join-accepted')
        return happened(event.groupId, { type: 'joined', userIds: event.userIds });
      return null;
    default:
      return null;
  }
}

function addressOf(info: Record<string, string | undefined>): { address?: string } {
  const { address, ward, district, city } = info;
  const parts = [address, ward, district, city].filter((part) => part !== undefined && part !== '');
  return parts.length === 0 ? {} : { address: parts.join(', ') };
}
