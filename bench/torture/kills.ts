/** kill -9 of the recorder or of one of its ffmpegs at a random moment. */
import { existsSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { OPEN_SUFFIX } from '../../media/recording/names.js';
import { eventually } from '../../test/support/product.js';
import { type RecordedFile, recordedFiles } from '../recorder.js';
import type { Campaign, Round } from './campaign.js';
import { ffmpegsOf, untilAgreed } from './checker.js';
import { type Frames, framesOf, untilFragment } from './frames.js';
import { BACK_MS, openStage, type Stage, type StageOptions } from './stage.js';

/** The parent waits so long before it starts a service again. */
export const PARENT_WAITS_MS = 200;
/** A camera whose child died is down in the recorder's eyes so soon, ms. */
const NOTICED_MS = 10_000;

interface Killed {
  atMs: number;
  /** the cameras it hit */
  ids: string[];
  /** the recorder was killed, was ready again then, and index and files agreed so much later */
  readyMs?: number;
  agreedMs?: number;
  wrong: string[];
  /** processes that must end by themselves */
  orphans: number[];
}

/** Kills the recorder alone; its ffmpegs must end by themselves. */
async function killRecorder(stage: Stage): Promise<Killed> {
  const { recorder, ids } = stage;
  const orphans = await ffmpegsOf(recorder.pid);
  const atMs = await recorder.kill();
  await wait(PARENT_WAITS_MS);
  await recorder.restart();
  const readyMs = Date.now();
  const wrong = await untilAgreed(stage, { readyMs });
  return { atMs, ids, readyMs, agreedMs: Date.now() - readyMs, orphans, wrong };
}

async function killChild({ recorder }: Stage, random: () => number): Promise<Killed> {
  const children = await ffmpegsOf(recorder.pid);
  const child = children[Math.floor(random() * children.length)]!;
  process.kill(child, 'SIGKILL');
  const atMs = Date.now();
  const hit = await eventually(
    'a camera is down',
    async () => {
      const down = (await recorder.client.cameras()).filter(({ state }) => state !== 'recording');
      return down.length > 0 && down.map(({ id }) => id);
    },
    NOTICED_MS,
  );
  return { atMs, ids: hit, orphans: [child], wrong: [] };
}

/** Frames of a file that may get its final name while it is read. */
async function framesNow(
  stage: Stage,
  id: string,
  pick: (files: RecordedFile[]) => RecordedFile | undefined,
): Promise<Frames | null> {
  for (;;) {
    const segment = pick(await recordedFiles(stage.root, id));
    if (segment === undefined) return null;
    try {
      return await framesOf(stage, `/${id}`, segment);
    } catch (error) {
      if (existsSync(segment.file)) throw error;
    }
  }
}

/** What a kill cost, by the frame clock, once every camera it hit records again. */
async function costOf(stage: Stage, killed: Killed, judged: Set<string>): Promise<Round> {
  const { root, server, stream, ids } = stage;
  const again = await Promise.all(killed.ids.map((id) => untilFragment(root, id, killed.atMs, BACK_MS)));
  const figures: Record<string, number[]> = {
    'recording again after': again.map((backMs) => backMs - killed.atMs),
    'lost before the kill': [],
    'from the last picture to the next': [],
  };
  const { readyMs, agreedMs } = killed;
  if (agreedMs !== undefined) figures['index and files agree after'] = [agreedMs];
  const expected = { ended: killed.orphans, ...(readyMs !== undefined && { readyMs }) };
  const wrong = [...killed.wrong, ...(await stage.check(expected))];
  for (const id of ids) {
    for (const segment of await recordedFiles(root, id)) {
      if (judged.has(segment.file) || segment.file.endsWith(OPEN_SUFFIX)) continue;
      judged.add(segment.file);
      if ((await framesOf(stage, `/${id}`, segment))?.whole !== true)
        wrong.push(`${segment.file} misses a frame`);
    }
    if (!killed.ids.includes(id)) {
      const around = { startMs: killed.atMs - 1000, endMs: Math.min(Date.now(), killed.atMs + 3000) };
      const { gaps } = await stage.recorder.client.coverage(id, around);
      if (gaps.length > 0) wrong.push(`${id} has a gap though another camera's process died`);
      continue;
    }
    const before = await framesNow(stage, id, (all) => all.findLast(({ startMs }) => startMs < killed.atMs));
    const after = await framesNow(stage, id, (all) => all.find(({ startMs }) => startMs > killed.atMs));
    if (before === null || after === null) {
      wrong.push(`${id} has no picture before or after the kill`);
      continue;
    }
    const lost = Math.max(0, server.frameAt(`/${id}`, killed.atMs) - before.last);
    figures['lost before the kill']!.push((lost * 1000) / stream.fps);
    figures['from the last picture to the next']!.push(
      server.sentMs(`/${id}`, after.first) - server.sentMs(`/${id}`, before.last),
    );
  }
  return { figures, wrong };
}

/** A stage whose recorder (and children, if wanted) are killed 0.3 s to `lifeMs` after every camera records. */
export async function openKills(
  options: StageOptions & { lifeMs: number; children: boolean },
): Promise<{ round(random: () => number): Promise<Round>; close(keepIn?: string): Promise<void> }> {
  const stage = await openStage(options);
  const judged = new Set<string>();
  return {
    async round(random) {
      await stage.recording();
      await wait(300 + random() * (options.lifeMs - 300));
      const child = options.children && random() < 0.4;
      return costOf(stage, child ? await killChild(stage, random) : await killRecorder(stage), judged);
    },
    close: stage.close,
  };
}

export const kills: Campaign = {
  what: 'kill -9 of the recorder or of one of its ffmpegs, 0.3–2.5 s after every camera records',
  ...{ rounds: 1000, lanes: 4, roundsAPlace: 25, needs: [] },
  bars: { 'lost before the kill': 1000, 'index and files agree after': 5000 },
  open: ({ patience }) => openKills({ patience, lifeMs: 2500, children: true }),
};
