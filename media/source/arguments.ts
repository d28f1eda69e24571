import type { Address } from './address.js';
import { sceneArguments } from './scene.js';

export interface SourceOptions {
  address: Address;
  transport: 'tcp' | 'udp';
  audio: boolean;
  /** drawn into a test picture */
  name: string;
  /** epoch ms now, for the clock of a test picture */
  nowMs: number;
  habits?: SourceHabits;
}

/** What a camera was found to need; kept from one connection to the next. */
export interface SourceHabits {
  /** its timestamps stand still: pictures are timed by their arrival */
  ownTimes: boolean;
  /** it tells what its pictures are at a keyframe only, which may be long in coming */
  patient: boolean;
}

export interface SourceCommand {
  args: string[];
  /** written to the child's file descriptor 3; null: it has none */
  script: string | null;
}

/** Ends what outlives us: ffmpeg's own limit fires after about twice its value. Microseconds. */
const SOCKET_TIMEOUT_US = '5000000';

/** How long ffmpeg may look before it must know what the pictures are: some cameras send a keyframe a minute. */
export const PATIENT_MS = 60_000;

/** ffmpeg's options for the ways of a camera, by name and value. */
function habitual({ ownTimes, patient }: SourceHabits): [string, string][] {
  return [
    ...(ownTimes ? [['use_wallclock_as_timestamps', '1'] as [string, string]] : []),
    ...(patient
      ? ([
          ['analyzeduration', String(PATIENT_MS * 1000)],
          ['probesize', '50000000'],
        ] as [string, string][])
      : []),
  ];
}

const PROTOCOLS = 'pipe,rtsp,rtsps,rtp,srtp,udp,tcp,tls,crypto';

/** ≤ 0.5 s a fragment, each written at once, none before its codec data. */
const OUTPUT = [
  ...['-movflags', '+empty_moov+default_base_moof+frag_keyframe+skip_trailer'],
  ...['-frag_duration', '500000', '-flush_packets', '1', '-f', 'mp4', 'pipe:1'],
];

const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

/**
 * What ffmpeg is told to make one stream of fragments. From 5.0 on the address goes in by a pipe; before, it is an
 * argument, since there the concat script can set no transport. `-timeout` means "listen" before 5.0.
 */
export function sourceArguments(major: number, options: SourceOptions): SourceCommand {
  const begin = ['-hide_banner', '-nostats', '-loglevel', 'error'];
  if (options.address.kind === 'test')
    return {
      args: [...begin, ...sceneArguments(options.address.scene, options.name, options.nowMs), ...OUTPUT],
      script: null,
    };
  const tracks = options.audio
    ? ['-map', '0:v:0', '-map', '0:a:0?', '-c:a', 'aac', '-ac', '1', '-ar', '44100', '-b:a', '48k']
    : ['-map', '0:v:0', '-an'];
  const copy = [...tracks, '-dn', '-sn', '-c:v', 'copy', ...OUTPUT];
  const { url } = options.address;
  const habits = [
    ...habitual(options.habits ?? { ownTimes: false, patient: false }),
    // Of two streams ffmpeg sets the times anew at the first RTCP report, by up to 0.2 s; and sound costs the line.
    ...(options.audio ? [] : [['allowed_media_types', 'video'] as [string, string]]),
  ];
  const asArguments = habits.flatMap(([name, value]) => [`-${name}`, value]);
  // The concat script hands them on to what it opens, but looks at the pictures a second time itself.
  const outside = options.habits?.patient ? habitual({ ownTimes: false, patient: true }) : [];
  if (major < 5)
    return {
      args: [
        ...begin,
        '-rtsp_transport',
        options.transport,
        '-stimeout',
        SOCKET_TIMEOUT_US,
        ...asArguments,
        '-i',
        url,
        ...copy,
      ],
      script: null,
    };
  return {
    args: [
      ...[...begin, ...outside.flatMap(([name, value]) => [`-${name}`, value])],
      ...['-f', 'concat', '-safe', '0', '-protocol_whitelist', PROTOCOLS, '-i', 'pipe:3', ...copy],
    ],
    script: [
      'ffconcat version 1.0',
      `file ${quoted(url)}`,
      `option rtsp_transport ${options.transport}`,
      `option timeout ${SOCKET_TIMEOUT_US}`,
      ...habits.map(([name, value]) => `option ${name} ${value}`),
      '',
    ].join('\n'),
  };
}
