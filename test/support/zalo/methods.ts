import type { Upload } from '../telegram/types.js';
import { chatLine } from './chat-line.js';
import { GROUP_METHODS, page } from './groups.js';
import { MESSAGE_METHODS } from './messages.js';
import { invalid, type PersonState, type ZaloMessage } from './types.js';
import { UPLOAD_METHODS } from './uploads.js';
import { DAY_MS, type World } from './world.js';

export interface Doing {
  world: World;
  params: Record<string, unknown>;
  files: Upload[];
}

export interface Done {
  data: unknown;
  message?: ZaloMessage;
}

export type Method = (doing: Doing) => Done | Promise<Done>;

/** DD/MM/YYYY in Việt Nam. */
const dayOf = (ms: number) =>
  new Date(ms + 7 * 3_600_000).toISOString().slice(0, 10).split('-').reverse().join('/');

const fewer = (params: Record<string, unknown>) => {
  if (Number(params.count) > 10) throw invalid('count');
  return params;
};

const PERIOD_DAYS: Record<string, number> = { TODAY: 1, YESTERDAY: 2, L7D: 7, L30D: 30 };

const hasActed = (world: World, person: PersonState, period: unknown) => {
  if (period === undefined) return true;
  const days = PERIOD_DAYS[String(period)];
  if (days === undefined) throw invalid('last_interaction_period');
  return person.lastInteractionMs !== null && world.now() - person.lastInteractionMs <= days * DAY_MS;
};

/** Every call of the OpenAPI by verb and path. */
export const METHODS: Record<string, Method> = {
  ...MESSAGE_METHODS,
  ...UPLOAD_METHODS,
  ...GROUP_METHODS,
  'POST /v3.0/oa/quota/message': ({ world, params }) => {
    const person = world.person(params.user_id);
    const last = person.lastInteractionMs;
    return {
      data: {
        ...(last === null ? {} : { last_interaction: String(last) }),
        cs_reply: { remain: world.answersLeft(person), total: 8 },
      },
    };
  },
  'GET /v3.0/oa/user/detail': ({ world, params }) => {
    const person = world.person(params.user_id);
    return {
      data: {
        user_id: person.id,
        user_id_by_app: world.byApp(person.id),
        display_name: person.name,
        user_is_follower: person.follower,
        user_last_interaction_date: person.lastInteractionMs === null ? '' : dayOf(person.lastInteractionMs),
        avatar: `${world.root}/media/avatar.jpg`,
        ...(person.info === null
          ? {}
          : { shared_info: { ...person.info, phone: Number(person.info.phone) } }),
      },
    };
  },
  'GET /v3.0/oa/user/getlist': ({ world, params }) => {
    const found = [...world.people.values()].filter(
      (person) =>
        (params.is_follower === undefined || person.follower === params.is_follower) &&
        hasActed(world, person, params.last_interaction_period),
    );
    const users = page(found, params).map((person) => ({ user_id: person.id }));
    return { data: { total: found.length, count: users.length, offset: params.offset, users } };
  },
  'GET /v2.0/oa/getoa': ({ world }) => ({
    data: {
      oa_id: world.oaId,
      name: 'Công an xã Cẩm Lương',
      is_verified: true,
      package_name: 'Nâng cao',
      package_valid_through_date: '31/12/2027',
      linked_ZCA: 'ZCA-1',
      num_follower: [...world.people.values()].filter((person) => person.follower).length,
    },
  }),
  'GET /v2.0/oa/listrecentchat': ({ world, params }) => {
    const newest = new Map<string, ZaloMessage>();
    for (const message of world.messages) if (!message.inGroup) newest.set(message.chatId, message);
    const all = [...newest.values()].sort((a, b) => b.atMs - a.atMs);
    return { data: page(all, fewer(params)).map((message) => chatLine(world, message)) };
  },
  'GET /v2.0/oa/conversation': ({ world, params }) => {
    const person = world.person(params.user_id);
    const said = world.messages
      .filter((message) => !message.inGroup && message.chatId === person.id)
      .reverse();
    return { data: page(said, fewer(params)).map((message) => chatLine(world, message)) };
  },
};
