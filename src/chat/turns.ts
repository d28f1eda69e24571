/**
 * Follows each inbox message from acceptance until the last thing said for it has gone: then its files can go, and
 * whoever waits for the complete answer is told.
 */
export interface Turns {
  began(inboxId: number): void;
  handled(inboxId: number): Promise<void>;
  /** something said for it is on its way; `toOthers`: not to the person who spoke */
  waiting(inboxId: number, toOthers: boolean): void;
  settled(inboxId: number, toOthers: boolean): Promise<void>;
  /** Resolves when the message was handled and every reply to it was sent (or given up). */
  done(inboxId: number): Promise<void>;
  /** messages of which something is still to come */
  open(): number[];
}

interface Turn {
  handled: boolean;
  replies: number;
  tells: number;
  waiters: (() => void)[];
}

/** @param onOver all that was said for this message has gone */
export function makeTurns(onOver: (inboxId: number) => Promise<void>): Turns {
  const turns = new Map<number, Turn>();
  const of = (inboxId: number, handled = false): Turn => {
    let turn = turns.get(inboxId);
    if (turn === undefined) {
      turn = { handled, replies: 0, tells: 0, waiters: [] };
      turns.set(inboxId, turn);
    }
    return turn;
  };
  async function look(inboxId: number, turn: Turn): Promise<void> {
    if (!turn.handled || turn.replies > 0) return;
    const waiters = turn.waiters.splice(0);
    if (turn.tells === 0 && turns.delete(inboxId)) await onOver(inboxId);
    for (const waiter of waiters) waiter();
  }
  return {
    began: (inboxId) => void of(inboxId),
    async handled(inboxId) {
      const turn = of(inboxId);
      turn.handled = true;
      await look(inboxId, turn);
    },
    waiting(inboxId, toOthers) {
      // a row without a turn was left by an earlier run: its message is handled, or will be begun
      const turn = of(inboxId, true);
      if (toOthers) turn.tells += 1;
      else turn.replies += 1;
    },
    async settled(inboxId, toOthers) {
      const turn = turns.get(inboxId);
      if (turn === undefined) return;
      if (toOthers) turn.tells -= 1;
      else turn.replies -= 1;
      await look(inboxId, turn);
    },
    async done(inboxId) {
      const turn = turns.get(inboxId);
      if (turn === undefined || (turn.handled && turn.replies === 0)) return;
      await new Promise<void>((resolve) => turn.waiters.push(resolve));
    },
    open: () => [...turns.keys()],
  };
}
