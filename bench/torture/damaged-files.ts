/** Files that somebody (or a bad disk) changed, cut, zeroed, swapped or took away while the recorder runs. */
import { copyFile, open, rename, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { SEAM_MS } from '../../media/coverage.js';
import type { SegmentRow } from '../../media/index/rows.js';
import { TINY } from '../../test/support/frame-clock.js';
import { eventually } from '../../test/support/product.js';
import type { Campaign, Round } from './campaign.js';
import { rowsOf } from './checker.js';
import { openStage, type Stage } from './stage.js';
import { judgedClip } from './told-gaps.js';

type Random = () => number;

async function overwrite(file: string, at: number, bytes: Buffer): Promise<void> {
  const handle = await open(file, 'r+');
  await handle.write(bytes, 0, bytes.length, at);
  await handle.close();
}

/** What may happen to a file; `other` is a second one of the same camera. All give back whether `other` is hit too. */
const DAMAGES: Record<
  string,
  (file: string, size: number, random: Random, other: string) => Promise<boolean>
> = {
  async corrupted(file, size, random) {
    const bytes = Buffer.from(Array.from({ length: 64 }, () => Math.floor(random() * 256)));
    await overwrite(file, Math.floor(random() * (size - bytes.length)), bytes);
    return false;
  },
  async truncated(file, size, random) {
    await truncate(file, Math.floor(random() * size));
    return false;
  },
  async zeroed(file, size, random) {
    const at = random() < 0.3 ? 0 : Math.floor((random() * size) / 2);
    await overwrite(file, at, Buffer.alloc(Math.min(size - at, 4096 * (1 + Math.floor(random() * 8)))));
    return false;
  },
  async swapped(file, _size, _random, other) {
    await copyFile(file, `${file}.kept`);
    await rename(other, file);
    await rename(`${file}.kept`, other);
    return true;
  },
  async removed(file) {
    await rm(file);
    return false;
  },
};

/** A clip over a damaged file and its neighbours tells what it lacks, no more and no less, and lacks no more than that file. */
async function clipOver(stage: Stage, rows: readonly SegmentRow[]): Promise<[string[], number]> {
  const [before, victim, after] = rows as [SegmentRow, SegmentRow, SegmentRow];
  const { startMs, endMs } = { startMs: before.startMs, endMs: after.endMs };
  const { wrong, lackingMs, job } = await judgedClip(stage, { cameraId: victim.cameraId, startMs, endMs });
  const told = `told: ${job.gaps.map((gap) => `${gap.endMs - gap.startMs} ms ${gap.cause}`).join(', ') || 'nothing'}`;
  const all = wrong.map((line) => `a clip over ${victim.path}: ${line} (${told})`);
  // the neighbours are whole, but for how frames are dated at the borders
  const mostMs = victim.endMs - victim.startMs + 700;
  if (lackingMs > mostMs) all.push(`a clip over ${victim.path} lacks ${lackingMs} ms of at most ${mostMs}`);
  return [all, lackingMs];
}

export const damagedFiles: Campaign = {
  what: 'a closed file corrupted, truncated, zeroed, swapped with another or removed while the recorder runs; half of the times it is killed and started again after it',
  ...{ rounds: 200, lanes: 3, roundsAPlace: 5, needs: [], bars: {} },
  async open({ patience }) {
    // one file after another may be gone: its loop is long enough to tell which time each frame is shown
    const stage = await openStage({ patience, settings: { ...TINY, seconds: 60 } });
    const tampered: string[] = [];
    return {
      async round(random) {
        await stage.recording();
        const id = stage.ids[Math.floor(random() * stage.ids.length)]!;
        const whole = await eventually('three whole files of one camera, one after the other', async () => {
          const rows = (await rowsOf(stage.recorder)).filter((row) => row.cameraId === id && !row.open);
          const fresh = rows
            .filter(({ path }) => !tampered.includes(path))
            .sort((a, b) => a.startMs - b.startMs);
          const last = fresh.slice(-3);
          const joined = last.every((row, i) => i === 0 || row.startMs - last[i - 1]!.endMs < SEAM_MS);
          return last.length === 3 && joined && last;
        });
        const [other, victim] = whole as [SegmentRow, SegmentRow, SegmentRow];
        const kind = Object.keys(DAMAGES)[Math.floor(random() * Object.keys(DAMAGES).length)]!;
        const file = join(stage.root, victim.path);
        const seen = stage.events.length;
        const both = await DAMAGES[kind]!(file, victim.sizeBytes, random, join(stage.root, other.path));
        tampered.push(victim.path, ...(both ? [other.path] : []));
        const [wrong, lackingMs] = both ? [[], 0] : await clipOver(stage, whole);
        const restart = random() < 0.5;
        if (restart) {
          await stage.recorder.kill();
          await stage.recorder.restart();
        }
        const readyMs = Date.now();
        await stage.recording();
        await wait(random() * 1000);
        // what is gone is told by the recovery at the latest
        if (kind === 'removed' && restart) await stage.told('footage-changed', seen);
        wrong.push(...(await stage.check({ tampered, ...(restart && { readyMs }) })));
        const figures: Round['figures'] = both ? {} : { 'a clip over it lacks': [lackingMs] };
        return {
          figures,
          wrong: wrong.map((line) => `${kind}: ${line}`),
        };
      },
      close: stage.close,
    };
  },
};
