import { fold } from '../base/vietnamese/text.js';
import type { Database } from '../store/database.js';
import { makeOnce } from '../store/effects.js';
import { closePending, findPending, openPending, type PendingPlace } from '../store/pending.js';
import type { MenuChoice } from './command.js';
import { numbersOf } from './fit.js';

/** A menu or a question that waits for a person's next words in a chat. */
export type Question = { kind: 'menu'; choices: MenuChoice[] } | { kind: 'words'; command: string };

/** `by`: the inbox message that asked; run again after a crash it must not answer itself. */
type Asked = Question & { by: number | null };

export const QUESTION_MS = 10 * 60_000;

/** What words mean to an open question: the text to run instead, a farewell to the question, or nothing. */
export type Meaning = { kind: 'says'; text: string } | { kind: 'drop' } | { kind: 'none' };

const DROP = new Set(['thoi', 'huy', 'huy bo', 'bo', 'bo qua', 'khong', 'thoi khong can', 'cancel']);

const CHOOSING = /^(?:(?:chon|so|cai|cau|muc|lua chon|cam|camera|mat)\s+)*(\d{1,3})(?:\s+(?:nhe|a|nha|di))?$/;

/** Whole commands that are nobody's name or figure: said to an open question for words they are not its answer. */
const ANOTHER =
  /^(?:tro giup|menu|help|quyen|nhat ky|nguoi|nhom|camera|anh tat ca|anh \d{1,4}|clip \d.*|camera (?:sua|tat|bat|xoa|them)(?: \d{1,4})?|camera (?:tim|noi))$/;

/**
 * Pure: "2", "chọn 2", "cam 2", the label itself, or a piece of the name in a numbered label choose from a menu;
 * any words answer a question for words.
 */
export function meaningOf(question: Question, text: string): Meaning {
  const said = fold(text);
  if (said === '' || text.trim().startsWith('/')) return { kind: 'none' };
  if (question.kind === 'words' && ANOTHER.test(said)) return { kind: 'none' };
  if (question.kind === 'words')
    return DROP.has(said) ? { kind: 'drop' } : { kind: 'says', text: `${question.command} ${text.trim()}` };
  const labels = question.choices.map((choice) => choice.label);
  const only = (fits: (label: string, at: number) => boolean): Meaning => {
    const chosen = question.choices.filter((choice, at) => fits(choice.label, at));
    return chosen.length === 1 ? { kind: 'says', text: chosen[0]!.says } : { kind: 'none' };
  };
  const byLabel = only((label) => fold(label) === said);
  if (byLabel.kind === 'says') return byLabel;
  const number = CHOOSING.exec(said)?.[1];
  if (number !== undefined) {
    const numbers = numbersOf(labels);
    return only((_, at) => numbers[at] === Number(number));
  }
  const name = said.replace(/^(?:cam|camera|mat)\s+/, '');
  return only((label) => /^\d/.test(label) && name.length > 2 && ` ${fold(label)} `.includes(` ${name} `));
}

export async function openQuestion(
  database: Database,
  place: PendingPlace,
  question: Question,
  by: number | null,
  nowMs: number,
): Promise<void> {
  const asked: Asked = { ...question, by };
  await openPending(database, place, JSON.stringify(asked), nowMs + QUESTION_MS);
}

/** The question that is open for a person in one chat is open in another of theirs too: there its words have gone. */
export async function copyQuestion(
  database: Database,
  from: PendingPlace,
  to: PendingPlace,
  nowMs: number,
): Promise<void> {
  const open = await findPending(database, from, nowMs);
  if (open !== null) await openPending(database, to, open, nowMs + QUESTION_MS);
}

/** Do these words choose from the menu that is open for this person here? Changes nothing. */
export async function isAnswer(
  database: Database,
  place: PendingPlace,
  text: string,
  nowMs: number,
): Promise<boolean> {
  const open = await findPending(database, place, nowMs);
  if (open === null) return false;
  const asked = JSON.parse(open) as Asked;
  return asked.kind === 'menu' && meaningOf(asked, text).kind === 'says';
}

/**
 * What the open question of this person makes of their words. A question is answered once; asked again for the same
 * message (after a crash) it gives the same meaning.
 */
export async function answerQuestion(
  database: Database,
  place: PendingPlace,
  message: { inboxId: number; text: string; nowMs: number; rerun: boolean },
): Promise<Meaning> {
  const open = await findPending(database, place, message.nowMs);
  if (open === null && !message.rerun) return { kind: 'none' };
  const asked = open === null ? null : (JSON.parse(open) as Asked);
  const meaning: Meaning =
    asked === null || asked.by === message.inboxId ? { kind: 'none' } : meaningOf(asked, message.text);
  // nothing to record for words that are no answer, unless an earlier run found that they were
  if (meaning.kind === 'none' && !message.rerun) return meaning;
  return makeOnce<Meaning>(database, message.inboxId, 'core:question', async (tx) => {
    if (meaning.kind !== 'none') await closePending(tx, place);
    return meaning;
  });
}

/** Ends a question that its person walked around: by pressing one of its buttons, or by a slash instead of the words. */
export async function closeBypassed(
  database: Database,
  place: PendingPlace,
  text: string,
  nowMs: number,
): Promise<void> {
  const open = await findPending(database, place, nowMs);
  if (open === null) return;
  const asked = JSON.parse(open) as Asked;
  const over =
    asked.kind === 'words' ? text.startsWith('/') : asked.choices.some((choice) => choice.says === text);
  if (over) await closePending(database, place);
}
