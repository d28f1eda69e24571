import fs from 'node:fs/promises';
import fc from 'fast-check';
import { pino } from 'pino';
import sharp from 'sharp';
import { afterEach, describe, expect, it } from 'vitest';
import { WorldError } from '../../src/base/errors.js';
import { type Chat, type ChatOptions, makeChat } from '../../src/chat/chat.js';
import { command } from '../../src/chat/command.js';
import type { ChannelLimits } from '../../src/chat/message.js';
import { wordsOf } from '../../src/chat/outgoing.js';
import { PRIORITY, type Priority } from '../../src/chat/priority.js';
import { makeRates } from '../../src/chat/rates.js';
import { afterFailure } from '../../src/chat/retry.js';
import { makeTestChannel, type TestChannel } from '../support/channel.js';
import { openTestDatabase, type TestDatabase } from '../support/database.js';
import { PLAIN_FALLBACKS, talkTo } from '../support/talk.js';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

interface Setup {
  test: TestDatabase;
  channel: TestChannel;
  chat: Chat;
  /** another life of the bot on the same database */
  again(): Promise<{ channel: TestChannel; chat: Chat }>;
}

async function setUp(change: Partial<ChatOptions> = {}, limits: Partial<ChannelLimits> = {}): Promise<Setup> {
  const test = await openTestDatabase();
  closing.push(test.close);
  let now = Date.now();
  const life = () => {
    const channel = makeTestChannel({ limits });
    const chat = makeChat({
      database: test.database,
      clock: { now: () => now++ },
      log: pino({ level: 'silent' }),
      channels: [channel],
      commands: [],
      fallbacks: PLAIN_FALLBACKS,
      spoolDir: `${test.dir}/spool`,
      ...change,
    });
    closing.push(() => chat.stop());
    return { channel, chat };
  };
  const again = async () => {
    const { channel, chat } = life();
    await chat.start();
    return { channel, chat };
  };
  return { test, ...life(), again };
}

const to = (chatId: string) => ({ channel: 'console' as const, chatId });
const texts = (channel: TestChannel) => channel.sent.map((record) => wordsOf(record.reply));
const rowStates = async ({ test }: Setup) =>
  (await test.database.outbox.findMany({ orderBy: { id: 'asc' } })).map((row) => row.state);

describe('what must arrive', () => {
  it('waits on disk for the next life', async () => {
    const setup = await setUp();
    await setup.chat.tell(to('a'), 'một', { key: 'k1', priority: 'answer' });
    await setup.chat.tell(to('b'), 'hai', { key: 'k2', priority: 'notice' });
    expect(setup.channel.sent).toEqual([]);
    const { channel, chat } = await setup.again();
    await chat.drained();
    expect(texts(channel)).toEqual(['một', 'hai']);
    expect(await rowStates(setup)).toEqual(['sent', 'sent']);
  });

  it('put twice under one key goes once', async () => {
    const { channel, chat } = await setUp();
    await chat.start();
    const put = () => chat.tell(to('a'), 'một', { key: 'k', priority: 'alert' });
    expect((await Promise.all([put(), put(), put()])).sort()).toEqual([false, false, true]);
    await chat.drained();
    expect(texts(channel)).toEqual(['một']);
  });

  it('leaves within milliseconds of being said', async () => {
    const { channel, chat } = await setUp();
    await chat.start();
    await chat.tell(to('a'), 'khởi động', { key: 'warm', priority: 'answer' });
    await chat.drained();
    const begun = performance.now();
    await chat.tell(to('a'), 'nhanh', { key: 'k', priority: 'answer' });
    const record = await channel.waitFor(({ reply }) => wordsOf(reply) === 'nhanh');
    expect(record.atMs - begun).toBeLessThan(150);
  });

  it('goes the most urgent first, by age within each', async () => {
    const order = ['alert', 'report', 'staff-answer', 'stranger-report', 'answer', 'notice'] as const;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom(...order), { minLength: 1, maxLength: 25 }),
        async (priorities) => {
          const setup = await setUp();
          for (const [at, priority] of priorities.entries())
            await setup.chat.tell(to('a'), `${priority} ${at}`, { key: `k${at}`, priority });
          await setup.chat.start();
          await setup.chat.drained();
          const wanted = priorities
            .map((priority, at) => ({ priority, at }))
            .sort((a, b) => order.indexOf(a.priority) - order.indexOf(b.priority) || a.at - b.at)
            .map(({ priority, at }) => `${priority} ${at}`);
          expect(texts(setup.channel)).toEqual(wanted);
          await setup.chat.stop();
        },
      ),
      { numRuns: 8 },
    );
  });

  it('the parts of a long text stay together and in order', async () => {
    const { channel, chat } = await setUp({}, { textLength: 20 });
    await chat.start();
    const text = 'một hai ba bốn năm sáu bảy tám chín mười mười một mười hai';
    await chat.tell(to('a'), text, { key: 'k', priority: 'notice' });
    await chat.drained();
    expect(texts(channel).length).toBeGreaterThan(2);
    expect(texts(channel).join('')).toBe(text);
  });

  it('a photo too large for the channel is made smaller', async () => {
    const { channel, chat, test } = await setUp({}, { photoBytes: 60_000, photoSides: 1000 });
    await chat.start();
    const path = await chat.spoolFor('k', 'anh.jpg');
    await sharp({
      create: {
        width: 1600,
        height: 1200,
        channels: 3,
        background: '#333',
        noise: { type: 'gaussian', mean: 128, sigma: 40 },
      },
    })
      .jpeg({ quality: 95 })
      .toFile(path);
    const { size } = await fs.stat(path);
    await chat.tell(
      to('a'),
      { kind: 'photo', file: { path, sizeBytes: size, fileName: 'anh.jpg' }, caption: 'Cổng chợ' },
      { key: 'k', priority: 'answer' },
    );
    await chat.drained();
    const [record] = channel.sent;
    expect(record!.reply).toMatchObject({ kind: 'photo', caption: 'Cổng chợ' });
    const seen = await sharp(record!.files[0]).metadata();
    expect(record!.files[0]!.length).toBeLessThanOrEqual(60_000);
    expect(seen.width! + seen.height!).toBeLessThanOrEqual(1000);
    expect(Math.abs(seen.width! / seen.height! - 4 / 3)).toBeLessThan(0.02);
    expect(await fs.readdir(`${test.dir}/spool`)).toEqual([]);
  });
});

describe('when the platform does not take it', () => {
  it('rate-limited: that chat waits as long as asked, others go on', async () => {
    const { channel, chat } = await setUp();
    let refusals = 0;
    channel.failWith((where) => {
      if (where.chatId !== 'a' || refusals > 0) return undefined;
      refusals += 1;
      return new WorldError('rate-limited', 'too many requests', { retryAfterS: 0.3 });
    });
    await chat.start();
    const begun = performance.now();
    await chat.tell(to('a'), 'chờ', { key: 'k1', priority: 'alert' });
    await chat.tell(to('b'), 'đi', { key: 'k2', priority: 'notice' });
    await chat.drained();
    expect(texts(channel)).toEqual(['đi', 'chờ']);
    expect(channel.sent[1]!.atMs - begun).toBeGreaterThanOrEqual(295);
  });

  it('unreachable: nothing is lost, order is kept, and a sign of life ends the waiting', async () => {
    const { channel, chat, test } = await setUp();
    let down = true;
    channel.failWith(() => (down ? new WorldError('unreachable', 'no route') : undefined));
    await chat.start();
    for (let at = 0; at < 5; at += 1)
      await chat.tell(to('a'), `tin ${at}`, { key: `k${at}`, priority: 'answer' });
    expect(channel.sent).toEqual([]);
    down = false;
    await chat.accept({
      kind: 'event',
      channel: 'console',
      chatId: 'x',
      externalId: 'e1',
      sentMs: 0,
      event: { type: 'unblocked', userId: 'x' },
    });
    await chat.drained();
    expect(texts(channel)).toEqual([0, 1, 2, 3, 4].map((at) => `tin ${at}`));
    expect(await test.database.outbox.count({ where: { state: 'sent' } })).toBe(5);
  });

  it('blocked: held at once, and the address remembers it until the person writes again', async () => {
    const setup = await setUp();
    const { chat, channel, test } = setup;
    await chat.start();
    const hello = (externalId: string) =>
      chat.accept({
        kind: 'message',
        channel: 'console',
        chatId: 'p',
        chatKind: 'private',
        externalId,
        sender: { userId: 'u', name: 'Lan' },
        sentMs: 0,
        text: 'chào',
        attachments: [],
        addressed: true,
      });
    await chat.turnDone((await hello('1')).inboxId);
    const address = () => test.database.address.findFirstOrThrow({ where: { userId: 'u' } });
    channel.failWith(() => new WorldError('blocked', 'bot was blocked by the user'));
    await chat.tell(to('p'), 'tin', { key: 'k', priority: 'alert' });
    await chat.drained();
    expect((await rowStates(setup)).slice(-2)).toEqual(['failed', 'held']);
    expect((await address()).blockedMs).not.toBeNull();
    channel.failWith(null);
    await chat.turnDone((await hello('2')).inboxId);
    await chat.drained();
    expect((await address()).blockedMs).toBeNull();
    expect(texts(channel).filter((text) => text === 'tin')).toHaveLength(1);
  });

  it('a group that has a new id: sent there once, and everything names the new one', async () => {
    const { channel, chat, test } = await setUp();
    const { database } = test;
    await database.group.create({
      data: { channel: 'console', chatId: 'old', title: 'Nhóm', purpose: 'officers' },
    });
    // the platform had shown us the new chat before
    await database.group.create({ data: { channel: 'console', chatId: 'new', title: 'Nhóm' } });
    channel.failWith((where) =>
      where.chatId === 'old' ? new WorldError('migrated', 'upgraded', { movedTo: 'new' }) : undefined,
    );
    await chat.start();
    await chat.tell(to('old'), 'một', { key: 'k1', priority: 'alert' });
    await chat.tell(to('old'), 'hai', { key: 'k2', priority: 'alert' });
    await chat.drained();
    expect(channel.sent.map((record) => [record.to.chatId, wordsOf(record.reply)])).toEqual([
      ['new', 'một'],
      ['new', 'hai'],
    ]);
    const groups = await database.group.findMany();
    expect(groups.map((group) => [group.chatId, group.purpose])).toEqual([['new', 'officers']]);
  });

  it('too big after all: a photo goes as a document', async () => {
    const { channel, chat } = await setUp();
    channel.failWith((_, reply) =>
      reply.kind === 'photo' ? new WorldError('too-big', 'too big') : undefined,
    );
    await chat.start();
    const path = await chat.spoolFor('k', 'anh.jpg');
    await fs.writeFile(path, 'jpeg');
    const file = { path, sizeBytes: 4, fileName: 'anh.jpg' };
    await chat.tell(to('a'), { kind: 'photo', file, width: 1, height: 1 }, { key: 'k', priority: 'answer' });
    await chat.drained();
    expect(channel.sent.map((record) => record.reply.kind)).toEqual(['document']);
    expect(channel.sent[0]!.files[0]!.toString()).toBe('jpeg');
  });

  it('too big after all: an album goes one by one, its words first', async () => {
    const { channel, chat, test } = await setUp();
    channel.failWith((_, reply) =>
      reply.kind === 'album' ? new WorldError('too-big', 'too big') : undefined,
    );
    await chat.start();
    const items = [];
    for (const name of ['1', '2', '3']) {
      const path = await chat.spoolFor('k', 'anh.jpg');
      await fs.writeFile(path, name);
      const file = { path, sizeBytes: 1, fileName: 'anh.jpg' };
      items.push({ kind: 'photo' as const, file, width: 1, height: 1 });
    }
    await chat.tell(to('a'), { kind: 'album', items, caption: 'Tất cả' }, { key: 'k', priority: 'answer' });
    await chat.drained();
    expect(channel.sent.map((record) => record.files[0]?.toString() ?? wordsOf(record.reply))).toEqual([
      'Tất cả',
      '1',
      '2',
      '3',
    ]);
    expect(await fs.readdir(`${test.dir}/spool`)).toEqual([]);
  });

  it('too big whatever we do: a sentence says so, or a link where there are links', async () => {
    for (const link of [null, { url: 'https://xa.example/m/abc', note: '(ở trụ sở)', pin: '4821' }]) {
      const asked: unknown[] = [];
      const { channel, chat } = await setUp({
        makeLink: async (files, about) => {
          asked.push({ files, about });
          return link;
        },
      });
      channel.failWith((_, reply) =>
        reply.kind === 'text' ? undefined : new WorldError('too-big', 'too big'),
      );
      await chat.start();
      const path = await chat.spoolFor('k', 'clip.mp4');
      await fs.writeFile(path, 'mp4');
      const file = { path, sizeBytes: 3, fileName: 'clip.mp4' };
      const clip = { kind: 'video' as const, file, width: 1, height: 1, durationMs: 1, caption: 'Clip' };
      await chat.tell(to('a'), clip, { key: 'k', priority: 'answer' });
      await chat.drained();
      expect(asked).toEqual([
        {
          files: [{ ...file, caption: 'Clip' }],
          about: { to: to('a'), inboxId: null, only: {} },
        },
      ]);
      if (link === null) {
        expect(texts(channel)).toEqual([expect.stringMatching(/^Clip\n\n.*kênh chat không nhận/)]);
        continue;
      }
      // the PIN is in a message of its own: who is sent the address on has not the other
      expect(texts(channel)).toEqual([
        'Clip\n\nhttps://xa.example/m/abc\n(ở trụ sở)',
        expect.stringContaining('4821'),
      ]);
      expect(texts(channel)[1]).not.toContain('https');
    }
  });

  it('keeps no address that opens something once it has gone', async () => {
    const { test, channel, chat } = await setUp();
    await chat.start();
    const token = 'tK-_'.repeat(11).slice(1);
    const text = `Xem: https://xa.example/m/${token}\nVào: http://127.0.0.1:8600/login/${token}`;
    await chat.tell(to('a'), text, { key: 'k', priority: 'answer' });
    await chat.drained();
    expect(texts(channel)).toEqual([text]);
    const [row] = await test.database.outbox.findMany();
    expect(row?.state).toBe('sent');
    expect(row?.payload).toContain('Xem: https://xa.example/m/…');
    expect(row?.payload).not.toContain(token);
  });

  it('invalid: the person hears that the answer could not be delivered', async () => {
    const setup = await setUp({
      fallbacks: { ...PLAIN_FALLBACKS, words: (talk) => talk.reply('không gửi nổi') },
    });
    const { channel, chat } = setup;
    channel.failWith((_, reply) =>
      wordsOf(reply) === 'không gửi nổi' ? new WorldError('invalid', 'bad request') : undefined,
    );
    await chat.start();
    const { inboxId } = await chat.accept({
      kind: 'message',
      channel: 'console',
      chatId: 'p',
      chatKind: 'private',
      externalId: '1',
      sender: { userId: 'u', name: 'Lan' },
      sentMs: 0,
      text: 'chào',
      attachments: [],
      addressed: true,
    });
    await chat.turnDone(inboxId);
    expect(texts(channel)).toHaveLength(1);
    expect(texts(channel)[0]).toMatch(/mã lỗi [0-9A-F]{6}/);
    expect((await rowStates(setup)).sort()).toEqual(['failed', 'sent']);
  });

  it('a flood of one kind to one chat becomes one message that says them all', async () => {
    const setup = await setUp({
      digests: {
        outage: {
          say: (parts) => `${parts.length} camera mất kết nối: ${parts.map(({ text }) => text).join(', ')}`,
        },
      },
    });
    for (let at = 1; at <= 12; at += 1)
      await setup.chat.tell(to('g'), `camera ${at}`, { key: `o${at}`, priority: 'alert', digest: 'outage' });
    await setup.chat.tell(to('g'), 'khác', { key: 'other', priority: 'alert' });
    await setup.chat.start();
    await setup.chat.drained();
    expect(texts(setup.channel)).toEqual([
      `12 camera mất kết nối: ${Array.from({ length: 12 }, (_, at) => `camera ${at + 1}`).join(', ')}`,
      'khác',
    ]);
    expect((await rowStates(setup)).filter((state) => state === 'merged')).toHaveLength(12);
  });

  it('a few of a kind stay as they are', async () => {
    const { chat, channel } = await setUp();
    for (let at = 1; at <= 5; at += 1)
      await chat.tell(to('g'), `camera ${at}`, { key: `o${at}`, priority: 'alert', digest: 'outage' });
    await chat.start();
    await chat.drained();
    expect(texts(channel)).toHaveLength(5);
  });
});

describe('a kind with a pace of its own', () => {
  const many = (parts: { text: string }[]) => `gom ${parts.map(({ text }) => text).join(', ')}`;
  const slowly = { digests: { tin: { say: many, pace: { atOnce: 2, everyMs: 600_000 } } } };
  const tin = (at: number) => ({ key: `t${at}`, priority: 'stranger-report' as const, digest: 'tin' });

  it('holds up nothing else, and waits for its own', async () => {
    const { chat, channel } = await setUp(slowly);
    await chat.start();
    for (let at = 1; at <= 4; at += 1)
      await chat.tell(to('g'), `tin ${at}`, { ...tin(at), more: [{ kind: 'text', text: `kèm ${at}` }] });
    await chat.tell(to('g'), 'cảm ơn', { key: 'n', priority: 'notice' });
    await chat.tell(to('h'), 'tin khác', { ...tin(5), key: 'h' });
    await channel.waitFor(({ reply }) => wordsOf(reply) === 'cảm ơn');
    await channel.waitFor(({ reply }) => wordsOf(reply) === 'tin khác');
    expect(texts(channel).sort()).toEqual(['cảm ơn', 'kèm 1', 'kèm 2', 'tin 1', 'tin 2', 'tin khác']);
    // two, each with what follows it
    await expect.poll(() => chat.waiting().outbox).toBe(4);
  });

  it('goes when its time has come, with what came meanwhile', async () => {
    const { chat, channel } = await setUp({
      digests: { tin: { say: many, pace: { atOnce: 1, everyMs: 300 } } },
    });
    await chat.start();
    for (let at = 1; at <= 8; at += 1) await chat.tell(to('g'), `tin ${at}`, tin(at));
    await chat.drained();
    const [first, digest] = channel.sent;
    expect(texts(channel)).toEqual(['tin 1', 'gom tin 2, tin 3, tin 4, tin 5, tin 6, tin 7, tin 8']);
    expect(digest!.atMs - first!.atMs).toBeGreaterThanOrEqual(290);
  });

  it('is gathered whole: pictures go with their words, and stay with words that went', async () => {
    const setup = await setUp({ ...slowly, digestOver: 2 });
    const picture = async (key: string) => {
      const path = await setup.chat.spoolFor(key, `${key}.bin`);
      await fs.writeFile(path, key);
      const file = { path, sizeBytes: key.length, fileName: `${key}.bin` };
      return { kind: 'document' as const, file };
    };
    for (let at = 1; at <= 4; at += 1)
      await setup.chat.tell(to('g'), `lời ${at}`, {
        ...{ ...tin(at), brief: `tin ${at}` },
        more: [await picture(`t${at}`)],
      });
    // the words of the first have gone when the service ends
    await setup.test.database.outbox.updateMany({ where: { key: 't1' }, data: { state: 'sent' } });
    const { chat, channel } = await setup.again();
    await chat.drained();
    expect(texts(channel)).toEqual(['', 'gom tin 2, tin 3, tin 4']);
    expect(channel.sent[0]?.files.map(String)).toEqual(['t1']);
    await expect.poll(() => fs.readdir(`${setup.test.dir}/spool`)).toEqual([]);
  });
});

describe('calls that a platform counts', () => {
  it('are left to alarms and the staff where few are left', async () => {
    const { chat, channel } = await setUp();
    const asked: [number, boolean][] = [];
    channel.roomInMs = (files, urgent) => {
      asked.push([files, urgent]);
      return urgent ? 0 : 600_000;
    };
    await chat.start();
    for (const [at, priority] of (['answer', 'notice', 'stranger-report'] as const).entries())
      await chat.tell(to(`a${at}`), 'người lạ', { key: `${at}`, priority });
    await chat.tell(to('a0'), 'cán bộ', { key: 's', priority: 'staff-answer' });
    await chat.tell(to('a1'), 'camera', { key: 'c', priority: 'alert' });
    await channel.waitFor(({ reply }) => wordsOf(reply) === 'camera');
    expect(texts(channel)).toEqual(['cán bộ', 'camera']);
    expect(asked).toContainEqual([0, false]);
    channel.roomInMs = () => 0;
    await chat.tell(to('a1'), 'lại có chỗ', { key: 'l', priority: 'alert' });
    await chat.drained();
    expect(texts(channel).filter((text) => text === 'người lạ')).toHaveLength(3);
  });
});

describe('the pace a channel allows', () => {
  it('to one private chat, while others go at once', async () => {
    const { chat, channel } = await setUp(
      {},
      { rates: { perSecond: 100, perChatMs: 120, perGroupPerMinute: 20 } },
    );
    await chat.start();
    for (const at of [1, 2, 3]) await chat.tell(to('a'), `a${at}`, { key: `a${at}`, priority: 'answer' });
    await chat.tell(to('b'), 'b1', { key: 'b1', priority: 'answer' });
    await chat.drained();
    const times = channel.sent.filter((record) => record.to.chatId === 'a').map((record) => record.atMs);
    expect(times[1]! - times[0]!).toBeGreaterThanOrEqual(110);
    expect(times[2]! - times[1]!).toBeGreaterThanOrEqual(110);
    expect(texts(channel).indexOf('b1')).toBeLessThanOrEqual(1);
  });

  it('never passes the rates, whatever is asked for and when', () => {
    const ask = fc.record({
      chat: fc.integer({ min: 0, max: 3 }),
      pauseMs: fc.integer({ min: 0, max: 400 }),
    });
    fc.assert(
      fc.property(fc.array(ask, { maxLength: 80 }), (asks) => {
        const rates = makeRates({ perSecond: 5, perChatMs: 1000, perGroupPerMinute: 20 });
        const sent: { chat: number; atMs: number }[] = [];
        let now = 0;
        for (const { chat, pauseMs } of asks) {
          now += pauseMs;
          now += rates.waitMs(`${chat}`, chat === 3, 1, now);
          expect(rates.waitMs(`${chat}`, chat === 3, 1, now)).toBe(0);
          rates.take(`${chat}`, chat === 3, 1, now);
          sent.push({ chat, atMs: now });
        }
        const most = (records: { atMs: number }[], windowMs: number) =>
          Math.max(
            0,
            ...records.map(
              (record) =>
                records.filter((other) => other.atMs >= record.atMs && other.atMs < record.atMs + windowMs)
                  .length,
            ),
          );
        // a bucket lets its fill and one window's refill through, never more
        expect(most(sent, 1000)).toBeLessThanOrEqual(10);
        for (const chat of [0, 1, 2])
          expect(
            most(
              sent.filter((record) => record.chat === chat),
              999,
            ),
          ).toBeLessThanOrEqual(1);
      }),
    );
  });
});

describe('what to do after a failure', () => {
  const failed = { priority: 0, attempts: 0, ageMs: 0 };
  const unreachable = new WorldError('unreachable', 'x');
  it('backs off from one second to five minutes', () => {
    const waits = [0, 1, 2, 8, 20, 500].map((attempts) => {
      const next = afterFailure(unreachable, { ...failed, attempts }, () => 0.5);
      return next.do === 'retry' ? next.ms : -1;
    });
    expect(waits).toEqual([1000, 2000, 4000, 256_000, 300_000, 300_000]);
  });
  it('tries alerts and reports for ever, an answer for a day, a notice for three', () => {
    const day = 86_400_000;
    const doAt = (priority: Priority, ageMs: number) =>
      afterFailure(unreachable, { priority: PRIORITY[priority], attempts: 9, ageMs }).do;
    for (const urgent of ['alert', 'report', 'stranger-report'] as const)
      expect(doAt(urgent, 300 * day)).toBe('retry');
    for (const answer of ['answer', 'staff-answer'] as const)
      expect([doAt(answer, 0.9 * day), doAt(answer, 1.1 * day)]).toEqual(['retry', 'give-up']);
    expect([doAt('notice', 2.9 * day), doAt('notice', 3.1 * day)]).toEqual(['retry', 'give-up']);
  });
  it('does not try an unforeseen error for ever', () => {
    expect(afterFailure(new Error('bug'), { ...failed, attempts: 3 }).do).toBe('retry');
    expect(afterFailure(new Error('bug'), { ...failed, attempts: 4 }).do).toBe('give-up');
  });
});

describe('rights that end while something waits', () => {
  const picture = command<null>({
    name: 'anh',
    aliases: ['ảnh'],
    summary: 'Ảnh',
    example: 'ảnh',
    may: ['officer'],
    inGroups: true,
    section: 'xem',
    read: async () => ({ kind: 'args', args: null }),
    async run(talk) {
      const path = await talk.spool('anh.jpg');
      await sharp({ create: { width: 8, height: 8, channels: 3, background: '#369' } })
        .jpeg()
        .toFile(path);
      const { size } = await fs.stat(path);
      await talk.reply({ kind: 'photo', file: { path, sizeBytes: size, fileName: 'anh.jpg' } });
    },
  });
  const kinds = (channel: TestChannel) => channel.sent.map(({ reply }) => reply.kind);

  it('a picture asked for by an officer does not reach somebody who is none any more', async () => {
    const house = talkTo({ commands: [picture] });
    closing.push(() => house.close());
    const { chat, database, channel } = await house.ready;
    channel.failWith(() => new WorldError('unreachable', 'no network'));
    await house.as('canbo').begin('ảnh');
    await expect.poll(() => chat.counters.retries).toBe(1);
    await database.person.update({ where: { alias: 'canbo' }, data: { role: 'household' } });
    channel.failWith(null);
    await house.as('khach').say('chào');
    await chat.drained();
    expect(kinds(channel)).not.toContain('photo');
    expect(house.heardIn('canbo').map(({ text }) => text)).toEqual([
      expect.stringContaining('Quyền xem vừa thay đổi'),
    ]);
  });

  it("what waits for the officers' group stays back when the group is given to the public", async () => {
    const house = talkTo({ commands: [picture] });
    closing.push(() => house.close());
    const { chat, database, channel } = await house.ready;
    channel.failWith(() => new WorldError('unreachable', 'no network'));
    await house.as('canbo').in('nhom-canbo').begin('/ảnh');
    await chat.tell(to('nhom-canbo'), 'Tin báo TB-1', { key: 'r1', priority: 'alert' });
    await chat.tell(to('nhom-chung'), 'Lời cảm ơn', { key: 'c1', priority: 'notice' });
    await expect.poll(() => chat.counters.retries).toBeGreaterThanOrEqual(2);
    await database.group.updateMany({ where: { chatId: 'nhom-canbo' }, data: { purpose: 'public' } });
    channel.failWith(null);
    await house.as('khach').say('chào');
    await chat.drained();
    const there = house.heardIn('nhom-canbo').map(({ text }) => text);
    expect(there).toEqual([expect.stringContaining('Quyền xem vừa thay đổi')]);
    expect(house.heardIn('nhom-chung').map(({ text }) => text)).toEqual(['Lời cảm ơn']);
  });
});

it('a digest cuts nothing off: what does not fit goes in the next', async () => {
  const setup = await setUp({}, { textLength: 300 });
  for (let at = 1; at <= 40; at += 1)
    await setup.chat.tell(to('g'), `Camera ${at} mất hình ⚡`, {
      key: `o${at}`,
      priority: 'alert',
      digest: 'x',
    });
  const { channel, chat } = await setup.again();
  await chat.drained();
  const all = texts(channel).join('\n');
  for (let at = 1; at <= 40; at += 1) expect(all).toContain(`Camera ${at} mất hình ⚡`);
  for (const text of texts(channel)) expect(text.length).toBeLessThanOrEqual(300);
  expect(channel.sent.length).toBeLessThan(15);
});
