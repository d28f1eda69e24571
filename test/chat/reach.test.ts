import { randomUUID } from 'node:crypto';
import fs from 'node:fs/promises';
import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { WorldError } from '../../src/base/errors.js';
import { type Chat, type Held, makeChat } from '../../src/chat/chat.js';
import type { ChannelLimits, ChannelName, Message } from '../../src/chat/message.js';
import { wordsOf } from '../../src/chat/outgoing.js';
import { reachable } from '../../src/chat/reach.js';
import type { Account } from '../../src/store/accounts.js';
import { setPreferredChannel } from '../../src/store/accounts.js';
import { makeTestChannel, type TestChannel } from '../support/channel.js';
import { openTestDatabase, type TestDatabase } from '../support/database.js';
import { PLAIN_FALLBACKS } from '../support/talk.js';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const NOW = 1_790_000_000_000;

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

describe('where a person is written to', () => {
  const account = (channel: string, change: Partial<Account> = {}): Account => ({
    ...{ id: 1, personId: 1, channel, userId: 'u', displayName: 'A', privateChatId: `at-${channel}` },
    ...{ blocked: false, heardMs: NOW - HOUR },
    ...change,
  });
  const limits: Record<string, { windowMs: number | null; lastResort?: boolean }> = {
    telegram: { windowMs: null },
    'zalo-oa': { windowMs: 2 * DAY },
    console: { windowMs: null, lastResort: true },
  };
  const order = (accounts: Account[], preferred: string | null = null) =>
    reachable(accounts, preferred, (channel) => limits[channel] ?? null, NOW).map(({ channel }) => channel);

  it('where they wrote last; or the channel they chose; the screen only where there is nothing else', () => {
    const both = [
      account('console', { heardMs: NOW }),
      account('telegram'),
      account('zalo-oa', { heardMs: NOW - 1 }),
    ];
    expect(order(both)).toEqual(['zalo-oa', 'telegram', 'console']);
    expect(order(both, 'telegram')).toEqual(['telegram', 'zalo-oa', 'console']);
    expect(order(both, 'console')[0]).toBe('zalo-oa');
    expect(order([account('console')])).toEqual(['console']);
  });

  it('not a chat that was never opened, that blocked us, whose window is over or whose channel is off', () => {
    expect(order([account('telegram', { privateChatId: null })])).toEqual([]);
    expect(order([account('telegram', { blocked: true })])).toEqual([]);
    expect(order([account('zalo-bot')])).toEqual([]);
    expect(order([account('zalo-oa', { heardMs: NOW - 2 * DAY })])).toEqual([]);
    expect(order([account('zalo-oa', { heardMs: NOW - 2 * DAY + 1 })])).toEqual(['zalo-oa']);
    expect(order([account('zalo-oa', { heardMs: null })])).toEqual([]);
    expect(order([account('telegram', { heardMs: null })])).toEqual(['telegram']);
  });
});

interface Life {
  chat: Chat;
  telegram: TestChannel;
  zalo: TestChannel;
  held: Held[];
}

const ZALO: Partial<ChannelLimits> = { buttons: false, textLength: 200, windowMs: 2 * DAY };

/** A person with a Telegram and a Zalo account, and one life of the bot after another on the same database. */
async function setUp() {
  const test: TestDatabase = await openTestDatabase();
  closing.push(test.close);
  let nowMs = NOW;
  const { database } = test;
  const person = await database.person.create({
    data: {
      name: 'Bà Tư',
      createdMs: BigInt(NOW),
      addresses: {
        create: (['telegram', 'zalo-oa'] as const).map((channel, at) => ({
          ...{ channel, userId: 'tu', displayName: 'Tư', privateChatId: 'tu' },
          ...{ createdMs: BigInt(NOW), heardMs: BigInt(NOW + at) },
        })),
      },
    },
  });
  const live = async (): Promise<Life> => {
    const telegram = makeTestChannel({ name: 'telegram' });
    const zalo = makeTestChannel({ name: 'zalo-oa', limits: ZALO });
    const held: Held[] = [];
    const chat = makeChat({
      ...{
        database,
        clock: { now: () => nowMs++ },
        log: pino({ level: 'silent' }),
        channels: [telegram, zalo],
      },
      ...{ commands: [], fallbacks: PLAIN_FALLBACKS, spoolDir: `${test.dir}/spool` },
      onHeld: async (one) => void held.push(one),
    });
    closing.push(() => chat.stop());
    await chat.start();
    return { chat, telegram, zalo, held };
  };
  const hears = (channel: TestChannel, name: ChannelName): Promise<{ inboxId: number }> =>
    channel.hear({
      ...{ kind: 'message', channel: name, chatId: 'tu', chatKind: 'private', externalId: randomUUID() },
      ...{
        sender: { userId: 'tu', name: 'Tư' },
        sentMs: nowMs,
        text: 'chào',
        attachments: [],
        addressed: true,
      },
    } as Message);
  return {
    database,
    personId: person.id,
    live,
    hears,
    pass(ms: number) {
      nowMs += ms;
    },
    states: async () =>
      (await database.outbox.findMany({ orderBy: { id: 'asc' } })).map(
        (row) => `${row.channel} ${row.state}`,
      ),
  };
}

const texts = (channel: TestChannel) => channel.sent.map((record) => wordsOf(record.reply));
const refuse = (kind: 'blocked' | 'window-closed' | 'unreachable') => () => new WorldError(kind, 'no');

describe('what is meant for a person', () => {
  it('goes once, to the account they used last, or to the one they prefer', async () => {
    const { live, personId, database } = await setUp();
    const { chat, telegram, zalo } = await live();
    await chat.tell({ personId }, 'một', { key: 'k1', priority: 'notice' });
    await chat.tell({ personId }, 'một', { key: 'k1', priority: 'notice' });
    await chat.drained();
    await setPreferredChannel(database, personId, 'telegram');
    await chat.tell({ personId }, 'hai', { key: 'k2', priority: 'notice' });
    await chat.drained();
    expect([texts(zalo), texts(telegram)]).toEqual([['một'], ['hai']]);
  });

  it('goes by the other account when the window is over, or the platform says so, with its buttons as that one has them', async () => {
    const { live, personId, pass, database } = await setUp();
    const { chat, telegram, zalo, held } = await live();
    zalo.failWith(refuse('window-closed'));
    const buttons = [[{ label: 'Đồng ý', says: 'đồng ý' }]];
    await chat.tell({ personId }, { kind: 'text', text: 'một', buttons }, { key: 'k', priority: 'notice' });
    await telegram.waitFor((record) => wordsOf(record.reply).includes('một'));
    await chat.drained();
    expect(zalo.sent).toEqual([]);
    // what Zalo said is believed, and it is no block
    const address = await database.address.findFirstOrThrow({ where: { channel: 'zalo-oa' } });
    expect([address.heardMs, address.blockedMs]).toEqual([null, null]);
    zalo.failWith(null);
    pass(3 * DAY);
    await chat.tell({ personId }, 'hai', { key: 'k2', priority: 'notice' });
    await chat.drained();
    expect([texts(zalo).length, texts(telegram).length, held]).toEqual([0, 2, []]);
  });

  it('goes by the other account when one platform does not answer, and comes back to the first if that is no better', async () => {
    const { live, personId, database } = await setUp();
    const { chat, telegram, zalo } = await live();
    let zaloDown = true;
    zalo.failWith(() => (zaloDown ? refuse('unreachable')() : undefined));
    await chat.tell({ personId }, 'báo động', { key: 'k', priority: 'alert' });
    await telegram.waitFor((record) => wordsOf(record.reply) === 'báo động');
    await chat.drained();
    expect(texts(zalo)).toEqual([]);
    telegram.failWith(() => {
      // while it fails here, the other one comes back
      zaloDown = false;
      return refuse('unreachable')();
    });
    await setPreferredChannel(database, personId, 'telegram');
    await chat.tell({ personId }, 'lần nữa', { key: 'k2', priority: 'alert' });
    await zalo.waitFor((record) => wordsOf(record.reply) === 'lần nữa');
    await chat.drained();
    expect(texts(telegram)).toEqual(['báo động']);
  }, 40_000);

  it('waits where nobody can be reached, over a restart, is told as held, and goes when they write', async () => {
    const { live, personId, pass, hears, database } = await setUp();
    const first = await live();
    first.telegram.failWith(refuse('blocked'));
    pass(3 * DAY);
    const photo = await first.chat.spoolFor('k1', 'a.txt');
    await fs.writeFile(photo, 'nội dung');
    await first.chat.tell(
      { personId },
      { kind: 'document', file: { path: photo, sizeBytes: 10, fileName: 'a.txt' }, caption: 'một' },
      { key: 'k1', priority: 'notice' },
    );
    await first.chat.drained();
    await first.chat.tell({ personId }, 'hai', { key: 'k2', priority: 'notice' });
    expect(first.held.map(({ key, text }) => `${key} ${text}`)).toEqual(['k1 một', 'k2 hai']);
    expect(await first.chat.reaches(personId)).toBe(false);
    await first.chat.stop();

    const second = await live();
    expect(second.held.map(({ key }) => key)).toEqual(['k1', 'k2']);
    await second.chat.prune(0);
    const { inboxId } = await hears(second.zalo, 'zalo-oa');
    await second.chat.turnDone(inboxId);
    await second.chat.drained();
    // answers go before notices, as always
    expect(texts(second.zalo).sort()).toEqual(['(trợ giúp)', 'hai', 'một']);
    const document = second.zalo.sent.find((record) => wordsOf(record.reply) === 'một');
    expect(document?.files[0]?.toString()).toBe('nội dung');
    expect(await database.outbox.count({ where: { state: { in: ['waiting', 'held'] } } })).toBe(0);
  });

  it('a menu that went by numbers is understood when its number comes back', async () => {
    const { live, personId, database } = await setUp();
    const { chat, zalo } = await live();
    const buttons = [
      [
        { label: 'Có', says: 'trả lời có' },
        { label: 'Không', says: 'trả lời không' },
      ],
    ];
    await chat.tell(
      { personId },
      { kind: 'text', text: 'Đồng ý không ạ?', buttons },
      { key: 'k', priority: 'notice' },
    );
    await chat.drained();
    expect(texts(zalo)[0]).toContain('2. Không');
    expect(await database.pending.count({ where: { channel: 'zalo-oa', chatId: 'tu', userId: 'tu' } })).toBe(
      1,
    );
  });

  it('of an answer to one chat that is closed: its menu is understood in the other one, and its files go along', async () => {
    const { live, database } = await setUp();
    const { chat, telegram, zalo } = await live();
    zalo.failWith(refuse('window-closed'));
    const path = await chat.spoolFor('k', 'a.jpg');
    await fs.writeFile(path, 'ảnh');
    await chat.tell(
      { channel: 'zalo-oa', chatId: 'tu' },
      {
        ...{ kind: 'photo', file: { path, sizeBytes: 4, fileName: 'a.jpg' }, caption: 'Xem tiếp?' },
        buttons: [[{ label: 'Có', says: 'trả lời có' }], [{ label: 'Không', says: 'trả lời không' }]],
      },
      { key: 'k', priority: 'answer' },
    );
    await chat.drained();
    expect(texts(telegram)[0]).toContain('2. Không');
    expect(telegram.sent[0]!.files[0]?.toString()).toBe('ảnh');
    const place = { channel: 'telegram', chatId: 'tu', userId: 'tu' };
    expect(await database.pending.count({ where: place })).toBe(1);
  });

  it('is given up when they have not written for 30 days, files and all', async () => {
    const { live, personId, pass, states } = await setUp();
    const { chat, telegram } = await live();
    telegram.failWith(refuse('blocked'));
    pass(3 * DAY);
    await chat.tell({ personId }, 'một', { key: 'k', priority: 'notice' });
    await chat.drained();
    await chat.prune(14);
    expect(await states()).toEqual(['telegram held']);
    pass(31 * DAY);
    await chat.prune(14);
    expect(await states()).toEqual(['telegram failed']);
  });
});
