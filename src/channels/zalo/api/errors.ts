import { WorldError, type WorldErrorOptions, type WorldKind } from '../../../base/errors.js';
import type { Log } from '../../../base/log.js';
import { adviceFor } from './advice.js';

/** What to do about a refusal of Zalo. */
export type Remedy =
  /** the access token is refused: renew it and call once more */
  | 'refresh'
  /** the same call may work later */
  | 'back-off'
  /** this person can't be reached here now */
  | 'other-channel'
  /** somebody must act in Zalo's console, or pay */
  | 'human'
  /** the same call never works */
  | 'permanent'
  /** an uploaded file is gone: upload it again */
  | 'upload-again'
  /** the group is closed to us */
  | 'group-closed'
  /** a code nobody has told us of: tried again with patience, and logged */
  | 'unknown';

/** A refusal of Zalo. `message` has the code and words of ours, never a token, an id or a phone number. */
export class ZaloError extends WorldError {
  override name = 'ZaloError';

  constructor(
    kind: WorldKind,
    message: string,
    readonly code: number,
    readonly remedy: Remedy,
    options: WorldErrorOptions = {},
  ) {
    super(kind, message, options);
  }
}

type Meaning = [remedy: Remedy, kind: WorldKind, words: string];

const OA_CODES: Record<number, Meaning> = {
  [-216]: ['refresh', 'refused', 'access token refused'],
  [-220]: ['refresh', 'refused', 'access token expired'],
  [-32]: ['back-off', 'rate-limited', 'too many calls this minute'],
  [-200]: ['back-off', 'unreachable', 'Zalo failed'],
  [-213]: ['other-channel', 'blocked', 'not a follower'],
  [-217]: ['other-channel', 'blocked', 'the person takes no messages of ours'],
  [-218]: ['other-channel', 'window-closed', 'the cap for this person is reached'],
  [-227]: ['other-channel', 'window-closed', 'the account is inactive'],
  [-230]: ['other-channel', 'window-closed', 'no interaction within 7 days'],
  [-232]: ['other-channel', 'window-closed', 'no interaction within the window'],
  [-244]: ['other-channel', 'window-closed', 'the person restricts such messages'],
  [-204]: ['human', 'refused', 'the OA is disabled'],
  [-205]: ['human', 'refused', 'no such OA'],
  [-209]: ['human', 'refused', 'the app is not activated'],
  [-211]: ['human', 'refused', 'the quota is used up'],
  [-212]: ['human', 'refused', 'the app is not registered for this'],
  [-219]: ['human', 'refused', 'the app is disabled'],
  [-221]: ['human', 'refused', 'the OA is not verified'],
  [-223]: ['human', 'refused', 'the quota is used up'],
  [-224]: ['human', 'refused', "the OA's package does not allow this"],
  [-235]: ['human', 'refused', 'not allowed to this OA'],
  [-320]: ['human', 'refused', 'no account to pay from'],
  [-321]: ['human', 'refused', 'no money left'],
  [-201]: ['permanent', 'invalid', 'invalid parameter'],
  [-210]: ['permanent', 'too-big', 'over a limit'],
  [-233]: ['permanent', 'invalid', 'such a message is not supported'],
  [-248]: ['permanent', 'invalid', "against the platform's rules"],
  [-249]: ['permanent', 'invalid', 'refused for good'],
  [-100]: ['upload-again', 'not-found', 'the uploaded file has expired'],
  [-237]: ['group-closed', 'chat-gone', 'the group is disabled'],
  [-238]: ['permanent', 'invalid', 'the group package is used already'],
  [-241]: ['permanent', 'invalid', 'the group package is used already'],
  [-403]: ['group-closed', 'chat-gone', 'the OA is not in the group'],
};

/** OAuth: -14020 alone asks for a new consent. */
const OAUTH_CODES: Record<number, Meaning> = {
  ...OA_CODES,
  [-14002]: ['human', 'refused', 'the app is inactive'],
  [-14003]: ['human', 'refused', 'the callback address is not the one of the console'],
  [-14004]: ['human', 'refused', 'ZALO_APP_SECRET is not right'],
  [-14020]: ['human', 'refused', 'the refresh token is used or expired'],
};

const BOT_CODES: Record<number, Meaning> = {
  400: ['permanent', 'invalid', 'invalid parameter'],
  401: ['human', 'refused', 'ZALO_BOT_TOKEN is not right'],
  403: ['other-channel', 'blocked', 'the person takes no messages of ours'],
  404: ['human', 'refused', 'no such bot or method (is ZALO_BOT_TOKEN right?)'],
  408: ['back-off', 'timeout', 'nothing within the time asked for'],
  413: ['permanent', 'too-big', 'over a limit'],
  429: ['back-off', 'rate-limited', 'too many calls'],
};

export const CONSENT_NEEDED = -14020;
/** Its window is the minute, whose begin we are not told. */
const RATE_WINDOW_S = 60;

const TABLES = { oa: OA_CODES, oauth: OAUTH_CODES, bot: BOT_CODES };

/** Words of the platform as a log may have them: no token, id or number is left in them. */
export const scrubWords = (words: string): string =>
  words.replace(/https?:\/\/\S+|[\w+/=.-]{16,}|\+?\d[\d .-]{5,}\d/g, '…').slice(0, 160);

/**
 * A refusal by its code, as the house understands it.
 * @param call the call's name, for the message
 * @param words what the platform said, scrubbed before it is shown; only for codes that are not in the table
 */
export function refusal(
  api: keyof typeof TABLES,
  call: string,
  code: number,
  words: string,
  log?: Log,
): ZaloError {
  const [remedy, kind, meaning] =
    TABLES[api][code] ??
    (api === 'bot' && code >= 500
      ? (['back-off', 'unreachable', 'Zalo failed'] as const)
      : (['unknown', 'refused', scrubWords(words)] as const));
  if (remedy === 'unknown') log?.warn({ call, code, words: meaning }, 'Zalo refused with an unknown code');
  const advice = adviceFor(api, code);
  return new ZaloError(kind, `Zalo refused ${call}: ${code} ${meaning}`.trim(), code, remedy, {
    ...(kind === 'rate-limited' ? { retryAfterS: RATE_WINDOW_S } : {}),
    ...(advice === null ? {} : { needsHuman: { code: String(code), advice } }),
  });
}
