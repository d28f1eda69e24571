import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeChat } from '../../src/chat/chat.js';
import { inTransaction, lax } from '../../src/store/database.js';
import { finishIncoming, pruneQueues, putIncoming } from '../../src/store/inbox.js';
import { putEach, waitingOutgoing } from '../../src/store/outbox.js';
import { accountName, findGroup, identify, staffAmong } from '../../src/store/speakers.js';
import { makeTestChannel } from '../support/channel.js';
import { openTestDatabase, type TestDatabase } from '../support/database.js';
import { PLAIN_FALLBACKS } from '../support/talk.js';

let test: TestDatabase;
beforeAll(async () => {
  test = await openTestDatabase();
});
afterAll(() => test.close());

const pragma = async (name: string) =>
  Object.values((await test.database.$queryRawUnsafe<Record<string, unknown>[]>(`PRAGMA ${name}`))[0]!).map(
    String,
  );

const incoming = (externalId: string, chatId = 'p') => ({
  ...{ channel: 'console', chatId, externalId, payload: JSON.stringify({ text: `của ${chatId}` }) },
  receivedMs: 1000,
});

describe('messages that come together', () => {
  it('are each written down once, in order, whatever was there or comes twice', async () => {
    const [first] = await putIncoming(test.database, [incoming('m1')]);
    const put = await putIncoming(
      test.database,
      ['m2', 'm1', 'm3', 'm3'].map((id) => incoming(id)),
    );
    expect(put.map(({ fresh }) => fresh)).toEqual([true, false, true, false]);
    expect(put[1]!.inboxId).toBe(first!.inboxId);
    expect(put[2]!.inboxId).toBe(put[3]!.inboxId);
    expect(put[2]!.inboxId).toBeGreaterThan(put[0]!.inboxId);
    const rows = await test.database.inbox.findMany({ where: { externalId: { startsWith: 'm' } } });
    expect(rows.map(({ externalId }) => externalId)).toEqual(['m1', 'm2', 'm3']);
    expect(rows[1]).toMatchObject({ chatId: 'p', receivedMs: 1000n, state: 'waiting', attempts: 0 });
    expect(JSON.parse(rows[1]!.payload)).toEqual({ text: 'của p' });
    await test.database.inbox.deleteMany();
  });
});

describe('replies that are said at the same time', () => {
  it('are each written down once, in order, whatever was there or comes twice', async () => {
    const outgoing = (key: string) => ({
      ...{ key, channel: 'console', chatId: 'p', payload: '{}', priority: 1, inboxId: null, personId: null },
      ...{ digest: null, createdMs: 5 },
    });
    await putEach(test.database, [outgoing('k1')]);
    const put = await putEach(test.database, ['k2', 'k1', 'k3', 'k3'].map(outgoing));
    expect(put.map((row) => row?.key ?? null)).toEqual(['k2', null, 'k3', null]);
    expect(put[2]!.id).toBeGreaterThan(put[0]!.id);
    expect(put[0]).toEqual({ ...outgoing('k2'), id: put[0]!.id, attempts: 0, nextMs: 5 });
    expect(await waitingOutgoing(test.database, ['console'])).toMatchObject(
      ['k1', 'k2', 'k3'].map((key) => ({ key, attempts: 0, nextMs: 5, createdMs: 5 })),
    );
    await test.database.outbox.deleteMany();
  });
});

describe('the staff', () => {
  it('is known by its accounts, of many at once; who was removed is none of it', async () => {
    const make = async (role: string, userId: string, removedMs: bigint | null = null) => {
      const { id } = await test.database.person.create({
        data: { name: userId, role, removedMs, createdMs: 0n },
      });
      const about = { channel: 'console', userId, displayName: userId, createdMs: 0n };
      await test.database.address.create({ data: { ...about, personId: id } });
    };
    await make('officer', 'o');
    await make('hamletHead', 'h');
    await make('household', 'b');
    await make('chief', 'gone', 1n);
    const strangers = Array.from({ length: 1200 }, (_, at) => `s${at}`);
    const asked = [...strangers, 'o', 'h', 'b', 'gone'].map((userId) => ({ channel: 'console', userId }));
    expect([...(await staffAmong(test.database, asked))].sort()).toEqual(
      ['h', 'o'].map((userId) => accountName('console', userId)),
    );
    expect([...(await staffAmong(test.database, [{ channel: 'telegram', userId: 'o' }]))]).toEqual([]);
    await test.database.address.deleteMany();
    await test.database.person.deleteMany();
  });
});

describe('the database', () => {
  it('stays careful after transactions: WAL, full sync, patience', async () => {
    for (let at = 0; at < 3; at += 1)
      await inTransaction(test.database, (tx) => tx.hamlet.create({ data: { name: `Thôn ${at}` } }));
    expect(await pragma('journal_mode')).toEqual(['wal']);
    expect(await pragma('synchronous')).toEqual(['2']);
    expect(await pragma('busy_timeout')).toEqual(['5000']);
  });

  it('stays careful after a change that is not waited for on the disk, one that fails too', async () => {
    const [one] = await putIncoming(test.database, [incoming('lax')]);
    await finishIncoming(test.database, one!.inboxId, 2000);
    expect(await pragma('synchronous')).toEqual(['2']);
    await expect(lax(test.database, 'UPDATE "Nowhere" SET "a" = 1')).rejects.toThrow();
    expect(await pragma('synchronous')).toEqual(['2']);
    expect(await test.database.inbox.findUniqueOrThrow({ where: { id: one!.inboxId } })).toMatchObject({
      ...{ state: 'done', doneMs: 2000n },
    });
    await test.database.inbox.deleteMany();
  });

  it('a transaction that fails leaves nothing behind, and holds nobody up', async () => {
    const failing = inTransaction(test.database, async (tx) => {
      await tx.hamlet.create({ data: { name: 'Thôn hỏng' } });
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    expect(await test.database.hamlet.count({ where: { name: 'Thôn hỏng' } })).toBe(0);
  });

  it('forgets what was answered long ago, and nothing that waits', async () => {
    const [done, waiting] = await putIncoming(test.database, [incoming('done'), incoming('waiting')]);
    await test.database.inbox.update({
      where: { id: done!.inboxId },
      data: { state: 'done', doneMs: 2000n },
    });
    expect(await pruneQueues(test.database, 3000)).toBe(1);
    const left = await test.database.inbox.findMany({ select: { id: true } });
    expect(left).toEqual([{ id: waiting!.inboxId }]);
  });
});

describe('who speaks', () => {
  const say = (name: string, privateChatId: string | null) =>
    identify(test.database, 'telegram', { userId: '9007199254740993', name }, privateChatId, 5000);

  it('a stranger becomes a guest, once, even when heard twice at the same time', async () => {
    const [a, b] = await Promise.all([say('Lan', null), say('Lan', null)]);
    expect(a).toEqual(b);
    expect(a).toMatchObject({ name: 'Lan', role: 'guest', hamletId: null });
    expect(await test.database.person.count()).toBe(1);
  });

  it('keeps the displayed name fresh, and a given name as it was given', async () => {
    expect((await say('Lan Anh', 'p9')).name).toBe('Lan Anh');
    const address = await test.database.address.findFirstOrThrow();
    expect(address).toMatchObject({ displayName: 'Lan Anh', privateChatId: 'p9', blockedMs: null });
    await test.database.person.updateMany({ data: { role: 'household', name: 'Bà Lan' } });
    expect(await say('Lan mới', null)).toMatchObject({ name: 'Bà Lan', role: 'household' });
    expect((await test.database.address.findFirstOrThrow()).privateChatId).toBe('p9');
  });

  it('a role that the code does not know is a guest', async () => {
    await test.database.person.updateMany({ data: { role: 'emperor' } });
    expect((await say('Lan', null)).role).toBe('guest');
  });

  it('a group takes its new title', async () => {
    await findGroup(test.database, 'telegram', '-1', 'Cũ');
    expect(await findGroup(test.database, 'telegram', '-1', 'Mới')).toMatchObject({
      title: 'Mới',
      purpose: null,
    });
    expect(await findGroup(test.database, 'telegram', '-1', undefined)).toMatchObject({ title: 'Mới' });
  });
});

it('a channel that can not start holds up no other', async () => {
  const broken = { ...makeTestChannel({ name: 'telegram' }), start: () => Promise.reject(new Error('401')) };
  const fine = makeTestChannel();
  const chat = makeChat({
    database: test.database,
    clock: { now: () => 1 },
    log: pino({ level: 'silent' }),
    channels: [broken, fine],
    commands: [],
    fallbacks: PLAIN_FALLBACKS,
    spoolDir: `${test.dir}/spool`,
  });
  await test.database.inbox.deleteMany();
  await chat.start();
  expect(fine.started).toBe(true);
  await chat.stop();
  expect(fine.started).toBe(false);
});
