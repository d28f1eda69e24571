/**
 * Cameras and recorders of other makes lock out who tries a wrong password a few times, and a DVR has one lock for all
 * its channels. So refusals are counted per host and login, whichever camera or stream made the try.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Cause } from '../types.js';
import type { Address } from './address.js';
import type { LoginMemory } from './login-memory.js';

/** A refused password is tried this often, then no more until a person has acted or the wait is over. */
const MOST_TRIES = 2;
const LOCKED_MS = 30 * 60_000 - 1000;
/** The second try comes no sooner than this after the first, ms. */
const AGAIN_MS = 8_000;
/** The others wait this long at most to see what becomes of the first, ms. */
const VERDICT_MS = 3_000;
/** A refusal is kept over restarts for so long: a camera has forgotten it by then, ms. */
const KEPT_MS = 24 * 3_600_000;

interface Login {
  refusals: number;
  refusedMs: number;
  /** the connection whose outcome the others wait for */
  verdict: Verdict | null;
  /** connections that pictures come through */
  inside: number;
  /** digests of addresses that were refused, and of those that were not let try: theirs is the second try */
  refused: Set<string>;
  kept: Set<string>;
  /** digests of addresses that were refused while others were inside: the password is right, the channel is forbidden */
  forbidden: Set<string>;
  /** called when one is let in */
  waiting: Set<() => void>;
}

interface Verdict {
  promise: Promise<void>;
  tell: () => void;
}

/** What a connection that was let try tells of itself. */
export interface Pass {
  /** pictures are coming: the password is right */
  admitted(): void;
  /** null: it ended without a fault */
  ended(cause: Cause | null): void;
}

export interface GuardOptions {
  /** monotonic ms */
  now?: () => number;
  /** wall clock, epoch ms: the only one that goes on while the process is away */
  wall?: () => number;
  /** keys the digests; default: one of this process, for a guard that keeps nothing */
  secret?: string | Buffer;
  /** keeps refusals over restarts; default: in memory only */
  memory?: LoginMemory;
}

const ANYBODY: Pass = { admitted: () => {}, ended: () => {} };

/** One of each process that connects to cameras. */
export class LoginGuard {
  private readonly logins = new Map<string, Login>();
  private readonly now: () => number;
  private readonly wall: () => number;
  private readonly secret: string | Buffer;
  private saved: Promise<void> = Promise.resolve();

  constructor(private readonly options: GuardOptions = {}) {
    this.now = options.now ?? (() => performance.now());
    this.wall = options.wall ?? Date.now;
    this.secret = options.secret ?? randomBytes(32);
  }

  /** Takes up what the process before had counted. A clock that was set back meanwhile makes the wait begin anew. */
  async load(): Promise<void> {
    const kept = (await this.options.memory?.load()) ?? [];
    for (const { login, refusals, atMs, addresses } of kept) {
      const ageMs = Math.max(0, this.wall() - atMs);
      if (ageMs > KEPT_MS) continue;
      const refusedMs = this.now() - ageMs;
      this.logins.set(login, { ...fresh(), refusals, refusedMs, refused: new Set(addresses) });
    }
  }

  /** Resolves when everything counted so far is written down. */
  settled(): Promise<void> {
    return this.saved;
  }

  private save(): void {
    const { memory } = this.options;
    if (memory === undefined) return;
    const toWall = this.wall() - this.now();
    const logins = [...this.logins].flatMap(([login, { refusals, refusedMs, refused }]) =>
      refusals === 0
        ? []
        : [{ login, refusals, atMs: Math.round(refusedMs + toWall), addresses: [...refused] }],
    );
    this.saved = this.saved.then(() => memory.save(logins));
  }

  private digest(...parts: string[]): string {
    return createHmac('sha256', this.secret).update(parts.join('\n')).digest('hex');
  }

  private clear(login: Login): void {
    const counted = login.refusals > 0;
    login.refusals = 0;
    login.refused.clear();
    login.kept.clear();
    if (counted) this.save();
  }

  /**
   * Asks to connect. One goes first, others with the same login wait a moment for what becomes of it. Null: don't, the
   * password would only be counted against us.
   */
  async enter(address: Address, signal: AbortSignal): Promise<Pass | null> {
    const key = this.loginOf(address);
    if (key === null) return ANYBODY;
    const login = this.logins.get(key) ?? fresh();
    this.logins.set(key, login);
    // a refusal is on disk before the next try: no crash in between makes it forgotten
    if (login.refusals > 0) await this.saved;
    if (login.verdict !== null) {
      const told = new AbortController();
      const limit = pause(VERDICT_MS, undefined, { signal: AbortSignal.any([signal, told.signal]) });
      await Promise.race([login.verdict.promise, limit.catch(() => {})]);
      told.abort();
    }
    const url = this.digest(address.kind === 'rtsp' ? address.url : '');
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
      admitted: () => {
        if (!admitted) login.inside++;
        admitted = true;
        login.forbidden.delete(url);
        this.clear(login);
        tell();
        for (const wake of login.waiting) wake();
      },
      ended: (cause) => {
        if (admitted) login.inside--;
        // Where others are inside the password is right: what is refused is this one channel.
        if (cause === 'refused' && login.inside > 0) login.forbidden.add(url);
        else if (cause === 'refused') {
          login.refused.add(url);
          login.refusals++;
          login.refusedMs = this.now();
          this.save();
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

  /**
   * For an address that was refused or not let try: resolves as soon as its login is let in by another channel, since
   * then waiting is of no use, or when the signal aborts. Not for a channel that was refused while others were inside.
   */
  async whenAdmitted(address: Address, signal: AbortSignal): Promise<void> {
    const login = this.logins.get(this.loginOf(address) ?? '');
    const url = this.digest(address.kind === 'rtsp' ? address.url : '');
    await new Promise<void>((resolve) => {
      const end = () => {
        login?.waiting.delete(look);
        signal.removeEventListener('abort', end);
        resolve();
      };
      const look = () => {
        if (login !== undefined && login.inside > 0 && !login.forbidden.has(url)) end();
      };
      if (signal.aborted) return resolve();
      signal.addEventListener('abort', end, { once: true });
      login?.waiting.add(look);
      look();
    });
  }

  /** A person has acted (a new address, the same again, switched on): it may be tried at once. */
  forget(address: Address): void {
    const login = this.logins.get(this.loginOf(address) ?? '');
    if (login === undefined) return;
    login.forbidden.delete(this.digest(address.kind === 'rtsp' ? address.url : ''));
    this.clear(login);
  }

  /** Host, port and login as a digest; null where there is no password to be refused. */
  private loginOf(address: Address): string | null {
    if (address.kind !== 'rtsp' || address.secrets.length === 0) return null;
    const host = /^\w+:\/\/(?:.*@)?([^/?]+)/.exec(address.url)?.[1] ?? '';
    return this.digest(host, ...address.secrets);
  }
}

const fresh = (): Login => ({
  ...{ refusals: 0, refusedMs: 0, verdict: null, inside: 0 },
  ...{ refused: new Set(), kept: new Set(), forbidden: new Set(), waiting: new Set() },
});

function makeVerdict(): Verdict {
  let tell = () => {};
  const promise = new Promise<void>((resolve) => {
    tell = resolve;
  });
  return { promise, tell };
}
