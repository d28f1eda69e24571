/** Zalo's tokens under kills and network faults: how often a person had to consent again, and why. */
import { type TortureOutcome, tortureTokens } from '../test/support/zalo-tokens.js';
import { percentile, type Section, show } from './figures.js';
import { makeRandom } from './random.js';
import type { BenchOptions } from './run.js';

/** Side by side, each with a Zalo of its own: a kill is mostly waiting. */
const LANES = 4;

const sum = (outcomes: TortureOutcome[], of: (outcome: TortureOutcome) => number) =>
  outcomes.reduce((total, outcome) => total + of(outcome), 0);

export async function zaloTokens({ rounds = 1000, seed = 1, say }: BenchOptions): Promise<Section[]> {
  const kills = Math.ceil(rounds / LANES);
  const outcomes = await Promise.all(
    Array.from({ length: LANES }, (_, lane) =>
      tortureTokens({
        kills,
        random: makeRandom(seed * 1000 + lane),
        withinMs: 600,
        say: (line) => say(`${lane + 1}: ${line}`),
      }),
    ),
  );
  const all = (of: (outcome: TortureOutcome) => number) => sum(outcomes, of);
  const faults = new Map<string, number>();
  for (const { faults: some } of outcomes)
    for (const [name, count] of Object.entries(some)) faults.set(name, (faults.get(name) ?? 0) + count);
  const lost = all((outcome) => outcome.lockedOut.answerLost);
  const both = all((outcome) => outcome.lockedOut.bothKilled);
  const other = all((outcome) => outcome.lockedOut.other);
  const told = all((outcome) => outcome.told);
  const again = outcomes.flatMap((outcome) => outcome.againMs);
  return [
    {
      title: `Zalo's tokens: ${all((outcome) => outcome.kills)} kills and network faults`,
      how: `A bot with the real client and token keeper before the stand-in of Zalo, whose access token expires at random moments; kill -9 of the bot up to 600 ms after that or up to 25 ms after it is about to ask for a new pair; a tenth of the kills takes the helper process too, as a power cut would; a fifth comes again before the bot has mended the one before. ${LANES} side by side, seed ${seed}.`,
      columns: ['', 'count'],
      rows: [
        ['kills', String(all((outcome) => outcome.kills))],
        ['of these while a new pair was asked for or not yet stored', String(all((o) => o.withinRefresh))],
        ['pairs that Zalo gave', String(all((outcome) => outcome.refreshes))],
        ...[...faults].sort().map(([name, count]) => [`network: ${name}`, String(count)]),
        ['consent needed: the answer never reached the machine', String(lost)],
        ['consent needed: bot and helper killed at once', String(both)],
        ['consent needed: anything else', String(other)],
        ['start → first call that comes through, ms p50', show(percentile(again, 0.5))],
        ['start → first call that comes through, ms p95', show(percentile(again, 0.95))],
      ],
      bars: [
        {
          what: 'never locked out when the answer reached the machine and the helper lived',
          figure: `${other} times`,
          reached: other === 0,
        },
        {
          what: 'the chief is told of each, once',
          figure: `${told} of ${lost + both + other}`,
          reached: told === lost + both + other,
        },
        {
          what: 'never asked again once Zalo has said that the refresh token is used up',
          figure: `${all((outcome) => outcome.usedAgain)} again`,
          reached: all((outcome) => outcome.usedAgain) === 0,
        },
      ],
    },
  ];
}
