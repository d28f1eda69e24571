import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import { WorldError } from '../../../base/errors.js';
import type { Seal } from '../../../base/seal.js';
import { CONSENT_NEEDED, ZaloError } from '../api/errors.js';
import type { GivenPair } from '../api/oauth.js';
import { type Kept, readKept, writeKept } from './kept.js';

/** A change of the token file. Only the holder of its lock makes one. */
export const change = z.discriminatedUnion('do', [
  /** a new pair for the one with this access token */
  z.object({ do: z.literal('refresh'), replace: z.string() }),
  z.object({
    do: z.literal('put'),
    pair: z.object({ accessToken: z.string(), refreshToken: z.string(), lifetimeMs: z.number() }),
  }),
  /** the refusal was told to a person */
  z.object({ do: z.literal('told') }),
]);
export type Change = z.output<typeof change>;

export const outcome = z.discriminatedUnion('is', [
  z.object({ is: z.literal('stored') }),
  /** another pair is there already */
  z.object({ is: z.literal('newer') }),
  /** Zalo refused the refresh token */
  z.object({ is: z.literal('consent-needed') }),
  /** Zalo refused for a reason that somebody must mend: a wrong secret, an inactive app */
  z.object({ is: z.literal('refused'), code: z.number(), message: z.string() }),
  /** no answer: it is not known whether the refresh token is used up, and it must be tried again */
  z.object({ is: z.literal('failed'), message: z.string() }),
]);
export type Outcome = z.output<typeof outcome>;

export interface ChangeTools {
  file: string;
  seal: Seal;
  /** @throws ZaloError when Zalo refuses, WorldError when there is no answer */
  refresh(refreshToken: string): Promise<GivenPair>;
  now(): number;
}

/** Between two tries to store a pair that is in no other place than our memory, ms. */
const STORE_AGAIN_MS = 250;

/** Stores what must not be lost: as long as the process lives. */
async function store(tools: ChangeTools, kept: Kept): Promise<void> {
  for (;;)
    try {
      return await writeKept(tools.file, tools.seal, kept);
    } catch {
      await pause(STORE_AGAIN_MS);
    }
}

const asKept = (given: GivenPair, nowMs: number): Kept => ({
  pair: { ...given, obtainedMs: nowMs },
  intent: null,
  refused: null,
});

/** Makes one change, under the lock, on the file as it is now. */
export async function makeChange(order: Change, tools: ChangeTools): Promise<Outcome> {
  if (order.do === 'put') {
    // whatever was there, readable or not
    await writeKept(tools.file, tools.seal, asKept(order.pair, tools.now()));
    return { is: 'stored' };
  }
  const kept = await readKept(tools.file, tools.seal);
  if (kept === null) return { is: 'failed', message: 'there are no tokens' };
  if (order.do === 'told') {
    if (kept.refused !== null)
      await writeKept(tools.file, tools.seal, { ...kept, refused: { ...kept.refused, told: true } });
    return { is: 'stored' };
  }
  if (kept.pair.accessToken !== order.replace) return { is: 'newer' };
  if (kept.refused !== null) return { is: 'consent-needed' };
  return refresh(kept, tools);
}

async function refresh(kept: Kept, tools: ChangeTools): Promise<Outcome> {
  const { file, seal, now } = tools;
  const begun: Kept = { ...kept, intent: kept.intent ?? { atMs: now() } };
  // also shows that the disk takes what will come
  await writeKept(file, seal, begun);
  let given: GivenPair;
  try {
    given = await tools.refresh(kept.pair.refreshToken);
  } catch (error) {
    if (!(error instanceof WorldError)) throw error;
    const refusedFor = error instanceof ZaloError && error.remedy !== 'back-off' ? error.code : null;
    if (refusedFor === null) return { is: 'failed', message: error.message };
    if (refusedFor !== CONSENT_NEEDED) {
      // a refusal is an answer: the refresh token was not taken
      await writeKept(file, seal, kept);
      return { is: 'refused', code: refusedFor, message: error.message };
    }
    const lost = kept.intent !== null;
    await store(tools, {
      pair: kept.pair,
      intent: null,
      refused: { atMs: now(), code: refusedFor, lost, told: false },
    });
    return { is: 'consent-needed' };
  }
  await store(tools, asKept(given, now()));
  return { is: 'stored' };
}
