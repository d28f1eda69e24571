import type { Log } from '../../src/base/log.js';

/** Writes what it is given in order; what can't be written now is owed and written later. Never throws. */
export class Owed<T> {
  private waiting: T[] = [];
  private flushing: Promise<void> | null = null;
  private complained = false;

  constructor(
    private readonly write: (one: T) => Promise<void>,
    private readonly log: Log,
  ) {}

  /** What is not written yet, oldest first. */
  get list(): readonly T[] {
    return this.waiting;
  }

  /** Resolves when it is written, or owed. */
  async put(one: T): Promise<void> {
    if (this.waiting.length === 0) {
      try {
        await this.write(one);
        return;
      } catch (error) {
        this.log.error({ err: error }, 'a chain takes no record; it is owed');
      }
    }
    this.waiting.push(one);
  }

  /** Writes what is owed; what still can't be written stays owed. */
  flush(): Promise<void> {
    this.flushing ??= this.flushNow().finally(() => {
      this.flushing = null;
    });
    return this.flushing;
  }

  private async flushNow(): Promise<void> {
    while (this.waiting.length > 0) {
      try {
        await this.write(this.waiting[0]!);
      } catch (error) {
        // said once of what is tried again and again
        if (!this.complained)
          this.log.error({ err: error, owed: this.waiting.length }, 'the chains still take no record');
        this.complained = true;
        return;
      }
      this.waiting.shift();
    }
    this.complained = false;
  }
}
