import http from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { pino } from 'pino';
import { makeOaClient } from '../../src/channels/zalo/api/oa.js';
import {
  makeZaloOa,
  type OaStore,
  type ZaloOaChannel,
  type ZaloOaOptions,
} from '../../src/channels/zalo/oa/channel.js';
import type { Message } from '../../src/chat/message.js';
import type { ZaloMessage } from '../support/zalo-server.js';
import { TEST_APP, ZaloServer, type ZaloServerOptions } from '../support/zalo-server.js';
import type { ChannelFixture, SeenMessage } from './contract.js';

/** What the channel keeps, in memory; outlives the channels that are given it. */
export interface OaMemory extends OaStore {
  groups: Set<string>;
  names: Map<string, string>;
  heardOf: string[];
  heardUpToMs: number | null;
  marks: Record<string, number>;
  /** what the inbox has, with the moment it was taken */
  inbox: { atMs: number; message: Message }[];
}

export function makeOaMemory(): OaMemory {
  const memory: OaMemory = {
    groups: new Set(),
    names: new Map(),
    heardOf: [],
    heardUpToMs: null,
    marks: {},
    inbox: [],
    nameAccount: async (userId, name) => memory.names.set(userId, name) !== null,
    nameGroup: async (groupId, name) => memory.names.set(groupId, name) !== null,
    isGroup: async (chatId) => memory.groups.has(chatId),
    heard: async (userId) => void memory.heardOf.push(userId),
    heardUpTo: async () => memory.heardUpToMs,
    async noteHeardUpTo(ms) {
      memory.heardUpToMs = ms;
    },
    groupIds: async () => [...memory.groups],
    groupsHeardUpTo: async () => memory.marks,
    async noteGroupsHeardUpTo(marks) {
      memory.marks = marks;
    },
    takenSince: async (ms) => memory.inbox.flatMap(({ atMs, message }) => (atMs >= ms ? [message] : [])),
    sentIds: async () => [],
  };
  return memory;
}

const HOOK = '/zalo/oa';

export interface OaStage {
  zalo: ZaloServer;
  channel: ZaloOaChannel;
  store: OaMemory;
  /** of our web server */
  hookUrl: string;
  close(): Promise<void>;
}

/** The OA channel behind a web server of its own, and the stand-in of Zalo that knows its address. Not started. */
export async function makeOaStage(
  server: ZaloServerOptions = {},
  change: Partial<ZaloOaOptions> & { store?: OaMemory; zalo?: ZaloServer } = {},
): Promise<OaStage> {
  const { zalo: given, store = makeOaMemory(), ...options } = change;
  const zalo = given ?? (await ZaloServer.start({ rates: false, retryScale: 0.0005, ...server }));
  const client = makeOaClient({
    ...{ root: zalo.root, log: pino({ level: 'silent' }) },
    tokens: {
      current: async () => zalo.tokens.accessToken,
      renewed: async (refused) =>
        zalo.tokens.accessToken === refused ? zalo.tokens.give().accessToken : zalo.tokens.accessToken,
    },
  });
  const channel = makeZaloOa({
    ...{ client, store, webhookPath: HOOK, buttons: false, paid: false, formImage: null },
    keys: { appId: TEST_APP.appId, secret: TEST_APP.oaSecret },
    media: { hosts: [zalo.root] },
    log: pino({ level: 'silent' }),
    onRevoked: async () => {},
    onMissed: async () => {},
    pauses: { firstMs: 5, mostMs: 20 },
    ...options,
  });
  const app = express().use(channel.router);
  const web = http.createServer(app).listen(0, '127.0.0.1');
  await new Promise((ready) => web.once('listening', ready));
  const hookUrl = `http://127.0.0.1:${(web.address() as AddressInfo).port}${HOOK}`;
  return {
    ...{ zalo, channel, store, hookUrl },
    async close() {
      if (given === undefined) await zalo.stop();
      web.closeAllConnections();
      await new Promise((closed) => web.close(closed));
    },
  };
}

const KINDS: Record<string, SeenMessage['kind']> = { image: 'photo', gif: 'photo', file: 'document' };

export const seenMessage = (message: ZaloMessage): SeenMessage => ({
  id: message.id,
  kind: KINDS[message.kind] ?? 'text',
  text: message.text,
  buttons: [],
  ...(message.bytes === undefined ? {} : { sizeBytes: message.bytes.length }),
});

/** The OA before its stand-in, for the contract suite. */
export async function makeOaFixture(): Promise<ChannelFixture> {
  const stage = await makeOaStage();
  const { zalo, channel, store, hookUrl } = stage;
  const officer = zalo.person({ id: '5510185758261927916', name: 'Cán bộ Lò Văn Hùng' });
  officer.follows();
  // messages of the OA go within the window
  officer.says('xin chào');
  const group = zalo.group({ name: 'Nhóm cán bộ', members: [officer] });
  store.groups.add(group.id);
  let set = false;
  const heard = async (say: () => unknown) => {
    if (!set) await zalo.webhook.set(hookUrl);
    set = true;
    say();
    await zalo.webhook.idle();
  };
  const fail = (code: number) => async () => zalo.fail('message/cs', { code });
  return {
    channel,
    userId: officer.id,
    privateChat: { channel: 'zalo-oa', chatId: officer.id },
    groupChat: { channel: 'zalo-oa', chatId: group.id },
    namesComeLater: true,
    documentsComeWithoutWords: true,
    async says(text, where, to = 'nobody') {
      if (where === 'group') await channel.settled();
      const oa = channel.account()?.name ?? '';
      const words = to === 'mention' ? `@${oa} ${text}` : text;
      await heard(() => officer.says(words, where === 'private' ? {} : { in: group }));
    },
    repliesInGroup: (text, toId) => heard(() => officer.says(text, { in: group, quoteId: toId })),
    async sends(kind, file, caption) {
      await heard(() => {
        if (kind === 'photo') officer.sendsPhoto(file, caption);
        else if (kind === 'video') officer.sendsVideo(file, caption);
        else officer.sendsFile(file, 'don.docx', 'docx');
      });
    },
    sendsAlbum: null,
    sendsPlace: (latitude, longitude) => heard(() => officer.sendsPlace(latitude, longitude)),
    presses: async () => {},
    deliversAgain: () => zalo.webhook.idle(),
    async seen(where) {
      const chatId = where === 'private' ? officer.id : group.id;
      return zalo.world.messages
        .filter((message) => message.chatId === chatId && message.fromId === null)
        .map(seenMessage);
    },
    breaks: {
      'rate-limited': fail(-32),
      unreachable: async () => zalo.drop('message/cs', 'before'),
      blocked: fail(-213),
      'window-closed': fail(-230),
      invalid: fail(-201),
      'too-big': fail(-210),
    },
    close: stage.close,
  };
}
