/** What the runs of a campaign have shown, as a section of bench/RESULTS.md. */
import { percentile, type Section, show } from '../figures.js';
import type { Campaign } from './campaign.js';
import type { Sums } from './state.js';

const largest = (values: readonly number[]) => values.reduce((most, value) => Math.max(most, value), 0);

/** The figures of a campaign; runs are summed up. */
export function sectionOf(name: string, campaign: Campaign, sums: Sums): Section {
  const seconds = sums.tookMs / 1000 / Math.max(1, sums.rounds);
  const words = sums.failures.flatMap(({ seed, wrong }) => `seed ${seed}: ${wrong[0]}`).slice(0, 3);
  return {
    title: `Torture, ${name}: ${sums.faults} faults in ${sums.rounds} rounds`,
    how: `${campaign.what}. After each the checker proves every promise of media/README.md. ${show(seconds)} s a round.`,
    columns: ['ms', 'values', 'p50', 'p95', 'max'],
    rows: Object.entries(sums.figures).map(([figure, values]) => [
      ...[figure, String(values.length), percentile(values, 0.5), percentile(values, 0.95), largest(values)],
    ]),
    bars: [
      {
        what: 'every promise kept',
        figure:
          sums.failures.length === 0 ? 'always' : `${sums.failures.length} rounds not: ${words.join('; ')}`,
        reached: sums.failures.length === 0,
      },
      ...Object.entries(campaign.bars).flatMap(([figure, mostMs]) => {
        const values = sums.figures[figure] ?? [];
        const what = `${figure} ≤ ${mostMs} ms`;
        return values.length === 0
          ? []
          : [{ what, figure: `max ${show(largest(values))} ms`, reached: largest(values) <= mostMs }];
      }),
    ],
  };
}
