import { Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TelegramChannel } from '../../src/channels/telegram/index.js';
import type { Incoming } from '../../src/chat/message.js';
import { makeWeb, type Web } from '../../src/web/server.js';
import { TelegramServer, type TgPerson } from '../support/telegram-server.js';
import { silent } from '../web/stage.js';
import { channelTo, makeLogBook } from './telegram-fixture.js';

const PUBLIC_URL = 'https://xa.example';
const HOOK = `${PUBLIC_URL}/telegram/webhook`;

describe('Telegram by its posts', () => {
  let server: TelegramServer;
  let officer: TgPerson;
  let url: string;
  let web: Web;
  let channel: TelegramChannel;
  let taken: Incoming[];
  let refuse: Error | null;
  let book: ReturnType<typeof makeLogBook>;

  beforeEach(async () => {
    server = await TelegramServer.start({ rates: false });
    server.postsTo(() => url);
    officer = server.user({ id: 7_000_000_001, name: 'Hùng' });
    refuse = null;
    taken = [];
    book = makeLogBook();
  });
  afterEach(async () => {
    await channel.stop();
    await web.stop(200);
    await server.stop();
  });

  async function open(options: { publicUrl?: string | null; checkMs?: number } = {}) {
    channel = channelTo(server, { publicUrl: PUBLIC_URL, checkMs: 30, log: book.log, ...options });
    web = makeWeb({
      ...{ host: '127.0.0.1', port: 0, publicUrl: PUBLIC_URL, log: silent },
      health: () => ({ ok: true }),
      metrics: new Registry(),
      publicRouters: [channel.router],
      routers: [],
    });
    ({ url } = await web.start());
    await channel.start(async (incoming) => {
      if (refuse !== null) throw refuse;
      // as the inbox does: the same message delivered twice is one
      const fresh = !taken.some((one) => one.externalId === incoming.externalId);
      if (fresh) taken.push(incoming);
      return { inboxId: 1, fresh };
    });
  }
  const texts = () => taken.map((one) => (one.kind === 'message' ? one.text : one.event.type));
  const post = (body: string, secret = server.world.webhookSecret) =>
    fetch(`${url}/telegram/webhook`, {
      method: 'POST',
      headers: { 'x-telegram-bot-api-secret-token': secret, 'content-type': 'application/json' },
      body,
    });

  it('sets the webhook with a secret, and takes what comes in its order', async () => {
    await open();
    const call = await server.next('setWebhook');
    expect(call.params).toMatchObject({
      url: HOOK,
      secret_token: expect.stringMatching(/^[\w-]{43}$/),
      allowed_updates: ['message', 'callback_query', 'my_chat_member'],
    });
    for (let at = 0; at < 20; at += 1) officer.says(`tin ${at}`);
    await expect.poll(texts, { timeout: 10_000 }).toEqual(Array.from({ length: 20 }, (_, at) => `tin ${at}`));
    expect(server.pollCount).toBe(0);
    expect(book.text()).not.toContain(server.world.webhookSecret);
  });

  it('what is delivered twice is one message, by its update', async () => {
    server.postsTo(() => url).twice = true;
    await open();
    officer.says('một lần');
    await expect.poll(() => server.unconfirmed.length, { timeout: 10_000 }).toBe(0);
    expect(server.postsTo(() => url).posts.map(({ status }) => status)).toEqual([200, 200]);
    expect(texts()).toEqual(['một lần']);
  });

  it('what could not be written down comes again', async () => {
    // no check falls into this: the webhook would be given up
    await open({ checkMs: 60_000 });
    await server.next('setWebhook');
    refuse = new Error('disk full');
    officer.says('giữ lại');
    const sender = server.postsTo(() => url);
    await expect.poll(() => sender.posts.length, { timeout: 10_000 }).toBeGreaterThan(0);
    expect(sender.posts[0]?.status).toBe(503);
    refuse = null;
    await expect.poll(texts, { timeout: 10_000 }).toEqual(['giữ lại']);
  });

  it('a wrong, missing or older secret, and a body that is none, get nothing in', async () => {
    await open();
    await server.next('setWebhook');
    const update = JSON.stringify({
      update_id: 1,
      message: { message_id: 1, date: 1, chat: { id: 1, type: 'private' }, from: { id: 1 }, text: 'x' },
    });
    for (const secret of ['', 'A'.repeat(43), `${server.world.webhookSecret}x`])
      expect((await post(update, secret)).status).toBe(403);
    expect((await post('{"update_id":"x"}')).status).toBe(400);
    expect((await post('no json')).status).toBe(400);
    expect((await post('null')).status).toBe(400);
    expect((await post(`{"update_id":2,"x":"${'x'.repeat(300_000)}"}`)).status).toBe(413);
    expect(texts()).toEqual([]);
    expect((await post(update)).status).toBe(200);
    expect(texts()).toEqual(['x']);
  });

  it('where the posts do not arrive it asks instead, and loses nothing', async () => {
    await open();
    await server.next('setWebhook');
    const real = url;
    url = 'http://127.0.0.1:1';
    officer.says('không tới');
    await expect.poll(texts, { timeout: 15_000 }).toEqual(['không tới']);
    expect(server.world.webhook).toBe('');
    expect(book.text()).toContain('do not arrive');
    url = real;
    expect((await post('{"update_id":5}')).status).toBe(403);
  });

  it('an address that Telegram does not take is no reason to hear nothing', async () => {
    await open({ publicUrl: 'http://xa.example' });
    officer.says('vẫn nghe');
    await expect.poll(texts, { timeout: 10_000 }).toEqual(['vẫn nghe']);
  });

  it('stopped it leaves the webhook, and what came meanwhile comes then; set by somebody else it is set again', async () => {
    await open();
    await server.next('setWebhook');
    server.world.webhook = 'https://evil.example/hook';
    await server.next('setWebhook');
    expect(server.world.webhook).toBe(HOOK);
    await channel.stop();
    await web.stop(200);
    expect(server.world.webhook).toBe(HOOK);
    officer.says('trong lúc tắt');
    await expect.poll(() => server.world.webhookError, { timeout: 10_000 }).not.toBeNull();
    await open();
    await expect.poll(texts, { timeout: 10_000 }).toEqual(['trong lúc tắt']);
  });

  it('going back to asking it takes the webhook off', async () => {
    await open();
    await server.next('setWebhook');
    await channel.stop();
    await web.stop(200);
    await open({ publicUrl: null });
    officer.says('hỏi lại');
    await expect.poll(texts, { timeout: 10_000 }).toEqual(['hỏi lại']);
    expect(server.world.webhook).toBe('');
  });
});
