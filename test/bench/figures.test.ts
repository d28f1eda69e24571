import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { earlyBy } from '../../bench/clips.js';
import { percentile, show, slopeOf, toMarkdown } from '../../bench/figures.js';
import { costOf, measure } from '../../bench/processes.js';
import { putSection } from '../../bench/results.js';

describe('the figures of the benchmarks', () => {
  it('interpolates percentiles', () => {
    expect(percentile([3, 1, 2], 0.5)).toBe(2);
    expect(percentile([0, 10], 0.95)).toBeCloseTo(9.5);
    expect(percentile([7], 0.95)).toBe(7);
    expect(percentile([], 0.5)).toBeNaN();
  });

  it('lays a straight line through points and tells how sure its slope is', () => {
    const exact = slopeOf([0, 1, 2, 3].map((x) => [x, 5 + 2 * x]));
    expect(exact.slope).toBeCloseTo(2);
    expect(exact.error).toBeCloseTo(0);
    const noisy = slopeOf([0, 1, 2, 3].map((x) => [x, x % 2]));
    expect(noisy.slope).toBeCloseTo(0.2);
    expect(noisy.error).toBeCloseTo(Math.sqrt(0.8 / 2 / 5));
    expect(slopeOf([[0, 1]]).slope).toBeNaN();
  });

  it('counts a clip that begins late as late, but not where that moment was never recorded', () => {
    expect(earlyBy(10_000, 9000, [])).toBe(1000);
    expect(earlyBy(10_000, 11_022, [])).toBe(-1022);
    // a gap later on excuses no late start
    expect(earlyBy(10_000, 11_022, [{ startMs: 20_000, endMs: 21_000 }])).toBe(-1022);
    expect(earlyBy(10_000, 11_022, [{ startMs: 10_000, endMs: 11_000 }])).toBeNaN();
  });

  it('shows three figures at most', () => {
    expect([1234.5, 12.345, 1.2345, 0.0678, Number.NaN].map(show)).toEqual([
      '1235',
      '12.3',
      '1.23',
      '0.07',
      '–',
    ]);
  });

  it('prints what was measured side by side, and which bars were missed', () => {
    const text = toMarkdown({
      title: 'T',
      how: 'So.',
      columns: ['', 'ms'],
      rows: [
        ['bare', 1.5],
        ['ours', 12.25],
      ],
      bars: [{ what: 'ours ≤ bare', figure: '12.3 ms', reached: false }],
    });
    expect(text).toContain('|      | ms   |\n|------|------|\n| bare | 1.50 |\n| ours | 12.3 |');
    expect(text).toContain('| ours ≤ bare | 12.3 ms  | **missed** |');
  });

  it('replaces its own section in the results and leaves the others alone', () => {
    const first = putSection(putSection('# Figures\n', 'a', 'one'), 'b', 'two');
    const second = putSection(first, 'a', 'three');
    expect(second).not.toContain('one');
    expect(second).toContain('<!-- a -->\nthree\n<!-- /a -->');
    expect(second).toContain('<!-- b -->\ntwo\n<!-- /b -->');
  });

  it.skipIf(process.platform !== 'linux')(
    'counts what a process and its child cost, and nothing else',
    async () => {
      // A parent that only waits, and a child that keeps one core busy.
      const busy = "const { spawn } = require('child_process');";
      const child = `${busy} spawn(process.execPath, ['-e', 'console.log(1); for (;;);'], { stdio: 'inherit' });`;
      const parent = spawn(process.execPath, ['-e', child], {
        stdio: ['ignore', 'pipe', 'inherit'],
        detached: true,
      });
      try {
        await once(parent.stdout, 'data');
        const span = await measure([parent.pid!], 1, 2);
        expect(span.processes).toBe(2);
        // one core when it gets one; a parent that waits costs nothing to speak of
        expect(span.cores).toBeGreaterThan(0.03);
        expect(span.cores).toBeLessThan(1.3);
        expect(Math.min(...span.pssMb)).toBeGreaterThan(10);
      } finally {
        process.kill(-parent.pid!, 'SIGKILL');
        await once(parent, 'exit');
      }
      expect((await costOf([parent.pid!])).processes).toBe(0);
    },
  );
});
