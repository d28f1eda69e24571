import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { backoffMs } from '../../../base/backoff.js';
import { type Clock, DAY_MS, systemClock } from '../../../base/clock.js';
import { WorldError } from '../../../base/errors.js';
import type { Log } from '../../../base/log.js';
import { hashToken, makeSeal } from '../../../base/seal.js';
import type { TokenSource } from '../api/call.js';
import type { GivenPair, OauthOptions } from '../api/oauth.js';
import type { Change, Outcome } from './change.js';
import { changeInOwnProcess } from './in-own-process.js';
import { isDue, type Kept, type Pair, readKept } from './kept.js';

/** What a person must mend before Zalo works again. */
export interface TokenTrouble {
  /** consent: the OA's administrator must consent again; settings: app or secret are not right; unreadable: consent too */
  why: 'consent' | 'settings' | 'unreadable';
  /** Zalo's code; 0 when it was not Zalo who refused */
  code: number;
  /** an answer of Zalo was lost on the way or by a kill; else the token was old, or used somewhere else */
  lost: boolean;
  /** the same for the same trouble, also after a restart: for the outbox */
  key: string;
}

export interface KeeperOptions {
  dataDir: string;
  secretKey: string;
  oauth: Pick<OauthOptions, 'root' | 'appId' | 'appSecret'>;
  log: Log;
  /** Told once of each trouble; again after a restart only when it threw, or the process ended within it. */
  onTrouble(trouble: TokenTrouble): Promise<void>;
  clock?: Clock;
  /** ms that only go forward; default the machine's */
  steady?: () => number;
  /** the compiled child, for tests that run sources */
  script?: string;
  pauses?: { checkMs: number; firstMs: number; mostMs: number; youngMs: number; mendMs: number };
}

export interface TokenKeeper extends TokenSource {
  /** Renews in time until the signal aborts, and tells of a trouble that was not told yet. */
  start(signal: AbortSignal): void;
  /** A new pair: of a consent, or pasted. @throws WorldError disk-full when it could not be stored */
  put(pair: GivenPair): Promise<void>;
  state(): Promise<'none' | 'fine' | 'consent-needed' | 'unreadable'>;
  /** Resolves when no change is under way: to be awaited before the process ends. */
  settled(): Promise<void>;
}

const PAUSES = {
  checkMs: 300_000,
  firstMs: 2_000,
  mostMs: 300_000,
  /** a token that was refused this soon after it was obtained is not the reason */
  youngMs: 30_000,
  /** between tries while a setting is wrong */
  mendMs: 3_600_000,
};

export const tokenFile = (dataDir: string) => path.join(dataDir, 'zalo', 'tokens');

const refusedNow = (what: string) => new WorldError('refused', what);
const CONSENT = 'Zalo: the OA must consent again';
/** Names a pair without telling it. */
const idOf = (token: string) => hashToken(token).slice(0, 16);

/**
 * Keeps the OA's tokens. The file is read at each use, so a pair put by another process counts at once; changes are
 * made one at a time by a process of their own (see README.md). Whether a token is still good is for Zalo to say: as
 * long as no new one can be had the old one is used until it is refused.
 */
export function makeTokenKeeper(options: KeeperOptions): TokenKeeper {
  const { log, clock = systemClock, steady = () => performance.now(), pauses = PAUSES } = options;
  const file = tokenFile(options.dataDir);
  const seal = makeSeal(options.secretKey);
  let flight: Promise<Outcome> | null = null;
  /** the access token whose age is known by the steady clock */
  let seen: { accessToken: string; ageMs: number; atMs: number } | null = null;
  let failures = 0;
  let nextTryMs = Number.NEGATIVE_INFINITY;
  /** a refused access token that can't be renewed */
  let spent = '';
  let telling: Promise<void> | null = null;

  const make = (change: Change) =>
    changeInOwnProcess(
      change,
      { file, secretKey: options.secretKey, oauth: options.oauth },
      ...(options.script === undefined ? [] : [options.script]),
    );

  /** By the wall clock when we first see the token, then by the steady one: a step of the clock changes nothing. */
  function ageOf(pair: Pair): number {
    if (seen?.accessToken !== pair.accessToken)
      seen = { accessToken: pair.accessToken, ageMs: clock.now() - pair.obtainedMs, atMs: steady() };
    return seen.ageMs + (steady() - seen.atMs);
  }

  async function read(): Promise<Kept> {
    let kept: Kept | null;
    try {
      kept = await readKept(file, seal);
    } catch (error) {
      const key = `zalo-tokens:unreadable:${Math.floor(clock.now() / DAY_MS)}`;
      await tell({ why: 'unreadable', code: 0, lost: false, key });
      throw refusedNow(error instanceof WorldError ? error.message : CONSENT);
    }
    if (kept === null) throw refusedNow('Zalo: there are no tokens yet, the OA must consent');
    return kept;
  }

  const told = new Set<string>();
  /** @returns whether it was told, now or before */
  async function tell(trouble: TokenTrouble): Promise<boolean> {
    if (told.has(trouble.key)) return true;
    told.add(trouble.key);
    try {
      await options.onTrouble(trouble);
      return true;
    } catch (error) {
      told.delete(trouble.key);
      log.error({ err: error }, "nobody could be told of the trouble with Zalo's tokens");
      return false;
    }
  }

  /** Tells a refusal that is in the file and was not told. */
  function tellRefusal(): Promise<void> {
    telling ??= (async () => {
      const kept = await readKept(file, seal).catch(() => null);
      if (kept === null || kept.refused === null || kept.refused.told) return;
      const { code, lost } = kept.refused;
      const key = `zalo-tokens:consent:${idOf(kept.pair.accessToken)}`;
      if (await tell({ why: 'consent', code, lost, key })) await make({ do: 'told' });
    })().finally(() => {
      telling = null;
    });
    return telling;
  }

  /** One refresh at a time; its callers may go, it goes on. */
  function refresh(replace: string): Promise<Outcome> {
    flight ??= make({ do: 'refresh', replace })
      .then(async (outcome) => {
        if (outcome.is === 'failed') {
          failures += 1;
          nextTryMs = steady() + backoffMs(failures, pauses.firstMs, pauses.mostMs);
          log.warn({ why: outcome.message, failures }, "Zalo's tokens could not be renewed, trying again");
        } else if (outcome.is === 'refused') {
          nextTryMs = steady() + pauses.mendMs;
          log.error({ code: outcome.code, why: outcome.message }, "Zalo's tokens are not renewed");
          const key = `zalo-tokens:settings:${outcome.code}:${idOf(replace)}`;
          await tell({ why: 'settings', code: outcome.code, lost: false, key });
        } else {
          failures = 0;
          nextTryMs = Number.NEGATIVE_INFINITY;
          if (outcome.is === 'consent-needed') {
            log.error(CONSENT);
            await tellRefusal();
          } else told.clear();
        }
        return outcome;
      })
      .finally(() => {
        flight = null;
      });
    return flight;
  }

  /** Waits for the refresh, as long as the caller does. */
  async function within<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    if (signal === undefined) return work;
    let stop = () => {};
    const ended = new Promise<never>((_, reject) => {
      stop = () => reject(new WorldError('cancelled', "waiting for Zalo's tokens was given up"));
      if (signal.aborted) stop();
      signal.addEventListener('abort', stop);
    });
    ended.catch(() => {});
    try {
      return await Promise.race([work, ended]);
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  const mayTry = () => steady() >= nextTryMs;

  async function current(signal?: AbortSignal): Promise<string> {
    const { pair, refused } = await read();
    if (pair.accessToken === spent) throw refusedNow(CONSENT);
    if (refused !== null || !isDue(pair, ageOf(pair)) || !mayTry()) return pair.accessToken;
    await within(refresh(pair.accessToken), signal);
    return (await read()).pair.accessToken;
  }

  async function renewed(old: string, signal?: AbortSignal): Promise<string> {
    const { pair, refused } = await read();
    if (pair.accessToken !== old) return pair.accessToken;
    if (refused !== null) {
      spent = old;
      throw refusedNow(CONSENT);
    }
    const ageMs = ageOf(pair);
    if (ageMs >= 0 && ageMs < pauses.youngMs)
      throw refusedNow('Zalo refuses an access token that it has just given');
    if (!mayTry())
      throw new WorldError('unreachable', "Zalo's tokens could not be renewed", {
        retryAfterS: Math.ceil((nextTryMs - steady()) / 1000),
      });
    const outcome = await within(refresh(old), signal);
    if (outcome.is === 'failed') throw new WorldError('unreachable', outcome.message);
    if (outcome.is === 'refused') throw refusedNow(outcome.message);
    if (outcome.is === 'consent-needed') {
      spent = old;
      throw refusedNow(CONSENT);
    }
    return (await read()).pair.accessToken;
  }

  return {
    current,
    renewed,
    start(signal) {
      const watch = async () => {
        while (!signal.aborted) {
          await tellRefusal();
          await current(signal).catch(() => {});
          await pause(pauses.checkMs, undefined, { signal }).catch(() => {});
        }
      };
      void watch();
    },
    async put(pair) {
      while (flight !== null) await flight;
      const outcome = await make({ do: 'put', pair });
      if (outcome.is !== 'stored') throw new WorldError('disk-full', "Zalo's tokens could not be stored");
      failures = 0;
      nextTryMs = Number.NEGATIVE_INFINITY;
      spent = '';
      told.clear();
    },
    async state() {
      try {
        const kept = await readKept(file, seal);
        return kept === null ? 'none' : kept.refused === null ? 'fine' : 'consent-needed';
      } catch {
        return 'unreadable';
      }
    },
    async settled() {
      while (flight !== null || telling !== null) await Promise.all([flight, telling]);
    },
  };
}
