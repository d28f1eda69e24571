import type { ZaloMessage } from './types.js';
import type { World } from './world.js';

const mediaOf = ({ raw }: ZaloMessage) => {
  const payload = (raw.parts as { payload: Record<string, unknown> }[] | undefined)?.[0]?.payload ?? {};
  return {
    ...(payload.url === undefined ? {} : { url: payload.url, thumb: payload.thumbnail }),
    ...(payload.description === undefined ? {} : { description: payload.description }),
    ...(payload.coordinates === undefined ? {} : { location: JSON.stringify(payload.coordinates) }),
  };
};

/** The names of kinds in a conversation, where they are others than those of events. */
const TYPES: Record<string, string> = { image: 'photo', audio: 'voice', business_card: 'link' };

/** A message as conversations list it. */
export const chatLine = (world: World, message: ZaloMessage) => ({
  ...mediaOf(message),
  src: message.fromId === null ? 0 : 1,
  time: message.atMs,
  type: TYPES[message.kind] ?? message.kind,
  message: message.text,
  message_id: world.otherIds ? `c-${message.id}` : message.id,
  from_id: message.fromId ?? world.oaId,
  to_id: message.fromId === null ? message.chatId : world.oaId,
  from_display_name: message.fromId === null ? 'OA' : (world.people.get(message.fromId)?.name ?? ''),
  ...(message.inGroup ? { group_id: message.chatId } : {}),
});
