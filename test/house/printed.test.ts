import fs from 'node:fs';
import { expect, test } from 'vitest';
import { printedFiles } from '../../src/bin/print.js';

test.each(Object.entries(printedFiles()))('%s is as the code prints it (npm run print)', (file, text) => {
  expect(fs.readFileSync(file, 'utf8')).toBe(text);
});
