import { PersonError, WorldError } from '../../src/base/errors.js';
import { fold } from '../../src/base/vietnamese/text.js';
import type { Talk } from '../../src/chat/command.js';
import { writeAudit } from '../../src/store/audit.js';
import { type Camera, removeCamera } from '../../src/store/cameras.js';
import { scrubMessage } from '../../src/store/scrub.js';
import { labelOf } from '../camera-asked.js';
import type { House } from '../house.js';
import { reviewed } from '../review.js';
import { placeOf, sayInPrivate } from '../saying.js';
import { onlyInPrivate, SCRUBBED } from './camera-add.js';
import { FIELDS, type Field, type FieldName, meaningOf } from './camera-fields.js';

/** Changes one thing of a camera; without a value it asks for one. */
export async function setField(
  house: House,
  talk: Talk,
  camera: Camera,
  name: FieldName,
  value: string,
): Promise<void> {
  const field: Field = FIELDS.find((one) => one.name === name) as Field;
  const example = `camera sửa ${camera.number} ${field.said[0]}`;
  if (field.chiefOnly && talk.speaker.role !== 'chief')
    throw new PersonError('Việc giao camera cho kỹ thuật viên do trưởng công an làm ạ.');
  try {
    if (field.privately && (await onlyInPrivate(talk, example))) return;
    if (value === '' && !(name === 'spot' && talk.message.place !== undefined)) {
      if (name === 'consent')
        await talk.ask(field.ask, [
          { label: 'Đã đồng ý', says: `${example} rồi` },
          { label: 'Chưa', says: `${example} chưa` },
        ]);
      else await talk.askWords(field.ask, example);
      return;
    }
    const meaning = await meaningOf(house, talk, camera, name, value);
    if (meaning.recorder !== undefined)
      await house.recorder.changeCamera(camera.recorderId, meaning.recorder);
    await talk.once(`camera.${name}`, async (tx) => {
      await meaning.write?.(tx);
      if (name === 'hamlet') await reviewed(tx, camera.id);
      await writeAudit(tx, [
        {
          atMs: talk.nowMs,
          personId: talk.speaker.personId,
          personName: talk.speaker.name,
          action: 'camera.change',
          cameraId: camera.id,
          place: placeOf(talk),
          result: 'ok',
          detail: `${field.label}: ${meaning.detail}`,
        },
      ]);
      return null;
    });
    const number = name === 'number' ? fold(value) : camera.number;
    await sayInPrivate(talk, `Camera ${labelOf(camera)}: ${meaning.said}.`.replace('..', '.'), [
      [
        { label: 'Xem camera này', says: `camera ${number}` },
        { label: 'Sửa tiếp', says: `camera sửa ${number}` },
      ],
    ]);
  } finally {
    if (field.privately && value.length > 5) await scrubMessage(house.db, talk.inboxId, value, SCRUBBED);
  }
}

export async function switchCamera(house: House, talk: Talk, camera: Camera, on: boolean): Promise<void> {
  await house.recorder.changeCamera(camera.recorderId, { enabled: on });
  await talk.once('camera.switch', (tx) =>
    writeAudit(tx, [
      {
        atMs: talk.nowMs,
        personId: talk.speaker.personId,
        personName: talk.speaker.name,
        action: on ? 'camera.on' : 'camera.off',
        cameraId: camera.id,
        place: placeOf(talk),
        result: 'ok',
      },
    ]).then(() => null),
  );
  await sayInPrivate(
    talk,
    on
      ? `Đã bật camera ${labelOf(camera)}, hình có lại sau ít giây.`
      : `Đã tắt camera ${labelOf(camera)}: không ghi nữa cho đến khi bật lại. Hình đã ghi vẫn còn.`,
    [
      [
        on
          ? { label: 'Xem ảnh', says: `ảnh ${camera.number}` }
          : { label: 'Bật lại', says: `camera bật ${camera.number}` },
      ],
    ],
  );
}

export async function removeCameraTask(
  house: House,
  talk: Talk,
  camera: Camera,
  sure: boolean,
): Promise<void> {
  if (!sure) {
    await sayInPrivate(
      talk,
      `Xóa hẳn camera ${labelOf(camera)}? Hệ thống sẽ thôi ghi và quên địa chỉ của camera này. Nếu chỉ muốn ngừng tạm thời, hãy bấm Tắt.`,
      [
        [
          { label: 'Xóa hẳn', says: `camera xóa ${camera.number} chắc chắn` },
          { label: 'Tắt', says: `camera tắt ${camera.number}` },
          { label: 'Thôi', says: `camera ${camera.number}` },
        ],
      ],
    );
    return;
  }
  await house.recorder.removeCamera(camera.recorderId).catch((error: unknown) => {
    // gone already: removed by an earlier run of this message
    if (!(error instanceof WorldError && error.kind === 'not-found')) throw error;
  });
  await talk.once('camera.remove', async (tx) => {
    await removeCamera(tx, camera.id, talk.nowMs);
    await reviewed(tx, camera.id);
    await writeAudit(tx, [
      {
        atMs: talk.nowMs,
        personId: talk.speaker.personId,
        personName: talk.speaker.name,
        action: 'camera.remove',
        cameraId: camera.id,
        place: placeOf(talk),
        result: 'ok',
        detail: labelOf(camera),
      },
    ]);
    return null;
  });
  await sayInPrivate(talk, `Đã xóa camera ${labelOf(camera)}.`);
}
