/** What all runs of a campaign together have found: kept on disk, so that each run goes on where the last one ended. */
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Round } from './campaign.js';

export interface Failure {
  seed: number;
  wrong: string[];
  /** ISO date */
  at: string;
}

export interface Sums {
  rounds: number;
  faults: number;
  /** time that rounds took, all lanes together, ms */
  tookMs: number;
  nextSeed: number;
  /** every value measured, by name */
  figures: Record<string, number[]>;
  failures: Failure[];
}

export type State = Record<string, Sums>;

/** Failures whose words are kept; more are counted. */
const WORDS_KEPT = 12;

export const noSums = (): Sums => ({
  ...{ rounds: 0, faults: 0, tookMs: 0, nextSeed: 1 },
  ...{ figures: {}, failures: [] },
});

/** Adds a round to what is known. */
export function addRound(sums: Sums, seed: number, round: Round, tookMs: number, at: Date): Sums {
  const figures = { ...sums.figures };
  for (const [name, values] of Object.entries(round.figures))
    if (values.length > 0) figures[name] = [...(figures[name] ?? []), ...values.map(Math.round)];
  const failure: Failure = { seed, wrong: round.wrong.slice(0, WORDS_KEPT), at: at.toISOString() };
  return {
    rounds: sums.rounds + 1,
    faults: sums.faults + (round.faults ?? 1),
    tookMs: sums.tookMs + Math.round(tookMs),
    nextSeed: Math.max(sums.nextSeed, seed + 1),
    figures,
    failures: round.wrong.length === 0 ? sums.failures : [...sums.failures, failure],
  };
}

/** Empty when there is no file yet. Throws when it is no state. */
export async function readState(file: string): Promise<State> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    return '{}';
  });
  return JSON.parse(text) as State;
}

/** Written beside and renamed: a Ctrl-C never leaves half a file. All at once, since several rounds may end together. */
export function writeState(file: string, state: State): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.new`, `${JSON.stringify(state)}\n`);
  renameSync(`${file}.new`, file);
}
