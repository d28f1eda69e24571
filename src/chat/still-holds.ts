import type { Database } from '../store/database.js';
import { purposeOf, roleOf } from '../store/speakers.js';
import type { ChatAddress } from './message.js';
import type { Only } from './outgoing.js';

/** Does what was true when something was asked for still hold? Rights end at once, whatever is on its way. */
export async function stillHolds(database: Database, to: ChatAddress, only: Only): Promise<boolean> {
  if (only.purpose !== undefined) {
    const purpose = await purposeOf(database, to.channel, to.chatId);
    // undefined: the group is just getting a new id, of which the platform will tell
    if (purpose !== undefined && purpose !== only.purpose) return false;
  }
  return only.asker === undefined || (await roleOf(database, only.asker.personId)) === only.asker.role;
}
