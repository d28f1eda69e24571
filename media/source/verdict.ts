import type { Cause } from '../types.js';

export interface ChildEnd {
  /** what ffmpeg said */
  stderr: string;
  /** fragments had arrived */
  streamed: boolean;
  /** we killed it because nothing came */
  stalled: boolean;
  /** how long it ran, ms */
  lastedMs: number;
}

/** First match counts; ffmpeg's words from 4 to 8. */
const BEFORE_PICTURES: [RegExp, Cause][] = [
  [/\b401\b|\b403\b|unauthori[sz]ed|forbidden|authorization failed/i, 'refused'],
  [/\b404\b|\b454\b|stream not found|session not found|server returned 4\d\d/i, 'not-found'],
  [
    /\b461\b|\b503\b|unsupported transport|connection refused|timed out|no route to host|network is unreachable|host is (down|unreachable)|resolve host|name or service not known|temporary failure in name|connection reset|input\/output error|end of file|error number -1\d\d/i,
    'unreachable',
  ],
  [
    /invalid data|matches no streams|does not contain any stream|could not find (codec|tag)|unspecified size|dimensions not set|not currently supported in container|output file .*no stream|unknown (codec|format)|not a video/i,
    'not-video',
  ],
];

/** ffmpeg waits five seconds and longer for a camera that says nothing; who answers nonsense is known at once, ms. */
const WAITED_MS = 4500;
/** What ffmpeg 5 and newer say of both. */
const NOT_OPENED = /impossible to open/i;

/** Why a child ended. Words count before pictures came; after that it either fell silent or broke off. */
export function causeOf({ stderr, streamed, stalled, lastedMs }: ChildEnd): Cause {
  if (streamed) return stalled ? 'silent' : 'broken';
  const cause = BEFORE_PICTURES.find(([words]) => words.test(stderr))?.[1];
  if (cause === 'not-video' && lastedMs >= WAITED_MS && NOT_OPENED.test(stderr)) return 'silent';
  if (cause !== undefined) return cause;
  return stalled ? 'silent' : 'broken';
}
