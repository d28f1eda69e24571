import type { Database, Transaction } from './database.js';

type Store = Database | Transaction;

/** The bot's side of a camera: how people call it, where it hangs, who looks after it. */
export interface Camera {
  id: number;
  /** what people say: "camera 5" */
  number: number;
  recorderId: string;
  name: string;
  site: { id: number; name: string; latitude: number | null; longitude: number | null } | null;
  hamletId: number | null;
  hamletName: string | null;
  householdName: string | null;
  /** sealed; opened only to be shown to who may see it */
  householdPhoneSealed: string | null;
  consentMs: number | null;
  line: string | null;
  switch: string | null;
  /** ids of the technicians who look after it */
  technicianIds: number[];
}

const everything = {
  site: { include: { hamlet: true } },
  assignments: { select: { personId: true } },
} as const;

async function find(db: Store, where: { number?: number; id?: number; recorderId?: string }) {
  const rows = await db.camera.findMany({
    where: { ...where, removedMs: null },
    include: everything,
    orderBy: { number: 'asc' },
  });
  return rows.map(
    (row): Camera => ({
      id: row.id,
      number: row.number,
      recorderId: row.recorderId,
      name: row.name,
      site:
        row.site === null
          ? null
          : {
              id: row.site.id,
              name: row.site.name,
              latitude: row.site.latitude,
              longitude: row.site.longitude,
            },
      hamletId: row.site?.hamletId ?? null,
      hamletName: row.site?.hamlet?.name ?? null,
      householdName: row.householdName,
      householdPhoneSealed: row.householdPhoneSealed,
      consentMs: row.consentMs === null ? null : Number(row.consentMs),
      line: row.line,
      switch: row.switch,
      technicianIds: row.assignments.map((assignment) => assignment.personId),
    }),
  );
}

/** Every camera in use, by number. */
export const listCameras = (db: Store): Promise<Camera[]> => find(db, {});

export async function cameraById(db: Store, id: number): Promise<Camera | null> {
  return (await find(db, { id }))[0] ?? null;
}

export async function cameraByRecorderId(db: Store, recorderId: string): Promise<Camera | null> {
  return (await find(db, { recorderId }))[0] ?? null;
}

/** Every camera there ever was, by the recorder's id. */
export async function everyCamera(db: Store): Promise<Map<string, { removed: boolean }>> {
  const rows = await db.camera.findMany({ select: { recorderId: true, removedMs: true } });
  return new Map(rows.map(({ recorderId, removedMs }) => [recorderId, { removed: removedMs !== null }]));
}

/** Names of cameras by id, the removed ones too: for the log. */
export async function cameraNames(db: Store): Promise<Map<number, string>> {
  const rows = await db.camera.findMany({ select: { id: true, number: true, name: true, removedMs: true } });
  return new Map(
    rows.map((row) => [
      row.id,
      row.removedMs === null ? `camera ${row.number} ${row.name}` : `${row.name} (đã gỡ)`,
    ]),
  );
}

/** The smallest number that no camera in use has. */
export async function freeNumber(db: Store): Promise<number> {
  const taken = new Set((await db.camera.findMany({ select: { number: true } })).map((row) => row.number));
  let number = 1;
  while (taken.has(number)) number += 1;
  return number;
}

/** @returns the new camera's id */
export async function addCamera(
  db: Store,
  camera: { number: number; recorderId: string; name: string; siteId: number | null; line?: string },
): Promise<number> {
  return (await db.camera.create({ data: camera })).id;
}

export interface CameraChange {
  number?: number;
  name?: string;
  siteId?: number | null;
  householdName?: string | null;
  householdPhoneSealed?: string | null;
  consentMs?: number | null;
  line?: string | null;
  switch?: string | null;
}

export async function changeCamera(db: Store, id: number, change: CameraChange): Promise<void> {
  const { consentMs, ...rest } = change;
  await db.camera.update({
    where: { id },
    data: {
      ...rest,
      ...(consentMs === undefined ? {} : { consentMs: consentMs === null ? null : BigInt(consentMs) }),
    },
  });
}

/**
 * Takes a camera out of use; its row stays for the log. The number becomes free, and what belonged to the household
 * goes: name, phone and consent are personal data without a purpose from now on.
 */
export async function removeCamera(db: Store, id: number, nowMs: number): Promise<void> {
  await db.assignment.deleteMany({ where: { cameraId: id } });
  await db.camera.update({
    where: { id },
    data: {
      number: -id,
      removedMs: BigInt(nowMs),
      householdName: null,
      householdPhoneSealed: null,
      consentMs: null,
    },
  });
}

export async function assign(db: Store, personId: number, cameraId: number): Promise<void> {
  const key = { personId, cameraId };
  await db.assignment.upsert({ where: { personId_cameraId: key }, create: key, update: {} });
}

export async function unassign(db: Store, personId: number, cameraId: number): Promise<void> {
  await db.assignment.deleteMany({ where: { personId, cameraId } });
}
