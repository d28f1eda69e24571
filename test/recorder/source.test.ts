import fs from 'node:fs/promises';
import path from 'node:path';
import fc from 'fast-check';
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
  /** What ffmpeg 5.1 and 4 really said of a server that answers so (2026-11-27), and how long they took. */
  const SAID: [what: string, cause: string, lastedMs: number, five: string[], four: string[]][] = [
    ...(
      [
        ['401 Unauthorized', 'refused', '401 Unauthorized (authorization failed)'],
        ['401 ClientUnAuthorized', 'refused', '401 Unauthorized (authorization failed)'],
        ['403 Forbidden', 'refused', '403 Forbidden (access denied)'],
        ['404 Stream Not Found', 'not-found', '404 Not Found'],
        ['454 Session Not Found', 'not-found', '4XX Client Error, but not one of 40{0,1,3,4}'],
        ['453 Not Enough Bandwidth', 'unreachable', '4XX Client Error, but not one of 40{0,1,3,4}'],
        ['500 Internal Server Error', 'unreachable', '5XX Server Error reply'],
        ['503 Service Unavailable', 'unreachable', '5XX Server Error reply'],
      ] as const
    ).flatMap(([answer, cause, told]): typeof SAID =>
      ['OPTIONS', 'DESCRIBE', 'SETUP', 'PLAY'].map((method) => [
        ...([`${method} ${answer}`, cause, 400] as const),
        [
          `[rtsp @ 0x5639b3401403] method ${method} failed: ${answer}`,
          'OPEN',
          `pipe:3: Server returned ${told}`,
        ],
        [`[rtsp @ 0x1017fec0] method ${method} failed: ${answer}`, `URL: Server returned ${told}`],
      ]),
    ),
    [
      ...(['400', 'not-found', 700] as const),
      ['OPEN', 'pipe:3: Server returned 400 Bad Request'],
      ['URL: Server returned 400 Bad Request'],
    ],
    [
      ...(['461', 'unreachable', 400] as const),
      [
        '[rtsp @ 0x1] method SETUP failed: 461 Unsupported Transport',
        'OPEN',
        'pipe:3: Protocol not supported',
      ],
      ['[rtsp @ 0x1] method SETUP failed: 461 Unsupported Transport', 'URL: Protocol not supported'],
    ],
    ...(['Connection refused', 'Connection reset by peer', 'Network is unreachable'] as const).map(
      (why): (typeof SAID)[number] => [
        ...([why, 'unreachable', 500] as const),
        [`[tcp @ 0x557a1de6e403] Connection to TCP failed: ${why}`, 'OPEN', `pipe:3: ${why}`],
        [`[tcp @ 0x40bd9f80] Connection to TCP failed: ${why}`, `URL: ${why}`],
      ],
    ),
    [
      ...(['no answer to SYN', 'unreachable', 5300] as const),
      [
        '[tcp @ 0x401] Connection to TCP failed: Connection timed out',
        'OPEN',
        'pipe:3: Connection timed out',
      ],
      ['[tcp @ 0x401] Connection to TCP failed: Connection timed out', 'URL: Connection timed out'],
    ],
    [
      ...(['no such name', 'unreachable', 500] as const),
      [
        '[tcp @ 0x401] Failed to resolve hostname HOST: Name or service not known',
        'OPEN',
        'pipe:3: Input/output error',
      ],
      ['[tcp @ 0x401] Failed to resolve hostname HOST: Name or service not known', 'URL: Input/output error'],
    ],
    [
      ...(['a web page', 'not-video', 400] as const),
      ['OPEN', 'pipe:3: Invalid data found when processing input'],
      ['URL: Invalid data found when processing input'],
    ],
    [
      ...(['nothing', 'silent', 5500] as const),
      ['OPEN', 'pipe:3: Invalid data found when processing input'],
      [],
    ],
    [
      ...(['nothing, by TLS', 'silent', 5750] as const),
      [
        '[tls @ 0x558820e37403] Error in the pull function.',
        '[tls @ 0x558820e37403] IO error: Connection timed out',
        'OPEN',
        'pipe:3: Connection timed out',
      ],
      ['[tls @ 0x114d7f80] Error in the pull function.', 'URL: Input/output error'],
    ],
  ];
  const numbers = fc.constantFrom('400', '401', '403', '404', '454', '461', '500', '503', '5XX', '4XX');
  const words = fc.constantFrom('unauthorized', 'forbidden', 'not-found', 'timed%20out', 'tls', 'hostname');
  const word = fc.oneof(numbers, words, fc.stringMatching(/^[a-z0-9]{1,12}$/));
  const host = fc.oneof(
    fc.ipV4(),
    fc.constantFrom('192.168.4.401', '10.0.40.1', '[fe80::401:403]', '401.403', 'unauthorized.vn', '401'),
    fc.tuple(word, word).map(([a, b]) => `${a}.${b}.vn`.replaceAll('%20', '-')),
  );
  const place = fc.oneof(
    fc.array(word, { maxLength: 4 }).map((parts) => `/${parts.join('/')}`),
    fc.integer({ min: 1, max: 64 }).map((n) => `/Streaming/Channels/${n}01`),
    fc.tuple(numbers, word).map(([n, w]) => `/cam/realmonitor?channel=${n}&subtype=${w}`),
    // what is in a path may look like what ffmpeg says
    fc
      .tuple(fc.constantFrom('method', 'Server', "'x'", "';"), numbers)
      .map((parts) => `/${parts.join('%20')}`),
    fc.constantFrom("/a'401", '/failed:401', '/(401)', '/x:401:', '/=401', '/401,403'),
  );
  const url = fc
    .record({
      user: word,
      password: fc.oneof(word, fc.string()),
      host,
      port: fc.integer({ min: 1, max: 65535 }),
      place,
    })
    .map(({ user, password, host: at, port, place: path }) => {
      const login = `${encodeURIComponent(user)}:${encodeURIComponent(password)}`;
      return { url: `rtsp://${login}@${at}:${port}${path}`, host: at, port };
    })
    .filter(({ url: given }) => {
      try {
        return parseAddress(given).kind === 'rtsp';
      } catch {
        return false;
      }
    });

  it('is told by what ffmpeg says of it, never by the channel, port, host, user or password in the address', () => {
    fc.assert(
      fc.property(fc.constantFrom(...SAID), url, ([, cause, lastedMs, ...builds], at) => {
        const address = parseAddress(at.url);
        const filled = (line: string) =>
          line
            .replace(
              'OPEN',
              () =>
                `[concat @ 0x55986e8f8b80] Impossible to open '${address.kind === 'rtsp' && address.url}'`,
            )
            .replace('URL', () => (address.kind === 'rtsp' ? address.url : ''))
            .replace('TCP', () => `tcp://${at.host}:${at.port}?timeout=5000000`)
            .replace('HOST', () => at.host);
        for (const lines of builds) {
          if (lines.length === 0) continue;
          const stderr = `${lines.map(filled).join('\n')}\n`;
          expect([causeOf({ streamed: false, stalled: false, lastedMs, stderr }), stderr]).toEqual([
            cause,
            stderr,
          ]);
        }
      }),
      { numRuns: 3000 },
    );
  });

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
    expect(
      causeOf({ ...before, stderr: `method DESCRIBE failed: 401 Unauthorized\n${stderr}`, lastedMs: 10_000 }),
    ).toBe('refused');
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
