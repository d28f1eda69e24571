import { createHash, randomBytes } from 'node:crypto';
import { Bell } from '../bell.js';
import {
  type GroupAsset,
  type GroupState,
  OaFailure,
  type PersonState,
  type UploadedAsset,
  type ZaloCall,
  type ZaloMessage,
} from './types.js';

const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;
const FREE_MS = 48 * HOUR_MS;
const PAID_MS = 7 * DAY_MS;
const FREE_ANSWERS = 8;
const ASSET_MS = 7 * DAY_MS;

/** Tells the OA's server of something that happened. */
export type Emit = (event: Record<string, unknown>) => void;

/** Everything the platform knows of one OA: people, windows, groups, files, messages. */
export class World {
  readonly people = new Map<string, PersonState>();
  readonly groups = new Map<string, GroupState>();
  readonly assets = new Map<string, GroupAsset>();
  readonly uploads = new Map<string, UploadedAsset>();
  readonly media = new Map<string, { bytes: Buffer; type: string; diesMs: number }>();
  readonly messages: ZaloMessage[] = [];
  readonly calls: ZaloCall[] = [];
  readonly bell = new Bell();
  /** messages between 48 h and 7 d that the OA's package still has */
  paidLeft = 0;
  /** money for what the package does not cover */
  money = true;
  /** conversations name messages by other ids than the webhook did; the facts don't say */
  otherIds = false;
  /** how long the address of a file works */
  mediaLivesMs = HOUR_MS;
  emit: Emit = () => {};
  /** where media is served */
  root = '';
  private nextId = 1n;

  constructor(
    /** another one's, as if another OA consented */
    public oaId: string,
    readonly appId: string,
    readonly now: () => number,
  ) {}

  /** An id beyond 2^53, as Zalo's are. */
  newId(): string {
    this.nextId += 1n;
    return String(5_510_185_758_261_900_000n + this.nextId);
  }

  person(id: unknown): PersonState {
    const found = this.people.get(String(id));
    if (typeof id !== 'string' || found === undefined) throw new OaFailure(-201, 'user_id is invalid');
    return found;
  }

  group(id: unknown): GroupState {
    const found = this.groups.get(String(id));
    if (typeof id !== 'string' || found === undefined) throw new OaFailure(-201, 'group_id is invalid');
    if (found.ended) throw new OaFailure(-403, 'OA is not in the group');
    return found;
  }

  interacts(person: PersonState) {
    person.lastInteractionMs = this.now();
    person.answers = 0;
    person.gone = false;
  }

  /** May the OA write to this person now, and at whose cost? @returns undefined: it was charged */
  takeRoom(person: PersonState): ZaloMessage['quota'] {
    if (person.gone) throw new OaFailure(-213, 'User has not followed OA');
    const ageMs =
      person.lastInteractionMs === null ? Number.POSITIVE_INFINITY : this.now() - person.lastInteractionMs;
    if (ageMs > PAID_MS) throw new OaFailure(-230, 'User has not interacted with the OA in the past 7 days');
    if (ageMs <= FREE_MS && person.answers < FREE_ANSWERS) {
      person.answers += 1;
      return {
        quota_type: 'reply',
        remain: String(FREE_ANSWERS - person.answers),
        total: String(FREE_ANSWERS),
      };
    }
    if (this.paidLeft > 0) {
      this.paidLeft -= 1;
      return { quota_type: 'sub_quota', remain: String(this.paidLeft), total: '500' };
    }
    if (!this.money) throw new OaFailure(-321, 'Zalo Cloud Account is out of money');
    return undefined;
  }

  answersLeft(person: PersonState): number {
    const fresh = person.lastInteractionMs !== null && this.now() - person.lastInteractionMs <= FREE_MS;
    return fresh ? FREE_ANSWERS - person.answers : 0;
  }

  upload(id: unknown, kind: UploadedAsset['kind']): UploadedAsset {
    const found = this.uploads.get(String(id));
    if (found === undefined || found.kind !== kind) throw new OaFailure(-201, 'attachment is invalid');
    if (this.now() - found.madeMs > ASSET_MS) throw new OaFailure(-100, 'Attachment is expired');
    return found;
  }

  addMessage(message: Omit<ZaloMessage, 'id' | 'atMs'>): ZaloMessage {
    const made = { ...message, id: randomBytes(10).toString('hex'), atMs: this.now() };
    this.messages.push(made);
    this.bell.ring();
    return made;
  }

  /** Serves a file for some time. @returns its address */
  addMedia(bytes: Buffer, type: string, ending: string): string {
    const name = `${randomBytes(12).toString('hex')}.${ending}`;
    this.media.set(name, { bytes, type, diesMs: this.now() + this.mediaLivesMs });
    return `${this.root}/media/${name}`;
  }

  record(call: ZaloCall) {
    this.calls.push(call);
    this.bell.ring();
  }

  byApp = (userId: string) =>
    String(BigInt(`0x${createHash('sha256').update(userId).digest('hex').slice(0, 15)}`));
}
