import type { Log } from '../base/log.js';
import type { GroupPurpose, Role } from '../base/roles.js';
import type { Transaction } from '../store/database.js';
import type { ChannelLimits, Message, Recipient, Reply } from './message.js';
import type { Priority } from './priority.js';

/** Who speaks, as the bot knows them. */
export interface Speaker {
  personId: number;
  addressId: number;
  name: string;
  role: Role;
  hamletId: number | null;
}

/** The group a message was said in; null purpose = not bound yet. */
export interface SpokenIn {
  groupId: number;
  purpose: GroupPurpose | null;
  hamletId: number | null;
  title: string;
}

export interface MenuChoice {
  label: string;
  /** what choosing it means, as typed */
  says: string;
}

/**
 * One accepted message being answered. A crash may run the same message again from the start: replies are keyed by
 * their order (each is sent once), and changes go through `once`.
 */
export interface Talk {
  readonly message: Message;
  readonly inboxId: number;
  readonly speaker: Speaker;
  /** null in a private chat */
  readonly group: SpokenIn | null;
  /** epoch ms at which the message was accepted: the "now" of its words, the same when it is run again */
  readonly nowMs: number;
  readonly limits: ChannelLimits;
  readonly log: Log;
  /** aborted when the service stops */
  readonly signal: AbortSignal;

  /** Says it in this chat. Durable: resolves when it is in the outbox. Files must lie in `spool()`'s folder. */
  reply(reply: Reply | string): Promise<void>;
  /** Asks with buttons (or a numbered menu where the channel has none); the next answer in this chat is tried on it first. */
  ask(text: string, choices: MenuChoice[]): Promise<void>;
  /**
   * Asks for words: the person's next message in this chat is run as `command` + its text.
   * @param command e.g. "ghinhan Nguyễn Văn A"
   */
  askWords(text: string, command: string): Promise<void>;
  /** A line that shows what is under way; changed by the next call and turned into the next reply. Best effort. */
  progress(text: string): Promise<void>;
  /** "is typing", "is sending a video" until the next reply. */
  act(activity: 'typing' | 'sending-photo' | 'sending-video'): void;
  /**
   * Says it to somebody else, durably: to a chat, or to a person wherever they can be reached.
   * @param key distinguishes several tells of one message
   * @param priority left out: a notice
   */
  tell(
    to: Recipient,
    reply: Reply | string,
    key: string,
    priority?: Priority,
    about?: TellAbout,
  ): Promise<void>;
  /**
   * Says it to the person in private even when the words were said in a group; where they have not opened a private
   * chat, the group gets a button that opens it, and `false` comes back.
   */
  replyPrivately(reply: Reply | string): Promise<boolean>;
  /** Makes a change exactly once for this message: run again after a crash it gives the recorded result. JSON only. */
  once<T>(name: string, change: (tx: Transaction) => Promise<T>): Promise<T>;
  /** A path in the spool for a file of a reply; it is deleted after the message is done. */
  spool(fileName: string): Promise<string>;
  /**
   * Says that there is nothing to say on purpose (the later photos of an album, a thanks in a group). Without it an
   * addressed message that nobody answered is answered by the core.
   */
  staySilent(): void;
}

/** More about something that is told. */
export interface TellAbout {
  /** what belongs to it and follows it */
  more?: readonly Reply[];
  /** messages of one such kind to one chat may become a digest when they pile up */
  digest?: string;
  /** how a digest calls it; left out: by its words */
  brief?: string;
}

/** What a command made of the words after its name. */
export type Read<Args> =
  | { kind: 'args'; args: Args }
  /** the words don't belong to this command: an everyday sentence that begins with the same word */
  | { kind: 'not-mine' }
  /** a question or a sentence that says what to do */
  | { kind: 'answer'; reply: (talk: Talk) => Promise<void> };

export interface Command<Args = unknown> {
  /** ASCII, lower case: "/anh" */
  name: string;
  /** other ways to call it, with marks as people write them: ["ảnh", "hình", "chụp"] */
  aliases: string[];
  /** one line for help and menu, Vietnamese */
  summary: string;
  /** "ảnh cổng chợ" */
  example: string;
  /** nobody if empty */
  may: readonly Role[] | 'everybody';
  /** may it be said in groups? Its replies decide what the group sees. */
  inGroups: boolean;
  /** order in help and menus */
  section: 'xem' | 'báo tin' | 'quản lý' | 'chung';
  read(words: string, talk: Talk): Promise<Read<Args>>;
  run(talk: Talk, args: Args): Promise<void>;
}

/** Lets a table hold commands of different arguments while each is typed inside. */
export const command = <Args>(definition: Command<Args>): Command => definition as Command;

/** What to do with words that are no command, and with files: handlers hang in here. Called for addressed messages only. */
export interface Fallbacks {
  /** words or a place: in private help or a report, in a group a hint (or staySilent) */
  words(talk: Talk): Promise<void>;
  /** a photo, video, sound or file without a command */
  files(talk: Talk): Promise<void>;
}
