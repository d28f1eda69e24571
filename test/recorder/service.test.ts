import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readSegmentName } from '../../media/recording/names.js';
import type { RecorderEvent } from '../../media/types.js';
import { probeFile } from '../support/ffmpeg.js';
import { cameraIs, filesIn, type Stand, startStand, until } from './stand.js';

let stand: Stand;
beforeAll(async () => {
  stand = await startStand();
  await stand.client.addCamera({ id: 'cam1', name: 'Cổng chợ', url: 'test:street' });
  await cameraIs(stand.client, 'cam1', 'recording');
});
afterAll(() => stand?.end());

/** Resolves with the first event that fits, from the beginning of the service. */
async function event(fits: (event: RecorderEvent) => boolean, after = 0): Promise<RecorderEvent> {
  const enough = new AbortController();
  const limit = AbortSignal.timeout(20_000);
  try {
    for await (const one of stand.client.events(after, AbortSignal.any([enough.signal, limit])))
      if (fits(one)) return one;
  } finally {
    enough.abort();
  }
  throw new Error('no such event');
}

describe('a recording camera', () => {
  it('gives the newest picture from memory, dated', async () => {
    const picture = await stand.client.snapshot('cam1');
    expect(Buffer.from(picture.jpeg).subarray(0, 3).toString('hex')).toBe('ffd8ff');
    expect([picture.width, picture.height]).toEqual([1280, 720]);
    expect(Date.now() - picture.frameMs).toBeLessThan(2000);
    const small = await stand.client.snapshot('cam1', { width: 320 });
    expect([small.width, small.height]).toEqual([320, 180]);
  });

  it('cuts files at keyframes after the border and names them by their start', async () => {
    await event((one) => one.kind === 'segment-closed');
    const second = await event(
      (one) => one.kind === 'segment-closed',
      (await event((one) => one.kind === 'segment-closed')).id,
    );
    const file = path.join(stand.config.recordingsDir, String(second.data.path));
    const named = readSegmentName(file)!;
    expect(named).toMatchObject({
      cameraId: 'cam1',
      stream: 'main',
      open: false,
      startMs: second.data.startMs,
    });
    const probed = await probeFile(file, { packets: true });
    expect(probed.packets?.[0]?.flags).toMatch(/^K/);
    expect(named.startMs % 4000).toBeLessThan(2100);
    expect((await fs.stat(file)).size).toBe(second.data.sizeBytes);
  });

  it('makes a clip over the border of two files, beginning with a keyframe at most one GOP early', async () => {
    const closed = await event((one) => one.kind === 'segment-closed');
    const border = Number(closed.data.endMs);
    const begun = performance.now();
    const job = await stand.client.clip({ cameraId: 'cam1', startMs: border - 1500, endMs: border + 1500 });
    expect(performance.now() - begun).toBeLessThan(1500);
    expect(job).toMatchObject({ state: 'done', gaps: [] });
    const [part] = job.parts;
    expect(part!.startMs).toBeLessThanOrEqual(border - 1500);
    expect(part!.startMs).toBeGreaterThan(border - 1500 - 2100);
    const target = path.join(stand.folder, 'clip.mp4');
    const { sizeBytes } = await stand.client.savePart(job.id, 0, target);
    expect(sizeBytes).toBe(part!.sizeBytes);
    const probed = await probeFile(target, { packets: true });
    expect(probed.packets?.[0]?.flags).toMatch(/^K/);
    const ranged = await fetch(`${stand.url}/v1/clips/${job.id}/parts/0`, {
      headers: { Authorization: `Bearer ${stand.config.recorderToken}`, Range: 'bytes=4-7' },
    });
    expect(ranged.status).toBe(206);
    expect(await ranged.text()).toBe('ftyp');
  });

  it('puts a clip where it is wanted without a copy, and only below DATA_DIR, never over or among recordings', async () => {
    const endMs = (await stand.client.coverage('cam1', { startMs: 0, endMs: Date.now() })).recorded.at(
      -1,
    )!.endMs;
    const job = await stand.client.clip({ cameraId: 'cam1', startMs: endMs - 1500, endMs: endMs - 500 });
    const link = (to: string) =>
      fetch(`${stand.url}/v1/clips/${job.id}/parts/0/link`, {
        method: 'POST',
        headers: {
          Authorization: `Bearer ${stand.config.recorderToken}`,
          'Content-Type': 'application/json',
        },
        body: JSON.stringify({ path: to }),
      });
    const inside = path.join(stand.folder, 'linked.mp4');
    await stand.client.savePart(job.id, 0, inside);
    expect((await fs.stat(inside)).nlink).toBe(2);
    expect((await link(inside)).status).toBe(400);
    const elsewhere = await fs.mkdtemp(path.join(os.tmpdir(), 'mat-than-elsewhere-'));
    try {
      await fs.symlink(elsewhere, path.join(stand.folder, 'out'), 'junction');
      for (const to of [
        path.join(elsewhere, 'x.mp4'),
        path.join(stand.folder, 'out', 'x.mp4'),
        path.join(stand.folder, 'recordings', 'x.mp4'),
        path.join(stand.folder, '..', 'x.mp4'),
        path.join(stand.folder, 'nowhere', 'x.mp4'),
        'x.mp4',
      ])
        expect((await link(to)).status, to).toBe(400);
      expect(await fs.readdir(elsewhere)).toEqual([]);
      const copied = path.join(elsewhere, 'copied.mp4');
      await stand.client.savePart(job.id, 0, copied);
      expect(await fs.readFile(copied)).toEqual(await fs.readFile(inside));
    } finally {
      await fs.rm(elsewhere, { recursive: true });
      await fs.rm(path.join(stand.folder, 'out'), { recursive: true, force: true });
    }
  });

  it('waits for the last seconds of a clip that is still being recorded', async () => {
    const now = Date.now();
    const seen: string[] = [];
    const job = await stand.client.clip(
      { cameraId: 'cam1', startMs: now - 1000, endMs: now + 1500 },
      { onProgress: (one) => seen.push(one.state) },
    );
    expect(job.parts.at(-1)!.endMs).toBeGreaterThanOrEqual(now + 1500 - 70);
    expect(job.gaps).toEqual([]);
    expect(seen.at(-1)).toBe('done');
  });

  it('says where nothing is recorded', async () => {
    const now = Date.now();
    await expect(
      stand.client.clip({ cameraId: 'cam1', startMs: now - 7_200_000, endMs: now - 7_190_000 }),
    ).rejects.toMatchObject({ kind: 'no-footage' });
    const coverage = await stand.client.coverage('cam1', { startMs: now - 60_000, endMs: now });
    expect(coverage.recorded).toHaveLength(1);
    expect(coverage.gaps[0]).toMatchObject({ startMs: now - 60_000, cause: 'unknown' });
  });

  it('leaves only finished files, indexed, when the service stops, and accounts for the pause', async () => {
    // Longer than a seam between two files, which is no gap.
    await stand.restart(1000);
    await cameraIs(stand.client, 'cam1', 'recording');
    await stand.service.recorder.recovered;
    const files = await filesIn(stand.config.recordingsDir);
    expect(files.filter((file) => file.includes('.recording.'))).toHaveLength(1);
    const first = await event((one) => one.kind === 'recorder-started');
    const started = await event((one) => one.kind === 'recorder-started', first.id);
    const range = { startMs: started.atMs - 4000, endMs: Date.now() };
    const coverage = await until('the new recording is seen', async () => {
      const found = await stand.client.coverage('cam1', range);
      return found.recorded.length === 2 ? found : null;
    });
    expect(coverage.gaps.map((gap) => gap.cause)).toEqual(['recorder-down']);
  });
});

describe('clips while files are closed and renamed', () => {
  it('are all made: a file that just got its final name is no missing one', async () => {
    const busy = await startStand({ segmentMs: 1000 });
    try {
      await busy.client.addCamera({ id: 'cam1', name: 'Cổng chợ', url: 'test:street' });
      await cameraIs(busy.client, 'cam1', 'recording');
      await until('ten seconds are recorded', async () => {
        const { recorded } = await busy.client.coverage('cam1', { startMs: 0, endMs: Date.now() });
        return recorded.length === 1 && recorded[0]!.endMs - recorded[0]!.startMs > 10_000;
      });
      // One falls into the moment of a rename every hundred or so; many side by side widen the moment.
      for (let round = 0; round < 12; round++) {
        const nowMs = Date.now();
        const clips = Array.from({ length: 16 }, (_, i) =>
          busy.client.clip({ cameraId: 'cam1', startMs: nowMs - 8000, endMs: nowMs - 3000 + i * 160 }),
        );
        for (const job of await Promise.all(clips)) expect(job.gaps).toEqual([]);
      }
    } finally {
      await busy.end();
    }
  }, 60_000);
});
