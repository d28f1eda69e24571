import { randomBytes } from 'node:crypto';
import { fileTypeFromBuffer } from 'file-type';
import { Bell } from '../bell.js';
import type { World } from './world.js';

const TEXT_LENGTH = 2000;
const PHOTO_BYTES = 5_000_000;
const FETCH_MS = 5000;

/** `{"ok":false}` */
export class BotFailure extends Error {
  constructor(
    readonly code: number,
    readonly words: string,
  ) {
    super(words);
  }
}

export interface BotMessage {
  id: string;
  chatId: string;
  text: string;
  /** what the platform fetched from the address it was given */
  photo?: Buffer;
  photoUrl?: string;
  atMs: number;
}

type Params = Record<string, unknown>;

/** The Bot Platform: one bot, its chats, and what waits for it. */
export class BotPlatform {
  /** what `getMe` tells */
  readonly account = {
    id: '1459232241454765289',
    account_name: 'bot.mat.than',
    account_type: 'BASIC',
    can_join_groups: false,
  };
  readonly updates: unknown[] = [];
  readonly sent: BotMessage[] = [];
  readonly actions: string[] = [];
  readonly bell = new Bell();
  webhook: { url: string; secret: string } | null = null;
  /** chats that opened the bot; others can't be written to */
  readonly chats = new Map<string, { name: string; blocked: boolean }>();
  /** [?]: live it was photo_url, the documents say photo */
  photoField: 'photo_url' | 'photo' = 'photo_url';
  /** what the webhook answered, in order; null: nothing in time */
  readonly answers: (number | null)[] = [];
  private posted: unknown = null;

  constructor(
    readonly token: string,
    private readonly world: World,
    private readonly stopping: AbortSignal,
  ) {}

  /** Puts an update in the queue, or sends it to the webhook. */
  push(update: Record<string, unknown>): void {
    if (this.webhook !== null) void this.post(update);
    else {
      this.updates.push(update);
      this.bell.ring();
    }
  }

  /** Sends one to the webhook. @param secret default: the right one */
  async post(update: unknown, secret = this.webhook?.secret ?? ''): Promise<number | null> {
    let status: number | null = null;
    this.posted = update;
    try {
      const response = await fetch(this.webhook?.url ?? '', {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-bot-api-secret-token': secret },
        body: JSON.stringify({ ok: true, result: update }),
        signal: AbortSignal.any([AbortSignal.timeout(2000), this.stopping]),
      });
      status = response.status;
    } catch {
      // no answer
    }
    this.answers.push(status);
    this.bell.ring();
    return status;
  }

  /** Sends the newest one once more. */
  postAgain(): Promise<number | null> {
    return this.post(this.posted);
  }

  private chat(params: Params): string {
    const id = params.chat_id;
    const chat = typeof id === 'string' ? this.chats.get(id) : undefined;
    if (chat === undefined) throw new BotFailure(400, 'chat not found');
    if (chat.blocked) throw new BotFailure(403, 'bot was blocked');
    return String(id);
  }

  private text(value: unknown): string {
    if (typeof value !== 'string' || value.trim() === '') throw new BotFailure(400, 'text is empty');
    if (value.length > TEXT_LENGTH) throw new BotFailure(400, 'text is over 2000 characters');
    return value;
  }

  private keep(message: Omit<BotMessage, 'id' | 'atMs'>): unknown {
    const made = { ...message, id: randomBytes(8).toString('hex'), atMs: this.world.now() };
    this.sent.push(made);
    this.bell.ring();
    return { message_id: made.id, date: made.atMs };
  }

  /** One update, gone with the answer; waits for it. */
  private async getUpdates(params: Params, gone: AbortSignal): Promise<unknown> {
    if (this.webhook !== null) throw new BotFailure(400, 'a webhook is set');
    const signal = AbortSignal.any([
      gone,
      this.stopping,
      AbortSignal.timeout(Math.min(60, Number(params.timeout ?? 30)) * 1000),
    ]);
    while (this.updates.length === 0 && !signal.aborted) await this.bell.next(signal);
    if (gone.aborted || this.updates.length === 0) throw new BotFailure(408, 'Request timeout');
    return this.updates.shift();
  }

  private async photo(url: unknown): Promise<Buffer> {
    if (typeof url !== 'string') throw new BotFailure(400, 'photo is no URL');
    let bytes: Buffer;
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(FETCH_MS) });
      if (!response.ok) throw new Error();
      bytes = Buffer.from(await response.arrayBuffer());
    } catch {
      throw new BotFailure(400, 'failed to get the photo');
    }
    const type = await fileTypeFromBuffer(bytes);
    if (!type?.mime.startsWith('image/')) throw new BotFailure(400, 'the URL is no photo');
    if (bytes.length > PHOTO_BYTES) throw new BotFailure(400, 'the photo is too big');
    return bytes;
  }

  /** One call. @param gone aborts when the caller hung up */
  async call(method: string, params: Params, gone: AbortSignal): Promise<unknown> {
    switch (method) {
      case 'getMe':
        return this.account;
      case 'getUpdates':
        return this.getUpdates(params, gone);
      case 'setWebhook': {
        const { url, secret_token: secret } = params;
        if (typeof url !== 'string' || !URL.canParse(url)) throw new BotFailure(400, 'bad webhook: url');
        if (typeof secret !== 'string' || secret.length < 8 || secret.length > 256)
          throw new BotFailure(400, 'bad webhook: secret_token');
        this.webhook = { url, secret };
        return { url, updated_at: this.world.now() };
      }
      case 'deleteWebhook':
        this.webhook = null;
        return { url: '', updated_at: this.world.now() };
      case 'getWebhookInfo':
        return { url: this.webhook?.url ?? '', updated_at: this.world.now() };
      case 'sendMessage': {
        const chatId = this.chat(params);
        return this.keep({ chatId, text: this.text(params.text) });
      }
      case 'sendPhoto': {
        const chatId = this.chat(params);
        const text = params.caption === undefined ? '' : this.text(params.caption);
        const photo = await this.photo(params.photo);
        return this.keep({ chatId, text, photo, photoUrl: String(params.photo) });
      }
      case 'sendChatAction':
        this.actions.push(this.chat(params));
        return true;
      default:
        throw new BotFailure(404, 'method not found');
    }
  }
}

/** Somebody who writes to the bot. */
export class BotPerson {
  private read = 0;

  constructor(
    private readonly bot: BotPlatform,
    private readonly world: World,
    readonly id: string,
    readonly name: string,
  ) {}

  private put(event: string, content: Record<string, unknown>): string {
    const about = this.bot.chats.get(this.id);
    this.bot.chats.set(this.id, { name: this.name, blocked: about?.blocked ?? false });
    const id = randomBytes(8).toString('hex');
    this.bot.push({
      event_name: `message.${event}.received`,
      message: {
        message_id: id,
        date: this.world.now(),
        chat: { id: this.id, chat_type: 'PRIVATE' },
        from: { id: this.id, is_bot: false, display_name: this.name },
        ...content,
      },
    });
    return id;
  }

  says(text: string): string {
    return this.put('text', { text });
  }

  sendsPhoto(bytes: Buffer, caption?: string): string {
    const url = this.world.addMedia(bytes, 'image/jpeg', 'jpg');
    return this.put('image', { [this.bot.photoField]: url, ...(caption === undefined ? {} : { caption }) });
  }

  sendsVoice(bytes: Buffer): string {
    return this.put('voice', { voice_url: this.world.addMedia(bytes, 'audio/aac', 'aac') });
  }

  sendsSticker(): string {
    return this.put('sticker', { sticker: 'bfe458bf64fa8da4d4eb', url: 'https://zalo.example/s.webp' });
  }

  /** A video, a file: nothing of it arrives. */
  sendsUnsupported(): string {
    return this.put('unsupported', {});
  }

  blocks() {
    this.bot.chats.set(this.id, { name: this.name, blocked: true });
  }

  /** The bot's next message to this person that fits. */
  async receives(match: string | RegExp | ((message: BotMessage) => boolean) = ''): Promise<BotMessage> {
    const fits = (message: BotMessage) =>
      typeof match === 'function'
        ? match(message)
        : typeof match === 'string'
          ? message.text.includes(match)
          : match.test(message.text);
    const signal = AbortSignal.timeout(10_000);
    for (;;) {
      for (; this.read < this.bot.sent.length; this.read += 1) {
        const message = this.bot.sent[this.read]!;
        if (message.chatId !== this.id || !fits(message)) continue;
        this.read += 1;
        return message;
      }
      if (signal.aborted)
        throw new Error(
          `the bot sent no such message; it sent: ${JSON.stringify(this.bot.sent.map((one) => one.text))}`,
        );
      await this.bot.bell.next(signal);
    }
  }
}
