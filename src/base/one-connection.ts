import type { Client, Transaction } from '@libsql/client';

/**
 * Keeps a SQLite client to one connection. The stock client opens a fresh one after each transaction (Prisma makes
 * one for some single statements too), which loses the PRAGMAs and leaves the old one to the garbage collector.
 * Prisma's adapter runs one transaction at a time and holds everything else back meanwhile, so BEGIN IMMEDIATE on
 * the one connection is safe.
 */
export function onOneConnection(client: Client): Client {
  client.transaction = () => begin(client);
  return client;
}

async function begin(client: Client): Promise<Transaction> {
  await client.execute('BEGIN IMMEDIATE');
  let closed = false;
  const end = async (statement: 'COMMIT' | 'ROLLBACK') => {
    if (closed) return;
    closed = true;
    await client.execute(statement);
  };
  return {
    execute: (statement) => client.execute(statement),
    async batch(statements) {
      const results = [];
      for (const statement of statements) results.push(await client.execute(statement));
      return results;
    },
    executeMultiple: (sql) => client.executeMultiple(sql),
    commit: () => end('COMMIT'),
    rollback: () => end('ROLLBACK'),
    close: () => void end('ROLLBACK').catch(() => {}),
    get closed() {
      return closed;
    },
  };
}
