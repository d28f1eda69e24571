import type { Log } from '../../../base/log.js';
import { makeHook } from '../webhook/hook.js';
import { type OaEvent, readOaEvent } from '../webhook/oa-events.js';
import { isSigned, type SignatureKeys } from '../webhook/signature.js';

export interface WebhookOptions {
  /** where Zalo sends events */
  path: string;
  keys: SignatureKeys;
  log: Log;
  now: () => number;
  /** Resolves when the event is durably taken. */
  take: (event: OaEvent) => Promise<void>;
}

/** Where the OA's events come in: the signature is checked over the bytes as they came, before anything is parsed. */
export const makeWebhook = ({ path, keys, log, now, take }: WebhookOptions): ReturnType<typeof makeHook> =>
  makeHook({
    ...{ path, log },
    isGenuine: (raw, headers) => isSigned(raw, headers['x-zevent-signature'], keys),
    async take(raw) {
      const event = readOaEvent(raw, now());
      if (event !== null) await take(event);
      return event !== null;
    },
  });
