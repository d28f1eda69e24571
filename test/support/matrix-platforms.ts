/** The platforms of the matrix: a real channel, its stand-in over HTTP, and a chief who writes there. */
import type { LineView } from '../../src/channels/console/view.js';
import type { Channel } from '../../src/chat/message.js';
import { channelTo } from '../channels/telegram-fixture.js';
import { makeBotStage } from '../channels/zalo-bot-fixture.js';
import { makeOaMemory, makeOaStage } from '../channels/zalo-oa-fixture.js';
import { openStage } from '../web/stage.js';
import { TelegramServer, type TgMessage } from './telegram-server.js';

/** The chief's account on the console, and their name among the demo's people. */
export const CHIEF = 'truong';

/** One message as it arrived at the person. */
export interface Seen {
  kind: 'text' | 'photo' | 'video' | 'album' | 'file' | 'moving preview';
  text: string;
  buttons: boolean;
}

export interface Platform {
  /** made, not started */
  channel: Channel;
  chiefId: string;
  /** is there a public address, so that links are made? */
  links: boolean;
  /** Resolves when the channel, just started, can be written to. */
  opened(): Promise<void>;
  says(text: string): Promise<void>;
  /** what arrived in the chief's private chat, in order */
  seen(): Promise<Seen[]>;
  close(): Promise<void>;
}

async function telegram(): Promise<Platform> {
  const server = await TelegramServer.start({ rates: false });
  const chief = server.user({ id: 7_000_000_001, name: 'Trường' });
  const channel = channelTo(server);
  const kindOf = (message: TgMessage): Seen['kind'] => {
    if (message.media_group_id !== undefined) return 'album';
    if (message.photo !== undefined) return 'photo';
    if (message.video !== undefined) return 'video';
    if (message.animation !== undefined) return 'moving preview';
    return message.document === undefined ? 'text' : 'file';
  };
  return {
    ...{ channel, chiefId: String(chief.id), links: true },
    opened: () => channel.connected(),
    says: async (text) => void chief.says(text),
    async seen() {
      const albums = new Set<string>();
      return [...server.world.messages.values()].flatMap((message): Seen[] => {
        if (message.chat.id !== chief.id || message.from?.id !== server.world.bot.id) return [];
        const album = message.media_group_id;
        if (album !== undefined && albums.has(album)) return [];
        if (album !== undefined) albums.add(album);
        const text = message.text ?? message.caption ?? '';
        return [{ kind: kindOf(message), text, buttons: message.reply_markup !== undefined }];
      });
    },
    close: () => server.stop(),
  };
}

async function zaloOa(): Promise<Platform> {
  const stage = await makeOaStage({}, { store: makeOaMemory() });
  const { zalo, channel } = stage;
  const chief = zalo.person({ id: '5510185758261927916', name: 'Trường' });
  const KINDS: Record<string, Seen['kind']> = { image: 'photo', gif: 'moving preview', file: 'file' };
  return {
    ...{ channel, chiefId: chief.id, links: true },
    async opened() {
      await zalo.webhook.set(stage.hookUrl);
    },
    async says(text) {
      chief.says(text);
      await zalo.webhook.idle();
    },
    seen: async () =>
      zalo.world.messages
        .filter(({ chatId, fromId }) => chatId === chief.id && fromId === null)
        .map(({ kind, text }) => ({ kind: KINDS[kind] ?? 'text', text, buttons: kind === 'buttons' })),
    close: stage.close,
  };
}

const zaloBot = (photos: boolean) => async (): Promise<Platform> => {
  const stage = await makeBotStage('polling', { photos });
  const { zalo, channel } = stage;
  const chief = zalo.botPerson({ id: '8812345678901234567', name: 'Trường' });
  return {
    ...{ channel, chiefId: chief.id, links: photos },
    opened: () => channel.connected(),
    says: async (text) => void chief.says(text),
    seen: async () =>
      zalo.bot.sent.map(({ text, photo }) => ({
        ...{ kind: photo === undefined ? 'text' : 'photo', text, buttons: false },
      })),
    close: stage.close,
  };
};

async function webConsole(): Promise<Platform> {
  const stage = await openStage({ start: false });
  const kindOf = ({ kind }: LineView): Seen['kind'] => (kind === 'document' ? 'file' : kind);
  // a page shows the newest lines alone
  const all = new Map<number, LineView>();
  return {
    ...{ channel: stage.channel, chiefId: CHIEF, links: true },
    opened: async () => {},
    async says(text) {
      const answer = await stage.say(CHIEF, { text });
      if (!answer.ok) throw new Error(`the console answered ${answer.status}`);
    },
    async seen() {
      const answer = await stage.ask(`/console/api/lines?as=${CHIEF}&chat=${CHIEF}`);
      const { lines } = (await answer.json()) as { lines: LineView[] };
      for (const line of lines) all.set(line.id, line);
      return [...all.values()]
        .filter((line) => line.from === null)
        .map((line) => ({ kind: kindOf(line), text: line.text, buttons: line.buttons.length > 0 }));
    },
    close: () => stage.stop(),
  };
}

/** In the order of the table's columns. */
export const MATRIX_PLATFORMS: readonly { title: string; open: () => Promise<Platform> }[] = [
  { title: 'Telegram', open: telegram },
  { title: 'Zalo OA', open: zaloOa },
  { title: 'Zalo Bot', open: zaloBot(true) },
  { title: 'Zalo Bot, no public address', open: zaloBot(false) },
  { title: 'web console', open: webConsole },
];
