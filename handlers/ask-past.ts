import { PersonError } from '../src/base/errors.js';
import { readSpan, type SpanReading } from '../src/base/vietnamese/moment.js';
import type { MenuChoice, Talk } from '../src/chat/command.js';
import type { Camera } from '../src/store/cameras.js';
import { type Asked, askedCameras, askWhichCamera, labelOf, refuseBeyond } from './camera-asked.js';
import type { House } from './house.js';
import { may } from './rights.js';
import { insists } from './saying.js';

/** A camera and a time, as far as the words tell them. */
export interface PastWish {
  words: string;
  asked: Asked;
  span: SpanReading;
  /** the camera and the time where both are settled */
  settled: { camera: Camera; span: Extract<SpanReading, { kind: 'span' | 'moment' }> } | null;
}

/**
 * Reads the camera and the time of a wish to see the past. Null: the words are an everyday sentence.
 * @param limits of the time: the longest, and whether "hôm qua" is all of that day
 */
export async function readPastWish(
  house: House,
  talk: Talk,
  words: string,
  limits: { maxSpanS: number; wholeDays?: boolean },
): Promise<PastWish | null> {
  const span = readSpan(words, {
    nowMs: talk.nowMs,
    clipSeconds: house.settings.clipSeconds,
    ...limits,
  });
  const timed = span.kind === 'moment' || span.kind === 'span' || span.kind === 'error';
  const asked = await askedCameras(house, talk, span.rest, timed);
  if (asked.kind === 'not-mine') return null;
  if (
    asked.kind === 'unknown' &&
    asked.near.length === 0 &&
    span.kind === 'none' &&
    !insists(talk) &&
    !/\d/.test(asked.heard)
  )
    return null;
  const camera = asked.kind === 'cameras' && asked.cameras.length === 1 ? asked.cameras[0] : undefined;
  const known = span.kind === 'span' || span.kind === 'moment';
  return { words, asked, span, settled: known && camera !== undefined ? { camera, span } : null };
}

/** A text with a time, but about something else: it names no camera, and nothing like one. */
export function isTalk({ asked }: PastWish, talk: Talk): boolean {
  if (insists(talk)) return false;
  if (asked.kind === 'none') return !may(talk.speaker.role, 'picture');
  return asked.kind === 'unknown' && asked.near.length === 0 && !/\d/.test(asked.heard);
}

/** How a command that shows the past asks for what is missing. */
export interface PastQuestions {
  /** in the log, when a camera is out of reach */
  action: string;
  /** the text that does it: ("3", "lúc 14h30"); the time may be empty */
  says(camera: string, time: string): string;
  whichCamera: string;
  oneAtATime: string;
  /** asked when there is one camera in all and none was named */
  confirm(camera: string): string;
  when(camera: string, number: number): string;
  /** offered for when: `says` is the time */
  times: MenuChoice[];
}

/** The time words of a text: what is left of it without the camera's words. */
function timeWords(words: string, rest: string): string {
  let left = words.normalize('NFC');
  for (const word of rest.split(/[^\p{L}\p{M}\d]+/u).filter((one) => one !== ''))
    left = left.replace(new RegExp(`(?<![\\p{L}\\p{M}\\d])${word}(?![\\p{L}\\p{M}\\d])`, 'u'), ' ');
  // of "1, 2 lúc 14h" a comma is left
  return left
    .replace(/\s+/g, ' ')
    .replace(/^[\s,;:.–-]+/, '')
    .trim();
}

/** Asks for what is missing or unclear: first the camera, then the time. */
export async function askRest(talk: Talk, wish: PastWish, questions: PastQuestions): Promise<void> {
  const { asked, span, words } = wish;
  const time = span.kind === 'none' ? '' : timeWords(words, span.rest);
  const says = (camera: Camera, at = time) => questions.says(String(camera.number), at);
  if (asked.kind === 'beyond') return refuseBeyond(talk, asked.cameras, questions.action);
  if (asked.kind === 'ambiguous' || asked.kind === 'unknown')
    return askWhichCamera(talk, asked, (camera) => questions.says(camera, time));
  const several = asked.kind === 'none' ? asked.reachable : asked.kind === 'cameras' ? asked.cameras : [];
  const only = several[0];
  if (only === undefined) throw new PersonError('Chưa có camera nào. Gõ “camera” để xem danh sách.');
  if (several.length > 1) {
    await talk.ask(
      asked.kind === 'none' ? questions.whichCamera : questions.oneAtATime,
      several.slice(0, 12).map((camera) => ({ label: labelOf(camera), says: says(camera) })),
    );
    return;
  }
  if (span.kind === 'error') throw new PersonError(span.sentence);
  if (span.kind === 'question') {
    if (span.choices.length === 0) throw new PersonError(span.question);
    await talk.ask(
      span.question,
      span.choices.map((choice) => ({ label: choice.label, says: says(only, choice.says) })),
    );
    return;
  }
  if (span.kind !== 'none') {
    await talk.ask(questions.confirm(labelOf(only)), [{ label: 'Đúng', says: says(only) }]);
    return;
  }
  await talk.ask(
    questions.when(labelOf(only), only.number),
    questions.times.map((choice) => ({ label: choice.label, says: says(only, choice.says) })),
  );
}
