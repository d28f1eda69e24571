import { pino } from 'pino';
import { afterEach, expect, it } from 'vitest';
import { tellOfficers } from '../../handlers/alerts/recipients.js';
import { makeOaClient } from '../../src/channels/zalo/api/oa.js';
import { makeMinuteBudget, withBudget } from '../../src/channels/zalo/oa/budget.js';
import { openHouse, type TestHouse } from '../support/house.js';
import { eventually } from '../support/product.js';
import { ZaloServer } from '../support/zalo-server.js';
import { makeOaMemory, makeOaStage, type OaStage } from './zalo-oa-fixture.js';

let house: TestHouse | undefined;
let stage: OaStage | undefined;
let zalo: ZaloServer | undefined;
afterEach(async () => {
  await house?.close();
  await stage?.close();
  await zalo?.stop();
});

const PER_MINUTE = 30;
const KEPT = 8;

it('an officer and an alarm do not wait for the next minute behind strangers', async () => {
  zalo = await ZaloServer.start({ rates: false, retryScale: 0.0005 });
  const { tokens, root } = zalo;
  const budget = makeMinuteBudget(PER_MINUTE, KEPT);
  const clientOf = (urgent: boolean) =>
    makeOaClient({
      ...{ root, log: pino({ level: 'silent' }), fetch: withBudget({}, budget, urgent) },
      tokens: { current: async () => tokens.accessToken, renewed: async () => tokens.accessToken },
    });
  const store = makeOaMemory();
  stage = await makeOaStage(
    {},
    { zalo, store, client: clientOf(false), sender: clientOf(true), budget, catchUpEveryMs: 3_600_000 },
  );
  house = await openHouse({ others: [stage.channel] });
  await zalo.webhook.set(stage.hookUrl);
  const officer = zalo.person({ id: '77', name: 'Cán bộ' });
  const group = zalo.group({ name: 'Tổ trực', members: [officer] });
  store.groups.add(group.id);
  const { id: personId } = await house.db.person.findFirstOrThrow({ where: { alias: 'canbo' } });
  await house.db.address.create({
    data: { channel: 'zalo-oa', userId: officer.id, personId, displayName: 'Cán bộ', createdMs: 0n },
  });
  await house.db.group.create({
    data: { channel: 'zalo-oa', chatId: group.id, title: 'Tổ trực', purpose: 'officers' },
  });
  const sent = () => zalo!.world.calls.length;
  const strangers = Array.from({ length: 40 }, (_, n) => zalo!.person({ id: `9${n}`, name: `Lạ ${n}` }));
  for (const one of strangers) one.says('báo tin có người lạ ở cầu');
  const { chat } = await house.ready;
  await eventually('everybody heard', () => chat.waiting().inbox === 0 && chat.waiting().outbox > 20);
  await eventually('no more for strangers this minute', () => budget.waitMs(1, false) > 0);
  const used = sent();
  expect(used).toBeLessThanOrEqual(PER_MINUTE - KEPT + 1);

  officer.says('quyền');
  await officer.receives('Anh/chị làm được');
  await tellOfficers(house.house, 'alarm', 'Camera 3 mất hình');
  await group.receives('Camera 3 mất hình');
  expect(chat.waiting().outbox, 'strangers still wait').toBeGreaterThan(20);
  expect(sent()).toBeLessThanOrEqual(PER_MINUTE);
});
