import type { Request } from 'express';
import type { ConsoleChat, ConsolePerson, Gate } from './gate.js';

export interface MembersOptions {
  /** who is logged in on this request, and what its changes must carry */
  who(request: Request): Promise<{ personId: number; csrf: string } | null>;
  /** The person's account on this channel now; null when they may not use the console (any more). */
  account(personId: number): Promise<ConsolePerson | null>;
  /** groups of this channel that the person may see */
  groupsOf(personId: number): Promise<{ chatId: string; title: string }[]>;
  /** Is there such a chat on this channel? */
  exists(chatId: string): Promise<boolean>;
  /** things to try, as this person */
  suggestions?(person: ConsolePerson): string[];
}

/** The console outside the demo: one acts only as the person who logged in. */
export function makeMembers(options: MembersOptions): Gate {
  return {
    greet: () => true,
    exists: options.exists,
    async enter(request) {
      const session = await options.who(request);
      const person = session === null ? null : await options.account(session.personId);
      if (session === null || person === null) return null;
      const groups = await options.groupsOf(session.personId);
      const chats: ConsoleChat[] = [
        { chatId: person.userId, kind: 'private', title: 'Mắt Thần' },
        ...groups.map((group) => ({ ...group, kind: 'group' as const })),
      ];
      const heard = new Set(chats.map((chat) => chat.chatId));
      return {
        person,
        chats,
        csrf: session.csrf,
        suggestions: options.suggestions?.(person) ?? ['trợ giúp', 'quyền', 'camera'],
        people: null,
        hears: (chatId) => heard.has(chatId),
      };
    },
  };
}
