import { GrammyError, HttpError } from 'grammy';
import { WorldError } from '../../base/errors.js';
import { redact } from '../../base/log.js';

/** The person or group can't be written to any more, told apart by Telegram's words. */
const BLOCKED = /blocked by the user|can't initiate conversation|user is deactivated/i;
const GONE =
  /chat not found|bot was kicked|not a member|chat was deleted|peer_id_invalid|group is deactivated|bots can't send messages to bots/i;
/** It may be allowed again: an administrator can give the right back. */
const NO_RIGHT = /not enough rights|have no rights|chat_write_forbidden|chat_restricted|topic_closed/i;
const TOO_BIG = /too big|entity too large|file_too_large/i;
const NO_FILE = /invalid file_id|wrong file_?id|wrong remote file|file is temporarily unavailable/i;

/** Why a network call failed, in a few words, never with its address (that has the token in it). */
function networkReason(error: unknown): string {
  const inner = error instanceof HttpError ? error.error : error;
  if (!(inner instanceof Error)) return 'network failure';
  if (inner.name === 'AbortError') return 'no answer in time';
  const code = 'code' in inner && typeof inner.code === 'string' ? inner.code : '';
  if (code !== '') return code;
  const after = /reason: (.*)$/s.exec(inner.message)?.[1] ?? inner.message;
  return redact(after).replace(/https?:\/\/\S+/g, '(address)');
}

function apiFailure(method: string, error: GrammyError): WorldError {
  const { error_code: code, description, parameters } = error;
  const say = redact(`Telegram refused ${method}: ${code} ${description}`);
  if (code === 429 || parameters.retry_after !== undefined)
    return new WorldError('rate-limited', say, { retryAfterS: parameters.retry_after ?? 5 });
  if (parameters.migrate_to_chat_id !== undefined)
    return new WorldError('migrated', say, { movedTo: String(parameters.migrate_to_chat_id) });
  if (code >= 500) return new WorldError('unreachable', say);
  if (code === 401 || code === 404)
    return new WorldError('unreachable', `${say} (is TELEGRAM_BOT_TOKEN right?)`);
  if (code === 409) return new WorldError('unreachable', say);
  if (BLOCKED.test(description)) return new WorldError('blocked', say);
  if (GONE.test(description)) return new WorldError('chat-gone', say);
  if (NO_RIGHT.test(description)) return new WorldError('unreachable', say);
  if (code === 403) return new WorldError('chat-gone', say);
  if (code === 413 || TOO_BIG.test(description)) return new WorldError('too-big', say);
  if (NO_FILE.test(description)) return new WorldError('not-found', say);
  return new WorldError('invalid', say);
}

/**
 * What a failed call of the Bot API means to the rest of the house. The original error is not kept as the cause:
 * it carries the address with the token and the text of the message.
 */
export function toWorldError(method: string, error: unknown): WorldError {
  if (error instanceof WorldError) return error;
  if (error instanceof GrammyError) return apiFailure(method, error);
  return new WorldError(
    'unreachable',
    `Telegram could not be reached for ${method}: ${networkReason(error)}`,
  );
}

/** Did Telegram refuse this very change (and not the chat, the rate or the network)? */
export const refusedChange = (error: unknown): boolean =>
  error instanceof GrammyError &&
  error.error_code === 400 &&
  error.parameters.migrate_to_chat_id === undefined &&
  !GONE.test(error.description);

/** Was only the topic of the group refused? */
export const topicGone = (error: unknown): boolean =>
  error instanceof GrammyError &&
  error.error_code === 400 &&
  /message thread not found|topic_closed|topic_deleted/i.test(error.description);

export const notModified = (error: unknown): boolean =>
  error instanceof GrammyError && error.description.includes('message is not modified');
