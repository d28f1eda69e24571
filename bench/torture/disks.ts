/** The recordings' disk: full, read-only, failing. */
import { setTimeout as wait } from 'node:timers/promises';
import { loopDisk, type Need } from '../../test/support/debian.js';
import { eventually } from '../../test/support/product.js';
import type { Campaign } from './campaign.js';
import { type BadDisk, failingDisk, fullDisk, readOnlyDisk } from './mounts.js';
import { openStage, type Stage } from './stage.js';

/** "Told within 60 s, recording resumes within 60 s after space returns." */
const MOST_MS = 60_000;
const TOLD = 'told after';
const AGAIN = 'recording again after';
/** Files that could not be closed are closed when the disk is well: a look every 5 s, and a new file after it, ms. */
const WELL_MS = 20_000;

async function recordsSince(stage: Stage, sinceMs: number): Promise<void> {
  await eventually(
    'every camera records again',
    async () => {
      const infos = await stage.recorder.client.cameras();
      return infos.every((one) => one.state === 'recording' && (one.newestFrameMs ?? 0) > sinceMs);
    },
    2 * MOST_MS,
  );
}

function diskCampaign(
  what: string,
  needs: Need[],
  rounds: number,
  makeDisk: () => Promise<BadDisk>,
): Campaign {
  return {
    ...{
      what,
      needs,
      rounds,
      root: true,
      lanes: 3,
      roundsAPlace: 4,
      bars: { [TOLD]: MOST_MS, [AGAIN]: MOST_MS },
    },
    async open({ patience }) {
      const disk = await makeDisk();
      const stage = await openStage({ patience, root: disk.root }).catch(async (error: unknown) => {
        await disk.remove();
        throw error;
      });
      return {
        async round(random) {
          await recordsSince(stage, Date.now() - 2000);
          await wait(random() * 4000);
          const seen = stage.events.length;
          const failedMs = Date.now();
          await disk.fail();
          const told = await eventually(
            'it is told that the disk is bad',
            () =>
              stage.events
                .slice(seen)
                .find(
                  ({ kind, data }) =>
                    kind === 'disk-low' || (kind === 'camera-down' && data.cause === 'disk'),
                ),
            2 * MOST_MS,
          );
          await wait(random() * 8000);
          await disk.mend();
          const mendedMs = Date.now();
          await recordsSince(stage, mendedMs);
          const againMs = Date.now() - mendedMs;
          const wrong = await stage.check({ readyMs: mendedMs, agreeWithinMs: WELL_MS });
          return { figures: { [TOLD]: [told.atMs - failedMs], [AGAIN]: [againMs] }, wrong };
        },
        async close(keepIn) {
          await stage.close(keepIn);
          await disk.remove();
        },
      };
    },
  };
}

export const fullDisks = diskCampaign('the disk (a tmpfs) filled to the last byte', [], 30, fullDisk);
export const readOnlyDisks = diskCampaign(
  'the disk (ext4 on a loop device) finds an error and turns read-only; taken out, checked and mounted again',
  [loopDisk],
  30,
  readOnlyDisk,
);
export const failingDisks = diskCampaign(
  'every write to the disk (ext4 on a loop device with nothing behind it) ends with EIO; taken out, checked and mounted again',
  [loopDisk],
  30,
  failingDisk,
);
