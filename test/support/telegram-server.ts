/**
 * A stand-in of Telegram's Bot API: real HTTP on 127.0.0.1, Telegram's limits and error texts, people who write,
 * press and block. Its state outlives the bot's restarts. Apart from the tests; also a program:
 *
 *   node dist/test/support/telegram-server.js --port 8081 [--token <id:secret>] [--no-rates]
 *
 * As a program it is steered over HTTP: POST /control/say {"user":{"id":1,"name":"An"},"text":"…"} (with "group":"title"
 * in that group, which is made and has the bot as administrator when it is new),
 * POST /control/press {"user":{…},"label":"…"}, GET /control/sent.
 */
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { readBody } from './telegram/body.js';
import { UPLOAD_BYTES } from './telegram/checks.js';
import { METHODS } from './telegram/methods.js';
import { type Receive, TgGroup, TgPerson } from './telegram/people.js';
import { Rates } from './telegram/rates.js';
import { type Fault, faultToFailure, Troubles } from './telegram/troubles.js';
import { ApiFailure, type Call, type TgMessage, type TgUpdate } from './telegram/types.js';
import { WebhookSender } from './telegram/webhook-sender.js';
import { World } from './telegram/world.js';

export type { SayOptions } from './telegram/people.js';
export { TgGroup, TgPerson } from './telegram/people.js';
export type { Fault } from './telegram/troubles.js';
export type { Call, TgMessage, TgUpdate, Upload } from './telegram/types.js';

export const TEST_TOKEN = '4839574812:AAFD39kkdpWt3ywyRZergyOLMaJhac60qcT';

export interface TelegramServerOptions {
  /** default 0 = any free port */
  port?: number;
  /** the one token that is right; default TEST_TOKEN */
  token?: string;
  botName?: string;
  /** enforce 30/s, 1/s per chat, 20/min per group; default true, also switchable by `rates` */
  rates?: boolean;
  /** largest upload, bytes; default 50 MB */
  uploadBytes?: number;
  /** epoch ms; default the host's clock */
  now?: () => number;
}

interface Poll {
  abort: AbortController;
  conflict: boolean;
}

type Match<T> = (it: T) => boolean;

const CONFLICT =
  'Conflict: terminated by other getUpdates request; make sure that only one bot instance is running';
const CONFLICT_WEBHOOK =
  "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first";

export class TelegramServer {
  readonly token: string;
  /** everything the platform knows; for tests that look deeper */
  readonly world: World;
  /** flood limits on or off */
  rates: boolean;
  private readonly limiter: Rates;
  private readonly server: http.Server;
  private readonly troubles = new Troubles();
  private readonly delivered: TgMessage[] = [];
  private readonly deliveredCursor = new Map<number, number>();
  private sentCursor = 0;
  private poll: Poll | null = null;
  private readonly now: () => number;
  private readonly uploadBytes: number;
  private nextGroup = 1001;
  private polls = 0;
  private sender: WebhookSender | null = null;

  private constructor(options: TelegramServerOptions) {
    this.token = options.token ?? TEST_TOKEN;
    this.rates = options.rates ?? true;
    this.now = options.now ?? Date.now;
    this.uploadBytes = options.uploadBytes ?? UPLOAD_BYTES;
    this.limiter = new Rates(this.now);
    const bot = {
      id: Number(this.token.split(':')[0]),
      is_bot: true,
      first_name: 'Mắt Thần',
      username: options.botName ?? 'mat_than_bot',
    };
    const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'telegram-server-'));
    this.world = new World(bot, dir, this.now, 800_000_000 + (process.pid % 1000) * 1000);
    this.server = http.createServer((request, response) => {
      this.serve(request, response).catch((error: unknown) => {
        if (!response.headersSent) response.writeHead(500).end(String(error));
        else response.destroy();
      });
    });
    this.server.keepAliveTimeout = 5_000;
  }

  static async start(options: TelegramServerOptions = {}): Promise<TelegramServer> {
    const made = new TelegramServer(options);
    made.server.listen(options.port ?? 0, '127.0.0.1');
    await once(made.server, 'listening');
    return made;
  }

  /** For TELEGRAM_API_ROOT. */
  get apiRoot(): string {
    const address = this.server.address();
    if (address === null || typeof address === 'string') throw new Error('the server does not listen');
    return `http://127.0.0.1:${address.port}`;
  }

  /** All calls of the bot but getUpdates, in order, with what was uploaded and what was answered. */
  get sent(): Call[] {
    return this.world.sent;
  }

  /** How often getUpdates was called. */
  get pollCount(): number {
    return this.polls;
  }

  /** Connections that are open now, of bots and of tests. */
  openConnections(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
    });
  }

  /** Updates that the bot has not confirmed. */
  get unconfirmed(): TgUpdate[] {
    return this.world.updates;
  }

  user(about: { id: number; name: string; username?: string }): TgPerson {
    let state = this.world.people.get(about.id);
    if (state === undefined) {
      const user = {
        id: about.id,
        is_bot: false,
        first_name: about.name,
        language_code: 'vi',
        ...(about.username === undefined ? {} : { username: about.username }),
      };
      state = { user, started: false, blocked: false };
      this.world.people.set(about.id, state);
    }
    return new TgPerson(this.world, state, this.receive);
  }

  /** A group without the bot. */
  group(about: { title: string; by: TgPerson; members?: TgPerson[]; supergroup?: boolean }): TgGroup {
    const number = this.nextGroup++;
    const state = {
      chat: {
        id: about.supergroup === true ? -1_000_000_000_000 - number : -number,
        type: about.supergroup === true ? ('supergroup' as const) : ('group' as const),
        title: about.title,
      },
      members: new Map([[about.by.id, 'creator' as const]]),
      bot: 'left' as const,
    };
    this.world.groups.set(state.chat.id, state);
    const group = new TgGroup(this.world, state, this.receive);
    group.adds(...(about.members ?? []));
    return group;
  }

  /** The next calls of the method ('*' = any) are answered with this error. */
  fail(method: string, fault: Fault) {
    this.troubles.add(method, fault.times ?? 1, { fault: faultToFailure(fault) });
  }

  /** The connection breaks before the call is done, or after it is done and before the answer. */
  drop(method: string, when: 'before' | 'after', times = 1) {
    this.troubles.add(method, times, { drop: when });
  }

  /** The next calls are answered with a web page, as a network that blocks Telegram may do. */
  garble(method: string, times = 1) {
    this.troubles.add(method, times, { garble: true });
  }

  /** The next calls wait first. */
  delay(method: string, delayMs: number, times = 1) {
    this.troubles.add(method, times, { delayMs });
  }

  /** Forgets troubles that have not struck yet. */
  heal() {
    this.troubles.clear();
  }

  /**
   * The bot's next call that fits, from where the last `next` ended; a text is a method's name.
   * Without a test of its own for it, only calls that went well count.
   */
  async next(match: string | Match<Call>, timeoutMs = 10_000): Promise<Call> {
    const fits = typeof match === 'string' ? (call: Call) => call.ok && call.method === match : match;
    const signal = AbortSignal.timeout(timeoutMs);
    for (;;) {
      while (this.sentCursor < this.sent.length) {
        const call = this.sent[this.sentCursor++] as Call;
        if (fits(call)) return call;
      }
      if (signal.aborted) throw new Error(`the bot made no such call; it made: ${this.describe()}`);
      await this.world.untilCall(signal);
    }
  }

  private describe(): string {
    return this.sent
      .slice(-8)
      .map(
        (call) =>
          `${call.method}${call.ok ? '' : ` (${call.description})`} ${JSON.stringify(call.params).slice(0, 120)}`,
      )
      .join('; ');
  }

  private readonly receive: Receive = async (chatId, match = () => true) => {
    const fits = (message: TgMessage) => {
      const text = message.text ?? message.caption ?? '';
      if (typeof match === 'function') return match(message);
      return typeof match === 'string' ? text.includes(match) : match.test(text);
    };
    const signal = AbortSignal.timeout(10_000);
    for (;;) {
      for (let at = this.deliveredCursor.get(chatId) ?? 0; at < this.delivered.length; at += 1) {
        const message = this.delivered[at] as TgMessage;
        if (message.chat.id !== chatId || !fits(message)) continue;
        this.deliveredCursor.set(chatId, at + 1);
        return message;
      }
      if (signal.aborted) throw new Error(`the bot sent no such message; it made: ${this.describe()}`);
      await this.world.untilCall(signal);
    }
  };

  private async serve(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const file = /^\/file\/bot([^/]+)\/(.+)$/.exec(url.pathname);
    if (file) return this.serveFile(response, decodeURIComponent(file[1]!), decodeURIComponent(file[2]!));
    const call = /^\/bot([^/]+)\/([A-Za-z]+)$/.exec(url.pathname);
    if (call) return this.serveCall(request, response, url, decodeURIComponent(call[1]!), call[2]!);
    if (url.pathname.startsWith('/control/')) return this.serveControl(request, response, url);
    answer(response, new ApiFailure(404, 'Not Found'));
  }

  private async serveFile(response: http.ServerResponse, token: string, filePath: string): Promise<void> {
    if (token !== this.token) return answer(response, new ApiFailure(401, 'Unauthorized'));
    const found = [...this.world.files.values()].find((file) => file.filePath === filePath);
    const trouble = this.troubles.strike('file');
    if (trouble?.delayMs !== undefined) await pause(trouble.delayMs);
    if (trouble?.fault) return answer(response, trouble.fault);
    if (found === undefined) return answer(response, new ApiFailure(404, 'Not Found'));
    if (trouble?.drop === 'before') {
      response.destroy();
      return;
    }
    response.writeHead(200, {
      'content-type': 'application/octet-stream',
      'content-length': found.sizeBytes,
    });
    const bytes = fs.readFileSync(found.path);
    if (trouble?.drop === 'after') {
      response.write(bytes.subarray(0, Math.floor(bytes.length / 2)), () => response.destroy());
      return;
    }
    response.end(bytes);
  }

  private async serveCall(
    request: http.IncomingMessage,
    response: http.ServerResponse,
    url: URL,
    token: string,
    name: string,
  ): Promise<void> {
    const key = name.toLowerCase();
    const trouble = this.troubles.strike(key);
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
    const call: Call = { method: name, params: {}, files: [], ok: false, messages: [], atMs: this.now() };
    let outcome: ApiFailure | { result: unknown };
    try {
      const body = await readBody(request, url.searchParams, this.world.dir, this.uploadBytes);
      call.wholeMs = this.now();
      call.params = body.params;
      call.files = body.files;
      if (token !== this.token) throw new ApiFailure(401, 'Unauthorized');
      if (trouble?.fault) throw trouble.fault;
      if (key === 'getupdates') {
        outcome = { result: await this.getUpdates(body.params, response) };
      } else {
        const method = METHODS[key];
        if (method === undefined) throw new ApiFailure(404, 'Not Found: method not found');
        const made = await method({
          world: this.world,
          params: body.params,
          files: body.files,
          rate: (chatId, count) => {
            if (this.rates) this.limiter.take(chatId, count);
          },
        });
        call.ok = true;
        call.result = structuredClone(made.result);
        call.messages = structuredClone(made.messages ?? []);
        if (key !== 'deletemessage') this.delivered.push(...(made.messages ?? []));
        outcome = { result: made.result };
      }
    } catch (error) {
      outcome = error instanceof ApiFailure ? error : new ApiFailure(500, `Internal Server Error: ${error}`);
      call.errorCode = outcome.code;
      call.description = outcome.description;
    }
    if (key !== 'getupdates') this.world.record(call);
    if (trouble?.drop === 'after') {
      response.destroy();
      return;
    }
    answer(response, outcome);
  }

  /** Long poll: what is below `offset` is confirmed and gone; a second poller ends the first. */
  private async getUpdates(
    params: Record<string, unknown>,
    response: http.ServerResponse,
  ): Promise<TgUpdate[]> {
    this.polls += 1;
    const { world } = this;
    if (world.webhook !== '') throw new ApiFailure(409, CONFLICT_WEBHOOK);
    if (Array.isArray(params.allowed_updates))
      world.allowed = params.allowed_updates.length === 0 ? null : params.allowed_updates.map(String);
    const offset = Number(params.offset ?? 0);
    if (offset < 0) world.updates.splice(0, Math.max(0, world.updates.length + offset));
    else while (world.updates[0] !== undefined && world.updates[0].update_id < offset) world.updates.shift();
    if (this.poll !== null) {
      this.poll.conflict = true;
      this.poll.abort.abort();
    }
    const mine: Poll = { abort: new AbortController(), conflict: false };
    this.poll = mine;
    const timer = setTimeout(() => mine.abort.abort(), Math.min(50, Number(params.timeout ?? 0)) * 1000);
    const gone = () => mine.abort.abort();
    response.on('close', gone);
    try {
      while (world.updates.length === 0 && !mine.abort.signal.aborted)
        await world.untilUpdate(mine.abort.signal);
    } finally {
      clearTimeout(timer);
      response.off('close', gone);
      if (this.poll === mine) this.poll = null;
    }
    if (mine.conflict) throw new ApiFailure(409, CONFLICT);
    const limit = Math.min(100, Math.max(1, Number(params.limit ?? 100)));
    return world.updates.slice(0, limit);
  }

  private async serveControl(
    request: http.IncomingMessage,
    response: http.ServerResponse,
    url: URL,
  ): Promise<void> {
    if (url.pathname === '/control/sent') {
      const from = Number(url.searchParams.get('from') ?? 0);
      return answer(response, { result: this.sent.slice(from) });
    }
    const { params } = await readBody(request, url.searchParams, this.world.dir, this.uploadBytes);
    const about = params.user as { id: number; name: string } | undefined;
    if (about === undefined) return answer(response, new ApiFailure(400, 'Bad Request: user is missing'));
    const person = this.user(about);
    if (url.pathname === '/control/say') {
      const place = typeof params.group === 'string' ? { in: this.groupCalled(params.group, person) } : {};
      return answer(response, { result: person.says(String(params.text ?? ''), place) });
    }
    if (url.pathname === '/control/press') {
      return answer(response, { result: person.presses(String(params.label ?? '')) });
    }
    answer(response, new ApiFailure(404, 'Not Found'));
  }

  private groupCalled(title: string, by: TgPerson): TgGroup {
    const known = [...this.world.groups.values()].find(
      (group) => group.chat.title === title && group.movedTo === undefined,
    );
    if (known !== undefined) return new TgGroup(this.world, known, this.receive);
    const group = this.group({ title, by });
    group.addsBot(by, 'administrator');
    return group;
  }

  /** Posts to the webhook that the bot sets, from now on. @param reach where its public name leads: "http://127.0.0.1:1234" */
  postsTo(reach: () => string): WebhookSender {
    this.sender ??= new WebhookSender(this.world, reach);
    return this.sender;
  }

  /** Ends the server and takes away the files it saved. */
  async stop(): Promise<void> {
    this.sender?.stop();
    this.poll?.abort.abort();
    this.server.close();
    this.server.closeAllConnections();
    fs.rmSync(this.world.dir, { recursive: true, force: true });
  }
}

const pause = (ms: number) => new Promise<void>((resolve) => void setTimeout(resolve, ms).unref());

function answer(response: http.ServerResponse, outcome: ApiFailure | { result: unknown }) {
  const failed = outcome instanceof ApiFailure;
  const parameters =
    failed && Object.keys(outcome.parameters).length > 0 ? { parameters: outcome.parameters } : {};
  const body = failed
    ? { ok: false, error_code: outcome.code, description: outcome.description, ...parameters }
    : { ok: true, result: outcome.result };
  response.writeHead(failed ? outcome.code : 200, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

async function main(args: string[]): Promise<void> {
  const value = (name: string) => (args.includes(name) ? args[args.indexOf(name) + 1] : undefined);
  const token = value('--token');
  const server = await TelegramServer.start({
    port: Number(value('--port') ?? 8081),
    rates: !args.includes('--no-rates'),
    ...(token === undefined ? {} : { token }),
  });
  console.log(`Stand-in of Telegram: TELEGRAM_API_ROOT=${server.apiRoot} TELEGRAM_BOT_TOKEN=${server.token}`);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void server.stop());
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href)
  await main(process.argv.slice(2));
