import fs from 'node:fs/promises';
import PQueue from 'p-queue';
import type { CameraInfo, Snapshot } from '../../media/types.js';
import { WorldError } from '../../src/base/errors.js';
import { sayAgo, sayClock, sayMoment } from '../../src/base/vietnamese/say.js';
import { type Command, command, type Talk } from '../../src/chat/command.js';
import type { Camera } from '../../src/store/cameras.js';
import { askedCameras, askWhichCamera, labelOf, refuseBeyond } from '../camera-asked.js';
import { stateWords } from '../camera-words.js';
import type { House } from '../house.js';
import { readStill } from '../past.js';
import { MAY, may, mayShowHere } from '../rights.js';
import { log, placeOf, privately, rows } from '../saying.js';
import { contactSheet, type Tile } from './contact-sheet.js';
import { pastPicture } from './past-picture.js';

/** A frame older than this has its age said, ms. */
const OLD_MS = 5000;
/** Tiles on one sheet; more cameras make more sheets. */
const SHEET = 36;
const AT_ONCE = 4;

type Args =
  | { do: 'menu'; cameras: Camera[] }
  | { do: 'show'; cameras: Camera[]; sheet: boolean }
  | { do: 'past'; camera: Camera; atMs: number };

/** "ảnh 1 lúc này" is a picture of now. */
const NOW_WORDS =
  /[\s,]+(?:ngay )?(?:lúc này|luc nay|bây giờ|bay gio|hiện tại|hien tai|hiện giờ|hien gio)[\s.!?]*$/iu;

/** `anh`: what a camera sees at this moment; several or all together on one sheet. */
export const pictureCommand = (house: House, storyboards: Command) =>
  command<Args>({
    name: 'anh',
    aliases: ['ảnh', 'hình', 'chụp', 'xem ảnh', 'xem hình', 'chụp ảnh', 'cho xem ảnh', 'cho xem hình'],
    summary: 'Xem ảnh camera ngay lúc này, hoặc đúng một lúc đã qua',
    example: 'ảnh 1',
    may: MAY.picture,
    inGroups: true,
    section: 'xem',
    async read(typed, talk) {
      const said = typed.replace(NOW_WORDS, '');
      // "1 rồi ảnh 2": the word for a picture is said again
      const words = said.replace(
        /\s+(?:(?:rồi|roi|và|va|với|voi)\s+)?(?:ảnh|anh|hình|hinh)\s+(?=\S*\d)/giu,
        ', ',
      );
      if (/\d.*(?:^|[^\p{L}])(?:clip|video)\s/iu.test(words))
        return {
          kind: 'answer',
          reply: (here) =>
            here.reply(
              'Mỗi tin em làm một việc ạ. Anh/chị gửi riêng từng câu, ví dụ: ảnh 1, rồi tin sau: clip 2 lúc 14h30',
            ),
        };
      const past = await readStill(house, storyboards, talk, words);
      if (past?.kind === 'still')
        return { kind: 'args', args: { do: 'past', camera: past.camera, atMs: past.atMs } };
      if (past !== null) return past;
      const asked = await askedCameras(house, talk, words);
      switch (asked.kind) {
        case 'not-mine':
          return { kind: 'not-mine' };
        case 'none':
          return { kind: 'args', args: { do: 'menu', cameras: asked.reachable } };
        case 'beyond':
          return { kind: 'answer', reply: (here) => refuseBeyond(here, asked.cameras, 'snapshot') };
        case 'ambiguous':
        case 'unknown':
          return {
            kind: 'answer',
            reply: (here) => askWhichCamera(here, asked, (camera) => `ảnh ${camera}`),
          };
        case 'cameras':
          return {
            kind: 'args',
            args: { do: 'show', cameras: asked.cameras, sheet: asked.whole || asked.cameras.length > 1 },
          };
      }
    },
    async run(talk, args) {
      if (args.do === 'past') return pastPicture(house, talk, args.camera, args.atMs);
      const first = args.cameras[0];
      if (first === undefined) {
        await talk.reply('Chưa có camera nào để anh/chị xem. Cần thêm, xin liên hệ trưởng công an nhé.');
        return;
      }
      if (args.do === 'show' && !args.sheet) return one(house, talk, first);
      if (args.do === 'show') return sheet(house, talk, args.cameras);
      if (args.cameras.length === 1) return one(house, talk, first);
      await talk.ask('Anh/chị xem camera nào?', [
        ...args.cameras
          .slice(0, 10)
          .map((camera) => ({ label: labelOf(camera), says: `ảnh ${camera.number}` })),
        { label: 'Tất cả', says: 'ảnh tất cả' },
      ]);
    },
  });

/** Puts a reply with footage where it may be seen. False: it could not be delivered. */
export async function deliver(talk: Talk, reply: Parameters<Talk['replyPrivately']>[0]): Promise<boolean> {
  if (mayShowHere(talk.speaker.role, talk.group)) {
    await talk.reply(reply);
    return true;
  }
  return privately(talk, reply);
}

/** Where footage went or would go, for the log. */
export const footagePlace = (talk: Talk) =>
  placeOf(talk, talk.group === null || !mayShowHere(talk.speaker.role, talk.group));

const failed = (error: unknown): WorldError => {
  if (error instanceof WorldError) return error;
  throw error;
};

async function infoOf(house: House, camera: Camera): Promise<CameraInfo | undefined> {
  return house.recorder.camera(camera.recorderId).catch((error: unknown) => void failed(error));
}

async function one(house: House, talk: Talk, camera: Camera): Promise<void> {
  talk.act('sending-photo');
  const place = footagePlace(talk);
  const taken = await house.recorder.snapshot(camera.recorderId, { signal: talk.signal }).catch(failed);
  if (taken instanceof WorldError) {
    await log(talk, [{ action: 'snapshot', cameraId: camera.id, result: taken.kind, place }]);
    if (taken.kind === 'unreachable') throw taken;
    const info = await infoOf(house, camera);
    const last = info?.newestFrameMs == null ? '' : `\nHình cuối cùng lúc ${sayMoment(info.newestFrameMs)}.`;
    const clip =
      may(talk.speaker.role, 'clip') && info?.newestFrameMs != null
        ? [
            {
              label: 'Lấy clip trước lúc mất',
              says: `clip ${camera.number} ${sayMoment(info.newestFrameMs - 30_000)} trong 30 giây`,
            },
          ]
        : [];
    await deliver(talk, {
      kind: 'text',
      text: `Camera ${labelOf(camera)} chưa có hình lúc này: ${info?.state === 'recording' ? 'hình mới chưa kịp về, anh/chị thử lại sau vài giây nhé' : stateWords(info, talk.nowMs)}.${last}`,
      buttons: [...rows(clip), [{ label: 'Thử lại', says: `ảnh ${camera.number}` }]],
    });
    return;
  }
  const delivered = await deliver(talk, await photoOf(house, talk, camera, taken));
  await log(talk, [
    {
      action: 'snapshot',
      cameraId: camera.id,
      startMs: taken.frameMs,
      endMs: taken.frameMs,
      result: delivered ? 'ok' : 'no-private-chat',
      place,
    },
  ]);
}

async function photoOf(house: House, talk: Talk, camera: Camera, snapshot: Snapshot) {
  const fileName = `camera-${camera.number}.jpg`;
  const path = await talk.spool(fileName);
  await fs.writeFile(path, snapshot.jpeg);
  const nowMs = house.clock.now();
  const age = nowMs - snapshot.frameMs > OLD_MS ? ` (${sayAgo(snapshot.frameMs, nowMs)})` : '';
  return {
    kind: 'photo' as const,
    file: { path, sizeBytes: snapshot.jpeg.length, fileName },
    caption: `Camera ${labelOf(camera)}\n${sayMoment(snapshot.frameMs)}${age}`,
    width: snapshot.width,
    height: snapshot.height,
    buttons: rows([
      { label: 'Chụp lại', says: `ảnh ${camera.number}` },
      ...(may(talk.speaker.role, 'clip')
        ? [{ label: 'Clip 1 phút vừa rồi', says: `clip ${camera.number} 1 phút vừa rồi` }]
        : []),
    ]),
  };
}

async function sheet(house: House, talk: Talk, cameras: Camera[]): Promise<void> {
  talk.act('sending-photo');
  const infos = new Map((await house.recorder.cameras()).map((info) => [info.id, info]));
  const shots = await new PQueue({ concurrency: AT_ONCE }).addAll(
    cameras.map(
      (camera) => () =>
        house.recorder.snapshot(camera.recorderId, { width: 640, signal: talk.signal }).catch(failed),
    ),
  );
  const nowMs = house.clock.now();
  const tiles = cameras.map((camera, i): Tile => {
    const shot = shots[i];
    if (shot === undefined || shot instanceof WorldError) {
      const info = infos.get(camera.recorderId);
      const reason = info?.state === 'recording' ? 'chưa kịp có hình mới' : stateWords(info, talk.nowMs);
      return {
        title: labelOf(camera),
        line: info?.newestFrameMs == null ? 'chưa có hình' : `hình cuối ${sayMoment(info.newestFrameMs)}`,
        jpeg: null,
        reason: reason.charAt(0).toUpperCase() + reason.slice(1),
      };
    }
    const age = nowMs - shot.frameMs > OLD_MS ? ` (${sayAgo(shot.frameMs, nowMs)})` : '';
    return {
      title: labelOf(camera),
      line: `${sayMoment(shot.frameMs)}${age}`,
      jpeg: shot.jpeg,
      reason: null,
    };
  });
  const dark = cameras.filter((_, i) => shots[i] instanceof WorldError);
  const isOff = (camera: Camera) => infos.get(camera.recorderId)?.state === 'off';
  const named = (label: string, those: Camera[]) =>
    those.length === 0
      ? ''
      : `\n${label}: ${those.slice(0, 12).map(labelOf).join(', ')}${those.length > 12 ? ` và ${those.length - 12} camera nữa` : ''}`;
  const missing = `${named(
    'Mất hình',
    dark.filter((camera) => !isOff(camera)),
  )}${named('Đã tắt', dark.filter(isOff))}`;
  const place = footagePlace(talk);
  let delivered = true;
  for (let from = 0; from < tiles.length && delivered; from += SHEET) {
    const page = tiles.slice(from, from + SHEET);
    const made = await contactSheet(`${house.settings.communeName} · ${sayClock(nowMs)}`, page);
    const path = await talk.spool('camera.jpg');
    await fs.writeFile(path, made.jpeg);
    const alive = page.filter((tile) => tile.jpeg !== null).length;
    delivered = await deliver(talk, {
      kind: 'photo',
      file: { path, sizeBytes: made.jpeg.length, fileName: 'camera.jpg' },
      caption: `${alive}/${page.length} camera có hình, ${sayMoment(nowMs)}${missing}`,
      width: made.width,
      height: made.height,
      ...(cameras.length <= 8
        ? {
            buttons: rows(
              cameras.map((camera) => ({ label: labelOf(camera), says: `ảnh ${camera.number}` })),
            ),
          }
        : {}),
    });
  }
  await log(
    talk,
    cameras.map((camera, i) => {
      const shot = shots[i];
      const seen = shot !== undefined && !(shot instanceof WorldError);
      return {
        action: 'snapshot',
        cameraId: camera.id,
        ...(seen ? { startMs: shot.frameMs, endMs: shot.frameMs } : {}),
        result: !delivered ? 'no-private-chat' : seen ? 'ok' : (shot?.kind ?? 'failed'),
        place,
      };
    }),
  );
}
