/** The recorder killed at random moments: how much video is lost before the kill, how soon it records again. */
import { S1 } from '../test/support/frame-clock.js';
import { percentile, type Section, show } from './figures.js';
import { makeRandom } from './random.js';
import type { BenchOptions } from './run.js';
import { openKills, PARENT_WAITS_MS } from './torture/kills.js';

const CAMERAS = 4;
const SETTINGS = S1;
const LIFE_MS = 5500;
const FIGURES = ['lost before the kill', 'recording again after', 'from the last picture to the next'];

/** The row "kill -9 of the recorder at a random moment". */
export async function recorderKills({ rounds = 20, seed = 1, say }: BenchOptions): Promise<Section[]> {
  say(`killing the recorder ${rounds} times`);
  const random = makeRandom(seed);
  const figures: Record<string, number[]> = {};
  const wrong: string[] = [];
  const env = { MAT_THAN_SEGMENT_MS: '60000' };
  const place = await openKills({
    ...{ cameras: CAMERAS, settings: SETTINGS, env, gst: () => {} },
    ...{ lifeMs: LIFE_MS, children: false, holding: false },
  });
  try {
    for (let kill = 1; kill <= rounds; kill += 1) {
      const round = await place.round(random);
      for (const [name, values] of Object.entries(round.figures))
        figures[name] = [...(figures[name] ?? []), ...values];
      wrong.push(...round.wrong);
      if (kill % 5 === 0) say(`killed ${kill} times`);
    }
  } finally {
    await place.close();
  }
  const of = (name: string) => figures[name] ?? [];
  const lost = Math.max(...of('lost before the kill'));
  const again = Math.max(...of('recording again after'));
  const againBar = 5000 + SETTINGS.gopSeconds * 1000;
  return [
    {
      title: `Recorder killed ${rounds} times (kill -9), ${CAMERAS} cameras recording`,
      how: `720p15 H.264, GOP 2 s; seed ${seed}; the service alone is killed 0.3–${LIFE_MS / 1000} s after it records again, its ffmpegs must end by themselves; started again after ${PARENT_WAITS_MS} ms as the parent does. Lost: frames the camera had sent before the kill that are not in the recovered file, by the numbers in the pictures. ${of('lost before the kill').length} losses. After each kill the checker of \`npm run torture\` proves every promise.`,
      columns: ['ms', 'p50', 'p95', 'max'],
      rows: FIGURES.map((name) => [
        name,
        percentile(of(name), 0.5),
        percentile(of(name), 0.95),
        Math.max(...of(name)),
      ]),
      bars: [
        {
          what: '≤ 1 s of video lost before the kill',
          figure: `max ${show(lost)} ms`,
          reached: lost <= 1000,
        },
        {
          what: `recording again ≤ 5 s + one GOP (${againBar} ms)`,
          figure: `max ${show(again)} ms`,
          reached: again <= againBar,
        },
        {
          what: 'every promise kept: files whole, index agrees, no ffmpeg left …',
          figure: wrong.length === 0 ? 'always' : wrong.slice(0, 3).join('; '),
          reached: wrong.length === 0,
        },
      ],
    },
  ];
}
