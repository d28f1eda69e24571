import { PersonError } from '../src/base/errors.js';
import { readSpan } from '../src/base/vietnamese/moment.js';
import type { Command, Read, Talk } from '../src/chat/command.js';
import { askedCameras } from './camera-asked.js';
import type { House } from './house.js';
import { may } from './rights.js';

/**
 * "cầu lúc 14h30", "cam 1 10 phút trước": one camera and a time are a wish for a clip, whatever the word before them.
 * Null when the words are not that.
 */
export async function readPast(
  house: House,
  clips: Command,
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
  if (!may(talk.speaker.role, 'clip'))
    return {
      kind: 'answer',
      reply: async () => {
        throw new PersonError(
          'Anh/chị xem được ảnh ngay lúc này thôi ạ. Hình lúc đã qua, xin nhờ cán bộ công an lấy giúp.',
        );
      },
    };
  const read = await handOver(clips, talk, words);
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
