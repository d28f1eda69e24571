/** Events of the Zalo OA's webhook under load: how soon each is answered, and is each in the inbox exactly once. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { pino } from 'pino';
import { makeTokenKeeper } from '../src/channels/zalo/index.js';
import { projectRoot } from '../test/support/project-root.js';
import { TelegramServer, type TgMessage, type TgPerson } from '../test/support/telegram-server.js';
import { TEST_APP } from '../test/support/zalo-server.js';
import { type BenchBot, makeBot } from './bot.js';
import { percentile, type Section, show } from './figures.js';
import { floodPeople } from './flood/people.js';
import type { SenderNews, SenderOptions } from './flood/sender.js';
import type { StandIn } from './flood/stand-in.js';
import { costOf } from './processes.js';
import type { BenchOptions } from './run.js';

const PER_SECOND = 200;
const ANSWER_MS = 2000;
/** so long an officer may wait for an answer while the flood goes on */
const OFFICER_MS = 3000;
const OFFICER = 7000;
/** between an officer's commands, ms */
const ASKS_EVERY_MS = 1500;
/** an officer gives up on a command after this time, ms */
const PATIENCE_MS = 60_000;

const compiled = (...parts: string[]) => join(projectRoot, 'dist', ...parts);

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
  /** events per second that were confirmed, from the first to the last */
  acceptedPerSecond: number;
  /** of the inbox, after kill -9 */
  missing: number;
  /** rows that are no event of ours, or one of them again */
  surplus: number;
  /** answered when the flood ended */
  answered: number;
  /** of an officer's commands on Telegram, ms */
  officerMs: { flood: number[]; backlog: number[] };
  /** commands of theirs that were not answered */
  officerUnanswered: number;
  /** from the start after the kill until every message was answered, s; and what then still waited to be sent */
  backlogS: number;
  unsent: number;
  /** of the bot while the flood went on: cores */
  botCores: number;
}

function child(script: string): ChildProcess {
  return fork(compiled('bench', 'flood', script), [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
}

async function heard<News>(from: ChildProcess): Promise<News> {
  const ended = once(from, 'exit').then(() => {
    throw new Error('a process of the benchmark ended by itself');
  });
  const [news] = (await Promise.race([once(from, 'message'), ended])) as [News];
  ended.catch(() => {});
  return news;
}

/** Everybody the bot knows: the officer on Telegram with the officers' group, officers and households on Zalo. */
async function seed(bot: BenchBot, telegram: TelegramServer): Promise<TgPerson> {
  const officer = telegram.user({ id: OFFICER, name: 'Cán bộ trực' });
  const group = telegram.group({ title: 'Cán bộ', by: officer });
  group.addsBot(officer);
  telegram.world.updates.length = 0;
  await bot.look(async (database) => {
    const createdMs = BigInt(Date.now());
    const known = [
      { channel: 'telegram', id: String(OFFICER), name: 'Cán bộ trực', role: 'officer' },
      ...floodPeople('officer').map((one) => ({ ...one, channel: 'zalo-oa', role: 'officer' })),
      ...floodPeople('household').map((one) => ({ ...one, channel: 'zalo-oa', role: 'household' })),
    ];
    for (const { channel, id: userId, name, role } of known) {
      const { id: personId } = await database.person.create({ data: { name, role, createdMs } });
      await database.address.create({
        data: { channel, personId, userId, displayName: name, privateChatId: userId, createdMs },
      });
    }
    const about = { channel: 'telegram', chatId: String(group.id), title: 'Cán bộ', purpose: 'officers' };
    await database.group.create({ data: about });
  });
  return officer;
}

interface Asked {
  atMs: number;
  /** null: not answered within the officer's patience */
  tookMs: number | null;
}

/** An officer asks again and again, a while after each answer, until told to stop; times are `performance.now()`. */
function keepAsking(officer: TgPerson): () => Promise<Asked[]> {
  const all: Asked[] = [];
  let over = false;
  const work = (async () => {
    while (!over) {
      const atMs = performance.now();
      const { message_id: asked } = officer.says('quyền');
      const isAnswer = (message: TgMessage) =>
        message.message_id > asked && message.text?.includes('Anh/chị làm được') === true;
      let answered = false;
      while (!answered && performance.now() - atMs < PATIENCE_MS)
        answered = await officer.receives(isAnswer).then(
          () => true,
          () => false,
        );
      all.push({ atMs, tookMs: answered ? performance.now() - atMs : null });
      await pause(ASKS_EVERY_MS);
    }
  })();
  return async () => {
    over = true;
    await work;
    return all;
  };
}

/**
 * People write to the OA at an even pace, one in twelve of them in a group, some events told twice, late or again; the bot
 * answers as it always does, an officer on Telegram among others. It is killed the moment the last event is confirmed, its
 * inbox is read, and it is started again to answer what is left.
 * @param workOff false: without that
 */
export async function loadWebhook(about: {
  perSecond: number;
  seconds: number;
  workOff: boolean;
  say?(line: string): void;
}): Promise<WebhookLoad> {
  const { perSecond, seconds, say = () => {} } = about;
  const children: ChildProcess[] = [];
  const telegram = await TelegramServer.start();
  let bot: BenchBot | null = null;
  try {
    const zaloProcess = child('stand-in.js');
    children.push(zaloProcess);
    const zalo = await heard<StandIn>(zaloProcess);
    bot = await makeBot(telegram, {
      ...{
        ZALO_APP_ID: TEST_APP.appId,
        ZALO_APP_SECRET: TEST_APP.appSecret,
        ZALO_OA_SECRET: TEST_APP.oaSecret,
      },
      ...{ ZALO_API_ROOT: zalo.root, ZALO_OAUTH_ROOT: zalo.root },
    });
    const keeper = makeTokenKeeper({
      ...{ dataDir: bot.folder, secretKey: bot.secretKey },
      oauth: { root: zalo.root, appId: TEST_APP.appId, appSecret: TEST_APP.appSecret },
      ...{ log: pino({ level: 'silent' }), onTrouble: async () => {} },
      script: compiled('src', 'channels', 'zalo', 'tokens', 'change-child.js'),
    });
    const { accessToken, refreshToken, lifetimeS } = zalo.tokens;
    await keeper.put({ accessToken, refreshToken, lifetimeMs: lifetimeS * 1000 });
    const officer = await seed(bot, telegram);

    const port = await bot.start();
    if (port === null) throw new Error('the bot ended at its start');
    const asking = keepAsking(officer);
    const sender = child('sender.js');
    children.push(sender);
    const before = await costOf([bot.pid()]);
    const begunMs = performance.now();
    sender.send({ url: `http://127.0.0.1:${port}/zalo/oa`, perSecond, seconds } satisfies SenderOptions);
    const news = await heard<SenderNews>(sender);
    const after = await costOf([bot.pid()]);
    const botCores = (after.cpuSeconds - before.cpuSeconds) / ((performance.now() - begunMs) / 1000);
    await bot.kill();
    const killedMs = performance.now();
    const { ids, tries, spentS, confirmedS } = news;
    const wanted = new Set(ids);
    const rows = await bot.look((database) => database.inbox.findMany({ where: { channel: 'zalo-oa' } }));
    const kept = rows.filter(({ externalId }) => wanted.has(externalId)).map(({ externalId }) => externalId);
    const events = rows.filter(({ payload }) => (JSON.parse(payload) as { kind: string }).kind === 'message');
    const left = rows.filter(({ state }) => state === 'waiting').length;
    const troubles = tries.flatMap(({ first, outcome }) => (first && outcome !== 200 ? [outcome] : []));
    if (troubles.length > 0) say(`not confirmed at the first try: ${troubles.join(', ')}`);
    say(`${ids.length} told, ${tries.length} posts, ${left} to be answered`);

    let backlogS = 0;
    let unsent = 0;
    if (about.workOff) {
      const startMs = performance.now();
      if ((await bot.start()) === null) throw new Error('the bot did not start again');
      for (;;) {
        const waiting = await bot.waiting();
        if (waiting?.inbox === 0) {
          unsent = waiting.outbox;
          break;
        }
        await pause(500);
      }
      backlogS = (performance.now() - startMs) / 1000;
    } else if ((await bot.start()) === null) throw new Error('the bot did not start again');
    const asked = await asking();
    await bot.stop();
    const times = (some: Asked[]) => some.flatMap(({ tookMs }) => (tookMs === null ? [] : [tookMs]));
    const inFlood = ({ atMs, tookMs }: Asked) => atMs + (tookMs ?? PATIENCE_MS) < killedMs;
    return {
      ...{ events: ids.length, posts: tries.length, perSecond: ids.length / spentS },
      acceptedPerSecond: ids.length / confirmedS,
      unconfirmed: troubles.length,
      tookMs: tries.map(({ tookMs }) => tookMs),
      missing: wanted.size - new Set(kept).size,
      surplus: events.length - new Set(kept).size,
      answered: rows.length - left,
      officerMs: {
        flood: times(asked.filter(inFlood)),
        backlog: times(asked.filter((one) => !inFlood(one))),
      },
      officerUnanswered: asked.filter(({ tookMs }) => tookMs === null).length,
      ...{ backlogS, unsent, botCores },
    };
  } finally {
    await bot?.remove();
    for (const one of children) {
      if (one.exitCode !== null) continue;
      const gone = once(one, 'exit');
      if (one.connected) one.disconnect();
      await gone;
    }
    await telegram.stop();
  }
}

export async function zaloWebhook({ seconds = 60, say }: BenchOptions): Promise<Section[]> {
  const load = await loadWebhook({ perSecond: PER_SECOND, seconds, workOff: true, say });
  const { flood, backlog } = load.officerMs;
  const p99 = percentile(load.tookMs, 0.99);
  say(`p99 ${show(p99)} ms, ${load.unconfirmed} unconfirmed, ${load.missing} missing`);
  const times = (ms: number[]) =>
    `${show(percentile(ms, 0.5))} / ${show(percentile(ms, 0.95))} / ${show(Math.max(...ms))} (${ms.length} asked)`;
  const inTime = (ms: number[]) => ms.length > 0 && Math.max(...ms) <= OFFICER_MS;
  return [
    {
      title: `Zalo's webhook: ${PER_SECOND} events a second for ${seconds} s`,
      how: `The real bot process before stand-ins of Zalo and Telegram; who sends the events, Zalo and Telegram are processes of their own, and all of them share the machine's cores with the bot. Of a hundred messages one is an officer's, fifteen are households' (${floodPeople('household').length}), ten come from one machine, the rest from ${floodPeople('stranger').length} strangers; some in a group, each twentieth event told twice at once, each fiftieth again after 3 s, each thirtieth late. The bot answers meanwhile. It is killed (kill -9) the moment the last event is confirmed, its inbox is read, and it is started again to answer what is left; an officer on Telegram asks for "quyền" all the time, 1.5 s after each answer.`,
      columns: ['', 'figure'],
      rows: [
        ['events', String(load.events)],
        ['posts, with those told again', String(load.posts)],
        ['told a second', show(load.perSecond)],
        ['confirmed a second', show(load.acceptedPerSecond)],
        ['door: p50, ms', show(percentile(load.tookMs, 0.5))],
        ['door: p95, ms', show(percentile(load.tookMs, 0.95))],
        ['door: p99, ms', show(p99)],
        ['door: slowest, ms', show(Math.max(...load.tookMs))],
        ['the bot, cores', show(load.botCores)],
        ['answered when the flood ended', String(load.answered)],
        ["officer's command in the flood, p50 / p95 / max, ms", times(flood)],
        [
          "officer's command while the rest is worked off, the start after the kill included, ms",
          times(backlog),
        ],
        ['the rest answered after the start, s', show(load.backlogS)],
        [
          'then still waiting to be sent: answers (Zalo takes 100 calls a minute), reports for the officers',
          String(load.unsent),
        ],
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
        {
          what: `an officer's command in the flood answered within ${OFFICER_MS / 1000} s`,
          figure: `${show(Math.max(...flood))} ms at most, ${load.officerUnanswered} not answered`,
          reached: inTime(flood) && load.officerUnanswered === 0,
        },
      ],
    },
  ];
}
