import { type Account, accountsOf, preferredChannelOf } from '../store/accounts.js';
import type { Database } from '../store/database.js';
import type { Channel, ChannelLimits, ChannelName, ChatAddress } from './message.js';

type Reachability = Pick<ChannelLimits, 'windowMs' | 'lastResort'>;

/**
 * The chats in which a person can be written to now, the best first: the channel they chose, then where they wrote
 * last; pages at a screen come last. Not: a chat never opened, one that blocked us, one whose window is over, a channel
 * that is off (`limitsOf` gives null).
 */
export function reachable(
  accounts: readonly Account[],
  preferred: string | null,
  limitsOf: (channel: string) => Reachability | null,
  nowMs: number,
): ChatAddress[] {
  const open = accounts.flatMap((account) => {
    const limits = limitsOf(account.channel);
    const { privateChatId, blocked, heardMs } = account;
    if (limits === null || privateChatId === null || blocked) return [];
    if (limits.windowMs !== null && nowMs - (heardMs ?? Number.NEGATIVE_INFINITY) >= limits.windowMs)
      return [];
    const rank = limits.lastResort === true ? 2 : account.channel === preferred ? 0 : 1;
    return [{ rank, heardMs: heardMs ?? 0, chatId: privateChatId, channel: account.channel as ChannelName }];
  });
  return open
    .sort((a, b) => a.rank - b.rank || b.heardMs - a.heardMs)
    .map(({ channel, chatId }) => ({ channel, chatId }));
}

/** See `reachable`; the person's accounts and choice come from the store. */
export async function reachPerson(
  database: Database,
  channels: ReadonlyMap<ChannelName, Pick<Channel, 'limits'>>,
  personId: number,
  nowMs: number,
): Promise<ChatAddress[]> {
  return reachable(
    await accountsOf(database, personId),
    await preferredChannelOf(database, personId),
    (channel) => channels.get(channel as ChannelName)?.limits ?? null,
    nowMs,
  );
}
