/** Events of the Zalo OA's webhook under load: how soon each is answered, and is each in the inbox exactly once. */
import http from 'node:http';
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

/** @returns the status; 0: no answer within the time that Zalo gives */
function post(
  url: string,
  { agent, headers, body }: { agent: http.Agent; headers: Record<string, string>; body: string },
): Promise<number> {
  return new Promise((resolve) => {
    const asked = http.request(url, { method: 'POST', agent, headers, timeout: ANSWER_MS }, (answer) => {
      answer.resume();
      answer.on('close', () => resolve(answer.complete ? (answer.statusCode ?? 0) : 0));
    });
    asked.on('timeout', () => asked.destroy());
    asked.on('error', () => resolve(0));
    asked.end(body);
  });
}

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
  const bot = await makeBot(null, {
    ...{
      ZALO_APP_ID: TEST_APP.appId,
      ZALO_APP_SECRET: TEST_APP.appSecret,
      ZALO_OA_SECRET: TEST_APP.oaSecret,
    },
    ...{ ZALO_API_ROOT: zalo.root, ZALO_OAUTH_ROOT: zalo.root },
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
    // the console's own sender keeps quiet: what would be sent is posted here
    const url = `http://127.0.0.1:${port}/zalo/oa`;
    const agent = new http.Agent({ keepAlive: true });
    const tries: { first: boolean; status: number; tookMs: number }[] = [];
    const open = new Set<Promise<void>>();
    const tell = (body: string) => {
      const work = confirm(body).finally(() => open.delete(work));
      open.add(work);
    };
    /** Posts an event until it is confirmed, as Zalo does; only sooner. */
    async function confirm(body: string): Promise<void> {
      const { timestamp } = JSON.parse(body) as { timestamp: string };
      const headers = { 'x-zevent-signature': `mac=${zalo.webhook.sign(body, timestamp)}` };
      for (let first = true; ; first = false) {
        const begunMs = performance.now();
        const status = await post(url, { agent, headers, body });
        tries.push({ first, status, tookMs: performance.now() - begunMs });
        if (status === 200) return;
        await pause(1000);
      }
    }

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
      tell(bodies[0]!);
      if (at % 20 === 7) tell(bodies[0]!);
    }
    const spentS = (performance.now() - begunMs) / 1000;
    await Promise.all(open);
    await bot.kill();
    agent.destroy();
    const rows = await bot.look((database) => database.inbox.findMany({ where: { channel: 'zalo-oa' } }));
    const kept = rows.flatMap(({ externalId }) => (ids.has(externalId) ? [externalId] : []));
    const events = rows.filter(({ payload }) => (JSON.parse(payload) as { kind: string }).kind === 'message');
    return {
      ...{ events: ids.size, posts: tries.length, perSecond: total / spentS },
      unconfirmed: tries.filter(({ first, status }) => first && status !== 200).length,
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
