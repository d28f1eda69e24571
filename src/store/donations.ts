import type { Database, Transaction } from './database.js';

type Store = Database | Transaction;

export interface Donation {
  id: number;
  donorName: string;
  /** the donor's account, if they have one */
  donorId: number | null;
  amountDong: number;
  recordedMs: number;
  recordedById: number;
}

/** @returns the donation's id */
export async function addDonation(
  db: Store,
  donation: Omit<Donation, 'id'> & { inboxId: number },
): Promise<number> {
  const row = await db.donation.create({
    data: {
      ...donation,
      amountDong: BigInt(donation.amountDong),
      recordedMs: BigInt(donation.recordedMs),
    },
  });
  return row.id;
}

export async function donationById(db: Store, id: number): Promise<Donation | null> {
  const row = await db.donation.findUnique({ where: { id } });
  return row === null
    ? null
    : { ...row, amountDong: Number(row.amountDong), recordedMs: Number(row.recordedMs) };
}

/** How many gifts there are, and their sum in đồng. */
export async function donationTotal(db: Store): Promise<{ count: number; sumDong: number }> {
  const found = await db.donation.aggregate({ _count: true, _sum: { amountDong: true } });
  return { count: found._count, sumDong: Number(found._sum.amountDong ?? 0n) };
}
