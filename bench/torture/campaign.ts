/** What every campaign of faults is made of. */
import type { Need } from '../../test/support/debian.js';

/** What one fault did. */
export interface Round {
  /** faults in it; default one */
  faults?: number;
  /** measured values by name, ms */
  figures: Record<string, number[]>;
  /** broken promises, in words; empty: none */
  wrong: string[];
}

/** A place where one fault after the other is done; several stand side by side. */
export interface Place {
  /** One fault and the proof of the promises after it. What is random comes from `random` alone. */
  round(random: () => number): Promise<Round>;
  /** Ends everything; keeps the recorder's log in `keepIn` when given. */
  close(keepIn?: string): Promise<void>;
}

/** How a campaign is run. */
export interface Given {
  /** (0–1]: the size of what is made, where that matters */
  scale: number;
  /** how many times longer than promised everything may take: 1, or more where others use the machine as well */
  patience: number;
}

export interface Campaign {
  /** the fault, in words */
  what: string;
  /** of the long form */
  rounds: number;
  /** places side by side at most */
  lanes: number;
  /** a place is given up after so many rounds, so that its archive stays small */
  roundsAPlace: number;
  /** Debian's packages it needs */
  needs: readonly Need[];
  /** mounts disks: needs root on Linux */
  root?: true;
  /** the most that a figure may be, ms */
  bars: Record<string, number>;
  open(given: Given): Promise<Place>;
}

/** Why it can't be done here; null: it can. */
export function missing({ needs, root }: Pick<Campaign, 'needs' | 'root'>): string | null {
  const absent = needs.filter((need) => !need.available).map(({ reason }) => reason);
  if (root && !(process.platform === 'linux' && process.getuid?.() === 0)) absent.push('needs root to mount');
  return absent.length === 0 ? null : absent.join('; ');
}
