import fs from 'node:fs';
import path from 'node:path';
import { type Client, createClient } from '@libsql/client';
import { describe, expect, test } from 'vitest';
import { PRIORITY } from '../../src/chat/priority.js';

/** Every migration is tried on a database that the version before it filled: nothing lost, nothing left dangling. */

const folderOf = (name: string) => path.join(process.cwd(), 'prisma', name, 'migrations');
const migrationsOf = (name: string) =>
  fs
    .readdirSync(folderOf(name))
    .filter((entry) => /^\d{4}_/.test(entry))
    .sort();
const sqlOf = (name: string, migration: string) =>
  fs.readFileSync(path.join(folderOf(name), migration, 'migration.sql'), 'utf8');

interface Column {
  name: string;
  type: string;
  notnull: number;
  pk: number;
  dflt_value: string | null;
}

async function rowsOf<T>(client: Client, sql: string): Promise<T[]> {
  return (await client.execute(sql)).rows as unknown as T[];
}

const tablesOf = async (client: Client) =>
  (
    await rowsOf<{ name: string }>(
      client,
      "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '_prisma%'",
    )
  ).map(({ name }) => name);

/** Three rows in every table, every column filled; what refers to another table refers to the row of the same number. */
async function fill(client: Client): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  await client.execute('PRAGMA foreign_keys = OFF');
  for (const table of await tablesOf(client)) {
    const columns = await rowsOf<Column>(client, `PRAGMA table_info("${table}")`);
    for (let n = 1; n <= 3; n += 1) {
      const values = columns.map(({ type }) => (/TEXT/i.test(type) ? `chữ ${n}` : n));
      const names = columns.map(({ name }) => `"${name}"`).join(', ');
      await client.execute({
        sql: `INSERT INTO "${table}" (${names}) VALUES (${columns.map(() => '?').join(', ')})`,
        args: values,
      });
    }
    counts.set(table, 3);
  }
  return counts;
}

describe.each(['bot', 'recorder'])('the migrations of the %s database', (name) => {
  const migrations = migrationsOf(name);

  test.each(migrations.slice(1))('%s keeps what the version before it wrote', async (migration) => {
    const client = createClient({ url: ':memory:' });
    try {
      const before = migrations.slice(0, migrations.indexOf(migration));
      for (const one of before) await client.executeMultiple(sqlOf(name, one));
      const counts = await fill(client);
      expect(counts.size).toBeGreaterThan(3);
      await client.executeMultiple(sqlOf(name, migration));
      const tables = await tablesOf(client);
      for (const [table, count] of counts) {
        expect(tables, `${table} is gone`).toContain(table);
        const [row] = await rowsOf<{ n: number }>(client, `SELECT count(*) AS n FROM "${table}"`);
        expect(`${table} ${row?.n}`).toBe(`${table} ${count}`);
      }
      expect(await rowsOf(client, 'PRAGMA foreign_key_check')).toEqual([]);
      const [check] = await rowsOf<{ integrity_check: string }>(client, 'PRAGMA integrity_check');
      expect(check?.integrity_check).toBe('ok');
    } finally {
      client.close();
    }
  });

  test('lead to the schema that the code is written for', async () => {
    const client = createClient({ url: ':memory:' });
    try {
      for (const one of migrations) await client.executeMultiple(sqlOf(name, one));
      const schema = fs.readFileSync(path.join(process.cwd(), 'prisma', name, 'schema.prisma'), 'utf8');
      const models = [...schema.matchAll(/^model (\w+) \{([^}]*)\}/gm)];
      expect(models.length).toBeGreaterThan(3);
      const kinds = new Set(models.map(([, model]) => model));
      for (const [, model, body] of models) {
        const fields = [...(body ?? '').matchAll(/^\s+(\w+)\s+(\w+)(\[\])?/gm)]
          .filter(([, , type, list]) => list === undefined && !kinds.has(type))
          .map(([, field]) => field);
        const columns = await rowsOf<Column>(client, `PRAGMA table_info("${model}")`);
        expect(columns.map((column) => column.name).sort(), model).toEqual(fields.sort());
      }
    } finally {
      client.close();
    }
  });
});

test('what waits to be sent keeps its order when priorities get new numbers', async () => {
  const client = createClient({ url: ':memory:' });
  try {
    const migrations = migrationsOf('bot');
    const at = migrations.indexOf('0006_reports');
    for (const one of migrations.slice(0, at)) await client.executeMultiple(sqlOf('bot', one));
    const text = '{"reply":{"kind":"text","text":"anh hỏi \\"first\\":true"}';
    const rows: [key: string, priority: number, payload: string][] = [
      ['alert', 0, `${text}}`],
      ['answer', 1, `${text}}`],
      ['staff', 1, `${text},"first":true}`],
      ['notice', 2, `${text}}`],
    ];
    for (const row of rows)
      await client.execute({
        sql: `INSERT INTO "Outbox" ("key", "priority", "payload", "channel", "chatId", "createdMs", "nextMs")
              VALUES (?, ?, ?, 'console', 'a', 1, 1)`,
        args: row,
      });
    await client.executeMultiple(sqlOf('bot', migrations[at]!));
    const kept = await rowsOf<{ key: string; priority: number }>(
      client,
      'SELECT "key", "priority" FROM "Outbox" ORDER BY "priority"',
    );
    expect(kept.map(({ key, priority }) => [key, priority])).toEqual([
      ['alert', PRIORITY.alert],
      ['staff', PRIORITY['staff-answer']],
      ['answer', PRIORITY.answer],
      ['notice', PRIORITY.notice],
    ]);
  } finally {
    client.close();
  }
});
