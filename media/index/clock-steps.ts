import type { ClockStep, Range } from '../types.js';
import type { Database } from './database.js';

/** When the clock of the machine was set. */
export class ClockSteps {
  constructor(private readonly database: Database) {}

  async add({ fromMs, toMs }: ClockStep): Promise<void> {
    await this.database.clockStep.createMany({ data: [{ fromMs: BigInt(fromMs), toMs: BigInt(toMs) }] });
  }

  /** Steps whose stretch touches the range, in the order in which they were made. There are few of them. */
  async within({ startMs, endMs }: Range): Promise<ClockStep[]> {
    const rows = await this.database.clockStep.findMany({ orderBy: { id: 'asc' } });
    return rows
      .map((row) => ({ fromMs: Number(row.fromMs), toMs: Number(row.toMs) }))
      .filter(({ fromMs, toMs }) => Math.min(fromMs, toMs) < endMs && Math.max(fromMs, toMs) > startMs);
  }
}
