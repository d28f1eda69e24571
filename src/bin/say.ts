import process from 'node:process';
import { CannotSay, sayOnce } from './say-once.js';

/**
 * Talks to the demo from a shell:
 *   npm run say -- --as canbo [--in nhom-canbo] [--file photo.jpg] [--press "label"] "ảnh 1"
 * Each reply is one JSON line on standard output, and nothing else is. Exit 0 when the answer is complete.
 */
try {
  await sayOnce(process.argv.slice(2), process.env, (line) => void process.stdout.write(`${line}\n`));
} catch (error) {
  const known =
    error instanceof CannotSay || (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS') === true;
  process.stderr.write(`${known ? (error as Error).message : String((error as Error).stack)}\n`);
  process.exitCode = 1;
}
