import type { ChannelName, Recipient } from '../../src/chat/message.js';
import { accountsOf } from '../../src/store/accounts.js';
import type { Database } from '../../src/store/database.js';
import { groupsFor } from '../../src/store/groups.js';
import { peopleByRole } from '../../src/store/people.js';
import type { House } from '../house.js';

/** Names a recipient in the key of what it is told. */
export const recipientName = (to: Recipient): string =>
  'personId' in to ? `person:${to.personId}` : `${to.channel}:${to.chatId}`;

/** Every officers' group; where none is bound, the chiefs who have opened a private chat. */
export async function officersChats(db: Database): Promise<{ chats: Recipient[]; bound: boolean }> {
  const groups = await groupsFor(db, 'officers');
  if (groups.length > 0)
    return {
      chats: groups.map((group) => ({ channel: group.channel as ChannelName, chatId: group.chatId })),
      bound: true,
    };
  const chats: Recipient[] = [];
  for (const { id } of await peopleByRole(db, 'chief')) {
    const accounts = await accountsOf(db, id);
    if (accounts.some(({ privateChatId, blocked }) => privateChatId !== null && !blocked))
      chats.push({ personId: id });
  }
  return { chats, bound: false };
}

/** Says an alert to the officers; the same key is said once. */
export async function tellOfficers(house: House, key: string, text: string): Promise<void> {
  const { chats } = await officersChats(house.db);
  for (const chat of chats)
    await house.tell(chat, text, { key: `${key}:${recipientName(chat)}`, priority: 'alert' });
  if (chats.length === 0) house.log.warn({ alert: key }, 'alert without anybody to hear it');
}
