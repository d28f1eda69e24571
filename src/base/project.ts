import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** The package's folder, whether this runs from the sources or from dist/. */
export function projectRoot(): string {
  let folder = import.meta.dirname;
  while (!existsSync(path.join(folder, 'package.json'))) {
    const above = path.dirname(folder);
    if (above === folder) throw new Error('no package.json above this file');
    folder = above;
  }
  return folder;
}

/** Of this release, as package.json says. */
export const productVersion = (): string =>
  (JSON.parse(readFileSync(path.join(projectRoot(), 'package.json'), 'utf8')) as { version: string }).version;
