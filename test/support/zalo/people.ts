import fs from 'node:fs';
import { tellGroup } from './groups.js';
import type { GroupState, PersonState, ZaloMessage } from './types.js';
import type { World } from './world.js';

/** Bytes, or the path of a file. */
export type Bytes = Buffer | string;
const load = (bytes: Bytes) => (typeof bytes === 'string' ? fs.readFileSync(bytes) : bytes);

export type Match = string | RegExp | ((message: ZaloMessage) => boolean);
/** Waits for the OA's next message to a chat. */
export type Receive = (chatId: string, match?: Match) => Promise<ZaloMessage>;

export interface SayOptions {
  /** in this group; default: the conversation with the OA */
  in?: ZaloGroup;
  quoteId?: string;
}

interface Part {
  type: string;
  payload: Record<string, unknown>;
}

/** Somebody with Zalo on their phone. */
export class ZaloPerson {
  constructor(
    private readonly world: World,
    readonly state: PersonState,
    private readonly receive: Receive,
  ) {}

  get id(): string {
    return this.state.id;
  }

  private put(kind: string, text: string | undefined, parts: Part[], options: SayOptions): ZaloMessage {
    const { world, state } = this;
    world.interacts(state);
    const group = options.in;
    const message = world.addMessage({
      fromId: state.id,
      chatId: group?.id ?? state.id,
      inGroup: group !== undefined,
      kind,
      text: text ?? '',
      raw: { parts },
    });
    world.emit({
      event_name: `user_send_${group === undefined ? '' : 'group_'}${kind}`,
      timestamp: message.atMs,
      user_id_by_app: world.byApp(state.id),
      sender: { id: state.id },
      recipient: { id: group?.id ?? world.oaId },
      ...(group === undefined ? {} : { oa_id: world.oaId }),
      message: {
        ...(text === undefined ? {} : { text }),
        msg_id: message.id,
        ...(options.quoteId === undefined ? {} : { quote_msg_id: options.quoteId }),
        ...(parts.length === 0 ? {} : { attachments: parts }),
      },
    });
    return message;
  }

  says(text: string, options: SayOptions = {}): ZaloMessage {
    return this.put('text', text, [], options);
  }

  sendsPhoto(bytes: Bytes, text?: string, options: SayOptions = {}): ZaloMessage {
    const url = this.world.addMedia(load(bytes), 'image/jpeg', 'jpg');
    return this.put('image', text, [{ type: 'image', payload: { thumbnail: url, url } }], options);
  }

  sendsGif(bytes: Bytes, options: SayOptions = {}): ZaloMessage {
    const url = this.world.addMedia(load(bytes), 'image/gif', 'gif');
    return this.put('gif', undefined, [{ type: 'gif', payload: { thumbnail: url, url } }], options);
  }

  sendsVideo(bytes: Bytes, text?: string, options: SayOptions = {}): ZaloMessage {
    const url = this.world.addMedia(load(bytes), 'video/mp4', 'mp4');
    return this.put(
      'video',
      text,
      [{ type: 'video', payload: { thumbnail: url, description: '', url } }],
      options,
    );
  }

  sendsVoice(bytes: Bytes, options: SayOptions = {}): ZaloMessage {
    const url = this.world.addMedia(load(bytes), 'audio/aac', 'aac');
    return this.put('audio', undefined, [{ type: 'audio', payload: { url } }], options);
  }

  /** @param type as Zalo names it: pdf, docx, mp4 … */
  sendsFile(bytes: Bytes, name: string, type: string, options: SayOptions = {}): ZaloMessage {
    const whole = load(bytes);
    const url = this.world.addMedia(whole, 'application/octet-stream', type);
    const payload = { url, size: String(whole.length), name, type, checksum: '0' };
    return this.put('file', undefined, [{ type: 'file', payload }], options);
  }

  sendsPlace(latitude: number, longitude: number, name?: string, options: SayOptions = {}): ZaloMessage {
    const coordinates = { latitude: String(latitude), longitude: String(longitude) };
    return this.put('location', name, [{ type: 'location', payload: { coordinates } }], options);
  }

  sendsSticker(options: SayOptions = {}): ZaloMessage {
    const url = this.world.addMedia(Buffer.from('RIFF'), 'image/webp', 'webp');
    return this.put('sticker', undefined, [{ type: 'sticker', payload: { id: '1234', url } }], options);
  }

  sendsLink(url: string, description: string, options: SayOptions = {}): ZaloMessage {
    return this.put('link', url, [{ type: 'link', payload: { thumbnail: url, description, url } }], options);
  }

  sendsCard(name: string, phone: string, options: SayOptions = {}): ZaloMessage {
    const description = JSON.stringify({ phone });
    const payload = { thumbnail: '', description, url: '' };
    return this.put('business_card', name, [{ type: 'link', payload }], options);
  }

  /** Presses a button of the OA's message: its words come as a message. */
  presses(words: string): ZaloMessage {
    return this.says(words);
  }

  private tell(name: string, about: Record<string, unknown> = {}) {
    this.world.emit({
      event_name: name,
      oa_id: this.world.oaId,
      user_id_by_app: this.world.byApp(this.id),
      ...about,
    });
  }

  follows() {
    this.state.follower = true;
    this.world.interacts(this.state);
    this.tell('follow', { follower: { id: this.id }, source: 'zalo_app' });
  }

  unfollows() {
    this.state.follower = false;
    this.state.gone = true;
    this.tell('unfollow', { follower: { id: this.id }, source: 'zalo_app' });
  }

  /** Answers the form of `request_user_info`. */
  submitsInfo(info: NonNullable<PersonState['info']>) {
    this.state.info = info;
    this.world.interacts(this.state);
    this.tell('user_submit_info', { sender: { id: this.id }, recipient: { id: this.world.oaId }, info });
  }

  opensChat() {
    this.world.interacts(this.state);
    this.tell('user_click_chatnow', { user_id: this.id });
  }

  sees(...messages: ZaloMessage[]) {
    this.tell('user_seen_message', {
      sender: { id: this.world.oaId },
      recipient: { id: this.id },
      message: { msg_ids: messages.map((message) => message.id) },
    });
  }

  /** Wants to be forgotten. */
  withdraws() {
    this.tell('user_withdraw', { user_id: this.id });
  }

  /** The OA's next message to this person that fits; each is given once, in order. */
  receives(match?: Match): Promise<ZaloMessage> {
    return this.receive(this.id, match);
  }
}

/** A GMF group; the OA owns it. */
export class ZaloGroup {
  constructor(
    private readonly world: World,
    readonly state: GroupState,
    private readonly receive: Receive,
  ) {}

  get id(): string {
    return this.state.id;
  }

  private tell(name: string, ...people: ZaloPerson[]) {
    const ids = people.map((person) => person.id);
    tellGroup({ world: this.world }, name, this.state, ids);
  }

  joins(...people: ZaloPerson[]) {
    for (const person of people) this.state.members.add(person.id);
    this.tell('user_join_group', ...people);
  }

  asksToJoin(person: ZaloPerson) {
    this.state.pending.add(person.id);
    this.tell('user_request_join_group', person);
  }

  leaves(person: ZaloPerson) {
    this.state.members.delete(person.id);
    this.state.admins.delete(person.id);
    this.tell('user_leave_group', person);
  }

  renamed(name: string) {
    this.state.name = name;
    this.tell('update_group_info');
  }

  /** Its package ran out. */
  disabled() {
    this.state.enabled = false;
  }

  disperses() {
    this.state.ended = true;
    const asset = this.world.assets.get(this.state.assetId);
    if (asset !== undefined) asset.usedId = null;
    this.tell('disperse_group');
  }

  /** The OA's next message to the group that fits; each is given once, in order. */
  receives(match?: Match): Promise<ZaloMessage> {
    return this.receive(this.id, match);
  }
}
