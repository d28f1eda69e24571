// Runs one of our TypeScript programs from dist/, preparing what is missing: node run.mjs src/bin/say …
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { prepare, root } from './prepare.mjs';

const [program, ...args] = process.argv.slice(2);
try {
  prepare({ say: (line) => process.stderr.write(`${line}\n`) });
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}
const file = path.join(root, 'dist', `${program}.js`);
process.argv = [process.argv[0], file, ...args];
await import(pathToFileURL(file).href);
