import type { Fragment } from '../fragment.js';

/** A GOP larger than this is not kept in memory. */
const MOST_BYTES = 48 * 1024 * 1024;
const FIRST_BYTES = 512 * 1024;

/**
 * The newest GOP of a stream: every fragment since and with the last key one, copied into memory that is used again
 * for the next GOP. So a fragment's own buffer dies as soon as it is written, and costs the collector nothing.
 */
export class GopMemory {
  private store = Buffer.alloc(0);
  private used = 0;
  /** their bytes are good for nothing: here they lie from `begin` to `end` */
  private kept: { fragment: Fragment; begin: number; end: number }[] = [];
  private open = false;

  /** Begins anew with a key fragment, goes on with any other; before the first key one nothing is kept. */
  add(fragment: Fragment): void {
    const { bytes } = fragment;
    if (fragment.key) {
      this.clear();
      this.open = true;
    }
    if (!this.open) return;
    const end = this.used + bytes.length;
    if (end > MOST_BYTES) {
      this.clear();
      return;
    }
    if (end > this.store.length) {
      const roomy = Buffer.allocUnsafeSlow(Math.max(FIRST_BYTES, this.store.length * 2, end));
      this.store.copy(roomy, 0, 0, this.used);
      this.store = roomy;
    }
    bytes.copy(this.store, this.used);
    this.kept.push({ fragment, begin: this.used, end });
    this.used = end;
  }

  clear(): void {
    this.kept = [];
    this.used = 0;
    this.open = false;
  }

  /** A copy of what is kept, which stays as it is. */
  fragments(): Fragment[] {
    const bytes = Buffer.from(this.store.subarray(0, this.used));
    return this.kept.map(({ fragment, begin, end }) => ({ ...fragment, bytes: bytes.subarray(begin, end) }));
  }

  get startTicks(): bigint | null {
    return this.kept[0]?.fragment.startTicks ?? null;
  }
}
