import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { makeTestChannel, type TestChannel } from '../support/channel.js';
import { openHouse, type TestHouse } from '../support/house.js';

let zalo: TestChannel;
let house: TestHouse;

beforeEach(async () => {
  zalo = makeTestChannel({ name: 'zalo-oa', limits: { buttons: false } });
  house = await openHouse({ others: [zalo] });
  for (const alias of ['canbo', 'truong']) {
    const { id: personId } = await house.db.person.findFirstOrThrow({ where: { alias } });
    await house.db.address.create({
      data: { channel: 'zalo-oa', userId: alias, personId, displayName: alias, createdMs: 0n },
    });
  }
  const bound = { channel: 'zalo-oa', chatId: 'g1', title: 'Trực ban', purpose: 'officers', boundMs: 0n };
  await house.db.group.create({ data: bound });
});
afterEach(() => house.close());

/** Says it in the group, not to the bot unless by slash; what the bot answered. */
async function says(userId: string, text: string) {
  const { chat } = await house.ready;
  const { inboxId } = await zalo.hear({
    ...{ kind: 'message', channel: 'zalo-oa', chatId: 'g1', chatKind: 'group', text, attachments: [] },
    ...{ externalId: randomUUID(), sender: { userId, name: userId }, addressed: text.startsWith('/') },
    sentMs: house.clock.now(),
  });
  await chat.turnDone(inboxId);
  const row = await house.db.inbox.findUniqueOrThrow({ where: { id: inboxId } });
  const answers = zalo.sent.filter((record) => record.inboxId === inboxId);
  return {
    kinds: answers.map(({ reply }) => reply.kind),
    kept: (JSON.parse(row.payload) as { text: string }).text,
  };
}

it('in a group without buttons a bare number answers the menu of who was asked, and of nobody else', async () => {
  expect((await says('canbo', '/anh')).kinds).toEqual(['text']);
  expect(await says('truong', '2')).toEqual({ kinds: [], kept: '' });
  expect((await says('canbo', 'chọn 2')).kinds).toContain('photo');
});

it('what people say to each other meanwhile is neither answered nor kept', async () => {
  await says('canbo', '/anh');
  expect(await says('canbo', 'trưa nay ăn gì')).toEqual({ kinds: [], kept: '' });
});
