/** Figures of a measurement and the table they are shown in. */

/** Value below which `share` (0–1) of the values lie, interpolated; NaN for none. */
export function percentile(values: readonly number[], share: number): number {
  if (values.length === 0) return Number.NaN;
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * share;
  const low = sorted[Math.floor(at)]!;
  return low + (sorted[Math.ceil(at)]! - low) * (at - Math.floor(at));
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The straight line nearest to points [x, y]: its slope, and the slope's standard error; NaN for fewer than three. */
export function slopeOf(points: readonly (readonly [number, number])[]): { slope: number; error: number } {
  if (points.length < 3) return { slope: Number.NaN, error: Number.NaN };
  const x = mean(points.map(([at]) => at));
  const y = mean(points.map(([, value]) => value));
  const spread = points.reduce((sum, [at]) => sum + (at - x) ** 2, 0);
  const slope = points.reduce((sum, [at, value]) => sum + (at - x) * (value - y), 0) / spread;
  const rest = points.reduce((sum, [at, value]) => sum + (value - y - slope * (at - x)) ** 2, 0);
  return { slope, error: Math.sqrt(rest / (points.length - 2) / spread) };
}

/** "12", "1.3", "0.07": three figures at most, no false exactness. */
export function show(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2);
}

/** What one benchmark found. */
export interface Section {
  title: string;
  /** how it was measured, in a sentence or two */
  how: string;
  columns: string[];
  rows: (string | number)[][];
  /** each bar of the issue: what, the figure, and whether it was reached */
  bars: { what: string; figure: string; reached: boolean }[];
}

function table(columns: string[], rows: string[][]): string[] {
  const cells = [columns, ...rows];
  const widths = columns.map((_, i) => Math.max(3, ...cells.map((row) => [...(row[i] ?? '')].length)));
  const line = (row: string[]) => `| ${row.map((cell, i) => cell.padEnd(widths[i]!)).join(' | ')} |`;
  const rule = `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`;
  return [line(columns), rule, ...rows.map(line)];
}

/** The section as Markdown, readable in a terminal too. */
export function toMarkdown({ title, how, columns, rows, bars }: Section): string {
  const figures = rows.map((row) => row.map((cell) => (typeof cell === 'number' ? show(cell) : cell)));
  const verdicts = bars.map(({ what, figure, reached }) => [what, figure, reached ? 'met' : '**missed**']);
  return [
    `## ${title}`,
    '',
    how,
    '',
    ...table(columns, figures),
    '',
    ...table(['bar', 'measured', ''], verdicts),
    '',
  ].join('\n');
}
