import { DAY_MS } from '../base/clock.js';
import type { Database } from './database.js';

/** How long an ended token, session or invitation is kept for questions, ms. */
const KEPT_MS = 30 * DAY_MS;

/** Forgets what has long ended: tokens, sessions, open questions, invitations. */
export async function pruneExpired(db: Database, nowMs: number): Promise<void> {
  const before = BigInt(nowMs - KEPT_MS);
  await db.token.deleteMany({ where: { expiresMs: { lt: before } } });
  await db.session.deleteMany({ where: { expiresMs: { lt: before } } });
  await db.invitation.deleteMany({ where: { expiresMs: { lt: before } } });
  await db.pending.deleteMany({ where: { expiresMs: { lt: BigInt(nowMs) } } });
}
