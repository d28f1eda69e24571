import { afterEach, expect, it } from 'vitest';
import { makeFloodGate } from '../../src/chat/flood.js';
import { type TalkHouse, talkTo } from '../support/talk.js';
import { makeTable } from './table.js';

let house: TalkHouse;
afterEach(() => house?.close());

it('says once that somebody writes too fast, then is quiet; others are answered all along', async () => {
  house = talkTo({ commands: makeTable().commands, flood: { messages: 5, withinMs: 60_000 } });
  const { chat } = await house.ready;
  for (let at = 0; at < 40; at += 1) await house.as('khach').begin('trợ giúp');
  expect((await house.as('ho').say('trợ giúp')).map(({ text }) => text)).toEqual(['Trợ giúp']);
  expect((await house.as('canbo').say('ảnh ngã ba')).map(({ text }) => text)).toEqual(['Ảnh ngã ba']);
  await chat.drained();
  const heard = house.heardIn('khach').map(({ text }) => text);
  expect(heard).toHaveLength(6);
  expect(heard[5]).toContain('chờ một phút');
  expect(chat.counters.flooded).toBe(35);
});

it('lets the staff write as fast as they like', async () => {
  house = talkTo({ commands: makeTable().commands, flood: { messages: 2, withinMs: 60_000 } });
  for (let at = 0; at < 6; at += 1) await house.as('canbo').say('ảnh ngã ba');
  expect(house.heardIn('canbo')).toHaveLength(6);
});

it('counts by when it was said: a day of messages that comes at once is no flood', () => {
  const gate = makeFloodGate({ messages: 3, withinMs: 60_000 });
  const verdicts = Array.from({ length: 20 }, (_, at) => gate('a', at * 30_000));
  expect(new Set(verdicts)).toEqual(new Set(['answer']));
});

it('answers again after a minute, and says so again at the next flood', () => {
  const gate = makeFloodGate({ messages: 2, withinMs: 60_000 });
  expect([0, 1, 2, 3].map((ms) => gate('a', ms))).toEqual(['answer', 'answer', 'say-so', 'quiet']);
  expect(gate('b', 3)).toBe('answer');
  expect([61_000, 61_001, 61_002].map((ms) => gate('a', ms))).toEqual(['answer', 'answer', 'say-so']);
});

it('a row of stickers is told once in five minutes to each that it can not be read', async () => {
  const clock = { now: () => nowMs };
  let nowMs = Date.UTC(2026, 10, 27);
  house = talkTo({ commands: makeTable().commands, clock });
  const sticker = async (who: string) =>
    (await house.as(who).say('', { unreadable: true })).map(({ text }) => /^Em chưa đọc được/.test(text));
  expect(await sticker('khach')).toEqual([true]);
  for (let at = 0; at < 5; at += 1) {
    nowMs += 50_000;
    expect(await sticker('khach')).toEqual([]);
  }
  expect([await sticker('ho'), await sticker('truong')]).toEqual([[true], [true]]);
  // words are answered all along, and going on does not put it off
  expect((await house.as('khach').say('trợ giúp')).map(({ text }) => text)).toEqual(['Trợ giúp']);
  nowMs += 50_000;
  expect(await sticker('khach')).toEqual([true]);
});

it('is not confused by a clock that was set back', () => {
  const gate = makeFloodGate({ messages: 2, withinMs: 60_000 });
  for (const ms of [1e9, 1e9 + 1, 1e9 + 2]) gate('a', ms);
  expect(gate('a', 5000)).toBe('answer');
});
