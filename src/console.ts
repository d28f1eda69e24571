import path from 'node:path';
import type { Router } from 'express';
import type { House } from '../handlers/house.js';
import type { Clock } from './base/clock.js';
import type { Config } from './base/config.js';
import type { Log } from './base/log.js';
import { ROLE_NAMES } from './base/roles.js';
import { type ConsoleChannel, makeConsoleChannel } from './channels/console/channel.js';
import type { Gate } from './channels/console/gate.js';
import { makeMembers } from './channels/console/members.js';
import { makeConsoleStore } from './store/console.js';
import type { Database } from './store/database.js';
import { consoleAccount, consoleChatExists, personById } from './store/people.js';
import { makeSessions } from './store/sessions.js';
import type { Tokens } from './store/tokens.js';
import { sendPage } from './web/assets.js';
import { cookie, isLocal } from './web/guards.js';
import { makeLogin } from './web/login.js';

/** The web console, in the demo with its personas, else behind the login. */
export interface ConsoleSide {
  channel: ConsoleChannel;
  routers: Router[];
  /** absent in the demo, where nobody logs in */
  loginLink?(personId: number): Promise<string>;
  /** in the demo: fills the commune; else nothing */
  seed(house: House, signal: AbortSignal): Promise<void>;
  /** tells the shell (`npm run say`) where we are, in the demo */
  announce(url: string): void;
  retire(): void;
}

interface ConsoleSideOptions {
  config: Config;
  database: Database;
  clock: Clock;
  log: Log;
  tokens: Tokens;
  localUrl(): string;
  turnDone(inboxId: number): Promise<void>;
}

export async function openConsole(options: ConsoleSideOptions): Promise<ConsoleSide> {
  const { config, database, clock, log, tokens } = options;
  const login = makeLogin({
    tokens,
    sessions: makeSessions(database, clock),
    clock,
    log,
    publicUrl: config.publicUrl,
    localUrl: options.localUrl,
    mayEnter: async (personId) => {
      const person = await personById(database, personId);
      return person !== null && person.role !== 'guest';
    },
  });
  const open = (gate: Gate) =>
    makeConsoleChannel({
      store: makeConsoleStore(database),
      folder: path.join(config.dataDir, 'console'),
      clock,
      log,
      gate,
      baseUrl: () => config.publicUrl ?? options.localUrl(),
      keepDays: config.retentionDays,
      sendPage,
    });

  if (config.demo) {
    // Acting as somebody else exists in the demo only: nothing else loads this code.
    const [{ makePersonas }, demo] = await Promise.all([
      import('./channels/console/personas.js'),
      import('./demo/index.js'),
    ]);
    const personas = makePersonas({
      people: () => demo.demoPeople(),
      groups: () => demo.demoGroups(),
      keyFile: path.join(config.dataDir, 'say.json'),
      isLocal,
      cookie,
      turnDone: options.turnDone,
      answers: (inboxId, chats) => channel.answers(inboxId, chats),
    });
    const channel = open(personas);
    return {
      channel,
      routers: [channel.router],
      seed: demo.fillDemo,
      announce: personas.announce,
      retire: personas.retire,
    };
  }

  const members = makeMembers({
    who: login.who,
    async account(personId) {
      const person = await personById(database, personId);
      if (person === null || person.role === 'guest') return null;
      const userId = await consoleAccount(database, person, clock.now());
      return { userId, name: person.name, roleName: ROLE_NAMES[person.role] };
    },
    groupsOf: async () => [],
    exists: (chatId) => consoleChatExists(database, chatId),
  });
  const channel = open(members);
  return {
    channel,
    routers: [login.router, channel.router],
    loginLink: (personId) => login.linkFor(personId),
    seed: async () => {},
    announce: () => {},
    retire: () => {},
  };
}
