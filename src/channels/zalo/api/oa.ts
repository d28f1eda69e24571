import { makeCall, type OaOptions } from './call.js';
import { makeGroups } from './groups.js';
import { makeMessages } from './messages.js';
import { makePeople } from './people.js';
import { makeUploads } from './uploads.js';

export type OaClient = ReturnType<typeof makeOaClient>;

/**
 * The OpenAPI of a Zalo Official Account. Each call takes an AbortSignal last, is limited in time, and throws
 * ZaloError for a refusal, WorldError unreachable, timeout, cancelled, or invalid for an answer we don't know.
 */
export function makeOaClient(options: OaOptions) {
  const call = makeCall(options);
  return { ...makeMessages(call), ...makeUploads(call), ...makePeople(call), ...makeGroups(call) };
}
