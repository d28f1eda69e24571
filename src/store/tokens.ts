import type { Clock } from '../base/clock.js';
import { hashToken, makeToken } from '../base/seal.js';
import { type Database, inTransaction } from './database.js';

/** `login`: lets a browser in once. `file`: a link to files, good until it expires (links.ts). `consent`: begins the consent of the Zalo OA. */
export type TokenKind = 'login' | 'file' | 'consent';

export interface TokenFacts {
  hash: string;
  kind: TokenKind;
  personId: number | null;
  /** JSON of whoever issued it */
  payload: unknown;
  createdMs: number;
  expiresMs: number;
}

export interface NewToken {
  kind: TokenKind;
  personId: number | null;
  payload: unknown;
  ttlMs: number;
  /** what must be typed as well */
  pin?: string;
}

/** Expiring tokens. Only their SHA-256 is kept, so the database alone opens nothing. */
export interface Tokens {
  /** Makes a token (43 characters, base64url: 256 bits) that is good for `ttlMs`; a link to files gets a number. */
  issue(made: NewToken): Promise<string>;
  /** The facts of a token that is still good, without using it up; null for every other. */
  peek(kind: TokenKind, token: string): Promise<TokenFacts | null>;
  /** Uses it up: of any number of calls at once exactly one gets the facts. */
  use(kind: TokenKind, token: string): Promise<TokenFacts | null>;
  /** Ends every token of a person, of one kind or of all. */
  revokeOf(personId: number, kind?: TokenKind): Promise<void>;
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

/** What we keep of a PIN: bound to its token, which nobody has who has the database. */
export const hashPin = (token: string, pin: string) => hashToken(`${token}:${pin}`);

export function makeTokens(database: Database, clock: Clock): Tokens {
  const good = (kind: TokenKind, token: string) => ({
    hash: hashToken(token),
    kind,
    usedMs: null,
    revokedMs: null,
    expiresMs: { gt: BigInt(clock.now()) },
  });
  return {
    async issue({ kind, personId, payload, ttlMs, pin }) {
      const token = makeToken();
      const now = clock.now();
      const data = {
        hash: hashToken(token),
        kind,
        personId,
        payload: JSON.stringify(payload),
        createdMs: BigInt(now),
        expiresMs: BigInt(now + ttlMs),
        pinHash: pin === undefined ? null : hashPin(token, pin),
      };
      await inTransaction(database, async (tx) => {
        const last = kind === 'file' ? await tx.token.aggregate({ _max: { number: true } }) : null;
        const number = last === null ? null : (last._max.number ?? 0) + 1;
        await tx.token.create({ data: { ...data, number } });
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
    async revokeOf(personId, kind) {
      await database.token.updateMany({
        where: { personId, revokedMs: null, ...(kind === undefined ? {} : { kind }) },
        data: { revokedMs: BigInt(clock.now()) },
      });
    },
  };
}
