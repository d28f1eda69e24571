import fs from 'node:fs/promises';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Fragment } from '../../media/fragment.js';
import { AddressError, atHost, hostName, parseAddress, withoutSecrets } from '../../media/source/address.js';
import { sourceArguments } from '../../media/source/arguments.js';
import { AwakeClock } from '../../media/source/awake.js';
import { FfmpegSource, type SourceLimits } from '../../media/source/ffmpeg.js';
import { causeOf } from '../../media/source/verdict.js';
import { runFfmpeg } from '../support/ffmpeg.js';
import { lives, tempFolder } from './stand.js';

describe('addresses', () => {
  it('takes a password as it was typed and never shows it', () => {
    const address = parseAddress(' rtsp://admin:a@b/c#d?e f%20g@cam.xa.vn:8554/Streaming/101?x=1 ');
    expect(address).toMatchObject({
      url: 'rtsp://admin:a%40b%2Fc%23d%3Fe%20f%20g@cam.xa.vn:8554/Streaming/101?x=1',
      shown: 'rtsp://cam.xa.vn:8554/Streaming/101?x=1',
    });
    const told = "open 'rtsp://admin:a%40b%2Fc%23d%3Fe%20f%20g@cam.xa.vn:8554/' a@b/c#d?e f g";
    expect(withoutSecrets(told, address)).not.toMatch(/a%40b|a@b/);
  });

  it('hides a password in the path as some makes want it', () => {
    const address = parseAddress('rtsp://10.0.0.5/user=admin&password=bimat123&channel=1');
    expect(address.shown).toBe('rtsp://10.0.0.5/user=…&password=…&channel=1');
    expect(withoutSecrets('bad bimat123', address)).toBe('bad …');
  });

  it.each([
    'http://a/b',
    'rtsp://',
    'rtsp:///path',
    'rtsp://host:99999/',
    'test:nothing',
    'test:street,movie=/etc/passwd',
    "rtsp://host/a\nfile '/etc/passwd'",
    '/etc/passwd',
    'rtsp://ho st/',
  ])('refuses %j without repeating it', (text) => {
    expect(() => parseAddress(text)).toThrow(AddressError);
    expect(() => parseAddress(text)).not.toThrow(/passwd|99999/);
  });

  it('knows which hosts have names, and puts a number in their place', () => {
    const named = parseAddress('rtsp://u:p@cam.xa.vn:554/x');
    expect(hostName(named)).toBe('cam.xa.vn');
    expect(atHost(named, '10.1.2.3')).toMatchObject({ url: 'rtsp://u:p@10.1.2.3:554/x' });
    expect(atHost(named, 'fe80::1')).toMatchObject({ url: 'rtsp://u:p@[fe80::1]:554/x' });
    expect(hostName(parseAddress('rtsp://10.1.2.3/x'))).toBe(null);
    expect(hostName(parseAddress('rtsp://[::1]/x'))).toBe(null);
  });
});

describe('what ffmpeg is told', () => {
  const options = {
    address: parseAddress("rtsp://u:it's@10.0.0.5/x"),
    ...{ transport: 'tcp' as const, audio: false, name: '', nowMs: 0 },
  };

  it('from 5.0 on gets the address by a pipe', () => {
    expect(sourceArguments(5, options)).toMatchInlineSnapshot(`
      {
        "args": [
          "-hide_banner",
          "-nostats",
          "-loglevel",
          "error",
          "-f",
          "concat",
          "-safe",
          "0",
          "-protocol_whitelist",
          "pipe,rtsp,rtsps,rtp,srtp,udp,tcp,tls,crypto",
          "-i",
          "pipe:3",
          "-map",
          "0:v:0",
          "-an",
          "-dn",
          "-sn",
          "-c:v",
          "copy",
          "-movflags",
          "+empty_moov+default_base_moof+frag_keyframe+skip_trailer",
          "-frag_duration",
          "500000",
          "-flush_packets",
          "1",
          "-f",
          "mp4",
          "pipe:1",
        ],
        "script": "ffconcat version 1.0
      file 'rtsp://u:it'\\''s@10.0.0.5/x'
      option rtsp_transport tcp
      option timeout 5000000
      option allowed_media_types video
      ",
      }
    `);
  });

  it('before 5.0 gets it as an argument, with the timeout under its old name', () => {
    expect(sourceArguments(4, { ...options, transport: 'udp' })).toMatchInlineSnapshot(`
      {
        "args": [
          "-hide_banner",
          "-nostats",
          "-loglevel",
          "error",
          "-rtsp_transport",
          "udp",
          "-stimeout",
          "5000000",
          "-allowed_media_types",
          "video",
          "-i",
          "rtsp://u:it's@10.0.0.5/x",
          "-map",
          "0:v:0",
          "-an",
          "-dn",
          "-sn",
          "-c:v",
          "copy",
          "-movflags",
          "+empty_moov+default_base_moof+frag_keyframe+skip_trailer",
          "-frag_duration",
          "500000",
          "-flush_packets",
          "1",
          "-f",
          "mp4",
          "pipe:1",
        ],
        "script": null,
      }
    `);
  });

  it('makes sound AAC only when asked', () => {
    const { args } = sourceArguments(7, { ...options, audio: true });
    expect(args.join(' ')).toContain('-map 0:v:0 -map 0:a:0? -c:a aac');
    expect(args).not.toContain('-an');
  });
});

describe('why a child ended', () => {
  const before = { streamed: false, stalled: false, lastedMs: 900 };
  it.each([
    ['method DESCRIBE failed: 401 Unauthorized', 'refused'],
    ['Server returned 403 Forbidden (access denied)', 'refused'],
    ['method DESCRIBE failed: 404 Stream Not Found', 'not-found'],
    ['method SETUP failed: 454 Session Not Found', 'not-found'],
    ['Connection to tcp://10.0.0.5:554?timeout=0 failed: Connection refused', 'unreachable'],
    ['Failed to resolve hostname cam.xa.vn: Name or service not known', 'unreachable'],
    ['tcp://10.0.0.5:554: No route to host', 'unreachable'],
    ['Connection timed out', 'unreachable'],
    ['method SETUP failed: 461 Unsupported Transport', 'unreachable'],
    ['method PLAY failed: 503 Service Unavailable', 'unreachable'],
    ["Stream map '0:v:0' matches no streams.", 'not-video'],
    ['Invalid data found when processing input', 'not-video'],
    ['', 'broken'],
  ])('%j means %s', (stderr, cause) => expect(causeOf({ ...before, stderr })).toBe(cause));

  it('who takes the connection and says nothing is silent, who answers nonsense is no video', () => {
    const stderr = "Impossible to open 'rtsp://…' | pipe:3: Invalid data found when processing input";
    expect(causeOf({ ...before, stderr, lastedMs: 10_000 })).toBe('silent');
    expect(causeOf({ ...before, stderr })).toBe('not-video');
    expect(causeOf({ ...before, stderr: `401 Unauthorized\n${stderr}`, lastedMs: 10_000 })).toBe('refused');
  });

  it('after pictures came it fell silent or broke off, whatever it says', () => {
    expect(causeOf({ ...before, stderr: '401 Unauthorized', streamed: true })).toBe('broken');
    expect(causeOf({ ...before, stderr: '', streamed: true, stalled: true })).toBe('silent');
  });
});

describe('the time in which we run', () => {
  it('stands while we are held up, whoever notices first', () => {
    let monotonicMs = 5000;
    const clock = new AwakeClock(() => monotonicMs);
    const ran = (ms: number) => {
      monotonicMs += ms;
      return clock.now();
    };
    const begunMs = clock.now();
    expect(ran(150) - begunMs).toBe(150);
    expect(ran(390) - begunMs).toBe(540);
    expect(ran(3000) - begunMs).toBe(740);
    expect(ran(100) - begunMs).toBe(840);
  });
});

describe.skipIf(process.platform === 'win32')('a child that misbehaves', () => {
  let folder: string;
  let film: string;
  const limits: Partial<SourceLimits> = {
    // a child takes its time to start on a busy machine
    connectMs: 8000,
    firstFragmentMs: 8000,
    stallMs: 500,
    patienceMs: 200,
  };

  beforeAll(async () => {
    folder = await tempFolder();
    film = path.join(folder, 'film.mp4');
    await runFfmpeg([
      ...['-f', 'lavfi', '-i', 'testsrc2=size=160x120:rate=10', '-t', '2', '-c:v', 'libx264', '-g', '10'],
      ...['-movflags', '+empty_moov+default_base_moof+frag_keyframe+skip_trailer', '-f', 'mp4', film],
    ]);
    await fs.chmod(path.join(import.meta.dirname, 'fake-ffmpeg.mjs'), 0o755);
  }, 60_000);
  afterEach(() => {
    delete process.env.FAKE_FFMPEG;
  });
  afterAll(() => fs.rm(folder, { recursive: true, force: true }));

  async function play(
    mode: string,
    abortAfter?: number,
    given = limits,
    onFragment = (_count: number) => {},
  ) {
    process.env.FAKE_FFMPEG = `${film}|${mode}`;
    const pids: number[] = [];
    const fragments: Fragment[] = [];
    const abort = new AbortController();
    const source = new FfmpegSource({
      ffmpeg: { path: path.join(import.meta.dirname, 'fake-ffmpeg.mjs'), major: 5, kind: 'system' },
      address: parseAddress('rtsp://admin:rat-bi-mat@10.0.0.5/x'),
      ...{ transport: 'tcp', audio: false, name: '', limits: given },
      onChild: (pid) => pid !== null && pids.push(pid),
    });
    const begun = performance.now();
    const end = await source.run(
      {
        init() {},
        fragment(fragment) {
          fragments.push(fragment);
          onFragment(fragments.length);
          if (fragments.length === abortAfter) abort.abort();
        },
      },
      abort.signal,
    );
    expect(pids).toHaveLength(1);
    expect(lives(pids[0]!)).toBe(false);
    return { end, fragments, tookMs: performance.now() - begun };
  }

  it('hangs: given up after the limit, and gone', async () => {
    const { end, fragments, tookMs } = await play('hangs');
    expect(fragments).toHaveLength(2);
    expect(end.cause).toBe('silent');
    expect(tookMs).toBeLessThan(8000);
  });

  it('is late, but so were we: a time in which we did not run is not its silence', async () => {
    const holdUp = (count: number) => {
      if (count === 2) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2500);
    };
    const { end, fragments } = await play('late', 3, { ...limits, stallMs: 2000 }, holdUp);
    expect(fragments.length).toBeGreaterThanOrEqual(3);
    expect(end.cause).not.toBe('silent');
  });

  it('never says anything: given up', async () => {
    expect((await play('mute', undefined, { ...limits, connectMs: 700 })).end).toEqual({
      cause: 'silent',
      detail: 'no pictures arrived',
    });
  });

  it('is deaf to q and SIGTERM: killed', async () => {
    const { end } = await play('deaf', 1);
    expect(end.cause).toBe('broken');
  });

  it('is asked politely first', async () => {
    await play('polite', 1);
    expect(await fs.readFile(`${film}.asked`, 'utf8')).toBe('q');
  });

  it('dies with exit 0: still an end', async () => {
    const { end, fragments } = await play('dies');
    expect(fragments).toHaveLength(2);
    expect(end.cause).toBe('broken');
  });

  it('speaks of a password: it is not repeated', async () => {
    const { end } = await play('wrong');
    expect(end.cause).toBe('refused');
    expect(end.detail).not.toContain('rat-bi-mat');
  });

  it('sends nonsense: not a video', async () => {
    expect((await play('nonsense')).end.cause).toBe('not-video');
  });

  it('does not exist: an end, no exception', async () => {
    const source = new FfmpegSource({
      ffmpeg: { path: path.join(folder, 'nowhere'), major: 5, kind: 'system' },
      address: parseAddress('test:street'),
      ...{ transport: 'tcp', audio: false, name: '' },
    });
    const end = await source.run({ init() {}, fragment() {} }, new AbortController().signal);
    expect(end).toMatchObject({ cause: 'broken', detail: expect.stringContaining('did not start') });
  });
});
