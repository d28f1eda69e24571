import { GrammyError } from 'grammy';
import { WorldError } from '../../base/errors.js';
import type { Connection } from './connection.js';

/**
 * What Telegram refuses here (we are no administrator, they are one) only a person can do. To the rest of the house the
 * same refusal means "perhaps later", which would be too late.
 */
function byHand(error: unknown): unknown {
  const refused =
    error instanceof GrammyError &&
    (error.error_code === 400 || error.error_code === 403) &&
    error.parameters.migrate_to_chat_id === undefined;
  return refused
    ? new WorldError('refused', `Telegram refused ${error.method}: ${error.description}`)
    : error;
}

export function makeMembers(connection: Connection) {
  const statusOf = async (chatId: string, userId: number) =>
    (await connection.call('getChatMember', (api, ends) => api.getChatMember(chatId, userId, ends))).status;
  const change: Connection['call'] = (method, run) =>
    connection.call(method, async (api, ends) => {
      try {
        return await run(api, ends);
      } catch (error) {
        throw byHand(error);
      }
    });
  return {
    /** Out, and not in again by an old link: `letIn` takes that back. */
    async remove(chatId: string, userId: string): Promise<boolean> {
      const id = Number(userId);
      const status = await statusOf(chatId, id);
      if (status === 'kicked') return false;
      // who left may come back by the link of the group
      await change('banChatMember', (api, ends) => api.banChatMember(chatId, id, {}, ends)).catch(
        (error: unknown) => {
          if (status !== 'left') throw error;
        },
      );
      return status !== 'left';
    },
    /** A bot can't bring anybody in, but end a ban. */
    async letIn(chatId: string, userId: string): Promise<boolean> {
      if ((await statusOf(chatId, Number(userId))) !== 'kicked') return false;
      await change('unbanChatMember', (api, ends) =>
        api.unbanChatMember(chatId, Number(userId), { only_if_banned: true }, ends),
      );
      return true;
    },
  };
}
