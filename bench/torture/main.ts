/**
 * npm run torture -- [campaign…] [--rounds N] [--minutes M] [--seed S] [--lanes L] [--scale X] [--out folder] [--save]
 * Faults of every kind done to the real recorder; after each a checker proves the promises of media/README.md.
 * Resumable: Ctrl-C any time (a second one at once); the next call goes on with the next seed, and figures are summed
 * up over all calls. With --seed those rounds are done (again), and nothing is summed. Exit 1: a promise was broken.
 */
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { projectRoot } from '../../test/support/project-root.js';
import { toMarkdown } from '../figures.js';
import { machine } from '../processes.js';
import { putSection } from '../results.js';
import { missing } from './campaign.js';
import { campaigns } from './campaigns.js';
import { sectionOf } from './report.js';
import { runCampaign } from './run.js';
import { addRound, noSums, readState, type State, writeState } from './state.js';

const text = { type: 'string' } as const;
const OPTIONS = {
  ...{ rounds: text, minutes: text, seed: text, lanes: text, scale: text, out: text },
  save: { type: 'boolean', default: false },
} as const;

const { values, positionals } = parseArgs({ allowPositionals: true, options: OPTIONS });

function numberOf(name: 'rounds' | 'minutes' | 'seed' | 'lanes' | 'scale'): number | undefined {
  const text = values[name];
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!(value >= 0)) throw new Error(`--${name} is a number, not ${text}`);
  return value;
}

const say = (line: string) => void process.stdout.write(`${line}\n`);
const stopping = new AbortController();

/** The first Ctrl-C ends after the rounds under way, the second at once. */
function listenForEnd(): void {
  process.on('SIGINT', () => {
    if (stopping.signal.aborted) process.exit(130);
    say('ending after the rounds under way; Ctrl-C again to end at once');
    stopping.abort();
  });
}

async function torture(name: string, file: string, state: State): Promise<boolean> {
  const campaign = campaigns[name]!;
  const why = missing(campaign);
  if (why !== null) {
    say(`${name}: NOT DONE: ${why}`);
    return true;
  }
  const given = numberOf('seed');
  const before = state[name] ?? noSums();
  const seed = given ?? before.nextSeed;
  const left = Math.max(0, campaign.rounds - before.rounds);
  const rounds = numberOf('rounds') ?? (given === undefined ? left : 1);
  const scale = numberOf('scale') ?? 1;
  let broken = 0;
  say(`${name}: ${rounds} rounds from seed ${seed} (${before.rounds} done before)`);
  await runCampaign(campaign, {
    ...{ rounds, seed, scale, patience: 1, lanes: numberOf('lanes') ?? campaign.lanes },
    ...{ signal: stopping.signal, keepIn: join(out, name) },
    onRound(of, round, tookMs) {
      const figures = Object.entries(round.figures).flatMap(([what, found]) =>
        found.length === 0 ? [] : [`${what} ${found.map((ms) => Math.round(ms)).join('/')} ms`],
      );
      say(`${name} seed ${of}: ${figures.join(', ')} (${(tookMs / 1000).toFixed(1)} s)`);
      if (round.wrong.length > 0) {
        broken += 1;
        for (const line of round.wrong.slice(0, 12)) say(`  BROKEN: ${line}`);
        say(`  again: npm run torture -- ${name} --seed ${of}${scale === 1 ? '' : ` --scale ${scale}`}`);
      }
      if (given !== undefined) return;
      state[name] = addRound(state[name] ?? noSums(), of, round, tookMs, new Date());
      writeState(file, state);
    },
  });
  return broken === 0;
}

async function save(names: readonly string[], state: State): Promise<void> {
  const results = join(projectRoot, 'bench', 'RESULTS.md');
  const day = new Date().toISOString().slice(0, 10);
  for (const name of names) {
    const sums = state[name];
    if (sums === undefined) continue;
    const section = sectionOf(name, campaigns[name]!, sums);
    const where = `Until ${day} on ${machine()}; \`npm run torture -- ${name}\`, all runs together.`;
    const text = toMarkdown({ ...section, how: `${section.how}\n\n${where}` });
    const before = existsSync(results) ? await readFile(results, 'utf8') : '# Figures measured\n';
    await writeFile(results, putSection(before, `torture-${name}`, text));
  }
}

const names = positionals.length === 0 ? Object.keys(campaigns) : positionals;
const unknown = names.filter((name) => !(name in campaigns));
if (unknown.length > 0)
  throw new Error(`no campaign ${unknown.join(', ')}; there are: ${Object.keys(campaigns).join(', ')}`);
listenForEnd();
const minutes = numberOf('minutes');
const late = minutes === undefined ? undefined : setTimeout(() => stopping.abort(), minutes * 60_000);
/** Logs of rounds that broke a promise; the sums are part of the project, so that a new machine goes on with them. */
const out = values.out === undefined ? join(projectRoot, 'bench', 'out') : resolve(values.out);
const file = join(values.out === undefined ? join(projectRoot, 'bench') : out, 'torture.json');
const state = await readState(file);
let kept = true;
for (const name of names) if (!stopping.signal.aborted) kept = (await torture(name, file, state)) && kept;
clearTimeout(late);
for (const name of names)
  if (state[name] !== undefined) say(toMarkdown(sectionOf(name, campaigns[name]!, state[name])));
if (values.save) await save(names, state);
say(kept ? 'Every promise was kept.' : 'A promise was broken, see above.');
process.exitCode = kept ? 0 : 1;
