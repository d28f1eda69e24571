import type { Clock } from '../base/clock.js';
import { hashToken, makeToken } from '../base/seal.js';
import type { Database } from './database.js';

/** `login`: lets a browser in once. `file`: opens one file until it expires. */
export type TokenKind = 'login' | 'file';

export interface TokenFacts {
  hash: string;
  kind: TokenKind;
  personId: number | null;
  /** JSON of whoever issued it */
  payload: unknown;
  createdMs: number;
  expiresMs: number;
}

/** Expiring tokens. Only their SHA-256 is kept, so the database alone opens nothing. */
export interface Tokens {
  /** Makes a token (43 characters, base64url) that is good for `ttlMs`. */
  issue(made: { kind: TokenKind; personId: number | null; payload: unknown; ttlMs: number }): Promise<string>;
  /** The facts of a token that is still good, without using it up; null for every other. */
  peek(kind: TokenKind, token: string): Promise<TokenFacts | null>;
  /** Uses it up: of any number of calls at once exactly one gets the facts. */
  use(kind: TokenKind, token: string): Promise<TokenFacts | null>;
  /** Ends a token before its time, by the hash that `peek` gave. */
  revoke(hash: string): Promise<void>;
  /** Ends every token of a person, of one kind or of all. */
  revokeOf(personId: number, kind?: TokenKind): Promise<void>;
  /** Tokens that can never be used again: used, revoked or expired. */
  over(kind: TokenKind): Promise<TokenFacts[]>;
  /** Tokens that are still good. */
  live(kind: TokenKind): Promise<TokenFacts[]>;
  /** Deletes tokens, once what they opened is gone. */
  forget(hashes: string[]): Promise<void>;
}

interface Row {
  hash: string;
  kind: string;
  personId: number | null;
  payload: string;
  createdMs: bigint;
  expiresMs: bigint;
}

const facts = (row: Row): TokenFacts => ({
  hash: row.hash,
  kind: row.kind as TokenKind,
  personId: row.personId,
  payload: JSON.parse(row.payload) as unknown,
  createdMs: Number(row.createdMs),
  expiresMs: Number(row.expiresMs),
});

export function makeTokens(database: Database, clock: Clock): Tokens {
  const good = (kind: TokenKind, token: string) => ({
    hash: hashToken(token),
    kind,
    usedMs: null,
    revokedMs: null,
    expiresMs: { gt: BigInt(clock.now()) },
  });
  return {
    async issue({ kind, personId, payload, ttlMs }) {
      const token = makeToken();
      const now = clock.now();
      await database.token.create({
        data: {
          hash: hashToken(token),
          kind,
          personId,
          payload: JSON.stringify(payload),
          createdMs: BigInt(now),
          expiresMs: BigInt(now + ttlMs),
        },
      });
      return token;
    },
    async peek(kind, token) {
      const row = await database.token.findFirst({ where: good(kind, token) });
      return row === null ? null : facts(row);
    },
    async use(kind, token) {
      const { count } = await database.token.updateMany({
        where: good(kind, token),
        data: { usedMs: BigInt(clock.now()) },
      });
      if (count !== 1) return null;
      const row = await database.token.findUnique({ where: { hash: hashToken(token) } });
      return row === null ? null : facts(row);
    },
    async revoke(hash) {
      await database.token.updateMany({
        where: { hash, revokedMs: null },
        data: { revokedMs: BigInt(clock.now()) },
      });
    },
    async revokeOf(personId, kind) {
      await database.token.updateMany({
        where: { personId, revokedMs: null, ...(kind === undefined ? {} : { kind }) },
        data: { revokedMs: BigInt(clock.now()) },
      });
    },
    async over(kind) {
      const rows = await database.token.findMany({
        where: {
          kind,
          OR: [
            { usedMs: { not: null } },
            { revokedMs: { not: null } },
            { expiresMs: { lte: BigInt(clock.now()) } },
          ],
        },
      });
      return rows.map(facts);
    },
    async live(kind) {
      const rows = await database.token.findMany({
        where: { kind, usedMs: null, revokedMs: null, expiresMs: { gt: BigInt(clock.now()) } },
      });
      return rows.map(facts);
    },
    async forget(hashes) {
      for (let at = 0; at < hashes.length; at += 500)
        await database.token.deleteMany({ where: { hash: { in: hashes.slice(at, at + 500) } } });
    },
  };
}
