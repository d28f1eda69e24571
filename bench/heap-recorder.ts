/**
 * The recorder service that tells on SIGUSR2 what it holds after a full collection, in `<DATA_DIR>/heap.json`: memory that
 * grows may be garbage that is not collected yet, what is held after a collection may not.
 */
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
const file = join(process.env.DATA_DIR ?? '', 'heap.json');
process.on('SIGUSR2', () => {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  writeFileSync(`${file}.tmp`, JSON.stringify({ heapUsed, external }));
  renameSync(`${file}.tmp`, file);
});
await import('../media/main.js');
