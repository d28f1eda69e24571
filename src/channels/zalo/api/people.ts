import { z } from 'zod';
import { asData, type Call } from './call.js';
import { chatMessage } from './chat-message.js';

const count = z.coerce.number();

const detail = z.looseObject({
  user_id: z.string().optional(),
  display_name: z.string(),
  user_is_follower: z.boolean().optional(),
  /** DD/MM/YYYY */
  user_last_interaction_date: z.string().optional(),
  avatar: z.string().optional(),
  shared_info: z
    .looseObject({
      name: z.string().optional(),
      phone: z.union([z.string(), z.number().transform(String)]).optional(),
      address: z.string().optional(),
      city: z.string().optional(),
      district: z.string().optional(),
    })
    .nullish(),
});

const people = z.looseObject({
  total: count.optional(),
  users: z.array(z.looseObject({ user_id: z.string() })).default([]),
});

const oa = z.looseObject({
  oa_id: z.string().optional(),
  name: z.string(),
  is_verified: z.boolean().optional(),
  package_name: z.string().optional(),
  /** DD/MM/YYYY */
  package_valid_through_date: z.string().optional(),
  linked_ZCA: z.string().optional(),
});

export function makePeople(call: Call) {
  return {
    person: (userId: string, signal?: AbortSignal) =>
      call('user/detail', asData('/v3.0/oa/user/detail', { user_id: userId }), detail, {}, signal),

    /** @param about.count at most 50 */
    people: (
      about: { offset: number; count: number; period?: string; followersOnly?: boolean },
      signal?: AbortSignal,
    ) =>
      call(
        'user/getlist',
        asData('/v3.0/oa/user/getlist', {
          offset: about.offset,
          count: about.count,
          ...(about.period === undefined ? {} : { last_interaction_period: about.period }),
          ...(about.followersOnly === undefined ? {} : { is_follower: about.followersOnly }),
        }),
        people,
        {},
        signal,
      ),

    /** The OA itself: the health check. */
    oa: (signal?: AbortSignal) => call('getoa', '/v2.0/oa/getoa', oa, {}, signal),

    /** The newest message of each conversation, newest first: to catch up. @param about.count at most 10 */
    recentChats: (about: { offset: number; count: number }, signal?: AbortSignal) =>
      call('listrecentchat', asData('/v2.0/oa/listrecentchat', about), z.array(chatMessage), {}, signal),

    /** The messages with one person, newest first. @param about.count at most 10 */
    conversation: (userId: string, about: { offset: number; count: number }, signal?: AbortSignal) =>
      call(
        'conversation',
        asData('/v2.0/oa/conversation', { user_id: userId, ...about }),
        z.array(chatMessage),
        {},
        signal,
      ),
  };
}
