import fs from 'node:fs/promises';
import { WorldError } from '../../src/base/errors.js';
import type {
  Activity,
  Attachment,
  Channel,
  ChannelLimits,
  ChannelName,
  ChatAddress,
  Incoming,
  Reply,
  SendOptions,
  Sent,
} from '../../src/chat/message.js';
import { filesOf } from '../../src/chat/outgoing.js';

/** Limits that stand in nobody's way. */
export const WIDE_LIMITS: ChannelLimits = {
  textLength: 4096,
  captionLength: 1024,
  photoBytes: 10_000_000,
  photoSides: 10_000,
  fileBytes: 50_000_000,
  video: true,
  albumItems: 10,
  buttons: true,
  edit: true,
  windowMs: null,
  rates: { perSecond: 10_000, perChatMs: 0, perGroupPerMinute: 1_000_000 },
};

/** One message as the platform took it. */
export interface SentRecord {
  to: ChatAddress;
  reply: Reply;
  replaces?: string;
  inboxId?: number;
  id: string;
  /** contents of its files, in order: the spool is cleaned afterwards */
  files: Buffer[];
  /** monotonic ms */
  atMs: number;
}

/** A platform in memory: remembers what was sent, and fails as told. */
export interface TestChannel extends Channel {
  readonly sent: SentRecord[];
  readonly acts: { to: ChatAddress; activity: Activity }[];
  /** Says something to the bot; only after `start`. */
  hear(incoming: Incoming): Promise<{ inboxId: number; fresh: boolean }>;
  /** Asked before each send: what it returns is thrown, undefined lets the message through. */
  failWith(fault: ((to: ChatAddress, reply: Reply, options: SendOptions) => unknown) | null): void;
  /** Runs before each send is taken, awaited. */
  beforeSend(hook: ((to: ChatAddress, reply: Reply) => Promise<void>) | null): void;
  /** Contents that `fetch` gives for a ref. */
  readonly files: Map<string, Buffer>;
  /** Resolves when `sent` holds a record that passes. */
  waitFor(passes: (record: SentRecord) => boolean): Promise<SentRecord>;
  readonly started: boolean;
}

export function makeTestChannel(
  options: { name?: ChannelName; limits?: Partial<ChannelLimits>; link?: string | null } = {},
): TestChannel {
  let accept: Parameters<Channel['start']>[0] | null = null;
  let fault: Parameters<TestChannel['failWith']>[0] = null;
  let hook: Parameters<TestChannel['beforeSend']>[0] = null;
  let count = 0;
  const waiters: { passes: (record: SentRecord) => boolean; found: (record: SentRecord) => void }[] = [];
  const sent: SentRecord[] = [];
  const acts: TestChannel['acts'] = [];
  const files = new Map<string, Buffer>();
  return {
    name: options.name ?? 'console',
    limits: { ...WIDE_LIMITS, ...options.limits },
    sent,
    acts,
    files,
    get started() {
      return accept !== null;
    },
    async start(given) {
      accept = given;
    },
    async hear(incoming) {
      if (accept === null) throw new Error('the test channel is not started');
      return accept(incoming);
    },
    failWith(given) {
      fault = given;
    },
    beforeSend(given) {
      hook = given;
    },
    async send(to, reply, sendOptions = {}): Promise<Sent> {
      await hook?.(to, reply);
      const error = fault?.(to, reply, sendOptions);
      if (error !== undefined) throw error;
      const contents = await Promise.all(filesOf(reply).map((file) => fs.readFile(file.path)));
      count += 1;
      const record: SentRecord = {
        to,
        reply,
        ...(sendOptions.replaces === undefined ? {} : { replaces: sendOptions.replaces }),
        ...(sendOptions.inboxId === undefined ? {} : { inboxId: sendOptions.inboxId }),
        id: `m${count}`,
        files: contents,
        atMs: performance.now(),
      };
      sent.push(record);
      for (const waiter of [...waiters])
        if (waiter.passes(record)) {
          waiters.splice(waiters.indexOf(waiter), 1);
          waiter.found(record);
        }
      return { ids: [record.id] };
    },
    async act(to, activity) {
      acts.push({ to, activity });
    },
    async fetch(attachment: Attachment, path, maxBytes) {
      const content = files.get(attachment.ref);
      if (content === undefined) throw new WorldError('not-found', 'no such file on the test platform');
      if (content.length > maxBytes) throw new WorldError('too-big', 'the file is too big');
      await fs.writeFile(path, content);
      return { sizeBytes: content.length };
    },
    privateChatLink: (payload) =>
      options.link === null
        ? null
        : `${options.link ?? 'https://chat.example/bot'}${payload === undefined ? '' : `?start=${payload}`}`,
    waitFor(passes) {
      const there = sent.find(passes);
      if (there !== undefined) return Promise.resolve(there);
      return new Promise((found) => waiters.push({ passes, found }));
    },
    async stop() {
      accept = null;
    },
  };
}
