import type { ChannelName, ChatAddress, Recipient } from '../../src/chat/message.js';
import { accountsOf } from '../../src/store/accounts.js';
import type { Database } from '../../src/store/database.js';
import { dropTopic, type Group, groupsFor, listGroups } from '../../src/store/groups.js';
import { peopleByRole } from '../../src/store/people.js';
import type { House } from '../house.js';

/** Names a recipient in the key of what it is told. */
export const recipientName = (to: Recipient): string =>
  'personId' in to ? `person:${to.personId}` : `${to.channel}:${to.chatId}`;

/** Where a group is told things: the topic in which it was bound, if it has such. */
export const chatOf = ({ channel, chatId, topic }: Group): ChatAddress => ({
  ...{ channel: channel as ChannelName, chatId },
  ...(topic === null ? {} : { topic }),
});

/**
 * A topic is gone, and what was meant for it went to the group's general one. Where the group was bound in it the general
 * one takes its place, and the group is told so once.
 */
export async function leaveTopic(house: House, { channel, chatId, topic }: ChatAddress): Promise<void> {
  const group = (await listGroups(house.db)).find((one) => one.channel === channel && one.chatId === chatId);
  if (group === undefined || topic === undefined || group.topic !== topic) return;
  await house.tell(
    { channel, chatId },
    'Chủ đề đã chọn để nhận tin không còn (đã bị xóa hoặc đóng), nên từ giờ tin của Mắt Thần nằm ở chủ đề chung này. Muốn nhận ở chủ đề khác, trưởng công an vào chủ đề đó gõ lại /nhom.',
    { key: `topic-gone:${group.id}:${topic}:${group.boundMs}`, priority: 'alert' },
  );
  await dropTopic(house.db, group.id, topic);
}

/** Every officers' group; where none is bound, the chiefs who have opened a private chat. */
export async function officersChats(db: Database): Promise<{ chats: Recipient[]; bound: boolean }> {
  const groups = await groupsFor(db, 'officers');
  if (groups.length > 0)
    return {
      chats: groups.map(chatOf),
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
