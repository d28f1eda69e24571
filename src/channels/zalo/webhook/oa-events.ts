import { createHash } from 'node:crypto';
import { z } from 'zod';
import { cleanName, cleanText } from '../../../base/clean-text.js';

/** A file in a message; its address is public and dies soon. */
export interface OaAttachment {
  kind: 'photo' | 'gif' | 'video' | 'audio' | 'file';
  url: string;
  thumbnail?: string;
  fileName?: string;
  /** what Zalo calls the type of a file: pdf, docx, mp4 … */
  type?: string;
  sizeBytes?: number;
}

/** What a person said, alone or in a group of the OA's. */
export interface OaMessageEvent {
  kind: 'message';
  userId: string;
  /** null: the conversation with the OA */
  groupId: string | null;
  messageId: string | null;
  quoteId: string | null;
  /** NFC; words, a caption, the name of a place, a link with its words */
  text: string;
  attachments: OaAttachment[];
  place: { latitude: number; longitude: number } | null;
  /** sticker, business_card, link … where it is more than words and files */
  also: 'sticker' | 'link' | 'business-card' | null;
}

export type GroupChange =
  | 'made'
  | 'joined'
  | 'asked-to-join'
  | 'join-accepted'
  | 'join-rejected'
  | 'admin-added'
  | 'admin-removed'
  | 'changed'
  | 'left'
  | 'ended';

/** An event of the OA's webhook. */
export type OaEvent = { atMs: number; key: string; oaId: string | null } & (
  | OaMessageEvent
  | { kind: 'follow'; userId: string }
  | { kind: 'unfollow'; userId: string }
  | {
      kind: 'info';
      userId: string;
      info: {
        name?: string;
        phone?: string;
        address?: string;
        city?: string;
        district?: string;
        ward?: string;
      };
    }
  | { kind: 'opened-chat'; userId: string }
  | { kind: 'received' | 'seen'; userId: string; messageIds: string[] }
  /** what the OA sent, by us or by a person at the console (then `adminId` is known) */
  | {
      kind: 'echo';
      name: string;
      toId: string;
      messageId: string | null;
      adminId: string | null;
      text: string;
    }
  | { kind: 'group'; change: GroupChange; groupId: string; userIds: string[] }
  | { kind: 'permission-revoked' }
  /** the person wants their data erased */
  | { kind: 'withdraw'; userId: string }
  | { kind: 'unknown'; name: string; raw: unknown }
);

const GROUP_CHANGES: Record<string, GroupChange> = {
  create_group: 'made',
  user_join_group: 'joined',
  user_request_join_group: 'asked-to-join',
  accept_request_join_group: 'join-accepted',
  react_request_join_group: 'join-accepted',
  reject_request_join_group: 'join-rejected',
  add_group_admin: 'admin-added',
  remove_group_admin: 'admin-removed',
  update_group_info: 'changed',
  user_out_group: 'left',
  user_leave_group: 'left',
  delete_group: 'ended',
  disperse_group: 'ended',
};

const id = z.union([z.string().min(1), z.number().int().transform(String)]);
const someone = z.looseObject({ id });
const words = z.string().nullish();
const number = z.union([
  z.number(),
  z
    .string()
    .regex(/^-?\d+(\.\d+)?$/)
    .transform(Number),
]);

const envelope = z.looseObject({
  event_name: z.string(),
  timestamp: number.optional(),
  oa_id: id.optional(),
  group_id: id.optional(),
  user_id: id.optional(),
  sender: someone.extend({ admin_id: id.nullish() }).optional(),
  recipient: someone.optional(),
  follower: someone.optional(),
  users: z.array(someone).optional(),
  info: z
    .looseObject({
      name: words,
      phone: z.union([z.string(), z.number().transform(String)]).nullish(),
      address: words,
      city: words,
      district: words,
      ward: words,
    })
    .optional(),
  message: z
    .looseObject({
      text: words,
      msg_id: id.nullish(),
      msg_ids: z.array(id).optional(),
      quote_msg_id: id.nullish(),
      attachments: z
        .array(z.looseObject({ type: z.string(), payload: z.looseObject({}).nullish() }))
        .nullish(),
    })
    .optional(),
});
type Envelope = z.output<typeof envelope>;

const place = z.looseObject({ coordinates: z.looseObject({ latitude: number, longitude: number }) });
const file = z.looseObject({
  url: z.string().min(1),
  thumbnail: words,
  description: words,
  name: words,
  type: words,
  size: number.nullish().catch(undefined),
});

const FILE_KINDS: Record<string, OaAttachment['kind']> = {
  image: 'photo',
  photo: 'photo',
  gif: 'gif',
  video: 'video',
  audio: 'audio',
  voice: 'audio',
  file: 'file',
};

/** The id under which an event is taken once: of its message, else of its bytes. */
function keyOf(body: Envelope | null, raw: Uint8Array): string {
  const messageId = body?.message?.msg_id;
  if (messageId !== null && messageId !== undefined) return `${body?.event_name}:${messageId}`;
  return createHash('sha256').update(raw).digest('hex');
}

function readMessage(body: Envelope, name: string): OaMessageEvent | null {
  const group = name.startsWith('user_send_group_');
  const groupId = group ? (body.recipient?.id ?? body.group_id) : null;
  const userId = body.sender?.id;
  if (userId === undefined || groupId === undefined) return null;
  const message = body.message ?? {};
  const event: OaMessageEvent = {
    kind: 'message',
    userId,
    groupId,
    messageId: message.msg_id ?? null,
    quoteId: message.quote_msg_id ?? null,
    text: cleanText(message.text ?? ''),
    attachments: [],
    place: null,
    also: null,
  };
  for (const { type, payload } of message.attachments ?? []) addAttachment(event, type, payload ?? {});
  return event;
}

function addAttachment(event: OaMessageEvent, type: string, payload: object): void {
  if (type === 'location') {
    const read = place.safeParse(payload);
    if (read.success) event.place = { ...read.data.coordinates };
    return;
  }
  const read = file.safeParse(payload);
  if (type === 'sticker') event.also = 'sticker';
  else if (type === 'link') {
    const description = read.data?.description ?? '';
    const card = /"phone"\s*:/.test(description);
    event.also = card ? 'business-card' : 'link';
    const parts = card ? [event.text] : [event.text, description, read.data?.url ?? ''];
    event.text = cleanText([...new Set(parts.filter((part) => part !== ''))].join('\n'));
  } else if (read.success) {
    const { url, thumbnail, name, type: fileType, size } = read.data;
    // an MP4 may come in a file event, named so by its payload or by the attachment itself
    const known = fileType ?? (FILE_KINDS[type] === undefined ? type : undefined);
    event.attachments.push({
      kind: known?.toLowerCase() === 'mp4' ? 'video' : (FILE_KINDS[type] ?? 'file'),
      url,
      ...(thumbnail ? { thumbnail } : {}),
      ...(name ? { fileName: cleanName(name) } : {}),
      ...(known ? { type: known } : {}),
      ...(size === undefined || size === null ? {} : { sizeBytes: size }),
    });
  }
}

const given = (fields: Record<string, string | null | undefined>) =>
  Object.fromEntries(
    Object.entries(fields).flatMap(([name, value]) => (value ? [[name, cleanText(value)]] : [])),
  );

type Known = OaEvent extends infer E ? (E extends OaEvent ? Omit<E, 'atMs' | 'key' | 'oaId'> : never) : never;

function readKnown(body: Envelope, name: string): Known | null {
  const userId = body.follower?.id ?? body.user_id ?? body.sender?.id;
  const groupChange = GROUP_CHANGES[name];
  if (groupChange !== undefined) {
    if (body.group_id === undefined) return null;
    const userIds = (body.users ?? []).map((user) => user.id);
    if (userIds.length === 0 && userId !== undefined) userIds.push(userId);
    return { kind: 'group', change: groupChange, groupId: body.group_id, userIds };
  }
  if (name === 'permission_revoked') return { kind: 'permission-revoked' };
  if (/^user_send_/.test(name)) return readMessage(body, name);
  if (/^oa_send_/.test(name)) {
    if (body.recipient === undefined) return null;
    return {
      kind: 'echo',
      name,
      toId: body.recipient.id,
      messageId: body.message?.msg_id ?? null,
      adminId: body.sender?.admin_id ?? null,
      text: cleanText(body.message?.text ?? ''),
    };
  }
  if (userId === undefined) return null;
  switch (name) {
    case 'follow':
    case 'unfollow':
      return { kind: name, userId };
    case 'user_submit_info': {
      const { name: called, phone, address, city, district, ward } = body.info ?? {};
      return { kind: 'info', userId, info: given({ name: called, phone, address, city, district, ward }) };
    }
    case 'user_click_chatnow':
      return { kind: 'opened-chat', userId };
    case 'user_received_message':
    case 'user_seen_message': {
      const one = body.message?.msg_id;
      const messageIds = body.message?.msg_ids ?? (one === null || one === undefined ? [] : [one]);
      return { kind: name === 'user_seen_message' ? 'seen' : 'received', userId, messageIds };
    }
    case 'user_withdraw':
      return { kind: 'withdraw', userId };
    default:
      return null;
  }
}

/**
 * An event of the OA's webhook, from the raw body whose signature was checked. What we don't know stays `unknown` with
 * all it had. Never throws; null when it is no event at all (no JSON, no event name).
 * @param nowMs for an event without a time
 */
export function readOaEvent(raw: Uint8Array, nowMs: number): OaEvent | null {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(raw).toString('utf8'));
  } catch {
    return null;
  }
  const read = envelope.safeParse(value);
  if (!read.success) {
    const name = (value as { event_name?: unknown } | null)?.event_name;
    if (typeof name !== 'string') return null;
    return { kind: 'unknown', name, raw: value, atMs: nowMs, key: keyOf(null, raw), oaId: null };
  }
  const body = read.data;
  const about = { atMs: body.timestamp ?? nowMs, key: keyOf(body, raw), oaId: body.oa_id ?? null };
  const known = readKnown(body, body.event_name);
  return { ...(known ?? { kind: 'unknown', name: body.event_name, raw: value }), ...about } as OaEvent;
}
