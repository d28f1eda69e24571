import { chatLine } from './chat-line.js';
import type { Doing, Method } from './methods.js';
import { type GroupState, invalid, OaFailure } from './types.js';

const PATH = '/v3.0/oa/group';

const texts = (value: unknown): string[] => {
  if (!Array.isArray(value) || value.length === 0 || !value.every((one) => typeof one === 'string'))
    throw invalid('member_user_ids');
  return value as string[];
};

export const page = <T>(items: T[], params: Record<string, unknown>): T[] => {
  const [offset, count] = [Number(params.offset ?? 0), Number(params.count ?? 5)];
  if (!(offset >= 0 && count >= 1 && count <= 50)) throw invalid('offset and count');
  return items.slice(offset, offset + count);
};

const shown = (group: GroupState) => ({
  group_id: group.id,
  name: group.name,
  group_link: `https://zalo.me/g/${group.id.slice(-6)}`,
  group_description: group.description,
  total_member: group.members.size + 1,
  status: group.enabled ? 'enabled' : 'disabled',
});

/** Tells the OA of a change in a group. */
export function tellGroup(
  { world }: Pick<Doing, 'world'>,
  name: string,
  group: GroupState,
  userIds: string[],
) {
  world.emit({
    event_name: name,
    oa_id: world.oaId,
    group_id: group.id,
    ...(userIds.length === 0 ? {} : { users: userIds.map((id) => ({ id })) }),
  });
}

const makeGroup: Method = (doing) => {
  const { world, params } = doing;
  const { group_name: name, group_description: description, asset_id: assetId } = params;
  if (typeof name !== 'string' || name === '' || name.length > 100) throw invalid('group_name');
  const userIds = texts(params.member_user_ids);
  for (const id of userIds) world.person(id);
  const asset = world.assets.get(String(assetId));
  if (asset === undefined) throw invalid('asset_id');
  if (asset.usedId !== null) throw new OaFailure(-238, 'Asset is used');
  if (userIds.length + 1 > Number(asset.product.slice(3))) throw new OaFailure(-210, 'Too many members');
  const group: GroupState = {
    id: `g${world.newId()}`,
    name,
    description: String(description ?? ''),
    assetId: asset.id,
    members: new Set(userIds),
    admins: new Set(),
    pending: new Set(),
    enabled: true,
    ended: false,
  };
  asset.usedId = group.id;
  world.groups.set(group.id, group);
  tellGroup(doing, 'create_group', group, userIds);
  return { data: shown(group) };
};

/** A call that changes members: what it does with each, and the event it makes. */
const changing =
  (event: string | null, change: (group: GroupState, userId: string) => void): Method =>
  (doing) => {
    const group = doing.world.group(doing.params.group_id);
    const userIds = texts(doing.params.member_user_ids);
    for (const id of userIds) doing.world.person(id);
    for (const id of userIds) change(group, id);
    if (event !== null) tellGroup(doing, event, group, userIds);
    return { data: {} };
  };

const memberOnly = (group: GroupState, id: string) => {
  if (!group.members.has(id)) throw invalid('not a member');
};

export const GROUP_METHODS: Record<string, Method> = {
  'POST /v3.0/oa/quota/group': ({ world, params }) => {
    if (params.quota_owner !== 'OA') throw invalid('quota_owner');
    const found = [...world.assets.values()].filter(
      (asset) => asset.product === params.product_type && asset.quotaType === params.quota_type,
    );
    return {
      data: found.map((asset) => ({
        asset_id: asset.id,
        valid_through: asset.validThrough,
        auto_renew: false,
        status: asset.usedId === null ? 'available' : 'used',
        used_id: asset.usedId,
      })),
    };
  },
  [`POST ${PATH}/creategroupwithoa`]: makeGroup,
  [`GET ${PATH}/getgroupsofoa`]: ({ world, params }) => {
    const groups = [...world.groups.values()].filter((group) => !group.ended);
    return { data: { total: groups.length, groups: page(groups, params).map(shown) } };
  },
  [`GET ${PATH}/getgroup`]: ({ world, params }) => {
    const group = world.group(params.group_id);
    return { data: { group_info: shown(group), asset_info: { asset_id: group.assetId } } };
  },
  [`GET ${PATH}/listmember`]: ({ world, params }) => {
    const group = world.group(params.group_id);
    const members = [...group.members].map((id) => ({ user_id: id, name: world.people.get(id)?.name ?? '' }));
    const all = [{ oa_id: world.oaId, name: 'OA' }, ...members];
    return { data: { total: all.length, members: page(all, params) } };
  },
  [`GET ${PATH}/conversation`]: ({ world, params }) => {
    const group = world.group(params.group_id);
    const said = world.messages.filter((message) => message.inGroup && message.chatId === group.id);
    return { data: page(said.reverse(), params).map((message) => chatLine(world, message)) };
  },
  [`POST ${PATH}/invite`]: changing('user_join_group', (group, id) => {
    group.members.add(id);
  }),
  [`POST ${PATH}/acceptpendinginvite`]: changing('accept_request_join_group', (group, id) => {
    if (!group.pending.delete(id)) throw invalid('not waiting');
    group.members.add(id);
  }),
  [`POST ${PATH}/rejectpendinginvite`]: changing('reject_request_join_group', (group, id) => {
    if (!group.pending.delete(id)) throw invalid('not waiting');
  }),
  [`POST ${PATH}/addadmins`]: changing('add_group_admin', (group, id) => {
    memberOnly(group, id);
    group.admins.add(id);
  }),
  [`POST ${PATH}/removeadmins`]: changing('remove_group_admin', (group, id) => {
    if (!group.admins.delete(id)) throw invalid('not an admin');
  }),
  [`POST ${PATH}/removemembers`]: changing('user_out_group', (group, id) => {
    memberOnly(group, id);
    group.members.delete(id);
    group.admins.delete(id);
  }),
};
