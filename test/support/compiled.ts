import { spawnSync } from 'node:child_process';
import fs from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { projectRoot } from './project-root.js';

export interface Compiled {
  /** of a source, relative to the project (`test/support/….ts`), the program to start */
  script(source: string): string;
  remove(): Promise<void>;
}

/** Programs that must be started as processes: where we run compiled ourselves as they are, else compiled into a cache. */
export async function compile(...sources: string[]): Promise<Compiled> {
  const here = fileURLToPath(import.meta.url);
  const asScript = (source: string) => source.replace(/\.ts$/, '.js');
  if (here.endsWith('.js')) {
    const dist = path.resolve(path.dirname(here), '..', '..');
    return { script: (source) => path.join(dist, asScript(source)), remove: async () => {} };
  }
  const cache = path.join(projectRoot, 'node_modules', '.cache');
  await fs.mkdir(cache, { recursive: true });
  const out = await fs.mkdtemp(path.join(cache, 'compiled-'));
  await fs.writeFile(path.join(out, 'package.json'), '{"type":"module"}');
  const tsc = path.join(projectRoot, 'node_modules', 'typescript', 'bin', 'tsc');
  const config = path.join(out, 'tsconfig.json');
  await fs.writeFile(
    config,
    JSON.stringify({
      extends: path.join(projectRoot, 'tsconfig.json'),
      compilerOptions: { noEmit: false, noCheck: true, outDir: out, rootDir: projectRoot },
      files: sources.map((source) => path.join(projectRoot, source)),
      include: [],
      exclude: [],
    }),
  );
  const built = spawnSync(process.execPath, [tsc, '-p', config], { encoding: 'utf8', cwd: projectRoot });
  if (built.status !== 0) throw new Error(`not compiled: ${built.stdout}${built.stderr}`);
  return {
    script: (source) => path.join(out, asScript(source)),
    remove: () => fs.rm(out, { recursive: true, force: true }),
  };
}
