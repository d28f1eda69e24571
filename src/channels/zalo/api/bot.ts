import { z } from 'zod';
import { WorldError } from '../../../base/errors.js';
import type { Log } from '../../../base/log.js';
import { refusal, ZaloError } from './errors.js';
import { ask, readAs, readJson, under, type Wire } from './http.js';

export interface BotOptions extends Wire {
  /** `https://bot-api.zaloplatforms.com` */
  root: string;
  token: string;
  log: Log;
  /** one call, default 20 s */
  timeoutMs?: number;
}

const envelope = z.union([
  z.looseObject({ ok: z.literal(true), result: z.unknown().optional() }),
  z.looseObject({
    ok: z.literal(false),
    error_code: z.coerce.number(),
    description: z.string().optional(),
  }),
]);

const me = z.looseObject({
  id: z.string(),
  account_name: z.string().optional(),
  account_type: z.string().optional(),
  can_join_groups: z.boolean().optional(),
});
/** What the platform tells of the bot. */
export type BotAccount = z.output<typeof me>;
const sent = z.looseObject({ message_id: z.string().optional(), date: z.number().optional() });
const webhook = z.looseObject({ url: z.string().nullish(), updated_at: z.number().optional() });
const anything = z.unknown();

/** Room for the answer of a long poll to travel, ms. */
const TRAVEL_MS = 10_000;

export type BotClient = ReturnType<typeof makeBotClient>;

/** The Zalo Bot Platform. Its token stands in each address: no address is ever in an error. */
export function makeBotClient(options: BotOptions) {
  async function call<T>(
    method: string,
    schema: z.ZodType<T>,
    params: object,
    {
      signal,
      timeoutMs = options.timeoutMs,
    }: { signal?: AbortSignal | undefined; timeoutMs?: number | undefined } = {},
  ): Promise<T> {
    const answer = await ask(options, {
      call: method,
      url: under(options.root, `/bot${options.token}/${method}`),
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(params),
      timeoutMs,
      signal,
    });
    if (answer.status >= 500)
      throw new WorldError('unreachable', `Zalo answered ${method} with HTTP ${answer.status}`);
    const read = readAs(method, envelope, readJson(method, answer));
    if (!read.ok) throw refusal('bot', method, read.error_code, read.description ?? '', options.log);
    return readAs(method, schema, read.result);
  }

  return {
    me: (signal?: AbortSignal) => call('getMe', me, {}, { signal }),

    /**
     * Waits for one update; null when none came. There is no offset: an update is gone once it was answered.
     * @param waitS at most so long @returns the update as it came, for `readBotUpdate`
     */
    async nextUpdate(waitS: number, signal?: AbortSignal): Promise<unknown> {
      try {
        const limits = { signal, timeoutMs: waitS * 1000 + TRAVEL_MS };
        return (await call('getUpdates', anything, { timeout: String(waitS) }, limits)) ?? null;
      } catch (error) {
        if (error instanceof ZaloError && error.code === 408) return null;
        throw error;
      }
    },

    /** @param secret 8–256 characters; comes back with each event */
    setWebhook: (url: string, secret: string, signal?: AbortSignal) =>
      call('setWebhook', anything, { url, secret_token: secret }, { signal }),
    deleteWebhook: (signal?: AbortSignal) => call('deleteWebhook', anything, {}, { signal }),
    webhook: (signal?: AbortSignal) => call('getWebhookInfo', webhook, {}, { signal }),

    /** @param text at most 2000 characters */
    sendMessage: (chatId: string, text: string, signal?: AbortSignal) =>
      call('sendMessage', sent, { chat_id: chatId, text: text.normalize('NFC') }, { signal }),

    /** @param photoUrl a public address, which Zalo fetches */
    sendPhoto: (chatId: string, photoUrl: string, caption?: string, signal?: AbortSignal) =>
      call(
        'sendPhoto',
        sent,
        {
          chat_id: chatId,
          photo: photoUrl,
          ...(caption === undefined ? {} : { caption: caption.normalize('NFC') }),
        },
        { signal },
      ),

    sendTyping: (chatId: string, signal?: AbortSignal) =>
      call('sendChatAction', anything, { chat_id: chatId, action: 'typing' }, { signal }),
  };
}
