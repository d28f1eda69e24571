import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cutOften, type Recorded, recordWithLog } from '../../bench/power-cuts.js';
import { POWER_CUT_MS } from '../../media/recording/disk.js';
import { gst, strace } from '../support/debian.js';

/** The short form of `bench/run power-cuts`. */
describe.skipIf(!strace.available || !gst.available).each(['ssd', 'hdd'] as const)(
  'a power cut at any moment, DISK_KIND=%s',
  (kind) => {
    let recorded: Recorded;
    beforeAll(async () => {
      recorded = await recordWithLog(kind === 'hdd' ? 14 : 8, kind);
    }, 90_000);
    afterAll(() => recorded?.remove());

    it('costs no more of any camera than is promised; index and files agree again, every file whole', async () => {
      const seed = Math.floor(Math.random() * 1e9);
      const cuts = await cutOften(recorded, 24, seed);
      expect(
        cuts.flatMap(({ wrong }) => wrong),
        `seed ${seed}`,
      ).toEqual([]);
      expect(Math.max(...cuts.map(({ lostMs }) => lostMs)), `seed ${seed}`).toBeLessThan(POWER_CUT_MS[kind]);
    }, 90_000);

    it('would cost more if nothing were synced: the trial sees it', async () => {
      const log = recorded.log.filter(({ op }) => op.kind !== 'sync' && op.kind !== 'sync-all');
      const cuts = await cutOften({ ...recorded, log }, 12, 1);
      expect(Math.max(...cuts.map(({ lostMs }) => lostMs))).toBeGreaterThan(POWER_CUT_MS[kind]);
    }, 60_000);

    if (kind === 'hdd')
      it('is kept by syncs of the whole disk alone, the lines of the chains aside', () => {
        const byItself = recorded.log.flatMap(({ op }) =>
          op.kind === 'sync' && /\/cam\d+\//.test(op.path) ? [op.path] : [],
        );
        const lines = byItself.filter((path) => path.endsWith('/chain.jsonl'));
        // a new chain's folder is synced once
        expect(byItself.filter((path) => path.endsWith('.mp4'))).toEqual([]);
        expect(lines.length).toBeGreaterThan(0);
        expect(recorded.log.some(({ op }) => op.kind === 'sync-all')).toBe(true);
      });
  },
);
