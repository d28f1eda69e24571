import type { ChannelName } from '../src/chat/message.js';

/** What people have on their phones, the commonest first. */
export const MESSENGERS = ['zalo-oa', 'telegram', 'zalo-bot'] as const satisfies readonly ChannelName[];

/** Channels as people call them. */
const NAMES: Record<string, string> = {
  telegram: 'Telegram',
  'zalo-oa': 'Zalo',
  'zalo-bot': 'Zalo Bot',
  console: 'trang web',
};

export const channelName = (channel: string): string => NAMES[channel] ?? channel;
