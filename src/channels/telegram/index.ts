export type { ButtonStore } from './buttons.js';
export { PUBLIC_API_ROOT } from './connection.js';
export { type MenuEntry, type Menus, publishMenus } from './menus.js';
export { makeTelegram, type TelegramChannel, type TelegramOptions, telegramLimits } from './telegram.js';
