import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { runProgram, testFfmpeg } from '../support/ffmpeg.js';
import {
  prepareStream,
  readFrameNumbers,
  S3,
  TINY,
  TINY_HEVC,
  trueFrame,
  watchFrames,
} from '../support/frame-clock.js';
import { type RtspServer, startRtspServer } from '../support/rtsp-server.js';
import { arriving, inOrder, receive, untilSilent } from './receive.js';

const digest = { user: 'admin', password: 'p@ss:w/ord' };

describe.concurrent('our RTSP server', () => {
  let server: RtspServer;
  beforeAll(async () => {
    server = await startRtspServer({
      streams: {
        '/open': TINY,
        '/hevc': TINY_HEVC,
        '/short': { ...TINY, seconds: 3 },
        '/large': { ...S3, fps: 10, gopSeconds: 2, seconds: 4 },
        '/digest': { source: TINY, login: digest },
        '/basic': { source: TINY, login: { ...digest, scheme: 'basic' } },
        '/sound': { source: TINY, audio: true },
      },
    });
  });
  afterAll(() => server.stop());

  for (const path of ['/open', '/hevc', '/large']) {
    it(`delivers ${path} to ffmpeg, every frame in order`, async () => {
      const { code, stderr, numbers } = await receive(server.url(path), path === '/large' ? 4 : 2);
      expect(code, stderr).toBe(0);
      expect(numbers.length).toBeGreaterThanOrEqual(10);
      expect(inOrder(numbers, server.frames(path))).toBe(true);
    });
  }

  it('goes round its loop without a seam', async () => {
    const seen: number[] = [];
    for await (const { number } of watchFrames(server.url('/short'))) {
      seen.push(number!);
      if (seen.length > 1 && seen.at(-1)! < seen.at(-2)!) break;
    }
    expect(seen.at(-1)).toBe(0);
    expect(seen.at(-2)).toBe(29);
  });

  it('logs when each frame was sent', async () => {
    const ages: number[] = [];
    for await (const { number, atMs } of watchFrames(server.url('/open'))) {
      const frame = trueFrame(number!, server.frames('/open'), server.frameDue('/open'));
      ages.push(atMs - server.sent('/open').get(frame)!);
      if (ages.length === 25) break;
    }
    expect(Math.min(...ages)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...ages.slice(-8))).toBeLessThan(800);
    const gaps = [...server.sent('/open')].map(([frame, ms]) => ms - frame * 100);
    const first = gaps.sort((a, b) => a - b)[0]!;
    expect(gaps[Math.floor(gaps.length / 2)]! - first).toBeLessThan(60);
  });

  for (const path of ['/digest', '/basic']) {
    it(`lets the right password in by ${path.slice(1)}, and nobody else`, async () => {
      const good = await receive(server.url(path), 2);
      expect(good.code).toBe(0);
      expect(good.numbers.filter((number) => number !== null).length).toBeGreaterThan(0);
      for (const options of [{ password: 'wrong' }, { user: 'Admin' }, { credentials: false }]) {
        expect((await receive(server.url(path, options), 1)).stderr).toContain('401');
      }
    });
  }

  it('sends sound beside the picture when asked to', async () => {
    const ffmpeg = testFfmpeg().path;
    const listen = [
      '-rtsp_transport',
      'tcp',
      '-i',
      server.url('/sound'),
      '-t',
      '2',
      '-vn',
      '-af',
      'volumedetect',
    ];
    const { stderr } = await runProgram(ffmpeg, ['-hide_banner', ...listen, '-f', 'null', '-']);
    expect(stderr).toMatch(/Audio: pcm_alaw/);
    // A sine of 6000 of 32768: -14.7 dB at its peaks, 3 less on average.
    const mean = Number(/mean_volume: (-?[\d.]+) dB/.exec(stderr)?.[1]);
    expect(mean).toBeGreaterThan(-18.5);
    expect(mean).toBeLessThan(-17);
  });

  it('answers the keepalives a client may send, and forgets one that tears down', async () => {
    // those of the tests before are forgotten when their connection is closed
    await vi.waitFor(() => expect(server.viewers('/open')).toBe(0));
    const socket = connect(server.port, '127.0.0.1');
    const say = (method: string, more = '') =>
      new Promise<string>((resolve) => {
        let heard = '';
        const listen = (bytes: Buffer) => {
          heard += bytes.toString('latin1');
          if (!heard.startsWith('$') && !heard.includes('\r\n\r\n')) return;
          const reply = /RTSP\/1\.0 (\d+)/.exec(heard)?.[1];
          if (reply === undefined) return;
          socket.off('data', listen);
          resolve(reply);
        };
        socket.on('data', listen);
        socket.write(`${method} ${server.url('/open')} RTSP/1.0\r\nCSeq: 1\r\n${more}\r\n`);
      });
    expect(await say('OPTIONS')).toBe('200');
    expect(await say('DESCRIBE')).toBe('200');
    expect(await say('SETUP', 'Transport: RTP/AVP;unicast;client_port=5000-5001\r\n')).toBe('461');
    expect(await say('SETUP', 'Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n')).toBe('200');
    expect(await say('PLAY')).toBe('200');
    expect(server.viewers('/open')).toBe(1);
    expect(await say('GET_PARAMETER')).toBe('200');
    expect(await say('TEARDOWN')).toBe('200');
    expect(server.viewers('/open')).toBe(0);
    socket.destroy();
  });
});

describe.concurrent('faults on demand', () => {
  let server: RtspServer;
  beforeAll(async () => {
    await prepareStream(TINY);
    server = await startRtspServer({
      streams: {
        '/stall': TINY,
        '/drop': TINY,
        '/garbage': TINY,
        '/refuse': { source: TINY, fault: 'refuse', login: digest },
        '/gone': { source: TINY, fault: 'not-found' },
        '/busy': { source: TINY, fault: 'busy' },
        '/mute': { source: TINY, fault: 'mute' },
        '/slow': { source: TINY, fault: { delayMs: 400 } },
        '/sound': { source: TINY, fault: 'audio-only' },
        '/html': { source: TINY, fault: 'html' },
        '/hang-up': { source: TINY, fault: 'hang-up' },
        '/no-key': { source: TINY, fault: 'no-keyframe' },
      },
    });
  });
  afterAll(() => server.stop());

  it('stall: goes silent without closing, and can go on', async () => {
    const stream = arriving(server.url('/stall'));
    await stream.next();
    server.setFault('/stall', 'stall');
    const silence = await untilSilent(stream);
    expect(silence.ended).toBe(false);
    expect(server.viewers('/stall')).toBe(1);
    server.setFault('/stall', 'none');
    expect((await silence.next).done).toBe(false);
    await stream.return(undefined);
    await server.watched('/stall', 0);
  });

  it('drop: cuts those watching, who may come back', async () => {
    const stream = arriving(server.url('/drop'));
    await stream.next();
    expect(server.drop('/drop')).toBe(1);
    let end = await stream.next();
    while (!end.done) end = await stream.next();
    expect((await receive(server.url('/drop'), 1)).code).toBe(0);
  });

  it('garbage: no more pictures arrive', async () => {
    const stream = arriving(server.url('/garbage'));
    await stream.next();
    server.setFault('/garbage', 'garbage');
    const before = server.sent('/garbage').size;
    await untilSilent(stream);
    expect(server.sent('/garbage').size).toBe(before);
    server.drop('/garbage');
    await stream.return(undefined);
  });

  it('no-keyframe: frames flow, but none of them can be seen', async () => {
    const seen = readFrameNumbers(server.url('/no-key'), [
      '-rtsp_transport',
      'tcp',
      '-analyzeduration',
      '500000',
    ]);
    await vi.waitUntil(() => server.sent('/no-key').size >= 30, { timeout: 20_000 });
    server.drop('/no-key');
    expect((await seen).filter((number) => number !== null)).toEqual([]);
    expect([...server.sent('/no-key').keys()].filter((frame) => frame % TINY.fps === 0)).toEqual([]);
  });

  it('says no in the ways cameras do', async () => {
    expect((await receive(server.url('/refuse'), 1)).stderr).toContain('401');
    expect((await receive(server.url('/gone'), 1)).stderr).toContain('404');
    expect((await receive(server.url('/busy'), 1)).stderr).toContain('503');
    expect((await receive(server.url('/html'), 1)).code).not.toBe(0);
    expect((await receive(server.url('/hang-up'), 1)).code).not.toBe(0);
  });

  it('mute: takes the connection and never answers, until the caller gives up', async () => {
    const before = Date.now();
    const { code } = await receive(server.url('/mute'), 1);
    expect(code).not.toBe(0);
    expect(Date.now() - before).toBeGreaterThan(4500);
    expect(server.requests).toContain('OPTIONS /mute');
  });

  it('slow: answers, but late', async () => {
    const before = Date.now();
    const { code, numbers } = await receive(server.url('/slow'), 2);
    expect(code).toBe(0);
    expect(numbers.length).toBeGreaterThan(0);
    // OPTIONS, DESCRIBE, SETUP and PLAY each
    expect(Date.now() - before).toBeGreaterThan(1600);
  });

  it('audio-only: is a stream, but not a video', async () => {
    const { stderr } = await runProgram(testFfmpeg().path, [
      ...['-hide_banner', '-rtsp_transport', 'tcp', '-t', '1', '-i', server.url('/sound'), '-f', 'null', '-'],
    ]);
    expect(stderr).toContain('Audio: pcm_alaw');
    expect(stderr).not.toContain('Video:');
  });
});
