export type { BotAccount, BotClient } from './api/bot.js';
export { makeBotClient } from './api/bot.js';
export { type Remedy, ZaloError } from './api/errors.js';
export type { OaMessage } from './api/messages.js';
export { makeOaClient, type OaClient } from './api/oa.js';
export {
  consentUrl,
  exchangeCode,
  type GivenPair,
  makeVerifier,
  readPasted,
  tryApp,
} from './api/oauth.js';
export { botWebhookAt } from './bot/address.js';
export { makeTokenKeeper, type TokenKeeper, type TokenTrouble } from './tokens/keeper.js';
export { lookAtTokens, type TokensLook } from './tokens/look.js';
export { type BotUpdate, readBotBody, readBotUpdate } from './webhook/bot-events.js';
export { type OaEvent, readOaEvent } from './webhook/oa-events.js';
export { isFromBotPlatform, isSigned } from './webhook/signature.js';
