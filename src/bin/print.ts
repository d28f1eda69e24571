import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { onPaper, printCommandTable } from '../../handlers/index.js';
import { openapiText } from '../../media/api-routes.js';
import { printEnvExample, SETTINGS } from '../base/config.js';

/** Files and README sections that are printed from tables in the code. */

function printSettings(): string {
  const rows = SETTINGS.map(({ name, about, fallback }) => `| \`${name}\` | ${fallback || '–'} | ${about} |`);
  return ['| setting | default | meaning |', '| --- | --- | --- |', ...rows].join('\n');
}

const sections: Record<string, () => string> = {
  commands: () => printCommandTable(),
  settings: printSettings,
  jobs: () =>
    [
      '| job | when (Việt Nam) | what |',
      '| --- | --- | --- |',
      ...onPaper().jobs.map(({ name, cron, about }) => `| ${name} | \`${cron}\` | ${about} |`),
    ].join('\n'),
};

/** The README with its printed sections as they should be now. */
export function printReadme(readme: string): string {
  return readme.replace(
    /(<!-- printed: (\w+) -->\n)[\s\S]*?(<!-- \/printed -->)/g,
    (whole, begin: string, name: string, end: string) => {
      const print = sections[name];
      return print === undefined ? whole : `${begin}${print().trim()}\n${end}`;
    },
  );
}

/** Every printed file, as it should be now, by its path. */
export function printedFiles(): Record<string, string> {
  return {
    '.env.example': printEnvExample(),
    'README.md': printReadme(fs.readFileSync('README.md', 'utf8')),
    [path.join('media', 'openapi.json')]: openapiText(),
  };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  for (const [file, text] of Object.entries(printedFiles())) fs.writeFileSync(file, text);
