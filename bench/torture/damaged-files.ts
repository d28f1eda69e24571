/** Files that somebody (or a bad disk) changed, cut, zeroed, swapped or took away while the recorder runs. */
import { copyFile, open, rename, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { SegmentRow } from '../../media/index/rows.js';
import { probeFile } from '../../test/support/ffmpeg.js';
import { eventually } from '../../test/support/product.js';
import type { Campaign } from './campaign.js';
import { rowsOf } from './checker.js';
import { openStage, type Stage } from './stage.js';

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

/** The files before and after a damaged one still come out whole in one clip over all three. */
async function clipsAround(stage: Stage, rows: readonly SegmentRow[], at: number): Promise<string[]> {
  const [before, after] = [rows[at - 1], rows[at + 1]];
  if (before === undefined || after === undefined) return [];
  const id = before.cameraId;
  const { startMs, endMs } = { startMs: before.startMs, endMs: after.endMs };
  const job = await stage.recorder.client.clip({ cameraId: id, startMs, endMs, format: 'original' });
  let thereMs = 0;
  for (const part of job.parts) {
    const file = join(stage.recorder.folder, `part-${part.index}.mp4`);
    await stage.recorder.client.savePart(job.id, part.index, file);
    await probeFile(file);
    await rm(file);
    thereMs += part.durationMs;
  }
  const dueMs = before.endMs - before.startMs + (after.endMs - after.startMs);
  return thereMs >= dueMs - 500
    ? []
    : [`a clip over ${rows[at]!.path} has ${thereMs} ms, its neighbours ${dueMs}`];
}

export const damagedFiles: Campaign = {
  what: 'a closed file corrupted, truncated, zeroed, swapped with another or removed while the recorder runs; half of the times it is killed and started again after it',
  ...{ rounds: 200, lanes: 3, roundsAPlace: 5, needs: [], bars: {} },
  async open({ patience }) {
    const stage = await openStage({ patience });
    const tampered: string[] = [];
    const taken: { cameraId: string; startMs: number; endMs: number }[] = [];
    return {
      async round(random) {
        await stage.recording();
        const id = stage.ids[Math.floor(random() * stage.ids.length)]!;
        const whole = await eventually('three whole files of one camera', async () => {
          const rows = (await rowsOf(stage.recorder)).filter((row) => row.cameraId === id && !row.open);
          const fresh = rows
            .filter(({ path }) => !tampered.includes(path))
            .sort((a, b) => a.startMs - b.startMs);
          return fresh.length >= 3 && fresh.slice(-3);
        });
        const [other, victim] = whole as [SegmentRow, SegmentRow, SegmentRow];
        const kind = Object.keys(DAMAGES)[Math.floor(random() * Object.keys(DAMAGES).length)]!;
        const file = join(stage.root, victim.path);
        const both = await DAMAGES[kind]!(file, victim.sizeBytes, random, join(stage.root, other.path));
        tampered.push(victim.path, ...(both ? [other.path] : []));
        if (kind === 'removed') taken.push(victim);
        const wrong = both ? [] : await clipsAround(stage, whole, 1);
        const restart = random() < 0.5;
        if (restart) {
          await stage.recorder.kill();
          await stage.recorder.restart();
        }
        const readyMs = Date.now();
        await stage.recording();
        await wait(random() * 1000);
        wrong.push(...(await stage.check({ tampered, taken, ...(restart && { readyMs }) })));
        return { figures: {}, wrong: wrong.map((line) => `${kind}: ${line}`) };
      },
      close: stage.close,
    };
  },
};
