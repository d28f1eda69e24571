/** bench/RESULTS.md: a section for each measurement. */

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
