import { expect, it } from 'vitest';
import { retentionRounds } from '../../bench/retention-rounds.js';

/** The short form; the long one is part of the fault campaign. */
it('200 random rounds on real files, a real index and real holds: no held second is lost, and all agrees', async () => {
  const seed = Math.floor(Math.random() * 1e9);
  console.log(`retention rounds: seed ${seed}`);
  const done = await retentionRounds({ seed, rounds: 200 });
  expect(done.rounds).toBe(200);
  expect(Math.min(done.deleted, done.holds, done.indexesLost)).toBeGreaterThan(0);
}, 120_000);
