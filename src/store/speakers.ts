import { GROUP_PURPOSES, type GroupPurpose, ROLES, type Role, STAFF } from '../base/roles.js';
import { type Database, inTransaction, isDuplicate, lax, type Transaction } from './database.js';

export interface KnownPerson {
  personId: number;
  addressId: number;
  name: string;
  role: Role;
  hamletId: number | null;
}

export interface KnownGroup {
  groupId: number;
  purpose: GroupPurpose | null;
  hamletId: number | null;
  title: string;
}

/** "heard just now" is written down so often, ms: the windows that go by it are days long */
const HEARD_EVERY_MS = 60_000;

/** accounts asked for in one question */
const MOST_ASKED = 500;

/** of somebody whose platform did not tell a name */
export const NO_NAME = 'Không tên';

const toRole = (role: string): Role => ROLES.find((known) => known === role) ?? 'guest';
const toPurpose = (purpose: string | null): GroupPurpose | null =>
  GROUP_PURPOSES.find((known) => known === purpose) ?? null;

/**
 * Who speaks. A stranger becomes a guest; the displayed name and when they were heard are kept fresh; writing in private
 * opens the private chat and shows that the bot is not blocked. A removed person is a guest.
 * @param privateChatId the chat when the words were said in private, else null
 * @param saidMs when they were said, which may be long before they came to us
 */
export async function identify(
  database: Database,
  channel: string,
  sender: { userId: string; name: string },
  privateChatId: string | null,
  nowMs: number,
  saidMs = nowMs,
): Promise<KnownPerson> {
  let address = await findAddress(database, channel, sender.userId);
  const displayName = sender.name.normalize('NFC').trim() || (address?.displayName ?? NO_NAME);
  if (address === null) {
    try {
      await database.address.create({
        data: {
          channel,
          userId: sender.userId,
          displayName,
          privateChatId,
          heardMs: BigInt(saidMs),
          createdMs: BigInt(nowMs),
          person: { create: { name: displayName, createdMs: BigInt(nowMs) } },
        },
      });
    } catch (error) {
      if (!isDuplicate(error)) throw error;
    }
    address = await findAddress(database, channel, sender.userId);
    if (address === null) throw new Error('an address vanished while it was made');
  }
  const opened =
    privateChatId !== null && (address.privateChatId !== privateChatId || address.blockedMs !== null);
  const renamed = address.displayName !== displayName;
  const heard = saidMs - Number(address.heardMs ?? 0) >= HEARD_EVERY_MS;
  let name = address.name;
  if (opened || renamed || heard) {
    await lax(
      database,
      'UPDATE "Address" SET "displayName" = ?, "privateChatId" = ?, "blockedMs" = ?, "heardMs" = ? WHERE "id" = ?',
      ...[displayName, opened ? privateChatId : address.privateChatId, opened ? null : address.blockedMs],
      ...[heard ? BigInt(saidMs) : address.heardMs, address.id],
    );
    // a name that only ever came from the platform follows the platform
    if (renamed && address.role === 'guest' && name === address.displayName) {
      await database.person.update({
        where: { id: Number(address.personId) },
        data: { name: displayName },
      });
      name = displayName;
    }
  }
  const removed = address.removedMs !== null;
  return {
    personId: Number(address.personId),
    addressId: Number(address.id),
    name,
    role: removed ? 'guest' : toRole(address.role),
    hamletId: removed || address.hamletId === null ? null : Number(address.hamletId),
  };
}

interface FoundAddress {
  id: bigint | number;
  personId: bigint | number;
  displayName: string;
  privateChatId: string | null;
  blockedMs: bigint | null;
  heardMs: bigint | null;
  name: string;
  role: string;
  hamletId: bigint | number | null;
  removedMs: bigint | null;
}

/** Plain SQL: asked for every message. */
async function findAddress(
  database: Database,
  channel: string,
  userId: string,
): Promise<FoundAddress | null> {
  const [found] = await database.$queryRawUnsafe<FoundAddress[]>(
    `SELECT a."id", a."personId", a."displayName", a."privateChatId", a."blockedMs", a."heardMs",
            p."name", p."role", p."hamletId", p."removedMs"
     FROM "Address" a JOIN "Person" p ON p."id" = a."personId" WHERE a."channel" = ? AND a."userId" = ?`,
    channel,
    userId,
  );
  return found ?? null;
}

/** An account as `staffAmong` names it. */
export const accountName = (channel: string, userId: string) => `${channel} ${userId}`;

/** Which of these accounts are the staff's: their names by `accountName`. */
export async function staffAmong(
  database: Database,
  accounts: readonly { channel: string; userId: string }[],
): Promise<Set<string>> {
  const found = new Set<string>();
  for (let at = 0; at < accounts.length; at += MOST_ASKED) {
    const some = accounts.slice(at, at + MOST_ASKED);
    const rows = await database.$queryRawUnsafe<{ channel: string; userId: string }[]>(
      `SELECT a."channel", a."userId" FROM "Address" a JOIN "Person" p ON p."id" = a."personId"
       WHERE (a."channel", a."userId") IN (VALUES ${some.map(() => '(?, ?)').join(', ')})
         AND p."removedMs" IS NULL AND p."role" IN (${[...STAFF].map(() => '?').join(', ')})`,
      ...some.flatMap(({ channel, userId }) => [channel, userId]),
      ...STAFF,
    );
    for (const { channel, userId } of rows) found.add(accountName(channel, userId));
  }
  return found;
}

/** The group of a chat; one the bot has not seen before is written down, bound to no purpose. */
export async function findGroup(
  database: Database,
  channel: string,
  chatId: string,
  title: string | undefined,
): Promise<KnownGroup> {
  const where = { channel_chatId: { channel, chatId } };
  let group = await database.group.findUnique({ where });
  const shown = title?.normalize('NFC').trim();
  if (group === null)
    group = await database.group.upsert({
      where,
      create: { channel, chatId, title: shown || 'Nhóm' },
      update: {},
    });
  else if ((shown && shown !== group.title) || group.leftMs !== null)
    group = await database.group.update({
      where,
      data: { leftMs: null, ...(shown ? { title: shown } : {}) },
    });
  return {
    groupId: group.id,
    purpose: toPurpose(group.purpose),
    hamletId: group.hamletId,
    title: group.title,
  };
}

/** What a group is for now; null when it is bound to nothing, undefined when there is no such group. */
export async function purposeOf(
  database: Database,
  channel: string,
  chatId: string,
): Promise<GroupPurpose | null | undefined> {
  const [group] = await database.$queryRawUnsafe<{ purpose: string | null }[]>(
    'SELECT "purpose" FROM "Group" WHERE "channel" = ? AND "chatId" = ?',
    ...[channel, chatId],
  );
  return group === undefined ? undefined : toPurpose(group.purpose);
}

/** The role of a person at this moment; a guest's when they were removed. */
export async function roleOf(database: Database, personId: number): Promise<Role> {
  const person = await database.person.findUnique({
    where: { id: personId },
    select: { role: true, removedMs: true },
  });
  return person === null || person.removedMs !== null ? 'guest' : toRole(person.role);
}

/** Chat ids of all groups of a channel: their sending limits differ from those of private chats. */
export async function groupChatIds(database: Database, channel: string): Promise<string[]> {
  return (await database.group.findMany({ where: { channel }, select: { chatId: true } })).map(
    (g) => g.chatId,
  );
}

/** Chat ids of the groups of a channel that are not closed to us. */
export async function openGroups(database: Database, channel: string): Promise<string[]> {
  const found = await database.group.findMany({
    ...{ where: { channel, leftMs: null }, select: { chatId: true }, orderBy: { id: 'asc' as const } },
  });
  return found.map(({ chatId }) => chatId);
}

/** The private chat behind an account; null when it was never opened or the person blocked the bot. */
export async function privateChatOf(database: Database, addressId: number): Promise<string | null> {
  const address = await database.address.findUnique({ where: { id: addressId } });
  return address === null || address.blockedMs !== null ? null : address.privateChatId;
}

/** The person behind an account, or null. */
export async function personOfAccount(
  database: Database | Transaction,
  channel: string,
  userId: string,
): Promise<number | null> {
  const where = { channel_userId: { channel, userId } };
  return (await database.address.findUnique({ where, select: { personId: true } }))?.personId ?? null;
}

/** The account behind a private chat, or null. */
export async function accountOfChat(
  database: Database,
  channel: string,
  chatId: string,
): Promise<string | null> {
  const address = await database.address.findFirst({
    where: { channel, privateChatId: chatId },
    select: { userId: true },
  });
  return address?.userId ?? null;
}

/** Whose private chat it is; null when it is nobody's. */
export async function personOfChat(
  database: Database,
  channel: string,
  chatId: string,
): Promise<number | null> {
  const where = { channel, privateChatId: chatId };
  return (await database.address.findFirst({ where, select: { personId: true } }))?.personId ?? null;
}

/** Notes that the platform refuses this chat: the person blocked the bot, or the group is gone for it. */
export async function noteChatClosed(database: Database, channel: string, chatId: string, nowMs: number) {
  await database.address.updateMany({
    where: { channel, privateChatId: chatId, blockedMs: null },
    data: { blockedMs: BigInt(nowMs) },
  });
  await database.group.updateMany({
    where: { channel, chatId, leftMs: null },
    data: { leftMs: BigInt(nowMs) },
  });
}

/** A person blocked the bot. Told late, after what they said since: they did not. */
export async function noteBlocked(database: Database, channel: string, userId: string, atMs: number) {
  await database.address.updateMany({
    where: { channel, userId, OR: [{ heardMs: null }, { heardMs: { lte: BigInt(atMs) } }] },
    data: { blockedMs: BigInt(atMs) },
  });
}

/** "blocked" may be known by our clock (a refused send), "unblocked" is by the platform's, ms */
const CLOCKS_DIFFER_MS = 60_000;

/**
 * A person opened the bot again without a word. An event that is told late does not open what was blocked since.
 * @returns the person, where they are known and can be written to
 */
export async function noteUnblocked(
  database: Database,
  channel: string,
  userId: string,
  atMs: number,
): Promise<number | null> {
  const where = { channel_userId: { channel, userId } };
  const known = await database.address.findUnique({ where });
  if (known === null) return null;
  if (known.blockedMs !== null && Number(known.blockedMs) - atMs > CLOCKS_DIFFER_MS) return null;
  const heardMs = BigInt(Math.max(atMs, Number(known.heardMs ?? 0)));
  await database.address.update({ where, data: { blockedMs: null, heardMs } });
  return known.personId;
}

/** A group has a new id: everything that names the old one names the new one, in one step. */
export async function moveChat(database: Database, channel: string, from: string, to: string): Promise<void> {
  if (from === to) return;
  await inTransaction(database, async (tx) => {
    const where = (chatId: string) => ({ channel_chatId: { channel, chatId } });
    const old = await tx.group.findUnique({ where: where(from) });
    const seen = await tx.group.findUnique({ where: where(to) });
    if (old !== null) {
      // the platform may have shown us the new chat before it told us of the move: what is bound stays bound
      if (seen !== null) {
        await tx.group.delete({ where: where(to) });
        if (old.purpose === null)
          await tx.group.update({
            where: where(from),
            data: {
              purpose: seen.purpose,
              hamletId: seen.hamletId,
              boundMs: seen.boundMs,
              boundById: seen.boundById,
            },
          });
      }
      await tx.group.update({ where: where(from), data: { chatId: to, leftMs: null } });
    }
    await tx.outbox.updateMany({ where: { channel, chatId: from, state: 'waiting' }, data: { chatId: to } });
    for (const question of await tx.pending.findMany({ where: { channel, chatId: from } })) {
      const place = { channel, userId: question.userId };
      await tx.pending.deleteMany({ where: { ...place, chatId: to } });
      await tx.pending.updateMany({ where: { ...place, chatId: from }, data: { chatId: to } });
    }
  });
}
