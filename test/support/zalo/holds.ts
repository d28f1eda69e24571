/** A call that waits for a word of the test. */
export interface Held {
  /** resolves when a call is held */
  arrived: Promise<void>;
  release(): void;
}

export type HeldAt = 'before' | 'after';

function makeGate() {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open: () => open(), opened };
}

/** Calls to be held: at their arrival ('before'), or when they are done, before the answer ('after'). */
export class Holds {
  private waiting: { name: string; at: HeldAt; arrived: () => void; released: Promise<void> }[] = [];
  private readonly opens: (() => void)[] = [];

  add(name: string, at: HeldAt): Held {
    const [arrival, release] = [makeGate(), makeGate()];
    this.waiting.push({ name, at, arrived: arrival.open, released: release.opened });
    this.opens.push(release.open);
    return { arrived: arrival.opened, release: release.open };
  }

  async pass(name: string, at: HeldAt): Promise<void> {
    const found = this.waiting.find((held) => held.name === name && held.at === at);
    if (found === undefined) return;
    this.waiting = this.waiting.filter((held) => held !== found);
    found.arrived();
    await found.released;
  }

  releaseAll() {
    for (const open of this.opens) open();
  }
}
