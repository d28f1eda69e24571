import type { GroupPurpose } from '../base/roles.js';
import type { Database, Transaction } from './database.js';

type Store = Database | Transaction;

/** A group chat the bot is in. */
export interface Group {
  id: number;
  channel: string;
  chatId: string;
  title: string;
  /** null while not bound */
  purpose: GroupPurpose | null;
  hamletId: number | null;
  hamletName: string | null;
  /** where in a group with topics it is told things; null: the general one */
  topic: string | null;
  boundMs: number | null;
}

/** Groups the bot is still in, bound ones first. */
export async function listGroups(db: Store): Promise<Group[]> {
  const rows = await db.group.findMany({
    where: { leftMs: null },
    include: { hamlet: { select: { name: true } } },
    orderBy: { id: 'asc' },
  });
  return rows
    .map((row) => ({
      id: row.id,
      channel: row.channel,
      chatId: row.chatId,
      title: row.title,
      purpose: row.purpose as GroupPurpose | null,
      hamletId: row.hamletId,
      hamletName: row.hamlet?.name ?? null,
      topic: row.topic,
      boundMs: row.boundMs === null ? null : Number(row.boundMs),
    }))
    .sort((a, b) => Number(a.purpose === null) - Number(b.purpose === null));
}

export async function groupsFor(db: Store, purpose: GroupPurpose): Promise<Group[]> {
  return (await listGroups(db)).filter((group) => group.purpose === purpose);
}

/** Binds a group, or one topic of it, to a purpose; null unbinds it. */
export async function bindGroup(
  db: Store,
  id: number,
  to: { purpose: GroupPurpose; hamletId: number | null; topic: string | null } | null,
  by: { personId: number; nowMs: number },
): Promise<void> {
  await db.group.update({
    where: { id },
    data:
      to === null
        ? { purpose: null, hamletId: null, topic: null, boundMs: null, boundById: null }
        : { ...to, boundMs: BigInt(by.nowMs), boundById: by.personId },
  });
}

/** The topic is gone: from now on the group is told things in its general one. */
export async function dropTopic(db: Store, id: number, topic: string): Promise<void> {
  await db.group.updateMany({ where: { id, topic }, data: { topic: null } });
}

/** What was known of a group when it was closed to us; null while it is not, or unknown. */
export async function closedGroup(
  db: Store,
  channel: string,
  chatId: string,
): Promise<(Pick<Group, 'id' | 'title' | 'purpose'> & { closedMs: number }) | null> {
  const row = await db.group.findUnique({ where: { channel_chatId: { channel, chatId } } });
  if (row === null || row.leftMs === null) return null;
  const { id, title, leftMs } = row;
  return { id, title, purpose: row.purpose as GroupPurpose | null, closedMs: Number(leftMs) };
}

/** A bound group, found again by its chat, then left as it is. */
export async function ensureGroup(
  db: Store,
  group: { channel: string; chatId: string; title: string; purpose: GroupPurpose; hamletId: number | null },
  nowMs: number,
): Promise<number> {
  const key = { channel: group.channel, chatId: group.chatId };
  const row = await db.group.upsert({
    where: { channel_chatId: key },
    create: { ...group, boundMs: BigInt(nowMs) },
    update: {},
  });
  return row.id;
}
