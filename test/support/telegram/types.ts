/** The parts of the Bot API's objects that the stand-in keeps. Named as Telegram names them. */

export interface TgUser {
  id: number;
  is_bot: boolean;
  first_name: string;
  last_name?: string;
  username?: string;
  language_code?: string;
}

export interface TgChat {
  id: number;
  type: 'private' | 'group' | 'supergroup';
  title?: string;
  first_name?: string;
  username?: string;
}

export interface TgEntity {
  type: 'mention' | 'bot_command' | 'text_mention' | 'url';
  offset: number;
  length: number;
  user?: TgUser;
}

export interface TgFile {
  file_id: string;
  file_unique_id: string;
  file_size: number;
  width?: number;
  height?: number;
  duration?: number;
  file_name?: string;
  mime_type?: string;
}

export interface TgButton {
  text: string;
  callback_data?: string;
  url?: string;
}

export interface TgKeyboard {
  inline_keyboard: TgButton[][];
}

export interface TgMessage {
  message_id: number;
  date: number;
  /** of a forum's topic */
  message_thread_id?: number;
  is_topic_message?: boolean;
  edit_date?: number;
  chat: TgChat;
  from?: TgUser;
  text?: string;
  entities?: TgEntity[];
  caption?: string;
  caption_entities?: TgEntity[];
  photo?: TgFile[];
  video?: TgFile;
  animation?: TgFile;
  document?: TgFile;
  audio?: TgFile;
  voice?: TgFile;
  video_note?: TgFile;
  sticker?: TgFile & { emoji: string };
  contact?: { phone_number: string; first_name: string };
  poll?: { id: string; question: string; options: { text: string; voter_count: number }[] };
  dice?: { emoji: string; value: number };
  pinned_message?: TgMessage;
  location?: { latitude: number; longitude: number; live_period?: number };
  media_group_id?: string;
  reply_to_message?: TgMessage;
  reply_markup?: TgKeyboard;
  migrate_to_chat_id?: number;
  migrate_from_chat_id?: number;
  new_chat_members?: TgUser[];
  left_chat_member?: TgUser;
}

export type MemberStatus = 'creator' | 'administrator' | 'member' | 'left' | 'kicked';

export interface TgUpdate {
  update_id: number;
  message?: TgMessage;
  edited_message?: TgMessage;
  callback_query?: { id: string; from: TgUser; message?: TgMessage; chat_instance: string; data?: string };
  my_chat_member?: {
    chat: TgChat;
    from: TgUser;
    date: number;
    old_chat_member: { user: TgUser; status: MemberStatus };
    new_chat_member: { user: TgUser; status: MemberStatus };
  };
}

/** A file that came in by multipart, saved on disk. */
export interface Upload {
  field: string;
  fileName: string;
  path: string;
  sizeBytes: number;
}

/** One call of a method, as the bot made it. */
export interface Call {
  method: string;
  params: Record<string, unknown>;
  files: Upload[];
  ok: boolean;
  errorCode?: number;
  description?: string;
  result?: unknown;
  /** the messages it made or changed */
  messages: TgMessage[];
  /** when the call began to arrive */
  atMs: number;
  /** when all of it had arrived, files too */
  wholeMs?: number;
}

/** An answer `{"ok":false}`. */
export class ApiFailure extends Error {
  constructor(
    readonly code: number,
    readonly description: string,
    readonly parameters: { retry_after?: number; migrate_to_chat_id?: number } = {},
  ) {
    super(description);
  }
}

export const badRequest = (why: string) => new ApiFailure(400, `Bad Request: ${why}`);
export const forbidden = (why: string) => new ApiFailure(403, `Forbidden: ${why}`);
