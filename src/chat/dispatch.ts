import { randomBytes } from 'node:crypto';
import { PersonError, WorldError } from '../base/errors.js';
import type { Database } from '../store/database.js';
import type { Command, Fallbacks, Talk } from './command.js';
import type { ChatCounters } from './counters.js';
import { type Candidate, findCommand } from './find-command.js';
import type { Channel } from './message.js';
import { answerQuestion, closeBypassed } from './question.js';
import * as sentences from './sentences.js';

export interface DispatchOptions {
  database: Database;
  commands: readonly Command[];
  fallbacks: Fallbacks;
  counters: ChatCounters;
  /** somebody asked for what they may not have: for the audit */
  onRefused?: (talk: Talk, command: Command) => Promise<void>;
}

/** Thrown through the dispatcher: the service stops, the message is to be answered after the next start. */
export class Interrupted extends Error {
  override name = 'Interrupted';
}

export const makeCode = () => randomBytes(3).toString('hex').toUpperCase();

/**
 * Decides what a message means and lets it be answered. Everything that is addressed to the bot ends in a reply: of
 * the handler, or of ours. Throws only Interrupted.
 * @param rerun the message has been run before (after a crash)
 */
export async function dispatch(
  options: DispatchOptions,
  talk: Talk,
  channel: Channel,
  answered: () => boolean,
  rerun: boolean,
): Promise<void> {
  const { counters } = options;
  if (!talk.message.addressed) return;
  try {
    await run(options, talk, channel, rerun);
    if (answered()) return;
    counters.silences += 1;
    talk.log.error({ inbox: talk.inboxId }, 'nobody answered an addressed message');
    await talk.reply(sentences.notUnderstood);
  } catch (error) {
    if (talk.signal.aborted) throw new Interrupted('stopped while answering', { cause: error });
    await sayWhy(error, talk, counters);
  }
}

async function sayWhy(error: unknown, talk: Talk, counters: ChatCounters): Promise<void> {
  try {
    if (error instanceof PersonError) {
      counters.personErrors += 1;
      await talk.reply(error.message);
    } else if (error instanceof WorldError) {
      counters.worldErrors += 1;
      talk.log.warn({ err: error, inbox: talk.inboxId }, 'the world failed while answering');
      await talk.reply(sentences.worldSentence(error));
    } else {
      counters.faults += 1;
      const code = makeCode();
      talk.log.error({ err: error, inbox: talk.inboxId, code }, 'a fault while answering');
      await talk.reply(sentences.apology(code));
    }
  } catch (second) {
    if (talk.signal.aborted) throw new Interrupted('stopped while answering', { cause: second });
    throw second;
  }
}

async function run(options: DispatchOptions, talk: Talk, channel: Channel, rerun: boolean): Promise<void> {
  const { message } = talk;
  if (message.unreadable) return talk.reply(sentences.unreadable);
  const said = message.text.trim() || (message.startPayload === undefined ? '' : '/start');
  const slash = said.startsWith('/');
  if (message.attachments.length > 0 && !slash) return options.fallbacks.files(talk);
  const place = { channel: message.channel, chatId: message.chatId, userId: message.sender.userId };
  const bypassed = slash || message.pressed === true;
  if (bypassed) await closeBypassed(options.database, place, said, talk.nowMs);
  const meaning = bypassed
    ? ({ kind: 'none' } as const)
    : await answerQuestion(options.database, place, {
        inboxId: talk.inboxId,
        text: said,
        nowMs: talk.nowMs,
        rerun,
      });
  if (meaning.kind === 'drop') return talk.reply(sentences.questionDropped);
  const chosen = meaning.kind === 'says';
  const found = findCommand(options.commands, chosen ? meaning.text : said);
  switch (found.kind) {
    case 'unknown-slash':
      return talk.reply(sentences.unknownSlash(found.typed, found.nearest));
    case 'slash':
      await runCandidate(options, talk, channel, found.candidate, true);
      return;
    case 'words':
      for (const candidate of found.candidates)
        if (await runCandidate(options, talk, channel, candidate, false)) return;
      // a button or a choice that no longer means anything must not be taken for a report
      if (chosen || message.pressed) return talk.reply(sentences.staleButton);
      return options.fallbacks.words(talk);
  }
}

const mayUse = (command: Command, talk: Talk) =>
  command.may === 'everybody' || command.may.includes(talk.speaker.role);

/** @returns false when the words don't belong to this command */
async function runCandidate(
  options: DispatchOptions,
  talk: Talk,
  channel: Channel,
  { command, words }: Candidate,
  slash: boolean,
): Promise<boolean> {
  const allowed = mayUse(command, talk);
  if (!allowed && slash) return refuse(options, talk, command);
  const misplaced = talk.group !== null && !command.inGroups;
  if (misplaced && slash) return sendPrivate(talk, channel);
  // reading comes before refusing: an everyday sentence that begins with the same word is nobody's offence
  const read = await command.read(words, talk);
  if (read.kind === 'not-mine') {
    if (!slash) return false;
    await talk.reply(sentences.usage(command));
    return true;
  }
  if (!allowed) return refuse(options, talk, command);
  if (misplaced) return sendPrivate(talk, channel);
  if (read.kind === 'answer') await read.reply(talk);
  else await command.run(talk, read.args);
  return true;
}

async function refuse(options: DispatchOptions, talk: Talk, command: Command): Promise<true> {
  options.counters.refused += 1;
  await options.onRefused?.(talk, command);
  await talk.reply(sentences.refused(command));
  return true;
}

async function sendPrivate(talk: Talk, channel: Channel): Promise<true> {
  const url = channel.privateChatLink();
  await talk.reply({
    kind: 'text',
    text: sentences.privateOnly,
    ...(url === null ? {} : { buttons: [[{ label: sentences.OPEN_PRIVATE_LABEL, url }]] }),
  });
  return true;
}
