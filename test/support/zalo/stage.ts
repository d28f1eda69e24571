/** The whole product between stand-ins of Telegram and Zalo, talked to as people on both would. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createClient } from '@libsql/client';
import {
  endProducts,
  eventually,
  freePort,
  type Product,
  type StartOptions,
  startProduct,
} from '../product.js';
import { TelegramServer, type TgGroup, type TgMessage, type TgPerson } from '../telegram-server.js';
import { TEST_APP, type ZaloGroup, type ZaloMessage, type ZaloPerson, ZaloServer } from '../zalo-server.js';

/** What is waited for: words, or anything about the message. */
export type Fits<M> = RegExp | ((message: M) => boolean);

export const wordsOf = (message: TgMessage): string => message.text ?? message.caption ?? '';
/** The first code of an invitation, or of joining accounts. */
export const codeIn = (text: string): string => /[A-Z]+-[A-Z0-9]{5}-[A-Z0-9]{5}/.exec(text)![0];
/** A message with the link to the page of consent. */
export const hasConsent = (message: TgMessage): boolean => consentIn(message) !== undefined;
/** That link. */
export const consentIn = (message: TgMessage): string | undefined =>
  /http:\/\/127\.0\.0\.1:\d+\/zalo\/consent\/[\w-]{43}/.exec(JSON.stringify(message))?.[0];

const fitting = <M>(what: Fits<M>, words: (message: M) => string) =>
  typeof what === 'function' ? what : (message: M) => what.test(words(message));

export class ZaloStage {
  telegram!: TelegramServer;
  zalo!: ZaloServer;
  product!: Product;
  private after!: NonNullable<StartOptions['after']>;

  /** @param env more settings of the processes */
  async start(env: Record<string, string> = {}): Promise<void> {
    const telegram = await TelegramServer.start();
    const zalo = await ZaloServer.start({ rates: false, retryScale: 0.02 });
    Object.assign(this, { telegram, zalo });
    this.after = {
      folder: fs.mkdtempSync(path.join(os.tmpdir(), 'mat-than-e2e-')),
      ...{ port: await freePort(), recorderPort: await freePort() },
    };
    const publicUrl = `http://127.0.0.1:${this.after.port}`;
    zalo.tokens.app.callback = `${publicUrl}/zalo/callback`;
    this.product = await startProduct({
      ...{ after: this.after, env },
      envFile: {
        ...{ TELEGRAM_BOT_TOKEN: telegram.token, TELEGRAM_API_ROOT: telegram.apiRoot },
        ...{ ZALO_APP_ID: TEST_APP.appId, ZALO_APP_SECRET: TEST_APP.appSecret },
        ...{ ZALO_OA_SECRET: TEST_APP.oaSecret, ZALO_MEDIA_HOSTS: zalo.root },
        ...{ ZALO_API_ROOT: zalo.root, ZALO_OAUTH_ROOT: zalo.root },
        ...{ PUBLIC_URL: publicUrl, COMMUNE_NAME: 'Công an xã Cẩm Lương' },
      },
    });
  }

  /** Starts the product again, on the same folder and ports. */
  async startAgain(): Promise<void> {
    this.product = await startProduct({ after: this.after });
  }

  async end(): Promise<void> {
    await endProducts();
    await Promise.all([this.telegram?.stop(), this.zalo?.stop()]);
  }

  /** What the bot said there. */
  toldTelegram(chat: { id: number }): TgMessage[] {
    const { messages, bot } = this.telegram.world;
    return [...messages.values()].filter(({ chat: { id }, from }) => id === chat.id && from?.id === bot.id);
  }

  toldZalo(chat: { id: string }): ZaloMessage[] {
    return this.zalo.world.messages.filter(({ chatId, fromId }) => chatId === chat.id && fromId === null);
  }

  /** The newest lines of the log that complain, for what an error says. */
  complaints(): string {
    return this.product.complaints().slice(-6).join('\n');
  }

  /** Waits for a message of the bot on Telegram that fits, after the first `skip`. */
  onTelegram(chat: { id: number }, what: Fits<TgMessage>, skip = 0, withinMs = 30_000): Promise<TgMessage> {
    const fits = fitting(what, wordsOf);
    const told = () => this.toldTelegram(chat);
    return eventually(
      () => `${what} on Telegram; said: ${told().slice(-3).map(wordsOf)}\n${this.complaints()}`,
      () => told().slice(skip).find(fits),
      withinMs,
    );
  }

  /** The same on Zalo. */
  onZalo(chat: { id: string }, what: Fits<ZaloMessage>, skip = 0, withinMs = 30_000): Promise<ZaloMessage> {
    const fits = fitting(what, (message: ZaloMessage) => message.text);
    const told = () => this.toldZalo(chat);
    const newest = () => told().slice(-3);
    return eventually(
      () =>
        `${what} on Zalo; said: ${newest().map((one) => `${one.kind} ${one.text}`)}\n${this.complaints()}`,
      () => told().slice(skip).find(fits),
      withinMs,
    );
  }

  /** Says it on Telegram, and waits for the answer there. */
  tells(who: TgPerson, text: string, what: Fits<TgMessage>, where?: TgGroup): Promise<TgMessage> {
    const skip = this.toldTelegram(where ?? who).length;
    who.says(text, where === undefined ? {} : { in: where });
    return this.onTelegram(where ?? who, what, skip);
  }

  /** Says it on Zalo, and waits for the answer there. */
  asks(who: ZaloPerson, text: string, what: Fits<ZaloMessage>, where?: ZaloGroup): Promise<ZaloMessage> {
    const skip = this.toldZalo(where ?? who).length;
    who.says(text, where === undefined ? {} : { in: where });
    return this.onZalo(where ?? who, what, skip);
  }

  /** Somebody becomes the first chief by the code that the product shows. */
  async becomesChief(who: TgPerson): Promise<void> {
    const [, code] = await this.product.hears(/dùng một lần trong 24 giờ\):\s+(TRUONG-\S+)/);
    await this.tells(who, code!, /Từ giờ anh\/chị là trưởng/);
  }

  /** Rows of the bot's database. */
  async rows(sql: string): Promise<Record<string, unknown>[]> {
    const client = createClient({ url: `file:${path.join(this.product.home, 'bot.db')}` });
    try {
      return (await client.execute(sql)).rows as unknown as Record<string, unknown>[];
    } finally {
      client.close();
    }
  }
}
