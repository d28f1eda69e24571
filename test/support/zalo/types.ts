/** What the stand-in of Zalo keeps. Fields that travel are named as Zalo names them. */

/** An answer with `error` other than 0; HTTP 200 as a rule. */
export class OaFailure extends Error {
  constructor(
    readonly code: number,
    readonly words: string,
    readonly http = 200,
  ) {
    super(words);
  }
}

export const invalid = (why: string) => new OaFailure(-201, `Parameter is invalid: ${why}`);

/** One call that was made, and what became of it. */
export interface ZaloCall {
  api: 'oa' | 'oauth' | 'bot';
  /** the path after `/oa/` (`message/cs`), `access_token`, or the bot's method */
  name: string;
  params: Record<string, unknown>;
  ok: boolean;
  error?: number;
  atMs: number;
  /** the message it made */
  message?: ZaloMessage;
  /** did the whole answer leave? undefined while it has not */
  answer?: 'whole' | 'cut';
}

export interface ZaloMessage {
  id: string;
  /** null: the OA */
  fromId: string | null;
  /** the person of the conversation, or the group */
  chatId: string;
  inGroup: boolean;
  kind: 'text' | 'image' | 'gif' | 'file' | 'ask-info' | 'buttons' | string;
  text: string;
  /** of a picture or file of the OA */
  bytes?: Buffer;
  fileName?: string;
  /** the number of a person who wrote at the console */
  adminId?: string;
  quota?: { quota_type: string; remain: string; total: string };
  raw: Record<string, unknown>;
  atMs: number;
}

export interface PersonState {
  id: string;
  name: string;
  follower: boolean;
  /** unfollowed, and has not come back */
  gone: boolean;
  lastInteractionMs: number | null;
  /** free answers used since the last interaction */
  answers: number;
  info: { name: string; phone: string; address: string; city: string; district: string } | null;
}

export interface GroupState {
  id: string;
  name: string;
  description: string;
  assetId: string;
  members: Set<string>;
  admins: Set<string>;
  pending: Set<string>;
  /** disabled: the package ran out */
  enabled: boolean;
  /** dispersed: it is gone */
  ended: boolean;
}

export interface GroupAsset {
  id: string;
  product: string;
  quotaType: string;
  validThrough: string;
  usedId: string | null;
}

/** A file that the OA uploaded. */
export interface UploadedAsset {
  kind: 'image' | 'gif' | 'file';
  bytes: Buffer;
  fileName: string;
  madeMs: number;
}
