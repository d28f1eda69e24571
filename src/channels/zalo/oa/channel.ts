import type { Router } from 'express';
import { backoffMs } from '../../../base/backoff.js';
import { type Clock, systemClock } from '../../../base/clock.js';
import type { Log } from '../../../base/log.js';
import type { Channel, Incoming, Message } from '../../../chat/message.js';
import type { OaClient } from '../api/oa.js';
import type { HookCounters } from '../webhook/hook.js';
import type { OaEvent } from '../webhook/oa-events.js';
import type { SignatureKeys } from '../webhook/signature.js';
import { catchUp } from './catch-up.js';
import { readIncoming } from './incoming.js';
import { type OaManners, oaLimits } from './limits.js';
import { fetchMedia, type MediaOptions } from './media.js';
import { makeNames } from './names.js';
import { deliver } from './outgoing.js';
import { makeOnce, mayComeAgainSince, type Once } from './twice.js';
import { makeWebhook } from './webhook.js';

/** What the channel keeps in the store. */
export interface OaStore {
  nameAccount(userId: string, name: string): Promise<void>;
  nameGroup(groupId: string, name: string): Promise<void>;
  isGroup(chatId: string): Promise<boolean>;
  /** something that is not addressed to us was heard of this person: their window begins anew */
  heard(userId: string, atMs: number): Promise<void>;
  /** up to when everything was heard; null before the first event */
  heardUpTo(): Promise<number | null>;
  noteHeardUpTo(ms: number): Promise<void>;
  /** messages of people that were taken since then, in any order */
  takenSince(ms: number): Promise<Message[]>;
  /** ids of the newest messages that we sent, the oldest first */
  sentIds(most: number): Promise<string[]>;
}

export interface ZaloOaOptions extends OaManners {
  client: OaClient;
  keys: SignatureKeys;
  store: OaStore;
  media: MediaOptions;
  /** where events come in, on our web server */
  webhookPath: string;
  log: Log;
  clock?: Clock;
  /** the OA withdrew its consent: only a person can help */
  onRevoked: () => Promise<void>;
  pauses?: { firstMs: number; mostMs: number };
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
/** An event may be told later than another that is younger, ms. */
const OUT_OF_ORDER_MS = 60_000;
/** "heard up to" is written down so often, ms */
const NOTE_EVERY_MS = 10_000;

/**
 * A Zalo Official Account: events by webhook, answers by the OpenAPI. Making it does nothing; events are taken from
 * `start` on, and before it not confirmed, so that they come again.
 */
export function makeZaloOa(options: ZaloOaOptions): ZaloOaChannel {
  const { client, store, log, clock = systemClock, pauses = PAUSES } = options;
  const limits = oaLimits(options);
  const stopping = new AbortController();
  const { signal } = stopping;
  const own = new Set<string>();
  const names = makeNames({ client, log, nameAccount: store.nameAccount, nameGroup: store.nameGroup });
  const running = new Set<Promise<unknown>>();
  let accept: Parameters<Channel['start']>[0] | null = null;
  let account: { name: string; id: string | null } | null = null;
  let notedMs = Number.NEGATIVE_INFINITY;
  let heardMs: number | null = null;
  let beginning: Promise<void> = Promise.resolve();
  let once: Promise<Once> | null = null;
  let wake: () => void = () => {};

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

  async function noteHeardUpTo(ms: number): Promise<void> {
    if (Math.abs(ms - notedMs) < NOTE_EVERY_MS) return;
    notedMs = ms;
    await store.noteHeardUpTo(ms);
  }

  /** Takes it, but not what is there under another id. */
  async function acceptOnce(take: Parameters<Channel['start']>[0], incoming: Incoming): Promise<void> {
    const { isTwice, forget } = await once!;
    if (isTwice(incoming)) return;
    try {
      await take(incoming);
    } catch (error) {
      forget(incoming);
      throw error;
    }
  }

  async function readOnce(sinceMs: number | null): Promise<Once> {
    const nowMs = clock.now();
    const known =
      sinceMs === null ? [] : await store.takenSince(mayComeAgainSince(sinceMs - OUT_OF_ORDER_MS, nowMs));
    return makeOnce(known, { now: () => clock.now() });
  }

  async function take(event: OaEvent): Promise<void> {
    if (accept === null) throw new Error('the channel is not open yet');
    heardMs = clock.now();
    if (event.kind === 'echo' && event.messageId !== null) remember([event.messageId]);
    if (event.kind === 'permission-revoked') await options.onRevoked();
    const incoming = readIncoming(event, {
      name: account?.name ?? null,
      isOwn: (messageId) => own.has(messageId),
    });
    if (incoming !== null) await acceptOnce(accept, incoming);
    if (incoming?.kind === 'message') {
      names.person(incoming.sender.userId, signal);
      if (incoming.chatKind === 'group') {
        names.group(incoming.chatId, signal);
        // identified only where it is addressed to us
        if (!incoming.addressed) await store.heard(incoming.sender.userId, event.atMs);
      }
    }
    await noteHeardUpTo(clock.now());
  }

  /** The OA's name, and what was written while we were not there; tried until it is there or we stop. */
  async function begin(take: Parameters<Channel['start']>[0], sinceMs: number | null): Promise<void> {
    for (let tries = 1; !signal.aborted; tries += 1)
      try {
        const oa = await client.oa(signal);
        account = { name: oa.name, id: oa.oa_id ?? null };
        log.info({ oa: oa.name, package: oa.package_name }, 'connected to Zalo');
        if (sinceMs !== null) {
          const about = { client, sinceMs: sinceMs - OUT_OF_ORDER_MS, nowMs: clock.now(), signal };
          const found = await catchUp({
            ...about,
            accept: (incoming: Incoming) => acceptOnce(take, incoming),
          });
          if (found > 0) log.info({ messages: found }, 'caught up with what was written to the OA meanwhile');
        }
        await noteHeardUpTo(clock.now());
        return;
      } catch (error) {
        if (signal.aborted) return;
        const ms = backoffMs(tries, pauses.firstMs, pauses.mostMs);
        log.warn({ err: error, againInMs: Math.round(ms) }, 'Zalo was not reached, trying again');
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, ms);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
          signal.addEventListener('abort', wake, { once: true });
        });
        // else an outage of days piles them up
        signal.removeEventListener('abort', wake);
      }
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
      const sinceMs = await store.heardUpTo();
      once = readOnce(sinceMs);
      await once;
      // before anything is taken: it may be an answer to what an earlier run sent
      remember(await store.sentIds(OWN_IDS));
      accept = given;
      beginning = track(begin(given, sinceMs));
    },
    async send(to, reply) {
      const group = await store.isGroup(to.chatId);
      const ids = await track(deliver({ client, group, chatId: to.chatId }, reply));
      remember(ids);
      return { ids };
    },
    async act() {
      // an OA can't show that it is typing
    },
    fetch: (attachment, path, maxBytes) => track(fetchMedia(attachment.ref, path, maxBytes, options.media)),
    privateChatLink: () => (account?.id == null ? null : `https://zalo.me/${account.id}`),
    wake: () => wake(),
    async settled() {
      await beginning;
      await names.settled();
    },
    async stop() {
      stopping.abort();
      accept = null;
      await Promise.allSettled([...running]);
      await names.stop();
    },
  };
}
