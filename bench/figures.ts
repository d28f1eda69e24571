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

/** The section as Markdown, readable in a terminal too. */
export function toMarkdown(section: Section): string {
  const cells = [
    section.columns,
    ...section.rows.map((row) => row.map((cell) => (typeof cell === 'number' ? show(cell) : cell))),
  ];
  const widths = section.columns.map((_, i) => Math.max(...cells.map((row) => [...(row[i] ?? '')].length)));
  const line = (row: string[]) => `| ${row.map((cell, i) => cell.padEnd(widths[i]!)).join(' | ')} |`;
  const rule = `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`;
  const bars = section.bars.map(
    ({ what, figure, reached }) => `- ${reached ? 'reached' : '**missed**'}: ${what}: ${figure}`,
  );
  return [
    `## ${section.title}`,
    '',
    section.how,
    '',
    line(cells[0]!),
    rule,
    ...cells.slice(1).map(line),
    '',
    ...bars,
    '',
  ].join('\n');
}
