import { ApiFailure } from './types.js';

export interface Fault {
  status: number;
  description: string;
  retryAfter?: number;
  /** the id of the supergroup that a group became */
  migrateTo?: number;
  /** how often; default 1 */
  times?: number;
}

export interface Trouble<F = ApiFailure> {
  /** a method's name in lower case, 'file' for downloads, or '*' */
  method: string;
  left: number;
  fault?: F;
  /** 'within': in the middle of the answer */
  drop?: 'before' | 'after' | 'within';
  garble?: true;
  delayMs?: number;
}

export const faultToFailure = (fault: Fault) =>
  new ApiFailure(fault.status, fault.description, {
    ...(fault.retryAfter === undefined ? {} : { retry_after: fault.retryAfter }),
    ...(fault.migrateTo === undefined ? {} : { migrate_to_chat_id: fault.migrateTo }),
  });

/** What is to go wrong, in the order it was asked for. */
export class Troubles<F = ApiFailure> {
  private readonly waiting: Trouble<F>[] = [];

  add(method: string, times: number, kind: Omit<Trouble<F>, 'method' | 'left'>) {
    this.waiting.push({ method: method.toLowerCase(), left: times, ...kind });
  }

  clear() {
    this.waiting.length = 0;
  }

  /** The trouble that strikes this call, used up by one. */
  strike(method: string): Trouble<F> | undefined {
    const found = this.waiting.find(
      (trouble) => trouble.left > 0 && (trouble.method === '*' || trouble.method === method.toLowerCase()),
    );
    if (found !== undefined) found.left -= 1;
    return found;
  }
}
