import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Incoming, Message } from '../../src/chat/message.js';
import { eventually } from '../support/product.js';
import { makeOaStage, type OaStage } from './zalo-oa-fixture.js';

/** What the OA's channel hears while Zalo does not tell it. */

const HOUR = 3_600_000;
let stage: OaStage;
let taken: Incoming[];
const accept = async (incoming: Incoming) => {
  taken.push(incoming);
  return { inboxId: taken.length, fresh: true };
};
const messages = () => taken.filter((one): one is Message => one.kind === 'message');
const anna = () => stage.zalo.person({ id: '5510185758261927916', name: 'Trần Thị Hoa' });

beforeEach(async () => {
  taken = [];
  stage = await makeOaStage();
});
afterEach(async () => {
  await stage.channel.stop();
  await stage.close();
});

const away = () => {
  stage.zalo.webhook.url = 'http://127.0.0.1:9/zalo/oa';
};

it('what people write is asked for, again and again, and the lost webhook is told', async () => {
  let missed = 0;
  const known = new Set<string>();
  const inbox = async (incoming: Incoming) => {
    const fresh = !known.has(incoming.externalId);
    known.add(incoming.externalId);
    return fresh ? accept(incoming) : { inboxId: 0, fresh };
  };
  const other = await makeOaStage(
    {},
    {
      ...{ zalo: stage.zalo, catchUpEveryMs: 30 },
      onMissed: async () => {
        missed += 1;
      },
    },
  );
  await other.channel.start(inbox);
  await other.zalo.webhook.set(other.hookUrl);
  anna().says('trước');
  await other.zalo.webhook.idle();
  const rounds = () => other.zalo.calls.filter(({ name }) => name === 'listrecentchat').length;
  const before = rounds();
  await eventually('three rounds', () => rounds() > before + 3);
  expect(missed).toBe(0);
  away();
  anna().says('Có người cạy cửa nhà bà Tư');
  await other.zalo.webhook.idle();
  expect(other.zalo.webhook.disabled).toBe(true);
  const heard = () => messages().some(({ text }) => text.includes('cạy cửa'));
  await eventually('it is heard all the same', heard);
  await eventually('the lost webhook is told', () => missed > 0);
  await other.channel.stop();
  await other.close();
});

it('neither an event that comes first nor a round that fails makes what was missed heard', async () => {
  const { zalo, store } = stage;
  const clock = { now: () => zalo.world.now() };
  const heardMs = zalo.world.now();
  store.heardUpToMs = heardMs;
  zalo.clock += HOUR;
  anna().says('lúc mất mạng');
  zalo.clock += HOUR;
  // the process ends twice before a round got through
  for (const [n, call] of ['getoa', 'conversation'].entries()) {
    zalo.fail(call, { code: -200, times: 1000 });
    const away = await makeOaStage({}, { zalo, store, clock });
    await away.channel.start(accept);
    await zalo.webhook.set(away.hookUrl);
    await zalo.called(call);
    zalo.person({ id: '5510185758261927917', name: 'Lê Văn Nam' }).says(`mới ${n}`);
    await zalo.webhook.idle();
    await zalo.called(call, 3);
    expect(messages().map(({ text }) => text)).toContain(`mới ${n}`);
    await away.channel.stop();
    await away.close();
    expect(store.heardUpToMs).toBe(heardMs);
    zalo.heal();
  }
  const back = await makeOaStage({}, { zalo, store, clock });
  await back.channel.start(accept);
  await back.channel.settled();
  expect(messages().map(({ text }) => text)).toContain('lúc mất mạng');
  expect(store.heardUpToMs).toBeGreaterThan(heardMs);
  await back.channel.stop();
  await back.close();
});

it('silence costs two calls a round, and a conversation that can not be read holds up no other', async () => {
  const { zalo, store } = stage;
  store.heardUpToMs = zalo.world.now() - 1000;
  zalo.fail('conversation', { code: -201 });
  anna().says('không đọc được');
  zalo.clock += 1000;
  zalo.person({ id: '5510185758261927917', name: 'Lê Văn Nam' }).says('đọc được');
  const other = await makeOaStage({}, { zalo, store, catchUpEveryMs: 5 });
  await other.channel.start(accept);
  await other.channel.settled();
  expect(messages().map(({ text }) => text)).toEqual(['đọc được']);
  zalo.clock += HOUR;
  const before = zalo.calls.length;
  const rounds = () => zalo.calls.slice(before).filter(({ name }) => name === 'listrecentchat').length;
  await eventually('five rounds', () => rounds() >= 5);
  await other.channel.stop();
  expect(zalo.calls.slice(before).length).toBeLessThanOrEqual(3 * rounds());
  await other.close();
});

it('a sticker and a card that nobody told us of are what can not be read, a link is its words', async () => {
  const { zalo, store } = stage;
  store.heardUpToMs = zalo.world.now();
  zalo.clock += HOUR;
  const person = anna();
  for (const send of [
    () => person.sendsSticker(),
    () => person.sendsCard('Anh Ba', '0912345678'),
    () => person.sendsLink('https://vnexpress.net/a', 'Cảnh báo lừa đảo'),
    () => person.sendsVoice(Buffer.from('tiếng nói')),
  ]) {
    send();
    zalo.clock += 1000;
  }
  await stage.channel.start(accept);
  await stage.channel.settled();
  expect(messages().map(({ unreadable, text }) => [unreadable ?? false, text])).toEqual([
    ...[[true, ''] as const, [true, ''] as const],
    ...[[false, 'https://vnexpress.net/a\nCảnh báo lừa đảo'] as const, [false, ''] as const],
  ]);
  expect(messages().at(-1)?.attachments).toMatchObject([{ kind: 'audio' }]);
  expect(JSON.stringify(taken)).not.toContain('0912345678');
});

describe('groups', () => {
  const clock = { now: () => stage.zalo.world.now() };
  const groupCalls = () => stage.zalo.calls.filter(({ name }) => name === 'group/conversation');
  /** Two groups that the bot knows, heard up to now; then it is away for an hour. */
  function twoGroups() {
    const { zalo, store } = stage;
    const groups = ['Thôn 1', 'Thôn 2'].map((name) => zalo.group({ name, members: [anna()] }));
    for (const { id } of groups) store.groups.add(id);
    store.heardUpToMs = zalo.world.now();
    zalo.clock += HOUR;
    return groups as [(typeof groups)[0], (typeof groups)[0]];
  }

  it('a dead webhook is told by what was said in a group, too', async () => {
    let missed = 0;
    const { zalo, store } = stage;
    const [group] = twoGroups();
    const onMissed = async () => {
      missed += 1;
    };
    const other = await makeOaStage({}, { zalo, store, clock, catchUpEveryMs: 20, onMissed });
    await other.channel.start(accept);
    await other.channel.settled();
    await zalo.webhook.set(other.hookUrl);
    away();
    anna().says('/camera', { in: group });
    await eventually('it is heard all the same', () => messages().some(({ text }) => text === '/camera'));
    await eventually('the lost webhook is told', () => missed > 0);
    await other.channel.stop();
    await other.close();
  });

  it('one that can not be read holds up nobody, and is asked again in the next round', async () => {
    const { zalo, store } = stage;
    const [first, second] = twoGroups();
    anna().says('riêng');
    anna().says('/camera 1', { in: first });
    anna().says('/camera 2', { in: second });
    zalo.fail('group/conversation', { code: -201 });
    const other = await makeOaStage({}, { zalo, store, clock, catchUpEveryMs: 20 });
    await other.channel.start(accept);
    await other.channel.settled();
    expect(messages().map(({ text }) => text)).toEqual(['riêng', '/camera 2']);
    await eventually('it is read', () => messages().some(({ text }) => text === '/camera 1'));
    await other.channel.stop();
    await other.close();
  });

  it('where the package does not show groups, each round asks for one of them, and people are heard', async () => {
    const { zalo, store } = stage;
    twoGroups();
    zalo.fail('group/conversation', { code: -224, times: 1000 });
    const other = await makeOaStage({}, { zalo, store, clock, catchUpEveryMs: 20 });
    await other.channel.start(accept);
    await other.channel.settled();
    expect(groupCalls()).toHaveLength(1);
    anna().says('riêng');
    await eventually('it is heard', () => messages().some(({ text }) => text === 'riêng'));
    expect(store.marks).toEqual({});
    await other.channel.stop();
    await other.close();
  });

  it('old talk of a group that was never asked for is not answered, nor is talk of we don’t know when', async () => {
    const { zalo, store } = stage;
    const group = zalo.group({ name: 'Thôn 1', members: [anna()] });
    store.groups.add(group.id);
    anna().says('/camera cũ', { in: group });
    zalo.clock += HOUR;
    store.heardUpToMs = zalo.world.now();
    zalo.clock += HOUR;
    for (let n = 1; n <= 25; n += 1) anna().says(`nói chuyện ${n}`, { in: group });
    anna().says('/camera mới', { in: group });
    Object.assign(anna().says('/camera lúc nào', { in: group }), { atMs: undefined });
    const other = await makeOaStage({}, { zalo, store, clock });
    await other.channel.start(accept);
    await other.channel.settled();
    const asked = messages().filter(({ addressed }) => addressed);
    expect(asked.map(({ text }) => text)).toEqual(['/camera mới']);
    expect(messages()).toHaveLength(26);
    // by talking there they may be written to again
    expect(new Set(store.heardOf)).toEqual(new Set([anna().id]));
    await other.channel.stop();
    await other.close();
  });
});
