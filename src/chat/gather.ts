/**
 * What comes while a write is under way is written together, next: many callers share the price of one durable write,
 * and one alone does not wait. A write of several that fails is tried item by item, so that one bad item spoils no other.
 * @param write resolves with the outcome of each, in order
 * @param most so many at once
 */
export function gather<Item, Outcome>(
  write: (items: Item[]) => Promise<Outcome[]>,
  most: number,
): (item: Item) => Promise<Outcome> {
  interface Waiting {
    item: Item;
    resolve: (outcome: Outcome) => void;
    reject: (error: unknown) => void;
  }
  const waiting: Waiting[] = [];
  let writing = false;

  async function settle(some: Waiting[]): Promise<void> {
    try {
      const outcomes = await write(some.map(({ item }) => item));
      for (const [at, { resolve }] of some.entries()) resolve(outcomes[at]!);
    } catch (error) {
      if (some.length === 1) return some[0]!.reject(error);
      for (const one of some) await settle([one]);
    }
  }

  async function writeAll(): Promise<void> {
    writing = true;
    while (waiting.length > 0) await settle(waiting.splice(0, most));
    writing = false;
  }

  return (item) =>
    new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject });
      if (!writing) void writeAll();
    });
}
