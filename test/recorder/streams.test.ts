import fs from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ClipRequest } from '../../media/types.js';
import { bundledFfmpeg, probeFile, type TestFfmpeg, testFfmpeg } from '../support/ffmpeg.js';
import { TINY, TINY_HEVC } from '../support/frame-clock.js';
import { type RtspServer, startRtspServer } from '../support/rtsp-server.js';
import { cameraIs, filesIn, type Stand, startStand, until } from './stand.js';

let server: RtspServer;
let stand: Stand;
beforeAll(async () => {
  server = await startRtspServer({
    streams: { '/main': TINY_HEVC, '/sub': TINY, '/sound': { source: TINY, audio: true } },
  });
}, 120_000);
afterAll(() => server?.stop());

/** A clip of what was recorded last, as a file. */
async function clipOf(request: Partial<ClipRequest> & { cameraId: string }, seconds = 2) {
  const stream = stand.service.recorder.stream(request.cameraId, request.stream ?? 'main')!;
  await until('enough is recorded', () => {
    const [first] = stream.liveSegments();
    return (
      stream.newestMs !== null &&
      first !== undefined &&
      stream.newestMs - first.startMs > (seconds + 1) * 1000
    );
  });
  const endMs = stream.newestMs! - 500;
  const job = await stand.client.clip({ startMs: endMs - seconds * 1000, endMs, ...request });
  const file = path.join(stand.folder, `${job.id}.mp4`);
  await stand.client.savePart(job.id, 0, file);
  return { job, probed: await probeFile(file, { packets: true }) };
}

const builds = [testFfmpeg(), bundledFfmpeg()].filter((one): one is TestFfmpeg => one !== null);

describe.each(builds)('streams, with ffmpeg $version', (build) => {
  beforeAll(async () => {
    stand = await startStand({ ffmpeg: { ...build, kind: 'configured' }, segmentMs: 60_000 });
    const [url, subUrl] = [server.url('/main'), server.url('/sub')];
    await stand.client.addCamera({ id: 'two', name: 'Hai luồng', url, subUrl });
    await stand.client.addCamera({ id: 'sound', name: 'Có tiếng', url: server.url('/sound'), audio: true });
    await stand.client.addCamera({ id: 'mute', name: 'Không tiếng', url: server.url('/sound') });
    for (const id of ['two', 'sound', 'mute']) await cameraIs(stand.client, id, 'recording');
  }, 60_000);
  afterAll(() => stand?.end());

  it('records H.265 as it is, and makes it H.264 for a chat', async () => {
    const original = await clipOf({ cameraId: 'two', format: 'original' });
    expect(original.probed.streams[0]).toMatchObject({ codec_name: 'hevc', width: 320 });
    expect(original.job.parts[0]!.codec).toMatch(/^h(vc|ev)1/);
    const chat = await clipOf({ cameraId: 'two' });
    expect(chat.probed.streams.find((one) => one.codec_type === 'video')).toMatchObject({
      codec_name: 'h264',
    });
    const picture = await stand.client.snapshot('two');
    expect([picture.width, picture.height]).toEqual([320, 240]);
  });

  it('records the sub stream beside the main one', async () => {
    const sub = await clipOf({ cameraId: 'two', stream: 'sub', format: 'original' });
    expect(sub.probed.streams[0]).toMatchObject({ codec_name: 'h264' });
    const files = await filesIn(stand.config.recordingsDir);
    expect(
      files
        .filter((file) => file.startsWith('two/') && file.endsWith('.mp4'))
        .map((file) => file.split('/')[1]),
    ).toEqual(['main', 'sub']);
  });

  it('records sound only where it is asked for', async () => {
    const tracksOf = async (id: string) => {
      await clipOf({ cameraId: id, format: 'original' });
      const [live] = stand.service.recorder.liveSegments(id, 'main');
      return (await probeFile(live!.path)).streams.map((one) => one.codec_name).sort();
    };
    expect(await tracksOf('sound')).toEqual(['aac', 'h264']);
    expect(await tracksOf('mute')).toEqual(['h264']);
  });
});

describe('a disk that fails', () => {
  it('is a gap with its cause, told, and recording goes on when the disk is back', async () => {
    stand = await startStand({ segmentMs: 2000 });
    try {
      await stand.client.addCamera({ id: 'cam1', name: 'Một', url: server.url('/sub') });
      await cameraIs(stand.client, 'cam1', 'recording');
      const folder = path.join(stand.config.recordingsDir, 'cam1');
      await until('its file is there', async () => (await filesIn(folder)).length > 0);
      await fs.rename(folder, `${folder}-away`);
      await fs.writeFile(folder, 'not a folder');
      const down = await cameraIs(stand.client, 'cam1', 'down');
      expect(down.cause).toBe('disk');
      await fs.rm(folder);
      await fs.rename(`${folder}-away`, folder);
      await cameraIs(stand.client, 'cam1', 'recording');
      const { gaps } = await stand.client.coverage('cam1', {
        startMs: down.sinceMs - 500,
        endMs: Date.now(),
      });
      expect(gaps.map((gap) => gap.cause)).toContain('disk');
      const left = (file: string) => file.includes('.recording.');
      await until('the file that could not be closed is closed', async () => {
        return (await filesIn(stand.config.recordingsDir)).filter(left).length <= 1;
      });
    } finally {
      await stand.end();
    }
  }, 60_000);
});
