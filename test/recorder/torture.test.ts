import { appendFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Campaign, missing, type Round } from '../../bench/torture/campaign.js';
import { campaigns } from '../../bench/torture/campaigns.js';
import { rowsOf, unaccounted } from '../../bench/torture/checker.js';
import { sectionOf } from '../../bench/torture/report.js';
import { runCampaign } from '../../bench/torture/run.js';
import { openStage } from '../../bench/torture/stage.js';
import { addRound, noSums, readState, writeState } from '../../bench/torture/state.js';
import type { Coverage } from '../../media/types.js';
import { eventually } from '../support/product.js';
import { tempFolder } from './stand.js';

const SEED = 20_261;
/** Power cuts and an index that breaks under the running recorder have test files of their own. */
const NOT_HERE = ['power-cuts', 'corrupt-running-index'];
/** Rounds of the short form, where it is more than one. */
const ROUNDS: Record<string, number> = { kills: 2 };
/** Of the million files. */
const SCALE = 0.002;
/** Other tests run beside this one, so it asks for what is kept, not for how soon. */
const PATIENCE = 5;

/** A campaign without faults: what its rounds give is said by seed. */
function campaignOf(rounds: (n: number) => Partial<Round> | Error, log: string[] = []): Campaign {
  let opened = 0;
  let done = 0;
  return {
    ...{ what: 'nothing', rounds: 4, lanes: 1, roundsAPlace: 3, needs: [], bars: { lost: 1000 } },
    async open() {
      const place = ++opened;
      return {
        async round(random) {
          log.push(`place ${place} draws ${random().toFixed(3)}`);
          const given = rounds(++done);
          if (given instanceof Error) throw given;
          return { figures: {}, wrong: [], ...given };
        },
        async close() {
          log.push(`place ${place} closed`);
        },
      };
    },
  };
}

async function roundsOf(campaign: Campaign, rounds: number, seed = 1, signal?: AbortSignal) {
  const told: [number, string[]][] = [];
  await runCampaign(campaign, {
    ...{ rounds, seed, lanes: 2, scale: 1, patience: 1 },
    ...(signal && { signal }),
    onRound: (of, { wrong }) => told.push([of, wrong]),
  });
  return told.sort(([a], [b]) => a - b);
}

describe('a campaign', () => {
  it('does each seed once, and again draws the same from it', async () => {
    const first: string[] = [];
    const second: string[] = [];
    const told = await roundsOf(
      campaignOf(() => ({}), first),
      7,
      40,
    );
    expect(told.map(([seed]) => seed)).toEqual([40, 41, 42, 43, 44, 45, 46]);
    await roundsOf(
      campaignOf(() => ({}), second),
      7,
      40,
    );
    const draws = (log: string[]) => log.flatMap((line) => /draws (.*)/.exec(line)?.[1] ?? []).sort();
    expect(new Set(draws(first)).size).toBe(7);
    expect(draws(second)).toEqual(draws(first));
    const places = new Set(first.map((line) => line.split(' ')[1])).size;
    expect(first.filter((line) => line.endsWith('closed'))).toHaveLength(places);
  });

  it('counts a figure over its bar and a round that could not be done, gives the place up, and goes on', async () => {
    const log: string[] = [];
    const rounds = [{ figures: { lost: [10, 1001] } }, new Error('the camera is gone'), {}];
    const told = await roundsOf({ ...campaignOf((n) => rounds[n - 1]!, log), roundsAPlace: 9 }, 1, 1);
    expect(told[0]![1]).toEqual(['lost: 1001 ms, more than 1000']);
    expect(log.at(-1)).toBe('place 1 closed');
    const broken = await roundsOf(
      campaignOf((n) => (n === 1 ? new Error('gone') : {})),
      3,
    );
    expect(broken.flatMap(([, wrong]) => wrong)).toEqual(['the round could not be done: gone']);
    expect(broken).toHaveLength(3);
  });

  it('ends after the rounds under way, and goes on with the next seed, figures summed up', async () => {
    const file = path.join(await tempFolder(), 'out', 'torture.json');
    const stopping = new AbortController();
    const campaign = campaignOf((n) => {
      if (n === 2) stopping.abort();
      return { faults: 2, figures: { lost: [n] }, wrong: n === 2 ? ['a file is gone'] : [] };
    });
    expect(await readState(file)).toEqual({});
    const told = await roundsOf(campaign, 9, 1, stopping.signal);
    expect(told.length).toBeLessThan(9);
    let sums = noSums();
    for (const [seed, wrong] of [
      [1, []],
      [2, ['a file is gone']],
    ] as [number, string[]][])
      sums = addRound(sums, seed, { faults: 2, figures: { lost: [seed] }, wrong }, 1500, new Date(0));
    writeState(file, { kills: sums });
    const { kills } = await readState(file);
    expect(kills).toEqual({
      ...{ rounds: 2, faults: 4, tookMs: 3000, nextSeed: 3, figures: { lost: [1, 2] } },
      failures: [{ seed: 2, wrong: ['a file is gone'], at: '1970-01-01T00:00:00.000Z' }],
    });
    const { bars, rows } = sectionOf('kills', campaign, kills!);
    expect(rows).toEqual([['lost', '2', 1.5, 1.95, 2]]);
    expect(bars.map(({ reached }) => reached)).toEqual([false, true]);
    await rm(path.dirname(path.dirname(file)), { recursive: true });
  });
});

describe('the checker', () => {
  const coverage = (change: Partial<Coverage>): Coverage => ({
    ...{ cameraId: 'cam1', stream: 'main', asked: { startMs: 0, endMs: 60_000 } },
    ...{ begunMs: null, recorded: [], gaps: [], clockSteps: [], held: [], ...change },
  });
  it('wants every second recorded or a gap with a cause, once', () => {
    const recorded = [
      { startMs: 0, endMs: 20_000 },
      { startMs: 30_000, endMs: 60_000 },
    ];
    const gap = { startMs: 20_000, endMs: 30_000, cause: 'silent' as const };
    const unknown = { ...gap, cause: 'unknown' as const };
    expect(unaccounted(coverage({ recorded, gaps: [gap] }), 60_000)).toEqual([]);
    expect(unaccounted(coverage({ recorded }), 60_000)).toHaveLength(1);
    expect(unaccounted(coverage({ recorded, gaps: [unknown] }), 60_000)).toHaveLength(1);
    expect(unaccounted(coverage({ recorded, gaps: [unknown] }), 60_000, [gap])).toEqual([]);
    expect(unaccounted(coverage({ recorded, gaps: [{ ...gap, endMs: 32_000 }] }), 60_000)).toHaveLength(1);
    expect(unaccounted(coverage({ recorded: [recorded[0]!] }), 60_000)).toHaveLength(1);
  });
});

describe('the short form of npm run torture', () => {
  it.concurrent('its checker finds nothing on a recorder that is well, and each thing that is wrong', async ({
    expect,
  }) => {
    const stage = await openStage({ patience: PATIENCE });
    try {
      const rows = await eventually('three files are closed', async () => {
        const closed = (await rowsOf(stage.recorder)).filter(({ open }) => !open);
        return closed.length >= 3 && closed;
      });
      expect(await stage.check({ content: true })).toEqual([]);
      const [held, longer, gone] = [stage.held!.paths[0]!, ...rows.map((row) => row.path)].filter(
        (one, i, all) => all.indexOf(one) === i,
      ) as [string, string, string];
      await appendFile(path.join(stage.root, longer), 'x');
      await rm(path.join(stage.root, gone));
      await writeFile(path.join(stage.recorder.folder, 'left.new'), '');
      // a file opened before `readyMs` must be closed by now, and no process of before may be left
      const wrong = await stage.check({
        readyMs: Date.now() + 60_000,
        agreeWithinMs: 500,
        ended: [process.pid],
      });
      for (const line of [
        `${longer} is not whole`,
        `${gone} is a row without a file`,
        expect.stringMatching(/is still open$/),
        `verify: changed-file ${longer}`,
        `verify: missing-file ${gone}`,
        'left.new is left',
        `process ${process.pid} is left`,
      ])
        expect(wrong).toContainEqual(line);
      await rm(path.join(stage.recorder.folder, 'left.new'));
      stage.held = { id: 'no-such-hold', paths: [held, 'cam1/main/nowhere.mp4'] };
      const lost = await stage.check({ tampered: [longer, gone] });
      expect(lost).toEqual(['the hold no-such-hold is gone', 'cam1/main/nowhere.mp4 was held and is gone']);
    } finally {
      await stage.close();
    }
  }, 120_000);

  for (const [name, campaign] of Object.entries(campaigns)) {
    if (NOT_HERE.includes(name)) continue;
    const why = missing(campaign);
    if (why !== null) console.warn(`NOT TRIED: ${name}: ${why}`);
    it.skipIf(why !== null).concurrent(
      name,
      async ({ expect }) => {
        const told: string[] = [];
        const rounds = ROUNDS[name] ?? 1;
        await runCampaign(campaign, {
          ...{ rounds, seed: SEED, lanes: 1, scale: SCALE, patience: PATIENCE },
          onRound: (seed, { wrong }) => told.push(...wrong.map((line) => `seed ${seed}: ${line}`)),
        });
        expect(told).toEqual([]);
      },
      240_000,
    );
  }
});
