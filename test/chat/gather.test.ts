import { expect, it } from 'vitest';
import { gather } from '../../src/chat/gather.js';

/** Writes that end when they are told to. */
function makeWrites() {
  const writes: { items: number[]; end: (failed?: boolean) => void }[] = [];
  const put = gather<number, string>(
    (items) =>
      new Promise((resolve, reject) => {
        const end = (failed = false) =>
          failed ? reject(new Error(`no ${items}`)) : resolve(items.map((item) => `wrote ${item}`));
        writes.push({ items, end });
      }),
    3,
  );
  return { writes, put };
}
const turn = () => new Promise((resolve) => setImmediate(resolve));

it('one alone is written at once, what comes meanwhile together, at most so many, in order', async () => {
  const { writes, put } = makeWrites();
  const all = [1, 2, 3, 4, 5].map(put);
  expect(writes.map(({ items }) => items)).toEqual([[1]]);
  writes[0]!.end();
  await turn();
  expect(writes[1]!.items).toEqual([2, 3, 4]);
  writes[1]!.end();
  await turn();
  expect(writes[2]!.items).toEqual([5]);
  writes[2]!.end();
  expect(await Promise.all(all)).toEqual([1, 2, 3, 4, 5].map((item) => `wrote ${item}`));
  const late = put(6);
  writes[3]!.end();
  expect(await late).toBe('wrote 6');
});

it('one bad item fails alone', async () => {
  const { writes, put } = makeWrites();
  const all = Promise.allSettled([1, 2, 3].map(put));
  writes[0]!.end();
  await turn();
  writes[1]!.end(true);
  await turn();
  expect(writes[2]!.items).toEqual([2]);
  writes[2]!.end(true);
  await turn();
  writes[3]!.end();
  expect((await all).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
});
