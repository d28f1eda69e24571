/** The chat port: what every channel speaks. Platforms are taken off at the edge. */

export type ChannelName = 'telegram' | 'console' | 'zalo-oa' | 'zalo-bot';

/** A chat on a channel, private or group. */
export interface ChatAddress {
  channel: ChannelName;
  chatId: string;
  /** the topic of a group that is parted into such; left out: the group's general one */
  topic?: string;
}

/** A person, wherever they can be reached just now. */
export interface PersonAddress {
  personId: number;
}

export type Recipient = ChatAddress | PersonAddress;

export interface Sender {
  /** the account's id on its platform, a string always */
  userId: string;
  /** as the platform shows it; empty where it does not tell: what we knew stays */
  name: string;
}

/** Where a message was said, and is answered. */
export const placeOf = ({ channel, chatId, topic }: Message): ChatAddress => ({
  channel,
  chatId,
  ...(topic === undefined ? {} : { topic }),
});

/** A file somebody sent, not fetched yet. Serializable: it waits in the inbox. */
export interface Attachment {
  kind: 'photo' | 'video' | 'audio' | 'document';
  /** what the channel needs to fetch it (a file id, a path of its spool) */
  ref: string;
  fileName?: string;
  /** what the sender's platform claims; never trusted */
  mime?: string;
  sizeBytes?: number;
}

export interface Place {
  latitude: number;
  longitude: number;
}

export interface Message {
  kind: 'message';
  channel: ChannelName;
  chatId: string;
  chatKind: 'private' | 'group';
  chatTitle?: string;
  /** where in the chat it was said: answers go there */
  topic?: string;
  /** unique within the channel; the same message delivered twice has the same id */
  externalId: string;
  sender: Sender;
  sentMs: number;
  /** NFC; the text of a message, the caption of a file, what a pressed button says */
  text: string;
  attachments: Attachment[];
  place?: Place;
  /** spoken to the bot on purpose: private, or in a group by slash, mention, reply to the bot, or button */
  addressed: boolean;
  /** came from a button: run it as typed, and the platform's spinner is already answered */
  pressed?: boolean;
  /** in private: nothing the bot can read (a sticker, a card, what the platform does not pass on); told so, once in a while */
  unreadable?: true;
  /** messages of one album share it */
  albumId?: string;
  /** payload of a deep link (`/start <payload>`), taken off the text */
  startPayload?: string;
}

/** What happened to a chat, as far as the bot must know. */
export interface ChatEvent {
  kind: 'event';
  channel: ChannelName;
  chatId: string;
  chatTitle?: string;
  externalId: string;
  sentMs: number;
  event:
    | { type: 'bot-added'; by: Sender }
    | { type: 'bot-removed' }
    /** a person blocked or unblocked the bot in the private chat */
    | { type: 'blocked'; userId: string }
    | { type: 'unblocked'; userId: string }
    /** a person chose to hear from the bot: it may write from now on, and greets */
    | { type: 'followed'; userId: string }
    /** people ask to be let into a group of ours */
    | { type: 'asked-to-join'; userIds: string[] }
    /** people came into a group */
    | { type: 'joined'; userIds: string[] }
    /** the group has a new id */
    | { type: 'migrated'; toChatId: string }
    /** a person did something in the private chat without a word: opened it, say */
    | { type: 'heard'; userId: string }
    /** a person filled in our form; the fields they left empty are absent */
    | { type: 'shared-info'; userId: string; info: SharedInfo }
    /** a person wants what we know of them erased */
    | { type: 'withdrew'; userId: string }
    /** somebody of ours answered by hand, in the platform's own console */
    | { type: 'answered-by-hand'; adminId: string; toUserId: string; text: string };
}

/** What a person told of themselves. */
export interface SharedInfo {
  name?: string;
  phone?: string;
  address?: string;
}

export type Incoming = Message | ChatEvent;

/** Pressing a button is the same as typing `says`; a link opens an address. */
export type Button = { label: string; says: string } | { label: string; url: string };

/** A file to send, on our disk. Spooled files belong to the outbox and go when the message is done. */
export interface OutFile {
  path: string;
  sizeBytes: number;
  /** ASCII: [A-Za-z0-9._-] */
  fileName: string;
  shows?: Shown;
}

/** Which camera's footage a file is. */
export interface Shown {
  cameraId: number;
  /** as people call it: "1 Cổng chợ" */
  camera: string;
  startMs: number;
  endMs: number;
}

export interface TextReply {
  kind: 'text';
  /** plain NFC text; a channel escapes what its platform needs */
  text: string;
  /** rows of buttons */
  buttons?: Button[][];
  /** stands in the text's place where the platform has a form for name, phone and address (`limits.form`) */
  form?: InfoForm;
}

/** What a form of the platform's says; the answer is the event `shared-info`. */
export interface InfoForm {
  /** at most 100 letters */
  title: string;
  /** at most 500 letters */
  subtitle: string;
}

export interface PhotoReply {
  kind: 'photo';
  file: OutFile;
  /** a GIF that moves: sent as it is */
  moving?: true;
  caption?: string;
  width?: number;
  height?: number;
  buttons?: Button[][];
}

export interface VideoReply {
  kind: 'video';
  file: OutFile;
  caption?: string;
  width: number;
  height: number;
  durationMs: number;
  buttons?: Button[][];
}

export interface DocumentReply {
  kind: 'document';
  file: OutFile;
  caption?: string;
  buttons?: Button[][];
}

/** 2–10 photos and videos shown together. */
export interface AlbumReply {
  kind: 'album';
  items: (PhotoReply | VideoReply)[];
  caption?: string;
}

export type Reply = TextReply | PhotoReply | VideoReply | DocumentReply | AlbumReply;

export interface ButtonBounds {
  /** at one message */
  most: number;
  labelLength: number;
  /** only under words in a private chat */
  privateTextOnly: boolean;
}

/** What a platform can take, as data: `fit` and the outbox obey it. */
export interface ChannelLimits {
  textLength: number;
  captionLength: number;
  photoBytes: number;
  /** width + height of a photo */
  photoSides: number;
  fileBytes: number;
  /** can it play a video in the chat? */
  video: boolean;
  /** what goes in a video's place where it can't, beside the link: a moving picture of at most `bytes` */
  videoPreview?: { kind: 'gif'; bytes: number };
  /** endings of the documents it takes; absent: all */
  documentTypes?: readonly string[];
  /** a document carries no words there: they follow it as a message of their own */
  documentsWordless?: true;
  albumItems: number;
  buttons: boolean;
  /** has it a form for name, phone and address? */
  form?: boolean;
  /** where buttons have bounds: beyond them they become a numbered menu */
  buttonBounds?: ButtonBounds;
  /** can a sent message be changed? */
  edit: boolean;
  /** a person can be written to for so long after they wrote, ms; null: always */
  windowMs: number | null;
  /** pages for people at a screen: written to only where a person has no messenger */
  lastResort?: boolean;
  rates: {
    /** messages a second over all chats */
    perSecond: number;
    /** milliseconds between messages to one private chat */
    perChatMs: number;
    perGroupPerMinute: number;
  };
}

export interface Sent {
  /** the platform's ids of the messages that carry the reply */
  ids: string[];
  /** the topic of the address is gone: it went to the group's general one */
  topicGone?: true;
}

export interface SendOptions {
  /** change this earlier message into the reply instead of adding one; where it can't, a new one is sent */
  replaces?: string;
  /** the inbox message this answers, for channels that show it */
  inboxId?: number;
}

export type Activity = 'typing' | 'sending-photo' | 'sending-video';

/**
 * A messenger. Making one does nothing; `start` begins to take messages until `stop`.
 * `accept` resolves once the message is durably in the inbox: only then may the channel confirm it to its
 * platform. `send` resolves when the platform has taken the message, and throws WorldError:
 * rate-limited (retryAfterS), unreachable, blocked, chat-gone, migrated (movedTo), too-big, invalid.
 */
export interface Channel {
  readonly name: ChannelName;
  readonly limits: ChannelLimits;
  start(accept: (incoming: Incoming) => Promise<{ inboxId: number; fresh: boolean }>): Promise<void>;
  send(to: ChatAddress, reply: Reply, options?: SendOptions): Promise<Sent>;
  /** "is typing", "is sending a video": best effort, never throws */
  act(to: ChatAddress, activity: Activity): Promise<void>;
  /**
   * Fetches a file somebody sent into `path`, at most `maxBytes`; WorldError too-big, unreachable, not-found, and
   * cancelled when the signal aborts or the channel stops.
   */
  fetch(
    attachment: Attachment,
    path: string,
    maxBytes: number,
    signal?: AbortSignal,
  ): Promise<{ sizeBytes: number }>;
  /**
   * How the platform calls somebody, asked within seconds and kept in the store where the account is known; null when it
   * does not tell. For platforms whose messages bring no names.
   */
  nameOf?(userId: string): Promise<string | null>;
  /**
   * Milliseconds until the platform takes one more message with so many files; 0: now. For platforms that count calls of
   * every kind: a share of them is kept for what is urgent. Left out: `limits.rates` says it all.
   */
  roomInMs?(files: number, urgent: boolean): number;
  /**
   * Makes a group with these accounts in it. @returns null when the platform has no group left for us
   * @throws WorldError
   */
  makeGroup?(about: {
    name: string;
    description: string;
    userIds: string[];
  }): Promise<{ chatId: string; link: string | null } | null>;
  /** Lets somebody who asked into a group, or does not. WorldError invalid: they ask no longer. */
  decideJoin?(chatId: string, userId: string, letIn: boolean): Promise<void>;
  /** Takes somebody out of a group; false: they were not in it. @throws WorldError refused, invalid: a person must do it */
  removeFromGroup?(chatId: string, userId: string): Promise<boolean>;
  /**
   * Brings somebody into a group as far as the platform lets us (an invitation, the end of a ban); false: nothing was to be
   * done. @throws WorldError as above
   */
  bringIntoGroup?(chatId: string, userId: string): Promise<boolean>;
  /** An address that opens the private chat, with a payload where the platform knows such; null where not. */
  privateChatLink(payload?: string): string | null;
  stop(): Promise<void>;
}
