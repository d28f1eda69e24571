/** The bot killed at random moments with messages under way: what is lost, done twice, said twice. */
import { setTimeout as wait } from 'node:timers/promises';
import { type Call, TelegramServer, type TgPerson } from '../test/support/telegram-server.js';
import { type BenchBot, makeBot } from './bot.js';
import { percentile, type Section, show } from './figures.js';
import { makeRandom } from './random.js';
import type { BenchOptions } from './run.js';

const HEADS = 12;
const CHIEF = 7000;
const HEAD = 7001;
/** Everybody else writes once, so that an answer is known by its chat. */
const FIRST_STRANGER = 100_000;
/** Said in each life: two gifts, a report and two questions. */
const SAID_PER_LIFE = ['gift', 'rights', 'report', 'gift', 'rights'] as const;
const MOST_SENT_BEFORE_KILL = 10;

export interface BotKills {
  kills: number;
  messages: number;
  /** gifts to be booked and reports to be stored */
  effects: number;
  /** gifts not booked and reports not stored */
  lostEffects: number;
  /** gifts booked and reports stored again */
  doubledEffects: number;
  /** messages the inbox does not know, or that are not done at the end */
  lostMessages: number;
  /** answers owed, the officers' news of each report among them */
  replies: number;
  missingReplies: number;
  duplicateReplies: number;
  /** most duplicates between two lives */
  mostDuplicatesPerKill: number;
  /** duplicates within one life: never allowed */
  duplicatesWithoutKill: number;
  /** longest time between the platform having a reply and the kill after which it came again, ms; 0: none */
  windowMs: number;
  /** answers in one chat that came in another order than the questions */
  disordered: number;
  /** messages answered with an apology, or with something nobody expects */
  strange: string[];
  /** kills at which an answer was owed */
  underWay: number;
  /** what the platform had taken of each life when its kill came */
  sentPerLife: number[];
  /** from starting the process until it said that it is ready, ms */
  restartMs: number[];
}

interface Copy {
  life: number;
  atMs: number;
}

/** What was asked and what came, by names: "gift 17", "report 3", "forward 3", "rights 8". */
class Ledger {
  readonly owed = new Map<string, Copy[]>();
  readonly gifts: string[] = [];
  readonly reports: string[] = [];
  readonly strange: string[] = [];
  private readonly byChat = new Map<number, string>();
  private readonly order = new Map<number, number[]>();
  private read = 0;
  messages = 0;

  constructor(
    private readonly telegram: TelegramServer,
    private readonly chief: TgPerson,
    private readonly heads: TgPerson[],
    private readonly random: () => number,
  ) {}

  private owe(key: string): void {
    this.owed.set(key, []);
  }

  say(kind: (typeof SAID_PER_LIFE)[number]): void {
    this.messages += 1;
    const n = this.messages;
    if (kind === 'gift') {
      const name = `Nhà hảo tâm ${n}A`;
      this.gifts.push(name);
      this.owe(`gift ${n}`);
      this.heads[Math.floor(this.random() * this.heads.length)]!.says(`ghi nhận ${name} 500.000đ`);
      return;
    }
    const person = this.telegram.user({ id: FIRST_STRANGER + n, name: `Người ${n}` });
    this.byChat.set(person.id, `${kind} ${n}`);
    this.owe(`${kind} ${n}`);
    if (kind === 'rights') {
      person.says('quyền');
      return;
    }
    const text = `có người lạ ở cầu, việc ${n}A`;
    this.reports.push(text);
    this.owe(`forward ${n}`);
    person.says(`báo tin ${text}`);
  }

  private keyOf(chatId: number, text: string): string | null {
    const gift = /^Đã ghi nhận số \d+: Nhà hảo tâm (\d+)A ủng hộ/.exec(text);
    if (gift !== null) return `gift ${gift[1]}`;
    const forward = /^Tin báo mới TB-[\s\S]*việc (\d+)A/.exec(text);
    if (forward !== null) return chatId === this.chief.id ? `forward ${forward[1]}` : null;
    const key = this.byChat.get(chatId);
    if (key?.startsWith('report') && /Mã tin báo: TB-/.test(text)) return key;
    if (key?.startsWith('rights') && text.includes('Anh/chị làm được')) return key;
    return null;
  }

  /** Books what the bot has sent since the last look. @returns how much that was */
  take(life: number): number {
    const { sent } = this.telegram;
    let count = 0;
    for (; this.read < sent.length; this.read += 1) {
      const call = sent[this.read]!;
      if (!isWord(call)) continue;
      count += 1;
      const chatId = Number(call.params.chat_id);
      const text = String(call.params.text ?? '');
      const key = this.keyOf(chatId, text);
      const copies = key === null ? undefined : this.owed.get(key);
      if (copies === undefined) this.strange.push(text.slice(0, 120));
      else copies.push({ life, atMs: call.wholeMs ?? call.atMs });
      if (copies?.length === 1 && key!.startsWith('gift'))
        this.order.set(chatId, [...(this.order.get(chatId) ?? []), Number(key!.split(' ')[1])]);
    }
    return count;
  }

  missing(): number {
    return [...this.owed.values()].filter((copies) => copies.length === 0).length;
  }

  disordered(): number {
    return [...this.order.values()].reduce(
      (sum, numbers) => sum + numbers.filter((n, i) => i > 0 && n < numbers[i - 1]!).length,
      0,
    );
  }
}

/** A message people see, that the platform has taken. */
const isWord = (call: Call) => call.ok && /^(?:send(?!ChatAction)|editMessage)/.test(call.method);

/** People who may book gifts, and the chief who is told of every report. */
async function seed(
  bot: BenchBot,
  telegram: TelegramServer,
): Promise<{ chief: TgPerson; heads: TgPerson[] }> {
  const chief = telegram.user({ id: CHIEF, name: 'Trưởng' });
  const heads = Array.from({ length: HEADS }, (_, i) =>
    telegram.user({ id: HEAD + i, name: `Trưởng thôn ${i + 1}` }),
  );
  await bot.look(async (database) => {
    for (const [role, person] of [
      ['chief', chief] as const,
      ...heads.map((head) => ['hamletHead', head] as const),
    ]) {
      const userId = String(person.id);
      const name = person.user.first_name;
      const createdMs = BigInt(Date.now());
      const { id } = await database.person.create({ data: { name, role, createdMs } });
      const about = { personId: id, userId, displayName: name, privateChatId: userId, createdMs };
      await database.address.create({ data: { channel: 'telegram', ...about } });
    }
  });
  return { chief, heads };
}

/** Waits until the bot has sent `count` more words, or `ms` have passed. */
async function untilSent(telegram: TelegramServer, count: number, ms: number): Promise<void> {
  const from = telegram.sent.length;
  const signal = AbortSignal.timeout(ms);
  while (!signal.aborted && telegram.sent.slice(from).filter(isWord).length < count)
    await telegram.world.untilCall(signal);
}

/** Kills the bot `kills` times, lets it finish in a last life, and counts. */
export async function killBot(options: {
  kills: number;
  seed: number;
  say?(line: string): void;
  /** for the last life to answer everything, seconds */
  patience?: number;
}): Promise<BotKills> {
  const { kills, say = () => {}, patience = 300 } = options;
  const random = makeRandom(options.seed);
  const telegram = await TelegramServer.start();
  const bot = await makeBot(telegram);
  try {
    const { chief, heads } = await seed(bot, telegram);
    const ledger = new Ledger(telegram, chief, heads, random);
    // Who never wrote can't be written to.
    chief.says('quyền');
    telegram.world.updates.length = 0;
    const killedMs: number[] = [];
    const sentPerLife: number[] = [];
    const restartMs: number[] = [];
    let underWay = 0;
    for (let life = 0; life < kills; life += 1) {
      for (const kind of SAID_PER_LIFE.slice(0, 3)) ledger.say(kind);
      const bornMs = performance.now();
      const ready = bot.start();
      void ready.then((port) => port !== null && restartMs.push(performance.now() - bornMs));
      if (random() < 0.2) {
        // while it starts
        await wait(random() * 900);
      } else {
        await ready;
        for (const kind of SAID_PER_LIFE.slice(3)) ledger.say(kind);
        await untilSent(telegram, Math.floor(random() * (MOST_SENT_BEFORE_KILL + 1)), 4000);
        await wait(random() * 30);
      }
      killedMs.push(await bot.kill());
      sentPerLife.push(ledger.take(life));
      if (ledger.missing() > 0) underWay += 1;
      if ((life + 1) % 20 === 0) say(`killed ${life + 1} times; ${ledger.missing()} answers owed`);
    }
    const port = await bot.start();
    if (port === null) throw new Error('the bot did not start again');
    const deadline = Date.now() + patience * 1000;
    for (;;) {
      ledger.take(kills);
      const waiting = await bot.waiting();
      const idle = waiting !== null && waiting.inbox + waiting.outbox === 0;
      if ((idle && telegram.unconfirmed.length === 0) || Date.now() > deadline) break;
      await wait(100);
    }
    await bot.stop();
    ledger.take(kills);
    return await count(bot, ledger, { kills, killedMs, sentPerLife, restartMs, underWay });
  } finally {
    await bot.remove();
    await telegram.stop();
  }
}

async function count(
  bot: BenchBot,
  ledger: Ledger,
  lives: { kills: number; killedMs: number[]; sentPerLife: number[]; restartMs: number[]; underWay: number },
): Promise<BotKills> {
  const { killedMs, ...told } = lives;
  const { gifts, reports, done } = await bot.look(async (database) => ({
    gifts: (await database.donation.findMany()).map((gift) => gift.donorName),
    reports: (await database.report.findMany()).map((report) => report.text),
    done: await database.inbox.count({ where: { state: 'done' } }),
  }));
  const missingOf = (wanted: string[], there: string[]) =>
    wanted.filter((one) => !there.includes(one)).length;
  const perKill = new Map<number, number>();
  let duplicates = 0;
  let withoutKill = 0;
  let windowMs = 0;
  for (const copies of ledger.owed.values())
    for (const [i, copy] of copies.entries()) {
      const before = copies[i - 1];
      if (before === undefined) continue;
      duplicates += 1;
      if (before.life === copy.life) withoutKill += 1;
      else {
        perKill.set(before.life, (perKill.get(before.life) ?? 0) + 1);
        windowMs = Math.max(windowMs, killedMs[before.life]! - before.atMs);
      }
    }
  return {
    ...told,
    messages: ledger.messages,
    effects: ledger.gifts.length + ledger.reports.length,
    lostEffects: missingOf(ledger.gifts, gifts) + missingOf(ledger.reports, reports),
    doubledEffects: gifts.length - new Set(gifts).size + reports.length - new Set(reports).size,
    lostMessages: ledger.messages - done,
    replies: ledger.owed.size,
    missingReplies: ledger.missing(),
    duplicateReplies: duplicates,
    mostDuplicatesPerKill: Math.max(0, ...perKill.values()),
    duplicatesWithoutKill: withoutKill,
    windowMs,
    disordered: ledger.disordered(),
    strange: ledger.strange,
  };
}

/** The row "bot killed at a random moment, 200 times". */
export async function botKills({ rounds = 200, seed = 1, say }: BenchOptions): Promise<Section[]> {
  say(`killing the bot ${rounds} times`);
  const got = await killBot({ kills: rounds, seed, say });
  if (got.strange.length > 0) say(`strange answers: ${got.strange.slice(0, 5).join(' | ')}`);
  return [
    {
      title: `Bot killed ${rounds} times (kill -9) with messages under way`,
      how: `The real bot process before the stand-in of Telegram (its flood limits on), seed ${seed}: ${got.messages} messages from ${HEADS} hamlet heads who book gifts and from people who report or ask once; killed after 0–${MOST_SENT_BEFORE_KILL} answers of a life and up to 30 ms more, one time in five while it starts; a last life finishes. Ready again after ${show(percentile(got.restartMs, 0.5))} ms (p50), ${show(percentile(got.restartMs, 0.95))} ms (p95). Answers owed at ${got.underWay} of ${rounds} kills.`,
      columns: ['', 'wanted', 'lost', 'twice'],
      rows: [
        ['messages taken and done', String(got.messages), String(got.lostMessages), '–'],
        [
          'gifts booked, reports stored',
          String(got.effects),
          String(got.lostEffects),
          String(got.doubledEffects),
        ],
        ['answers', String(got.replies), String(got.missingReplies), String(got.duplicateReplies)],
      ],
      bars: [
        {
          what: 'no command lost',
          figure: `${got.lostMessages + got.lostEffects} lost`,
          reached: got.lostMessages + got.lostEffects === 0,
        },
        { what: 'no effect twice', figure: `${got.doubledEffects} twice`, reached: got.doubledEffects === 0 },
        {
          what: 'no reply missing, none in its place',
          figure: `${got.missingReplies} missing, ${got.strange.length} strange`,
          reached: got.missingReplies === 0 && got.strange.length === 0,
        },
        {
          what: 'at most one duplicate reply a kill, only between sending and recording',
          figure: `${got.duplicateReplies} in all, at most ${got.mostDuplicatesPerKill} a kill, ${got.duplicatesWithoutKill} without a kill, sent at most ${show(got.windowMs)} ms before it`,
          reached: got.mostDuplicatesPerKill <= 1 && got.duplicatesWithoutKill === 0,
        },
        {
          what: 'answers in order within a chat',
          figure: `${got.disordered} out of order`,
          reached: got.disordered === 0,
        },
      ],
    },
  ];
}
