/** Does the rounds of a campaign, in several places side by side. */
import { join } from 'node:path';
import { makeRandom } from '../random.js';
import type { Campaign, Given, Place, Round } from './campaign.js';

export interface RunOptions extends Given {
  rounds: number;
  /** of the first round; each next one has the next */
  seed: number;
  lanes: number;
  /** no new round begins after it is aborted */
  signal?: AbortSignal;
  /** the log of a recorder that broke a promise is kept below this folder */
  keepIn?: string;
  onRound(seed: number, round: Round, tookMs: number): void;
}

const wordsOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** Figures over their bar are broken promises too. */
export function overBars(bars: Record<string, number>, { figures }: Round, patience = 1): string[] {
  return Object.entries(bars).flatMap(([name, mostMs]) =>
    (figures[name] ?? [])
      .filter((ms) => !(ms <= patience * mostMs))
      .map((ms) => `${name}: ${Math.round(ms)} ms, more than ${patience * mostMs}`),
  );
}

/** Runs the rounds; a place in which a promise was broken is given up, with its log kept. */
export async function runCampaign(campaign: Campaign, options: RunOptions): Promise<void> {
  const seeds = Array.from({ length: options.rounds }, (_, i) => options.seed + i).values();
  const done = () => options.signal?.aborted === true;
  const lane = async () => {
    let place: Place | null = null;
    let used = 0;
    try {
      for (const seed of seeds) {
        if (done()) break;
        const begunMs = performance.now();
        let round: Round;
        try {
          place ??= await campaign.open(options);
          round = await place.round(makeRandom(seed));
          round.wrong.push(...overBars(campaign.bars, round, options.patience));
        } catch (error) {
          round = { figures: {}, wrong: [`the round could not be done: ${wordsOf(error)}`] };
        }
        used += 1;
        options.onRound(seed, round, performance.now() - begunMs);
        const failed = round.wrong.length > 0;
        if (place !== null && (failed || used >= campaign.roundsAPlace)) {
          const given: Place = place;
          place = null;
          used = 0;
          const { keepIn } = options;
          await given.close(failed && keepIn !== undefined ? join(keepIn, `seed-${seed}`) : undefined);
        }
      }
    } finally {
      await place?.close();
    }
  };
  await Promise.all(Array.from({ length: Math.min(options.lanes, options.rounds) }, lane));
}
