import { editDistance } from '../src/base/vietnamese/names.js';
import { fold, hasMarks, readWords } from '../src/base/vietnamese/text.js';
import type { Command, Talk } from '../src/chat/command.js';
import type { Camera } from '../src/store/cameras.js';
import { askedCameras, labelOf } from './camera-asked.js';
import type { House } from './house.js';
import { handOver, readPast } from './past.js';
import { may } from './rights.js';
import { rows } from './saying.js';

/** The polite or hasty beginning of a wish to see something, folded. */
const WISH =
  /^(?:(?:em|bot|ad|ban|mat than) oi )?(?:cho (?:(?:anh|chi|em|toi|minh|chu|co|bac|to|tao|xep|a|c|e|t) )?(?:xin|xem|coi|muon|ngo|lay)(?: lai)?|(?:gui|chup)(?: cho)?(?: (?:anh|chi|em|toi|minh|chu|bac))?|(?:anh|chi|toi|minh) (?:can|muon)(?: (?:xem|coi|lay|xin))?|(?:can|muon) (?:xem|coi|lay)|xem|coi|mo|lay|xin|ngo|kiem tra|check|live)(?: (?:cho (?:anh|chi|em|toi|minh|chu|bac)|truc tiep|live|cai|tam|buc|(?:mot|1) (?:cai|tam|buc|doan|it)|lai|thu|ho|giup|gium|dum|nhanh|ngay))*(?= |$)/;
/** What is to be looked at, not cut out: "xem cầu lúc 14h", but "xem lại" is a clip. */
const LOOK = /(?:^| )(?:xem|coi|ngo)(?! lai)(?: |$)/;
const SEE = /^(?:hinh anh|anh|hinh)(?= |$)/;
const FILM = /^(?:doan )?(?:clip|video)(?= |$)/;
const WHERE = /^(?:o|tai|cua)(?= )/;
const CAMERA_WORD = /^(?:cam|camera|kam|may quay)(?: so)? ?\d/;
const END =
  /(?: (?:di|nhe|nha|a|voi|cai|phat|em|em oi|(?:dum|giup|ho|cho)(?: (?:anh|chi|em|toi|minh))?|ngay|gap|luon|bay gio|hien tai|luc nay|xem|coi|xem nao|nao|duoc khong|dc ko|duoc ko))+$/;

/** "tắt cam 4", "sửa cam 2 tên Cầu": the work before the camera, folded. */
const TASK = /^(?:tat|bat|sua|xoa)(?= (?:cam|camera|kam|may quay)(?: |$| ?\d))/;

/** The words of a camera task that begins with its verb, as the camera command reads them; else null. */
export function taskOf(text: string): string | null {
  const read = readWords(text.normalize('NFC'));
  const folded = read.tokens.map((token) => token.folded).join(' ');
  if (!TASK.test(folded)) return null;
  const verb = read.tokens[0];
  return verb === undefined ? null : `${verb.text} ${read.text.slice(verb.end).trim()}`;
}

/** What a short text without a command's word wishes for; `words` name the camera and perhaps a time. */
export type Wish = { kind: 'picture' | 'clip' | 'camera'; asked: boolean; words: string };

/** Pure: takes the wish off the words, as they were typed. */
export function wishOf(text: string): Wish | null {
  let rest = text
    .normalize('NFC')
    .replace(/[!?.…]+\s*$/u, '')
    .trim();
  const strip = (pattern: RegExp): boolean => {
    const read = readWords(rest);
    const folded = read.tokens.map((token) => token.folded).join(' ');
    const match = pattern.exec(folded);
    if (match === null || match[0].trim() === '') return false;
    const taken = match[0].trim().split(' ').length;
    const last = read.tokens[taken - 1];
    if (last === undefined) return false;
    rest = read.text.slice(last.end).replace(/^[\s,:;.–-]+/u, '');
    return true;
  };
  const words = fold(rest).split(' ').length;
  if (words > 22) return null;
  const asked = strip(WISH);
  const kind = strip(SEE) ? 'picture' : strip(FILM) ? 'clip' : 'camera';
  strip(WHERE);
  const read = readWords(rest);
  const folded = read.tokens.map((token) => token.folded).join(' ');
  const end = END.exec(folded);
  if (end !== null && end.index > 0) {
    const kept = folded.slice(0, end.index).split(' ').length;
    const last = read.tokens[kept - 1];
    if (last !== undefined) rest = read.text.slice(0, last.end);
  }
  return rest.trim() === '' ? null : { kind, asked, words: rest.trim() };
}

/**
 * Here, without a command's word, a name counts only as it is written: every word is one of the camera's, and a lone
 * word has its marks right or none ("chờ" is no "chợ").
 */
function isWritten(words: string, cameras: readonly Camera[]): boolean {
  const said =
    words
      .normalize('NFC')
      .toLowerCase()
      .match(/[\p{L}\d]+/gu) ?? [];
  const about = (camera: Camera) =>
    `${camera.number} ${camera.name} ${camera.site?.name ?? ''} ${camera.hamletName ?? ''}`;
  return cameras.some((camera) => {
    const own =
      about(camera)
        .normalize('NFC')
        .toLowerCase()
        .match(/[\p{L}\d]+/gu) ?? [];
    const names = [...own, 'cam', 'camera', 'kam', 'số', 'so', 'thôn', 'thon', 'máy', 'may', 'quay'];
    if (said.length === 1 && /^c(?:am)?\d+$/.test(said[0] ?? ''))
      return said[0]?.replace(/\D/g, '') === String(camera.number);
    if (said.length === 1) return names.some((name) => name === said[0] || fold(name) === said[0]);
    return said.every(
      (word) => /\d/.test(word) || names.some((name) => fold(name) === fold(word) || isSlip(name, word)),
    );
  });
}

/** One wrong letter in a long word. */
const isSlip = (name: string, word: string) =>
  word.length >= 5 && editDistance(fold(name), fold(word), 1) <= 1;

/**
 * For those who may see: "xem cam 2", "cho anh xin hình cổng trường" show, "cầu tối qua 8 rưỡi" is a clip, and a bare
 * "1" or "chợ" is asked back with two buttons. False when the words name no camera: they are for somebody else.
 */
export async function answerQuickly(
  house: House,
  talk: Talk,
  commands: { pictures: Command; clips: Command; storyboards: Command; cameras: Command },
  text: string,
): Promise<boolean> {
  if (!may(talk.speaker.role, 'picture')) return false;
  const task = taskOf(text);
  if (task !== null) {
    const read = await handOver(commands.cameras, talk, task);
    if (read.kind === 'not-mine') return false;
    await read.reply(talk);
    return true;
  }
  const wish = wishOf(text);
  if (wish === null) return false;
  const looked = wish.kind === 'camera' && wish.asked && LOOK.test(fold(text));
  const shown = { picture: commands.pictures, clip: commands.clips, camera: commands.clips }[wish.kind];
  const past = await readPast(house, looked ? commands.storyboards : shown, talk, wish.words);
  if (past !== null) {
    await past.reply(talk);
    return true;
  }
  const asked = await askedCameras(house, talk, wish.words);
  const found =
    asked.kind === 'cameras' || asked.kind === 'beyond'
      ? asked.cameras
      : asked.kind === 'ambiguous'
        ? asked.among
        : [];
  const whole = asked.kind === 'cameras' && asked.whole;
  if (found.length > 0 && !whole && !isWritten(wish.words, found)) return false;
  const named = asked.kind === 'cameras' || asked.kind === 'ambiguous' || asked.kind === 'beyond';
  const certain = asked.kind === 'unknown' && wish.asked && CAMERA_WORD.test(fold(wish.words));
  if (!named && !certain) return false;
  const command = wish.kind === 'clip' ? commands.clips : commands.pictures;
  const only = asked.kind === 'cameras' && asked.cameras.length === 1 ? asked.cameras[0] : undefined;
  // "xin cho" is half a sentence
  const slight = fold(wish.words).length < 4 && !hasMarks(wish.words) && !/\d/.test(wish.words);
  if (wish.kind === 'camera' && (!wish.asked || slight) && only !== undefined) {
    const n = only.number;
    await talk.ask(`Camera ${labelOf(only)}, anh/chị xem gì ạ?`, [
      { label: 'Ảnh lúc này', says: `ảnh ${n}` },
      ...(may(talk.speaker.role, 'clip')
        ? [{ label: 'Clip 1 phút vừa rồi', says: `clip ${n} 1 phút vừa rồi` }]
        : []),
      { label: 'Tình trạng camera', says: `camera ${n}` },
    ]);
    return true;
  }
  const read = await handOver(command, talk, wish.words);
  if (read.kind === 'not-mine') return false;
  await read.reply(talk);
  return true;
}

/** The number of a camera this person reaches, or null. */
export async function firstReachable(house: House, talk: Talk): Promise<number | null> {
  const asked = await askedCameras(house, talk, '');
  return asked.kind === 'none' ? (asked.reachable[0]?.number ?? null) : null;
}

/** Examples that work when pressed: of a camera this person reaches. */
export async function exampleButtons(house: House, talk: Talk) {
  const n = await firstReachable(house, talk);
  if (n === null || !may(talk.speaker.role, 'picture')) return [];
  return rows([
    { label: `Ảnh ${n}`, says: `ảnh ${n}` },
    ...(may(talk.speaker.role, 'clip')
      ? [{ label: `Clip ${n} vừa rồi`, says: `clip ${n} 1 phút vừa rồi` }]
      : []),
    { label: 'Ảnh tất cả', says: 'ảnh tất cả' },
    { label: 'Tình trạng camera', says: 'camera' },
  ]);
}
