import { createHash, randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { Bell } from '../bell.js';
import {
  badRequest,
  type Call,
  forbidden,
  type MemberStatus,
  type TgChat,
  type TgEntity,
  type TgFile,
  type TgMessage,
  type TgUpdate,
  type TgUser,
} from './types.js';

export interface PersonState {
  user: TgUser;
  /** has opened the private chat with the bot */
  started: boolean;
  blocked: boolean;
}

export interface GroupState {
  chat: TgChat;
  members: Map<number, MemberStatus>;
  bot: MemberStatus;
  /** the supergroup it became */
  movedTo?: number;
}

interface StoredFile {
  path: string;
  /** as getFile tells it */
  filePath: string;
  sizeBytes: number;
}

type UpdateBody = Omit<TgUpdate, 'update_id'>;

const NOT_SENT_UNASKED = new Set(['chat_member', 'message_reaction', 'message_reaction_count']);

/** Everything the platform knows: people, groups, messages, files, and what waits for the bot. */
export class World {
  readonly people = new Map<number, PersonState>();
  readonly groups = new Map<number, GroupState>();
  /** by chat and message id */
  readonly messages = new Map<string, TgMessage>();
  readonly files = new Map<string, StoredFile>();
  readonly queries = new Map<string, { answered: Record<string, unknown> | null }>();
  readonly commands = new Map<string, { command: string; description: string }[]>();
  readonly updates: TgUpdate[] = [];
  readonly sent: Call[] = [];
  allowed: string[] | null = null;
  /** topics of forums: "chat/thread" */
  readonly topics = new Set<string>();
  webhook = '';
  webhookSecret = '';
  webhookError: { date: number; message: string } | null = null;
  /** a bot in privacy mode sees only what is meant for it */
  privacy = true;
  private nextMessage = 100;
  private nextUpdate: number;
  private nextFile = 0;
  private readonly updateBell = new Bell();
  private readonly callBell = new Bell();

  constructor(
    readonly bot: TgUser,
    readonly dir: string,
    readonly now: () => number,
    firstUpdateId: number,
  ) {
    this.nextUpdate = firstUpdateId;
  }

  seconds(): number {
    return Math.floor(this.now() / 1000);
  }

  /** Puts an update in the queue, if the bot asked for its kind. */
  push(body: UpdateBody): TgUpdate | null {
    const kind = Object.keys(body)[0] as string;
    const wanted = this.allowed === null ? !NOT_SENT_UNASKED.has(kind) : this.allowed.includes(kind);
    if (!wanted) return null;
    const update = structuredClone({ update_id: this.nextUpdate++, ...body });
    this.updates.push(update);
    this.updateBell.ring();
    return update;
  }

  /** Wakes whoever posts to the webhook. */
  webhookChanged() {
    this.updateBell.ring();
  }

  /** Resolves at the next update, or when the signal aborts. */
  untilUpdate(signal: AbortSignal): Promise<void> {
    return this.updateBell.next(signal);
  }

  record(call: Call) {
    this.sent.push(call);
    this.callBell.ring();
  }

  untilCall(signal: AbortSignal): Promise<void> {
    return this.callBell.next(signal);
  }

  /** The chat a method speaks to, if the bot may write there. */
  chatFor(id: unknown): TgChat {
    const chatId = Number(id);
    const person = this.people.get(chatId);
    if (person !== undefined) {
      if (person.blocked) throw forbidden('bot was blocked by the user');
      if (!person.started) {
        const met = [...this.groups.values()].some((group) => group.members.has(chatId));
        throw met ? forbidden("bot can't initiate conversation with a user") : badRequest('chat not found');
      }
      return this.privateChat(person);
    }
    const group = this.groups.get(chatId);
    if (group === undefined) throw badRequest('chat not found');
    const kind = group.chat.type;
    if (group.movedTo !== undefined) {
      const failure = badRequest('group chat was upgraded to a supergroup chat');
      failure.parameters.migrate_to_chat_id = group.movedTo;
      throw failure;
    }
    if (group.bot === 'kicked') throw forbidden(`bot was kicked from the ${kind} chat`);
    if (group.bot === 'left') throw forbidden(`bot is not a member of the ${kind} chat`);
    return group.chat;
  }

  privateChat(person: PersonState): TgChat {
    return {
      id: person.user.id,
      type: 'private',
      first_name: person.user.first_name,
      ...(person.user.username === undefined ? {} : { username: person.user.username }),
    };
  }

  /** Stores a message; `content` is what it carries. */
  addMessage(chat: TgChat, from: TgUser, content: Partial<TgMessage>): TgMessage {
    const message: TgMessage = {
      message_id: this.nextMessage++,
      date: this.seconds(),
      chat,
      from,
      ...content,
    };
    this.messages.set(`${chat.id}/${message.message_id}`, message);
    return message;
  }

  findMessage(chatId: unknown, messageId: unknown): TgMessage | undefined {
    return this.messages.get(`${Number(chatId)}/${Number(messageId)}`);
  }

  /** Keeps a file on the platform. @param folder as in Telegram's file paths: photos, videos, documents… */
  addFile(source: string | Buffer, folder: string, extension: string, about: Partial<TgFile> = {}): TgFile {
    const number = this.nextFile++;
    const file = path.join(this.dir, `kept-${number}${extension}`);
    if (typeof source === 'string') fs.copyFileSync(source, file);
    else fs.writeFileSync(file, source);
    const sizeBytes = fs.statSync(file).size;
    const id = `AgAC${randomBytes(24).toString('base64url')}${number}`;
    this.files.set(id, { path: file, filePath: `${folder}/file_${number}${extension}`, sizeBytes });
    return {
      file_id: id,
      file_unique_id: createHash('sha256').update(id).digest('base64url').slice(0, 16),
      file_size: sizeBytes,
      ...about,
    };
  }

  /** Commands and mentions in a text, offsets in UTF-16 code units. */
  entitiesOf(text: string): TgEntity[] | undefined {
    const found: TgEntity[] = [];
    for (const match of text.matchAll(
      /(?<![\p{L}\p{N}_/@])(?:\/[A-Za-z0-9_]{1,32}(?:@\w{3,32})?|@\w{3,32})/gu,
    ))
      found.push({
        type: match[0].startsWith('/') ? 'bot_command' : 'mention',
        offset: match.index,
        length: match[0].length,
      });
    return found.length === 0 ? undefined : found;
  }

  /** Would a bot in this group be shown the message? */
  visible(message: TgMessage): boolean {
    const group = this.groups.get(message.chat.id);
    if (group === undefined) return true;
    if (group.bot === 'left' || group.bot === 'kicked') return false;
    if (!this.privacy || group.bot === 'administrator') return true;
    if (message.reply_to_message?.from?.id === this.bot.id) return true;
    const text = message.text ?? message.caption ?? '';
    return (message.entities ?? message.caption_entities ?? []).some((entity) => {
      const word = text.slice(entity.offset, entity.offset + entity.length).toLowerCase();
      const own = `@${this.bot.username?.toLowerCase()}`;
      if (entity.type === 'mention') return word === own;
      return entity.type === 'bot_command' && (!word.includes('@') || word.endsWith(own));
    });
  }

  /** Changes the bot's standing in a chat and tells it. */
  setBotStatus(chat: TgChat, by: TgUser, before: MemberStatus, after: MemberStatus) {
    this.push({
      my_chat_member: {
        chat,
        from: by,
        date: this.seconds(),
        old_chat_member: { user: this.bot, status: before },
        new_chat_member: { user: this.bot, status: after },
      },
    });
  }
}
