import fs from 'node:fs/promises';
import fc from 'fast-check';
import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { ServiceFault } from '../../src/base/service.js';
import { type Chat, type ChatOptions, makeChat } from '../../src/chat/chat.js';
import { command, type Talk } from '../../src/chat/command.js';
import type { Message } from '../../src/chat/message.js';
import { wordsOf } from '../../src/chat/outgoing.js';
import { makeTestChannel, type TestChannel } from '../support/channel.js';
import { openTestDatabase, type TestDatabase } from '../support/database.js';
import { PLAIN_FALLBACKS, talkTo } from '../support/talk.js';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** A command whose doing is given, said as "làm …". */
const doing = (run: (talk: Talk, words: string) => Promise<void>) =>
  command<string>({
    name: 'lam',
    aliases: ['làm'],
    summary: 'Làm',
    example: 'làm 1',
    may: 'everybody',
    inGroups: true,
    section: 'chung',
    read: async (words) => ({ kind: 'args', args: words }),
    run,
  });

let count = 0;
const message = (text: string, change: Partial<Message> = {}): Message => {
  count += 1;
  return {
    kind: 'message',
    channel: 'console',
    chatId: 'p',
    chatKind: 'private',
    externalId: `n${count}`,
    sender: { userId: change.chatId ?? 'p', name: 'Lan' },
    sentMs: 0,
    text,
    attachments: [],
    addressed: true,
    ...change,
  };
};

async function life(
  test: TestDatabase,
  run: (talk: Talk, words: string) => Promise<void>,
  change: Partial<ChatOptions> = {},
): Promise<{ chat: Chat; channel: TestChannel }> {
  const channel = makeTestChannel();
  const chat = makeChat({
    database: test.database,
    clock: { now: () => Date.now() },
    log: pino({ level: 'silent' }),
    channels: [channel],
    commands: [doing(run)],
    fallbacks: PLAIN_FALLBACKS,
    spoolDir: `${test.dir}/spool`,
    ...change,
  });
  closing.push(() => chat.stop());
  return { chat, channel };
}

async function newTest() {
  const test = await openTestDatabase();
  closing.push(test.close);
  return test;
}

const texts = (channel: TestChannel) => channel.sent.map((record) => wordsOf(record.reply));

describe('taking messages', () => {
  it('takes the same message once', async () => {
    const { chat, channel } = await life(await newTest(), (talk, words) => talk.reply(words));
    await chat.start();
    const same = message('làm một');
    const taken = await Promise.all([chat.accept(same), chat.accept(same), chat.accept(same)]);
    expect(taken.map(({ fresh }) => fresh).sort()).toEqual([false, false, true]);
    expect(new Set(taken.map(({ inboxId }) => inboxId)).size).toBe(1);
    await chat.drained();
    expect(await chat.accept(same)).toMatchObject({ fresh: false });
    expect(texts(channel)).toEqual(['một']);
    expect(chat.counters).toMatchObject({ accepted: 1, duplicates: 3, handled: 1, sent: 1 });
  });

  it('answers in order within a chat, side by side across chats', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ chat: fc.integer({ min: 0, max: 4 }), ms: fc.integer({ min: 0, max: 8 }) }), {
          minLength: 2,
          maxLength: 30,
        }),
        async (said) => {
          let most = 0;
          let now = 0;
          const { chat, channel } = await life(await newTest(), async (talk, words) => {
            now += 1;
            most = Math.max(most, now);
            await new Promise((resolve) => setTimeout(resolve, Number(words.split(' ')[1])));
            await talk.reply(words);
            now -= 1;
          });
          await chat.start();
          await Promise.all(
            said.map(({ chat: at, ms }, i) => chat.accept(message(`làm ${i} ${ms}`, { chatId: `c${at}` }))),
          );
          await chat.drained();
          for (let at = 0; at <= 4; at += 1) {
            const heard = channel.sent
              .filter((record) => record.to.chatId === `c${at}`)
              .map((record) => wordsOf(record.reply));
            const wanted = said.flatMap(({ chat: where, ms }, i) => (where === at ? [`${i} ${ms}`] : []));
            expect(heard).toEqual(wanted);
          }
          expect(most).toBeLessThanOrEqual(new Set(said.map((one) => one.chat)).size);
          await chat.stop();
        },
      ),
      { numRuns: 8 },
    );
  });

  it('a slow chat holds up no other', async () => {
    let open = () => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const { chat, channel } = await life(await newTest(), async (talk, words) => {
      if (words === 'chậm') await gate;
      await talk.reply(words);
    });
    await chat.start();
    await chat.accept(message('làm chậm', { chatId: 'a' }));
    const { inboxId } = await chat.accept(message('làm nhanh', { chatId: 'b' }));
    await chat.turnDone(inboxId);
    expect(texts(channel)).toEqual(['nhanh']);
    open();
    await chat.drained();
    expect(texts(channel)).toEqual(['nhanh', 'chậm']);
  });
});

describe('across lives', () => {
  it('what was accepted before the start is answered after it, in order', async () => {
    const test = await newTest();
    const first = await life(test, (talk, words) => talk.reply(words));
    for (const words of ['một', 'hai', 'ba']) await first.chat.accept(message(`làm ${words}`));
    const second = await life(test, (talk, words) => talk.reply(words));
    await second.chat.start();
    await second.chat.drained();
    expect(texts(second.channel)).toEqual(['một', 'hai', 'ba']);
  });

  it('stopped in the middle: it is run again, its change is not made again, its first reply not said again', async () => {
    const test = await newTest();
    let runs = 0;
    const run = async (talk: Talk) => {
      runs += 1;
      const made = await talk.once('dòng', async (tx) => {
        const row = await tx.setting.create({ data: { key: `dòng ${talk.inboxId}`, value: `${runs}` } });
        return { value: row.value };
      });
      await talk.reply(`đã ghi lần ${made.value}`);
      if (runs === 1)
        await new Promise((_, reject) =>
          talk.signal.addEventListener('abort', () => reject(new Error('stop'))),
        );
      await talk.reply('xong');
    };
    const first = await life(test, run);
    await first.chat.start();
    await first.chat.accept(message('làm'));
    await first.chat.accept(message('làm'));
    await first.channel.waitFor(({ reply }) => wordsOf(reply) === 'đã ghi lần 1');
    await first.chat.stop();
    expect(runs).toBe(1);
    const second = await life(test, run);
    await second.chat.start();
    await second.chat.drained();
    expect(texts(second.channel)).toEqual(['xong', 'đã ghi lần 3', 'xong']);
    expect(await test.database.setting.count()).toBe(2);
  });

  it('a question asked by a run that was cut short is not answered by its own message', async () => {
    const test = await newTest();
    const run = (cut: boolean) => async (talk: Talk, words: string) => {
      if (words !== '') return talk.reply(`tên là ${words}`);
      await talk.askWords('Tên gì ạ?', 'làm');
      if (cut)
        await new Promise((_, reject) =>
          talk.signal.addEventListener('abort', () => reject(new Error('stop'))),
        );
    };
    const first = await life(test, run(true));
    await first.chat.start();
    await first.chat.accept(message('làm'));
    await first.channel.waitFor(({ reply }) => wordsOf(reply) === 'Tên gì ạ?');
    await first.chat.stop();
    const { chat, channel } = await life(test, run(false));
    await chat.start();
    await chat.drained();
    expect(texts(channel)).toEqual([]);
    await chat.turnDone((await chat.accept(message('Lan'))).inboxId);
    expect(texts(channel)).toEqual(['tên là Lan']);
  });

  it('a message that keeps killing the process is set aside with an apology, others are answered', async () => {
    const test = await newTest();
    const first = await life(test, async () => {});
    const { inboxId } = await first.chat.accept(message('làm sập'));
    await first.chat.accept(message('làm yên'));
    await test.database.inbox.update({ where: { id: inboxId }, data: { attempts: 5 } });
    const ran: string[] = [];
    const { chat, channel } = await life(test, async (talk, words) => {
      ran.push(words);
      await talk.reply(words);
    });
    await chat.start();
    await chat.drained();
    expect(ran).toEqual(['yên']);
    expect(texts(channel)[0]).toMatch(/gác lại.*mã lỗi [0-9A-F]{6}/);
    expect(texts(channel)[1]).toBe('yên');
    expect(chat.counters.setAside).toBe(1);
  });

  it('a suspect runs alone; runs that got further are held against nobody', async () => {
    const test = await newTest();
    const first = await life(test, async () => {});
    const suspect = await first.chat.accept(message('làm nghi', { chatId: 'a' }));
    const moving = await first.chat.accept(message('làm tiến', { chatId: 'b' }));
    const { database } = test;
    await database.inbox.update({ where: { id: suspect.inboxId }, data: { attempts: 3 } });
    await database.inbox.update({ where: { id: moving.inboxId }, data: { attempts: 5, progress: 0 } });
    await database.effect.create({ data: { inboxId: moving.inboxId, name: 'x', result: '1' } });
    let now = 0;
    const company: Record<string, number> = {};
    const { chat, channel } = await life(
      test,
      async (talk, words) => {
        now += 1;
        company[words] = Math.max(company[words] ?? 0, now);
        await new Promise((resolve) => setTimeout(resolve, 20));
        await talk.reply(words);
        now -= 1;
      },
      { aloneAfterMs: 10 },
    );
    for (const at of [1, 2, 3]) await first.chat.accept(message(`làm ${at}`, { chatId: `c${at}` }));
    await chat.start();
    await chat.drained();
    expect(texts(channel).sort()).toEqual(['1', '2', '3', 'nghi', 'tiến']);
    expect(company.nghi).toBe(1);
    expect(Math.max(...Object.values(company))).toBeGreaterThan(1);
  });

  it('a suspect that hangs, or others that do, hold up nobody for long', async () => {
    const test = await newTest();
    const first = await life(test, async () => {});
    const { database } = test;
    const hung = new Promise<void>((resolve) => closing.push(async () => resolve()));
    const suspect = await first.chat.accept(message('làm treo', { chatId: 'a' }));
    await database.inbox.update({ where: { id: suspect.inboxId }, data: { attempts: 2 } });
    const { chat, channel } = await life(
      test,
      async (talk, words) => {
        await talk.reply(words);
        if (words.startsWith('treo')) await hung;
      },
      { aloneAfterMs: 50, aloneMs: 100 },
    );
    // under way when the suspect's turn comes
    await first.chat.accept(message('làm treo cùng', { chatId: 'b' }));
    await chat.start();
    await channel.waitFor(({ reply }) => wordsOf(reply) === 'treo');
    await chat.accept(message('làm sau', { chatId: 'c' }));
    await channel.waitFor(({ reply }) => wordsOf(reply) === 'sau');
    expect(texts(channel)).toEqual(['treo cùng', 'treo', 'sau']);
  });

  it('an orderly stop in the midst of a run that does not end is no crash', async () => {
    const test = await newTest();
    const hung = new Promise<void>((resolve) => closing.push(async () => resolve()));
    const first = await life(test, async () => {});
    const { inboxId } = await first.chat.accept(message('làm lâu'));
    for (let lives = 0; lives < 2; lives += 1) {
      let begin = () => {};
      const begun = new Promise<void>((resolve) => {
        begin = resolve;
      });
      const { chat } = await life(test, async () => {
        begin();
        await hung;
      });
      await chat.start();
      await begun;
      await chat.stop();
      const row = await test.database.inbox.findUniqueOrThrow({ where: { id: inboxId } });
      // begun, so that it is known as a rerun, and no more than that
      expect(row).toMatchObject({ state: 'waiting', attempts: 1 });
    }
  });

  it('a stop because of a fault is a crash: what was under way may be its cause', async () => {
    const test = await newTest();
    const first = await life(test, async () => {});
    const { inboxId } = await first.chat.accept(message('làm hỏng'));
    for (let lives = 1; lives <= 2; lives += 1) {
      let begin = () => {};
      const begun = new Promise<void>((resolve) => {
        begin = resolve;
      });
      const ending = new AbortController();
      const { chat } = await life(test, async (talk) => {
        begin();
        await new Promise((_, reject) => talk.signal.addEventListener('abort', reject));
      });
      await chat.start(ending.signal);
      await begun;
      ending.abort(new ServiceFault('boom'));
      await chat.stop();
      const row = await test.database.inbox.findUniqueOrThrow({ where: { id: inboxId } });
      expect(row).toMatchObject({ state: 'waiting', attempts: lives });
    }
  });

  it('files of messages that are done are gone from the spool; leftovers go at the start', async () => {
    const test = await newTest();
    await fs.mkdir(`${test.dir}/spool/in-4711/x`, { recursive: true });
    const { chat, channel } = await life(test, async (talk) => {
      const path = await talk.spool('tep.txt');
      await fs.writeFile(path, 'nội dung');
      await talk.reply({ kind: 'document', file: { path, sizeBytes: 9, fileName: 'tep.txt' } });
    });
    await chat.start();
    await chat.turnDone((await chat.accept(message('làm'))).inboxId);
    expect(channel.sent[0]!.files[0]!.toString()).toBe('nội dung');
    expect(await fs.readdir(`${test.dir}/spool`)).toEqual([]);
  });
});

it('fifty changes at the same time are each made once', async () => {
  const test = await newTest();
  const { chat, channel } = await life(
    test,
    async (talk) => {
      const [a, b] = await Promise.all(
        [1, 2].map(() =>
          talk.once('tăng', async (tx) => {
            const row = await tx.setting.findUnique({ where: { key: 'n' } });
            const value = `${Number(row?.value ?? 0) + 1}`;
            await tx.setting.upsert({ where: { key: 'n' }, create: { key: 'n', value }, update: { value } });
            return value;
          }),
        ),
      );
      await talk.reply(`${a} ${b}`);
    },
    { mostAtOnce: 50 },
  );
  await chat.start();
  for (let at = 0; at < 50; at += 1) await chat.accept(message('làm', { chatId: `c${at}` }));
  await chat.drained();
  expect((await test.database.setting.findUniqueOrThrow({ where: { key: 'n' } })).value).toBe('50');
  const numbers = texts(channel).map((text) => text.split(' '));
  expect(numbers.every(([a, b]) => a === b)).toBe(true);
  expect(new Set(numbers.map(([a]) => a)).size).toBe(50);
});

describe('while a message is answered', () => {
  it('a progress line is changed at most once a second and turns into the reply', async () => {
    const house = talkTo({
      commands: [
        doing(async (talk) => {
          await talk.progress('bước 1');
          await house.channel.waitFor(({ reply }) => wordsOf(reply) === 'bước 1');
          for (let step = 2; step <= 9; step += 1) await talk.progress(`bước ${step}`);
          await house.channel.waitFor(({ reply }) => wordsOf(reply) === 'bước 9');
          await talk.reply('xong');
        }),
      ],
    });
    closing.push(() => house.close());
    expect((await house.as('khach').say('làm')).map((heard) => heard.text)).toEqual(['xong']);
    const { sent } = house.channel;
    expect(sent.map((record) => [wordsOf(record.reply), record.replaces])).toEqual([
      ['bước 1', undefined],
      ['bước 9', 'm1'],
      ['xong', 'm2'],
    ]);
    expect(sent[1]!.atMs - sent[0]!.atMs).toBeGreaterThanOrEqual(950);
  });

  it('quick work shows no progress at all', async () => {
    const house = talkTo({
      commands: [
        doing(async (talk) => {
          await talk.progress('đang làm');
          await talk.reply('xong');
        }),
      ],
    });
    closing.push(() => house.close());
    await house.as('khach').say('làm');
    expect(texts(house.channel)).toEqual(['xong']);
  });

  it('a failing progress line fails nothing', async () => {
    let refuse = () => {};
    const refused = new Promise<void>((resolve) => {
      refuse = resolve;
    });
    const house = talkTo({
      commands: [
        doing(async (talk) => {
          await talk.progress('đang làm');
          talk.act('typing');
          await refused;
          await talk.reply('xong');
        }),
      ],
    });
    closing.push(() => house.close());
    await house.ready;
    house.channel.failWith((_, reply) => {
      if (wordsOf(reply) !== 'đang làm') return undefined;
      refuse();
      return new Error('no');
    });
    expect((await house.as('khach').say('làm')).map((heard) => heard.text)).toEqual(['xong']);
    expect(house.channel.acts.map((act) => act.activity)).toEqual(['typing']);
  });

  it('others are told durably, and hear it once', async () => {
    const house = talkTo({
      commands: [
        doing(async (talk) => {
          const officers = { channel: 'console' as const, chatId: 'nhom-canbo' };
          await talk.tell(officers, 'có tin', 'officers', 'alert');
          await talk.tell(officers, 'có tin', 'officers', 'alert');
          await talk.reply('đã báo');
        }),
      ],
    });
    closing.push(() => house.close());
    await house.as('ho').say('làm');
    await house.drained();
    expect(house.heardIn('nhom-canbo').map((heard) => heard.text)).toEqual(['có tin']);
  });
});

describe('what happens to chats', () => {
  it('is known to the store, and told to the handlers', async () => {
    const test = await newTest();
    const events: string[] = [];
    const { chat, channel } = await life(test, async () => {}, {
      onEvent: async (event) => {
        events.push(event.event.type);
        if (event.event.type === 'bot-added')
          await chat.tell({ channel: 'console', chatId: event.chatId }, 'Chào cả nhóm', {
            key: `hello ${event.externalId}`,
            priority: 'answer',
          });
      },
    });
    await chat.start();
    const happen = async (event: import('../../src/chat/message.js').ChatEvent['event'], chatId = 'g') => {
      count += 1;
      const { inboxId } = await chat.accept({
        kind: 'event',
        channel: 'console',
        chatId,
        chatTitle: 'Nhóm trực',
        externalId: `v${count}`,
        sentMs: 0,
        event,
      });
      await chat.turnDone(inboxId);
    };
    const group = () => test.database.group.findFirstOrThrow();
    await happen({ type: 'bot-added', by: { userId: 'u', name: 'Lan' } });
    expect(await group()).toMatchObject({ chatId: 'g', title: 'Nhóm trực', leftMs: null });
    await happen({ type: 'migrated', toChatId: 'g2' });
    expect((await group()).chatId).toBe('g2');
    await happen({ type: 'bot-removed' }, 'g2');
    expect((await group()).leftMs).not.toBeNull();
    await happen({ type: 'bot-added', by: { userId: 'u', name: 'Lan' } }, 'g2');
    expect((await group()).leftMs).toBeNull();
    await chat.drained();
    expect(events).toEqual(['bot-added', 'migrated', 'bot-removed', 'bot-added']);
    expect(texts(channel)).toEqual(['Chào cả nhóm', 'Chào cả nhóm']);
  });
});

it('stopping and starting again leaves nothing unsaid, whenever it comes', async () => {
  const test = await newTest();
  const run = async (talk: Talk, words: string) => {
    await talk.reply(`${words} a`);
    await talk.reply(`${words} b`);
  };
  const heard: string[] = [];
  let said = 0;
  for (let round = 0; round < 6; round += 1) {
    const { chat, channel } = await life(test, run);
    await chat.start();
    for (let at = 0; at < 5; at += 1) {
      said += 1;
      await chat.accept(message(`làm ${said}`, { chatId: `c${at % 2}` }));
    }
    if (round < 5) await chat.stop();
    else await chat.drained();
    heard.push(...texts(channel));
  }
  const wanted = Array.from({ length: said }, (_, at) => [`${at + 1} a`, `${at + 1} b`]).flat();
  expect([...heard].sort()).toEqual(wanted.sort());
});
