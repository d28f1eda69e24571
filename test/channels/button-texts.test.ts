import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { makeButtonTexts } from '../../src/store/buttons.js';
import { openDatabase } from '../../src/store/database.js';

const MIGRATION = path.join(import.meta.dirname, '../../prisma/bot/migrations/0001_begin/migration.sql');

it('a long button says the same after a restart, and equal words are kept once', async () => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'button-texts-'));
  const file = path.join(dir, 'bot.db');
  const first = await openDatabase(file);
  for (const statement of fs.readFileSync(MIGRATION, 'utf8').split(/;\s*\n/))
    if (statement.trim() !== '') await first.$executeRawUnsafe(statement);
  const says = 'clip camera ngã ba chợ Cẩm Lương lúc 14h30 ngày 21/11/2026 trong 30 giây';
  const texts = makeButtonTexts(first, { now: () => 1000 });
  const key = await texts.put(says);
  expect(await texts.put(says)).toBe(key);
  expect(await first.buttonText.count()).toBe(1);
  expect(Buffer.byteLength(key)).toBeLessThanOrEqual(60);
  await first.$disconnect();

  const second = await openDatabase(file);
  const later = makeButtonTexts(second, { now: () => 2000 });
  expect(await later.get(key)).toBe(says);
  expect(await later.get('khong-co')).toBeNull();
  await second.$disconnect();
  fs.rmSync(dir, { recursive: true, force: true });
});
