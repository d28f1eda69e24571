import { sameSecret } from '../base/same.js';
import { hashToken, makeToken } from '../base/seal.js';
import { type Database, inTransaction, type Transaction } from './database.js';
import { hashPin } from './tokens.js';

type Store = Database | Transaction;

/** A link to files: a token of kind `file`, with what happened to it. */
export interface LinkFacts {
  hash: string;
  /** how people call it */
  number: number;
  /** for whom it was made; null = for a group, or for nobody we know */
  personId: number | null;
  /** JSON of whoever made it */
  payload: unknown;
  expiresMs: number;
  revokedMs: number | null;
  hasPin: boolean;
  /** too many wrong PINs */
  locked: boolean;
  /** browsers that opened it */
  viewers: number;
}

/** Wrong PINs in a row that lock a link for good. */
export const MOST_PIN_TRIES = 5;

interface Row {
  hash: string;
  number: number | null;
  personId: number | null;
  payload: string;
  expiresMs: bigint;
  revokedMs: bigint | null;
  pinHash: string | null;
  pinTries: number;
  _count: { viewers: number };
}

const facts = (row: Row): LinkFacts => ({
  hash: row.hash,
  number: row.number ?? 0,
  personId: row.personId,
  payload: JSON.parse(row.payload) as unknown,
  expiresMs: Number(row.expiresMs),
  revokedMs: row.revokedMs === null ? null : Number(row.revokedMs),
  hasPin: row.pinHash !== null,
  locked: row.pinTries >= MOST_PIN_TRIES,
  viewers: row._count.viewers,
});

const counted = { _count: { select: { viewers: true } } } as const;
const live = (nowMs: number) => ({ kind: 'file', revokedMs: null, expiresMs: { gt: BigInt(nowMs) } });

/**
 * The link behind a token, however it ended, and whether this cookie's browser has opened it. The same two questions
 * are asked whatever the answers are: how long it takes tells nothing.
 */
export async function findLink(
  db: Store,
  token: string,
  cookie: string | null,
): Promise<{ link: LinkFacts | null; viewing: boolean }> {
  const hash = hashToken(token);
  const row = await db.token.findUnique({ where: { hash, kind: 'file' }, include: counted });
  const viewer = await db.viewer.findUnique({ where: { hash: hashToken(cookie ?? '') } });
  return { link: row === null ? null : facts(row), viewing: viewer !== null && viewer.tokenHash === hash };
}

/**
 * One more browser opens a link: of any number at once only `most` get in.
 * @returns the value of its cookie, never seen again; null when the link is over or taken
 */
export async function addViewer(
  database: Database,
  hash: string,
  most: number,
  nowMs: number,
): Promise<string | null> {
  return inTransaction(database, async (tx) => {
    if ((await tx.token.count({ where: { hash, ...live(nowMs) } })) === 0) return null;
    if ((await tx.viewer.count({ where: { tokenHash: hash } })) >= most) return null;
    const cookie = makeToken();
    await tx.viewer.create({
      data: { hash: hashToken(cookie), tokenHash: hash, openedMs: BigInt(nowMs) },
    });
    return cookie;
  });
}

/** Tries a PIN; each try is counted before it is compared, so that many at once get no more tries. */
export async function tryPin(db: Store, token: string, pin: string): Promise<'right' | 'wrong' | 'locked'> {
  const hash = hashToken(token);
  const { count } = await db.token.updateMany({
    where: { hash, pinTries: { lt: MOST_PIN_TRIES } },
    data: { pinTries: { increment: 1 } },
  });
  const row = count === 0 ? null : await db.token.findUnique({ where: { hash } });
  if (row === null) return 'locked';
  if (!sameSecret(hashPin(token, pin), row.pinHash ?? ''))
    return row.pinTries >= MOST_PIN_TRIES ? 'locked' : 'wrong';
  await db.token.update({ where: { hash }, data: { pinTries: 0 } });
  return 'right';
}

/** Links that can still be opened, newest first; of one person or of all. */
export async function openLinks(db: Store, nowMs: number, personId?: number): Promise<LinkFacts[]> {
  const rows = await db.token.findMany({
    where: { ...live(nowMs), ...(personId === undefined ? {} : { personId }) },
    include: counted,
    orderBy: { number: 'desc' },
  });
  return rows.map(facts);
}

/**
 * Ends links before their time.
 * @param which their numbers, or all
 * @param personId only this person's; left out: whoever's
 * @returns the numbers of those that were open
 */
export async function revokeLinks(
  db: Store,
  which: number[] | 'all',
  nowMs: number,
  personId?: number,
): Promise<number[]> {
  const numbers = (await openLinks(db, nowMs, personId))
    .map((link) => link.number)
    .filter((number) => which === 'all' || which.includes(number));
  await db.token.updateMany({
    where: { kind: 'file', number: { in: numbers } },
    data: { revokedMs: BigInt(nowMs) },
  });
  return numbers;
}

/** Links that are over but not forgotten yet: their files may go. */
export async function endedLinks(db: Store, nowMs: number): Promise<LinkFacts[]> {
  const rows = await db.token.findMany({
    where: { kind: 'file', OR: [{ revokedMs: { not: null } }, { expiresMs: { lte: BigInt(nowMs) } }] },
    include: counted,
  });
  return rows.map(facts);
}
