import { DAY_MS } from '../../../base/clock.js';
import { makeSeal } from '../../../base/seal.js';
import { tokenFile } from './keeper.js';
import { readKept } from './kept.js';

/** A refresh token lives three months. Source: chat-apis.md §1.1. */
const REFRESH_MS = 90 * DAY_MS;

/** What the file of tokens says; asked of nobody, and nothing is changed. */
export interface TokensLook {
  accessToken: string;
  /** the pair was given, epoch ms by the wall clock */
  obtainedMs: number;
  /** the access token ends */
  accessEndsMs: number;
  /** where nobody renews the pair until then, a person must consent again */
  consentEndsMs: number;
  /** a refresh was sent then and no answer to it is known; null: none is open */
  unansweredMs: number | null;
  /** Zalo refused the refresh token then: a person must consent; null: it did not */
  refusedMs: number | null;
}

/**
 * Reads the tokens for somebody who only looks, as the doctor does while the bot runs: the refresh token is not handed
 * out, so that it can't be used up. Null: the OA has not consented.
 * @throws WorldError invalid when they can't be read, Error where there is no usable key
 */
export async function lookAtTokens(about: {
  dataDir: string;
  secretKey: string;
}): Promise<TokensLook | null> {
  const kept = await readKept(tokenFile(about.dataDir), makeSeal(about.secretKey));
  if (kept === null) return null;
  const { accessToken, obtainedMs, lifetimeMs } = kept.pair;
  return {
    ...{ accessToken, obtainedMs },
    accessEndsMs: obtainedMs + lifetimeMs,
    consentEndsMs: obtainedMs + REFRESH_MS,
    unansweredMs: kept.intent?.atMs ?? null,
    refusedMs: kept.refused?.atMs ?? null,
  };
}
