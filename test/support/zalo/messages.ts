import type { Doing, Method } from './methods.js';
import { invalid, OaFailure, type ZaloMessage } from './types.js';

const TEXT_LENGTH = 2000;

type Fields = Record<string, unknown>;
const fields = (value: unknown, name: string): Fields => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(name);
  return value as Fields;
};
const size = (value: unknown) => typeof value === 'number' && Number.isInteger(value) && value > 0;

function checkText(value: unknown): string {
  if (value === undefined) return '';
  if (typeof value !== 'string' || value.trim() === '') throw invalid('text');
  if (value !== value.normalize('NFC')) throw invalid('text is not NFC');
  if (value.length > TEXT_LENGTH) throw new OaFailure(-210, 'Text is over 2000 characters');
  return value;
}

type Content = Pick<ZaloMessage, 'kind' | 'text' | 'bytes' | 'fileName'>;

function mediaOf({ world }: Doing, element: Fields): Omit<Content, 'text'> {
  const { media_type: type, attachment_id: id, url } = element;
  if (type !== 'image' && type !== 'gif') throw invalid('media_type');
  if ((id === undefined) === (url === undefined)) throw invalid('exactly one of url and attachment_id');
  if (type === 'gif' && !(size(element.width) && size(element.height))) throw invalid('width and height');
  if (id === undefined) return { kind: type };
  const { bytes, fileName } = world.upload(id, type);
  return { kind: type, bytes, fileName };
}

function checkInfoForm({ title, subtitle, image_url: image }: Fields) {
  if (typeof title !== 'string' || title === '' || title.length > 100) throw invalid('title');
  if (typeof subtitle !== 'string' || subtitle === '' || subtitle.length > 500) throw invalid('subtitle');
  if (typeof image !== 'string' || !image.startsWith('https://')) throw invalid('image_url');
}

const BUTTONS = new Set(['oa.open.url', 'oa.query.show', 'oa.query.hide']);

function checkButtons(buttons: unknown[]) {
  if (buttons.length < 1 || buttons.length > 5) throw invalid('buttons');
  for (const button of buttons) {
    const { title, type } = fields(button, 'button');
    if (typeof title !== 'string' || title === '' || title.length > 100) throw invalid('title of a button');
    if (!BUTTONS.has(String(type))) throw invalid('type of a button');
  }
}

/** What a message carries, checked as Zalo checks it. */
function readContent(doing: Doing, value: unknown): Content {
  const message = fields(value, 'message');
  const text = checkText(message.text);
  if (message.attachment === undefined) {
    if (text === '') throw invalid('text');
    return { kind: 'text', text };
  }
  const { type, payload } = fields(message.attachment, 'attachment');
  const about = fields(payload, 'payload');
  if (type === 'file') {
    const { bytes, fileName } = doing.world.upload(about.token, 'file');
    return { kind: 'file', text, bytes, fileName };
  }
  if (type !== 'template') throw invalid('attachment type');
  if (Array.isArray(about.buttons)) {
    if (text === '') throw invalid('text');
    checkButtons(about.buttons);
    return { kind: 'buttons', text };
  }
  const elements = Array.isArray(about.elements) ? about.elements : [];
  if (elements.length !== 1) throw invalid('exactly one element');
  const element = fields(elements[0], 'element');
  if (about.template_type === 'request_user_info') {
    checkInfoForm(element);
    return { kind: 'ask-info', text };
  }
  if (about.template_type !== 'media') throw invalid('template_type');
  return { ...mediaOf(doing, element), text };
}

/** The event with which Zalo tells the OA of its own message. */
function echo({ world }: Doing, message: ZaloMessage) {
  const kind = { buttons: 'text', 'ask-info': 'template' }[message.kind] ?? message.kind;
  world.emit({
    event_name: `oa_send_${message.inGroup ? 'group_' : ''}${kind}`,
    sender: { id: world.oaId },
    recipient: { id: message.chatId },
    message: { msg_id: message.id, ...(message.text === '' ? {} : { text: message.text }) },
  });
}

const toPerson: Method = (doing) => {
  const { world, params } = doing;
  const person = world.person(fields(params.recipient, 'recipient').user_id);
  const content = readContent(doing, params.message);
  const quota = world.takeRoom(person);
  const message = world.addMessage({
    fromId: null,
    chatId: person.id,
    inGroup: false,
    ...content,
    raw: params.message as Fields,
    ...(quota === undefined ? {} : { quota }),
  });
  echo(doing, message);
  const data = { message_id: message.id, user_id: person.id, ...(quota === undefined ? {} : { quota }) };
  return { data, message };
};

const toGroup: Method = (doing) => {
  const { world, params } = doing;
  const group = world.group(fields(params.recipient, 'recipient').group_id);
  if (!group.enabled) throw new OaFailure(-237, 'Group is disabled');
  const content = readContent(doing, params.message);
  const message = world.addMessage({
    fromId: null,
    chatId: group.id,
    inGroup: true,
    ...content,
    raw: params.message as Fields,
  });
  echo(doing, message);
  return { data: { message_id: message.id, group_id: group.id }, message };
};

export const MESSAGE_METHODS: Record<string, Method> = {
  'POST /v3.0/oa/message/cs': toPerson,
  'POST /v3.0/oa/group/message': toGroup,
};
