import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';
import { pino } from 'pino';
import { childrenOf } from '../../bench/processes.js';
import { makeSeal } from '../../src/base/seal.js';
import { CONSENT_NEEDED } from '../../src/channels/zalo/api/errors.js';
import { readPasted } from '../../src/channels/zalo/api/oauth.js';
import { makeTokenKeeper, type TokenTrouble, tokenFile } from '../../src/channels/zalo/tokens/keeper.js';
import { readKept } from '../../src/channels/zalo/tokens/kept.js';
import { Bell } from './bell.js';
import { compile } from './compiled.js';
import { ZaloServer } from './zalo-server.js';
import { QUICK, SECRET_KEY, TORTURED_APP } from './zalo-tokens-settings.js';

const BOT = 'test/support/zalo-tokens-child.ts';
export const CHANGE_CHILD = 'src/channels/zalo/tokens/change-child.ts';

/** What goes wrong on the way of a refresh; null: nothing. */
const FAULTS = [
  null,
  null,
  null,
  'slow',
  'http 500',
  'cut before',
  'garbled',
  'torn late',
  'torn early',
  'answer lost',
] as const;
type Fault = (typeof FAULTS)[number];
/** With these the new refresh token itself never arrives. */
const LOSING: Fault[] = ['torn early', 'answer lost'];

export interface TortureOutcome {
  kills: number;
  /** kills within a refresh: asked for, and its outcome not yet stored */
  withinRefresh: number;
  /** pairs that Zalo gave */
  refreshes: number;
  faults: Record<string, number>;
  /** a person had to consent again, and why */
  lockedOut: {
    /** the answer was lost on the way: it never reached the machine */
    answerLost: number;
    /** bot and helper were killed at once, as by a power cut, with the answer on its way or just arrived */
    bothKilled: number;
    /** none of these: the bar */
    other: number;
  };
  /** of the times it was locked out: how often the chief was told; must be once each */
  told: number;
  /** refresh tokens sent to Zalo although they were used up, beyond the one try that finds it out */
  usedAgain: number;
  /** from the start of a life to its first call that came through, where nobody had to consent, ms */
  againMs: number[];
}

/** One life of the bot. */
class Life {
  calls = 0;
  ready = false;
  readonly troubles: TokenTrouble[] = [];
  private readonly bell = new Bell();
  readonly process: ChildProcess;

  constructor(script: string, args: string[]) {
    this.process = fork(script, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], execArgv: [] });
    this.process.on('message', (message: { ready?: true; called?: true; trouble?: TokenTrouble }) => {
      if (message.ready) this.ready = true;
      if (message.called) this.calls += 1;
      if (message.trouble !== undefined) this.troubles.push(message.trouble);
      this.bell.ring();
    });
  }

  async until(what: string, there: () => boolean): Promise<void> {
    const signal = AbortSignal.timeout(30_000);
    while (!there()) {
      if (signal.aborted) throw new Error(`the bot was not ${what} in time`);
      await this.bell.next(signal);
    }
  }

  /** Kills it, and others with it. */
  async kill(others: number[] = []): Promise<void> {
    const exited = once(this.process, 'exit');
    for (const pid of [this.process.pid!, ...others])
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // it has ended by itself
      }
    await exited;
  }
}

/** Sets one fault for the next refresh. */
function arrange(server: ZaloServer, fault: Fault, random: () => number): void {
  server.heal();
  server.cutAt = fault === 'torn late' ? 0.97 : 0.5;
  const name = 'access_token';
  if (fault === 'slow') server.delay(name, random() * 200);
  else if (fault === 'http 500') server.fail(name, { code: -1, http: 500 });
  else if (fault === 'cut before') server.drop(name, 'before');
  else if (fault === 'garbled') server.garble(name);
  else if (fault === 'torn late' || fault === 'torn early') server.drop(name, 'within');
  else if (fault === 'answer lost') server.drop(name, 'after');
}

/**
 * Kills a bot (SIGKILL) within refreshes and breaks the network under them, again and again. A tenth of the kills takes
 * the helper that refreshes too, as a power cut would (Linux only). Whenever a person had to consent again it says why.
 */
export async function tortureTokens(options: {
  kills: number;
  random: () => number;
  /** the latest moment of a kill after the bot is up, ms */
  withinMs?: number;
  say?(line: string): void;
}): Promise<TortureOutcome> {
  const { kills, random, withinMs = 250, say = () => {} } = options;
  const compiled = await compile(BOT, CHANGE_CHILD);
  const server = await ZaloServer.start({ rates: false });
  const dataDir = await fs.mkdtemp(path.join(os.tmpdir(), 'mat-than-tokens-'));
  const changeScript = compiled.script(CHANGE_CHILD);
  const seal = makeSeal(SECRET_KEY);
  const kept = async () => (await readKept(tokenFile(dataDir), seal))!;
  const hand = makeTokenKeeper({
    dataDir,
    secretKey: SECRET_KEY,
    oauth: { root: server.root, ...TORTURED_APP },
    log: pino({ level: 'silent' }),
    script: changeScript,
    pauses: QUICK,
    onTrouble: async () => {},
  });
  const refreshes = () => server.calls.filter((call) => call.name === 'access_token');
  const outcome: TortureOutcome = {
    kills: 0,
    withinRefresh: 0,
    refreshes: 0,
    faults: {},
    lockedOut: { answerLost: 0, bothKilled: 0, other: 0 },
    told: 0,
    usedAgain: 0,
    againMs: [],
  };
  /** since the bot was last seen to work */
  let since = { losing: false, bothKilled: false, told: 0, words: '' };

  /** Lets a life go on until it works; a person consents where it must be. */
  async function mend(bot: Life): Promise<void> {
    const begunMs = performance.now();
    await bot.until('heard of', () => bot.calls > 0 || bot.troubles.length > 0);
    const { refused } = await kept();
    const lost = refreshes().some((call) => call.ok && call.answer === 'cut');
    outcome.refreshes += refreshes().filter((call) => call.ok).length;
    outcome.usedAgain +=
      refreshes().filter((call) => call.error === CONSENT_NEEDED).length - (refused === null ? 0 : 1);
    if (refused === null) outcome.againMs.push(performance.now() - begunMs);
    else {
      while (!(await kept()).refused!.told) await pause(5);
      if (since.bothKilled) outcome.lockedOut.bothKilled += 1;
      else if (lost && since.losing) outcome.lockedOut.answerLost += 1;
      else {
        outcome.lockedOut.other += 1;
        say(`locked out after kill ${outcome.kills}: ${since.words}`);
      }
      const { accessToken, refreshToken } = server.tokens.give();
      await hand.put(readPasted(accessToken, refreshToken));
      const before = bot.calls;
      await bot.until('working again', () => bot.calls > before);
    }
    outcome.told += since.told + bot.troubles.length;
    bot.troubles.length = 0;
    since = { losing: false, bothKilled: false, told: 0, words: '' };
    server.calls.length = 0;
  }

  let bot: Life | undefined;
  const begin = () => {
    bot = new Life(compiled.script(BOT), [server.root, dataDir, changeScript]);
    return bot;
  };
  try {
    const { accessToken, refreshToken } = server.tokens.give();
    await hand.put(readPasted(accessToken, refreshToken));
    for (let kill = 0; kill < kills; kill += 1) {
      const life = begin();
      // a fifth is killed again before it has mended what the kill before left
      if (random() < 0.8) await mend(life);
      else await life.until('ready', () => life.ready);
      const fault = FAULTS[Math.floor(random() * FAULTS.length)]!;
      arrange(server, fault, random);
      server.tokens.expireAccess();
      if (random() < 0.5) await pause(random() * withinMs);
      else {
        // from the moment it is about to ask Zalo
        const until = performance.now() + 5 * withinMs;
        while ((await kept()).intent === null && performance.now() < until) await pause(1);
        await pause(random() * 25);
      }
      const both = process.platform === 'linux' && random() < 0.1;
      const helpers = both ? await childrenOf(life.process.pid!) : [];
      const { intent, pair } = await kept();
      if (intent !== null || pair.refreshToken !== server.tokens.refreshToken) outcome.withinRefresh += 1;
      await life.kill(helpers);
      outcome.kills += 1;
      if (fault !== null) outcome.faults[fault] = (outcome.faults[fault] ?? 0) + 1;
      since.losing ||= LOSING.includes(fault);
      since.bothKilled ||= helpers.length > 0;
      since.told += life.troubles.length;
      since.words += `${fault ?? 'no fault'}${helpers.length > 0 ? ' (both killed)' : ''}; `;
      if ((kill + 1) % 50 === 0)
        say(
          `${kill + 1} kills, ${outcome.withinRefresh} within a refresh, ${JSON.stringify(outcome.lockedOut)}`,
        );
    }
    server.heal();
    const last = begin();
    await mend(last);
    await last.kill();
    return outcome;
  } finally {
    bot?.process.kill('SIGKILL');
    await server.stop();
    await compiled.remove();
    await fs.rm(dataDir, { recursive: true, force: true, maxRetries: 5 });
  }
}
