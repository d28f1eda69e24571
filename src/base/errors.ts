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

/** What only a person can mend: trying again is in vain until they have. */
export interface HumanNeed {
  /** as the other side names it ("-211") */
  code: string;
  /** Vietnamese, for the chief: what is wrong and what to do */
  advice: string;
}

export interface WorldErrorOptions {
  cause?: unknown;
  /** how long the other side asked us to wait, seconds */
  retryAfterS?: number;
  /** the chat's new id, when a group became a supergroup */
  movedTo?: string;
  needsHuman?: HumanNeed;
}

/** The world's fault: a camera, a platform, a disk. `message` is English, for the log, without secrets. */
export class WorldError extends Error {
  override name = 'WorldError';
  readonly retryAfterS: number | undefined;
  readonly movedTo: string | undefined;
  readonly needsHuman: HumanNeed | undefined;

  constructor(
    readonly kind: WorldKind,
    message: string,
    options: WorldErrorOptions = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.retryAfterS = options.retryAfterS;
    this.movedTo = options.movedTo;
    this.needsHuman = options.needsHuman;
  }
}
