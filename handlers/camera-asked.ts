import { fold } from '../src/base/vietnamese/text.js';
import type { Talk } from '../src/chat/command.js';
import { type Camera, listCameras } from '../src/store/cameras.js';
import { type CamerasFound, findCameras } from './find.js';
import type { House } from './house.js';
import { reaches } from './rights.js';
import { insists, log, sayInPrivate } from './saying.js';

/** "1 Ngã ba chợ" */
export const labelOf = (camera: Camera) => `${camera.number} ${camera.name}`;

/** What the words ask for among all cameras, split into what this person reaches and what not. */
export type Asked =
  | { kind: 'cameras'; cameras: Camera[]; whole: boolean }
  | { kind: 'beyond'; cameras: Camera[] }
  | { kind: 'ambiguous'; among: Camera[]; heard: string }
  /** `offer`: the nearest, or all where they are few */
  | { kind: 'unknown'; near: Camera[]; offer: Camera[]; heard: string }
  /** no camera named at all */
  | { kind: 'none'; reachable: Camera[] }
  /** an everyday sentence */
  | { kind: 'not-mine' };

/** Words that make a sentence of talk, not a name: a text that holds one and matches no camera is not for us. */
const TALK =
  /(^| )(oi|a|la gi|gi|khong|ko|k|nao|sao|vay|roi|nhe|nha|hay qua|dep qua|em|toi|anh|chi|ai|hoi|noi|biet|duoc|cam on|on khong)( |$)/;
/** … and words that talk as often as they name ("cho" may be "chợ"): they count only where nothing comes near. */
const MAYBE_TALK =
  /(^| )(the|day|do|qua|hay|dep|xau|lam|minh|ban|bac|co|chu|ma|thi|nay|kia|di|den|voi|cho|bi|con|cung|nhu|rat|may|bao|nhieu|tien|mua|moi|hom|on|ho|ta|la|ba|hai|tu|nam|sau|ut|ca|va|ve|chua|dang|se|khi|luc nao|xong|no|cai)( |$)/;

/** Written with these marks they are places, not talk. */
const PLACE = /(?<!\p{L})(?:chùa|chợ|hồ|đình|đền|bản)(?!\p{L})/giu;

/**
 * Finds the cameras that the words mean; nearness counts only where the words could be a name.
 * @param sure something beside the words (a time) says that a camera is meant
 */
export async function askedCameras(house: House, talk: Talk, words: string, sure = false): Promise<Asked> {
  const all = await listCameras(house.db);
  const reachable = all.filter((camera) => reaches(talk.speaker, camera));
  return sift(talk, reachable, findCameras(all, words), words, sure);
}

function sift(talk: Talk, reachable: Camera[], found: CamerasFound, words: string, sure: boolean): Asked {
  const mine = (cameras: Camera[]) => cameras.filter((camera) => reachable.includes(camera));
  switch (found.kind) {
    case 'none':
      return { kind: 'none', reachable };
    case 'all':
      return { kind: 'cameras', cameras: reachable, whole: true };
    case 'some': {
      const cameras = mine(found.cameras);
      if (cameras.length === 0) return { kind: 'beyond', cameras: found.cameras };
      return { kind: 'cameras', cameras, whole: false };
    }
    case 'ambiguous': {
      const among = mine(found.among);
      const only = among[0];
      if (among.length === 1 && only !== undefined) return { kind: 'cameras', cameras: [only], whole: false };
      if (among.length === 0) return { kind: 'beyond', cameras: found.among };
      return { kind: 'ambiguous', among, heard: found.heard };
    }
    case 'unknown': {
      const folded = fold(words);
      if (!insists(talk) && !found.certain) {
        const length = folded.split(' ').length;
        if (TALK.test(folded) || length > 7) return { kind: 'not-mine' };
        if (
          !sure &&
          found.near.length === 0 &&
          (length > 3 || folded.length < 3 || MAYBE_TALK.test(fold(words.replace(PLACE, ' '))))
        )
          return { kind: 'not-mine' };
      }
      // a number that is not there has no neighbours worth naming
      const near = found.certain && /^\D*\d+$/.test(found.heard) ? [] : mine(found.near);
      const offer = near.length > 0 ? near : reachable.length <= 8 ? reachable : [];
      return { kind: 'unknown', near, offer, heard: found.heard };
    }
  }
}

/**
 * Asks back where the words do not settle one or more cameras.
 * @param says makes the text of a button from what names the camera: ("2") => "clip 2 14h30"
 */
export async function askWhichCamera(
  talk: Talk,
  asked: Extract<Asked, { kind: 'ambiguous' | 'unknown' }>,
  says: (camera: string) => string,
): Promise<void> {
  const choices = (asked.kind === 'ambiguous' ? asked.among : asked.offer).slice(0, 8);
  const number = /^(?:cam|camera|số|so)?\s*(\d+)$/iu.exec(asked.heard)?.[1];
  const missing =
    number === undefined
      ? `Em chưa thấy camera “${asked.heard}”.`
      : `Không có camera số ${number} trong các camera anh/chị xem được.`;
  const text =
    asked.kind === 'ambiguous'
      ? `Có mấy camera hợp với “${asked.heard}”. Anh/chị chọn giúp:`
      : choices.length === 0
        ? `${missing} Gõ “camera” để xem danh sách.`
        : `${missing} ${asked.kind === 'unknown' && asked.near.length > 0 ? 'Có phải ý anh/chị là' : 'Anh/chị chọn giúp'}:`;
  if (choices.length === 0) await talk.reply(text);
  else
    await talk.ask(
      text,
      choices.map((camera) => ({ label: labelOf(camera), says: says(String(camera.number)) })),
    );
}

/** Refuses cameras out of this person's reach, and writes that down. */
export async function refuseBeyond(
  talk: Talk,
  cameras: Camera[],
  action: string,
  range?: { startMs: number; endMs: number },
): Promise<void> {
  await log(
    talk,
    cameras.map((camera) => ({ action, cameraId: camera.id, result: 'not-allowed', ...range })),
  );
  const why =
    talk.speaker.role === 'hamletHead'
      ? 'Anh/chị xem được camera của thôn mình thôi ạ'
      : 'Camera này chưa được giao cho anh/chị';
  await sayInPrivate(talk, `${why}. Cần thêm, xin liên hệ trưởng công an nhé.`);
}
