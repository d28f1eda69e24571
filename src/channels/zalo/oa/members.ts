import type { OaClient } from '../api/oa.js';

const PAGE = 50;

/** Is somebody in a group? Zalo lists its members by pages. */
async function isMember(
  client: OaClient,
  groupId: string,
  userId: string,
  signal: AbortSignal,
): Promise<boolean> {
  for (let offset = 0; ; offset += PAGE) {
    const { items } = await client.members(groupId, { offset, count: PAGE }, signal);
    if (items.some((member) => member.user_id === userId)) return true;
    if (items.length < PAGE) return false;
  }
}

/** Who is in a GMF group is looked up first: Zalo refuses to take out who is not there as it refuses anything else. */
export function makeMembers(client: OaClient, signal: AbortSignal) {
  return {
    async remove(groupId: string, userId: string): Promise<boolean> {
      if (!(await isMember(client, groupId, userId, signal))) return false;
      await client.removeMembers(groupId, [userId], signal);
      return true;
    },
    async bringIn(groupId: string, userId: string): Promise<boolean> {
      if (await isMember(client, groupId, userId, signal)) return false;
      await client.invite(groupId, [userId], signal);
      return true;
    },
  };
}
