import { WorldError } from '../src/base/errors.js';
import type { Role } from '../src/base/roles.js';
import type { ChannelName } from '../src/chat/message.js';
import { type Account, accountsOf } from '../src/store/accounts.js';
import { inTransaction, type Transaction } from '../src/store/database.js';
import { type Group, groupsFor } from '../src/store/groups.js';
import { peopleByRole, personById } from '../src/store/people.js';
import { dropSetting, readFact, settingsUnder, writeFact } from '../src/store/settings.js';
import { personOfAccount } from '../src/store/speakers.js';
import { channelName } from './channel-names.js';
import type { House } from './house.js';
import { may } from './rights.js';

/** An account that is to leave an officers' group, or to come into it. Kept until that is done or told. */
interface Change {
  do: 'remove' | 'bring';
  groupId: number;
  channel: ChannelName;
  userId: string;
  /** how the chiefs know the person; null: they wanted to be forgotten */
  name: string | null;
  sinceMs: number;
  tries: number;
  nextMs: number;
}

const UNDER = 'group-member:';
/** The pauses between tries; the last one again and again. */
const PAUSES_MS = [5000, 30_000, 60_000, 300_000];
/** So many tries in vain are told: until then who should be out reads on. */
const TOLD_AFTER = 3;
const GIVE_UP_MS = 24 * 3_600_000;
/** Platforms whose groups have members of their own. */
const WITH_GROUPS: readonly string[] = ['telegram', 'zalo-oa'] satisfies ChannelName[];

/** Who may see footage belongs into the officers' groups, and nobody else. */
const belongs = (role: Role) => may(role, 'clip');

const keyOf = (change: Pick<Change, 'groupId' | 'channel' | 'userId'>) =>
  `${UNDER}${change.groupId}:${change.channel}:${change.userId}`;

/**
 * Writes down that accounts leave the officers' groups, or come into them: in the transaction that changes the right.
 * `settleMembersSoon` does it. @returns the groups
 */
export async function changeMembers(
  tx: Transaction,
  what: Change['do'],
  accounts: readonly Pick<Account, 'channel' | 'userId'>[],
  { name, nowMs }: { name: string | null; nowMs: number },
): Promise<Group[]> {
  const changed: Group[] = [];
  for (const group of await groupsFor(tx, 'officers'))
    for (const { channel, userId } of accounts) {
      if (channel !== group.channel || !WITH_GROUPS.includes(channel)) continue;
      const change: Change = {
        ...{ do: what, groupId: group.id, channel: channel as ChannelName, userId, name },
        ...{ sinceMs: nowMs, tries: 0, nextMs: nowMs },
      };
      await writeFact(tx, keyOf(change), change);
      if (!changed.includes(group)) changed.push(group);
    }
  return changed;
}

/** The same for a person whose role changes; nothing where it makes no difference. */
export async function followRole(
  tx: Transaction,
  person: { id: number; name: string; role: Role },
  role: Role,
  nowMs: number,
): Promise<Group[]> {
  if (belongs(person.role) === belongs(role)) return [];
  const accounts = await accountsOf(tx, person.id);
  return changeMembers(tx, belongs(role) ? 'bring' : 'remove', accounts, { name: person.name, nowMs });
}

/** What is said of it in the answer to whoever took the right away; empty where there is nothing to say. */
export const leavingWords = (groups: readonly Group[]): string =>
  groups.length === 0
    ? ''
    : `\nEm đang đưa người này ra khỏi ${groups.map(groupCalled).join(', ')}, xong em báo.`;

/** Does what is due, beside the talk; what a dead process leaves the schedule finds. */
export function settleMembersSoon(house: House, ms = 0): void {
  setTimeout(() => {
    settleMembers(house).catch((error: unknown) => house.log.warn({ err: error }, 'members of groups wait'));
  }, ms).unref();
}

const underWay = new WeakMap<House, Promise<void>>();

/** Takes out of the officers' groups who is to leave, brings in who is to come, and tells the chiefs; one after another. */
export function settleMembers(house: House): Promise<void> {
  const before = underWay.get(house) ?? Promise.resolve();
  const work = before
    .catch(() => {})
    .then(async () => {
      for (const { key } of await settingsUnder(house.db, UNDER)) await settleOne(house, key);
    });
  underWay.set(house, work);
  return work;
}

async function settleOne(house: House, key: string): Promise<void> {
  const { db } = house;
  const nowMs = house.clock.now();
  const change = await readFact<Change>(db, key);
  if (change === null || change.nextMs > nowMs) return;
  const group = (await groupsFor(db, 'officers')).find((one) => one.id === change.groupId);
  const personId = await personOfAccount(db, change.channel, change.userId);
  const role = personId === null ? 'guest' : ((await personById(db, personId))?.role ?? 'guest');
  // meanwhile it is another group, or the right came back, or went again
  if (group === undefined || belongs(role) !== (change.do === 'bring')) return dropSetting(db, key);
  let done: boolean;
  try {
    done = await act(house, change, group);
  } catch (error) {
    return notDone(house, key, change, group, error);
  }
  await tellDone(house, change, group, done);
  await keep(house, key, change, null);
}

async function act(house: House, change: Change, group: Group): Promise<boolean> {
  const channel = house.channelOf(change.channel);
  const run = change.do === 'remove' ? channel?.removeFromGroup : channel?.bringIntoGroup;
  if (channel === null || run === undefined) throw new WorldError('unreachable', 'the channel is off');
  return run.call(channel, group.chatId, change.userId);
}

/** Writes down how far it is, or with null that it is over; not when it was asked for anew meanwhile. */
async function keep(house: House, key: string, change: Change, news: Partial<Change> | null): Promise<void> {
  await inTransaction(house.db, async (tx) => {
    const now = await readFact<Change>(tx, key);
    if (now?.do !== change.do || now.sinceMs !== change.sinceMs) return;
    if (news === null) await dropSetting(tx, key);
    else await writeFact(tx, key, { ...now, ...news } satisfies Change);
  });
}

/** Later it may work; or only a person can do it. */
async function notDone(
  house: House,
  key: string,
  change: Change,
  group: Group,
  error: unknown,
): Promise<void> {
  const worldly = error instanceof WorldError ? error : null;
  if (worldly?.kind === 'cancelled') return;
  house.log.warn(
    { err: error, do: change.do, group: group.id, tries: change.tries },
    'a member was not changed',
  );
  const passing =
    worldly === null ||
    (worldly.needsHuman === undefined &&
      ['unreachable', 'timeout', 'rate-limited', 'migrated'].includes(worldly.kind));
  const tries = change.tries + 1;
  const lasting = !passing || house.clock.now() - change.sinceMs >= GIVE_UP_MS;
  if (lasting || (change.do === 'remove' && tries >= TOLD_AFTER))
    await tellByHand(house, change, group, lasting);
  if (lasting) return keep(house, key, change, null);
  const pauseMs = Math.max(
    (worldly?.retryAfterS ?? 0) * 1000,
    PAUSES_MS[Math.min(tries, PAUSES_MS.length) - 1]!,
  );
  await keep(house, key, change, { tries, nextMs: house.clock.now() + pauseMs });
  settleMembersSoon(house, pauseMs + 50);
}

const called = ({ name }: Change) => name ?? 'Người vừa rút dữ liệu';
const groupCalled = (group: Group) => `nhóm cán bộ “${group.title}” trên ${channelName(group.channel)}`;

async function tellChiefs(
  house: House,
  change: Change,
  what: string,
  text: string,
  priority: 'alert' | 'staff-answer',
): Promise<void> {
  const { groupId, userId, sinceMs } = change;
  for (const { id } of await peopleByRole(house.db, 'chief'))
    await house.tell({ personId: id }, text, {
      key: `${what}:${change.do}:${groupId}:${userId}:${sinceMs}:${id}`,
      priority,
    });
}

async function tellDone(house: House, change: Change, group: Group, done: boolean): Promise<void> {
  const who = called(change);
  const where = groupCalled(group);
  if (change.do === 'bring') {
    if (!done) return;
    const text =
      change.channel === 'telegram'
        ? `${who} được vào lại ${where}: anh/chị gửi đường dẫn mời của nhóm giúp em.`
        : `Em đã mời ${who} vào ${where}.`;
    return tellChiefs(house, change, 'member', text, 'staff-answer');
  }
  const text = done
    ? `Em đã đưa ${who} ra khỏi ${where}. Người này không đọc được tin mới trong nhóm nữa.`
    : `${who} không có trong ${where}, em vừa xem lại.`;
  await tellChiefs(house, change, 'member', text, 'staff-answer');
}

const ADVICE: Partial<Record<ChannelName, string>> = {
  telegram: ' Cho em làm quản trị viên của nhóm, có quyền cấm thành viên, thì lần sau em tự làm được.',
};

async function tellByHand(house: House, change: Change, group: Group, lasting: boolean): Promise<void> {
  const who = called(change);
  const where = groupCalled(group);
  if (change.do === 'bring')
    return tellChiefs(
      house,
      change,
      'member-by-hand',
      `Em chưa mời được ${who} vào ${where} (nhóm đã đủ người, hoặc ${channelName(change.channel)} không cho). Anh/chị mời bằng tay giúp em.`,
      'staff-answer',
    );
  const still = lasting ? '' : ' Em vẫn thử tiếp, được thì em báo.';
  await tellChiefs(
    house,
    change,
    lasting ? 'member-given-up' : 'member-by-hand',
    `🔴 ${who} không còn quyền xem nhưng có thể vẫn đọc được ${where}: em chưa đưa ra khỏi nhóm được. Anh/chị mở nhóm, đưa người này ra bằng tay ngay giúp em.${still}${lasting ? (ADVICE[change.channel] ?? '') : ''}`,
    'alert',
  );
}
