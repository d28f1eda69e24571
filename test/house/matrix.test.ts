import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { MATRIX_FILE, printMatrix, putMatrix } from '../support/matrix.js';
import { projectRoot } from '../support/project-root.js';

test('what each command gives on each channel stands in the docs as it is (npm run print)', async () => {
  const table = await printMatrix();
  const text = fs.readFileSync(path.join(projectRoot, MATRIX_FILE), 'utf8');
  expect(text).toBe(putMatrix(text, table));
  expect(text).toContain(table);
  // nothing is left unanswered anywhere
  expect(table).not.toContain('| – |');
}, 120_000);
