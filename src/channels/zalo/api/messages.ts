import { z } from 'zod';
import type { Call } from './call.js';

/** What an OA can send; exactly as Zalo knows it, nothing is made to fit here. */
export type OaMessage =
  | { kind: 'text'; text: string; quoteId?: string; buttons?: OaButton[] }
  | { kind: 'image'; attachmentId: string; text?: string }
  | { kind: 'gif'; attachmentId: string; width: number; height: number; text?: string }
  | { kind: 'file'; token: string }
  /** a form for name, phone and address; the answer is the event `user_submit_info` */
  | { kind: 'ask-info'; title: string; subtitle: string; imageUrl: string };

/** [?] of the facts: kept behind a setting by whoever sends them. */
export interface OaButton {
  title: string;
  /** a link, or words that come back as a message of the person */
  does: { url: string } | { says: string };
}

const template = (payload: object) => ({ attachment: { type: 'template', payload } });
const media = (text: string | undefined, element: object) => ({
  ...(text === undefined ? {} : { text: text.normalize('NFC') }),
  ...template({ template_type: 'media', elements: [element] }),
});

/** The `message` of a send. */
export function writeMessage(message: OaMessage): object {
  switch (message.kind) {
    case 'text': {
      const { text, quoteId, buttons = [] } = message;
      return {
        text: text.normalize('NFC'),
        ...(quoteId === undefined ? {} : { quote_message_id: quoteId }),
        ...(buttons.length === 0 ? {} : template({ buttons: buttons.map(writeButton) })),
      };
    }
    case 'image':
      return media(message.text, { media_type: 'image', attachment_id: message.attachmentId });
    case 'gif': {
      const { attachmentId, width, height } = message;
      return media(message.text, { media_type: 'gif', attachment_id: attachmentId, width, height });
    }
    case 'file':
      return { attachment: { type: 'file', payload: { token: message.token } } };
    case 'ask-info': {
      const { title, subtitle, imageUrl } = message;
      const element = {
        title: title.normalize('NFC'),
        subtitle: subtitle.normalize('NFC'),
        image_url: imageUrl,
      };
      return template({ template_type: 'request_user_info', elements: [element] });
    }
  }
}

const writeButton = ({ title, does }: OaButton) =>
  'url' in does
    ? { title, type: 'oa.open.url', payload: { url: does.url } }
    : { title, type: 'oa.query.show', payload: does.says };

const quota = z.looseObject({
  quota_type: z.string().optional(),
  remain: z.coerce.number().optional(),
  total: z.coerce.number().optional(),
});

/** `message_id` may be absent: the message has gone all the same, and a second one must not follow. */
const sentToPerson = z.looseObject({
  message_id: z.string().optional(),
  user_id: z.string().optional(),
  /** absent: this message was charged */
  quota: quota.optional(),
});
const sentToGroup = z.looseObject({ message_id: z.string().optional(), group_id: z.string().optional() });

export function makeMessages(call: Call) {
  return {
    /** A customer-service message to a person, within their window. */
    sendToPerson: (userId: string, message: OaMessage, signal?: AbortSignal) =>
      call(
        'message/cs',
        '/v3.0/oa/message/cs',
        sentToPerson,
        { json: { recipient: { user_id: userId }, message: writeMessage(message) } },
        signal,
      ),

    /** A message to a GMF group; no window. */
    sendToGroup: (groupId: string, message: OaMessage, signal?: AbortSignal) =>
      call(
        'group/message',
        '/v3.0/oa/group/message',
        sentToGroup,
        { json: { recipient: { group_id: groupId }, message: writeMessage(message) } },
        signal,
      ),
  };
}
