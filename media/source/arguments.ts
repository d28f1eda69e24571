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
}

export interface SourceCommand {
  args: string[];
  /** written to the child's file descriptor 3; null: it has none */
  script: string | null;
}

/** Ends what outlives us: ffmpeg's own limit fires after about twice its value. Microseconds. */
const SOCKET_TIMEOUT_US = '5000000';

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
  if (major < 5)
    return {
      args: [
        ...begin,
        '-rtsp_transport',
        options.transport,
        '-stimeout',
        SOCKET_TIMEOUT_US,
        '-i',
        url,
        ...copy,
      ],
      script: null,
    };
  return {
    args: [...begin, '-f', 'concat', '-safe', '0', '-protocol_whitelist', PROTOCOLS, '-i', 'pipe:3', ...copy],
    script: [
      'ffconcat version 1.0',
      `file ${quoted(url)}`,
      `option rtsp_transport ${options.transport}`,
      `option timeout ${SOCKET_TIMEOUT_US}`,
      '',
    ].join('\n'),
  };
}
