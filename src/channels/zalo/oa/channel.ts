import type { Router } from 'express';
import { type Clock, systemClock } from '../../../base/clock.js';
import type { Log } from '../../../base/log.js';
import type { Channel, Incoming, Message } from '../../../chat/message.js';
import type { OaClient } from '../api/oa.js';
import type { HookCounters } from '../webhook/hook.js';
import type { OaEvent } from '../webhook/oa-events.js';
import type { SignatureKeys } from '../webhook/signature.js';
import type { MinuteBudget } from './budget.js';
import { type OwnAccount, readIncoming } from './incoming.js';
import { type OaManners, oaLimits } from './limits.js';
import { readListed } from './listed.js';
import { makeOaGroup } from './make-group.js';
import { fetchMedia, type MediaOptions } from './media.js';
import { makeMembers } from './members.js';
import { makeNames } from './names.js';
import { deliver } from './outgoing.js';
import { makeRounds, OUT_OF_ORDER_MS, type Rounds, type RoundsOptions } from './rounds.js';
import { makeOnce, mayComeAgainSince, type Once } from './twice.js';
import { makeWebhook } from './webhook.js';

/** What the channel keeps in the store. */
export type OaStore = RoundsOptions['store'] & {
  /** false: there is no such account, group */
  nameAccount(userId: string, name: string): Promise<boolean>;
  nameGroup(groupId: string, name: string): Promise<boolean>;
  isGroup(chatId: string): Promise<boolean>;
  /** something that is not addressed to us was heard of this person: their window begins anew */
  heard(userId: string, atMs: number): Promise<void>;
  /** messages of people that were taken since then, in any order */
  takenSince(ms: number): Promise<Message[]>;
  /** ids of the newest messages that we sent, the oldest first */
  sentIds(most: number): Promise<string[]>;
};

export interface ZaloOaOptions extends OaManners {
  client: OaClient;
  /** for what people wait for: may use the calls of a minute that the other leaves; left out: the same */
  sender?: OaClient;
  /** of both; left out: no calls are counted */
  budget?: Pick<MinuteBudget, 'waitMs'>;
  keys: SignatureKeys;
  store: OaStore;
  media: MediaOptions;
  /** where events come in, on our web server */
  webhookPath: string;
  log: Log;
  clock?: Clock;
  /** the OA withdrew its consent: only a person can help */
  onRevoked: () => Promise<void>;
  /** the OA has answered, after the start and after each consent */
  onAccount?: RoundsOptions['onAccount'];
  /** people write to the OA and the webhook does not tell: only a person can help */
  onMissed: () => Promise<void>;
  pauses?: { firstMs: number; mostMs: number };
  /** how often it is asked what was written, ms; 3 minutes */
  catchUpEveryMs?: number;
}

export interface ZaloOaChannel extends Channel {
  /** the webhook, to be served to the world */
  router: Router;
  /** The OA, once it has answered; null before. */
  account(): { name: string; id: string | null } | null;
  readonly counters: Readonly<HookCounters>;
  /** the newest event came then, epoch ms; null: none since the start */
  heardMs(): number | null;
  /** Zalo can be reached again (new tokens): tried now, not after the pause. */
  wake(): void;
  /** Resolves when no name is being asked for and nothing is being caught up. */
  settled(): Promise<void>;
}

/** Ids of our own messages that are remembered: an answer to one is meant for us. */
const OWN_IDS = 10_000;
const PAUSES = { firstMs: 2000, mostMs: 300_000 };

/**
 * A Zalo Official Account: events by webhook, answers by the OpenAPI. Making it does nothing; events are taken from
 * `start` on, and before it not confirmed, so that they come again.
 */
export function makeZaloOa(options: ZaloOaOptions): ZaloOaChannel {
  const { client, store, log, formImage, clock = systemClock, pauses = PAUSES } = options;
  const { sender = client, budget } = options;
  const limits = oaLimits(options);
  const stopping = new AbortController();
  const { signal } = stopping;
  const untilStop = (given?: AbortSignal) =>
    given === undefined ? signal : AbortSignal.any([signal, given]);
  const own = new Set<string>();
  const { nameAccount, nameGroup } = store;
  const names = makeNames({ client, log, signal, nameAccount, nameGroup });
  const members = makeMembers(sender, signal);
  const running = new Set<Promise<unknown>>();
  let accept: Parameters<Channel['start']>[0] | null = null;
  let account: { name: string; id: string | null } | null = null;
  let rounds: Rounds | null = null;
  let heardMs: number | null = null;
  let once: Once | null = null;

  const track = <T>(work: Promise<T>): Promise<T> => {
    running.add(work);
    const done = () => running.delete(work);
    work.then(done, done);
    return work;
  };

  function remember(ids: readonly string[]): void {
    for (const id of ids) own.add(id);
    for (const id of own) {
      if (own.size <= OWN_IDS) break;
      own.delete(id);
    }
  }

  /** What was taken since then may be told again: by the next round, or by the webhook. */
  const comesAgainSince = (heardUpToMs: number) =>
    mayComeAgainSince(heardUpToMs - OUT_OF_ORDER_MS, clock.now());

  /** Takes it, but not what is there under another id. @returns the id under which it is there */
  async function acceptOnce(
    take: Parameters<Channel['start']>[0],
    incoming: Incoming,
  ): Promise<{ id: string; fresh: boolean }> {
    const other = once?.knownAs(incoming) ?? null;
    if (other !== null) return { id: other, fresh: false };
    try {
      return { id: incoming.externalId, fresh: (await take(incoming)).fresh };
    } catch (error) {
      once?.forget(incoming);
      throw error;
    }
  }

  const ourselves = (): OwnAccount => ({
    ...{ id: account?.id ?? null, name: account?.name ?? null },
    isOwn: (messageId) => own.has(messageId),
  });

  /** What a message tells of who wrote it, and of the group. */
  async function noteWhere({ chatKind, chatId, addressed, sender, sentMs }: Message): Promise<void> {
    if (chatKind === 'group') names.group(chatId);
    // who says nothing to us is nobody to us
    if (addressed) names.person(sender.userId);
    else await store.heard(sender.userId, sentMs);
  }

  async function take(event: OaEvent): Promise<void> {
    if (accept === null) throw new Error('the channel is not open yet');
    heardMs = clock.now();
    if (event.kind === 'echo' && event.messageId !== null) remember([event.messageId]);
    if (event.kind === 'permission-revoked') await options.onRevoked();
    const incoming = readIncoming(event, ourselves());
    if (incoming !== null) rounds?.heard((await acceptOnce(accept, incoming)).id);
    if (event.kind === 'group' && event.change === 'changed') names.groupChanged(event.groupId);
    if (incoming?.kind === 'message') await noteWhere(incoming);
  }

  /** What a round found. Of people it brings the names, of groups it does not. */
  async function takeListed(take: Parameters<Channel['start']>[0], incoming: Incoming) {
    const taken = await acceptOnce(take, incoming);
    if (taken.fresh && incoming.kind === 'message' && incoming.chatKind === 'group')
      await noteWhere(incoming);
    return taken;
  }

  const { router, counters } = makeWebhook({
    ...{ path: options.webhookPath, keys: options.keys, log },
    now: () => clock.now(),
    take: (event) => track(take(event)),
  });

  return {
    ...{ name: 'zalo-oa', limits, counters, router },
    account: () => account,
    heardMs: () => heardMs,
    async start(given) {
      if (accept !== null) throw new Error('the Zalo channel was started before');
      const heardUpToMs = await store.heardUpTo();
      const marks = Object.values(await store.groupsHeardUpTo());
      const sinceMs = heardUpToMs === null ? null : Math.min(heardUpToMs, ...marks);
      const taken = sinceMs === null ? [] : await store.takenSince(comesAgainSince(sinceMs));
      once = makeOnce(taken, clock);
      // before anything is taken: it may be an answer to what an earlier run sent
      remember(await store.sentIds(OWN_IDS));
      accept = given;
      rounds = makeRounds({
        ...{ client, store, log, clock, signal, pauses },
        read: (listed, groupId) => readListed(listed, groupId, ourselves(), clock.now()),
        accept: (incoming) => takeListed(given, incoming),
        everyMs: options.catchUpEveryMs,
        async onAccount(oa) {
          account = oa;
          await options.onAccount?.(oa);
        },
        onMissed: options.onMissed,
        onCaughtUp: (upToMs) => once?.forgetBefore(comesAgainSince(upToMs)),
      });
      void track(rounds.run());
    },
    async send(to, reply) {
      const group = await store.isGroup(to.chatId);
      const ids = await track(deliver({ client: sender, group, chatId: to.chatId, formImage }, reply));
      remember(ids);
      return { ids };
    },
    // a file is uploaded by a call of its own
    roomInMs: (files, urgent) => budget?.waitMs(1 + files, urgent) ?? 0,
    async act() {
      // an OA can't show that it is typing
    },
    fetch: (attachment, path, maxBytes, given) =>
      track(fetchMedia(attachment.ref, path, maxBytes, options.media, untilStop(given))),
    makeGroup: ({ name, description, userIds }) =>
      track(makeOaGroup(sender, { name, description, userIds }, signal)),
    nameOf: (userId) => names.personNow(userId),
    async decideJoin(groupId, userId, letIn) {
      const decide = letIn ? sender.acceptPending : sender.rejectPending;
      await track(decide(groupId, [userId], signal));
    },
    removeFromGroup: (groupId, userId) => track(members.remove(groupId, userId)),
    bringIntoGroup: (groupId, userId) => track(members.bringIn(groupId, userId)),
    privateChatLink: () => (account?.id == null ? null : `https://zalo.me/${account.id}`),
    wake: () => rounds?.wake(),
    async settled() {
      await rounds?.begun;
      await names.settled();
    },
    async stop() {
      stopping.abort();
      accept = null;
      await Promise.allSettled([...running]);
      await names.settled();
    },
  };
}
