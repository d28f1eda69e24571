/** Power cuts, replayed from a real recorder's write log (bench/power-cuts.ts). */
import { gst, strace } from '../../test/support/debian.js';
import { recordWithLog, replayAnyCut } from '../power-cuts.js';
import type { Campaign } from './campaign.js';

const RECORDED_SECONDS = 20;

export const powerCuts: Campaign = {
  what: 'power cuts at random moments, replayed: what was not synced is lost to a random length; half of them with an index that knows nothing',
  ...{ rounds: 200, lanes: 1, roundsAPlace: 100, needs: [gst, strace] },
  bars: { 'lost before the cut': 2000 },
  async open({ scale }) {
    const recorded = await recordWithLog(Math.max(8, RECORDED_SECONDS * scale), 'ssd');
    return {
      async round(random) {
        const { lostMs, wrong } = await replayAnyCut(recorded, random);
        return { figures: { 'lost before the cut': [lostMs] }, wrong };
      },
      close: () => recorded.remove(),
    };
  },
};
