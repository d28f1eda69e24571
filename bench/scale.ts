/** Many cameras at once: is every frame there, what does it cost, and where does it break? */
import { mean, percentile, type Section, show } from './figures.js';
import type { BenchOptions } from './run.js';
import {
  DECODED,
  inShort,
  type Judged,
  type Scaled,
  type Stretch,
  scaled,
  WARM_UP_SECONDS,
} from './scale-run.js';

const COLUMNS = [
  'cameras',
  'recorder cores',
  'recorder PSS MB, max',
  'MB / camera',
  'server cores',
  'server MB',
  'machine busy %',
  'newest picture at most ms old',
  'answers ms p95 / max',
  'server late ms max',
  'frames it left out',
  'gaps told',
  'frames missing',
];

function row(one: Judged): (string | number)[] {
  const { service, server, late } = one;
  return [
    String(one.cameras),
    service.cores.toFixed(3),
    Math.max(...service.pssMb),
    mean(service.pssMb) / one.cameras,
    server.cores.toFixed(3),
    mean(server.pssMb),
    one.busy * 100,
    Math.max(...one.ageMs),
    `${show(percentile(one.answerMs, 0.95))} / ${show(Math.max(...one.answerMs))}`,
    late.worstMs,
    String(late.skipped),
    String(one.gaps),
    `${one.missing} of ${one.frames}`,
  ];
}

const HOW = `720p15, 2 Mbps, GOP 2 s through gst-rtsp-server on loopback, which shares the two cores and costs what stands beside; the service as a commune runs it, hashing and syncing, CPU and memory (PSS) of Node and all its children. ${WARM_UP_SECONDS} s to warm up after the last camera connected. Every frame of every camera is looked for in the files (by the sizes of the pictures, each of the film its own), and the pictures of ${DECODED} cameras are decoded and read too.`;

function wholeBars({ stretches, strange, disagreeing }: Scaled): Section['bars'] {
  return [
    ...stretches.map(({ cameras, gaps, missing, incomplete, notRecording, startMs, endMs }) => ({
      what: `${cameras} cameras, ${show((endMs - startMs) / 60_000)} min: no gap, no dropped fragment`,
      figure: `${gaps} gaps told, ${notRecording} times not recording, ${missing} frames missing of ${incomplete} cameras`,
      reached: gaps === 0 && missing === 0 && notRecording === 0,
    })),
    {
      what: 'every picture is the frame it should be',
      figure: `${strange} strange, ${disagreeing} decoded otherwise`,
      reached: strange === 0 && disagreeing === 0,
    },
  ];
}

/** The rows "70 cameras" and "150 streams": `seconds` (600) each; with `cameras` only so many. */
export async function scale({ cameras, seconds = 600, say }: BenchOptions): Promise<Section[]> {
  const counts = cameras === undefined ? [70, 150] : [cameras];
  const found = await scaled(
    counts.map((count) => ({ cameras: count, seconds })),
    () => true,
    say,
  );
  const first = found.stretches[0];
  const megabytes = first === undefined ? Number.NaN : Math.max(...first.service.pssMb);
  return [
    {
      title: `${counts.join(' and ')} cameras at 2 Mbps`,
      how: HOW,
      columns: COLUMNS,
      rows: found.stretches.map(row),
      bars: [
        ...wholeBars(found),
        ...(found.ended === null
          ? []
          : [{ what: 'every camera connects', figure: found.ended, reached: false }]),
        ...(first?.cameras !== 70
          ? []
          : [
              {
                what: '70 cameras: ≤ 0.5 core for the recorder and its children',
                figure: `${first.service.cores.toFixed(3)} core`,
                reached: first.service.cores <= 0.5,
              },
              {
                what: '70 cameras: ≤ 1.5 GB in all',
                figure: `${show(megabytes)} MB at most`,
                reached: megabytes <= 1536,
              },
            ]),
      ],
    },
  ];
}

/** A camera whose newest picture is older than this lags, ms. */
const LAG_MS = 3000;

const holds = ({ gaps, notRecording, late, ageMs }: Stretch) =>
  gaps === 0 && notRecording === 0 && late.skipped === 0 && Math.max(...ageMs) <= LAG_MS;

/** Where it breaks: from `cameras` (150) on 50 more a step, `seconds` (60) each, at most `rounds` (8) steps. */
export async function scaleLimit({
  cameras = 150,
  seconds = 60,
  rounds = 8,
  say,
}: BenchOptions): Promise<Section[]> {
  const steps = Array.from({ length: rounds }, (_, i) => ({ cameras: cameras + i * 50, seconds }));
  const found = await scaled(steps, holds, say);
  const whole = found.stretches.filter((one) => holds(one) && one.missing === 0);
  const broken = found.stretches.find((one) => !whole.includes(one));
  const wherefore =
    found.ended ?? (broken ? `${broken.cameras} cameras: ${inShort(broken)}` : 'not found in these steps');
  const least = 150;
  const most = Math.max(0, ...whole.map((one) => one.cameras));
  return [
    {
      title: 'Ever more cameras until something breaks',
      how: `${HOW} ${seconds} s a step; broken: a gap, a camera that does not record, a frame missing, a newest picture over ${LAG_MS} ms old, or a server that leaves out frames itself. It broke at: ${wherefore}.`,
      columns: COLUMNS,
      rows: found.stretches.map(row),
      bars: [
        {
          what: `${least} streams or more without gap`,
          figure: `${most} cameras held`,
          reached: most >= least,
        },
      ],
    },
  ];
}
