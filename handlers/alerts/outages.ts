import type { CameraInfo } from '../../media/types.js';
import { WorldError } from '../../src/base/errors.js';
import { type Camera, listCameras } from '../../src/store/cameras.js';
import { inTransaction, type Transaction } from '../../src/store/database.js';
import {
  endedUntold,
  endOutage,
  markToldBack,
  type Outage,
  openOutages,
  outagesSince,
  toldSince,
} from '../../src/store/outages.js';
import { dropSetting, settingsUnder } from '../../src/store/settings.js';
import type { House } from '../house.js';
import { type AlertRules, groupOutages } from './decide.js';
import { type Moved, movedKey, movedWords, stepsByHand, untoldMoves } from './moved.js';
import { type Aside, type Say, techniciansOf } from './planned.js';
import * as words from './words.js';

const FLAPPING = 'alerts.flapping:';
/** Its technicians were told what to do by hand, and hear of its return too. */
const STEPS = 'alerts.steps:';

/** Ends a camera's outage that needs no word. */
export async function closeQuietly(tx: Transaction, cameraId: number, atMs: number): Promise<void> {
  const open = (await openOutages(tx)).filter((outage) => outage.cameraId === cameraId);
  await endOutage(tx, cameraId, atMs);
  await markToldBack(
    tx,
    open.map((outage) => outage.id),
    atMs,
  );
}

/** What is known when outages are told. */
interface Known {
  nowMs: number;
  cameras: Map<number, Camera>;
  /** how the recorder sees them now; empty when it was not asked or does not answer */
  infos: Map<number, CameraInfo>;
  moves: Map<number, Moved>;
  /** cameras whose technicians wait to hear of their return */
  stepped: Set<number>;
}

const ids = (list: readonly words.TellableOutage[]) => list.map(({ outage }) => outage.id);

/** Says which cameras are down, back, flapping or found elsewhere, each once. */
export function makeOutageTeller(
  house: House,
  rules: AlertRules,
  say: Say,
): (nowMs: number) => Promise<void> {
  const { db, recorder } = house;

  /** How the cameras are at this moment: an event of a return may still be under way. */
  async function infosNow(cameras: Map<number, Camera>, needed: boolean): Promise<Map<number, CameraInfo>> {
    if (!needed) return new Map();
    try {
      const infos = new Map((await recorder.cameras()).map((info) => [info.id, info]));
      return new Map(
        [...cameras.values()].flatMap(({ id, recorderId }) => {
          const info = infos.get(recorderId);
          return info === undefined ? [] : [[id, info] as const];
        }),
      );
    } catch (error) {
      if (error instanceof WorldError) return new Map();
      throw error;
    }
  }

  async function aside(key: string, text: string, camera: Camera): Promise<Aside[]> {
    const personIds = await techniciansOf(house, camera.technicianIds);
    return personIds.length === 0 ? [] : [{ key, text, personIds }];
  }

  /** What the end of an outage brings to a close: the news of a move, the technicians' waiting. */
  async function closing(items: words.TellableOutage[], { moves, stepped }: Known) {
    const facts: Record<string, null> = {};
    const asides: Aside[] = [];
    for (const { outage, camera } of items) {
      const moved = moves.get(camera.id) ?? null;
      if (moved === null && !stepped.has(camera.id)) continue;
      const text = words.backWords({ outage, camera }, moved);
      asides.push(...(await aside(`outage:${outage.id}:back`, text, camera)));
      facts[movedKey(camera.id)] = null;
      facts[`${STEPS}${camera.id}`] = null;
      moves.delete(camera.id);
    }
    return { facts, asides };
  }

  async function tellPast(items: words.TellableOutage[], known: Known): Promise<void> {
    for (const item of items)
      await say({
        key: `outage:${item.outage.id}:past`,
        text: words.pastWords(item, known.nowMs, known.moves.get(item.camera.id) ?? null),
        digest: 'outage',
        toldBack: [item.outage.id],
        ...(await closing([item], known)),
      });
  }

  async function tellBack(items: words.TellableOutage[], known: Known): Promise<void> {
    if (items.length >= rules.floodFrom)
      await say({
        key: `outage:${ids(items).join(',')}:back`,
        text: words.floodBackWords(items, known.moves),
        toldBack: ids(items),
        ...(await closing(items, known)),
      });
    else
      for (const item of items)
        await say({
          key: `outage:${item.outage.id}:back`,
          text: words.backWords(item, known.moves.get(item.camera.id) ?? null),
          digest: 'outage',
          toldBack: [item.outage.id],
          ...(await closing([item], known)),
        });
  }

  /** Found elsewhere, and its outage was too short to be told, or is over for other reasons. */
  async function tellMoves({ cameras, moves }: Known, open: Set<number>): Promise<void> {
    for (const [cameraId, moved] of moves) {
      if (open.has(cameraId)) continue;
      const camera = cameras.get(cameraId);
      if (camera === undefined) {
        await dropSetting(db, movedKey(cameraId));
        continue;
      }
      const key = `moved:${cameraId}:${moved.atMs}`;
      const text = movedWords(words.called(camera), moved);
      const asides = await aside(key, text, camera);
      await say({ key, text, digest: 'outage', asides, facts: { [movedKey(cameraId)]: null } });
    }
  }

  /** What is said of a camera that is down, with what its technicians do by hand where it can't be looked for. */
  async function downOf(item: words.TellableOutage, { nowMs, infos }: Known) {
    const { outage, camera } = item;
    const info = infos.get(camera.id);
    const steps = info === undefined || outage.reason !== 'unreachable' ? null : stepsByHand(info, camera);
    const key = `outage:${outage.id}:down`;
    const text = words.downWords(item, nowMs, steps);
    const facts: Record<string, unknown> = { [`${FLAPPING}${camera.id}`]: null };
    if (steps !== null) facts[`${STEPS}${camera.id}`] = nowMs;
    const asides = steps === null ? [] : await aside(key, text, camera);
    return { key, text, told: [outage.id], facts, asides };
  }

  async function tellDown(items: words.TellableOutage[], known: Known): Promise<void> {
    const each = await Promise.all(items.map((item) => downOf(item, known)));
    if (items.length >= rules.floodFrom)
      await say({
        key: `outage:${ids(items).join(',')}:down`,
        text: words.floodWords(items, known.nowMs),
        told: ids(items),
        facts: Object.assign({}, ...each.map(({ facts }) => facts)),
        asides: each.flatMap(({ asides }) => asides),
      });
    else for (const one of each) await say({ ...one, digest: 'outage' });
  }

  async function tellFlapping(
    decision: { flap: number[]; steady: number[] },
    recent: Outage[],
    { nowMs, cameras }: Known,
  ): Promise<void> {
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
      const camera = cameras.get(cameraId);
      if (camera === undefined) await dropSetting(db, `${FLAPPING}${cameraId}`);
      else
        await say({
          key: `steady:${cameraId}:${nowMs}`,
          text: words.steadyWords(camera),
          facts: { [`${FLAPPING}${cameraId}`]: null },
        });
    }
  }

  return async (nowMs) => {
    const open = await openOutages(db);
    const ended = await endedUntold(db);
    const flapping = await settingsUnder(db, FLAPPING);
    const moves = await untoldMoves(db);
    if (open.length === 0 && ended.length === 0 && flapping.length === 0 && moves.size === 0) return;
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
    const known: Known = {
      ...{ nowMs, cameras, moves },
      infos: await infosNow(
        cameras,
        open.some((outage) => outage.toldMs === null),
      ),
      stepped: new Set((await settingsUnder(db, STEPS)).map(({ key }) => Number(key.slice(STEPS.length)))),
    };
    const decision = groupOutages(
      {
        nowMs,
        open: open.filter((outage) => cameras.has(outage.cameraId)),
        ended,
        told: await toldSince(db, nowMs - 3_600_000),
        lastChangeMs,
        flapping: new Set(flapping.map((fact) => Number(fact.key.slice(FLAPPING.length)))),
        recordingNow: new Set(
          [...known.infos].flatMap(([id, info]) => (info.state === 'recording' ? [id] : [])),
        ),
      },
      rules,
    );
    const tellable = (outages: Outage[]) =>
      outages.flatMap((outage) => {
        const camera = cameras.get(outage.cameraId);
        return camera === undefined ? [] : [{ outage, camera }];
      });
    const unknown = [...decision.past, ...decision.back].filter((outage) => !cameras.has(outage.cameraId));
    await markToldBack(
      db,
      [...decision.silent, ...unknown].map((outage) => outage.id),
      nowMs,
    );
    await tellPast(tellable(decision.past), known);
    await tellBack(tellable(decision.back), known);
    await tellMoves(known, new Set(open.map((outage) => outage.cameraId)));
    await tellDown(tellable(decision.down), known);
    await tellFlapping(decision, recent, known);
  };
}
