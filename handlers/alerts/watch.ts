import type { RecorderEvent } from '../../media/types.js';
import { WorldError } from '../../src/base/errors.js';
import { type Camera, cameraByRecorderId, listCameras } from '../../src/store/cameras.js';
import { inTransaction, type Transaction } from '../../src/store/database.js';
import {
  beginOutage,
  endedUntold,
  endOutage,
  markTold,
  markToldBack,
  openOutages,
  outagesSince,
  toldSince,
} from '../../src/store/outages.js';
import { dropSetting, readFact, settingsUnder, writeFact } from '../../src/store/settings.js';
import type { House } from '../house.js';
import { type AlertRules, groupOutages, rulesFor } from './decide.js';
import { officersChats, recipientName } from './recipients.js';
import * as words from './words.js';

/** Something to be said, written down before it is said: a crash in between says it once all the same. */
interface Planned {
  key: string;
  text: string;
  digest: string | null;
  told: number[];
  toldBack: number[];
  /** facts to keep (value) or forget (null) once it is said */
  facts: Record<string, unknown>;
}

interface Away {
  sinceMs: number;
  toldMs: number | null;
}

interface Disk {
  toldMs: number | null;
  low: boolean;
  freeBytes: number;
  totalBytes: number;
}

const CURSOR = 'alerts.cursor';
const PLANNED = 'alerts.planned';
const AWAY = 'alerts.recorder-away';
const DISK = 'alerts.disk';
const NOTICE = 'alerts.notice:';
const FLAPPING = 'alerts.flapping:';
/** a disk that is low again within this time is not told again */
const DISK_AGAIN_MS = 6 * 3_600_000;
const TICK_MS = 5000;
const RECONCILE_MS = 60_000;

export interface Alerts {
  /** Follows the recorder until the signal aborts; resolves then. */
  start(signal: AbortSignal): Promise<void>;
  /** Takes one event of the recorder: what it changes and the cursor, in one transaction. */
  take(event: RecorderEvent): Promise<void>;
  /** Puts our picture right where events were lost: asks the recorder how the cameras are. */
  reconcile(): Promise<void>;
  /** Says what is due. */
  tick(): Promise<void>;
}

const number = (value: unknown, otherwise: number) => (typeof value === 'number' ? value : otherwise);

/** When a camera speaks: outages, the recorder's own absence and the disk, each told once. */
export function makeAlerts(house: House, rules: AlertRules = rulesFor(house.settings.outageSeconds)): Alerts {
  const { db, recorder, clock, log } = house;

  async function change(tx: Transaction, event: RecorderEvent): Promise<void> {
    if (event.kind === 'disk-low' || event.kind === 'disk-ok') {
      const disk = await readFact<Disk>(tx, DISK);
      await writeFact(tx, DISK, {
        toldMs: disk?.toldMs ?? null,
        low: event.kind === 'disk-low',
        freeBytes: number(event.data.freeBytes, 0),
        totalBytes: number(event.data.totalBytes, 0),
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
        ...{ id: event.id, kind: event.kind, atMs: event.atMs, data: event.data },
        count: (waiting?.count ?? 0) + 1,
      } satisfies words.Notice);
      return;
    }
    if (event.cameraId === null) return;
    const camera = await cameraByRecorderId(tx, event.cameraId);
    if (camera === null) return;
    if (event.kind === 'camera-down')
      await beginOutage(tx, {
        cameraId: camera.id,
        sinceMs: number(event.data.sinceMs, event.atMs),
        reason: typeof event.data.cause === 'string' ? event.data.cause : 'unknown',
      });
    else if (event.kind === 'camera-recording') await endOutage(tx, camera.id, event.atMs);
    else if (event.kind === 'camera-off') await closeQuietly(tx, camera.id, event.atMs);
  }

  async function closeQuietly(tx: Transaction, cameraId: number, atMs: number): Promise<void> {
    const open = (await openOutages(tx)).filter((outage) => outage.cameraId === cameraId);
    await endOutage(tx, cameraId, atMs);
    await markToldBack(
      tx,
      open.map((outage) => outage.id),
      atMs,
    );
  }

  /** Says what is planned, then marks it: repeated after a crash, the outbox knows the key. */
  async function carryOut(planned: Planned): Promise<void> {
    const { chats } = await officersChats(db);
    for (const chat of chats)
      await house.tell(chat, planned.text, {
        key: `${planned.key}:${recipientName(chat)}`,
        priority: 'alert',
        ...(planned.digest === null ? {} : { digest: planned.digest }),
      });
    const nowMs = clock.now();
    await inTransaction(db, async (tx) => {
      await markTold(tx, planned.told, nowMs);
      await markToldBack(tx, planned.toldBack, nowMs);
      for (const [key, value] of Object.entries(planned.facts))
        if (value === null) await dropSetting(tx, key);
        else await writeFact(tx, key, value);
      await dropSetting(tx, PLANNED);
    });
    if (chats.length === 0) log.warn({ alert: planned.key }, 'alert without anybody to hear it');
  }

  async function say(planned: Partial<Planned> & { key: string; text: string }): Promise<void> {
    const whole: Planned = { digest: null, told: [], toldBack: [], facts: {}, ...planned };
    await writeFact(db, PLANNED, whole);
    await carryOut(whole);
  }

  async function tellOutages(nowMs: number): Promise<void> {
    const open = await openOutages(db);
    const ended = await endedUntold(db);
    const flapping = await settingsUnder(db, FLAPPING);
    if (open.length === 0 && ended.length === 0 && flapping.length === 0) return;
    const cameras = new Map((await listCameras(db)).map((camera) => [camera.id, camera]));
    for (const outage of open)
      if (!cameras.has(outage.cameraId))
        await inTransaction(db, (tx) => closeQuietly(tx, outage.cameraId, nowMs));

    const recent = await outagesSince(db, nowMs - 24 * 3_600_000);
    const lastChangeMs = new Map<number, number>();
    for (const outage of recent)
      lastChangeMs.set(
        outage.cameraId,
        Math.max(lastChangeMs.get(outage.cameraId) ?? 0, outage.backMs ?? outage.sinceMs),
      );
    const decision = groupOutages(
      {
        nowMs,
        open: open.filter((outage) => cameras.has(outage.cameraId)),
        ended,
        told: await toldSince(db, nowMs - 3_600_000),
        lastChangeMs,
        flapping: new Set(flapping.map((fact) => Number(fact.key.slice(FLAPPING.length)))),
        recordingNow: await recordingNow(open.some((outage) => outage.toldMs === null)),
      },
      rules,
    );
    const tellable = (outages: typeof open) =>
      outages.flatMap((outage) => {
        const camera = cameras.get(outage.cameraId);
        return camera === undefined ? [] : [{ outage, camera }];
      });
    const ids = (list: { outage: { id: number } }[]) => list.map(({ outage }) => outage.id);

    const unknown = [...decision.past, ...decision.back].filter((outage) => !cameras.has(outage.cameraId));
    await markToldBack(
      db,
      [...decision.silent, ...unknown].map((outage) => outage.id),
      nowMs,
    );
    for (const item of tellable(decision.past))
      await say({
        key: `outage:${item.outage.id}:past`,
        text: words.pastWords(item, nowMs),
        digest: 'outage',
        toldBack: [item.outage.id],
      });

    const back = tellable(decision.back);
    if (back.length >= rules.floodFrom)
      await say({
        key: `outage:${ids(back).join(',')}:back`,
        text: words.floodBackWords(back),
        toldBack: ids(back),
      });
    else
      for (const item of back)
        await say({
          key: `outage:${item.outage.id}:back`,
          text: words.backWords(item),
          digest: 'outage',
          toldBack: [item.outage.id],
        });

    const down = tellable(decision.down);
    const forget = (items: typeof down) =>
      Object.fromEntries(items.map(({ camera }) => [`${FLAPPING}${camera.id}`, null]));
    if (down.length >= rules.floodFrom)
      await say({
        key: `outage:${ids(down).join(',')}:down`,
        text: words.floodWords(down, nowMs),
        told: ids(down),
        facts: forget(down),
      });
    else
      for (const item of down)
        await say({
          key: `outage:${item.outage.id}:down`,
          text: words.downWords(item, nowMs),
          digest: 'outage',
          told: [item.outage.id],
          facts: forget([item]),
        });

    for (const cameraId of decision.flap) {
      const camera = cameras.get(cameraId);
      if (camera === undefined) continue;
      const times = recent.filter(
        (outage) => outage.cameraId === cameraId && outage.sinceMs >= nowMs - 3_600_000,
      ).length;
      await say({
        key: `flapping:${cameraId}:${nowMs}`,
        text: words.flapWords(camera, times),
        facts: { [`${FLAPPING}${cameraId}`]: nowMs },
      });
    }
    for (const cameraId of decision.steady) {
      const camera = cameras.get(cameraId) as Camera | undefined;
      if (camera === undefined) await dropSetting(db, `${FLAPPING}${cameraId}`);
      else
        await say({
          key: `steady:${cameraId}:${nowMs}`,
          text: words.steadyWords(camera),
          facts: { [`${FLAPPING}${cameraId}`]: null },
        });
    }
  }

  /** Cameras that record at this moment: an event of their return may still be under way. */
  async function recordingNow(needed: boolean): Promise<Set<number>> {
    if (!needed) return new Set();
    try {
      const ids = new Map((await listCameras(db)).map((camera) => [camera.recorderId, camera.id]));
      const infos = await recorder.cameras();
      return new Set(infos.flatMap((info) => (info.state === 'recording' ? [ids.get(info.id) ?? -1] : [])));
    } catch (error) {
      if (error instanceof WorldError) return new Set();
      throw error;
    }
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
        text: words.diskLowWords(disk.freeBytes, disk.totalBytes),
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

    async tick() {
      const left = await readFact<Planned>(db, PLANNED);
      if (left !== null) await carryOut(left);
      const nowMs = clock.now();
      await tellRecorder(nowMs);
      await tellOutages(nowMs);
      await tellDisk(nowMs);
      await tellNotices(nowMs);
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
      const timer = setInterval(
        () =>
          inTurn(async () => {
            await alerts.tick();
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
