import { expect, test } from 'vitest';
import { cleanName, cleanText } from '../../src/base/clean-text.js';

test('whole characters stay, half ones are replaced', () => {
  expect(cleanText('Năm 👨‍👩‍👧 \ud83d!\0')).toBe('Năm 👨‍👩‍👧 \ufffd!\ufffd');
  expect(cleanText('a\u0302\u0301')).toBe('ấ');
});

test('a name stays on its line and turns nothing', () => {
  expect(cleanName('  Lê\n\u202eVăn\u2066 A ')).toBe('Lê Văn A');
});
