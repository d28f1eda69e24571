import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cutOften, type Recorded, recordWithLog } from '../../bench/power-cuts.js';
import { gst, strace } from '../support/debian.js';

/** The short form of `bench/run power-cuts`. */
describe.skipIf(!strace.available || !gst.available)('a power cut at any moment', () => {
  let recorded: Recorded;
  beforeAll(async () => {
    recorded = await recordWithLog(8);
  }, 90_000);
  afterAll(() => recorded?.remove());

  it('costs at most 2 s of each camera; index and files agree again, every file whole', async () => {
    const seed = Math.floor(Math.random() * 1e9);
    const cuts = await cutOften(recorded, 24, seed);
    expect(
      cuts.flatMap(({ wrong }) => wrong),
      `seed ${seed}`,
    ).toEqual([]);
    expect(Math.max(...cuts.map(({ lostMs }) => lostMs)), `seed ${seed}`).toBeLessThan(2000);
  }, 90_000);

  it('would cost more if nothing were synced: the trial sees it', async () => {
    const unsynced = { ...recorded, log: recorded.log.filter(({ op }) => op.kind !== 'sync') };
    const cuts = await cutOften(unsynced, 6, 1);
    expect(Math.max(...cuts.map(({ lostMs }) => lostMs))).toBeGreaterThan(2000);
  }, 60_000);
});
