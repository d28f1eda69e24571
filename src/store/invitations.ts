import type { Role } from '../base/roles.js';
import { hashToken } from '../base/seal.js';
import type { Database, Transaction } from './database.js';

type Store = Database | Transaction;

export interface Invitation {
  id: number;
  role: Role;
  hamletId: number | null;
  maxUses: number;
  used: number;
  expiresMs: number;
  createdById: number | null;
}

/** Only the code's hash is kept. @returns the invitation's id */
export async function addInvitation(
  db: Store,
  invitation: Omit<Invitation, 'id' | 'used'> & { code: string; nowMs: number },
): Promise<number> {
  const { code, nowMs, expiresMs, ...rest } = invitation;
  const row = await db.invitation.create({
    data: { ...rest, codeHash: hashToken(code), createdMs: BigInt(nowMs), expiresMs: BigInt(expiresMs) },
  });
  return row.id;
}

/** Invitations that still open a door. */
export async function openInvitations(db: Store, nowMs: number): Promise<Invitation[]> {
  const rows = await db.invitation.findMany({
    where: { revokedMs: null, expiresMs: { gt: BigInt(nowMs) } },
    orderBy: { id: 'asc' },
  });
  return rows
    .filter((row) => row.used < row.maxUses)
    .map((row) => ({ ...row, role: row.role as Role, expiresMs: Number(row.expiresMs) }));
}

/** @returns false when there is no such open invitation */
export async function revokeInvitation(db: Store, id: number, nowMs: number): Promise<boolean> {
  const { count } = await db.invitation.updateMany({
    where: { id, revokedMs: null },
    data: { revokedMs: BigInt(nowMs) },
  });
  return count > 0;
}

export type Redeemed =
  | { ok: true; invitation: Invitation }
  | { ok: false; why: 'unknown' | 'expired' | 'used-up' | 'revoked' };

/** Finds an invitation by its code without using it. */
export async function lookUpInvitation(db: Store, code: string, nowMs: number): Promise<Redeemed> {
  const row = await db.invitation.findUnique({ where: { codeHash: hashToken(code) } });
  if (row === null) return { ok: false, why: 'unknown' };
  if (row.revokedMs !== null) return { ok: false, why: 'revoked' };
  if (Number(row.expiresMs) <= nowMs) return { ok: false, why: 'expired' };
  if (row.used >= row.maxUses) return { ok: false, why: 'used-up' };
  return { ok: true, invitation: { ...row, role: row.role as Role, expiresMs: Number(row.expiresMs) } };
}

/** Counts one use; false when the last one was taken meanwhile. */
export async function useInvitation(db: Store, invitation: Invitation): Promise<boolean> {
  const { count } = await db.invitation.updateMany({
    where: { id: invitation.id, used: { lt: invitation.maxUses }, revokedMs: null },
    data: { used: { increment: 1 } },
  });
  return count > 0;
}
