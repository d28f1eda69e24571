import { PersonError } from '../src/base/errors.js';
import { readSpan } from '../src/base/vietnamese/moment.js';
import type { Command, Read, Talk } from '../src/chat/command.js';
import type { Camera } from '../src/store/cameras.js';
import { askRest, isTalk, type PastQuestions, readPastWish } from './ask-past.js';
import { askedCameras } from './camera-asked.js';
import { LONGEST_S } from './commands/storyboard-plan.js';
import type { House } from './house.js';
import { may } from './rights.js';

const QUESTIONS: PastQuestions = {
  action: 'still',
  says: (camera, time) => `ảnh ${camera} ${time}`.trim(),
  whichCamera: 'Anh/chị xem ảnh camera nào lúc đó?',
  oneAtATime: 'Ảnh lúc đã qua em lấy mỗi lần một camera. Anh/chị chọn camera nào trước?',
  confirm: (camera) => `Xem ảnh camera ${camera} ạ?`,
  when: (camera, number) =>
    `Anh/chị xem ảnh camera ${camera} lúc nào? Gõ giờ, ví dụ: ảnh ${number} lúc 21h15 hôm qua`,
  times: [{ label: 'Lúc này', says: '' }],
};

/** Who sees cameras as they are now need not see what they recorded. */
const ONLY_NOW: Extract<Read<never>, { kind: 'answer' }> = {
  kind: 'answer',
  reply: async () => {
    throw new PersonError(
      'Anh/chị xem được ảnh ngay lúc này thôi ạ. Hình lúc đã qua, xin nhờ cán bộ công an lấy giúp.',
    );
  },
};

/**
 * "cam 3 lúc 21:15 hôm qua", behind a word for a picture: the frame of that moment; a stretch of time is an overview.
 * Null: no time is said.
 */
export async function readStill(
  house: House,
  storyboards: Command,
  talk: Talk,
  words: string,
): Promise<
  | { kind: 'still'; camera: Camera; atMs: number }
  | Extract<Read<never>, { kind: 'answer' | 'not-mine' }>
  | null
> {
  const wish = await readPastWish(house, talk, words, { maxSpanS: LONGEST_S, wholeDays: true });
  if (wish === null || wish.span.kind === 'none' || isTalk(wish, talk)) return null;
  if (!may(talk.speaker.role, 'clip')) return ONLY_NOW;
  if (wish.settled === null) return { kind: 'answer', reply: (here) => askRest(here, wish, QUESTIONS) };
  const { camera, span } = wish.settled;
  if (span.kind === 'span') return handOver(storyboards, talk, words);
  return { kind: 'still', camera, atMs: span.atMs };
}

/**
 * "cầu lúc 14h30", "cam 1 10 phút trước": one camera and a time are a wish for a clip (or what `command` gives), whatever the word before them.
 * Null when the words are not that.
 */
export async function readPast(
  house: House,
  command: Command,
  talk: Talk,
  words: string,
): Promise<Extract<Read<never>, { kind: 'answer' }> | null> {
  const span = readSpan(words, {
    nowMs: talk.nowMs,
    clipSeconds: house.settings.clipSeconds,
    maxSpanS: house.settings.clipMaxSeconds,
  });
  if (span.kind === 'none') return null;
  const asked = await askedCameras(house, talk, span.rest);
  if (asked.kind !== 'cameras' || asked.whole || asked.cameras.length !== 1) return null;
  if (!may(talk.speaker.role, 'clip')) return ONLY_NOW;
  const read = await handOver(command, talk, words);
  return read.kind === 'not-mine' ? null : read;
}

/** Lets another command answer these words. */
export async function handOver(
  command: Command,
  talk: Talk,
  words: string,
): Promise<Extract<Read<never>, { kind: 'answer' | 'not-mine' }>> {
  const read = await command.read(words, talk);
  if (read.kind === 'not-mine') return read;
  return {
    kind: 'answer',
    reply: (here) => (read.kind === 'answer' ? read.reply(here) : command.run(here, read.args)),
  };
}
