/**
 * Three ways to fail (house rule 6): the person's fault (PersonError), the world's (WorldError),
 * ours (anything else). The dispatcher decides what is said; handlers have no `try`.
 */

/** Something the person can mend. The message is a Vietnamese sentence that says what to do. */
export class PersonError extends Error {
  override name = 'PersonError';
}

export type WorldKind =
  | 'unreachable'
  | 'refused'
  | 'disk-full'
  | 'too-big'
  | 'rate-limited'
  | 'window-closed'
  | 'blocked'
  | 'chat-gone'
  | 'migrated'
  | 'not-found'
  | 'no-footage'
  | 'timeout'
  | 'cancelled'
  | 'invalid';

export interface WorldErrorOptions {
  cause?: unknown;
  /** how long the other side asked us to wait, seconds */
  retryAfterS?: number;
  /** the chat's new id, when a group became a supergroup */
  movedTo?: string;
}

/** The world's fault: a camera, a platform, a disk. `message` is English, for the log, without secrets. */
export class WorldError extends Error {
  override name = 'WorldError';
  readonly retryAfterS: number | undefined;
  readonly movedTo: string | undefined;

  constructor(
    readonly kind: WorldKind,
    message: string,
    options: WorldErrorOptions = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.retryAfterS = options.retryAfterS;
    this.movedTo = options.movedTo;
  }
}
