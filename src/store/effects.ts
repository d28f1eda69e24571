import { type Database, inTransaction, type Transaction } from './database.js';

/**
 * Makes a change exactly once for an inbox message: the change and the note that it was made are one transaction.
 * @returns the change's result, or the one recorded the first time. JSON only.
 */
export function makeOnce<T>(
  database: Database,
  inboxId: number,
  name: string,
  change: (tx: Transaction) => Promise<T>,
): Promise<T> {
  return inTransaction(database, async (tx) => {
    const made = await tx.effect.findUnique({ where: { inboxId_name: { inboxId, name } } });
    if (made !== null) return parse<T>(made.result);
    const result = await change(tx);
    // what comes back the first time is what will come back the second time
    const recorded = JSON.stringify(result) ?? '';
    await tx.effect.create({ data: { inboxId, name, result: recorded } });
    return parse<T>(recorded);
  });
}

const parse = <T>(recorded: string): T => (recorded === '' ? undefined : JSON.parse(recorded)) as T;
