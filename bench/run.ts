/**
 * The measurements behind the figures we claim.
 *   node src/bin/run.mjs bench/run all --save       every benchmark, kept in bench/RESULTS.md
 *   node src/bin/run.mjs bench/run bot-kills        one of them, printed only
 *   … --rounds=20 --seconds=60 --minutes=60 --cameras=30 --seed=1
 * What rounds and seconds mean, and how many there are when not said, each benchmark says itself.
 */
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { findFfmpeg } from '../src/base/ffmpeg.js';
import { projectRoot } from '../test/support/project-root.js';
import { answers } from './answers.js';
import { botKills } from './bot-kills.js';
import { type Section, toMarkdown } from './figures.js';
import { indexScale } from './index-scale.js';
import { longClips } from './long-clips.js';
import { powerCuts } from './power-cuts.js';
import { machine } from './processes.js';
import { promisePrice } from './promise-price.js';
import { rebuild } from './rebuild.js';
import { recorderKills } from './recorder-kills.js';
import { recordingCost } from './recording-cost.js';
import { putSection } from './results.js';
import { scale, scaleLimit } from './scale.js';
import { slowDiskBench } from './slow-disk.js';
import { soak } from './soak.js';
import { storyboard } from './storyboard.js';
import { updateGap } from './update-gap.js';
import { zaloTokens } from './zalo-tokens.js';
import { zaloWebhook } from './zalo-webhook.js';

export interface BenchOptions {
  cameras?: number;
  seconds?: number;
  minutes?: number;
  rounds?: number;
  seed?: number;
  say(line: string): void;
}

/** Every benchmark by its name, in the order of the table; those that need a quiet machine most come first. */
const BENCHES: Record<string, (options: BenchOptions) => Promise<Section[]>> = {
  answers,
  'long-clips': longClips,
  storyboard,
  'recording-cost': recordingCost,
  'promise-price': promisePrice,
  scale,
  'scale-limit': scaleLimit,
  index: indexScale,
  rebuild,
  'recorder-kills': recorderKills,
  'bot-kills': botKills,
  'power-cuts': powerCuts,
  'slow-disk': slowDiskBench,
  'update-gap': updateGap,
  soak,
  'zalo-tokens': zaloTokens,
  'zalo-webhook': zaloWebhook,
};

const OPTIONS = ['cameras', 'seconds', 'minutes', 'rounds', 'seed'] as const;

async function main(): Promise<void> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      save: { type: 'boolean', default: false },
      ...Object.fromEntries(OPTIONS.map((name) => [name, { type: 'string' as const }])),
    },
  });
  const all = positionals.length === 0 || positionals.includes('all');
  const names = all ? Object.keys(BENCHES) : positionals;
  const unknown = names.filter((name) => !(name in BENCHES));
  if (unknown.length > 0)
    throw new Error(`no benchmark ${unknown.join(', ')}; there are: all, ${Object.keys(BENCHES).join(', ')}`);
  const numbers: Partial<Record<(typeof OPTIONS)[number], number>> = {};
  for (const name of OPTIONS) {
    const value = (values as Record<string, unknown>)[name];
    if (value === undefined) continue;
    if (!/^\d+$/.test(String(value))) throw new Error(`--${name} is a whole number, not ${value}`);
    numbers[name] = Number(value);
  }
  const given = Object.entries(numbers).map(([name, value]) => ` --${name}=${value}`);
  const ffmpeg = await findFfmpeg({ configured: process.env.FFMPEG_PATH });
  const missed: string[] = [];
  for (const name of names) {
    const begunMs = Date.now();
    const sections = await BENCHES[name]!({
      ...numbers,
      say: (line) => process.stderr.write(`${name}: ${line}\n`),
    });
    const minutes = ((Date.now() - begunMs) / 60_000).toFixed(1);
    const day = new Date().toISOString().slice(0, 10);
    const where = `Measured ${day} on ${machine()}; ffmpeg ${ffmpeg.version} (${ffmpeg.kind}); ${minutes} min; \`node src/bin/run.mjs bench/run ${name}${given.join('')}\`.`;
    const text = sections
      .map((section) => toMarkdown({ ...section, how: `${section.how}\n\n${where}` }))
      .join('\n');
    process.stdout.write(`${text}\n`);
    for (const section of sections)
      for (const bar of section.bars) if (!bar.reached) missed.push(`${bar.what}: ${bar.figure}`);
    if (values.save) {
      const file = join(projectRoot, 'bench', 'RESULTS.md');
      const before = existsSync(file) ? await readFile(file, 'utf8') : '# Figures measured\n';
      await writeFile(file, putSection(before, name, text));
    }
  }
  process.stdout.write(missed.length === 0 ? 'Every bar is met.\n' : `Missed:\n- ${missed.join('\n- ')}\n`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main();
