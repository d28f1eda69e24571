import type { Request, Response, Router } from 'express';

export interface ConsolePerson {
  /** the account's id on this channel; its private chat has the same id */
  userId: string;
  name: string;
  /** as people read it: "cán bộ công an" */
  roleName: string;
}

export interface ConsoleChat {
  chatId: string;
  kind: 'private' | 'group';
  title: string;
}

/** Somebody one may be in the demo, with the chats that open then. */
export interface Persona extends ConsolePerson {
  chats: ConsoleChat[];
  suggestions: string[];
}

/** What a request may do: act as this person, in these chats. */
export interface Pass {
  person: ConsolePerson;
  chats: ConsoleChat[];
  /** must come along with every change, as the header `x-csrf` */
  csrf: string;
  /** things to try, for an empty chat */
  suggestions: string[];
  /** in the demo: everybody one may be */
  people: Persona[] | null;
  /** may its live stream tell of this chat? */
  hears(chatId: string): boolean;
}

/** Who may come in, and as whom. Two kinds: the demo's personas, and people who logged in. */
export interface Gate {
  /** The pass of a request, asked again at each; null = nobody we know. */
  enter(request: Request): Promise<Pass | null>;
  /** Before the page is sent: may set a cookie; false = there is no console for this browser. */
  greet(request: Request, response: Response): boolean;
  /** Is there such a chat to send to? */
  exists(chatId: string): Promise<boolean>;
  /** APIs of this gate alone */
  router?: Router;
}
