import http from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { makeHook } from '../../src/channels/zalo/webhook/hook.js';
import { type Chat, makeChat } from '../../src/chat/chat.js';
import { command, type Talk } from '../../src/chat/command.js';
import { makeCounters } from '../../src/chat/counters.js';
import { makeDoor } from '../../src/chat/door.js';
import { makeInbox } from '../../src/chat/inbox.js';
import type { Message } from '../../src/chat/message.js';
import { wordsOf } from '../../src/chat/outgoing.js';
import { Bell } from '../support/bell.js';
import { makeTestChannel, type TestChannel } from '../support/channel.js';
import { openTestDatabase, type TestDatabase } from '../support/database.js';
import { PLAIN_FALLBACKS } from '../support/talk.js';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const log = pino({ level: 'silent' });

let count = 0;
const message = (userId: string, text: string): Message => {
  count += 1;
  return {
    ...{ kind: 'message', channel: 'console', chatId: userId, chatKind: 'private', externalId: `d${count}` },
    ...{ sender: { userId, name: userId }, sentMs: count, text, attachments: [], addressed: true },
  };
};

type Run = (talk: Talk, words: string, test: TestDatabase) => Promise<void>;

interface Stage {
  test: TestDatabase;
  chat: Chat;
  channel: TestChannel;
}

/** A chat with one command, said as "làm …"; an officer has the account "canbo". */
async function stage(run: Run): Promise<Stage> {
  const test = await openTestDatabase();
  closing.push(test.close);
  const { id: personId } = await test.database.person.create({
    data: { name: 'Cán', role: 'officer', createdMs: 0n },
  });
  const account = { channel: 'console', userId: 'canbo', displayName: 'Cán', privateChatId: 'canbo' };
  await test.database.address.create({ data: { ...account, personId, createdMs: 0n } });
  return { test, ...life(test, run) };
}

/** One life of the bot on this database. */
function life(test: TestDatabase, run: Run): Omit<Stage, 'test'> {
  const channel = makeTestChannel();
  const doing = command<string>({
    ...{ name: 'lam', aliases: ['làm'], summary: 'Làm', example: 'làm 1', may: 'everybody' },
    ...{ inGroups: true, section: 'chung' },
    read: async (words) => ({ kind: 'args', args: words }),
    run: (talk, words) => run(talk, words, test),
  });
  const chat = makeChat({
    ...{ database: test.database, clock: { now: () => Date.now() }, log, channels: [channel] },
    ...{ commands: [doing], fallbacks: PLAIN_FALLBACKS, spoolDir: `${test.dir}/spool` },
  });
  closing.push(() => chat.stop());
  return { chat, channel };
}

/** Resolves when it is opened. */
function gate() {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open: () => open(), opened };
}

it('the webhook is answered while many messages are being answered', async () => {
  const begun = gate();
  const { chat } = await stage(async (talk, words, { database }) => {
    begun.open();
    // as a command does: one question to the database after another, and nothing else to wait for
    for (let at = 0; at < 20; at += 1) await database.setting.findUnique({ where: { key: `${at}` } });
    await talk.reply(words);
  });
  const hook = makeHook({
    ...{ path: '/hook', log, isGenuine: () => true },
    take: async (raw) => (await chat.accept(message('nguoi-moi', raw.toString()))).fresh,
  });
  const web = http.createServer(express().use(hook.router)).listen(0, '127.0.0.1');
  closing.push(async () => void web.close());
  await new Promise((ready) => web.once('listening', ready));
  const url = `http://127.0.0.1:${(web.address() as AddressInfo).port}/hook`;
  // the line is open before there is anything to do
  await (await fetch(url)).text();

  const waiting = 120;
  for (let at = 0; at < waiting; at += 1) await chat.accept(message(`khach${at}`, `làm ${at}`));
  await chat.start();
  await begun.opened;
  const answer = await fetch(url, { method: 'POST', body: 'làm sau' });
  expect(answer.status).toBe(200);
  expect(hook.counters).toMatchObject({ taken: 1, late: 0 });
  // it was taken in the midst of the work, not after it
  expect(chat.waiting().inbox).toBeGreaterThan(waiting / 2);
  await chat.drained();
}, 60_000);

describe('what the staff says', () => {
  it('is answered though others fill every place and more wait', async () => {
    const held = gate();
    const { chat, channel } = await stage(async (talk, words) => {
      if (words === 'lâu') await held.opened;
      await talk.reply(words);
    });
    await chat.start();
    for (let at = 0; at < 40; at += 1) await chat.accept(message(`khach${at}`, 'làm lâu'));
    const { inboxId } = await chat.accept(message('canbo', 'làm ngay'));
    await chat.turnDone(inboxId);
    expect(channel.sent.map(({ reply }) => wordsOf(reply))).toEqual(['ngay']);
    held.open();
    await chat.drained();
    expect(channel.sent).toHaveLength(41);
  });

  it('is sent before answers to others that wait longer', async () => {
    const { chat, channel } = await stage((talk, words) => talk.reply(words));
    const held = gate();
    const sending = gate();
    channel.beforeSend(() => {
      sending.open();
      return held.opened;
    });
    await chat.start();
    for (let at = 0; at < 8; at += 1) await chat.accept(message(`khach${at}`, `làm khách ${at}`));
    await chat.accept(message('canbo', 'làm ngay'));
    await sending.opened;
    // all answered, one answer on its way
    while (chat.waiting().inbox > 0) await new Promise((turn) => setImmediate(turn));
    held.open();
    await chat.drained();
    expect(channel.sent).toHaveLength(9);
    // only the one that was on its way is before it
    expect(channel.sent.findIndex(({ reply }) => wordsOf(reply) === 'ngay')).toBe(1);
  });

  it('is answered before what waited longer, known again after a restart; in its chat nothing is overtaken', async () => {
    const order: string[] = [];
    const run: Run = async (talk, words) => {
      order.push(words);
      await talk.reply(words);
    };
    const { test, chat: first } = await stage(run);
    for (let at = 0; at < 30; at += 1) await first.accept(message(`khach${at}`, `làm khách ${at}`));
    await first.accept(message('canbo', 'làm một'));
    await first.accept(message('canbo', 'làm hai'));
    await first.stop();
    const { chat } = life(test, run);
    await chat.start();
    await chat.drained();
    expect(order[0]).toBe('một');
    expect(order.indexOf('hai')).toBeGreaterThan(0);
    // its place was taken by others meanwhile, but no second round of theirs came before
    expect(order.indexOf('hai')).toBeLessThan(20);
    expect(order.filter((words) => words.startsWith('khách'))).toHaveLength(30);
  });
});

it('while the door is busy few others are at work; when it falls quiet more begin, without a word', async () => {
  const test = await openTestDatabase();
  closing.push(test.close);
  let busy = true;
  let begun = 0;
  let most = 0;
  const atWork: (() => void)[] = [];
  const bell = new Bell();
  const inbox = makeInbox({
    ...{ database: test.database, clock: { now: () => Date.now() }, log, counters: makeCounters() },
    ...{
      onWaiting() {},
      onDone: async () => {},
      setAside: async () => {},
      signal: new AbortController().signal,
    },
    urgentAmong: async () => new Set(),
    door: { knock() {}, isBusy: () => busy, quietAfterMs: 10 },
    async answer() {
      begun += 1;
      const done = gate();
      atWork.push(done.open);
      most = Math.max(most, atWork.length);
      bell.ring();
      await done.opened;
    },
  });
  const until = async (passes: () => boolean) => {
    const signal = AbortSignal.timeout(20_000);
    while (!passes()) {
      signal.throwIfAborted();
      await bell.next(signal);
    }
  };
  for (let at = 0; at < 40; at += 1) await inbox.accept(message(`khach${at}`, 'làm'));
  inbox.start();
  for (let ended = 0; ended < 10; ended += 1) {
    await until(() => begun === ended + 3);
    atWork.shift()!();
  }
  await until(() => begun === 13);
  expect(most).toBe(3);
  busy = false;
  await until(() => atWork.length === 12);
  for (const done of atWork) done();
  await inbox.stop(20_000);
});

it('a door is busy while more than twenty knock within a second', () => {
  let now = 0;
  const door = makeDoor(() => now);
  const knock = (times: number, everyMs: number) => {
    for (let at = 0; at < times; at += 1) {
      now += everyMs;
      door.knock();
    }
  };
  knock(100, 60);
  expect(door.isBusy()).toBe(false);
  knock(40, 5);
  expect(door.isBusy()).toBe(true);
  now += 890;
  expect(door.isBusy()).toBe(true);
  now += 20;
  expect(door.isBusy()).toBe(false);
});
