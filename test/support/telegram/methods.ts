import path from 'node:path';
import type { Body } from './body.js';
import { checkCaption, checkKeyboard, checkPhoto, checkText, DOWNLOAD_BYTES, readMp4 } from './checks.js';
import { badRequest, type MemberStatus, type TgFile, type TgKeyboard, type TgMessage } from './types.js';
import type { World } from './world.js';

export interface Made {
  result: unknown;
  messages?: TgMessage[];
}

interface Doing {
  world: World;
  params: Record<string, unknown>;
  files: Body['files'];
  /** takes room for messages in a chat, or throws 429 */
  rate: (chatId: number, count: number) => void;
}

type Method = (doing: Doing) => Made | Promise<Made>;
type Media = Pick<TgMessage, 'photo' | 'video' | 'animation' | 'document'>;

const number = (value: unknown): number | undefined => {
  if (value === undefined || value === null || value === '') return undefined;
  return Number.isFinite(Number(value)) ? Number(value) : undefined;
};
const given = <T extends object>(fields: T): T =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;

/** The content of a media field: an upload, or a file the platform already has. */
async function readMedia(
  { world, files }: Doing,
  kind: string,
  value: unknown,
  about: Record<string, unknown>,
): Promise<Media> {
  const text = typeof value === 'string' ? value : '';
  const wanted = text.startsWith('attach://') ? text.slice(9) : kind;
  const upload = files.find((file) => file.field === wanted);
  if (upload === undefined) {
    const known = world.files.get(text);
    if (known === undefined)
      throw badRequest(
        /^https?:/.test(text)
          ? 'failed to get HTTP URL content'
          : 'wrong remote file identifier specified: Wrong string length',
      );
    const file: TgFile = { file_id: text, file_unique_id: text.slice(-16), file_size: known.sizeBytes };
    return kind === 'photo' ? { photo: [file] } : { [kind]: file };
  }
  if (upload.sizeBytes === 0) throw badRequest('file must be non-empty');
  if (kind === 'photo') {
    const sides = await checkPhoto(upload.path);
    const scaled = (most: number) => Math.min(1, most / Math.max(sides.width, sides.height));
    const sizes = [320, 2560].map((most) =>
      world.addFile(upload.path, 'photos', '.jpg', {
        width: Math.round(sides.width * scaled(most)),
        height: Math.round(sides.height * scaled(most)),
      }),
    );
    return { photo: sizes };
  }
  const mp4 = kind === 'video' ? readMp4(upload.path) : null;
  const named = {
    file_name: upload.fileName,
    mime_type: mp4 === null ? 'application/octet-stream' : 'video/mp4',
  };
  const sides = given({
    width: number(about.width),
    height: number(about.height),
    duration: number(about.duration),
  });
  const extension = path.extname(upload.fileName);
  if (mp4 === null || !mp4.video)
    return { document: world.addFile(upload.path, 'documents', extension, named) };
  const file = world.addFile(upload.path, mp4.sound ? 'videos' : 'animations', extension, {
    ...sides,
    ...named,
  });
  return mp4.sound ? { video: file } : { animation: file, document: file };
}

/** The topic that a message goes to; one that is not there is refused. */
function topicFor({ world, params }: Doing, chatId: number): Partial<TgMessage> {
  const topic = number(params.message_thread_id);
  if (topic === undefined) return {};
  if (!world.topics.has(`${chatId}/${topic}`)) throw badRequest('message thread not found');
  return { message_thread_id: topic, is_topic_message: true };
}

function send(doing: Doing, content: Partial<TgMessage>): Made {
  const { world, params } = doing;
  const chat = world.chatFor(params.chat_id);
  const keyboard = checkKeyboard(params.reply_markup);
  const topic = topicFor(doing, chat.id);
  doing.rate(chat.id, 1);
  const message = world.addMessage(
    chat,
    world.bot,
    given({ ...content, ...topic, ...(keyboard === undefined ? {} : { reply_markup: keyboard }) }),
  );
  return { result: message, messages: [message] };
}

const sendMedia =
  (kind: string): Method =>
  async (doing) => {
    doing.world.chatFor(doing.params.chat_id);
    const media = await readMedia(doing, kind, doing.params[kind], doing.params);
    const caption = checkCaption(doing.params.caption, doing.params.parse_mode);
    return send(doing, { ...media, ...(caption === undefined ? {} : { caption }) });
  };

const sendMediaGroup: Method = async (doing) => {
  const { world, params } = doing;
  const chat = world.chatFor(params.chat_id);
  const items = params.media as Record<string, unknown>[] | undefined;
  if (!Array.isArray(items)) throw badRequest('media must be an array of InputMedia');
  if (items.length < 2) throw badRequest('there must be at least 2 messages to send as an album');
  if (items.length > 10) throw badRequest('too many messages to send as an album');
  const contents: Partial<TgMessage>[] = [];
  for (const item of items) {
    const media = await readMedia(doing, String(item.type), item.media, item);
    const caption = checkCaption(item.caption, item.parse_mode);
    contents.push({ ...media, ...(caption === undefined ? {} : { caption }) });
  }
  const topic = topicFor(doing, chat.id);
  doing.rate(chat.id, items.length);
  const group = String(13_000_000_000_000 + world.sent.length);
  const messages = contents.map((content) =>
    world.addMessage(chat, world.bot, { ...content, ...topic, media_group_id: group }),
  );
  return { result: messages, messages };
};

const CONTENT = ['text', 'caption', 'photo', 'video', 'animation', 'document'] as const;

/** Puts new content and keyboard into an own message. */
function edit(doing: Doing, content: Partial<TgMessage> | null): Made {
  const { world, params } = doing;
  const message = world.findMessage(params.chat_id, params.message_id);
  if (message === undefined) throw badRequest('message to edit not found');
  if (message.from?.id !== world.bot.id) throw badRequest("message can't be edited");
  const keyboard: TgKeyboard | undefined = checkKeyboard(params.reply_markup);
  const before = JSON.stringify([CONTENT.map((name) => message[name]), message.reply_markup]);
  const after = JSON.stringify([CONTENT.map((name) => (content ?? message)[name]), keyboard]);
  if (before === after)
    throw badRequest(
      'message is not modified: specified new message content and reply markup are exactly the same as a current content and reply markup of the message',
    );
  if (content !== null) for (const name of CONTENT) delete message[name];
  delete message.reply_markup;
  Object.assign(message, content ?? {}, keyboard === undefined ? {} : { reply_markup: keyboard });
  message.edit_date = world.seconds();
  return { result: message, messages: [message] };
}

const carriesMedia = (message: TgMessage | undefined) =>
  message !== undefined &&
  (message.photo ?? message.video ?? message.animation ?? message.document) !== undefined;

const scopeKey = (scope: unknown) => {
  const { type = 'default', chat_id, user_id } = (scope ?? {}) as Record<string, unknown>;
  return [type, chat_id, user_id].filter((part) => part !== undefined).join(':');
};

const ACTIONS =
  /^(?:typing|upload_(?:photo|video|document|voice|video_note)|record_(?:video|voice|video_note)|choose_sticker|find_location)$/;

/** Only an administrator may, and nobody may with one of them. */
const changeMember =
  (to: MemberStatus, really: (now: MemberStatus, params: Doing['params']) => boolean): Method =>
  ({ world, params }) => {
    const group = world.groups.get(world.chatFor(params.chat_id).id);
    if (group === undefined) throw badRequest('chat not found');
    if (group.bot !== 'administrator')
      throw badRequest('not enough rights to restrict/unrestrict chat member');
    const id = Number(params.user_id);
    const status = group.members.get(id) ?? 'left';
    if (!world.people.has(id)) throw badRequest('PARTICIPANT_ID_INVALID');
    if (status === 'creator') throw badRequest("can't remove chat owner");
    if (status === 'administrator') throw badRequest('user is an administrator of the chat');
    if (really(status, params)) group.members.set(id, to);
    return { result: true };
  };

/** What the bot may call. */
export const METHODS: Record<string, Method> = {
  getme: ({ world }) => ({
    result: {
      ...world.bot,
      can_join_groups: true,
      can_read_all_group_messages: !world.privacy,
      supports_inline_queries: false,
    },
  }),
  setwebhook: ({ world, params }) => {
    const url = String(params.url ?? '');
    if (url !== '' && !url.startsWith('https://'))
      throw badRequest('bad webhook: An HTTPS URL must be provided for webhook');
    const secret = String(params.secret_token ?? '');
    if (!/^[A-Za-z0-9_-]{0,256}$/.test(secret))
      throw badRequest('secret token contains unallowed characters');
    world.webhook = url;
    world.webhookSecret = secret;
    if (Array.isArray(params.allowed_updates)) world.allowed = params.allowed_updates.map(String);
    if (params.drop_pending_updates === true) world.updates.length = 0;
    world.webhookChanged();
    return { result: true };
  },
  deletewebhook: ({ world, params }) => {
    world.webhook = '';
    if (params.drop_pending_updates === true) world.updates.length = 0;
    return { result: true };
  },
  getwebhookinfo: ({ world }) => ({
    result: {
      url: world.webhook,
      pending_update_count: world.updates.length,
      ...(world.webhookError === null
        ? {}
        : { last_error_date: world.webhookError.date, last_error_message: world.webhookError.message }),
    },
  }),
  sendmessage: (doing) => {
    doing.world.chatFor(doing.params.chat_id);
    const text = checkText(doing.params.text, doing.params.parse_mode, 'message is too long');
    return send(doing, { text });
  },
  sendphoto: sendMedia('photo'),
  sendvideo: sendMedia('video'),
  senddocument: sendMedia('document'),
  sendmediagroup: sendMediaGroup,
  sendchataction: ({ world, params }) => {
    world.chatFor(params.chat_id);
    if (!ACTIONS.test(String(params.action))) throw badRequest('wrong parameter action in request');
    return { result: true };
  },
  editmessagetext: (doing) => {
    const { world, params } = doing;
    world.chatFor(params.chat_id);
    if (carriesMedia(world.findMessage(params.chat_id, params.message_id)))
      throw badRequest('there is no text in the message to edit');
    return edit(doing, { text: checkText(params.text, params.parse_mode, 'MESSAGE_TOO_LONG') });
  },
  editmessagecaption: (doing) => {
    const { world, params } = doing;
    world.chatFor(params.chat_id);
    const message = world.findMessage(params.chat_id, params.message_id);
    if (message !== undefined && !carriesMedia(message))
      throw badRequest('there is no caption in the message to edit');
    const { text: _text, caption: _caption, ...rest } = message ?? ({} as TgMessage);
    const caption = checkCaption(params.caption, params.parse_mode);
    const media = Object.fromEntries(CONTENT.map((name) => [name, (rest as Media)[name as keyof Media]]));
    return edit(doing, given({ ...media, caption }) as Partial<TgMessage>);
  },
  editmessagereplymarkup: (doing) => {
    doing.world.chatFor(doing.params.chat_id);
    return edit(doing, null);
  },
  editmessagemedia: async (doing) => {
    const { world, params } = doing;
    world.chatFor(params.chat_id);
    if (world.findMessage(params.chat_id, params.message_id) === undefined)
      throw badRequest('message to edit not found');
    const item = params.media as Record<string, unknown>;
    const media = await readMedia(doing, String(item.type), item.media, item);
    const caption = checkCaption(item.caption, item.parse_mode);
    return edit(doing, { ...media, ...(caption === undefined ? {} : { caption }) });
  },
  deletemessage: ({ world, params }) => {
    const chat = world.chatFor(params.chat_id);
    const message = world.findMessage(chat.id, params.message_id);
    if (message === undefined) throw badRequest('message to delete not found');
    if (world.seconds() - message.date > 48 * 3600) throw badRequest("message can't be deleted");
    world.messages.delete(`${chat.id}/${message.message_id}`);
    return { result: true, messages: [message] };
  },
  answercallbackquery: ({ world, params }) => {
    const query = world.queries.get(String(params.callback_query_id));
    if (query === undefined || query.answered !== null)
      throw badRequest('query is too old and response timeout expired or query ID is invalid');
    if (String(params.text ?? '').length > 200) throw badRequest('MESSAGE_TOO_LONG');
    query.answered = params;
    return { result: true };
  },
  setmycommands: ({ world, params }) => {
    const commands = params.commands as { command: string; description: string }[];
    if (!Array.isArray(commands)) throw badRequest('parameter "commands" is required');
    if (commands.length > 100) throw badRequest('BOT_COMMANDS_TOO_MUCH');
    for (const { command, description } of commands) {
      if (!/^[a-z0-9_]{1,32}$/.test(command)) throw badRequest('BOT_COMMAND_INVALID');
      if (description.length < 1 || description.length > 256)
        throw badRequest('BOT_COMMAND_DESCRIPTION_INVALID');
    }
    const scope = (params.scope ?? {}) as Record<string, unknown>;
    if (scope.chat_id !== undefined) world.chatFor(scope.chat_id);
    world.commands.set(scopeKey(scope), commands);
    return { result: true };
  },
  getmycommands: ({ world, params }) => ({ result: world.commands.get(scopeKey(params.scope)) ?? [] }),
  deletemycommands: ({ world, params }) => {
    world.commands.delete(scopeKey(params.scope));
    return { result: true };
  },
  getfile: ({ world, params }) => {
    const id = String(params.file_id);
    const file = world.files.get(id);
    if (file === undefined) throw badRequest('invalid file_id');
    if (file.sizeBytes > DOWNLOAD_BYTES) throw badRequest('file is too big');
    return {
      result: {
        file_id: id,
        file_unique_id: id.slice(-16),
        file_size: file.sizeBytes,
        file_path: file.filePath,
      },
    };
  },
  getchat: ({ world, params }) => ({ result: world.chatFor(params.chat_id) }),
  getchatmember: ({ world, params }) => {
    const chat = world.chatFor(params.chat_id);
    const id = Number(params.user_id);
    const group = world.groups.get(chat.id);
    if (id === world.bot.id) return { result: { user: world.bot, status: group?.bot ?? 'member' } };
    const person = world.people.get(id);
    if (person === undefined) throw badRequest('invalid user_id specified');
    return { result: { user: person.user, status: group?.members.get(id) ?? 'left' } };
  },
  banchatmember: changeMember('kicked', () => true),
  unbanchatmember: changeMember(
    'left',
    (status, params) => params.only_if_banned !== true || status === 'kicked',
  ),
};
