/** Where the bot's updates come in, on our web server. */
export const BOT_HOOK = '/zalo/bot';

/** The same as the platform is told it. */
export const botWebhookAt = (publicUrl: string) => `${publicUrl.replace(/\/+$/, '')}${BOT_HOOK}`;
