import { z } from 'zod';
import { asQuery, type Call } from './call.js';
import { chatMessage } from './chat-message.js';

const group = z.looseObject({
  group_id: z.string(),
  name: z.string().optional(),
  group_link: z.string().optional(),
  group_description: z.string().optional(),
  total_member: z.coerce.number().optional(),
  status: z.string().optional(),
});

/** `getgroup` puts the same facts under `group_info`. */
const oneGroup = z.union([z.looseObject({ group_info: group }).transform((data) => data.group_info), group]);

const asset = z.looseObject({
  asset_id: z.string(),
  valid_through: z.string().optional(),
  auto_renew: z.boolean().optional(),
  status: z.string().optional(),
  /** the group it is used for */
  used_id: z.string().nullish(),
});

const member = z.looseObject({
  user_id: z.string().optional(),
  /** the OA itself stands in the list too */
  oa_id: z.string().optional(),
  name: z.string().optional(),
  avatar: z.string().optional(),
});

/** A page of a list, whatever the list is called. */
const page = <T>(name: string, item: z.ZodType<T>) =>
  z.union([
    z.array(item).transform((items) => ({ total: items.length, items })),
    z
      .looseObject({ total: z.coerce.number().optional(), [name]: z.array(item).optional() })
      .transform((data) => ({ total: data.total as number | undefined, items: (data[name] ?? []) as T[] })),
  ]);

const nothing = z.unknown().transform(() => undefined);

export interface Paging {
  offset: number;
  count: number;
}

export type GmfProduct = 'gmf10' | 'gmf50' | 'gmf100' | 'gmf1000';

const PATH = '/v3.0/oa/group';

/** GMF groups: made and owned by the OA itself. */
export function makeGroups(call: Call) {
  const members = (action: string) => (groupId: string, userIds: string[], signal?: AbortSignal) =>
    call(
      `group/${action}`,
      `${PATH}/${action}`,
      nothing,
      { json: { group_id: groupId, member_user_ids: userIds } },
      signal,
    );
  return {
    /** Packages from which a group can be made. */
    groupAssets: (
      about: { product: GmfProduct; quotaType: 'sub_quota' | 'purchase_quota' | 'reward_quota' },
      signal?: AbortSignal,
    ) =>
      call(
        'quota/group',
        '/v3.0/oa/quota/group',
        z.array(asset),
        { json: { quota_owner: 'OA', product_type: about.product, quota_type: about.quotaType } },
        signal,
      ),

    makeGroup: (
      about: { name: string; description: string; assetId: string; userIds: string[] },
      signal?: AbortSignal,
    ) =>
      call(
        'group/creategroupwithoa',
        `${PATH}/creategroupwithoa`,
        group,
        {
          json: {
            group_name: about.name.normalize('NFC'),
            group_description: about.description.normalize('NFC'),
            asset_id: about.assetId,
            member_user_ids: about.userIds,
          },
        },
        signal,
      ),

    groups: (paging: Paging, signal?: AbortSignal) =>
      call(
        'group/getgroupsofoa',
        asQuery(`${PATH}/getgroupsofoa`, { ...paging }),
        page('groups', group),
        {},
        signal,
      ),

    group: (groupId: string, signal?: AbortSignal) =>
      call('group/getgroup', asQuery(`${PATH}/getgroup`, { group_id: groupId }), oneGroup, {}, signal),

    members: (groupId: string, paging: Paging, signal?: AbortSignal) =>
      call(
        'group/listmember',
        asQuery(`${PATH}/listmember`, { group_id: groupId, ...paging }),
        page('members', member),
        {},
        signal,
      ),

    /** The messages in a group, newest first. */
    groupConversation: (groupId: string, paging: Paging, signal?: AbortSignal) =>
      call(
        'group/conversation',
        asQuery(`${PATH}/conversation`, { group_id: groupId, ...paging }),
        page('messages', chatMessage),
        {},
        signal,
      ),

    invite: members('invite'),
    acceptPending: members('acceptpendinginvite'),
    rejectPending: members('rejectpendinginvite'),
    removeMembers: members('removemembers'),
  };
}
