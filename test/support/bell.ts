/** Rings when something happened; whoever waits looks again. */
export class Bell {
  private readonly watchers = new Set<() => void>();

  ring() {
    for (const watcher of [...this.watchers]) watcher();
  }

  /** Resolves at the next ring, or when the signal aborts. */
  next(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        this.watchers.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.watchers.add(done);
      signal.addEventListener('abort', done);
    });
  }
}
