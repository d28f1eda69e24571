import { afterEach, beforeEach, expect, it } from 'vitest';
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
