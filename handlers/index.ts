import { ROLES, type Role } from '../src/base/roles.js';
import type { Held } from '../src/chat/chat.js';
import type { Command, Fallbacks, Talk } from '../src/chat/command.js';
import type { DigestPart, Digests } from '../src/chat/digest.js';
import type { ChatAddress, ChatEvent } from '../src/chat/message.js';
import type { Troubles } from '../src/chat/pass-on.js';
import { leaveTopic } from './alerts/recipients.js';
import { type Alerts, makeAlerts } from './alerts/watch.js';
import { onChatEvent } from './chat-events.js';
import { accountCommand } from './commands/account.js';
import { logCommand } from './commands/audit-log.js';
import { cameraCommand } from './commands/camera.js';
import { clipCommand } from './commands/clip.js';
import { donateCommand } from './commands/donate.js';
import { groupCommand } from './commands/group.js';
import { hamletCommand } from './commands/hamlet.js';
import { helpCommand } from './commands/help.js';
import { historyCommand } from './commands/history.js';
import { inviteCommand } from './commands/invite.js';
import { linksCommand } from './commands/links.js';
import { loginCommand } from './commands/login.js';
import { peopleCommand } from './commands/people.js';
import { pictureCommand } from './commands/picture.js';
import { readReportCommand } from './commands/read-report.js';
import { reportCommand } from './commands/report.js';
import { rightsCommand } from './commands/rights.js';
import { storyboardCommand } from './commands/storyboard.js';
import { makeFallbacks } from './fallbacks.js';
import type { House } from './house.js';
import { JOBS, type Job } from './jobs.js';
import { REPORT_DIGESTS } from './reports/urgency.js';
import { log } from './saying.js';
import { makeTroubles } from './troubles.js';
import { askToCall } from './unreached.js';

export { ensureFirstChiefCode } from './first-chief.js';
export type { House, HouseSettings } from './house.js';

/** What the bot does, in three tables: when someone speaks, when a camera speaks, when the clock speaks. */
export interface Handlers {
  commands: Command[];
  fallbacks: Fallbacks;
  /** for the chat core: somebody asked for what they may not have */
  onRefused(talk: Talk, command: Command): Promise<void>;
  alerts: Alerts;
  /** for the chat core: many alerts or reports of one kind at once, as one text */
  digests: Digests;
  /** for the chat core: something happened to a chat */
  onEvent(event: ChatEvent, inboxId: number): Promise<void>;
  /** for the chat core: something waits for a person who can't be written to */
  onHeld(held: Held): Promise<void>;
  /** for the chat core: a topic of a group is gone, what was meant for it went to the general one */
  onTopicGone(to: ChatAddress): Promise<void>;
  /** for the chat core: chats that can't be written to */
  troubles: Troubles;
  jobs: Job[];
}

export function makeHandlers(house: House): Handlers {
  // When someone speaks.
  const clips = clipCommand(house);
  const storyboards = storyboardCommand(house);
  const pictures = pictureCommand(house, storyboards);
  const cameras = cameraCommand(house, { pictures, clips });
  const commands: Command[] = [
    pictures,
    storyboards,
    clips,
    historyCommand(house),
    cameras,
    reportCommand(house),
    readReportCommand(house),
    donateCommand(house),
    inviteCommand(house),
    peopleCommand(house),
    groupCommand(house),
    hamletCommand(house),
    logCommand(house),
    linksCommand(house),
    rightsCommand(house, () => commands),
    accountCommand(house),
    ...(house.makeLoginLink === undefined || house.settings.demo
      ? []
      : [loginCommand(house, house.makeLoginLink.bind(house))]),
    helpCommand(house, () => commands),
  ];
  const troubles = makeTroubles(house);
  return {
    commands,
    fallbacks: makeFallbacks(house, { table: () => commands, pictures, clips, storyboards, cameras }),
    onRefused: logRefused,
    onEvent: (event, inboxId) => onChatEvent(house, event, inboxId, troubles),
    onHeld: (held) => askToCall(house, held),
    onTopicGone: (to) => leaveTopic(house, to),
    troubles,
    // When a camera speaks.
    alerts: makeAlerts(house),
    digests: { outage: { say: outageDigest }, ...REPORT_DIGESTS },
    // When the clock speaks.
    jobs: JOBS,
  };
}

/** The first line of each: the advice is the same and said elsewhere. */
const outageDigest = (parts: DigestPart[]): string =>
  `${parts.length} tin về camera:\n${parts.map(({ text }) => text.split('\n')[0]).join('\n')}`;

const LOGGED_AS: Record<string, string> = { anh: 'snapshot', xem: 'storyboard', camera: 'camera.show' };

async function logRefused(talk: Talk, command: Command): Promise<void> {
  await log(talk, [{ action: LOGGED_AS[command.name] ?? command.name, result: 'not-allowed' }]);
}

const who = (command: Command): readonly Role[] => (command.may === 'everybody' ? ROLES : command.may);

/** The menu of a chat of people of this role: names without slash, one line each. */
export function menuFor(commands: Command[], role: Role): { name: string; summary: string }[] {
  return commands
    .filter((command) => who(command).includes(role))
    .map(({ name, summary }) => ({ name, summary }));
}

/** The three tables without a house to act in: for what is printed from them. */
export const onPaper = (): Handlers =>
  makeHandlers({ settings: { outageSeconds: 60 }, makeLoginLink: async () => '' } as unknown as House);

/** The README's table of commands, Markdown. */
export function printCommandTable(commands: Command[] = onPaper().commands): string {
  const short: Record<Role, string> = {
    guest: 'khách',
    household: 'hộ',
    donor: 'người ủng hộ',
    hamletHead: 'trưởng thôn',
    technician: 'kỹ thuật viên',
    officer: 'cán bộ',
    chief: 'trưởng',
  };
  const lines = commands.map((command) => {
    const may = command.may === 'everybody' ? 'mọi người' : command.may.map((role) => short[role]).join(', ');
    return `| \`/${command.name}\` | ${command.aliases.slice(0, 3).join(', ')} | ${command.summary} | \`${command.example}\` | ${may} |`;
  });
  return `| lệnh | cũng gọi là | để làm gì | ví dụ | ai dùng được |\n| --- | --- | --- | --- | --- |\n${lines.join('\n')}\n`;
}
