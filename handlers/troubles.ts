import { toVietnamTime } from '../src/base/clock.js';
import { PURPOSE_NAMES } from '../src/base/roles.js';
import type { ChannelName, ChatAddress, Recipient } from '../src/chat/message.js';
import type { Instead, Troubles, WhyNot } from '../src/chat/pass-on.js';
import { accountsOf } from '../src/store/accounts.js';
import { closedGroup, groupsFor } from '../src/store/groups.js';
import { peopleByRole } from '../src/store/people.js';
import { purposeOf } from '../src/store/speakers.js';
import { chatOf, recipientName } from './alerts/recipients.js';
import { channelName } from './channel-names.js';
import type { House } from './house.js';

const MEND: Partial<Record<ChannelName, string>> = {
  'zalo-oa':
    'Nhờ người quản trị vào trang quản trị OA (oa.zalo.me) gia hạn gói nhóm hoặc đưa OA vào lại nhóm, rồi một người trong nhóm gõ /nhom.',
  telegram: 'Nhờ anh/chị thêm em lại vào nhóm, rồi một người trong nhóm gõ /nhom.',
};

/** Chats that can't be written to: who is told what it means, and who hears what was meant for them. */
export function makeTroubles(house: House): Troubles {
  /** what was told today already: the outbox knows too, but this is asked at each try */
  const told = new Set<string>();

  async function hasOtherThan(channel: ChannelName, personId: number): Promise<boolean> {
    return (await accountsOf(house.db, personId)).some(
      (account) =>
        account.channel !== channel &&
        account.privateChatId !== null &&
        !account.blocked &&
        house.channelOf(account.channel as ChannelName) !== null,
    );
  }

  /** The chiefs; with `not`, only those who are heard elsewhere. */
  async function chiefs(not: ChannelName | null): Promise<Recipient[]> {
    const found: Recipient[] = [];
    for (const { id } of await peopleByRole(house.db, 'chief'))
      if (not === null || (await hasOtherThan(not, id))) found.push({ personId: id });
    return found;
  }

  async function officersGroups(fits: (group: ChatAddress) => boolean): Promise<Recipient[]> {
    return (await groupsFor(house.db, 'officers')).map(chatOf).filter(fits);
  }

  async function forOfficers(from: ChatAddress, why: WhyNot): Promise<Recipient[]> {
    const groups = await officersGroups(({ channel, chatId }) =>
      why === 'channel' ? channel !== from.channel : channel !== from.channel || chatId !== from.chatId,
    );
    return groups.length > 0 ? groups : chiefs(why === 'channel' ? from.channel : null);
  }

  return {
    async groupClosed(group) {
      const closed = await closedGroup(house.db, group.channel, group.chatId);
      if (closed === null || closed.purpose === null) return;
      const elsewhere =
        closed.purpose === 'officers'
          ? (await forOfficers(group, 'closed')).some((to) => !('personId' in to))
            ? 'Tin báo và cảnh báo vẫn tới các nhóm cán bộ còn lại.'
            : 'Từ giờ tin báo và cảnh báo em gửi riêng cho anh/chị.'
          : 'Tin chưa gửi được vào nhóm em chuyển cho anh/chị.';
      for (const to of await chiefs(null))
        await house.tell(
          to,
          `🔴 ${channelName(group.channel)} không cho em gửi vào ${PURPOSE_NAMES[closed.purpose]} “${closed.title}” nữa: nhóm đã đóng, hết gói, hoặc em không còn ở trong nhóm. ${elsewhere}\nCách làm: ${MEND[group.channel] ?? ''} Không dùng nhóm đó nữa thì vào nhóm khác gõ /nhom.`,
          { key: `group-closed:${closed.id}:${closed.closedMs}:${recipientName(to)}`, priority: 'alert' },
        );
    },

    async needsHuman(channel, { code, advice }) {
      const { year, month, day } = toVietnamTime(house.clock.now());
      const key = `needs-human:${channel}:${code}:${year}-${month}-${day}`;
      if (told.has(key)) return;
      const elsewhere = await chiefs(channel);
      const groups = elsewhere.length > 0 ? [] : await officersGroups((group) => group.channel !== channel);
      const everybody = [...elsewhere, ...groups];
      // it goes on the channel itself where there is no other: at least it is said once that works again
      for (const to of everybody.length > 0 ? everybody : await chiefs(null))
        await house.tell(
          to,
          `🔴 ${channelName(channel)} từ chối gửi tin của em (mã ${code}). ${advice}\nTrong lúc chờ, tin nào có đường khác em gửi đường khác; tin còn lại em giữ và tự gửi lại.`,
          { key: `${key}:${recipientName(to)}`, priority: 'alert' },
        );
      if (told.size > 100) told.clear();
      told.add(key);
    },

    async insteadOf(group, key, why): Promise<Instead[]> {
      const purpose = await purposeOf(house.db, group.channel, group.chatId);
      if (purpose === 'officers')
        return (await forOfficers(group, why)).map((to) => ({ to, key: keyFor(key, group, to) }));
      // thanks and the like can wait for a platform, but not for a group that is no more
      if (why === 'channel' || purpose == null) return [];
      const closed = await closedGroup(house.db, group.channel, group.chatId);
      return (await chiefs(null)).map((to) => ({
        ...{ to, key: keyFor(key, group, to) },
        preface: `Tin này em chưa gửi được vào ${PURPOSE_NAMES[purpose]} “${closed?.title ?? ''}”:`,
      }));
    },
  };
}

/** The key under which another hears the same: keys name their recipient (`recipientName`). */
export function keyFor(key: string, from: Recipient, to: Recipient): string {
  const parts = `:${key}:`.split(`:${recipientName(from)}:`);
  if (parts.length === 1) return `${key}:${recipientName(to)}`;
  return parts.join(`:${recipientName(to)}:`).slice(1, -1);
}
