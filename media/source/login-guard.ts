/**
 * Cameras and recorders of other makes lock out who tries a wrong password a few times, and a DVR has one lock for all
 * its channels. So refusals are counted per host and login, whichever camera or stream made the try.
 */
import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Cause } from '../types.js';
import type { Address } from './address.js';

/** A refused password is tried this often, then no more until a person has acted or the wait is over. */
const MOST_TRIES = 2;
const LOCKED_MS = 30 * 60_000 - 1000;
/** The second try comes no sooner than this after the first, ms. */
const AGAIN_MS = 8_000;
/** The others wait this long at most to see what becomes of the first, ms. */
const VERDICT_MS = 3_000;

interface Login {
  refusals: number;
  refusedMs: number;
  /** the connection whose outcome the others wait for */
  verdict: Verdict | null;
  /** connections that pictures come through */
  inside: number;
  /** addresses that were refused, and those that were not let try: theirs is the second try */
  refused: Set<string>;
  kept: Set<string>;
}

interface Verdict {
  promise: Promise<void>;
  tell: () => void;
}

/** What a connection that was let try tells of itself. */
export interface Pass {
  /** pictures are coming: the password is right */
  admitted(): void;
  ended(cause: Cause): void;
}

const ANYBODY: Pass = { admitted: () => {}, ended: () => {} };

/** One of each process that connects to cameras. */
export class LoginGuard {
  private readonly logins = new Map<string, Login>();

  constructor(
    /** monotonic ms */
    private readonly now: () => number = () => performance.now(),
  ) {}

  /**
   * Asks to connect. One goes first, others with the same login wait a moment for what becomes of it. Null: don't, the
   * password would only be counted against us.
   */
  async enter(address: Address, signal: AbortSignal): Promise<Pass | null> {
    const key = loginOf(address);
    if (key === null) return ANYBODY;
    const login = this.logins.get(key) ?? fresh();
    this.logins.set(key, login);
    if (login.verdict !== null) {
      const told = new AbortController();
      const limit = pause(VERDICT_MS, undefined, { signal: AbortSignal.any([signal, told.signal]) });
      await Promise.race([login.verdict.promise, limit.catch(() => {})]);
      told.abort();
    }
    const url = address.kind === 'rtsp' ? address.url : '';
    if (this.isLocked(login, url)) {
      if (!login.refused.has(url)) login.kept.add(url);
      return null;
    }
    let admitted = false;
    login.kept.delete(url);
    login.verdict ??= makeVerdict();
    const { verdict } = login;
    const tell = () => {
      verdict.tell();
      if (login.verdict === verdict) login.verdict = null;
    };
    return {
      admitted() {
        if (!admitted) login.inside++;
        admitted = true;
        clear(login);
        tell();
      },
      ended: (cause) => {
        if (admitted) login.inside--;
        // Where others are inside the password is right: what is refused is this one channel.
        if (cause === 'refused' && login.inside === 0) {
          login.refused.add(url);
          login.refusals++;
          login.refusedMs = this.now();
        }
        tell();
      },
    };
  }

  private isLocked({ refusals, refusedMs, refused, kept }: Login, url: string): boolean {
    if (refusals === 0) return false;
    // One channel may be forbidden and the next not: the second try is another's, if there is another.
    if (refusals < MOST_TRIES && refused.has(url) && kept.size > 0) return true;
    return this.now() - refusedMs < (refusals < MOST_TRIES ? AGAIN_MS : LOCKED_MS);
  }

  /** A person has acted (a new address, the same again, switched on): it may be tried at once. */
  forget(address: Address): void {
    const login = this.logins.get(loginOf(address) ?? '');
    if (login !== undefined) clear(login);
  }
}

const fresh = (): Login => ({
  ...{ refusals: 0, refusedMs: 0, verdict: null, inside: 0 },
  ...{ refused: new Set(), kept: new Set() },
});

function clear(login: Login): void {
  login.refusals = 0;
  login.refused.clear();
  login.kept.clear();
}

function makeVerdict(): Verdict {
  let tell = () => {};
  const promise = new Promise<void>((resolve) => {
    tell = resolve;
  });
  return { promise, tell };
}

/** Host, port and login as a digest; null where there is no password to be refused. */
function loginOf(address: Address): string | null {
  if (address.kind !== 'rtsp' || address.secrets.length === 0) return null;
  const host = /^\w+:\/\/(?:.*@)?([^/?]+)/.exec(address.url)?.[1] ?? '';
  return createHash('sha256')
    .update([host, ...address.secrets].join('\n'))
    .digest('hex');
}
