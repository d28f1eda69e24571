import { expect, test } from 'vitest';
import { makeRandom } from '../../bench/random.js';
import { tortureTokens } from '../support/zalo-tokens.js';

test('killed within refreshes and with the network broken under them, it is never locked out for a reason of ours', async () => {
  const outcome = await tortureTokens({ kills: 20, random: makeRandom(4), say: console.log });
  console.log(JSON.stringify({ ...outcome, againMs: outcome.againMs.map(Math.round) }));
  expect(outcome.lockedOut.other).toBe(0);
}, 120_000);
