import type { Api } from 'grammy';
import type { BotCommand, BotCommandScope } from 'grammy/types';
import { toWorldError } from './errors.js';
import { limited } from './polling.js';

export interface MenuEntry {
  /** a-z, 0-9 and _, at most 32: without the slash */
  command: string;
  /** 1–256 characters */
  description: string;
}

/** What Telegram shows behind "/" and the menu button. */
export interface Menus {
  /** everybody, in the private chat */
  private: MenuEntry[];
  group: MenuEntry[];
  /** chats that see more, by chat id; null or empty takes the chat's own menu away */
  perChat?: Record<string, MenuEntry[] | null>;
}

const CALL_MS = 30_000;
const MOST_ENTRIES = 100;
const MOST_DESCRIPTION = 256;

const fitEntry = ({ command, description }: MenuEntry): BotCommand => ({
  command: command.toLowerCase(),
  description: description.normalize('NFC').slice(0, MOST_DESCRIPTION) || command,
});

const same = (have: BotCommand[], want: BotCommand[]) =>
  have.length === want.length &&
  have.every(
    (entry, index) =>
      entry.command === want[index]?.command && entry.description === want[index]?.description,
  );

/** @returns true when it was changed */
async function publish(api: Api, scope: BotCommandScope, entries: MenuEntry[]): Promise<boolean> {
  const want = entries.slice(0, MOST_ENTRIES).map(fitEntry);
  const have = await limited(api, CALL_MS, undefined, (on, ends) => on.getMyCommands({ scope }, ends));
  if (same(have, want)) return false;
  await limited<unknown>(api, CALL_MS, undefined, (on, ends) =>
    want.length === 0 ? on.deleteMyCommands({ scope }, ends) : on.setMyCommands(want, { scope }, ends),
  );
  return true;
}

/**
 * Puts the menus where they are not yet as wanted. A chat that can't be reached does not stop the others.
 * @returns how many scopes were changed, and the chats whose menu could not be set
 * @throws WorldError when the general menus can't be set
 */
export async function publishMenus(api: Api, menus: Menus): Promise<{ changed: number; failed: string[] }> {
  const general: [BotCommandScope, MenuEntry[]][] = [
    [{ type: 'default' }, menus.private],
    [{ type: 'all_private_chats' }, menus.private],
    [{ type: 'all_group_chats' }, menus.group],
  ];
  let changed = 0;
  try {
    for (const [scope, entries] of general) if (await publish(api, scope, entries)) changed += 1;
  } catch (error) {
    throw toWorldError('setMyCommands', error);
  }
  const failed: string[] = [];
  for (const [chatId, entries] of Object.entries(menus.perChat ?? {})) {
    try {
      if (await publish(api, { type: 'chat', chat_id: Number(chatId) }, entries ?? [])) changed += 1;
    } catch {
      failed.push(chatId);
    }
  }
  return { changed, failed };
}
