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

/**
 * Addresses in what ffmpeg says: a channel, a port, a host or a user may be called 401, and no path is a reason. Also
 * the names of hosts that it could not find.
 */
const ADDRESS = /\b[a-z][a-z0-9+.-]*:\/\/\S+|\bhostname \S+/gi;

/**
 * How ffmpeg, 4 to 8, tells the answer of a camera (rtsp.c, error.c): `method DESCRIBE failed: 401 Unauthorized`,
 * `Server returned 403 Forbidden (access denied)`, `Server returned 5XX Server Error reply`. No other number is one.
 */
const STATUS = /\bmethod [A-Z_]+ failed: (\d{3})\b|\bserver returned ([45](?:\d\d|XX))\b/gi;

/** RTSP's answers beside HTTP's: not enough bandwidth, unsupported transport (as good as not there, for now). */
const LATER = new Set([408, 453, 461]);

/** What an answer means; of 4XX, which stands for whatever it does not name, the line before tells the number. */
function causeOfStatus(status: string): Cause | undefined {
  const number = Number(status);
  if (number === 401 || number === 403) return 'refused';
  if (LATER.has(number) || /^5/.test(status)) return 'unreachable';
  return number >= 400 && number < 500 ? 'not-found' : undefined;
}

/** In this order: what a camera answers counts before what became of the connection. */
const ORDER: readonly Cause[] = ['refused', 'not-found', 'unreachable', 'not-video'];

/** Without a status; ffmpeg's and the systems' words. */
const WORDS: [RegExp, Cause][] = [
  [
    /connection refused|timed out|no route to host|network is unreachable|host is (down|unreachable)|resolve host|name or service not known|temporary failure in name|connection reset|input\/output error|end of file|error number -1\d\d/i,
    'unreachable',
  ],
  [
    /invalid data|matches no streams|does not contain any stream|could not find (codec|tag)|unspecified size|dimensions not set|not currently supported in container|output file .*no stream|unknown (codec|format)|not a video/i,
    'not-video',
  ],
];

/** ffmpeg waits five seconds and longer for a camera that says nothing; who answers nonsense is known at once, ms. */
const WAITED_MS = 4500;
/** What ffmpeg 5 and newer say of both; and of a rtsps:// that takes the connection and says nothing. */
const NOT_OPENED = /impossible to open/i;
const NO_TLS = /\[tls [^\]]*\] error in the pull function/i;

/** Why a child ended. Words count before pictures came; after that it either fell silent or broke off. */
export function causeOf({ stderr, streamed, stalled, lastedMs }: ChildEnd): Cause {
  if (streamed) return stalled ? 'silent' : 'broken';
  const said = stderr.replace(ADDRESS, '…');
  const answers = [...said.matchAll(STATUS)].map(([, method, server]) => causeOfStatus(method ?? server!));
  const cause = ORDER.find((one) => answers.includes(one)) ?? WORDS.find(([words]) => words.test(said))?.[1];
  if (lastedMs >= WAITED_MS) {
    if (cause === 'not-video' && NOT_OPENED.test(said)) return 'silent';
    if (cause === 'unreachable' && NO_TLS.test(said)) return 'silent';
  }
  if (cause !== undefined) return cause;
  return stalled ? 'silent' : 'broken';
}
