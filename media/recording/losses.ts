import { SEAM_MS } from '../coverage.js';
import type { Range } from '../types.js';

/** Where pictures end that went on until `endMs`, when these were lost; and what is missing before that, ascending. */
export function withoutLosses(endMs: number, losses: readonly Range[]): { endMs: number; holes: Range[] } {
  const holes = [...losses].sort((a, b) => a.startMs - b.startMs);
  let atMs = endMs;
  for (let last = holes.at(-1); last !== undefined && atMs - last.endMs <= SEAM_MS; last = holes.at(-1)) {
    atMs = Math.min(atMs, last.startMs);
    holes.pop();
  }
  return { endMs: atMs, holes };
}
