import type { Database, Transaction } from '../src/store/database.js';
import { dropSetting, settingsUnder, writeFact } from '../src/store/settings.js';

const REVIEW = 'camera.review:';

/** A person shall look at this camera: it stands under "Cần xem lại" in the list until its hamlet is told. */
export const askForReview = (tx: Transaction, cameraId: number) =>
  writeFact(tx, `${REVIEW}${cameraId}`, true);

export const reviewed = (tx: Transaction, cameraId: number) => dropSetting(tx, `${REVIEW}${cameraId}`);

/** Ids of the cameras that wait to be looked at. */
export async function toReview(db: Database): Promise<Set<number>> {
  return new Set((await settingsUnder(db, REVIEW)).map(({ key }) => Number(key.slice(REVIEW.length))));
}
