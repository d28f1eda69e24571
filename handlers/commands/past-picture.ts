import fs from 'node:fs/promises';
import type { Snapshot, Still } from '../../media/types.js';
import { WorldError } from '../../src/base/errors.js';
import { sayDuration, sayMoment, sayRange } from '../../src/base/vietnamese/say.js';
import type { Talk } from '../../src/chat/command.js';
import type { Camera } from '../../src/store/cameras.js';
import { labelOf } from '../camera-asked.js';
import type { House } from '../house.js';
import { recordedAgain } from '../missing.js';
import { noFootage } from '../no-footage.js';
import { log, rows } from '../saying.js';
import { deliver, footagePlace } from './picture.js';

/** A frame farther from the moment asked for than this is told to be another one, ms. */
const SAME_MS = 1000;
const STEP_MS = 10_000;
const CLIP_MS = 15_000;
const OVERVIEW_MS = 5 * 60_000;

/** The very frame that a camera recorded at a moment; where there is none, why, and what is nearest. */
export async function pastPicture(house: House, talk: Talk, camera: Camera, atMs: number): Promise<void> {
  talk.act('sending-photo');
  const note = (result: string) =>
    log(talk, [
      {
        ...{ action: 'still', cameraId: camera.id, startMs: atMs, endMs: atMs, result },
        place: footagePlace(talk),
      },
    ]);
  const request = { cameraId: camera.recorderId, moments: [atMs], frame: 'exact' as const };
  const stills = await house.recorder.stills(request, talk.signal).catch((error: unknown) => {
    if (error instanceof WorldError) return error;
    throw error;
  });
  if (stills instanceof WorldError) {
    await note(stills.kind);
    throw stills;
  }
  const still = stills[0]!;
  if (still.pictures.length === 0) {
    await note('no-footage');
    await deliver(talk, await nothing(house, camera, still));
    return;
  }
  let delivered = true;
  for (const [i, picture] of still.pictures.entries())
    delivered = await deliver(talk, await photoOf(talk, camera, still, picture, i));
  await note(delivered ? 'ok' : 'no-private-chat');
}

/** Not there, or not yet. */
async function nothing(house: House, camera: Camera, { atMs, cause }: Still) {
  if (cause !== null) return noFootage(house, camera, { startMs: atMs, endMs: atMs + 1000 }, 'ảnh');
  return {
    kind: 'text' as const,
    text: `Hình camera ${labelOf(camera)} lúc ${sayMoment(atMs)} chưa kịp về máy ghi, anh/chị thử lại sau vài giây nhé.`,
    buttons: [[{ label: 'Thử lại', says: `ảnh ${camera.number} lúc ${sayMoment(atMs)}` }]],
  };
}

async function photoOf(talk: Talk, camera: Camera, still: Still, picture: Snapshot, index: number) {
  const { atMs, pictures } = still;
  const fileName = `camera-${camera.number}${pictures.length > 1 ? `-${index + 1}` : ''}.jpg`;
  const path = await talk.spool(fileName);
  await fs.writeFile(path, picture.jpeg);
  const n = camera.number;
  const last = index === pictures.length - 1;
  return {
    kind: 'photo' as const,
    file: {
      ...{ path, sizeBytes: picture.jpeg.length, fileName },
      shows: {
        ...{ cameraId: camera.id, camera: labelOf(camera) },
        ...{ startMs: picture.frameMs, endMs: picture.frameMs },
      },
    },
    caption: [
      `Camera ${labelOf(camera)}`,
      ...timeLines(atMs, picture.frameMs),
      ...(pictures.length > 1 ? [recordedAgain('giờ này', index, pictures.length)] : []),
    ].join('\n'),
    ...{ width: picture.width, height: picture.height },
    ...(last && {
      buttons: rows([
        { label: 'Trước 10 giây', says: `ảnh ${n} lúc ${sayMoment(atMs - STEP_MS)}` },
        ...(atMs + STEP_MS < talk.nowMs
          ? [{ label: 'Sau 10 giây', says: `ảnh ${n} lúc ${sayMoment(atMs + STEP_MS)}` }]
          : []),
        { label: 'Clip quanh lúc này', says: `clip ${n} ${around(atMs, CLIP_MS, talk.nowMs)}` },
        { label: 'Xem nhanh quanh lúc này', says: `xem ${n} ${around(atMs, OVERVIEW_MS, talk.nowMs)}` },
      ]),
    }),
  };
}

const around = (atMs: number, ms: number, nowMs: number) =>
  sayRange(atMs - ms, Math.max(atMs + 1000, Math.min(atMs + ms, nowMs)));

/** The moment that was asked for; the frame's own where that is another. */
export function timeLines(atMs: number, frameMs: number): string[] {
  if (Math.abs(atMs - frameMs) < SAME_MS) return [sayMoment(atMs)];
  return [
    sayMoment(frameMs),
    `Hình đọc được gần nhất, ${frameMs < atMs ? 'trước' : 'sau'} lúc anh/chị hỏi ${sayDuration(Math.abs(atMs - frameMs))}.`,
  ];
}
