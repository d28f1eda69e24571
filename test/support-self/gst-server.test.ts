import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { gst } from '../support/debian.js';
import {
  type PreparedStream,
  prepareStream,
  TINY,
  TINY_HEVC,
  trueFrame,
  watchFrames,
} from '../support/frame-clock.js';
import { type GstServer, startGstServer } from '../support/gst/gst-server.js';
import { arriving, inOrder, receive, untilSilent } from './receive.js';

describe.skipIf(!gst.available).concurrent('gst-rtsp-server', () => {
  let server: GstServer;
  let tiny: PreparedStream;
  beforeAll(async () => {
    tiny = await prepareStream(TINY);
    const hevc = await prepareStream(TINY_HEVC);
    const h264 = { file: tiny.file, codec: tiny.codec, fps: tiny.fps };
    server = await startGstServer({
      mounts: [
        { path: '/open', ...h264 },
        { path: '/hevc', file: hevc.file, codec: hevc.codec, fps: hevc.fps },
        { path: '/dropped', ...h264 },
        { path: '/locked', ...h264, user: 'admin', password: 'p@ss:w/ord' },
        ...Array.from({ length: 30 }, (_, i) => ({ path: `/many${i}`, ...h264 })),
      ],
    });
  });
  afterAll(() => server.stop());

  for (const path of ['/open', '/hevc']) {
    for (const transport of ['tcp', 'udp'] as const) {
      it(`delivers ${path} over ${transport} to ffmpeg, every frame in order`, async () => {
        const { code, numbers } = await receive(server.url(path), 2, { transport });
        expect(code).toBe(0);
        expect(numbers.length).toBeGreaterThanOrEqual(10);
        expect(inOrder(numbers, tiny.frames)).toBe(true);
      });
    }
  }

  it('knows when each frame was sent', async () => {
    const ages: number[] = [];
    for await (const { number, atMs } of watchFrames(server.url('/open'))) {
      const frame = trueFrame(number!, tiny.frames, server.frameAt('/open', atMs));
      ages.push(atMs - server.sentMs('/open', frame));
      if (ages.length === 25) break;
    }
    expect(Math.min(...ages)).toBeGreaterThanOrEqual(0);
    // The first ones waited for ffmpeg to make up its mind; then it is one frame's time and a little.
    expect(Math.max(...ages.slice(-8))).toBeLessThan(800);
  });

  it('cuts off who watches one mount, who may come back, and nobody else', async () => {
    const others = watchFrames(server.url('/open'));
    await others.next();
    for (let time = 0; time < 2; time++) {
      let frames = 0;
      for await (const _ of watchFrames(server.url('/dropped'))) if (frames++ === 0) server.drop('/dropped');
      expect(frames).toBeGreaterThan(0);
    }
    expect((await others.next()).done).toBe(false);
    await others.return(undefined);
  });

  it('tells how well it keeps time', async () => {
    for await (const _ of watchFrames(server.url('/hevc'))) break;
    const { worstMs, skipped } = await server.late();
    expect(worstMs).toBeGreaterThan(0);
    expect(skipped).toBeGreaterThanOrEqual(0);
  });

  it('lets the right password in by digest, and nobody else', async () => {
    const good = await receive(server.url('/locked'), 2);
    expect(good.numbers.filter((number) => number !== null).length).toBeGreaterThan(0);
    const wrong = await receive(server.url('/locked', { password: 'wrong' }), 1);
    expect(wrong.stderr).toContain('401');
    const nobody = await receive(server.url('/locked', { credentials: false }), 1);
    expect(nobody.stderr).toContain('401');
  });

  it('says 404 for a stream that is not there', async () => {
    const run = await receive(server.url('/open').replace('/open', '/nowhere'), 1);
    expect(run.stderr).toContain('404');
  });

  it('goes silent when paused and live again when resumed', async () => {
    const other = await startGstServer({
      mounts: [{ path: '/a', file: tiny.file, codec: 'h264', fps: tiny.fps }],
    });
    const stream = arriving(other.url('/a'));
    await stream.next();
    other.pause();
    const silence = await untilSilent(stream);
    expect(silence.ended).toBe(false);
    other.resume();
    expect((await silence.next).done).toBe(false);
    await stream.return(undefined);
    await other.stop();
  });

  it('ends its clients when killed, and leaves nothing behind', async () => {
    const other = await startGstServer({
      mounts: [{ path: '/a', file: tiny.file, codec: 'h264', fps: tiny.fps }],
    });
    const stream = arriving(other.url('/a'));
    await stream.next();
    await other.kill();
    let end = await stream.next();
    while (!end.done) end = await stream.next();
    expect(end.done).toBe(true);
    expect(existsSync(`/proc/${other.pid}`)).toBe(false);
  });
});
