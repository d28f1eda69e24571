import type { RecorderEvent } from '../../media/types.js';
import { WorldError } from '../../src/base/errors.js';
import { cameraByRecorderId, listCameras } from '../../src/store/cameras.js';
import { inTransaction, type Transaction } from '../../src/store/database.js';
import { beginOutage, endOutage, openOutages } from '../../src/store/outages.js';
import { dropSetting, readFact, settingsUnder, writeFact } from '../../src/store/settings.js';
import type { House } from '../house.js';
import { type AlertRules, rulesFor } from './decide.js';
import { takeOver, tellFound } from './found.js';
import { keepMoved } from './moved.js';
import { closeQuietly, makeOutageTeller } from './outages.js';
import { makeSay } from './planned.js';
import { keepRoom } from './room.js';
import * as words from './words.js';

interface Away {
  sinceMs: number;
  toldMs: number | null;
}

interface Disk {
  toldMs: number | null;
  low: boolean;
  freeBytes: number;
  totalBytes: number;
  /** old recordings go to make room; absent: of an older version, they do */
  deleting?: boolean;
}

const CURSOR = 'alerts.cursor';
const AWAY = 'alerts.recorder-away';
const DISK = 'alerts.disk';
const NOTICE = 'alerts.notice:';
/** a disk that is low again within this time is not told again */
const DISK_AGAIN_MS = 6 * 3_600_000;
const TICK_MS = 5000;
const RECONCILE_MS = 60_000;
/** how often the recorder's cameras are compared with ours, and no less than at the start */
const COMPARE_MS = 60_000;

export interface Alerts {
  /** Follows the recorder until the signal aborts; resolves then. */
  start(signal: AbortSignal): Promise<void>;
  /** Takes one event of the recorder: what it changes and the cursor, in one transaction. */
  take(event: RecorderEvent): Promise<void>;
  /** Puts our picture right where events were lost: asks the recorder how the cameras are. */
  reconcile(): Promise<void>;
  /** Takes over what the recorder has and we do not know. */
  compare(): Promise<void>;
  /** Says what is due. */
  tick(): Promise<void>;
}

const number = (value: unknown, otherwise: number) => (typeof value === 'number' ? value : otherwise);

/** When a camera speaks: outages, the recorder's own absence and the disk, each told once. */
export function makeAlerts(house: House, rules: AlertRules = rulesFor(house.settings.outageSeconds)): Alerts {
  const { db, recorder, clock, log } = house;
  const { say, finish } = makeSay(house);
  const tellOutages = makeOutageTeller(house, rules, say);
  /** an event spoke of a camera that we do not know */
  let strangers = false;

  async function change(tx: Transaction, event: RecorderEvent): Promise<void> {
    if (event.kind === 'disk-low' || event.kind === 'disk-ok') {
      const disk = await readFact<Disk>(tx, DISK);
      await writeFact(tx, DISK, {
        toldMs: disk?.toldMs ?? null,
        low: event.kind === 'disk-low',
        freeBytes: number(event.data.freeBytes, 0),
        totalBytes: number(event.data.totalBytes, 0),
        deleting: event.data.deleting !== false,
      } satisfies Disk);
      return;
    }
    if (words.NOTICE_KINDS.has(event.kind)) {
      // so that its end is told too
      if (event.kind === 'disk-failing')
        await writeFact(tx, DISK, {
          toldMs: event.atMs,
          low: true,
          freeBytes: 0,
          totalBytes: 0,
        } satisfies Disk);
      const waiting = await readFact<words.Notice>(tx, `${NOTICE}${event.kind}`);
      await writeFact(tx, `${NOTICE}${event.kind}`, {
        ...{ id: event.id, kind: event.kind, atMs: event.atMs },
        data:
          waiting !== null && event.kind === 'footage-changed'
            ? words.footageChangedTwice(waiting.data, event.data)
            : event.data,
        count: (waiting?.count ?? 0) + 1,
      } satisfies words.Notice);
      return;
    }
    if (event.kind === 'footage-deleted') return keepRoom(tx, event);
    if (event.cameraId === null) return;
    const camera = await cameraByRecorderId(tx, event.cameraId);
    strangers ||= camera === null;
    if (camera === null) return;
    if (event.kind === 'camera-down')
      await beginOutage(tx, {
        cameraId: camera.id,
        sinceMs: number(event.data.sinceMs, event.atMs),
        reason: typeof event.data.cause === 'string' ? event.data.cause : 'unknown',
      });
    else if (event.kind === 'camera-recording') await endOutage(tx, camera.id, event.atMs);
    else if (event.kind === 'camera-moved')
      await keepMoved(tx, camera.id, {
        from: String(event.data.from),
        to: String(event.data.to),
        atMs: event.atMs,
      });
    else if (event.kind === 'camera-off') await closeQuietly(tx, camera.id, event.atMs);
  }

  async function tellRecorder(nowMs: number): Promise<void> {
    const away = await readFact<Away>(db, AWAY);
    const answers = await recorder.health().then(
      () => true,
      (error: unknown) => {
        if (error instanceof WorldError) return false;
        throw error;
      },
    );
    if (answers) {
      if (away === null) return;
      if (away.toldMs === null) await dropSetting(db, AWAY);
      else
        await say({
          key: `recorder-back:${away.sinceMs}`,
          text: words.recorderBackWords(away.sinceMs, nowMs),
          facts: { [AWAY]: null },
        });
    } else if (away === null) await writeFact(db, AWAY, { sinceMs: nowMs, toldMs: null } satisfies Away);
    else if (away.toldMs === null && nowMs - away.sinceMs >= rules.outageMs)
      await say({
        key: `recorder-away:${away.sinceMs}`,
        text: words.recorderAwayWords(away.sinceMs, nowMs),
        facts: { [AWAY]: { sinceMs: away.sinceMs, toldMs: nowMs } satisfies Away },
      });
  }

  async function tellDisk(nowMs: number): Promise<void> {
    const disk = await readFact<Disk & { okTold?: boolean }>(db, DISK);
    if (disk === null) return;
    if (disk.low && (disk.toldMs === null || (disk.okTold === true && nowMs - disk.toldMs >= DISK_AGAIN_MS)))
      await say({
        key: `disk-low:${nowMs}`,
        text: words.diskLowWords(disk.freeBytes, disk.totalBytes, disk.deleting !== false),
        facts: { [DISK]: { ...disk, toldMs: nowMs, okTold: false } },
      });
    else if (!disk.low && disk.toldMs !== null && disk.okTold !== true)
      await say({
        key: `disk-ok:${disk.toldMs}`,
        text: words.diskOkWords(disk.freeBytes),
        facts: { [DISK]: { ...disk, okTold: true } },
      });
  }

  /** What waits to be told, once each; in the order in which it happened. */
  async function tellNotices(nowMs: number): Promise<void> {
    const waiting = (await settingsUnder(db, NOTICE)).map(({ key }) => key);
    const notices: { key: string; notice: words.Notice }[] = [];
    for (const key of waiting) {
      const notice = await readFact<words.Notice>(db, key);
      if (notice !== null) notices.push({ key, notice });
    }
    for (const { key, notice } of notices.sort((a, b) => a.notice.id - b.notice.id))
      await say({
        key: `${notice.kind}:${notice.id}`,
        text: words.noticeWords(notice, nowMs),
        facts: { [key]: null },
      });
  }

  const alerts: Alerts = {
    async take(event) {
      await inTransaction(db, async (tx) => {
        const cursor = (await readFact<number>(tx, CURSOR)) ?? 0;
        if (event.id <= cursor) return;
        await change(tx, event);
        await writeFact(tx, CURSOR, event.id);
      });
    },

    async reconcile() {
      if ((await readFact<Away>(db, AWAY)) !== null) return;
      const infos = new Map((await recorder.cameras()).map((info) => [info.id, info]));
      const open = new Set((await openOutages(db)).map((outage) => outage.cameraId));
      for (const camera of await listCameras(db)) {
        const info = infos.get(camera.recorderId);
        if (info?.state === 'down' && !open.has(camera.id))
          await beginOutage(db, {
            cameraId: camera.id,
            sinceMs: info.sinceMs,
            reason: info.cause ?? 'unknown',
          });
        else if (info?.state === 'recording' && open.has(camera.id))
          await endOutage(db, camera.id, info.sinceMs);
        else if (info?.state === 'off' && open.has(camera.id))
          await inTransaction(db, (tx) => closeQuietly(tx, camera.id, info.sinceMs));
      }
    },

    async compare() {
      const infos = await recorder.cameras().catch((error: unknown) => {
        if (error instanceof WorldError) return null;
        throw error;
      });
      if (infos !== null) await takeOver(house, infos);
    },

    async tick() {
      await finish();
      const nowMs = clock.now();
      await tellRecorder(nowMs);
      await tellOutages(nowMs);
      await tellDisk(nowMs);
      await tellNotices(nowMs);
      await tellFound(house, say);
    },

    async start(signal) {
      let busy: Promise<void> = Promise.resolve();
      const inTurn = (work: () => Promise<void>) => {
        const done = busy.then(work);
        busy = done.catch((error: unknown) => log.error({ err: error }, 'alerts'));
        return done;
      };
      let heardMs = clock.now();
      let seenId = 0;
      let comparedMs = Number.NEGATIVE_INFINITY;
      const timer = setInterval(
        () =>
          inTurn(async () => {
            await alerts.tick();
            if (strangers || Math.abs(clock.now() - comparedMs) >= COMPARE_MS) {
              [strangers, comparedMs] = [false, clock.now()];
              await alerts.compare();
            }
            // Closed segments are many and change nothing: where we are is written now and then.
            if (seenId > ((await readFact<number>(db, CURSOR)) ?? 0)) await writeFact(db, CURSOR, seenId);
            // Quiet for a while: nothing is under way, so what the recorder says of its cameras is the truth.
            if (clock.now() - heardMs < RECONCILE_MS) return;
            heardMs = clock.now();
            await alerts.reconcile();
          }).catch(() => {}),
        TICK_MS,
      );
      try {
        while (!signal.aborted) {
          try {
            const cursor = (await readFact<number>(db, CURSOR)) ?? 0;
            for await (const event of recorder.events(cursor, signal)) {
              if (signal.aborted) break;
              if (event.kind !== 'segment-closed') {
                heardMs = clock.now();
                await inTurn(() => alerts.take(event));
              }
              seenId = event.id;
            }
          } catch (error) {
            if (!signal.aborted) log.warn({ err: error }, 'recorder events broke off');
          }
          if (!signal.aborted) await pause(TICK_MS, signal);
        }
      } finally {
        clearInterval(timer);
        await busy;
      }
    },
  };
  return alerts;
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });
}
