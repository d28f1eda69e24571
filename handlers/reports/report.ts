import fs from 'node:fs/promises';
import path from 'node:path';
import { DAY_MS, toVietnamTime } from '../../src/base/clock.js';
import { PersonError } from '../../src/base/errors.js';
import { ROLE_NAMES } from '../../src/base/roles.js';
import type { Talk } from '../../src/chat/command.js';
import type { Attachment, Button } from '../../src/chat/message.js';
import type { TakenFile } from '../../src/intake/types.js';
import { personById } from '../../src/store/people.js';
import {
  addReport,
  addReportFiles,
  addToReport,
  countReportsSince,
  isReportCodeTaken,
  latestReportOf,
  reportByCode,
  reportBytesSince,
} from '../../src/store/reports.js';
import { readFact, writeFact } from '../../src/store/settings.js';
import { NO_NAME } from '../../src/store/speakers.js';
import { officersChats, recipientName } from '../alerts/recipients.js';
import { makeReceiptCode } from '../codes.js';
import type { House } from '../house.js';
import { holdAlbum } from './album.js';
import { repliesOf } from './forwarding.js';
import { rowOf } from './kept-file.js';
import { fetchLateSoon, keepLate } from './late-files.js';
import { maskPhones } from './mask-phones.js';
import { urgencyOf } from './urgency.js';

/** Words wait so long for their files, ms. */
const PATIENCE_MS = 15_000;
/** What arrives so soon after a report belongs to it, ms. */
const TOGETHER_MS = 2 * 60_000;
/** Reports a person may begin within an hour. */
const PER_HOUR = 30;
/** Bytes of files a person may send in a day: reports share the disk with the recordings, which make room for them. */
const BYTES_PER_DAY = 500_000_000;

interface Kept {
  id: number;
  code: string;
  joined: boolean;
  /** another file of the same album: no second receipt */
  sameAlbum: boolean;
}

/** Keeps what a person sent in private: stored, a receipt for the sender, forwarded to the officers without the phone. */
export async function receiveReport(house: House, talk: Talk, text: string): Promise<void> {
  const { message, speaker } = talk;
  const begun = await countReportsSince(house.db, speaker.personId, talk.nowMs - 3_600_000);
  if (begun > PER_HOUR)
    throw new PersonError(
      'Anh/chị đã gửi nhiều tin trong một giờ qua, xin đợi một lát rồi gửi tiếp. Việc khẩn cấp xin gọi ngay 113.',
    );
  if (
    message.attachments.length > 0 &&
    (await reportBytesSince(house.db, speaker.personId, talk.nowMs - DAY_MS)) > BYTES_PER_DAY
  )
    throw new PersonError(
      'Hôm nay anh/chị đã gửi rất nhiều ảnh, video nên em chưa nhận thêm tệp được. Anh/chị nhắn bằng chữ giúp nhé, hoặc gửi tệp vào ngày mai. Việc khẩn cấp xin gọi ngay 113.',
    );
  const came = await takeFiles(house, talk, message.attachments);
  const { files, refusals, late } = came;
  const place = message.place ?? null;
  if (files.length === 0 && late.length === 0 && text === '' && place === null) {
    await talk.reply(refusals.join('\n') || 'Em chưa nhận được gì. Anh/chị gửi lại giúp nhé.');
    return;
  }
  const kept = await keep(house, talk, text, came);
  const bound = await forward(house, talk, kept, text, came);
  if (late.length > 0) fetchLateSoon(house);

  const coming =
    late.length === 0 ? [] : [`Còn ${late.length} tệp em đang tải về, xong em chuyển cán bộ ngay.`];
  const notes = [...coming, ...refusals].map((line) => `\n${line}`).join('');
  if (kept.sameAlbum) {
    if (refusals.length === 0) talk.staySilent();
    else await talk.reply(notes.trim());
    return;
  }
  if (kept.joined) {
    await talk.reply(`Đã thêm vào tin báo ${kept.code}. Cảm ơn anh/chị.${notes}`);
    return;
  }
  const buttons: Button[][] = [[{ label: 'Cho cán bộ biết tên tôi', says: `báo tin ${kept.code} hiện tên` }]];
  await talk.reply({
    kind: 'text',
    text: `Cảm ơn anh/chị, ${
      bound ? 'tin đã tới cán bộ' : 'tin đã được lưu và trưởng công an sẽ xem'
    }. Mã tin báo: ${kept.code}\nTên và số điện thoại của anh/chị được giữ kín.${
      files.length + late.length === 0 ? ' Có ảnh, video, vị trí thì anh/chị gửi tiếp ngay vào đây.' : ''
    }\nViệc khẩn cấp xin gọi ngay 113.${notes}`,
    buttons,
  });
}

/** What became of the files of a message. */
interface Came {
  dir: string;
  files: TakenFile[];
  /** sentences, of files that can't be taken */
  refusals: string[];
  /** can't be fetched now */
  late: Attachment[];
}

/**
 * Fetches and inspects the files; run again after a crash it gives those of the first run. Words never wait long for
 * their files: what can't be fetched soon is fetched later.
 */
async function takeFiles(house: House, talk: Talk, attachments: Attachment[]): Promise<Came> {
  if (attachments.length === 0) return { dir: '', files: [], refusals: [], late: [] };
  const at = toVietnamTime(talk.nowMs);
  const month = `${at.year}-${String(at.month).padStart(2, '0')}`;
  const dir = path.join(
    house.settings.dataDir,
    'reports',
    month,
    String(talk.inboxId),
    house.clock.now().toString(36),
  );
  const channel = house.channelOf(talk.message.channel);
  const signal = AbortSignal.any([talk.signal, AbortSignal.timeout(PATIENCE_MS)]);
  const taken = await Promise.all(
    attachments.map(async (attachment) => {
      if (channel === null) return null;
      try {
        return await house.intake.take(channel, attachment, dir, signal);
      } catch (error) {
        if (talk.signal.aborted) throw error;
        talk.log.warn({ err: error, inbox: talk.inboxId }, 'a file of a report is fetched later');
        return null;
      }
    }),
  );
  const files = taken.flatMap((one) => (one?.ok ? [one] : []));
  const refusals = new Set(taken.flatMap((one) => (one === null || one.ok ? [] : [one.sentence])));
  const late = attachments.filter((_, i) => taken[i] === null);
  const first = await talk.once(
    'files',
    async (): Promise<Came> => ({ dir, files, refusals: [...refusals], late }),
  );
  if (first.dir !== dir) await fs.rm(dir, { recursive: true, force: true });
  return first;
}

async function keep(house: House, talk: Talk, text: string, came: Came): Promise<Kept> {
  const { message, speaker } = talk;
  const place = message.place ?? null;
  return talk.once('report', async (tx): Promise<Kept> => {
    const latest = await latestReportOf(tx, speaker.personId);
    const joins = latest !== null && talk.nowMs - latest.receivedMs <= TOGETHER_MS ? latest : null;
    const albumKey = `report.album:${speaker.personId}`;
    const album = await readFact<{ albumId: string; reportId: number }>(tx, albumKey);
    const sameAlbum =
      joins !== null &&
      message.albumId !== undefined &&
      album?.albumId === message.albumId &&
      album.reportId === joins.id;
    const spot = { latitude: place?.latitude ?? null, longitude: place?.longitude ?? null };
    let id: number;
    let code: string;
    if (joins === null) {
      code = makeReceiptCode();
      while (await isReportCodeTaken(tx, code)) code = makeReceiptCode();
      id = await addReport(tx, {
        code,
        personId: speaker.personId,
        inboxId: talk.inboxId,
        text,
        ...spot,
        receivedMs: talk.nowMs,
      });
    } else {
      ({ id, code } = joins);
      await addToReport(tx, id, { text, ...spot });
    }
    await addReportFiles(
      tx,
      id,
      came.files.map((file) => rowOf(house, file)),
    );
    await keepLate(
      tx,
      { id, code, personId: speaker.personId, inboxId: talk.inboxId },
      {
        ...{ channel: message.channel, attachments: came.late },
        ...{ dir: came.dir, nowMs: house.clock.now() },
      },
    );
    if (message.albumId !== undefined)
      await writeFact(tx, albumKey, { albumId: message.albumId, reportId: id });
    return { id, code, joined: joins !== null, sameAlbum };
  });
}

/** Sends it on to the officers: without the phone, the name hidden. False when no officers' group is bound. */
async function forward(
  house: House,
  talk: Talk,
  kept: Kept,
  text: string,
  { files, late }: Came,
): Promise<boolean> {
  const { chats, bound } = await officersChats(house.db);
  const person = await personById(house.db, talk.speaker.personId);
  const place = talk.message.place;
  const lines = kept.sameAlbum
    ? [`Tin báo ${kept.code} (tiếp)`]
    : [
        `${kept.joined ? 'Thêm vào tin báo' : 'Tin báo mới'} ${kept.code}${person?.hamletName == null ? '' : ` · ${person.hamletName}`}`,
        text === '' ? null : maskPhones(text),
        place === undefined
          ? null
          : `Vị trí: https://maps.google.com/?q=${place.latitude},${place.longitude}`,
        kept.joined ? null : `Người gửi: ${ROLE_NAMES[talk.speaker.role]}, tên được giữ kín`,
        late.length === 0 ? null : `Còn ${late.length} tệp đang tải về, em gửi tiếp ngay khi có.`,
        kept.joined || bound
          ? null
          : 'Chưa có nhóm cán bộ nên em gửi riêng. Giao nhóm: gõ /nhom cán bộ trong nhóm.',
      ];
  const words = lines.filter((line) => line !== null).join('\n');
  // nothing of it is here yet
  if (kept.sameAlbum && files.length === 0) return bound;
  if (talk.message.albumId !== undefined && house.spoolFor !== undefined) {
    await holdAlbum(house, talk, { reportId: kept.id, code: kept.code, words, files });
    return bound;
  }
  const [first, ...more] = await repliesOf((name) => talk.spool(name), kept.code, words, files);
  const { priority, ...gathered } = urgencyOf(talk.speaker.role, {
    ...{ code: kept.code, more: kept.joined, files: files.length + late.length },
    text: [text, place === undefined ? '' : '(có vị trí)'].join(' '),
  });
  for (const chat of chats)
    await talk.tell(chat, first, `report:${recipientName(chat)}:0`, priority, { more, ...gathered });
  return bound;
}

/** The sender agrees that the officers learn the name; the phone stays with us. */
export async function showName(house: House, talk: Talk, code: string): Promise<void> {
  const report = await reportByCode(house.db, code);
  if (report === null || report.personId !== talk.speaker.personId)
    throw new PersonError(`Em không thấy tin báo ${code} của anh/chị.`);
  if (talk.speaker.name === NO_NAME)
    throw new PersonError(
      'Kênh chat chưa cho em biết tên anh/chị. Anh/chị nhắn tên mình vào đây, em chuyển cán bộ cùng tin báo.',
    );
  const { chats } = await officersChats(house.db);
  for (const chat of chats)
    await house.tell(chat, `Tin báo ${code}: người gửi cho biết tên là ${maskPhones(talk.speaker.name)}.`, {
      key: `report:${report.id}:name:${recipientName(chat)}`,
      priority: 'notice',
    });
  await talk.reply(
    `Cảm ơn anh/chị. Cán bộ đã biết tên người gửi tin ${code}; số điện thoại vẫn được giữ kín.`,
  );
}
