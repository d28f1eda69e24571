/**
 * The measurements behind the figures we claim.
 *   node src/bin/run.mjs bench/run                  every benchmark
 *   node src/bin/run.mjs bench/run recording-cost   one of them
 *   … --save                                        keeps the figures in bench/RESULTS.md
 *   … --cameras=30 --seconds=120                    options of the benchmarks
 */
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { findFfmpeg } from '../src/base/ffmpeg.js';
import { projectRoot } from '../test/support/project-root.js';
import { clips } from './clips.js';
import { type Section, toMarkdown } from './figures.js';
import { pictures } from './pictures.js';
import { machine } from './processes.js';
import { recordingCost } from './recording-cost.js';

export interface BenchOptions {
  cameras: number;
  /** length of one measurement */
  seconds: number;
  rounds: number;
  say(line: string): void;
}

/** Every benchmark by its name. */
const BENCHES: Record<string, (options: BenchOptions) => Promise<Section>> = {
  pictures,
  clips,
  'recording-cost': recordingCost,
};

/** Replaces the section of a benchmark in RESULTS.md, or adds it. */
export function putSection(results: string, name: string, text: string): string {
  const begin = `<!-- ${name} -->`;
  const end = `<!-- /${name} -->`;
  const block = `${begin}\n${text.trim()}\n${end}`;
  const from = results.indexOf(begin);
  const to = results.indexOf(end);
  if (from < 0 || to < 0) return `${results.trimEnd()}\n\n${block}\n`;
  return results.slice(0, from) + block + results.slice(to + end.length);
}

async function main(): Promise<void> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      save: { type: 'boolean', default: false },
      cameras: { type: 'string', default: '30' },
      seconds: { type: 'string', default: '120' },
      rounds: { type: 'string', default: '2' },
    },
  });
  const names = positionals.length > 0 ? positionals : Object.keys(BENCHES);
  const unknown = names.filter((name) => !(name in BENCHES));
  if (unknown.length > 0) {
    throw new Error(`no benchmark ${unknown.join(', ')}; there are: ${Object.keys(BENCHES).join(', ')}`);
  }
  const ffmpeg = await findFfmpeg({ configured: process.env.FFMPEG_PATH });
  for (const name of names) {
    const section = await BENCHES[name]!({
      cameras: Number(values.cameras),
      seconds: Number(values.seconds),
      rounds: Number(values.rounds),
      say: (line) => process.stderr.write(`${line}\n`),
    });
    const day = new Date().toISOString().slice(0, 10);
    const where = `Measured ${day} on ${machine()}; ffmpeg ${ffmpeg.version} (${ffmpeg.kind}).`;
    const text = toMarkdown({ ...section, how: `${section.how} ${where}` });
    process.stdout.write(`${text}\n`);
    if (values.save) {
      const file = join(projectRoot, 'bench', 'RESULTS.md');
      const before = existsSync(file) ? await readFile(file, 'utf8') : '# Figures measured\n';
      await writeFile(file, putSection(before, name, text));
    }
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main();
