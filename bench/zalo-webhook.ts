/** Events of the Zalo OA's webhook under load: how soon each is answered, and is each in the inbox exactly once. */
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { pino } from 'pino';
import { makeTokenKeeper } from '../src/channels/zalo/index.js';
import { projectRoot } from '../test/support/project-root.js';
import { TEST_APP, ZaloServer } from '../test/support/zalo-server.js';
import { makeBot } from './bot.js';
import { percentile, type Section, show } from './figures.js';
import type { BenchOptions } from './run.js';

const PER_SECOND = 200;
const PEOPLE = 400;
const ANSWER_MS = 2000;

export interface WebhookLoad {
  /** different events that were told of */
  events: number;
  /** tries, those of events told twice among them */
  posts: number;
  /** first tries that were not answered with 200 within 2 s */
  unconfirmed: number;
  /** of each try, ms */
  tookMs: number[];
  /** events per second that were really sent */
  perSecond: number;
  /** of the inbox, after kill -9 */
  missing: number;
  /** rows that are no event of ours, or one of them again */
  surplus: number;
}

/**
 * People write to the OA at an even pace, one in ten of them in a group, and each twentieth event is told twice; the bot
 * answers as it always does. It is killed the moment the last event is confirmed, and its inbox is read.
 */
export async function loadWebhook(about: { perSecond: number; seconds: number }): Promise<WebhookLoad> {
  const zalo = await ZaloServer.start();
  zalo.webhook.retryScale = 0.01;
  const bot = await makeBot(null, {
    ...{
      ZALO_APP_ID: TEST_APP.appId,
      ZALO_APP_SECRET: TEST_APP.appSecret,
      ZALO_OA_SECRET: TEST_APP.oaSecret,
    },
    ...{ ZALO_API_ROOT: zalo.root, ZALO_OAUTH_ROOT: zalo.root, ZALO_BUSINESS_ROOT: zalo.root },
  });
  try {
    const keeper = makeTokenKeeper({
      ...{ dataDir: bot.folder, secretKey: bot.secretKey, oauth: zalo.oauth },
      ...{ log: pino({ level: 'silent' }), onTrouble: async () => {} },
      script: join(projectRoot, 'dist', 'src', 'channels', 'zalo', 'tokens', 'change-child.js'),
    });
    const { accessToken, refreshToken, lifetimeS } = zalo.tokens;
    await keeper.put({ accessToken, refreshToken, lifetimeMs: lifetimeS * 1000 });
    const port = await bot.start();
    if (port === null) throw new Error('the bot ended at its start');
    const people = Array.from({ length: PEOPLE }, (_, at) =>
      zalo.person({ id: `55101857582600${String(at).padStart(5, '0')}`, name: `Người ${at}` }),
    );
    const group = zalo.group({ name: 'Nhóm thôn', members: people });
    await zalo.webhook.set(`http://127.0.0.1:${port}/zalo/oa`);

    const ids = new Set<string>();
    const total = about.perSecond * about.seconds;
    const bodies: string[] = [];
    zalo.webhook.onEmit = (body) => bodies.push(body);
    const begunMs = performance.now();
    for (let at = 0; at < total; at += 1) {
      const waitMs = begunMs + (at * 1000) / about.perSecond - performance.now();
      if (waitMs > 1) await pause(waitMs);
      // each in its turn, so that nobody is stopped for writing too fast
      const person = people[at % PEOPLE]!;
      bodies.length = 0;
      ids.add(`m:${person.says(`Tin thứ ${at} gửi công an xã`, at % 10 === 9 ? { in: group } : {}).id}`);
      if (at % 20 === 7) void zalo.webhook.resend(bodies[0]!);
    }
    const spentS = (performance.now() - begunMs) / 1000;
    await zalo.webhook.idle(120_000);
    await bot.kill();
    const tries = zalo.webhook.deliveries.filter(({ body }) => body.includes('"user_send_'));
    const rows = await bot.look((database) => database.inbox.findMany({ where: { channel: 'zalo-oa' } }));
    const kept = rows.flatMap(({ externalId }) => (ids.has(externalId) ? [externalId] : []));
    const events = rows.filter(({ payload }) => (JSON.parse(payload) as { kind: string }).kind === 'message');
    return {
      ...{ events: ids.size, posts: tries.length, perSecond: total / spentS },
      unconfirmed: tries.filter(({ retry, status }) => retry === 0 && status !== 200).length,
      tookMs: tries.map(({ tookMs }) => tookMs),
      missing: ids.size - new Set(kept).size,
      surplus: events.length - new Set(kept).size,
    };
  } finally {
    await bot.remove();
    await zalo.stop();
  }
}

export async function zaloWebhook({ seconds = 60, say }: BenchOptions): Promise<Section[]> {
  const load = await loadWebhook({ perSecond: PER_SECOND, seconds });
  const p99 = percentile(load.tookMs, 0.99);
  say(`p99 ${show(p99)} ms, ${load.unconfirmed} unconfirmed, ${load.missing} missing`);
  return [
    {
      title: `Zalo's webhook: ${PER_SECOND} events a second for ${seconds} s`,
      how: `The real bot process before the stand-in of Zalo: ${PEOPLE} people write in turn, each tenth event in a group, each twentieth told twice; the bot answers them meanwhile. It is killed (kill -9) the moment the last event is confirmed, and its inbox is read.`,
      columns: ['', 'figure'],
      rows: [
        ['events', String(load.events)],
        ['posts, with those told twice', String(load.posts)],
        ['events a second, really', show(load.perSecond)],
        ['answer p50, ms', show(percentile(load.tookMs, 0.5))],
        ['answer p95, ms', show(percentile(load.tookMs, 0.95))],
        ['answer p99, ms', show(p99)],
        ['slowest answer, ms', show(Math.max(...load.tookMs))],
      ],
      bars: [
        { what: 'answered within 2 s (p99)', figure: `${show(p99)} ms`, reached: p99 <= ANSWER_MS },
        {
          what: 'each confirmed at its first try',
          figure: `${load.unconfirmed} not`,
          reached: load.unconfirmed === 0,
        },
        {
          what: 'each durable in the inbox exactly once',
          figure: `${load.missing} missing, ${load.surplus} too many`,
          reached: load.missing === 0 && load.surplus === 0,
        },
      ],
    },
  ];
}
