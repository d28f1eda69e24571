import type { Role } from '../src/base/roles.js';
import type { Command } from '../src/chat/command.js';
import { accountsOf } from '../src/store/accounts.js';
import { groupsFor } from '../src/store/groups.js';
import { listPeople } from '../src/store/people.js';
import type { House } from './house.js';
import { menuFor } from './index.js';

interface Entry {
  command: string;
  description: string;
}

/** What Telegram shows behind "/": everybody's menu, and that of each chat whose people may do more. */
export interface ChatMenus {
  private: Entry[];
  group: Entry[];
  perChat: Record<string, Entry[]>;
}

/** The menus as they should be now, by who is in which chat. */
export async function menusOf(house: House, commands: Command[]): Promise<ChatMenus> {
  const entries = (role: Role, inGroup: boolean) =>
    menuFor(
      commands.filter((command) => !inGroup || command.inGroups),
      role,
    ).map(({ name, summary }) => ({ command: name, description: summary }));
  const perChat: Record<string, Entry[]> = {};
  for (const person of await listPeople(house.db)) {
    const chats = (await accountsOf(house.db, person.id)).filter((address) => address.channel === 'telegram');
    for (const { privateChatId } of chats)
      if (privateChatId !== null) perChat[privateChatId] = entries(person.role, false);
  }
  for (const group of await groupsFor(house.db, 'officers'))
    if (group.channel === 'telegram') perChat[group.chatId] = entries('officer', true);
  return { private: entries('guest', false), group: entries('guest', true), perChat };
}
