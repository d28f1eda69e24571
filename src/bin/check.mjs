// `npm run check`: types, style, and the tests that need no video. Under a minute.
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { prepare, root } from './prepare.mjs';

prepare({ say: console.log });
const bin = (...parts) => path.join(root, 'node_modules', ...parts);
const steps = [
  ['types', bin('typescript', 'bin', 'tsc'), '-p', 'tsconfig.json'],
  ['style', bin('@biomejs', 'biome', 'bin', 'biome'), 'check', '.'],
  [
    'quick tests',
    bin('vitest', 'vitest.mjs'),
    ...['run', 'test/vietnamese', 'test/handlers', 'test/house'],
    // whole machines, real databases and cameras
    ...['doctor', 'backup', 'migrate'].flatMap((name) => ['--exclude', `test/house/${name}.test.ts`]),
  ],
];
let failed = 0;
for (const [what, ...command] of steps) {
  const begun = Date.now();
  const { status } = spawnSync(process.execPath, command, { cwd: root, stdio: 'inherit' });
  console.log(
    `${status === 0 ? 'ok    ' : 'FAILED'} ${what} (${((Date.now() - begun) / 1000).toFixed(1)} s)`,
  );
  if (status !== 0) failed += 1;
}
process.exit(failed === 0 ? 0 : 1);
