import fs from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import type { TgChat, TgFile, TgMessage, TgUser } from './types.js';
import type { GroupState, PersonState, World } from './world.js';

/** Bytes, or the path of a file. */
export type Bytes = Buffer | string;
const load = (bytes: Bytes) => (typeof bytes === 'string' ? fs.readFileSync(bytes) : bytes);

export interface SayOptions {
  /** in this group; default: the private chat with the bot */
  in?: TgGroup;
  replyTo?: TgMessage;
  /** in this topic of the group */
  topic?: number;
}

/** Waits for the bot's next message to a chat; given to people and groups by the server. */
export type Receive = (
  chatId: number,
  match?: string | RegExp | ((message: TgMessage) => boolean),
) => Promise<TgMessage>;

/** Somebody with Telegram on their phone. */
export class TgPerson {
  constructor(
    private readonly world: World,
    private readonly state: PersonState,
    private readonly receive: Receive,
  ) {}

  get id(): number {
    return this.state.user.id;
  }

  get user(): TgUser {
    return this.state.user;
  }

  private place(options: SayOptions): TgChat {
    if (options.in !== undefined) return options.in.chat;
    this.state.started = true;
    if (this.state.blocked) this.unblocks();
    return this.world.privateChat(this.state);
  }

  private put(options: SayOptions, content: Partial<TgMessage>): TgMessage {
    const chat = this.place(options);
    const message = this.world.addMessage(chat, this.state.user, {
      ...content,
      ...(options.replyTo === undefined ? {} : { reply_to_message: options.replyTo }),
      ...(options.topic === undefined ? {} : { message_thread_id: options.topic, is_topic_message: true }),
    });
    if (this.world.visible(message)) this.world.push({ message });
    return message;
  }

  private caption(caption: string | undefined): Partial<TgMessage> {
    if (caption === undefined || caption === '') return {};
    const entities = this.world.entitiesOf(caption);
    return { caption, ...(entities === undefined ? {} : { caption_entities: entities }) };
  }

  says(text: string, options: SayOptions = {}): TgMessage {
    const entities = this.world.entitiesOf(text);
    return this.put(options, { text, ...(entities === undefined ? {} : { entities }) });
  }

  /** Opens `t.me/<bot>?start=payload`. */
  opensLink(payload: string): TgMessage {
    return this.says(`/start ${payload}`);
  }

  private async photo(bytes: Bytes): Promise<TgFile[]> {
    const whole = load(bytes);
    const { width, height } = await sharp(whole).metadata();
    const small = await sharp(whole).resize(90, 90, { fit: 'inside' }).jpeg().toBuffer();
    const smallSides = await sharp(small).metadata();
    return [
      this.world.addFile(small, 'photos', '.jpg', { width: smallSides.width, height: smallSides.height }),
      this.world.addFile(whole, 'photos', '.jpg', { width, height }),
    ];
  }

  async sendsPhoto(bytes: Bytes, caption?: string, options: SayOptions = {}): Promise<TgMessage> {
    return this.put(options, { photo: await this.photo(bytes), ...this.caption(caption) });
  }

  private video(bytes: Bytes, about: { width?: number; height?: number; duration?: number }): TgFile {
    return this.world.addFile(load(bytes), 'videos', '.mp4', {
      width: 640,
      height: 360,
      duration: 5,
      ...about,
      mime_type: 'video/mp4',
    });
  }

  sendsVideo(
    bytes: Bytes,
    caption?: string,
    options: SayOptions & { width?: number; height?: number; duration?: number } = {},
  ): TgMessage {
    const { in: place, replyTo, ...about } = options;
    return this.put(
      { ...(place && { in: place }), ...(replyTo && { replyTo }) },
      { video: this.video(bytes, about), ...this.caption(caption) },
    );
  }

  /** A video without sound, as phones send GIFs. */
  sendsAnimation(bytes: Bytes, caption?: string, options: SayOptions = {}): TgMessage {
    const animation = this.video(bytes, {});
    return this.put(options, { animation, document: animation, ...this.caption(caption) });
  }

  sendsVideoNote(bytes: Bytes, options: SayOptions = {}): TgMessage {
    return this.put(options, { video_note: this.video(bytes, {}) });
  }

  sendsDocument(
    bytes: Bytes,
    fileName: string,
    caption?: string,
    options: SayOptions & { mime?: string } = {},
  ): TgMessage {
    const document = this.world.addFile(load(bytes), 'documents', path.extname(fileName), {
      file_name: fileName,
      mime_type: options.mime ?? 'application/octet-stream',
    });
    return this.put(options, { document, ...this.caption(caption) });
  }

  sendsVoice(bytes: Bytes, options: SayOptions = {}): TgMessage {
    const voice = this.world.addFile(load(bytes), 'voice', '.oga', { duration: 3, mime_type: 'audio/ogg' });
    return this.put(options, { voice });
  }

  sendsAudio(bytes: Bytes, fileName: string, options: SayOptions = {}): TgMessage {
    const audio = this.world.addFile(load(bytes), 'music', path.extname(fileName), {
      duration: 3,
      mime_type: 'audio/mpeg',
      file_name: fileName,
    });
    return this.put(options, { audio });
  }

  sendsSticker(emoji = '👍', options: SayOptions = {}): TgMessage {
    const file = this.world.addFile(Buffer.from('RIFF'), 'stickers', '.webp', { width: 512, height: 512 });
    return this.put(options, { sticker: { ...file, emoji } });
  }

  sendsContact(name: string, phone: string, options: SayOptions = {}): TgMessage {
    return this.put(options, { contact: { phone_number: phone, first_name: name } });
  }

  sendsPoll(question: string, options: SayOptions = {}): TgMessage {
    const choices = ['Có', 'Không'].map((text) => ({ text, voter_count: 0 }));
    return this.put(options, { poll: { id: '1', question, options: choices } });
  }

  sendsDice(options: SayOptions = {}): TgMessage {
    return this.put(options, { dice: { emoji: '🎲', value: 6 } });
  }

  pins(message: TgMessage): TgMessage {
    return this.put({}, { pinned_message: message });
  }

  sendsLocation(
    latitude: number,
    longitude: number,
    options: SayOptions & { livePeriod?: number } = {},
  ): TgMessage {
    const live = options.livePeriod === undefined ? {} : { live_period: options.livePeriod };
    return this.put(options, { location: { latitude, longitude, ...live } });
  }

  /** A live location goes on: the message is edited. */
  moves(message: TgMessage, latitude: number, longitude: number) {
    message.location = { ...message.location, latitude, longitude };
    message.edit_date = this.world.seconds();
    if (this.world.visible(message)) this.world.push({ edited_message: { ...message } });
  }

  edits(message: TgMessage, text: string) {
    Object.assign(message, { text, edit_date: this.world.seconds() });
    if (this.world.visible(message)) this.world.push({ edited_message: { ...message } });
  }

  /** Several photos and videos at once; the caption stands under the first. */
  async sendsAlbum(
    items: { kind: 'photo' | 'video'; bytes: Bytes }[],
    caption?: string,
    options: SayOptions = {},
  ): Promise<TgMessage[]> {
    const contents: Partial<TgMessage>[] = [];
    for (const item of items)
      contents.push(
        item.kind === 'photo'
          ? { photo: await this.photo(item.bytes) }
          : { video: this.video(item.bytes, {}) },
      );
    const group = String(12_000_000_000_000 + this.world.updates.length + this.world.messages.size);
    return contents.map((content, index) =>
      this.put(options, { ...content, media_group_id: group, ...(index === 0 ? this.caption(caption) : {}) }),
    );
  }

  /**
   * Presses a button of the bot's message (default: the newest that has it in the private chat).
   * @returns the id of the callback query; `answered` in `server.world.queries`
   */
  presses(label: string, on?: TgMessage): string {
    const message =
      on ??
      [...this.world.messages.values()]
        .filter((each) => each.chat.id === this.id && each.from?.id === this.world.bot.id)
        .reverse()
        .find((each) => each.reply_markup?.inline_keyboard.flat().some((button) => button.text === label));
    const button = message?.reply_markup?.inline_keyboard.flat().find((each) => each.text === label);
    if (message === undefined || button === undefined) throw new Error(`no button "${label}" to press`);
    if (button.callback_data === undefined) throw new Error(`button "${label}" is a link: ${button.url}`);
    const id = String(4_000_000_000_000 + this.world.queries.size);
    this.world.queries.set(id, { answered: null });
    this.world.push({
      callback_query: {
        id,
        from: this.state.user,
        message: { ...message },
        chat_instance: String(message.chat.id),
        data: button.callback_data,
      },
    });
    return id;
  }

  blocks() {
    if (this.state.blocked) return;
    this.state.blocked = true;
    this.world.setBotStatus(this.world.privateChat(this.state), this.state.user, 'member', 'kicked');
  }

  unblocks() {
    if (!this.state.blocked) return;
    this.state.blocked = false;
    this.world.setBotStatus(this.world.privateChat(this.state), this.state.user, 'kicked', 'member');
  }

  /** The bot's next message to this person that fits; each is given once, in order. */
  receives(match?: string | RegExp | ((message: TgMessage) => boolean)): Promise<TgMessage> {
    return this.receive(this.id, match);
  }
}

/** A group chat. After `upgrades` it has another id and `chat` is the new one. */
export class TgGroup {
  constructor(
    private readonly world: World,
    private state: GroupState,
    private readonly receive: Receive,
  ) {}

  get id(): number {
    return this.state.chat.id;
  }

  get chat(): TgChat {
    return this.state.chat;
  }

  adds(...people: TgPerson[]) {
    for (const person of people) this.state.members.set(person.id, 'member');
  }

  /** Somebody adds the bot. @param as administrators see every message */
  addsBot(by: TgPerson, as: 'member' | 'administrator' = 'member') {
    const before = this.state.bot;
    this.state.bot = as;
    this.state.members.set(by.id, this.state.members.get(by.id) ?? 'member');
    this.world.setBotStatus(this.state.chat, by.user, before, as);
    const message = this.world.addMessage(this.state.chat, by.user, { new_chat_members: [this.world.bot] });
    this.world.push({ message });
  }

  /** Takes the bot out. @param how 'kicked' = banned; 'left' = taken out, may be added again */
  kicksBot(by: TgPerson, how: 'kicked' | 'left' = 'kicked') {
    const before = this.state.bot;
    this.state.bot = how;
    this.world.setBotStatus(this.state.chat, by.user, before, how);
  }

  /** The group becomes a supergroup with a new id. */
  upgrades(by: TgPerson): number {
    const old = this.state;
    const chat: TgChat = { ...old.chat, id: old.chat.id - 1_000_000_000_000, type: 'supergroup' };
    const next: GroupState = { chat, members: old.members, bot: old.bot };
    this.world.groups.set(chat.id, next);
    old.movedTo = chat.id;
    this.state = next;
    const leaving = this.world.addMessage(old.chat, by.user, { migrate_to_chat_id: chat.id });
    this.world.push({ message: leaving });
    const arriving = this.world.addMessage(chat, by.user, { migrate_from_chat_id: old.chat.id });
    this.world.push({ message: arriving });
    return chat.id;
  }

  /** The bot's next message to the group that fits; each is given once, in order. */
  receives(match?: string | RegExp | ((message: TgMessage) => boolean)): Promise<TgMessage> {
    return this.receive(this.id, match);
  }
}
