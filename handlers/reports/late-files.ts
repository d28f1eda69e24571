import fs from 'node:fs/promises';
import path from 'node:path';
import { DAY_MS } from '../../src/base/clock.js';
import type { Attachment, ChannelName } from '../../src/chat/message.js';
import type { RefusedFile, TakenFile } from '../../src/intake/types.js';
import { inTransaction, type Transaction } from '../../src/store/database.js';
import { addReportFiles, LATE_FILES, lateFilesOf } from '../../src/store/reports.js';
import { dropSetting, readFact, settingsUnder, writeFact } from '../../src/store/settings.js';
import { officersChats, recipientName } from '../alerts/recipients.js';
import type { House } from '../house.js';
import { type ForwardedFile, forwardFiles } from './forwarding.js';
import { rowOf } from './kept-file.js';

/** A file of a report that could not be fetched when it came: fetched later, until its address has died. */
interface Late {
  reportId: number;
  code: string;
  personId: number;
  channel: ChannelName;
  attachment: Attachment;
  /** where it is to lie; nothing else lies there */
  dir: string;
  sinceMs: number;
  tries: number;
  nextMs: number;
  /** it is here and stands in the report: it has yet to go on */
  taken: ForwardedFile | null;
}

/** The pauses between tries; the last one again and again. */
const PAUSES_MS = [3000, 10_000, 30_000, 60_000, 120_000, 300_000];
/** Every platform's address is dead by then. */
const GIVE_UP_MS = DAY_MS;
const AT_ONCE = 3;

const pauseAfter = (tries: number) => PAUSES_MS[Math.min(tries, PAUSES_MS.length - 1)]!;

/** Writes down which files are still to come, in the transaction that keeps the report. */
export async function keepLate(
  tx: Transaction,
  report: { id: number; code: string; personId: number; inboxId: number },
  given: { channel: ChannelName; dir: string; nowMs: number; attachments: readonly Attachment[] },
): Promise<void> {
  for (const [i, attachment] of given.attachments.entries())
    await writeFact(tx, `${lateFilesOf(report.id)}${report.inboxId}.${i}`, {
      ...{ reportId: report.id, code: report.code, personId: report.personId },
      ...{ channel: given.channel, attachment, dir: path.join(given.dir, `late-${i}`) },
      ...{ sinceMs: given.nowMs, tries: 0, nextMs: given.nowMs + pauseAfter(0), taken: null },
    } satisfies Late);
}

/** Looks again when the next file is due; what a dead process leaves the schedule finds. */
export function fetchLateSoon(house: House, ms = pauseAfter(0)): void {
  setTimeout(() => {
    fetchLateFiles(house).catch((error: unknown) => house.log.warn({ err: error }, 'files of reports wait'));
  }, ms + 50).unref();
}

const underWay = new WeakMap<House, Set<string>>();

/** Fetches every late file whose time has come, and sends it on; says to both sides when one can't be had any more. */
export async function fetchLateFiles(house: House): Promise<void> {
  const busy = underWay.get(house) ?? new Set<string>();
  underWay.set(house, busy);
  const due = (await settingsUnder(house.db, LATE_FILES)).flatMap(({ key, value }) => {
    const late = JSON.parse(value) as Late;
    return late.nextMs <= house.clock.now() && !busy.has(key) ? [{ key, late }] : [];
  });
  for (const { key } of due) busy.add(key);
  const next = async (): Promise<void> => {
    const one = due.shift();
    if (one === undefined) return;
    try {
      await fetchOne(house, one.key, one.late);
    } finally {
      busy.delete(one.key);
    }
    return next();
  };
  const lanes = await Promise.allSettled(Array.from({ length: AT_ONCE }, next));
  for (const { key } of due) busy.delete(key);
  for (const lane of lanes) if (lane.status === 'rejected') throw lane.reason;
}

async function fetchOne(house: House, key: string, late: Late): Promise<void> {
  if (late.taken !== null) return sendOn(house, key, late, late.taken);
  const channel = house.channelOf(late.channel);
  let got: TakenFile | RefusedFile | null = null;
  if (channel !== null)
    try {
      // of a try that a crash cut short: no row names it
      await fs.rm(late.dir, { recursive: true, force: true });
      got = await house.intake.take(channel, late.attachment, late.dir);
    } catch (error) {
      house.log.warn({ err: error, report: late.code, tries: late.tries }, 'a file can not be fetched yet');
    }
  if (got === null && house.clock.now() - late.sinceMs < GIVE_UP_MS) {
    const pauseMs = pauseAfter(late.tries + 1);
    const again: Late = { ...late, tries: late.tries + 1, nextMs: house.clock.now() + pauseMs };
    await inTransaction(house.db, async (tx) => {
      if ((await readFact(tx, key)) !== null) await writeFact(tx, key, again);
    });
    return fetchLateSoon(house, pauseMs);
  }
  if (got === null || !got.ok) return giveUp(house, key, late);
  const file = got;
  const taken: ForwardedFile = { path: file.path, shown: file.shown };
  const kept = await inTransaction(house.db, async (tx) => {
    // the sender may have withdrawn meanwhile
    if ((await readFact(tx, key)) === null) return false;
    await addReportFiles(tx, late.reportId, [rowOf(house, file)]);
    await writeFact(tx, key, { ...late, taken } satisfies Late);
    return true;
  });
  if (!kept) return fs.rm(late.dir, { recursive: true, force: true });
  return sendOn(house, key, late, taken);
}

async function sendOn(house: House, key: string, late: Late, file: ForwardedFile): Promise<void> {
  await forwardFiles(house, { key, code: late.code, words: `Tin báo ${late.code} (tiếp)`, files: [file] });
  await dropSetting(house.db, key);
  if ((await settingsUnder(house.db, lateFilesOf(late.reportId))).length > 0) return;
  await house.tell(
    { personId: late.personId },
    `Ảnh, video anh/chị gửi kèm tin báo ${late.code} em đã tải xong và chuyển tới cán bộ.`,
    { key: `${key}:here`, priority: 'notice' },
  );
}

async function giveUp(house: House, key: string, late: Late): Promise<void> {
  await house.tell(
    { personId: late.personId },
    `Một tệp anh/chị gửi kèm tin báo ${late.code} em không tải về được nữa. Anh/chị gửi lại giúp em nhé.`,
    { key: `${key}:gone`, priority: 'answer' },
  );
  for (const chat of (await officersChats(house.db)).chats)
    await house.tell(
      chat,
      `Tin báo ${late.code}: một tệp kèm theo không tải về được, em đã nhờ người gửi gửi lại.`,
      { key: `${key}:gone:${recipientName(chat)}`, priority: 'notice' },
    );
  await dropSetting(house.db, key);
}
