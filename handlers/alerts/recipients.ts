import type { ChannelName, ChatAddress } from '../../src/chat/message.js';
import type { Database } from '../../src/store/database.js';
import { groupsFor } from '../../src/store/groups.js';
import { addressesOf, peopleByRole } from '../../src/store/people.js';
import type { House } from '../house.js';

/** The private chats of a person that can be written to. */
export async function privateChatsOf(db: Database, personId: number): Promise<ChatAddress[]> {
  return (await addressesOf(db, personId))
    .filter((address) => address.privateChatId !== null && !address.blocked)
    .map((address) => ({
      channel: address.channel as ChannelName,
      chatId: address.privateChatId as string,
    }));
}

/** Every officers' group; where none is bound, the chiefs in private. */
export async function officersChats(db: Database): Promise<{ chats: ChatAddress[]; bound: boolean }> {
  const groups = await groupsFor(db, 'officers');
  if (groups.length > 0)
    return {
      chats: groups.map((group) => ({ channel: group.channel as ChannelName, chatId: group.chatId })),
      bound: true,
    };
  const chats: ChatAddress[] = [];
  for (const chief of await peopleByRole(db, 'chief')) {
    const first = (await privateChatsOf(db, chief.id))[0];
    if (first !== undefined) chats.push(first);
  }
  return { chats, bound: false };
}

/** Says an alert to the officers; the same key is said once. */
export async function tellOfficers(house: House, key: string, text: string): Promise<void> {
  const { chats } = await officersChats(house.db);
  for (const chat of chats)
    await house.tell(chat, text, { key: `${key}:${chat.channel}:${chat.chatId}`, priority: 'alert' });
  if (chats.length === 0) house.log.warn({ alert: key }, 'alert without anybody to hear it');
}
