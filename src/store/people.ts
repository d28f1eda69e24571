import type { Role } from '../base/roles.js';
import type { Database, Transaction } from './database.js';

type Store = Database | Transaction;

/** A person as handlers see one; the phone stays sealed in its row. */
export interface Person {
  id: number;
  alias: string | null;
  name: string;
  role: Role;
  hamletId: number | null;
  hamletName: string | null;
  createdMs: number;
}

interface Row {
  id: number;
  alias: string | null;
  name: string;
  role: string;
  hamletId: number | null;
  hamlet: { name: string } | null;
  createdMs: bigint;
}

const seen = (row: Row): Person => ({
  id: row.id,
  alias: row.alias,
  name: row.name,
  role: row.role as Role,
  hamletId: row.hamletId,
  hamletName: row.hamlet?.name ?? null,
  createdMs: Number(row.createdMs),
});

const withHamlet = { hamlet: { select: { name: true } } } as const;

export async function personById(db: Store, id: number): Promise<Person | null> {
  const row = await db.person.findUnique({ where: { id }, include: withHamlet });
  return row === null ? null : seen(row);
}

/** Everybody who has a role, by name; guests only when asked for. */
export async function listPeople(db: Store, options: { guests?: boolean } = {}): Promise<Person[]> {
  const rows = await db.person.findMany({
    where: options.guests ? { removedMs: null } : { role: { not: 'guest' }, removedMs: null },
    include: withHamlet,
    orderBy: { name: 'asc' },
  });
  return rows.map(seen);
}

export async function peopleByRole(db: Store, role: Role): Promise<Person[]> {
  const rows = await db.person.findMany({
    where: { role, removedMs: null },
    include: withHamlet,
    orderBy: { id: 'asc' },
  });
  return rows.map(seen);
}

export async function countChiefs(db: Store): Promise<number> {
  return db.person.count({ where: { role: 'chief', removedMs: null } });
}

/** Gives a role; a hamlet of undefined stays as it is. Takes back an earlier removal. */
export async function setRole(
  db: Store,
  id: number,
  role: Role,
  hamletId: number | null | undefined = undefined,
): Promise<void> {
  await db.person.update({
    where: { id },
    data: { role, removedMs: null, ...(hamletId === undefined ? {} : { hamletId }) },
  });
}

export async function setPersonHamlet(db: Store, id: number, hamletId: number | null): Promise<void> {
  await db.person.update({ where: { id }, data: { hamletId } });
}

export async function hasPhone(db: Store, id: number): Promise<boolean> {
  return (await db.person.count({ where: { id, phoneSealed: { not: null } } })) > 0;
}

/** @param sealed as the house's seal made it */
export async function setPhone(db: Store, id: number, sealed: string): Promise<void> {
  await db.person.update({ where: { id }, data: { phoneSealed: sealed } });
}

export async function renamePerson(db: Store, id: number, name: string): Promise<void> {
  await db.person.update({ where: { id }, data: { name } });
}

/** The person becomes a guest: role, hamlet, phone and assignments go; what they did stays in the log. */
export async function removePerson(db: Store, id: number, nowMs: number): Promise<void> {
  await db.assignment.deleteMany({ where: { personId: id } });
  await db.person.update({
    where: { id },
    data: { role: 'guest', hamletId: null, phoneSealed: null, removedMs: BigInt(nowMs) },
  });
}

export interface NewPerson {
  alias: string;
  name: string;
  role: Role;
  hamletId: number | null;
  channel: string;
  userId: string;
  nowMs: number;
}

/** A person with one account and an open private chat; found again by the alias, then left as it is. */
export async function ensurePerson(db: Store, person: NewPerson): Promise<number> {
  const known = await db.person.findUnique({ where: { alias: person.alias }, select: { id: true } });
  if (known !== null) return known.id;
  const created = await db.person.create({
    data: {
      alias: person.alias,
      name: person.name,
      role: person.role,
      hamletId: person.hamletId,
      createdMs: BigInt(person.nowMs),
      addresses: {
        create: {
          channel: person.channel,
          userId: person.userId,
          displayName: person.name,
          privateChatId: person.userId,
          createdMs: BigInt(person.nowMs),
        },
      },
    },
  });
  return created.id;
}

/** The person's account on the web console, made when there is none; its private chat has the same id. */
export async function consoleAccount(
  db: Store,
  person: { id: number; name: string },
  nowMs: number,
): Promise<string> {
  const known = await db.address.findFirst({ where: { personId: person.id, channel: 'console' } });
  if (known !== null) return known.userId;
  const userId = `p${person.id}`;
  await db.address.create({
    data: {
      channel: 'console',
      userId,
      personId: person.id,
      displayName: person.name,
      privateChatId: userId,
      createdMs: BigInt(nowMs),
    },
  });
  return userId;
}

export async function consoleChatExists(db: Store, chatId: string): Promise<boolean> {
  return (await db.address.count({ where: { channel: 'console', userId: chatId } })) > 0;
}
