import type { Log } from '../src/base/log.js';
import type { RecorderIndex } from './index/index.js';
import type { RecorderEvent, RecorderEventKind } from './types.js';

/** What happens, written down in order and told to everybody who listens. */
export class EventHub {
  private readonly listeners = new Set<(event: RecorderEvent) => void>();
  private last: Promise<void> = Promise.resolve();

  constructor(
    private readonly index: RecorderIndex,
    private readonly log: Log,
    private readonly now: () => number = Date.now,
  ) {}

  /** Writes an event down, then tells it. Never throws; an event the index does not take is logged. */
  readonly tell = (kind: RecorderEventKind, cameraId: string | null, data: Record<string, unknown>): void => {
    const event = { atMs: this.now(), kind, cameraId, data };
    this.last = this.last.then(async () => {
      try {
        const told = await this.index.events.add(event);
        for (const listener of this.listeners) listener(told);
      } catch (error) {
        this.log.error({ err: error, kind, camera: cameraId }, 'the index took no event');
      }
    });
  };

  /** Resolves when everything told so far is written. */
  settled(): Promise<void> {
    return this.last;
  }

  /** Calls back for each event from now on; gives back how to stop. */
  listen(listener: (event: RecorderEvent) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  after(id: number, limit: number): Promise<RecorderEvent[]> {
    return this.index.events.after(id, limit);
  }
}
