import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createClient } from '@libsql/client';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DatabaseFault, databaseFault, migrate, migrateIndex } from '../../src/migrate.js';

let folder: string;
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'mat-than-migrate-'));
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

test.each(['bot', 'recorder'] as const)(
  'a broken %s.db is named, with what to do, and left as it is',
  async (name) => {
    const file = path.join(folder, `${name}.db`);
    fs.writeFileSync(file, Buffer.alloc(50_000, 7));
    const error: unknown = await migrate(process.cwd(), name, file).catch((fault: unknown) => fault);
    expect(error).toBeInstanceOf(DatabaseFault);
    const { message } = error as DatabaseFault;
    expect(message).toContain(`${file} bị hỏng`);
    expect(message).toContain('bản sao lưu');
    expect(message).not.toMatch(/prisma|rust|at schema/i);
    expect(fs.readFileSync(file)).toEqual(Buffer.alloc(50_000, 7));
  },
  30_000,
);

test('a broken index is put aside and made anew; anything else that fails is told as before', async () => {
  const file = path.join(folder, 'recorder.db');
  fs.writeFileSync(file, Buffer.alloc(50_000, 7));
  const aside = await migrateIndex(process.cwd(), file);
  expect(path.basename(aside!)).toMatch(/^recorder\.db\.hong-\d{8}T\d{6}$/);
  expect(fs.readFileSync(aside!)).toEqual(Buffer.alloc(50_000, 7));
  expect(await migrateIndex(process.cwd(), file)).toBeNull();
  const nowhere = path.join(folder, 'recorder.db', 'recorder.db');
  await expect(migrateIndex(process.cwd(), nowhere)).rejects.toBeInstanceOf(DatabaseFault);
}, 60_000);

test.each([
  ['SQLITE_FULL: database or disk is full', 'đã đầy'],
  ['SQLITE_CANTOPEN: unable to open database file', 'quyền đọc và ghi'],
  ['SQLITE_BUSY: database is locked', 'chương trình khác giữ'],
  ['P3009 migrate found failed migrations', 'parent.log'],
])('%s is told apart', (said, words) => {
  expect(databaseFault('bot', '/x/bot.db', said).message).toContain(words);
});

test('a link that was sent by the version before opens as a page', async () => {
  const file = path.join(folder, 'bot.db');
  const client = createClient({ url: `file:${file}` });
  const run = async (name: string) =>
    client.executeMultiple(
      fs.readFileSync(path.join(process.cwd(), 'prisma/bot/migrations', name, 'migration.sql'), 'utf8'),
    );
  await run('0001_begin');
  const payload = '{"stored":"s.mp4","fileName":"camera-1.mp4","mime":"video/mp4"}';
  for (const [hash, kind, created] of [
    ['b', 'file', 2],
    ['a', 'file', 1],
    ['c', 'login', 3],
  ] as const)
    await client.execute({
      sql: 'INSERT INTO Token (hash, kind, personId, payload, createdMs, expiresMs) VALUES (?, ?, 7, ?, ?, 99)',
      args: [hash, kind, kind === 'file' ? payload : '{"next":"/"}', created],
    });
  await run('0002_links');
  const rows = (await client.execute('SELECT * FROM Token ORDER BY createdMs')).rows;
  client.close();
  const about = { only: {}, oneDevice: false };
  expect(rows.map((row) => [row.hash, row.number, JSON.parse(String(row.payload)), row.pinTries])).toEqual([
    ['a', 1, { files: [JSON.parse(payload)], about }, 0],
    ['b', 2, { files: [JSON.parse(payload)], about }, 0],
    ['c', null, { next: '/' }, 0],
  ]);
  expect(rows[0]).toMatchObject({ personId: 7, createdMs: 1, expiresMs: 99, revokedMs: null });
});

test('a database that has seen every migration is ready at once; one that lacks a migration is brought forward', async () => {
  const file = path.join(folder, 'bot.db');
  await migrate(process.cwd(), 'bot', file);
  // where Prisma is not: only a database that needs it fails
  const root = path.join(folder, 'root');
  fs.cpSync(
    path.join(process.cwd(), 'prisma', 'bot', 'migrations'),
    path.join(root, 'prisma/bot/migrations'),
    {
      recursive: true,
    },
  );
  await migrate(root, 'bot', file);
  const run = async (sql: string) => {
    const client = createClient({ url: `file:${file}` });
    try {
      return (await client.execute(sql)).rows;
    } finally {
      client.close();
    }
  };
  await run("UPDATE _prisma_migrations SET finished_at = NULL WHERE migration_name = '0001_begin'");
  await expect(migrate(root, 'bot', file)).rejects.toBeInstanceOf(DatabaseFault);
  await run('UPDATE _prisma_migrations SET finished_at = started_at');
  await migrate(root, 'bot', file);
  fs.mkdirSync(path.join(root, 'prisma/bot/migrations/9999_later'));
  await expect(migrate(root, 'bot', file)).rejects.toBeInstanceOf(DatabaseFault);
}, 30_000);
