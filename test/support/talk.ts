import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { pino } from 'pino';
import { type Clock, systemClock } from '../../src/base/clock.js';
import type { Log } from '../../src/base/log.js';
import type { GroupPurpose, Role } from '../../src/base/roles.js';
import { type Chat, type ChatOptions, makeChat } from '../../src/chat/chat.js';
import type { Command, Fallbacks } from '../../src/chat/command.js';
import type { Attachment, Channel, ChannelLimits, Message, Place, Reply } from '../../src/chat/message.js';
import { wordsOf } from '../../src/chat/outgoing.js';
import type { Database } from '../../src/store/database.js';
import { makeTestChannel, type SentRecord, type TestChannel } from './channel.js';
import { openTestDatabase } from './database.js';

/** The demo's people; others are made as guests when they first speak. */
export const PEOPLE: Record<string, { name: string; role: Role; hamlet?: string }> = {
  truong: { name: 'Trung tá Lê Văn Trưởng', role: 'chief' },
  canbo: { name: 'Đại úy Phạm Văn Cán', role: 'officer' },
  thon1: { name: 'Nguyễn Văn Thôn', role: 'hamletHead', hamlet: 'Thôn 1' },
  kythuat: { name: 'Trần Kỹ Thuật', role: 'technician' },
  ho: { name: 'Bà Hộ', role: 'household', hamlet: 'Thôn 1' },
  nguoiungho: { name: 'Ông Ủng Hộ', role: 'donor' },
  khach: { name: 'Khách', role: 'guest' },
};

export const GROUPS: Record<string, { title: string; purpose: GroupPurpose; hamlet?: string }> = {
  'nhom-canbo': { title: 'Nhóm cán bộ', purpose: 'officers' },
  'nhom-thon1': { title: 'Nhóm thôn 1', purpose: 'hamlet', hamlet: 'Thôn 1' },
  'nhom-chung': { title: 'Nhóm chung', purpose: 'public' },
};

export interface TalkToOptions extends Partial<Omit<ChatOptions, 'commands' | 'fallbacks' | 'channels'>> {
  commands: readonly Command[];
  fallbacks?: Fallbacks;
  limits?: Partial<ChannelLimits>;
  /** further channels beside the console */
  others?: Channel[];
  /** to watch the log; silent by default */
  log?: Log;
}

export interface SayOptions {
  attachments?: Attachment[];
  place?: Place;
  /** a button was pressed */
  pressed?: boolean;
  /** default: in private, by slash, by button */
  addressed?: boolean;
  albumId?: string;
  startPayload?: string;
  externalId?: string;
  /** a sticker, say */
  unreadable?: true;
}

/** A reply as the person heard it. */
export interface Heard {
  reply: Reply;
  /** text or caption */
  text: string;
  /** what the buttons say, in order; links are left out */
  says: string[];
  labels: string[];
  files: Buffer[];
  record: SentRecord;
}

export interface Speaking {
  /** the same person, in a group */
  in(group: string): Speaking;
  /** Says it and waits for the complete answer: the replies in this chat, in order, progress left out. */
  say(text: string, options?: SayOptions): Promise<Heard[]>;
  /** Says it and does not wait. */
  begin(text: string, options?: SayOptions): Promise<{ inboxId: number; fresh: boolean }>;
  /** Presses the button with this label on the newest message in this chat that has it. */
  press(label: string): Promise<Heard[]>;
  /** Everything this chat has heard so far. */
  heard(): Heard[];
}

export interface TalkHouse {
  as(person: string): Speaking;
  /** everything sent to a chat: `canbo` for the private chat, `nhom-canbo` for the group */
  heardIn(chat: string): Heard[];
  /** ready after the first `say`, or by awaiting `ready` */
  ready: Promise<{ chat: Chat; database: Database; channel: TestChannel }>;
  channel: TestChannel;
  /** waits until nothing is to be answered or sent */
  drained(): Promise<void>;
  close(): Promise<void>;
}

/** What handlers' tests fall back on when they bring nothing of their own. */
export const PLAIN_FALLBACKS: Fallbacks = {
  words: (talk) => (talk.group === null ? talk.reply('(trợ giúp)') : Promise.resolve(talk.staySilent())),
  files: (talk) => talk.reply('(đã nhận tệp)'),
};

const hear = (record: SentRecord): Heard => {
  const buttons = record.reply.kind === 'album' ? [] : (record.reply.buttons ?? []).flat();
  return {
    reply: record.reply,
    text: wordsOf(record.reply),
    says: buttons.flatMap((button) => ('says' in button ? [button.says] : [])),
    labels: buttons.map((button) => button.label),
    files: record.files,
    record,
  };
};

/** Makes the demo's people and groups in a database that has none. */
export async function seedPeople(database: Database, clock: Clock = systemClock): Promise<void> {
  const createdMs = BigInt(clock.now());
  const hamletId = async (name: string | undefined) =>
    name === undefined
      ? null
      : (await database.hamlet.upsert({ where: { name }, create: { name }, update: {} })).id;
  for (const [alias, { name, role, hamlet }] of Object.entries(PEOPLE)) {
    if ((await database.person.findUnique({ where: { alias } })) !== null) continue;
    await database.person.create({
      data: {
        alias,
        name,
        role,
        hamletId: await hamletId(hamlet),
        createdMs,
        addresses: {
          create: { channel: 'console', userId: alias, displayName: name, privateChatId: alias, createdMs },
        },
      },
    });
  }
  for (const [chatId, { title, purpose, hamlet }] of Object.entries(GROUPS))
    await database.group.upsert({
      where: { channel_chatId: { channel: 'console', chatId } },
      create: {
        channel: 'console',
        chatId,
        title,
        purpose,
        hamletId: await hamletId(hamlet),
        boundMs: createdMs,
      },
      update: {},
    });
}

/**
 * A bot to talk to: the real inbox, dispatcher, outbox and SQLite behind a channel in memory.
 * `const house = talkTo({ commands }); await house.as('canbo').say('ảnh cổng chợ')` → what they hear.
 * Without `database` it has one of its own with the demo's people and groups, removed by `close`.
 */
export function talkTo(options: TalkToOptions): TalkHouse {
  const { limits, others = [], ...rest } = options;
  const channel = makeTestChannel(limits === undefined ? {} : { limits });
  const clock = options.clock ?? systemClock;
  const removals: (() => Promise<void>)[] = [];
  let count = 0;

  const ready = (async () => {
    let { database } = options;
    if (database === undefined) {
      const own = await openTestDatabase();
      removals.push(own.close);
      database = own.database;
    }
    await seedPeople(database, clock);
    let { spoolDir } = options;
    if (spoolDir === undefined) {
      spoolDir = await fs.mkdtemp(path.join(os.tmpdir(), 'mat-than-spool-'));
      const dir = spoolDir;
      removals.unshift(() => fs.rm(dir, { recursive: true, force: true }));
    }
    const chat = makeChat({
      log: pino({ level: 'silent' }),
      fallbacks: PLAIN_FALLBACKS,
      ...rest,
      database,
      clock,
      spoolDir,
      channels: [channel, ...others],
    });
    await chat.start();
    removals.unshift(() => chat.stop());
    return { chat, database, channel };
  })();
  // a failure shows where it is awaited
  ready.catch(() => {});

  const heardIn = (chat: string) => channel.sent.filter((record) => record.to.chatId === chat).map(hear);

  function speaking(person: string, group: string | null): Speaking {
    const chatId = group ?? person;
    async function begin(text: string, said: SayOptions = {}) {
      await ready;
      count += 1;
      const { addressed, externalId, ...more } = said;
      const message: Message = {
        kind: 'message',
        channel: 'console',
        chatId,
        chatKind: group === null ? 'private' : 'group',
        ...(group === null ? {} : { chatTitle: GROUPS[group]?.title ?? group }),
        externalId: externalId ?? `t${count}`,
        sender: { userId: person, name: PEOPLE[person]?.name ?? person },
        sentMs: clock.now(),
        text,
        attachments: [],
        addressed: addressed ?? (group === null || text.startsWith('/') || said.pressed === true),
        ...more,
      };
      return channel.hear(message);
    }
    const me: Speaking = {
      in: (other) => speaking(person, other),
      begin,
      async say(text, said) {
        const { chat } = await ready;
        const { inboxId } = await begin(text, said);
        await chat.turnDone(inboxId);
        const mine = channel.sent.filter(
          (record) => record.inboxId === inboxId && record.to.chatId === chatId,
        );
        const replaced = new Set(mine.map((record) => record.replaces));
        return mine.filter((record) => !replaced.has(record.id)).map(hear);
      },
      async press(label) {
        const with_ = heardIn(chatId).reverse();
        for (const { reply } of with_) {
          const buttons = reply.kind === 'album' ? [] : (reply.buttons ?? []).flat();
          const button = buttons.find((one) => one.label === label);
          if (button !== undefined && 'says' in button) return me.say(button.says, { pressed: true });
        }
        throw new Error(`no button "${label}" in ${chatId}`);
      },
      heard: () => heardIn(chatId),
    };
    return me;
  }

  return {
    as: (person) => speaking(person, null),
    heardIn,
    ready,
    channel,
    async drained() {
      await (await ready).chat.drained();
    },
    async close() {
      await ready.catch(() => {});
      for (const remove of removals.splice(0)) await remove();
    },
  };
}
