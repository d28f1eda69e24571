/** The machine's clock set by an hour or a day, forward or back, while it records. */
import { setTimeout as wait } from 'node:timers/promises';
import { faketime } from '../../test/support/debian.js';
import { makeFakedClock } from '../../test/support/faked-clock.js';
import { eventually } from '../../test/support/product.js';
import type { Campaign } from './campaign.js';
import { openStage, SEGMENT_MS } from './stage.js';

const STEPS_S = [3600, -3600, 86_400, -86_400];
/** Files of the new time are there then, ms. */
const GOES_ON_MS = 30_000;

export const clockSteps: Campaign = {
  what: "the recorder's clock (libfaketime) set by ± 1 h or ± 1 day",
  // some steps forward and back again: days of made-up time, which no list should grow long of
  ...{ rounds: 60, lanes: 3, roundsAPlace: 8, needs: [faketime], bars: { 'told after': 10_000 } },
  async open({ patience }) {
    const clock = await makeFakedClock();
    const stage = await openStage({ patience, env: clock.env, now: clock.now });
    return {
      async round(random) {
        await stage.recording();
        await wait(SEGMENT_MS + random() * 3000);
        // never before the begin: what was recorded then belongs to no question of ours
        const steps = STEPS_S.filter((step) => clock.offsetS + step >= 0);
        const step = steps[Math.floor(random() * steps.length)]!;
        const seen = stage.events.length;
        const beforeMs = clock.now();
        await clock.set(clock.offsetS + step);
        const setMs = Date.now();
        const told = await stage.told('clock-set', seen);
        const figures = { 'told after': [Date.now() - setMs] };
        const wrong: string[] = [];
        if (Math.abs(Number(told.data.toMs) - Number(told.data.fromMs) - step * 1000) > 2000)
          wrong.push(`a step of ${step} s was told as ${JSON.stringify(told.data)}`);
        for (const id of stage.ids) {
          await eventually(
            `${id} is recorded by the new clock`,
            async () => {
              const range = { startMs: clock.now() - 4000, endMs: clock.now() };
              const { recorded } = await stage.recorder.client.coverage(id, range);
              return recorded.some(({ startMs, endMs }) => endMs - startMs > 2500);
            },
            GOES_ON_MS,
          );
          // no second before the step went with it
          const before = { startMs: beforeMs - 2500, endMs: beforeMs - 500 };
          const { gaps } = await stage.recorder.client.coverage(id, before);
          if (gaps.length > 0) wrong.push(`${id} lost what was before the step of ${step} s`);
        }
        wrong.push(...(await stage.check({ timeTwice: true })));
        return { figures, wrong };
      },
      async close(keepIn) {
        await stage.close(keepIn);
        await clock.remove();
      },
    };
  },
};
