/** Channels as people call them. */
const NAMES: Record<string, string> = {
  telegram: 'Telegram',
  'zalo-oa': 'Zalo',
  'zalo-bot': 'Zalo Bot',
  console: 'trang web',
};

export const channelName = (channel: string): string => NAMES[channel] ?? channel;
