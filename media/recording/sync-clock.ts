import type { SyncFault } from './sync-thread.js';

/** Whoever waits for a sync of the whole disk waits this long for others to join, ms. */
const GATHER_MS = 250;

export interface Syncable {
  /** the open file; null once it is closed */
  readonly fd: number | null;
  /** bytes that are in it */
  readonly writtenBytes: number;
  /** its first so many bytes are durable */
  synced(bytes: number): void;
  /** what was written since the last sync that went well may be lost, and no later sync tells of it: the disk fails */
  syncFailed(error: unknown): void;
}

/** What a sync achieved. */
export interface Synced {
  /** everything on the disk is durable, names too; false: only the files that were given, less the faults */
  whole: boolean;
  faults: SyncFault[];
}

/** Makes what all cameras wrote durable, together, every so often. */
export class SyncClock {
  private dirty = new Set<Syncable>();
  /** those that a sync is busy with, by descriptor, and what was in them when it began */
  private batch = new Map<number, { file: Syncable; bytes: number }>();
  private batchDone: Promise<unknown> = Promise.resolve();
  private asked: ((whole: boolean) => void)[] = [];
  private timer: NodeJS.Timeout | undefined;
  private dueMs = Number.POSITIVE_INFINITY;
  private running = false;
  /** monotonic ms */
  private begunMs = 0;
  /** monotonic ms: since when something waits for the next sync, and for the one under way */
  private dirtySinceMs: number | null = null;
  private batchSinceMs: number | null = null;

  constructor(
    /** data is synced this long after it was written at the latest, and the time that takes, ms */
    private readonly everyMs: number,
    private readonly sync: (fds: number[]) => Promise<Synced>,
  ) {}

  /** Something was written to this file. */
  add(file: Syncable): void {
    this.dirty.add(file);
    if (this.dirtySinceMs === null) {
      this.dirtySinceMs = performance.now();
      this.dueIn(this.everyMs);
    }
  }

  /** The file will be synced and closed by whoever wrote it; resolves once no sync of ours uses it. */
  async forget(file: Syncable): Promise<void> {
    this.dirty.delete(file);
    if ([...this.batch.values()].some((one) => one.file === file)) await this.batchDone;
  }

  /** Waits for a sync that begins after this call. Whether all that was done before is durable now, names too. */
  whole(): Promise<boolean> {
    return new Promise((resolve) => {
      this.asked.push(resolve);
      this.dueIn(GATHER_MS);
    });
  }

  /** How old the oldest data is that may not be durable yet, ms. */
  get ageMs(): number {
    const sinceMs = this.batchSinceMs ?? this.dirtySinceMs;
    return sinceMs === null ? 0 : performance.now() - sinceMs;
  }

  /** How long the sync lasts that is under way, ms; 0 when there is none. */
  get lastsMs(): number {
    return this.running ? performance.now() - this.begunMs : 0;
  }

  private dueIn(ms: number): void {
    const dueMs = performance.now() + ms;
    if (this.running || dueMs >= this.dueMs) return;
    clearTimeout(this.timer);
    this.dueMs = dueMs;
    this.timer = setTimeout(() => void this.run(), ms);
  }

  private async run(): Promise<void> {
    const begunMs = performance.now();
    this.begunMs = begunMs;
    this.running = true;
    this.dueMs = Number.POSITIVE_INFINITY;
    const asked = this.asked.splice(0);
    this.batchSinceMs = this.dirtySinceMs;
    this.dirtySinceMs = null;
    this.batch = new Map();
    for (const file of this.dirty)
      if (file.fd !== null) this.batch.set(file.fd, { file, bytes: file.writtenBytes });
    this.dirty = new Set();
    let whole = false;
    if (this.batch.size > 0 || asked.length > 0) {
      const syncing = this.sync([...this.batch.keys()]);
      this.batchDone = syncing;
      const synced = await syncing;
      whole = synced.whole;
      const faults = new Map(synced.faults.map(({ fd, error }) => [fd, error]));
      for (const [fd, { file, bytes }] of this.batch) {
        const error = faults.get(fd);
        if (error === undefined) file.synced(bytes);
        else file.syncFailed(error);
      }
    }
    this.batch = new Map();
    this.batchSinceMs = null;
    this.running = false;
    for (const tell of asked) tell(whole);
    if (this.dirty.size > 0) this.dueIn(Math.max(0, this.everyMs - (performance.now() - begunMs)));
    if (this.asked.length > 0) this.dueIn(GATHER_MS);
  }
}
