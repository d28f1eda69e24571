import type { Outage } from '../../src/store/outages.js';

export interface AlertRules {
  /** down for longer is told, ms */
  outageMs: number;
  /** a due outage waits so long for others that began just after it, to be told together, ms */
  gatherMs: number;
  /** so many outages of one camera are told within an hour, then one summary */
  tellsPerHour: number;
  /** a flapping camera that holds (or stays away) so long is told again, ms */
  steadyMs: number;
  /** from so many at once on they are one message */
  floodFrom: number;
  /** the end of an outage nobody was told of is news only so long, ms */
  newsMs: number;
}

export const rulesFor = (outageSeconds: number): AlertRules => ({
  outageMs: outageSeconds * 1000,
  gatherMs: 15_000,
  tellsPerHour: 3,
  steadyMs: 30 * 60_000,
  floodFrom: 3,
  newsMs: 6 * 3_600_000,
});

/** What is known when the decision is made. */
export interface OutagePicture {
  nowMs: number;
  /** not ended, oldest first */
  open: Outage[];
  /** ended, and the end was not told */
  ended: Outage[];
  /** told within the last hour */
  told: Outage[];
  /** began within the last `steadyMs` or ended in it, by camera: when the camera last changed */
  lastChangeMs: Map<number, number>;
  /** cameras whose flapping was told */
  flapping: Set<number>;
  /** cameras that record at this moment, whatever the events so far say */
  recordingNow: Set<number>;
}

export interface Decision {
  /** tell that they are down: one message each, or one for all from `floodFrom` on */
  down: Outage[];
  /** tell that they are back */
  back: Outage[];
  /** ended before anybody was told, but long enough to matter: told as past */
  past: Outage[];
  /** too short, too old or of a flapping camera: closed without a word */
  silent: Outage[];
  /** cameras to be summed up as flapping */
  flap: number[];
  /** flapping cameras that are steady again */
  steady: number[];
}

/** Which outages are told now. Pure: the same picture gives the same decision. */
export function groupOutages(picture: OutagePicture, rules: AlertRules): Decision {
  const { nowMs, flapping } = picture;
  const decision: Decision = { down: [], back: [], past: [], silent: [], flap: [], steady: [] };

  for (const outage of picture.ended) {
    const lengthMs = (outage.backMs ?? nowMs) - outage.sinceMs;
    if (outage.toldMs !== null && !flapping.has(outage.cameraId)) decision.back.push(outage);
    else if (
      outage.toldMs === null &&
      lengthMs >= rules.outageMs &&
      outage.reason !== 'recorder-down' &&
      !flapping.has(outage.cameraId) &&
      nowMs - (outage.backMs ?? nowMs) < rules.newsMs
    )
      decision.past.push(outage);
    else decision.silent.push(outage);
  }

  const tells = new Map<number, number>();
  for (const outage of picture.told) tells.set(outage.cameraId, (tells.get(outage.cameraId) ?? 0) + 1);

  const waiting = picture.open.filter(
    (outage) =>
      outage.toldMs === null &&
      outage.reason !== 'recorder-down' &&
      outage.reason !== 'switched-off' &&
      !picture.recordingNow.has(outage.cameraId),
  );
  const due: Outage[] = [];
  for (const outage of waiting) {
    const lengthMs = nowMs - outage.sinceMs;
    if (lengthMs < rules.outageMs) continue;
    if (flapping.has(outage.cameraId)) {
      if (lengthMs >= rules.steadyMs) due.push(outage);
    } else if ((tells.get(outage.cameraId) ?? 0) >= rules.tellsPerHour) decision.flap.push(outage.cameraId);
    else due.push(outage);
  }
  const first = due[0];
  if (first !== undefined) {
    const more = waiting.some(
      (outage) =>
        nowMs - outage.sinceMs < rules.outageMs &&
        outage.sinceMs <= first.sinceMs + rules.gatherMs &&
        !flapping.has(outage.cameraId),
    );
    if (!more || nowMs - first.sinceMs >= rules.outageMs + rules.gatherMs) decision.down = due;
  }

  const openNow = new Set(picture.open.map((outage) => outage.cameraId));
  for (const cameraId of flapping)
    if (!openNow.has(cameraId) && nowMs - (picture.lastChangeMs.get(cameraId) ?? 0) >= rules.steadyMs)
      decision.steady.push(cameraId);
  return decision;
}
