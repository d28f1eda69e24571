/**
 * A stand-in of Zalo: an Official Account's OpenAPI, OAuth and webhook, and the Bot Platform, over real HTTP on
 * 127.0.0.1, with Zalo's limits, windows, rates, token rotation and errors (HTTP 200 with `error`). Its state outlives
 * the bot's restarts. Also a program:
 *
 *   node dist/test/support/zalo-server.js --port 8082 [--no-rates] [--webhook http://127.0.0.1:8600/…]
 *
 * As a program it prints the settings to use and is steered over HTTP: POST /control/say {"user":{"id":"1","name":"An"},
 * "text":"…"}, GET /control/sent.
 */
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { readBody } from './telegram/body.js';
import { Troubles } from './telegram/troubles.js';
import { answerCall } from './zalo/answer.js';
import { BotPerson, BotPlatform } from './zalo/bot.js';
import { type Held, type HeldAt, Holds } from './zalo/holds.js';
import { Tokens } from './zalo/oauth.js';
import { type Match, ZaloGroup, ZaloPerson } from './zalo/people.js';
import { Rates } from './zalo/rates.js';
import { OaFailure, type ZaloCall, type ZaloMessage } from './zalo/types.js';
import { WebhookSender } from './zalo/webhook.js';
import { World } from './zalo/world.js';

export { BotPerson } from './zalo/bot.js';
export { ZaloGroup, ZaloPerson } from './zalo/people.js';
export type { ZaloCall, ZaloMessage } from './zalo/types.js';

export interface ZaloServerOptions {
  /** default 0 = any free port */
  port?: number;
  /** enforce 100 calls a minute; default true */
  rates?: boolean;
  /** epoch ms; default the host's clock, moved by `clock` */
  now?: () => number;
  /** waits between the webhook's tries, times this; default 1 */
  retryScale?: number;
}

export const TEST_APP = {
  appId: '360846524940903967',
  appSecret: 'APP_SECRET_OF_TESTS',
  oaId: '1646843870823903717',
  oaSecret: 'OA_SECRET_TEST',
  callback: 'https://congan.example/zalo/callback',
  botToken: '1459232241454765289:rLbSpHvtkXWgTnDwQeYcAm',
};

export class ZaloServer {
  /** everything the platform knows; for tests that look deeper */
  readonly world: World;
  readonly tokens: Tokens;
  readonly webhook: WebhookSender;
  readonly bot: BotPlatform;
  readonly rates: Rates;
  /** moves the platform's clock, ms */
  clock = 0;
  /** how much of an answer passes when it breaks within, 0–1 */
  cutAt = 0.5;
  private readonly server: http.Server;
  private readonly troubles = new Troubles<OaFailure>();
  private readonly holds = new Holds();
  private readonly cursors = new Map<string, number>();
  readonly dir = fs.mkdtempSync(path.join(os.tmpdir(), 'zalo-server-'));
  private readonly stopping = new AbortController();
  private groupCount = 0;

  private constructor(options: ZaloServerOptions) {
    const now = options.now ?? (() => Date.now() + this.clock);
    this.world = new World(TEST_APP.oaId, TEST_APP.appId, now);
    this.tokens = new Tokens(TEST_APP, now);
    this.webhook = new WebhookSender({ ...TEST_APP, secret: TEST_APP.oaSecret }, now);
    this.webhook.retryScale = options.retryScale ?? 1;
    this.world.emit = (event) => this.webhook.emit(event);
    this.bot = new BotPlatform(TEST_APP.botToken, this.world, this.stopping.signal);
    this.rates = new Rates(now);
    this.rates.on = options.rates ?? true;
    this.server = http.createServer((request, response) => {
      this.serve(request, response).catch((error: unknown) => {
        if (!response.headersSent) response.writeHead(500).end(String(error));
        else response.destroy();
      });
    });
  }

  static async start(options: ZaloServerOptions = {}): Promise<ZaloServer> {
    const made = new ZaloServer(options);
    made.server.listen(options.port ?? 0, '127.0.0.1');
    await once(made.server, 'listening');
    made.world.root = made.root;
    return made;
  }

  /** For every ZALO_…_ROOT. */
  get root(): string {
    const address = this.server.address();
    if (address === null || typeof address === 'string') throw new Error('the server does not listen');
    return `http://127.0.0.1:${address.port}`;
  }

  /** For the clients and the token keeper. */
  get oauth() {
    return { root: this.root, appId: TEST_APP.appId, appSecret: TEST_APP.appSecret };
  }

  get calls(): ZaloCall[] {
    return this.world.calls;
  }

  person(about: { id: string; name: string }): ZaloPerson {
    let state = this.world.people.get(about.id);
    if (state === undefined) {
      state = {
        ...about,
        follower: false,
        gone: false,
        lastInteractionMs: null,
        answers: 0,
        info: null,
      };
      this.world.people.set(about.id, state);
    }
    return new ZaloPerson(this.world, state, this.receive);
  }

  /** A package for a group, not used yet. @returns its id */
  groupAsset(product = 'gmf50', quotaType = 'sub_quota'): string {
    const id = `asset-${this.world.assets.size + 1}`;
    this.world.assets.set(id, { id, product, quotaType, validThrough: '31/12/2027', usedId: null });
    return id;
  }

  /** A group that is there already; nothing is told of its making. */
  group(about: { name: string; members: ZaloPerson[] }): ZaloGroup {
    this.groupCount += 1;
    const id = `g${this.world.newId()}`;
    const assetId = this.groupAsset();
    this.world.assets.get(assetId)!.usedId = id;
    const state = {
      id,
      name: about.name,
      description: '',
      assetId,
      members: new Set(about.members.map((person) => person.id)),
      admins: new Set<string>(),
      pending: new Set<string>(),
      enabled: true,
      ended: false,
    };
    this.world.groups.set(id, state);
    return new ZaloGroup(this.world, state, this.receive);
  }

  /** The handle of a group that the OA made. */
  groupById(id: string): ZaloGroup {
    return new ZaloGroup(this.world, this.world.groups.get(id)!, this.receive);
  }

  /** Somebody on the Bot Platform; ids there are others than at the OA. */
  botPerson(about: { id: string; name: string }): BotPerson {
    return new BotPerson(this.bot, this.world, about.id, about.name);
  }

  /** A person answers by hand from the OA's console. */
  adminReplies(to: ZaloPerson, text: string, adminId = '7411112222333344445'): ZaloMessage {
    const message = this.world.addMessage({
      fromId: null,
      chatId: to.id,
      inGroup: false,
      kind: 'text',
      text,
      adminId,
      raw: {},
    });
    this.world.emit({
      event_name: 'oa_send_text',
      sender: { id: this.world.oaId, admin_id: adminId },
      recipient: { id: to.id },
      message: { text, msg_id: message.id },
    });
    return message;
  }

  /** The administrator takes the app's rights away. */
  revokesPermission() {
    this.tokens.expireAccess();
    this.world.emit({ event_name: 'permission_revoked', oa_id: this.world.oaId });
  }

  /** The next calls of this name ('*' = any) are answered so. @param fault.http default 200 */
  fail(name: string, fault: { code: number; http?: number; times?: number }) {
    this.troubles.add(name, fault.times ?? 1, {
      fault: new OaFailure(fault.code, 'on demand', fault.http ?? 200),
    });
  }

  /** The connection breaks before the call is done; after it, before the answer; or in the middle of the answer. */
  drop(name: string, when: 'before' | 'after' | 'within', times = 1) {
    this.troubles.add(name, times, { drop: when });
  }

  /** The next calls are answered with a web page. */
  garble(name: string, times = 1) {
    this.troubles.add(name, times, { garble: true });
  }

  /** The next calls wait first. */
  delay(name: string, delayMs: number, times = 1) {
    this.troubles.add(name, times, { delayMs });
  }

  /** The next call is held: at its arrival, or when it is done and before the answer. */
  hold(name: string, at: HeldAt): Held {
    return this.holds.add(name, at);
  }

  /** Forgets troubles that have not struck yet. */
  heal() {
    this.troubles.clear();
  }

  private readonly receive = async (chatId: string, match: Match = () => true): Promise<ZaloMessage> => {
    const fits = (message: ZaloMessage) =>
      typeof match === 'function'
        ? match(message)
        : typeof match === 'string'
          ? message.text.includes(match)
          : match.test(message.text);
    const { messages, bell } = this.world;
    const signal = AbortSignal.timeout(10_000);
    for (;;) {
      for (let at = this.cursors.get(chatId) ?? 0; at < messages.length; at += 1) {
        const message = messages[at]!;
        if (message.chatId !== chatId || message.fromId !== null || !fits(message)) continue;
        this.cursors.set(chatId, at + 1);
        return message;
      }
      if (signal.aborted) throw new Error(`the OA sent no such message; it made: ${this.describe()}`);
      await bell.next(signal);
    }
  };

  /** Resolves when so many calls of this name were made. */
  async called(name: string, count = 1, timeoutMs = 10_000): Promise<ZaloCall[]> {
    const signal = AbortSignal.timeout(timeoutMs);
    for (;;) {
      const found = this.calls.filter((call) => call.name === name);
      if (found.length >= count) return found;
      if (signal.aborted) throw new Error(`${name} was not called ${count} times; calls: ${this.describe()}`);
      await this.world.bell.next(signal);
    }
  }

  private describe = () =>
    this.calls
      .slice(-8)
      .map(
        ({ name, error, params }) =>
          `${name}${error === undefined ? '' : ` (${error})`} ${JSON.stringify(params).slice(0, 120)}`,
      )
      .join('; ');

  private async serve(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const media = /^\/media\/(.+)$/.exec(url.pathname);
    if (media) return this.serveMedia(response, media[1]!);
    if (url.pathname.startsWith('/control/')) return this.serveControl(request, response, url);
    if (url.pathname === '/v4/oa/permission') return this.serveConsent(response, url);
    const bot = /^\/bot([^/]+)\/([A-Za-z]+)$/.exec(url.pathname);
    const name = bot?.[2] ?? url.pathname.replace(/^\/v\d[.\d]*\/oa\/|^\//, '');
    const trouble = this.troubles.strike(name);
    if (trouble?.delayMs !== undefined) await pause(trouble.delayMs);
    if (trouble?.drop === 'before') {
      request.destroy();
      return;
    }
    if (trouble?.garble) {
      request.resume();
      response.writeHead(200, { 'content-type': 'text/html' }).end('<html>Trang bị chặn</html>');
      return;
    }
    const gone = new AbortController();
    response.on('close', () => gone.abort());
    await this.holds.pass(name, 'before');
    const api = bot !== null ? 'bot' : name === 'access_token' ? 'oauth' : 'oa';
    const call: ZaloCall = { api, name, params: {}, ok: false, atMs: this.world.now() };
    const { status, headers, body } = await answerCall(this, {
      call,
      request,
      url,
      botToken: bot?.[1],
      fault: trouble?.fault,
      gone: gone.signal,
    });
    this.world.record(call);
    await this.holds.pass(name, 'after');
    response.on('close', () => {
      call.answer = response.writableFinished ? 'whole' : 'cut';
      this.world.bell.ring();
    });
    if (trouble?.drop === 'after' || gone.signal.aborted) {
      call.answer = 'cut';
      response.destroy();
      return;
    }
    const text = JSON.stringify(body);
    response.writeHead(status, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(text),
      ...headers,
    });
    if (trouble?.drop === 'within') {
      response.write(text.slice(0, text.length * this.cutAt), () => response.destroy());
      return;
    }
    response.end(text);
  }

  private async serveMedia(response: http.ServerResponse, name: string): Promise<void> {
    const found = this.world.media.get(name);
    const trouble = this.troubles.strike('media');
    await this.holds.pass('media', 'before');
    if (trouble?.fault !== undefined) {
      response.writeHead(trouble.fault.http).end();
      return;
    }
    if (trouble?.drop === 'before') {
      response.destroy();
      return;
    }
    if (found === undefined || this.world.now() > found.diesMs) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { 'content-type': found.type, 'content-length': found.bytes.length });
    if (trouble?.drop === 'within' || trouble?.drop === 'after')
      response.write(found.bytes.subarray(0, found.bytes.length / 2), () => response.destroy());
    else response.end(found.bytes);
  }

  private serveConsent(response: http.ServerResponse, url: URL): void {
    try {
      const back = new URL(this.tokens.consent(url.searchParams));
      back.searchParams.set('oa_id', this.world.oaId);
      response.writeHead(302, { location: back.href }).end();
    } catch (error) {
      if (!(error instanceof OaFailure)) throw error;
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ error: error.code, error_name: error.words }));
    }
  }

  private async serveControl(
    request: http.IncomingMessage,
    response: http.ServerResponse,
    url: URL,
  ): Promise<void> {
    response.setHeader('content-type', 'application/json');
    if (url.pathname === '/control/sent') {
      response.end(JSON.stringify(this.world.messages.filter((message) => message.fromId === null)));
      return;
    }
    const { params } = await readBody(request, url.searchParams, this.dir, 1_000_000);
    const user = params.user as { id: string; name: string } | undefined;
    if (url.pathname !== '/control/say' || user === undefined) {
      response.writeHead(404).end('{}');
      return;
    }
    response.end(JSON.stringify(this.person(user).says(String(params.text ?? ''))));
  }

  /** Ends the server and takes away the files it saved. */
  async stop(): Promise<void> {
    this.holds.releaseAll();
    this.stopping.abort();
    this.webhook.stop();
    this.server.close();
    this.server.closeAllConnections();
    fs.rmSync(this.dir, { recursive: true, force: true });
  }
}

async function main(args: string[]): Promise<void> {
  const value = (name: string) => (args.includes(name) ? args[args.indexOf(name) + 1] : undefined);
  const server = await ZaloServer.start({
    port: Number(value('--port') ?? 8082),
    rates: !args.includes('--no-rates'),
  });
  const { root } = server;
  console.log(`Stand-in of Zalo: ZALO_APP_ID=${TEST_APP.appId} ZALO_APP_SECRET=${TEST_APP.appSecret}`);
  console.log(`ZALO_OA_SECRET=${TEST_APP.oaSecret} ZALO_BOT_TOKEN=${TEST_APP.botToken}`);
  for (const name of ['API', 'OAUTH', 'BOT']) console.log(`ZALO_${name}_ROOT=${root}`);
  console.log(`access token: ${server.tokens.accessToken}\nrefresh token: ${server.tokens.refreshToken}`);
  const webhook = value('--webhook');
  if (webhook !== undefined) await server.webhook.set(webhook);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void server.stop());
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href)
  await main(process.argv.slice(2));
