import type { Clock } from '../base/clock.js';
import { hashToken, makeToken } from '../base/seal.js';
import type { Database } from './database.js';

export interface SessionFacts {
  /** what we keep of the cookie */
  hash: string;
  personId: number;
  /** a form or script of ours must send it along with every change */
  csrf: string;
  expiresMs: number;
}

/** Browsers that logged in. The cookie's value is kept as a hash only. */
export interface Sessions {
  /** Begins one; `cookie` is the value for the browser and is never seen again. */
  begin(personId: number, ttlMs: number): Promise<{ cookie: string; session: SessionFacts }>;
  /** The session of a cookie, null when unknown, ended or over. */
  find(cookie: string): Promise<SessionFacts | null>;
  end(hash: string): Promise<void>;
  /** Logs a person out everywhere. */
  endOf(personId: number): Promise<void>;
  /** Deletes what is over. */
  sweep(): Promise<void>;
}

export function makeSessions(database: Database, clock: Clock): Sessions {
  return {
    async begin(personId, ttlMs) {
      const cookie = makeToken();
      const now = clock.now();
      const session = { hash: hashToken(cookie), personId, csrf: makeToken(), expiresMs: now + ttlMs };
      await database.session.create({
        data: { ...session, createdMs: BigInt(now), expiresMs: BigInt(session.expiresMs) },
      });
      return { cookie, session };
    },
    async find(cookie) {
      const row = await database.session.findUnique({ where: { hash: hashToken(cookie) } });
      if (row === null || row.endedMs !== null || Number(row.expiresMs) <= clock.now()) return null;
      return { hash: row.hash, personId: row.personId, csrf: row.csrf, expiresMs: Number(row.expiresMs) };
    },
    async end(hash) {
      await database.session.updateMany({
        where: { hash, endedMs: null },
        data: { endedMs: BigInt(clock.now()) },
      });
    },
    async endOf(personId) {
      await database.session.updateMany({
        where: { personId, endedMs: null },
        data: { endedMs: BigInt(clock.now()) },
      });
    },
    async sweep() {
      await database.session.deleteMany({
        where: { OR: [{ endedMs: { not: null } }, { expiresMs: { lte: BigInt(clock.now()) } }] },
      });
    },
  };
}
