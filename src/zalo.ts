import path from 'node:path';
import express, { type Router } from 'express';
import sharp from 'sharp';
import { type Clock, DAY_MS } from './base/clock.js';
import type { Config } from './base/config.js';
import type { Log } from './base/log.js';
import { BOT_HOOK, botWebhookAt } from './channels/zalo/bot/address.js';
import { makeZaloBot, type ZaloBotChannel } from './channels/zalo/bot/channel.js';
import { type Consent, type ConsentGiven, makeConsent } from './channels/zalo/consent.js';
import { makeBotClient, makeOaClient, makeTokenKeeper, type TokenTrouble } from './channels/zalo/index.js';
import { makeMinuteBudget, withBudget } from './channels/zalo/oa/budget.js';
import { makeZaloOa, type OaStore, type ZaloOaChannel } from './channels/zalo/oa/channel.js';
import type { HookCounters } from './channels/zalo/webhook/hook.js';
import type { Message, Recipient, Reply } from './chat/message.js';
import { nameAccount, nameGroup, noteHeard } from './store/accounts.js';
import { writeAudit } from './store/audit.js';
import type { Database } from './store/database.js';
import { incomingSince } from './store/inbox.js';
import { sentIdsOf } from './store/outbox.js';
import { peopleByRole, personById } from './store/people.js';
import { readFact, writeFact } from './store/settings.js';
import { openGroups, purposeOf } from './store/speakers.js';
import type { Tokens } from './store/tokens.js';
import { makePhotoLinks } from './web/photo-links.js';

/** What of Zalo runs here: an Official Account, a bot of the Bot Platform, both or neither. */
export interface ZaloSide {
  channels: (ZaloOaChannel | ZaloBotChannel)[];
  /** to be served to the world */
  publicRouters: Router[];
  /** absent where there is no OA, or no public address to consent at */
  consentLink?: Consent['linkFor'];
  /** Keeps the tokens fresh until the signal aborts. */
  start(signal: AbortSignal): Promise<void>;
  /** of the OA's webhook since the start; null: no OA */
  health(): { oa: (HookCounters & { heardMs: number | null }) | null };
  sweep(): Promise<void>;
  /** Resolves when no token is being changed. */
  settled(): Promise<void>;
}

interface ZaloSideOptions {
  config: Config;
  database: Database;
  clock: Clock;
  log: Log;
  tokens: Tokens;
  tell: (
    to: Recipient,
    reply: Reply | string,
    options: { key: string; priority: 'alert' | 'notice' },
  ) => Promise<unknown>;
}

/** of the calls of each minute, so much is for alarms, reports and the staff */
const KEPT = 0.2;
const HEARD_UP_TO = 'zalo-oa.heard-up-to';
const GROUPS_HEARD_UP_TO = 'zalo-oa.groups-heard-up-to';
/** the id of the OA we speak for */
const OA_ID = 'zalo-oa.id';

function makeOaStore(database: Database): OaStore {
  const oa = 'zalo-oa';
  return {
    nameAccount: (userId, name) => nameAccount(database, oa, userId, name),
    nameGroup: (groupId, name) => nameGroup(database, oa, groupId, name),
    isGroup: async (chatId) => (await purposeOf(database, oa, chatId)) !== undefined,
    heard: (userId, atMs) => noteHeard(database, oa, userId, atMs),
    heardUpTo: () => readFact<number>(database, HEARD_UP_TO),
    noteHeardUpTo: (ms) => writeFact(database, HEARD_UP_TO, ms),
    groupIds: () => openGroups(database, oa),
    groupsHeardUpTo: async () => (await readFact<Record<string, number>>(database, GROUPS_HEARD_UP_TO)) ?? {},
    noteGroupsHeardUpTo: (marks) => writeFact(database, GROUPS_HEARD_UP_TO, marks),
    takenSince: async (ms) =>
      (await incomingSince(database, oa, ms)).map((payload) => JSON.parse(payload) as Message),
    sentIds: (most) => sentIdsOf(database, oa, most),
  };
}

const TROUBLES: Record<TokenTrouble['why'] | 'none', string> = {
  none: 'Zalo OA đã khai trong cài đặt nhưng chưa được cấp quyền, nên em chưa nhắn qua Zalo được.',
  consent:
    'Zalo đã thu lại quyền của em trên Zalo OA, nên từ giờ em chưa nhắn qua Zalo được. Người quản trị OA cần cấp quyền lại.',
  unreadable:
    'Em không đọc được mã Zalo đã lưu (khóa SECRET_KEY đã đổi, hoặc tệp hỏng), nên chưa nhắn qua Zalo được. Người quản trị OA cần cấp quyền lại.',
  settings:
    'Zalo từ chối cài đặt của em (ZALO_APP_ID hoặc ZALO_APP_SECRET chưa đúng, hoặc ứng dụng đang bị tắt), nên có thể sắp không nhắn qua Zalo được. Nhờ kỹ thuật viên xem lại tệp .env rồi khởi động lại.',
};

const MISSED =
  '🔴 Zalo không gửi được tin tới máy chủ (địa chỉ công khai không vào được, Zalo đã tắt Webhook, hoặc OA Secret Key đã đổi). Em vẫn tự hỏi Zalo vài phút một lần nên tin nhắn vẫn tới, chỉ chậm hơn (tin trong nhóm Zalo thì chỉ khi gói của OA cho em xem). Nhờ kỹ thuật viên xem lại địa chỉ công khai, ZALO_OA_SECRET, rồi bật lại Webhook trong trang quản trị ứng dụng Zalo (npm run doctor chỉ rõ chỗ sai).';

/** Puts Zalo's side together, as far as the settings name it. Making it does nothing. */
export function makeZaloSide(options: ZaloSideOptions): ZaloSide {
  const { config, database, clock, log, tokens } = options;
  const { zalo, publicUrl } = config;
  const channels: ZaloSide['channels'] = [];
  const publicRouters: Router[] = [];
  const media = { hosts: zalo.mediaHosts };
  const photos =
    publicUrl === null || zalo.botToken === null
      ? null
      : makePhotoLinks({ folder: path.join(config.dataDir, 'photo-links'), publicUrl });
  if (photos !== null) publicRouters.push(photos.router);
  if (zalo.verifier !== null) publicRouters.push(makeVerifierPage(zalo.verifier));

  if (zalo.botToken !== null) {
    const bot = makeZaloBot({
      client: makeBotClient({ root: zalo.roots.bot, token: zalo.botToken, log }),
      ...{ media, log, clock },
      photoLink: photos === null ? null : (file) => photos.linkFor(file),
      webhook:
        publicUrl === null || zalo.botSecret === null
          ? null
          : { path: BOT_HOOK, url: botWebhookAt(publicUrl), secret: zalo.botSecret },
    });
    channels.push(bot);
    if (bot.router !== null) publicRouters.push(bot.router);
  }

  if (zalo.appId === null || zalo.appSecret === null || zalo.oaSecret === null)
    return {
      ...{ channels, publicRouters },
      async start() {},
      health: () => ({ oa: null }),
      sweep: async () => void (await photos?.sweep()),
      async settled() {},
    };

  const oauth = { root: zalo.roots.oauth, appId: zalo.appId, appSecret: zalo.appSecret };
  let consent: Consent | null = null;

  async function tellChiefs(why: TokenTrouble['why'] | 'none', key: string): Promise<void> {
    for (const { id } of await peopleByRole(database, 'chief')) {
      const url = why === 'settings' ? null : await consent?.linkFor(id);
      await options.tell(
        { personId: id },
        {
          kind: 'text',
          text: `🔴 ${TROUBLES[why]}${url == null && why !== 'settings' ? ' Cách làm: chạy npm run setup trên máy chủ.' : ''}`,
          ...(url == null ? {} : { buttons: [[{ label: 'Cấp quyền Zalo OA', url }]] }),
        },
        { key: `${key}:${id}`, priority: 'alert' },
      );
    }
  }

  async function noteConsent({ personId, oa: given, changed }: ConsentGiven): Promise<void> {
    log.info('the OA has consented');
    if (given.id !== null) await writeFact(database, OA_ID, given.id);
    const person = personId === null ? null : await personById(database, personId);
    const name = given.name === null ? 'Zalo OA' : `Zalo OA “${given.name}”`;
    await writeAudit(database, [
      {
        ...{ atMs: clock.now(), personId, personName: person?.name ?? '', action: 'zalo.consented' },
        ...{ place: 'web', result: 'ok', detail: `${changed ? 'đổi sang ' : ''}${name}` },
      },
    ]);
    oa.wake();
    for (const { id } of await peopleByRole(database, 'chief'))
      await options.tell(
        { personId: id },
        changed ? `Máy chủ vừa đổi sang dùng ${name}.` : `${name} vừa cấp quyền cho máy chủ.`,
        { key: `zalo-consented:${clock.now()}:${id}`, priority: 'notice' },
      );
  }

  async function tellMissed(): Promise<void> {
    const day = Math.floor(clock.now() / DAY_MS);
    for (const { id } of await peopleByRole(database, 'chief'))
      await options.tell({ personId: id }, MISSED, { key: `zalo-missed:${day}:${id}`, priority: 'alert' });
  }

  const keeper = makeTokenKeeper({
    ...{ dataDir: config.dataDir, secretKey: config.secretKey, oauth, log, clock },
    onTrouble: ({ why, key }) => tellChiefs(why, key),
  });
  const budget = makeMinuteBudget(zalo.perMinute, Math.floor(zalo.perMinute * KEPT));
  const clientOf = (urgent: boolean) =>
    makeOaClient({
      ...{ root: zalo.roots.api, tokens: keeper, log },
      fetch: withBudget({}, budget, urgent),
    });
  const oa = makeZaloOa({
    ...{ client: clientOf(false), sender: clientOf(true), budget },
    keys: { appId: zalo.appId, secret: zalo.oaSecret },
    store: makeOaStore(database),
    ...{ media, log, clock, buttons: zalo.buttons, paid: zalo.paid, webhookPath: '/zalo/oa' },
    formImage:
      publicUrl?.startsWith('https:') !== true ? null : `${publicUrl.replace(/\/+$/, '')}${FORM_IMAGE}`,
    onMissed: () => tellMissed(),
    // whoever answers with tokens of ours is ours: others are kept out where tokens come in
    async onAccount({ id }) {
      if (id !== null && id !== (await readFact<string>(database, OA_ID)))
        await writeFact(database, OA_ID, id);
    },
    onRevoked: () => tellChiefs('consent', `zalo-revoked:${Math.floor(clock.now() / 60_000)}`),
  });
  channels.push(oa);
  publicRouters.push(oa.router, makeFormImage());
  if (publicUrl !== null) {
    consent = makeConsent({
      ...{ oauth, publicUrl, tokens, log, fixedVerifier: zalo.codeVerifier },
      async whoIs(accessToken) {
        const own = { current: async () => accessToken, renewed: async () => accessToken };
        const about = { root: zalo.roots.api, tokens: own, log };
        const { oa_id: id, name } = await makeOaClient(about).oa();
        return { id: id ?? null, name };
      },
      ourId: () => readFact<string>(database, OA_ID),
      put: (pair) => keeper.put(pair),
      onGiven: (given) => noteConsent(given),
    });
    publicRouters.push(consent.router);
  }

  return {
    ...{ channels, publicRouters },
    ...(consent === null ? {} : { consentLink: consent.linkFor }),
    async start(signal) {
      keeper.start(signal);
      if ((await keeper.state()) === 'none') await tellChiefs('none', 'zalo-tokens:none');
    },
    health: () => ({ oa: { heardMs: oa.heardMs(), ...oa.counters } }),
    sweep: async () => void (await photos?.sweep()),
    settled: () => keeper.settled(),
  };
}

const FORM_IMAGE = '/zalo/form.png';

/** Zalo's form for name and phone wants a picture: a plain one. */
function makeFormImage(): Router {
  const router = express.Router();
  const picture = { width: 640, height: 360, channels: 3 as const, background: '#1d5c8f' };
  let made: Promise<Buffer> | null = null;
  router.get(FORM_IMAGE, async (_request, response) => {
    made ??= sharp({ create: picture }).png().toBuffer();
    response.type('png').send(await made);
  });
  return router;
}

/** Zalo's console recognises a domain by a file of this name, or by the mark on the page itself. */
function makeVerifierPage(code: string): Router {
  const router = express.Router();
  const page = `<!doctype html><html><head><meta name="zalo-platform-site-verification" content="${code}"></head><body>${code}</body></html>`;
  router.get(`/zalo_verifier${code}.html`, (_request, response) => void response.type('html').send(page));
  return router;
}
