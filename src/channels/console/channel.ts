import fs from 'node:fs/promises';
import type { Response, Router } from 'express';
import type { Clock } from '../../base/clock.js';
import { WorldError } from '../../base/errors.js';
import type { Log } from '../../base/log.js';
import type { Channel, ChannelLimits, Incoming, Message, Reply } from '../../chat/message.js';
import type { ConsoleLine, ConsoleStore } from '../../store/console.js';
import { diskFault, makeFiles } from './files.js';
import type { Gate, Pass } from './gate.js';
import { type Said, SaidError } from './incoming.js';
import { makeRoutes } from './routes.js';
import { makeHub } from './stream.js';
import { type Answer, answerOf, type BotPayload, buttonsOf, filesOf, type Payload, viewOf } from './view.js';
import { readWords } from './words.js';

export const CONSOLE_LIMITS: ChannelLimits = {
  textLength: 8_000,
  captionLength: 4_000,
  photoBytes: 50_000_000,
  photoSides: 30_000,
  fileBytes: 4_000_000_000,
  video: true,
  albumItems: 10,
  buttons: true,
  edit: true,
  windowMs: null,
  lastResort: true,
  rates: { perSecond: 1_000, perChatMs: 0, perGroupPerMinute: 60_000 },
};

const SWEEP_MS = 3_600_000;
const DAY_MS = 86_400_000;

export interface ConsoleOptions {
  store: ConsoleStore;
  /** folder of the files shown here (DATA_DIR/console) */
  folder: string;
  clock: Clock;
  log: Log;
  gate: Gate;
  /** address of this server as people reach it, known once it is bound */
  baseUrl(): string;
  /** lines and files older than this go, days */
  keepDays: number;
  /** sends one of the pages ("console.html") */
  sendPage(response: Response, name: string): void;
}

export interface ConsoleChannel extends Channel {
  /** the page and its API, under `/console` */
  router: Router;
  /** Asks every open page again whether its person may still be here; call it when a role ends. */
  recheck(): Promise<void>;
  /** What the bot answered to an inbox message in these chats, in its final form; files as local paths. */
  answers(inboxId: number, chats: string[]): Promise<Answer[]>;
}

/** The web console as a channel. A private chat has the id of its person's account. */
export function makeConsoleChannel(options: ConsoleOptions): ConsoleChannel {
  const { store, folder, clock, log, gate } = options;
  const files = makeFiles(folder);
  const hub = makeHub();
  let accept: ((incoming: Incoming) => Promise<{ inboxId: number; fresh: boolean }>) | null = null;
  let sweeping: NodeJS.Timeout | undefined;
  const saying = new Map<string, Promise<unknown>>();

  const show = (line: ConsoleLine) => hub.publish('line', line.chatId, viewOf(line));

  async function sweep(): Promise<void> {
    const horizonMs = clock.now() - options.keepDays * DAY_MS;
    for (;;) {
      const gone = await store.prune(horizonMs);
      for (const line of gone)
        await files.remove(filesOf(line.payload as Payload).map((file) => file.stored));
      if (gone.length === 0) break;
    }
    await files.sweep(horizonMs - DAY_MS);
  }

  async function accepted(line: ConsoleLine): Promise<number> {
    if (accept === null) throw new Error('the console has stopped');
    const { inboxId } = await accept((line.payload as { message: Message }).message);
    await store.setInbox(line.id, inboxId);
    return inboxId;
  }

  /** The words of a press: what the button under that line says, if it is really there. */
  async function pressedWords(said: Said): Promise<string> {
    const { press } = said;
    if (press === undefined) return said.text;
    const line = await store.get(press.line);
    const button =
      line?.chatId === said.chatId
        ? buttonsOf(line.payload as Payload)[press.row]?.[press.column]
        : undefined;
    if (button === undefined || 'url' in button) throw new SaidError(409, 'Nút này không còn dùng được nữa.');
    return button.says;
  }

  /** Takes what a person said: written down, then accepted, then shown as sent. The same clientId twice is once. */
  async function sayOnce(
    pass: Pass,
    said: Said,
    externalId: string,
  ): Promise<{ inboxId: number; line: ConsoleLine }> {
    if (accept === null) throw new SaidError(503, 'Mắt Thần đang khởi động, xin chờ vài giây.');
    const chat = pass.chats.find((each) => each.chatId === said.chatId);
    if (chat === undefined) throw new SaidError(403, 'Bạn không ở trong nhóm chat này.');
    const latest = await store.recent(said.chatId, null, 100);
    const before = latest.find(
      (line) =>
        line.fromId !== null && (line.payload as { message: Message }).message.externalId === externalId,
    );
    if (before !== undefined) {
      await files.remove(said.attachments.map((attachment) => attachment.ref));
      return { inboxId: before.inboxId ?? (await accepted(before)), line: before };
    }

    const answered = said.replyTo === undefined ? null : await store.get(said.replyTo);
    const repliesToBot = answered?.chatId === said.chatId && answered.fromId === null;
    const pressed = said.press !== undefined;
    const inGroup = chat.kind === 'group';
    const words = readWords(await pressedWords(said), { inGroup, repliesToBot, pressed });
    if (words.text === '' && said.attachments.length === 0 && said.place === undefined && !words.addressed)
      throw new SaidError(400, 'Tin trống.');
    const message: Message = {
      kind: 'message',
      channel: 'console',
      chatId: chat.chatId,
      chatKind: chat.kind,
      chatTitle: chat.title,
      externalId,
      sender: { userId: pass.person.userId, name: pass.person.name },
      sentMs: clock.now(),
      text: words.text,
      attachments: said.attachments,
      addressed: words.addressed,
      ...(said.place === undefined ? {} : { place: said.place }),
      ...(pressed ? { pressed: true } : {}),
      ...(words.startPayload === undefined ? {} : { startPayload: words.startPayload }),
    };
    const line = await store.add({
      chatId: chat.chatId,
      fromId: pass.person.userId,
      fromName: pass.person.name,
      payload: { by: 'person', message, replyTo: answered === null ? null : answered.id },
      sentMs: message.sentMs,
      inboxId: null,
    });
    show(line);
    return { inboxId: await accepted(line), line };
  }

  async function say(pass: Pass, said: Said): Promise<{ inboxId: number; line: ConsoleLine }> {
    const externalId = `${pass.person.userId}:${said.clientId}`;
    // The same words sent twice at once wait for each other.
    const earlier = saying.get(externalId) ?? Promise.resolve();
    const mine = earlier.catch(() => {}).then(() => sayOnce(pass, said, externalId));
    saying.set(externalId, mine);
    try {
      return await mine;
    } finally {
      if (saying.get(externalId) === mine) saying.delete(externalId);
    }
  }

  return {
    name: 'console',
    limits: CONSOLE_LIMITS,
    router: makeRoutes({ gate, hub, store, files, folder, log, say, sendPage: options.sendPage }),

    async start(take) {
      await fs.mkdir(folder, { recursive: true });
      accept = take;
      for (const line of await store.notAccepted()) await accepted(line);
      const sweepQuietly = () => sweep().catch((error) => log.error({ err: error }, 'console sweep failed'));
      await sweepQuietly();
      sweeping = setInterval(() => void sweepQuietly(), SWEEP_MS);
      sweeping.unref();
    },

    async stop() {
      accept = null;
      clearInterval(sweeping);
      hub.close();
    },

    async send(to, reply, sendOptions = {}) {
      if (!(await gate.exists(to.chatId))) throw new WorldError('chat-gone', 'no such chat on the console');
      checkLengths(reply);
      const kept = await files.keep(
        reply,
        reply.kind === 'photo' ? CONSOLE_LIMITS.photoBytes : CONSOLE_LIMITS.fileBytes,
      );
      const inboxId = sendOptions.inboxId ?? null;
      const earlier = /^\d{1,15}$/.test(sendOptions.replaces ?? '')
        ? await store.get(Number(sendOptions.replaces))
        : null;
      if (earlier !== null && earlier.chatId === to.chatId && earlier.fromId === null) {
        const old = earlier.payload as BotPayload;
        const payload: BotPayload = { by: 'bot', rev: old.rev + 1, reply: kept };
        await store.change(earlier.id, payload, inboxId);
        show({ ...earlier, payload });
        await files.remove(filesOf(old).map((file) => file.stored));
        return { ids: [String(earlier.id)] };
      }
      const payload: BotPayload = { by: 'bot', rev: 0, reply: kept };
      const line = await store.add({
        chatId: to.chatId,
        fromId: null,
        fromName: null,
        payload,
        sentMs: clock.now(),
        inboxId,
      });
      show(line);
      return { ids: [String(line.id)] };
    },

    async act(to, activity) {
      hub.publish('activity', to.chatId, { chatId: to.chatId, activity });
    },

    async fetch(attachment, path, maxBytes) {
      try {
        const source = files.place(attachment.ref);
        const { size } = await fs.stat(source);
        if (size > maxBytes) throw new WorldError('too-big', `${size} bytes, at most ${maxBytes} are wanted`);
        await fs.copyFile(source, path);
        return { sizeBytes: size };
      } catch (error) {
        if (error instanceof WorldError && error.kind !== 'invalid') throw error;
        if (error instanceof WorldError || (error as NodeJS.ErrnoException).code === 'ENOENT')
          throw new WorldError('not-found', 'the uploaded file is gone', { cause: error });
        throw diskFault(error, 'fetching an uploaded file');
      }
    },

    privateChatLink: (payload) =>
      `${options.baseUrl().replace(/\/+$/, '')}/console${payload === undefined ? '#rieng' : `#start=${encodeURIComponent(payload)}`}`,

    recheck: () => hub.recheck(),

    async answers(inboxId, chats) {
      const lines = await store.answersTo(inboxId);
      return lines
        .filter((line) => chats.includes(line.chatId))
        .map(answerOf)
        .filter((answer) => answer !== null)
        .map((answer) => ({ ...answer, files: answer.files.map((stored) => files.place(stored)) }));
    },
  };
}

/** Refuses what breaks this channel's own limits, as any platform would. */
function checkLengths(reply: Reply): void {
  const length = reply.kind === 'text' ? reply.text.length : (reply.caption ?? '').length;
  const most = reply.kind === 'text' ? CONSOLE_LIMITS.textLength : CONSOLE_LIMITS.captionLength;
  if (length > most) throw new WorldError('invalid', `${length} characters, at most ${most}`);
  if (reply.kind === 'text' && length === 0) throw new WorldError('invalid', 'an empty text');
  if (reply.kind === 'album' && (reply.items.length < 2 || reply.items.length > CONSOLE_LIMITS.albumItems))
    throw new WorldError('invalid', `an album of ${reply.items.length}`);
}
